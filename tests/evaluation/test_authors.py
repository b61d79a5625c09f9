"""Likeliest author: items that no adapter saw, calibration on others, the leak, and refusals."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import typer
from helpers.author_attribution import made_attribution, planted_set
from helpers.pages import make
from helpers.tiny_training import sft_config, tiny_base, tiny_dataset
from typer.testing import CliRunner

from capo_core.cli import authors as command
from capo_core.dashboard.stability.authors import chart
from capo_core.data.catalog import Catalog
from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.evaluation.authors import compute, store
from capo_core.evaluation.authors.adapters import adapter_sets
from capo_core.evaluation.authors.calibrations import fit_calibrations
from capo_core.evaluation.authors.result import (
    HELD_OUT,
    LIKELIHOOD,
    TEST,
    TRAIN,
    AuthorAttribution,
    table,
    to_latex,
    to_markdown,
)
from capo_core.evaluation.measures.attribution import View
from capo_core.evaluation.streams import MethodOutputs
from capo_core.formatting import percent, percent_interval
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds import execute
from capo_core.runs.kinds.training import run_training, sft_request
from capo_core.runs.request import RunRequest
from capo_core.task import PARAPHRASE
from capo_core.workspace import Workspace, write_json


def at(result, part, representation=LIKELIHOOD, k=1, source="human", target="all"):
    rows = result.of(part, source, target)
    return rows[(rows["representation"] == representation) & (rows["k"] == k)].iloc[0]


@pytest.fixture(scope="module")
def data():
    return assign_splits(make("mine", items=90), seed=3)


@pytest.fixture(scope="module")
def result(data):
    return made_attribution(data, pool=(1, 2, 4))


def test_the_leak_is_visible_and_is_no_result(data, result):
    """The planted adapters know the texts of their training items."""
    held, leak = at(result, HELD_OUT), at(result, TRAIN)
    assert leak.accuracy > 0.95 and leak.low > held.high
    assert held.n_items == 36 and leak.n_items == 54
    said = {one.topic: one.text for one in result.statements()}
    assert said["leak"].startswith("Leak test, no result: on the 54 items")
    assert f"{percent(leak.accuracy)} {percent_interval(leak.low, leak.high)}" in said["leak"]
    assert "36 items that none of the scoring adapters was trained on" in said["items"]
    assert "18 validation and 18 test" in said["items"] and "the other 54 items" in said["items"]
    assert TRAIN not in set(made_attribution(data, leak_test=False).rows["part"])


def test_all_ways_attribute_the_very_same_texts(result):
    for part in (HELD_OUT, TEST, TRAIN):
        own, words = at(result, part), at(result, part, "words")
        assert (own.n_items, own.n_texts, own.n_groups) == (
            words.n_items, words.n_texts, words.n_groups
        )  # fmt: skip
    assert at(result, TEST).n_items == 18
    apart = result.differences.set_index(["part", "k"]).loc[(HELD_OUT, 1)]
    expected = at(result, HELD_OUT).accuracy - at(result, HELD_OUT, "words").accuracy
    assert apart["value"] == pytest.approx(expected) and apart["low"] <= expected <= apart["high"]


def test_authors_without_a_difference_are_at_chance(data):
    found = at(made_attribution(data, skill=0.0, leak_test=False), HELD_OUT)
    assert found.low < found.chance < found.high


def test_a_text_is_calibrated_on_other_items(data):
    streams = compute._own(data, tuple(data.items["item_id"][:20]))
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(len(stream), 3)) for stream in streams]
    ids = tuple(data.items["item_id"][:20])
    before = fit_calibrations(data, ids, streams, matrices)
    for stream, matrix in zip(streams, matrices, strict=True):
        matrix[stream.item == 7] += np.array([50.0, 0.0, 0.0])  # one item alone
    after = fit_calibrations(data, ids, streams, matrices)
    fold = after.fold[ids[7]]
    for number, (one, other) in enumerate(zip(before.by_fold, after.by_fold, strict=True)):
        assert np.allclose(one.offsets, other.offsets) == (number == fold)


def test_items_of_several_splits_are_each_scored_by_adapters_that_never_saw_them(data):
    other = assign_splits(data, seed=4)
    sets = [planted_set(data), planted_set(other)]
    found = made_attribution(data, sets=sets, leak_test=False)
    held = {
        item for one in (data, other)
        for item, split in zip(one.items["item_id"], one.items["split"], strict=True)
        if split != "train"
    }  # fmt: skip
    assert at(found, HELD_OUT).n_items == len(held) == found.items[HELD_OUT] > 36
    assert "Adapters of 2 splits" in found.notes[0] and TEST not in set(found.rows["part"])


def moved(data, *changes):
    """Return the data with items of the order of `changes` in other parts: (from, to, part)."""
    split = data.items.set_index("item_id")["split"].copy()
    for start, end, part in changes:
        split.iloc[start:end] = part
    return data.with_split(split).named("moved")


def copies(data):
    """Return answers to the test items: the target's own texts, and the next annotator's."""
    test = data.items.loc[data.items["split"] == "test", "item_id"]
    rows = data.annotations[data.annotations["item_id"].isin(test)]
    turned = {"ann": "bob", "bob": "cyd", "cyd": "ann"}
    return [
        MethodOutputs(
            source, "", rows.assign(target_annotator_id=rows["annotator_id"].map(of), sample="0"),
            "table",
        )
        for source, of in (("copy", {n: n for n in turned}), ("zero_shot", turned))
    ]  # fmt: skip


@pytest.mark.parametrize("few", [0, 1])
def test_a_further_split_that_cannot_be_calibrated_is_left_out_and_said(data, few):
    """It adds no item, or one: the first set alone gives the result."""
    train = np.flatnonzero((data.items["split"] == "train").to_numpy())
    other = moved(data, *((n, n + 1, "test") for n in train[:few]))
    if not few:
        held = np.flatnonzero((data.items["split"] == "test").to_numpy())
        other = moved(data, (held[0], held[0] + 1, "train"))
    alone = made_attribution(data, leak_test=False)
    found = made_attribution(data, sets=[planted_set(data), planted_set(other)], leak_test=False)
    pd.testing.assert_frame_equal(found.rows, alone.rows)
    assert len(found.adapters) == len(found.calibration) == 1
    assert found.items == {**alone.items, "left out": alone.items["left out"] - few}
    note = next(one for one in found.notes if "'moved'" in one)
    assert "annotator 'ann' has explanations on too few of the" in note
    assert ("1 item that only these could score" in " ".join(found.notes)) == bool(few)
    last = moved(data, (0, 90, "train"), (0, 1, "test"))
    with pytest.raises(DataError, match="too few of the 1 item to be scored"):
        made_attribution(last, sets=[planted_set(last), planted_set(data)], leak_test=False)


def test_imitations_are_scored_by_the_first_of_several_sets(data):
    sets = [planted_set(data), planted_set(assign_splits(data, seed=4))]
    outputs = copies(data)
    found = made_attribution(data, sets=sets, outputs=outputs, skill=3.0, leak_test=False)
    alone = made_attribution(data, outputs=outputs, skill=3.0, leak_test=False)
    for source in ("human", "copy", "zero_shot"):
        pd.testing.assert_frame_equal(
            found.of(TEST, source).reset_index(drop=True),
            alone.of(TEST, source).reset_index(drop=True),
        )
    assert at(found, HELD_OUT).n_items > 36 and at(found, TEST, source="copy").n_items == 18
    assert "are scored by the adapters of the dataset's own split" in found.notes[0]


def test_answers_are_refused_where_the_adapters_may_have_seen_their_items(data):
    other = assign_splits(data, seed=4).named("other")
    with pytest.raises(ConfigError, match=r"another split.*'other'.*leave the answers out"):
        made_attribution(data, sets=[planted_set(other)], outputs=copies(data), leak_test=False)
    assert made_attribution(data, sets=[planted_set(other)], leak_test=False).items[HELD_OUT]


def test_imitations_stand_on_the_same_scale(data):
    outputs = copies(data)
    found = made_attribution(data, outputs=outputs, skill=3.0, leak_test=False)
    copy, wrong = at(found, TEST, source="copy"), at(found, TEST, source="zero_shot")
    assert copy.accuracy == copy.human == at(found, TEST).accuracy > 0.95
    assert wrong.accuracy < 0.05 and wrong.human == copy.human
    assert any("Texts by Zero-shot are" in one.text for one in found.statements())


def test_it_comes_back_from_its_file_and_in_every_format(result, data, tmp_path):
    workspace = Workspace(tmp_path)
    assert store.load(workspace, data) is None
    path = store.save(result, workspace)
    back = store.load(workspace, data)
    assert back.to_dict() == result.to_dict() == AuthorAttribution.from_dict(
        json.loads(json.dumps(result.to_dict()))
    ).to_dict()  # fmt: skip
    assert store.load(workspace, assign_splits(data, seed=9)) is None
    names, rows = table(result)
    assert names[2:] == ["k = 1", "k = 2", "k = 4"] and len(rows) == 6
    text = to_markdown(result, result.provenance)
    assert all(cell in text for row in rows for cell in row) and "no result" in text
    assert "Likelihood under own adapters" in to_latex(result, result.provenance)
    assert len(chart(result.of(HELD_OUT)).data) == 2
    path.write_text("{")
    with pytest.raises(DataError, match="authors mine --again"):
        store.load(workspace, data)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """SFT adapters of three annotators on a tiny base, one run a person."""
    folder = tmp_path_factory.mktemp("likeliest")
    dataset = tiny_dataset(train=14, validation=6, test=6)
    workspace = Workspace(folder / "ws")
    Catalog(workspace).add(dataset)
    base = tiny_base(folder / "base")
    runs = [
        run_training(sft_request(dataset, who, sft_config(epochs=5), base), workspace,
                     dataset=dataset)
        for who in dataset.annotators
    ]  # fmt: skip
    return dataset, workspace, runs


def test_by_command_and_as_a_run(world, monkeypatch):
    dataset, workspace, runs = world
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    monkeypatch.setattr(compute, "VIEWS", (View("words", "none"),))
    app = typer.Typer()
    command.mount(app)
    done = CliRunner().invoke(app, ["tiny", "--json", "--pool", "1", "--leak-test"])
    assert done.exit_code == 0, done.output
    said = AuthorAttribution.from_dict(json.loads(done.stdout))
    assert at(said, HELD_OUT).accuracy > 0.8 and at(said, HELD_OUT).n_items == 12
    assert at(said, TRAIN).n_items == 14
    assert set(said.adapters[0]["runs"].values()) == {run.run_id for run in runs}
    monkeypatch.setattr("capo_core.evaluation.authors.run.compute_authors", None)
    shown = CliRunner().invoke(app, ["tiny"])  # the saved one
    assert shown.exit_code == 0 and "Leak test, no result" in shown.output
    monkeypatch.undo()
    monkeypatch.setattr(compute, "VIEWS", (View("words", "none"),))
    settings = {"dataset": "tiny", "fingerprint": dataset.fingerprint, "runs": [], "answers": [],
                "config": {"pool": [1]}}  # fmt: skip
    folder = RunFolder(workspace.runs / "authors-1")
    message = execute(RunRequest("authors", settings), workspace, folder, lambda *_: None)
    assert "12 items that no adapter was trained on" in message
    again = store.load(workspace, dataset)
    assert at(again, HELD_OUT).accuracy == at(said, HELD_OUT).accuracy


def test_paraphrase_judgments_by_one_command_with_the_leak_test(tmp_path, monkeypatch):
    plain = tiny_dataset(train=14, validation=6, test=6)
    ratings = dict(zip(plain.task.scale.labels, ("-5", "0", "4"), strict=True))
    labels = plain.annotations["label"].map(ratings)
    dataset = replace(
        plain, name="ratings", task=PARAPHRASE, annotations=plain.annotations.assign(label=labels)
    )
    workspace = Workspace(tmp_path / "ws")
    Catalog(workspace).add(dataset)
    base = tiny_base(tmp_path / "base")
    for who in dataset.annotators:
        asked = sft_request(dataset, who, sft_config(epochs=5), base)
        run_training(asked, workspace, dataset=dataset)
    monkeypatch.setenv("CAPO_WORKSPACE", str(workspace.root))
    monkeypatch.setattr(compute, "VIEWS", (View("words", "none"),))
    app = typer.Typer()
    command.mount(app)
    done = CliRunner().invoke(app, ["ratings", "--json", "--pool", "1", "2", "4", "--leak-test"])
    assert done.exit_code == 0, done.output
    said = AuthorAttribution.from_dict(json.loads(done.stdout))
    assert at(said, HELD_OUT).accuracy > 0.8 and at(said, TRAIN).n_items == 14
    assert any(one.text.startswith("Leak test, no result") for one in said.statements())


def test_an_annotator_without_a_run_is_named(world, tmp_path):
    dataset, workspace, runs = world
    copy = Workspace(tmp_path)
    shutil.copytree(workspace.root, copy.root, dirs_exist_ok=True)
    gone = copy.runs / runs[1].run_id
    shutil.move(gone, tmp_path / "elsewhere")
    with pytest.raises(
        ConfigError, match=r"no finished SFT run for annotator 'B'.*--annotator all"
    ):
        adapter_sets(copy, dataset)
    shutil.move(tmp_path / "elsewhere", gone)
    config = RunFolder(gone).config
    write_json(gone / "config.json", {**config, "settings": {**config["settings"], "seed": 5}})
    with pytest.raises(ConfigError, match="differ in base model, settings or seed"):
        adapter_sets(copy, dataset)
    write_json(gone / "config.json", {**config, "dataset": {**config["dataset"], "split": "x"}})
    with pytest.raises(RunError, match="a split that no dataset of the workspace has"):
        adapter_sets(copy, dataset, [run.run_id for run in runs])
    few = replace(dataset, items=dataset.items.assign(split="train"))
    write_json(gone / "config.json", config)
    with pytest.raises(ConfigError, match="no finished SFT run for annotator 'A' and 2 more"):
        adapter_sets(copy, few)
