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
from capo_core.cli.transfer import show, write
from capo_core.dashboard.distributions.transfer import chart
from capo_core.data.catalog import Catalog
from capo_core.distributions import transfer_store
from capo_core.distributions.files import read_judgments
from capo_core.distributions.transfer import (
    check_transfer,
    measure_transfer,
    training_distribution,
)
from capo_core.distributions.transfer_report import (
    AWAY,
    BLIND,
    HOME,
    PARTS_MEAN,
    TEAM,
    TRAINING,
    Transfer,
    item_table,
    table,
    to_markdown,
)
from capo_core.errors import DataError
from capo_core.provenance import BOTH, PEOPLE, SIMULATED, UNKNOWN
from capo_core.runs.kinds.training import run_training, sft_request
from capo_core.task import LabelScale, Task
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
    for name in ("home_data", "away_data", "seeds", "settings", "away_fingerprint", "said"):
        del raw[name]
    found = Transfer.from_dict(raw)
    assert (found.home_data, found.away_data, found.seeds) == (SIMULATED, UNKNOWN, (0,))
    assert (found.settings, found.said) == ({}, {}) and found.provenance.details


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


def test_what_cannot_be_measured_is_refused_with_the_place_that_lacks_it():
    rng = np.random.default_rng(0)
    home, other = judged("home", 6, rng), judged("away", 6, rng)
    check_transfer(home, other, ["A", "B"])
    check_transfer(home, without_crowd(other), ["A", "B"])  # a statement, not a measurement
    with pytest.raises(DataError, match="a team has two imitated annotators or more"):
        check_transfer(home, other, ["A"])
    with pytest.raises(DataError, match=r"own dataset home has no crowd.*data fetch varierr"):
        check_transfer(without_crowd(home), other, ["A", "B"])
    with pytest.raises(DataError, match="the labels of away are not those of home"):
        check_transfer(home, replace(other, task=Task("x", LabelScale(("a", "b"))), sources=()),
                       ["A", "B"])  # fmt: skip
    same = replace(other, items=other.items.assign(text_a=home.items["text_a"]))
    for data, what in ((same, "0 items with a crowd"), (without_crowd(same), "0 items that")):
        with pytest.raises(DataError, match=f"the other data away have {what}"):
            check_transfer(home, data, ["A", "B"])


def without_crowd(judgments):
    return replace(judgments, sources=judgments.sources[1:])


def test_without_a_crowd_the_team_is_quoted_and_nothing_is_claimed(tmp_path, capsys):
    both = made_transfer(make("mine"))
    found = made_transfer(make("mine"), crowd=False)
    assert found.measured == (HOME,) and set(found.rows["place"]) == {HOME}
    assert found.rows.equals(both.rows[both.rows["place"] == HOME])  # the check at home stays
    assert not len(found.changes) and found.items(AWAY) == 80
    first = found.statements()[0]
    assert "80 items of away, not checked here" in first and "is not known" in first
    assert not any("transfer" in text for text in found.statements())
    mean = found.said[AWAY].source(TEAM).shares.mean(axis=0)
    assert f"{LABELS[int(mean.argmax())]} {mean.max():.2f}".replace("0.", ".") in (
        first.replace("0.", ".")
    )
    assert "away: away (n = 80, not checked)" in table(found)[0]
    assert all(row[2] == "–" for row in table(found)[1])
    assert dict(found.provenance.n)["item"] == 160
    back = Transfer.from_dict(json.loads(json.dumps(found.to_dict())))
    assert back.statements() == found.statements()
    pd.testing.assert_frame_equal(item_table(back), item_table(found))
    assert [trace.name for trace in chart(found, "JSD").data] == ["home: mine"]
    show(found)
    assert "not checked" in capsys.readouterr().out
    assert "not checked" in to_markdown(found, found.provenance)


def test_the_table_of_items_has_the_team_its_parts_and_the_crowd(tmp_path):
    for crowd in (True, False):
        found = made_transfer(make("mine"), crowd=crowd)
        rows = item_table(found)
        parts = [f"imitated {who}" for who in "ABC"]
        assert list(rows) == [
            "place", "item_id", "text_a", "text_b", "label", TEAM, *parts, "crowd",
        ]  # fmt: skip
        assert len(rows) == 2 * 80 * len(LABELS)
        assert rows[TEAM].to_numpy() == pytest.approx(rows[parts].mean(axis=1).to_numpy())
        sums = rows.groupby(["place", "item_id"])[[TEAM, *parts]].sum()
        assert np.allclose(sums, 1)
        assert rows.loc[rows["place"] == AWAY, "crowd"].notna().all() == crowd
        row = rows.iloc[4]  # of the second item, the second label
        assert (row["item_id"], row["label"]) == ("home1", LABELS[1])
        assert row[TEAM] == found.said[HOME].source(TEAM).shares[1, 1]
        out = tmp_path / f"{crowd}.csv"
        write(found, out)
        saved = pd.read_csv(out.with_name(f"{crowd}-items.csv"), comment="#")
        assert len(saved) == len(rows) and saved[TEAM].to_numpy() == pytest.approx(rows[TEAM])
    former = Transfer.from_dict({**found.to_dict(), "said": {}})
    assert item_table(former).empty


def test_results_of_other_settings_stand_beside_each_other(tmp_path):
    workspace, dataset = Workspace(tmp_path), make("mine")
    asked = {"label_prior": "annotator", "home_items": 0, "items": 0}
    former = made_transfer(dataset)  # of an earlier version, which did not say
    assert not dict(former.provenance.details).get("label prior")
    paths = {transfer_store.save(former, workspace)}
    for change in ({}, {"label_prior": "none"}, {"items": 60}, {"home_items": 60}):
        found = made_transfer(dataset, settings={**asked, **change})
        paths.add(transfer_store.save(found, workspace))
        assert transfer_store.save(found, workspace) in paths  # the same again: in its place
        details = dict(found.provenance.details)
        assert details["label prior"] == found.settings["label_prior"]
        assert ("the first 60" in details["items asked"]) == bool({"items", "home_items"} &
                                                                     set(change))  # fmt: skip
        prior = "without a label prior" if "label_prior" in change else "corrected by the label"
        assert prior in found.statements()[-1]
        back = Transfer.from_dict(json.loads(json.dumps(found.to_dict())))
        assert (back.settings, back.away_fingerprint, back.provenance) == (
            found.settings, found.away_fingerprint, found.provenance,
        )  # fmt: skip
    paths.add(transfer_store.save(replace(found, away_fingerprint="other"), workspace))
    assert len(paths) == 6 and len(transfer_store.saved(workspace, dataset.fingerprint)) == 6
    assert former.statements() == [*made_transfer(dataset, settings=asked).statements()[:-1]]


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
    assert (tmp_path / "t-items.csv").is_file() and "t-items.csv" in shown.output
    twice = CliRunner().invoke(app, [*asked[:3], names[0], names[0] + "x", *asked[5:]])
    assert twice.exit_code == 2
    # Another prior is another result.
    saved = transfer_store.saved(workspace, dataset.fingerprint)
    assert [one.settings["label_prior"] for one in saved] == ["annotator"]
    assert CliRunner().invoke(app, [*asked, "--label-prior", "none"]).exit_code == 0
    assert len(transfer_store.saved(workspace, dataset.fingerprint)) == 2

    # Items that nobody judged: a statement, in the words of the adapters' own task.
    plain = tmp_path / "plain.csv"
    plain.write_text("premise,hypothesis\nA dog ran.,A dog is there.\nA cat ran.,A cat is there.\n")
    asked[-1] = str(plain)
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    quoted = Transfer.from_dict(json.loads(done.stdout))
    assert quoted.measured == (HOME,) and quoted.row(HOME, TEAM).n == 8
    assert "2 items of plain, not checked here" in quoted.statements()[0]
    assert quoted.said[AWAY].task == dataset.task
    with pytest.raises(DataError, match="no columns with shares"):
        read_judgments(plain)

    # What is refused is refused before the first estimate.
    monkeypatch.setattr("capo_core.cli.transfer.do_run", lambda *a, **k: pytest.fail("estimated"))

    def refused(adapters, *more):
        done = CliRunner().invoke(app, ["distributions", "transfer", "--adapter", *adapters, *more])
        assert done.exit_code == 2
        return " ".join(done.output.split())

    file = ("--file", str(other))
    assert "two imitated annotators or more" in refused(names[:1], *file)
    assert "one item is too few" in refused(names, *file, "--items", "1")
    assert "label_prior" in refused(names, *file, "--label-prior", "x")
    twin = tmp_path / "twin.json"
    twin.write_text(json.dumps(rows[-1]))
    assert "0 items with a crowd that tiny does not have as well" in (
        refused(names, "--file", str(twin))
    )
    small = tiny_base(tmp_path / "small", seed=1)
    shared = run_training(sft_request(dataset, "all", sft_config(epochs=1, shared=True), base),
                          workspace, dataset=dataset).run_id  # fmt: skip
    said = refused([names[0], shared], *file)
    assert f"the adapter of {shared} serves all annotators" in said and "--annotator N" in said
    assert "Option: --annotator" not in said
    third = run_training(sft_request(dataset, "C", sft_config(epochs=1), small), workspace,
                         dataset=dataset).run_id  # fmt: skip
    assert "the adapters are on different bases: base, small" in refused([names[0], third], *file)
    bare = replace(dataset, crowd=None)
    Catalog(workspace).remove(dataset.name)
    Catalog(workspace).add(bare)
    assert "the adapters' own dataset tiny has no crowd" in refused(names, *file)
