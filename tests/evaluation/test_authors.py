"""Likeliest author: items that no adapter saw, calibration on others, the leak, and refusals."""

import json
import shutil
from dataclasses import replace

import numpy as np
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
    before = compute._calibrations(data, ids, streams, matrices)
    for stream, matrix in zip(streams, matrices, strict=True):
        matrix[stream.item == 7] += np.array([50.0, 0.0, 0.0])  # one item alone
    after = compute._calibrations(data, ids, streams, matrices)
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


def test_imitations_stand_on_the_same_scale(data):
    test = data.items.loc[data.items["split"] == "test", "item_id"]
    rows = data.annotations[data.annotations["item_id"].isin(test)]
    turned = {"ann": "bob", "bob": "cyd", "cyd": "ann"}
    outputs = [
        MethodOutputs(
            source, "", rows.assign(target_annotator_id=rows["annotator_id"].map(of), sample="0"),
            "table",
        )
        for source, of in (("copy", {n: n for n in turned}), ("zero_shot", turned))
    ]  # fmt: skip
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
