"""The commands on results, from a design to a report and to pairs."""

import json

import pytest
from helpers.study_designs import design, finished_run, put, simulated
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.study.design import draft
from capo_core.study.design.draft import draw
from capo_core.study.owner.export import read_judgments


@pytest.fixture
def drafted(workspace, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    world = put(workspace, simulated())
    sources = {"human": "human", "zero_shot": [finished_run(workspace, world)]}
    config = design(world, sources=sources, kinds=("comparison",), trials_per_judge=12)
    draft.create(workspace, draw(workspace, config))
    return config.name


def run(*words, ok=True):
    done = CliRunner().invoke(app, ["study", *map(str, words)])
    assert (done.exit_code == 0) == ok, done.output
    assert "Traceback" not in done.output
    return done


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_from_simulated_judges_to_report_and_pairs(drafted, tmp_path, ending):
    answers, report = tmp_path / f"answers.{ending}", tmp_path / "report.json"
    run("simulate-judges", drafted, answers, "--strength", "human=1.5", "--seed", 3)
    frame = read_judgments(answers)
    again = tmp_path / f"again.{ending}"
    run("simulate-judges", drafted, again, "--strength", "human=1.5", "--seed", 3)
    assert again.read_bytes() == answers.read_bytes()
    run("analyse", drafted, "--answers", answers, "--out", report, "--out", tmp_path / "r.md")
    told = json.loads(report.read_text("utf-8"))
    assert sum(
        row["main"] + row["check"] + row["mirror"] for row in told["analysis"]["counts"]
    ) == (len(frame))
    assert (tmp_path / "r.md").read_text("utf-8").startswith("# Study trial")
    pairs = tmp_path / "pairs.jsonl"
    done = run("export-pairs", drafted, pairs, "--answers", answers, "--rule", "majority")
    rows = [json.loads(line) for line in pairs.read_text("utf-8").split("\n") if line]
    assert f"{len(rows)} preference pairs" in done.output and "test split" in done.output
    assert {"prompt", "chosen", "rejected"} <= set(rows[0])
    assert all(row["chosen"].startswith("Label:") and row["prompt"] for row in rows)


def test_a_study_of_attribution_alone_is_simulated(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    world = put(workspace, simulated())
    config = design(world, kinds=("attribution",), name="alone")
    draft.create(workspace, draw(workspace, config))
    run("simulate-judges", "alone", tmp_path / "answers.csv")
    frame = read_judgments(tmp_path / "answers.csv")
    assert set(frame["kind"]) == {"attribution"} and frame["answer"].ne("").all()


def test_strengths_that_are_not_finite_are_null_with_a_reason(drafted, tmp_path):
    answers, report = tmp_path / "answers.jsonl", tmp_path / "report.json"
    run("simulate-judges", drafted, answers)
    rows = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
    for row in rows:
        if row["purpose"] == "main":  # one source is preferred every time
            row["answer"] = "a" if row["source_a"] == "human" else "b"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    printed = run("analyse", drafted, "--answers", answers, "--json", "--out", report).output
    for text in (printed[printed.index("{") :], report.read_text("utf-8")):
        told = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
        assert "never lost against the others" in json.dumps(told)
        strengths = told.get("analysis", told)["preference"]["strengths"]
        assert {row["strength"] for row in strengths} == {None}


def test_wrong_input_is_said_in_words(drafted, tmp_path):
    assert "is not frozen" in run("analyse", drafted, ok=False).output
    bad = tmp_path / "bad.csv"
    bad.write_text("judge,answer\nJ1,a\n", "utf-8")
    assert (
        "column 'study_id' is missing" in run("analyse", drafted, "--answers", bad, ok=False).output
    )
    answers = tmp_path / "a.csv"
    run("simulate-judges", drafted, answers)
    for words, message in (
        (("--mu", "human:zero_shot=much"), "is not a number"),
        (("--mu", "human:capo=0.8"), "never compared"),
        (("--out", tmp_path / "x.pdf"), "unknown ending"),
    ):
        done = run("analyse", drafted, "--answers", answers, *words, ok=False)
        assert message in done.output
    assert "0.5" in run("export-pairs", drafted, tmp_path / "p.jsonl", "--confident", "0.2",
                        "--answers", answers, ok=False).output  # fmt: skip
