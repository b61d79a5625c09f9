"""Imitated crowd: a team that knows items, one that knows none, home and away, and refusals."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import typer
from helpers.pages import make
from helpers.tiny_training import sft_config, tiny_base, tiny_dataset
from helpers.transfers import LABELS, judged, made_transfer, seen
from typer.testing import CliRunner

from capo_core.cli import distributions as command
from capo_core.cli.transfer import show
from capo_core.dashboard.distributions.transfer import chart
from capo_core.data.catalog import Catalog
from capo_core.distributions import transfer_store
from capo_core.distributions.transfer import (
    AWAY,
    BLIND,
    HOME,
    PARTS_MEAN,
    TEAM,
    TRAINING,
    Transfer,
    measure_transfer,
    table,
    to_markdown,
    training_distribution,
)
from capo_core.errors import DataError
from capo_core.provenance import BOTH, PEOPLE, SIMULATED, UNKNOWN
from capo_core.runs.kinds.training import run_training, sft_request
from capo_core.workspace import Workspace


def test_what_knows_items_transfers_and_what_knows_none_does_not():
    both = made_transfer(make("mine"))
    assert both.statements()[0].startswith("It transfers")
    assert both.row(AWAY, TEAM).value < both.row(AWAY, PARTS_MEAN).value
    assert both.difference(AWAY, BLIND).verdict == "nearer"
    lost = made_transfer(make("mine"), away=0.0)
    assert lost.statements()[0].startswith("Nothing is shown to transfer")
    assert "at home it is nearer than all of these" in lost.statements()[0]
    change = lost.changes[lost.changes["against"].eq(BLIND) & lost.changes["measure"].eq("JSD")]
    assert change["low"].iloc[0] > 0  # the team loses when it leaves
    still = both.changes[both.changes["against"].eq(BLIND) & both.changes["measure"].eq("JSD")]
    assert still["low"].iloc[0] < 0 < still["high"].iloc[0]
    nowhere = made_transfer(make("mine"), 0.0, 0.0).statements()[0]
    assert "either" in nowhere and "Nothing is shown to transfer" in nowhere


def test_the_differences_are_those_of_the_table_and_it_comes_back(tmp_path):
    found = made_transfer(make("mine"), 0.5, 0.4)
    for place in (HOME, AWAY):
        for against in (BLIND, TRAINING, PARTS_MEAN):
            apart = found.difference(place, against)
            expected = found.row(place, TEAM).value - found.row(place, against).value
            assert apart.value == pytest.approx(expected)
            assert apart.low <= expected <= apart.high
    back = Transfer.from_dict(json.loads(json.dumps(found.to_dict())))
    assert back.statements() == found.statements() and table(back) == table(found)
    workspace = Workspace(tmp_path)
    transfer_store.save(found, workspace)
    path = transfer_store.save(found, workspace)
    (path.parent / "torn.json").write_text("{")
    assert [one.away for one in transfer_store.saved(workspace, found.fingerprint)] == ["away"]
    text = to_markdown(found, found.provenance)
    assert all(cell in text for row in table(found)[1] for cell in row)
    assert len(chart(found, "JSD").data) == 2


@pytest.mark.parametrize(
    ("home", "away", "data", "mark"),
    [
        (PEOPLE, SIMULATED, BOTH, "partly simulated data"),
        (SIMULATED, PEOPLE, BOTH, "partly simulated data"),
        (SIMULATED, SIMULATED, SIMULATED, "simulated data"),
        (PEOPLE, PEOPLE, PEOPLE, ""), (PEOPLE, UNKNOWN, PEOPLE, ""),
        (SIMULATED, UNKNOWN, SIMULATED, "simulated data"),
    ],
)  # fmt: skip
def test_what_is_simulated_at_either_place_is_said_everywhere(home, away, data, mark, capsys):
    dataset = replace(make("mine"), simulated=home == SIMULATED)
    found = made_transfer(dataset, away_data=away, seeds=(3, 5))
    source = found.provenance
    assert (source.data, source.mark, source.seeds) == (data, mark, (0, 3, 5))
    details = dict(source.details)
    assert (details["data at home"], details["other data"]) == (home, f"away ({away})")
    back = Transfer.from_dict(json.loads(json.dumps(found.to_dict())))
    assert back.provenance == source
    show(found)
    for text in (to_markdown(found, source), capsys.readouterr().out):
        plain = " ".join(text.split())
        for sentence in found.statements():
            assert source.marked(sentence) in plain
        assert source.titled("Imitated crowd: mine to away") in plain


def test_a_result_of_an_earlier_version_is_read(tmp_path):
    raw = made_transfer(replace(make("mine"), simulated=True)).to_dict()
    for name in ("home_data", "away_data", "seeds"):
        del raw[name]
    found = Transfer.from_dict(raw)
    assert (found.home_data, found.away_data, found.seeds) == (SIMULATED, UNKNOWN, (0,))


def test_items_that_are_at_home_as_well_do_not_count_away():
    rng = np.random.default_rng(0)
    home, other = judged("home", 30, rng), judged("away", 30, rng)
    texts = other.items["text_a"].where(other.items.index >= 10, home.items["text_a"])
    other = replace(other, items=other.items.assign(text_a=texts))
    estimates = {who: (seen(home, rng, 0.5, who), seen(other, rng, 0.5, who)) for who in ("A", "B")}
    found = measure_transfer(
        home, other, estimates, np.full(3, 1 / 3), make("mine"), model="m",
        members={"A": "a", "B": "b"},
    )  # fmt: skip
    assert found.left_out == 10 and found.row(AWAY, TEAM).n == 20
    assert "10 items of away that home has as well" in found.notes[0]
    with pytest.raises(DataError, match="a team has two imitated annotators or more"):
        measure_transfer(home, other, {"A": estimates["A"]}, np.full(3, 1 / 3), make("mine"),
                         model="m", members={"A": "a"})  # fmt: skip
    bare = replace(other, sources=other.sources[1:])
    with pytest.raises(DataError, match="no crowd to compare with"):
        measure_transfer(home, bare, estimates, np.full(3, 1 / 3), make("mine"), model="m",
                         members={"A": "a", "B": "b"})  # fmt: skip


def test_the_command_estimates_both_and_keeps_what_is_there(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "ws")
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    dataset = tiny_dataset(train=12, validation=4, test=4)
    counts = pd.DataFrame(
        [(item, label, 3 + (n + m) % 3) for n, item in enumerate(dataset.items["item_id"])
         for m, label in enumerate(LABELS)], columns=["item_id", "label", "count"],
    )  # fmt: skip
    dataset = replace(dataset, crowd=counts)
    Catalog(workspace).add(dataset)
    rows = [
        {"premise": f"A horse runs at {n}.", "hypothesis": "A horse is there.",
         "label": [0.2, 0.5, 0.3]} for n in range(5)
    ]  # fmt: skip
    rows.append({"premise": dataset.items["text_a"].iloc[-1], "label": [0.4, 0.4, 0.2],
                 "hypothesis": dataset.items["text_b"].iloc[-1]})  # fmt: skip
    other = tmp_path / "other.json"
    other.write_text("\n".join(map(json.dumps, rows)))
    base = tiny_base(tmp_path / "base")
    names = [
        run_training(sft_request(dataset, who, sft_config(epochs=1, seed=4), base), workspace,
                     dataset=dataset).run_id
        for who in ("A", "B")
    ]  # fmt: skip
    app = typer.Typer()
    command.mount(app)
    asked = ["distributions", "transfer", "--adapter", *names, "--file", str(other)]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    found = Transfer.from_dict(json.loads(done.stdout))
    assert found.row(HOME, TEAM).n == 8 and found.row(AWAY, TEAM).n == 5 and found.left_out == 1
    assert found.members == dict(zip("AB", names, strict=True)) and found.seeds == (0, 4)
    before = training_distribution(dataset, ["A", "B"])
    assert before.sum() == pytest.approx(1)
    runs = sorted(path.name for path in workspace.runs.iterdir())
    shown = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "t.md")])
    assert shown.exit_code == 0 and "imitated team" in shown.output
    assert sorted(path.name for path in workspace.runs.iterdir()) == runs  # nothing anew
    twice = CliRunner().invoke(app, [*asked[:3], names[0], names[0] + "x", *asked[5:]])
    assert twice.exit_code == 2
