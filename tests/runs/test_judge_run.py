"""The judge as a run and a command: over a misbehaving server, gone on with, in a report."""

import json
import re

import pytest
import typer
from helpers.chat_server import good, serving
from helpers.generation import tiny_base
from typer.testing import CliRunner

from capo_core.cli import evaluate
from capo_core.data.catalog import Catalog
from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.evaluation.export import to_html
from capo_core.evaluation.llm_judge.judge import load_result
from capo_core.evaluation.llm_judge.results import RESULT_FILE, load_verdicts
from capo_core.evaluation.report import load as load_report
from capo_core.evaluation.streams import HUMAN, OTHER, run_outputs
from capo_core.imitation.backends import openai
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.generation.generate import (
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs import checks, kinds
from capo_core.runs.kinds import llm_judge
from capo_core.runs.request import RunRequest
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.text.tokens import normalise
from capo_core.workspace import Workspace

FEW = {"cards": 2, "trials": 6, "seed": 1, "max_new_tokens": 20}
TRIALS = 3 * 6  # for each source


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=90, annotators=3, style=1.0, seed=5))
    return assign_splits(made.dataset, seed=1)


@pytest.fixture
def workspace(world, tmp_path):
    made = Workspace(tmp_path)
    Catalog(made).add(world)
    return made


@pytest.fixture
def chat(monkeypatch):
    monkeypatch.setattr(openai, "FIRST_WAIT_S", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        monkeypatch.setenv("CAPO_SERVER_URL", server.url)
        yield server


@pytest.fixture
def command(workspace, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    app = typer.Typer()
    evaluate.mount_llm_judge(app)
    evaluate.mount(app)
    return lambda *args: CliRunner().invoke(app, [*map(str, args)])


def generated(workspace, world, **settings) -> RunFolder:
    """A finished generation by the fake backend: texts that are nobody's."""
    config = GenerateConfig(**{"method": "zero_shot", **settings})
    backend, targets = FakeBackend(), world.annotators
    folder = generation_folder(
        workspace, generation_run_config(world, targets, config, backend, {}, {})
    )
    generate(world, targets, config, backend, folder)
    return folder


def knowing(world):
    """The answer of who knows every human text: its author's card; for other texts the first."""
    author = {normalise(r.explanation): r.annotator_id for r in world.annotations.itertuples()}

    def answer(prompt: str) -> str:
        text = re.search(r"about another item:\n- (.*)", prompt)[1]
        cards = prompt.split("One of them wrote")[0]
        for letter, card in re.findall(r"Annotator ([A-Z]):\n((?:- .*\n?)+)", cards):
            if text in author and author[card.splitlines()[0][2:]] == author[text]:
                return f"Answer: {letter}"
        return "Answer: A"

    return answer


def settings_of(world, runs=(), **more) -> dict:
    return {"dataset": world.name, "runs": list(runs), "guess": True, "config": FEW, **more}


def test_a_server_that_misbehaves_is_asked_until_all_is_said(chat, command, world, workspace):
    answer, refused = knowing(world), []

    def script(number, body):
        prompt = body["messages"][0]["content"]
        if number in (2, 5):
            return [(500, {}, "oops"), (429, {"Retry-After": "0.01"}, {})][number == 5]
        if number == 7:
            return "cut"
        if number == 9:
            refused.append(prompt)
        if prompt in refused:
            return 400, {}, {"error": {"code": "content_filter", "message": "no"}}
        if number == 20:
            return 401, {}, {"error": {"message": "the key has expired"}}
        return 200, {}, good(answer(prompt))

    chat.script = script
    line = ("judge", "--dataset", world.name, "--server", "big-model", "--concurrency", 1,
            "--cards", 2, "--trials", 12, "--seed", 1)  # fmt: skip
    first = command(*line)
    # Of the 20 requests before the key expired three were sent again: 500, 429, half an answer.
    assert first.exit_code == 2
    assert "17 of 36 answers are saved" in first.stderr
    before = len(chat.asked)
    done = command(*line, "--json")
    assert done.exit_code == 0, done.output
    assert len(chat.asked) - before == 36 - 17
    assert chat.asked[-1]["temperature"] == 0
    said = json.loads(done.stdout)
    human = next(r for r in said["table"] if (r["source"], r["target"]) == (HUMAN, "all"))
    assert (human["n"], human["unread"]) == (36, 1)
    assert human["value"] == pytest.approx(35 / 36)
    problems = [row["problem"] for row in said["answers"] if row["problem"]]
    assert problems == ["refused by the server's content filter"]
    asked = len(chat.asked)
    again = command(*line)
    assert again.exit_code == 0 and len(chat.asked) == asked
    assert "big-model names the author" in again.stdout and said["run"] in again.stdout


def test_a_stopped_judge_goes_on_and_says_the_same(world, workspace):
    run = generated(workspace, world)
    folders = [RunFolder(workspace.runs / name) for name in ("straight", "broken")]
    settings = settings_of(world, [run.run_id])

    class Few(FakeBackend):
        def __init__(self):
            super().__init__(llm_judge.guessing_judge()._answer, name="a guesser")

    def stop(what: str, share: float) -> None:
        if share > 0.4:
            raise Stopped("enough")

    llm_judge.judge_runs(world, settings, Few(), workspace, folders[0], silent)
    with pytest.raises(Stopped, match=f"of {2 * TRIALS} answers are saved"):
        llm_judge.judge_runs(world, settings, Few(), workspace, folders[1], stop)
    rest = Few()
    llm_judge.judge_runs(world, settings, rest, workspace, folders[1], silent)
    assert 0 < len(rest.asked) < 2 * TRIALS
    one, two = (load_result(folder.path / RESULT_FILE).to_dict() for folder in folders)
    assert one == two
    # A run is asked the same whatever is judged beside it.
    alone = RunFolder(workspace.runs / "alone")
    llm_judge.judge_runs(world, settings_of(world), Few(), workspace, alone, silent)
    human = [row for row in one["answers"] if row["source"] == HUMAN]
    assert load_result(alone.path / RESULT_FILE).to_dict()["answers"] == human


def test_verdicts_stand_in_the_report_with_floor_and_ceiling(world, workspace, command):
    runs = [generated(workspace, world, seed=seed).run_id for seed in (0, 1)]
    judge = RunFolder(workspace.runs / "the-judge")
    answer = knowing(world)
    backend = FakeBackend(lambda request: answer(request.prompt.text), name="sage (v2)")
    llm_judge.judge_runs(world, settings_of(world, runs), backend, workspace, judge, silent)
    folder = RunFolder(workspace.runs / "the-evaluation")
    families = {"families": ["labels"], "pool": [1]}
    asked = {"dataset": world.name, "runs": runs, "judges": ["the-judge"], "config": families}
    kinds.execute(RunRequest("evaluate", asked), workspace, folder, silent)
    report = load_report(folder.path / "report.json")
    name = "judge (sage (v2))"
    rows = {source: report.row(source, name, 1) for source in (HUMAN, OTHER, "zero_shot")}
    assert rows[HUMAN].value == 1 and rows[OTHER].value == 0
    assert rows["zero_shot"].chance == pytest.approx(1 / 3)
    assert (rows["zero_shot"].floor, rows["zero_shot"].ceiling) == (0, 1)
    # Texts that are nobody's go to the first card, where each annotator stands equally often.
    assert rows["zero_shot"].value == pytest.approx(1 / 3)
    assert rows["zero_shot"].replicates == 6 and rows["zero_shot"].n == TRIALS
    apart = report.differences.query("source == 'zero_shot' and measure == @name and target=='all'")
    assert set(apart["against"]) == {HUMAN, OTHER}
    said = next(s.text for s in report.statements if s.topic == "judge")
    assert said.startswith("The LLM judge sage (v2) names the target")
    assert "zero_shot 33\u00a0%" in said
    (about,) = report.llm_judges
    assert about["run"] == "the-judge" and about["trials"] == 3 * TRIALS
    assert "LLM judge: sage (v2)" in report.methods["text"]
    assert "Attributed to the target by an LLM judge" in to_html(report)
    # The command gives the same numbers.
    line = ("evaluate", "--dataset", world.name, "--run", *runs, "--judge", "the-judge",
            "--measures", "labels", "--pool", 1, "--json")  # fmt: skip
    done = command(*line)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scores"] == report.to_dict()["scores"]


def test_a_model_on_this_machine_judges_what_it_can_read(world, command, tmp_path):
    line = ("judge", "--dataset", world.name, "--cards", 1, "--trials", 3, "--max-new-tokens", 4)
    tiny_base(tmp_path / "long", positions=4096)
    done = command(*line, "--base", tmp_path / "long", "--json")
    assert done.exit_code == 0, done.output
    answers = json.loads(done.stdout)["answers"]
    # A random model names no letter; it was asked, and what it said is kept.
    assert len(answers) == 9 and all(row["problem"] and row["text"] for row in answers)
    tiny_base(tmp_path / "short", positions=128)
    done = command(*line, "--base", tmp_path / "short", "--json")
    assert done.exit_code == 0, done.output
    assert {row["problem"] for row in json.loads(done.stdout)["answers"]} == {"prompt too long"}


def test_what_cannot_be_judged_or_joined_is_told(world, workspace, command):
    run = generated(workspace, world)
    for settings, match in (
        (settings_of(world, guess=False), "exactly one LLM judge"),
        (settings_of(world, base="embedded"), "exactly one LLM judge"),
        (settings_of(world, config={"cards": 0}), "LLM judge, "),
    ):
        with pytest.raises(ConfigError, match=match):
            checks.check(RunRequest("judge", settings))
    with pytest.raises(RunError, match="takes no setting"):
        checks.check(RunRequest("judge", settings_of(world, charm=1)))
    found, _ = run_outputs(world, [run])
    with pytest.raises(DataError, match="no verdicts"):
        load_verdicts([run], found, world.fingerprint)
    done = command("judge", "--dataset", world.name, "--guess", "--server", "x")
    assert done.exit_code == 2 and "the random judge needs no model" in done.stderr
    done = command("judge", "--dataset", world.name, "--guess", "--cards", 9000)
    assert done.exit_code == 2 and "fewer texts per card" in done.stderr
    done = command("judge", "--dataset", world.name, "--guess", "--trials", 3, "--cards", 2)
    assert done.exit_code == 0 and "a guesser names the author" in done.stdout, done.output
    folder = RunFolder(workspace.runs / done.stdout.split("run ")[-1].strip())
    assert load_verdicts([folder], found, world.fingerprint)[0].k == 1
    with pytest.raises(DataError, match="other data"):
        load_verdicts([folder], found, "0" * 64)
    with pytest.raises(ConfigError, match="in two of the runs"):
        load_verdicts([folder, folder], found, world.fingerprint)
