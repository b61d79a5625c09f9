"""The command line around the measures, as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QUICKLY = (
    "--representation", "words", "--reduction", "none", "mask_input", "--pool", "1", "2",
    "--seeds", "1", "--permutations", "20",
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


def run(workspace, *args):
    return subprocess.run(
        [sys.executable, "-m", "capo_core", *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "CAPO_WORKSPACE": str(workspace)},
    )


@pytest.fixture(scope="module")
def table(workspace, tmp_path_factory):
    """A small imported dataset named 'votes'."""
    path = tmp_path_factory.mktemp("in") / "votes.csv"
    lines = ["item_id,annotator_id,label,explanation,premise,hypothesis"]
    for i in range(30):
        for who, text in (("ann", f"maybe {i}"), ("bo", f"it is clear that {i}")):
            lines.append(f"i{i},{who},neutral,{text},premise {i},hypothesis {i}")
    path.write_text("\n".join(lines))
    done = run(workspace, "data", "import", str(path), "--name", "votes", "--json")
    assert done.returncode == 0, done.stderr
    return "votes"


def test_stability_prints_and_writes_the_report(workspace, table, tmp_path):
    out = tmp_path / "report.json"
    done = run(workspace, "stability", table, *QUICKLY, "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    written = json.loads(out.read_text())
    assert written.pop("provenance")["dataset"] == "votes" and report == written
    assert report["dataset"] == "votes"
    assert [row["k"] for row in report["ladder"]] == [1, 2, 1, 2]
    # "maybe" against "it is clear": one explanation is enough. p = 1 / (1 + 20).
    assert report["ladder"][0]["accuracy"] == 1.0
    assert report["ladder"][0]["p_value"] == pytest.approx(1 / 21)
    assert report["config"]["permutations"] == 20


def test_stability_for_people(workspace, table):
    done = run(workspace, "stability", table, *QUICKLY)
    assert done.returncode == 0, done.stderr
    assert "Attribution accuracy from 1 explanation, by word n-grams" in done.stdout
    assert "100\xa0% [86–100]" in done.stdout
    assert "Chance 0.50" in done.stdout


def test_annotators_are_described_in_json_and_in_words(workspace, table):
    done = run(workspace, "annotators", table, "--json")
    assert done.returncode == 0, done.stderr
    cards = json.loads(done.stdout)["annotators"]
    assert [card["annotator_id"] for card in cards] == ["ann", "bo"]
    assert any(cue["name"] == "maybe" for cue in cards[0]["cues"])
    said = run(workspace, "annotators", table)
    assert "Annotator ann" in said.stdout and "maybe" in said.stdout


def test_calibration_finds_more_where_more_is_planted(workspace):
    args = ("calibrate", "--items", "30", "--manner", "0", "2", "--datasets", "1", "--json")
    done = run(workspace, *args)
    assert done.returncode == 0, done.stderr
    found = {
        (row["manner"], row["k"]): row["accuracy"]
        for row in json.loads(done.stdout)["summary"]
        if (row["representation"], row["reduction"]) == ("words", "none")
    }
    assert found[2.0, 1] > found[0.0, 1] + 0.2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("stability", "nobody"), "nobody"),
        (("stability", "demo-nli", "--representation", "syllables"), "syllables"),
        (("stability", "demo-nli", "--pool", "0"), "1,024"),
        (("annotators", "../etc"), "../etc"),
        (("calibrate", "--task", "sudoku"), "sudoku"),
        (("calibrate", "--datasets", "0"), "datasets"),
    ],
)
def test_errors_are_sentences(workspace, args, words):
    done = run(workspace, *args)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
