"""Generation from end to end: what is asked, kept, resumed, counted and refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.generation import base_with_adapters, local_backend, split_dataset
from typer import Typer
from typer.testing import CliRunner

from capo_core.cli import generate as cli_generate
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.imitation.backends.fake import FakeBackend, placeholder_answer
from capo_core.imitation.generation.generate import (
    begun_precision,
    generate,
    generation_folder,
    generation_run_config,
)
from capo_core.imitation.generation.outputs import OutputLines, read_table
from capo_core.imitation.generation.requests import GenerateConfig, seed_of
from capo_core.imitation.generation.trained_adapters import (
    check_same_base,
    collect_adapters,
    find_training_runs,
)
from capo_core.imitation.prompting.prompts import METHOD_NAMES, METHODS
from capo_core.run_folder import RunFolder
from capo_core.runs import run as runs_run
from capo_core.schema import OUTPUTS
from capo_core.workspace import Workspace, write_json

BOTH = ("1", "2")
SHORT = {"max_new_tokens": 16, "temperature": 0.8}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return base_with_adapters(folder, "run1/adapter", "run2/adapter", positions=1024)


def adapters(place):
    return {who: place / f"run{who}" / "adapter" for who in BOTH}


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_from_end_to_end(method, place, tmp_path):
    data, backend = split_dataset(), FakeBackend()
    config = GenerateConfig(method, samples=2, examples=3)
    frame = generate(
        data,
        BOTH,
        config,
        backend,
        RunFolder(tmp_path / "r"),
        adapters=adapters(place) if config.trained else None,
        profiles={who: f"Labels: the ones of {who}" for who in BOTH},
    )
    assert list(frame.columns) == OUTPUTS.names
    # 2 targets × 6 test items × 2 samples, in this order.
    assert frame["target_annotator_id"].tolist() == ["1"] * 12 + ["2"] * 12
    assert frame["item_id"].tolist() == [f"i{k}" for k in range(20, 26) for _ in "01"] * 2
    assert frame["sample"].tolist() == ["0", "1"] * 12
    assert set(frame["parsed"]) == {"true"} and set(frame["label"]) <= set(data.task.scale.labels)
    assert frame["explanation"].str.len().gt(0).all()
    assert frame.equals(read_table(tmp_path / "r"))
    texts = [request.prompt.text for request in backend.asked]
    assert all(("Said by" in text) == METHODS[method].examples for text in texts)
    assert all(("the ones of" in text) == (method == "profile") for text in texts)
    told = {request.adapter for request in backend.asked}
    assert told == (set(map(str, adapters(place).values())) if config.trained else {""})
    result = RunFolder(tmp_path / "r").result
    assert (result["outputs"], result["parsed"], result["problems"]) == (24, 24, {})
    if METHODS[method].examples:
        assert result["examples_shown"] == {"3": 24}
        assert "Said by 1 about" in texts[0] and "Said by 2 about" in texts[-1]
        assert not any(f"{k}\n" in texts[0] for k in ("There is a fox 25", "There is a lamp 24"))


def test_a_finished_run_is_read_not_asked_again(tmp_path):
    folder, backend = RunFolder(tmp_path / "r"), FakeBackend()
    first = generate(split_dataset(), BOTH, GenerateConfig("zero_shot"), backend, folder)
    again = generate(split_dataset(), BOTH, GenerateConfig("zero_shot"), backend, folder)
    assert again.equals(first) and len(backend.asked) == 12


def test_the_same_command_finds_the_same_run_and_another_one_another(tmp_path):
    data, backend, config = split_dataset(), FakeBackend(), GenerateConfig("zero_shot")
    workspace = Workspace(tmp_path)

    def name(targets=BOTH, config=config, backend=backend, data=data, profiles=None):
        asked = generation_run_config(data, targets, config, backend, {}, profiles or {})
        return generation_folder(workspace, asked).run_id

    assert name() == name()
    assert name().startswith("small-generate-zero_shot_all-")
    other_split = data.with_split(data.items.set_index("item_id")["split"].replace("test", "train"))
    others = [
        name(targets=("1",)),
        name(config=replace(config, seed=1)),
        name(backend=FakeBackend(name="other")),
        name(profiles={"1": "Labels: x"}),
        name(data=other_split),
        name(data=split_dataset(test=7)),
    ]
    assert len({name(), *others}) == 7
    folder = RunFolder(tmp_path / "r")
    generate(data, BOTH, config, backend, folder)
    with pytest.raises(RunError, match=r"settings\.seed was 0 and is 1 now"):
        generate(data, BOTH, replace(config, seed=1), backend, folder)


@pytest.mark.parametrize("cut", [1, 7, 13, 23])
def test_after_an_interruption_the_outputs_are_those_of_an_uninterrupted_run(place, tmp_path, cut):
    data, config = split_dataset(), GenerateConfig("sft", samples=2, **SHORT)
    whole = generate(
        data, BOTH, config, local_backend(place, batch_tokens=3000),
        RunFolder(tmp_path / "a" / "run"), adapters=adapters(place),
    )  # fmt: skip
    folder = RunFolder(tmp_path / "b" / "run")
    lines = OutputLines(folder.path)

    class Killed(BaseException):
        pass

    backend = local_backend(place, batch_tokens=3000)
    real = backend.complete

    def dying(*args, **more):
        for count, answer in enumerate(real(*args, **more)):
            if count == cut:
                raise Killed
            yield answer

    backend.complete = dying
    with pytest.raises(Killed):
        generate(data, BOTH, config, backend, folder, adapters=adapters(place))
    assert len(lines.read()) == cut
    with lines.path.open("ab") as file:
        file.write(b'{"output_id": "half of a li')
    kept = lines.path.read_bytes()[: -len(b'{"output_id": "half of a li')]
    rest = generate(
        data,
        BOTH,
        config,
        local_backend(place, batch_tokens=3000),
        folder,
        adapters=adapters(place),
    )
    assert rest.equals(whole)
    assert lines.path.read_bytes().startswith(kept)
    assert folder.result["kept"] == cut


def test_it_goes_on_in_the_precision_in_which_it_began(place, tmp_path, monkeypatch):
    """What "auto" takes is measured: a busy machine may measure otherwise than before."""
    from capo_core.imitation.models import base_model
    from capo_core.runs.kinds.training import generate_answers

    workspace = Workspace(tmp_path)
    data, config = split_dataset(), GenerateConfig("zero_shot", **SHORT)
    Catalog(workspace).add(data)
    measured = {"pays": True}
    monkeypatch.setattr(base_model, "half_precision_pays", lambda *_: measured["pays"])

    def asked() -> dict:
        return generation_run_config(data, BOTH, config, local_backend(place), {}, {})

    assert begun_precision(workspace, asked()) == ""
    folder = generation_folder(workspace, asked())
    settings = {"dataset": "small", "base": str(place / "base"), "targets": list(BOTH),
                "config": config.to_dict()}  # fmt: skip

    def stop(message, share):
        if (folder.path / "config.json").exists():
            raise Stopped("enough")

    with pytest.raises(Stopped):
        generate_answers(settings, workspace, folder, stop)
    measured["pays"] = False
    assert begun_precision(workspace, asked()) == "bf16"
    generate_answers(settings, workspace, folder, lambda *_: None)
    assert folder.done and folder.config["base"]["precision"] == "bfloat16"


def test_what_batches_there_are_does_not_change_the_outputs(place, tmp_path):
    data, config = split_dataset(), GenerateConfig("capo", **SHORT)
    frames = [
        generate(
            data, BOTH, config, local_backend(place, batch_tokens=size),
            RunFolder(tmp_path / f"{size}" / "r"), adapters=adapters(place),
        )
        for size in (1, 1000, 50_000)
    ]  # fmt: skip
    assert frames[0].equals(frames[1]) and frames[0].equals(frames[2])


def test_killed_by_the_system_it_goes_on_where_it_was(tmp_path):
    script = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from helpers.generation import split_dataset
from capo_core.imitation.backends.fake import FakeBackend, placeholder_answer
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.run_folder import RunFolder
count = 0
def answer(request):
    global count
    count += 1
    if count == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return placeholder_answer(request)
config = GenerateConfig("zero_shot")
generate(split_dataset(), ("1", "2"), config, FakeBackend(answer), RunFolder(Path(sys.argv[1])))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "r"), str(Path(__file__).parents[1])]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(OutputLines(tmp_path / "r").read()) == 7
    backend, config = FakeBackend(), GenerateConfig("zero_shot")
    frame = generate(split_dataset(), BOTH, config, backend, RunFolder(tmp_path / "r"))
    assert len(frame) == 12 and len(backend.asked) == 5
    (tmp_path / "s").mkdir()
    whole = generate(split_dataset(), BOTH, config, FakeBackend(), RunFolder(tmp_path / "s" / "r"))
    assert frame.equals(whole)


def test_a_stop_is_asked_for_by_a_file_and_keeps_what_is_there(tmp_path):
    folder = RunFolder(tmp_path / "r")

    def answer(request):
        if len(backend.asked) == 4:
            folder.ask_to_stop()
        return placeholder_answer(request)

    backend = FakeBackend(answer)
    with pytest.raises(Stopped, match="4 of 12 answers are saved"):
        generate(split_dataset(), BOTH, GenerateConfig("zero_shot"), backend, folder)
    assert folder.events("stopped")[0]["kept"] == 4
    rest = FakeBackend()
    assert len(generate(split_dataset(), BOTH, GenerateConfig("zero_shot"), rest, folder)) == 12
    assert len(rest.asked) == 8


def test_what_cannot_be_read_is_counted_and_kept(tmp_path):
    said = {"i20": "I cannot say.", "i21": "", "i22": "Label: neutral\nExplanation: \ud800 so"}
    texts = dict(zip(split_dataset().items["item_id"], split_dataset().items["text_a"]))  # noqa: B905

    def answer(request):
        found = [said[item] for item in said if texts[item] in request.prompt.text]
        return found[0] if found else placeholder_answer(request)

    folder = RunFolder(tmp_path / "r")
    frame = generate(
        split_dataset(), ["1"], GenerateConfig("zero_shot"), FakeBackend(answer), folder
    ).set_index("item_id")
    assert frame.loc["i20", "raw_text"] == "I cannot say."
    assert frame["parsed"].tolist() == ["false", "false", "true", "true", "true", "true"]
    assert frame.loc[["i20", "i21"], "problem"].tolist() == ["no label", "empty"]
    assert frame.loc[["i20", "i21"], "label"].tolist() == ["", ""]
    assert folder.result["problems"] == {"no label": 1, "empty": 1}
    assert frame.loc["i22", "explanation"] == "? so"


def test_examples_are_left_out_one_by_one_where_they_do_not_fit(place, tmp_path):
    # The tiny model reads 1024 tokens, a token is a letter: 3 examples fit, 8 do not.
    folder = RunFolder(tmp_path / "r")
    config = GenerateConfig("icl", examples=8, **SHORT)
    backend = local_backend(place)
    frame = generate(split_dataset(), ["1"], config, backend, folder)
    shown = folder.result["examples_shown"]
    assert sum(shown.values()) == 6 and "8" not in shown and "0" not in shown
    assert (frame["prompt_tokens"] + 16 <= 1024).all()
    # One more example would not have fitted: an example here is at least 95 letters.
    assert (frame["prompt_tokens"] + 16 + 130 > 1024).all()


def test_a_prompt_that_does_not_fit_is_not_asked_but_said(tmp_path):
    data = split_dataset()
    items = data.items.copy()
    items.loc[items["item_id"] == "i21", "text_a"] = "long " * 600
    data = replace(data, items=items)

    class Small(FakeBackend):
        def excess(self, prompt, decoding):
            return max(0, len(prompt.text) - 2000)

    backend, folder = Small(), RunFolder(tmp_path / "r")
    frame = generate(data, ["1"], GenerateConfig("zero_shot"), backend, folder)
    row = frame.set_index("item_id").loc["i21"]
    assert (row["parsed"], row["problem"], row["raw_text"]) == ("false", "prompt too long", "")
    assert len(frame) == 6 and len(backend.asked) == 5
    assert folder.result["not_answered"] == 1


def test_the_tokens_of_a_batch_are_those_asked_for_and_said_once(place, tmp_path):
    from capo_core.runs.experiments.config import ExperimentConfig
    from capo_core.runs.experiments.plan import plan_runs
    from capo_core.runs.kinds.training import generate_answers

    workspace, data = Workspace(tmp_path), split_dataset()
    Catalog(workspace).add(data)
    asked = ExperimentConfig(
        dataset="small", targets=BOTH, methods=("zero_shot",), base=str(place / "base"),
        generate={**SHORT, "items": 1, "batch_tokens": 900},
    )  # fmt: skip
    (planned,) = [one for one in plan_runs(asked) if one.request.kind == "generate"]
    folder = RunFolder(tmp_path / "r")
    generate_answers(planned.request.settings, workspace, folder, lambda *_: None)
    assert folder.config["base"]["batch_tokens"] == 900
    # An earlier build's run that was asked for as many is the same run.
    assert "batch_tokens" not in folder.config["settings"]


def test_what_answers_may_depend_on_is_saved(place, tmp_path):
    config = GenerateConfig("zero_shot", items=1, **SHORT)
    generate(
        split_dataset(),
        ["1"],
        config,
        local_backend(place, batch_tokens=900),
        RunFolder(tmp_path / "r"),
    )
    saved = RunFolder(tmp_path / "r").config
    assert saved["settings"] == config.to_dict()
    assert saved["base"]["precision"] == "float32" and saved["base"]["batch_tokens"] == 900
    with pytest.raises(RunError, match=r"base\.batch_tokens was 900 and is 1000 now"):
        generate(
            split_dataset(),
            ["1"],
            config,
            local_backend(place, batch_tokens=1000),
            RunFolder(tmp_path / "r"),
        )


def test_seeds_are_each_answers_own():
    seeds = {seed_of(s, t, i, k) for s in (0, 1) for t in "12" for i in ("a", "b") for k in "01"}
    assert len(seeds) == 16 and all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(0, "1", "a", "0") == seed_of(0, "1", "a", "0")


def test_so_many_items_are_drawn_by_the_seed(tmp_path):
    data = split_dataset(test=30)
    drawn = [
        generate(
            data, ["1"], GenerateConfig("zero_shot", items=5, seed=seed), FakeBackend(),
            RunFolder(tmp_path / f"{seed}"),
        )["item_id"].tolist()
        for seed in (0, 1)
    ]  # fmt: skip
    assert [len(set(items)) for items in drawn] == [5, 5]
    assert drawn[0] != drawn[1] and drawn[0] == sorted(drawn[0])


@pytest.mark.parametrize(
    ("method", "targets", "said"),
    [
        ("sft", ["1"], "no adapter for annotator '1'"),
        ("profile", ["1"], "no profile for annotator '1'"),
        ("zero_shot", ["9"], "no annotator '9'"),
        ("zero_shot", ["1", "1"], "each once"),
        ("zero_shot", [], "one or more"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_asked(
    method, targets, said, tmp_path
):
    backend = FakeBackend()
    with pytest.raises(ConfigError, match=said):
        generate(
            split_dataset(), targets, GenerateConfig(method), backend, RunFolder(tmp_path / "r")
        )
    assert not backend.asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"split": "all"},
        {"samples": 0},
        {"examples": 0},
        {"how": "best"},
        {"named": True},
        {"temperature": 9.0},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GenerateConfig(**{"method": "icl", **wrong})


def test_damaged_lines_are_named(tmp_path):
    lines = OutputLines(tmp_path)
    lines.path.write_text('{"output_id": "a"}\nrubbish\n{"output_id": "b"}\n')
    with pytest.raises(DataError, match="line 2"):
        lines.read()
    lines.path.write_text('{"output_id": "a"}\n{"output_id": "a"}\n')
    with pytest.raises(DataError, match="occurs twice"):
        lines.read()
    # The end of a line can be on disk before its middle: such a last line is torn, too.
    lines.path.write_bytes(b'{"output_id": "a"}\n{"outp\0\0\0\n')
    with lines.writing() as file:
        file.add({"output_id": "b"})
    assert [row["output_id"] for row in lines.read()] == ["a", "b"]


# ---- adapters of training runs -------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path):
    """A maker of finished training runs, as far as generation reads them."""
    from capo_core.imitation.generation.requests import dataset_identity

    def make(target, *, stage="sft", data=None, base="f0", name="", done=True, shared=False):
        folder = RunFolder(tmp_path / "runs" / (name or f"{stage}-{target}-{base}"))
        folder.adapter.mkdir(parents=True)
        asked = {
            "stage": stage,
            "target": target,
            "dataset": dataset_identity(data or split_dataset()),
            "base": {"name": "embedded", "fingerprint": base},
            "settings": {"shared": shared},
        }
        write_json(folder.path / "config.json", asked)
        if done:
            write_json(folder.path / "result.json", {})
        return folder

    return make


def test_runs_give_each_annotator_an_adapter(runs, tmp_path):
    made = [runs(who) for who in BOTH]
    found = collect_adapters(made, "sft", BOTH, split_dataset())
    assert found.adapters == {who: run.adapter for who, run in zip(BOTH, made, strict=True)}
    assert (found.base, found.fingerprint, found.named) == ("embedded", "f0", False)
    check_same_base(found, "f0", "embedded")
    with pytest.raises(RunError, match="is another, or has changed since"):
        check_same_base(found, "f1", "embedded")
    assert find_training_runs(Workspace(tmp_path), "sft", BOTH, split_dataset()) == made
    runs("1", name="second")
    with pytest.raises(RunError, match="there are 2 sft runs for annotator '1'"):
        find_training_runs(Workspace(tmp_path), "sft", BOTH, split_dataset())
    other = runs("1", base="f1")
    assert find_training_runs(
        Workspace(tmp_path), "sft", ["1"], split_dataset(), fingerprint="f1"
    ) == [other]


def test_a_shared_adapter_serves_all_and_names_them(runs):
    run = runs("all", shared=True)
    found = collect_adapters([run], "sft", BOTH, split_dataset())
    assert found.named and found.adapters == dict.fromkeys(BOTH, run.adapter)
    workspace = Workspace(run.path.parents[1])
    assert find_training_runs(workspace, "sft", BOTH, split_dataset()) == [run]
    own = runs("1")  # an adapter of one's own is preferred
    assert find_training_runs(workspace, "sft", ["1"], split_dataset()) == [own]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"stage": "capo"}, "of the stage 'capo'"),
        ({"done": False}, "not finished"),
        ({"data": split_dataset(test=7)}, "another dataset"),
        (
            {
                "data": split_dataset().with_split(
                    split_dataset().items.set_index("item_id")["split"].replace("test", "train")
                )
            },
            "another split",
        ),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs, made, said):
    with pytest.raises(RunError, match=said):
        collect_adapters([runs("1", **made)], "sft", ["1"], split_dataset())


def test_runs_that_do_not_fit_each_other_are_refused(runs):
    one, two, other = runs("1"), runs("2", base="f1"), runs("1", name="again")
    with pytest.raises(RunError, match="different bases"):
        collect_adapters([one, two], "sft", BOTH, split_dataset())
    with pytest.raises(RunError, match="two runs are for annotator '1'"):
        collect_adapters([one, other], "sft", ["1"], split_dataset())
    with pytest.raises(ConfigError, match="no finished sft run for annotator '2'"):
        collect_adapters([one], "sft", BOTH, split_dataset())
    shutil.rmtree(one.adapter)
    with pytest.raises(RunError, match="adapter is missing"):
        collect_adapters([one], "sft", ["1"], split_dataset())


# ---- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    Catalog(Workspace.default()).add(split_dataset())
    backend = FakeBackend()
    monkeypatch.setattr(cli_generate, "backend_of", lambda *_: backend)
    app = Typer()
    cli_generate.mount(app)

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        return result

    call.backend = backend
    return call


def test_the_command_prints_what_came_of_it(command):
    base = ("generate", "--dataset", "small", "--method", "zero_shot", "--annotator")
    told = json.loads(command(*base, "1", "2", "--samples", "2", "--json").stdout)
    assert (told["outputs"], told["parsed"], told["kept"]) == (24, 24, 0)
    assert len(read_table(Path(told["folder"]))) == 24
    (run,) = runs_run.all_runs(Workspace.default())
    assert (run.status().state, run.request.kind) == ("succeeded", "generate")
    again = command(*base, "all", "--samples", "2").stdout
    assert (
        "readable answers: 24 of 24" in again
        and "finished before" in again
        and told["run"] in again
    )
    assert len(command.backend.asked) == 24


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_keeps_what_is_there_and_says_how_to_go_on(command, number):
    line = ("generate", "--dataset", "small", "--method", "zero_shot", "--annotator", "1")
    real, handler = command.backend._answer, signal.getsignal(number)

    def ending(request):
        if len(command.backend.asked) == 3:
            os.kill(os.getpid(), number)
        return real(request)

    command.backend._answer = ending
    told = command(*line, code=2).stderr
    assert "stopped by the user; 3 of 6 answers are saved" in told
    assert told.count("same command again") == 1
    assert signal.getsignal(number) is handler
    done = json.loads(command(*line, "--json").stdout)
    assert (done["outputs"], done["kept"], len(command.backend.asked)) == (6, 3, 6)


def test_the_command_refuses_in_plain_words(command):
    base = ("generate", "--dataset", "small", "--annotator", "1", "--method")
    assert "no finished sft run" in command(*base, "sft", code=2).stderr
    assert "no annotator 'Z'" in command(*base[:-2], "Z", "--method", "sft", code=2).stderr
    assert "--server" in command(*base, "sft", "--server", "m", code=2).stderr
    assert "--run" in command(*base, "icl", "--run", "x", code=2).stderr
    assert "no profile" in command(*base, "profile", code=2).stderr
    assert "no run named" in command(*base, "sft", "--run", "x", code=2).stderr


def test_without_a_server_in_the_environment_it_says_what_to_set(monkeypatch):
    from capo_core.errors import BackendUnavailable

    for name in ("CAPO_SERVER_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BackendUnavailable, match="CAPO_SERVER_URL"):
        cli_generate.backend_of(None, "m", "auto", 1000, {})
    with pytest.raises(ConfigError, match="--base"):
        cli_generate.backend_of("embedded", "m", "auto", 1000, {})
