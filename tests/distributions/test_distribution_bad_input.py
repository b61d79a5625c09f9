"""What cannot be used, on the command line: what is wrong, where, what was expected, what to do."""

import json
import math

import pytest
from helpers.chat_server import serving
from helpers.distribution_sources import row, write_lines
from helpers.option_scorers import GOOD, as_text, listed
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.imitation.backends import openai

CROWD = [0.5, 0.3, 0.2]


@pytest.fixture
def chat(monkeypatch, tmp_path):
    """A server that the command line is pointed at, and a workspace of its own."""
    monkeypatch.setattr(openai, "FIRST_WAIT_S", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        monkeypatch.setenv("CAPO_SERVER_URL", server.url)
        monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
        yield server


def run(*args):
    """The command `distributions …`: its result, without line breaks of the terminal's width."""
    found = CliRunner().invoke(app, ["distributions", *map(str, args)])
    return found, " ".join((found.stderr or "").split()), " ".join(found.stdout.split())


def refused(rows, tmp_path, *args):
    """The message of `compare` on a file of these rows."""
    path = write_lines(tmp_path / "f.json", rows)
    found, said, _ = run("compare", "--file", path, "--draws", 100, *args)
    assert found.exit_code == 2, found.output
    assert "Traceback" not in found.output and said.startswith("error: ")
    return said


def full(said):
    """Does a message say all: where, what, what was expected, and what to do?"""
    return "Expected: " in said and "What to do: " in said


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([0.5, 0.2, 0.1], "sums to 0.8, not to 1"),
        ([1.5, -0.5, 0.0], "numbers of 0 or more"),
        ([math.nan, 0.5, 0.5], "numbers of 0 or more"),
        ([0.5, None, 0.5], "3 numbers"),
        ([0.5, 0.5], "3 numbers"),
        ({"entailment": 1.0}, "3 numbers"),
        ("neutral", "3 numbers"),
    ],
)
@pytest.mark.parametrize("line", [1, 2])
def test_a_distribution_that_is_none_wherever_it_stands(tmp_path, value, words, line):
    good = row(3 - line, chaos=CROWD, own=[1, 0, 0])
    bad = row(line, chaos=value, own=[1, 0, 0])
    said = refused([bad, good] if line == 1 else [good, bad], tmp_path)
    assert words in said and full(said)
    assert f"f.json, line {line}, field 'chaos'" in said


@pytest.mark.parametrize("line", [1, 2])
@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("own label", "e", "maybe"),
        ("mnli", ["n", [0, 4, 1]], ["maybe", [0, 4, 1]]),
        ("comments", [["Why.", "n"]], [["Why.", "maybe"]]),
    ],
)
def test_an_unknown_label_wherever_it_stands(tmp_path, field, good, bad, line):
    values = [bad, good] if line == 1 else [good, bad]
    said = refused([row(k, chaos=CROWD, **{field: v}) for k, v in enumerate(values)], tmp_path)
    assert "unknown label 'maybe'" in said and full(said)
    assert f"f.json, line {line}, field '{field}'" in said


def test_a_field_nobody_can_read_is_named_not_passed_over(tmp_path):
    path = write_lines(tmp_path / "f.json", [row(1, chaos=CROWD, own={"e": 1}, remark="so")])
    _, _, out = run("compare", "--file", path, "--draws", 100)
    assert "The field 'own' is left out" in out and "line 1" in out and "remark" not in out
    # Where it may have been the crowd itself, the message that there is none says so.
    said = refused([row(1, chaos=["0.5", "0.3", "0.2"], own=[1, 0, 0])], tmp_path)
    assert "no source 'crowd'" in said and "the field 'chaos' is left out" in said and full(said)


def test_items_of_one_source_only_are_counted_and_reported(tmp_path):
    first = write_lines(
        tmp_path / "a.json",
        [row(1, chaos=CROWD, own=[1, 0, 0]), row(2, chaos=CROWD, own=None),
         row(3, chaos=CROWD, own=[1, 1, 0])],
    )  # fmt: skip
    other = write_lines(tmp_path / "b.json", [row(2, model=CROWD), row(8, model=CROWD),
                                              row(9, model=CROWD)])  # fmt: skip
    files = ("compare", "--file", first, other, "--draws", 100)
    _, _, out = run(*files)
    assert "Items of the crowd that a source lacks are excluded: “own” 1, “model” 2." in out
    assert "2 of 3 items of b not in a; left out" in out
    found = json.loads(run(*files, "--json")[2])
    counted = {row["source"]: (row["both"], row["only_against"]) for row in found["coverage"]}
    assert counted == {"own": (2, 1), "model": (1, 2), "uniform": (3, 0)}
    assert {row["n"] for row in found["sources"] if row["source"] == "model"} == {1}


def test_files_without_a_common_item_or_with_other_labels(tmp_path):
    first = write_lines(tmp_path / "a.json", [row(1, chaos=CROWD)])
    other = write_lines(tmp_path / "b.json", [row(2, model=CROWD)])
    found, said, _ = run("compare", "--file", first, other)
    assert found.exit_code == 2 and "no item in common" in said


def estimate(tmp_path, *args):
    path = write_lines(tmp_path / "f.json", [row(k, chaos=CROWD) for k in range(3)])
    return run("estimate", "--file", path, "--orders", "one", *args)


def test_a_server_without_log_probabilities_leads_to_sampling(chat, tmp_path):
    chat.script = lambda number, body: (200, {}, GOOD)
    found, said, _ = estimate(tmp_path, "--server", "m", "--by", "logprobs")
    assert found.exit_code == 2 and "log-probabilities" in said
    assert "What to do: " in said and "--by sampling" in said
    # Nothing is taken for an answer: sampling gives one.
    found, _, out = estimate(tmp_path, "--server", "m", "--by", "sampling", "--samples", "2")
    assert found.exit_code == 0 and "3 items, 3 questions" in out


def test_nan_from_a_server_is_told_by_number_and_by_reason(chat, tmp_path):
    def answer(number, body):
        bad = "Premise 1" in body["messages"][0]["content"]
        return 200, {}, as_text(listed({"A": math.nan if bad else -1.0, "B": -1.0, "C": -1.0}))

    chat.script = answer
    found, _, out = estimate(tmp_path, "--server", "m", "--by", "logprobs")
    assert found.exit_code == 0, found.output
    assert "2 items, 3 questions" in out
    assert "left out: 1 item (a score is not a number)" in out


def test_nothing_but_nan_is_no_estimate(chat, tmp_path):
    chat.script = lambda number, body: (
        200, {}, as_text(listed({"A": math.nan, "B": -1.0, "C": -1.0})),
    )  # fmt: skip
    found, said, _ = estimate(tmp_path, "--server", "m", "--by", "logprobs")
    assert found.exit_code == 2
    assert "gave no usable scores for any item (3 × a score is not a number)" in said
    assert "What to do: " in said


def test_training_refuses_what_it_cannot_learn_from(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    path = write_lines(tmp_path / "f.json", [row(1, chaos=CROWD)])
    other = write_lines(tmp_path / "d.json", [row(2, chaos=CROWD)])
    for args, words in (
        (("--development", other, "--source", "models"), "no source 'models'"),
        (("--development", path), "no item has a distribution"),
        ((), "no development set"),
        (("--development", other, "--reading", "aloud"), "'aloud'"),
    ):
        found, said, _ = run("train", "--file", path, *args)
        assert found.exit_code == 2 and words in said, (args, found.output)
