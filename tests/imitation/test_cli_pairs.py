"""The pairs commands, as a person or a script calls them."""

import json
from dataclasses import replace

import pytest
import typer
from helpers.responses import crowd_of
from typer.testing import CliRunner

from capo_core.cli import train
from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.chdir(tmp_path)
    names = [f"who{k}" for k in range(20)]
    made = crowd_of(14, annotators=names, parts={"i0": "validation", "i1": "test"}, name="votes")
    catalog = Catalog(Workspace.default())
    catalog.add(made)
    whole = crowd_of(12, parts={f"i{k}": "" for k in range(12)}, name="whole")
    catalog.add(replace(whole, name="whole"))
    app = typer.Typer()
    train.mount_pairs(app)

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, ["pairs", *map(str, arguments)])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout) if "--json" in arguments else result

    return call


WHO = ("--dataset", "votes", "--annotator", "who3")


def test_show_as_json_is_the_whole_audit(run):
    told = run("show", *WHO, "--json")
    # 12 training items, 19 others each.
    assert told["pairs"] == len(told["audit"]) == 12 * 19
    assert told["held_out"] is True
    assert {row["chosen_annotator_id"] for row in told["audit"]} == {"who3"}
    assert told["similarity"]["n"] == 12 * 19
    assert told["config"]["near_duplicate"] == 0.9


def test_show_for_people(run):
    said = run("show", *WHO, "--examples", "2").stdout
    assert "228 pairs for annotator who3 of votes (train): 12 responses to 12 items" in said
    assert "None of their items or texts is in the validation or test part" in said
    assert "and 7 more" in " ".join(said.split())  # of the 19 who wrote the rejected ones
    assert "Same label: 100\u00a0%" in said
    assert said.count("chosen   who3") == 2
    assert run("show", *WHO, "--examples", "0").stdout.count("chosen   who3") == 0


def test_settings_reach_the_pairs(run):
    told = run(
        "show", *WHO, "--json", "--max-rejected", "2", "--weights", "specific", "--seed", "5",
        "--same-label", "only", "--near-duplicate", "0.8",
    )  # fmt: skip
    assert told["config"] == {
        "near_duplicate": 0.8, "same_label": "only", "weights": "specific", "max_rejected": 2,
        "seed": 5,
    }  # fmt: skip
    assert told["pairs"] == 24 and told["dropped_pairs"]["beyond max_rejected"] == 12 * 17
    validation = run("show", *WHO, "--json", "--split", "validation")
    assert (validation["pairs"], validation["held_out"]) == (19, False)


def test_exported_pairs_have_prompt_answers_and_provenance(run, tmp_path):
    told = run("export", *WHO, "--out", "pairs.jsonl", "--json")
    assert told["pairs"] == 228
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) == 228
    assert set(rows[0]) == {
        "prompt", "chosen", "rejected", "item_id", "target_annotator", "rejected_annotator",
        "same_label", "weight", "provenance",
    }  # fmt: skip
    assert "228 pairs in pairs.jsonl" in run("export", *WHO, "--out", "pairs.jsonl").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "votes", "--annotator", "nobody"), "no annotator 'nobody'"),
        (("--dataset", "nothing", "--annotator", "who3"), "nothing"),
        (("--dataset", "whole", "--annotator", "A"), "split the items"),
        ((*WHO, "--same-label", "perhaps"), "one of keep, first, drop, only"),
        ((*WHO, "--same-label", "drop"), "228 same label"),
        ((*WHO, "--max-rejected", "0"), "max_rejected: 0"),
        ((*WHO, "--split", "dev"), "no part 'dev'"),
        ((*WHO, "--examples", "-1"), "0 or more"),
    ],
)
def test_errors_in_words(run, arguments, said):
    result = run("show", *arguments, code=2)
    assert said in result.stderr and "Traceback" not in result.output
    assert result.stdout == ""
