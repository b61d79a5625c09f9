"""Estimates and classifiers behind the page, and a model's explanations in people's place."""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.distribution_sources import judgments, source
from helpers.run_folders import put_run

from capo_core.dashboard.distributions import classifiers, estimates, explanations
from capo_core.dashboard.distributions.data import Reading
from capo_core.dashboard.distributions.estimates import Asked
from capo_core.distributions import store
from capo_core.distributions.estimate import EstimateConfig, planned_questions
from capo_core.distributions.soft_label_data import SoftLabelConfig
from capo_core.errors import RunError
from capo_core.formatting import duration
from capo_core.runs import queue
from capo_core.runs.checks import check
from capo_core.runs.request import RunRequest
from capo_core.runs.status import Status
from capo_core.workspace import Workspace, write_json

SAID = [
    ("i0", "humans", 0, "neutral", "The text says nothing of it."),
    ("i0", "humans", 1, "entailment", "It must be so."),
    ("i1", "humans", 0, "neutral", "Nobody knows."),
    ("i0", "model", 0, "neutral", "There is no mention of it."),
    ("i0", "model", 1, "entailment", "The premise states it."),
]


@pytest.fixture
def made():
    return judgments(source("crowd", [[0.5, 0.5, 0]] * 3), source("a", [[1, 0, 0]] * 3), said=SAID)


@pytest.fixture
def reading(made):
    return Reading(made, made, "mine", ("more",), (("run-1", "a"),), (), "key")


@pytest.fixture
def begun(monkeypatch):
    monkeypatch.setattr(queue, "_start", lambda job, status, parallel: None)


@pytest.mark.parametrize(
    "config",
    [
        EstimateConfig(),
        EstimateConfig(items=2),
        EstimateConfig(explanations="humans"),
        EstimateConfig(explanations="humans", how="parallel"),
        EstimateConfig(explanations="humans", how="parallel", count=1, orders="rotations"),
    ],
    ids=["none", "two items", "serial", "parallel", "one of each"],
)
def test_the_number_of_questions_is_what_will_be_asked(made, config):
    asked, _ = planned_questions(made, config)
    assert estimates.questions(made, config) == len(asked)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(EstimateConfig(explanations="humans", how="parallel", options="labels")),
        Asked(EstimateConfig(transform="norm"), base="", server="large"),
    ],
    ids=["base", "server"],
)
def test_what_the_page_asks_for_is_a_run_that_can_be_done(reading, asked, tmp_path):
    workspace = Workspace(tmp_path)
    settings = estimates.estimate_settings(reading, asked, workspace)
    check(RunRequest("estimate", settings))
    assert store.load(settings["judgments"], workspace).fingerprint == reading.asked.fingerprint


def test_asking_twice_is_one_run(reading, tmp_path, begun):
    workspace, asked = Workspace(tmp_path), Asked(EstimateConfig())
    first = estimates.begin_estimate(reading, asked, workspace)
    assert estimates.begin_estimate(reading, asked, workspace) == first
    assert estimates.of_kind(workspace, "estimate", reading) == [first]


def test_runs_are_found_by_their_data(reading, tmp_path):
    workspace = Workspace(tmp_path)
    put_run(workspace, "waits", "estimate", {"dataset": "hand-made", "config": {}}, state="queued")
    put_run(workspace, "other", "estimate", {"dataset": "else", "config": {}}, order=2)
    works = put_run(workspace, "works", "estimate", {"dataset": "x", "config": {}}, order=3)
    write_json(works.folder / "config.json",
               {"dataset": {"fingerprint": reading.asked.fingerprint}})  # fmt: skip
    found = estimates.of_kind(workspace, "estimate", reading)
    assert [run.run_id for run in found] == ["works", "waits"]


def test_the_command_for_an_estimate_has_what_was_chosen(reading):
    config = EstimateConfig(explanations="my humans", how="parallel", explicit=True, items=5)
    words = shlex.split(estimates.estimate_command(reading, Asked(config)))
    assert words[:5] == ["python", "-m", "capo_core", "distributions", "estimate"]
    for option, value in (("--dataset", "mine"), ("--file", "more.json"), ("--base", "embedded"),
                          ("--explanations", "my humans"), ("--how", "parallel"),
                          ("--items", "5")):  # fmt: skip
        assert words[words.index(option) + 1] == value
    assert "--explicit" in words and "--orders" not in words and words[-1] == "--queue"


def test_a_subset_keeps_what_is_said_of_its_items(made):
    part = classifiers.subset(made, ["i1"], "part")
    assert part.items["item_id"].tolist() == ["i1"] and part.name == "part"
    assert part.source("crowd").item_ids == ("i1",)
    assert part.explanations["explanation"].tolist() == ["Nobody knows."]


def test_a_training_takes_the_datasets_split(reading, tmp_path, begun):
    workspace = Workspace(tmp_path)
    splits = {"i0": "train", "i1": "validation", "i2": "test"}
    run = classifiers.begin_training(reading, splits, ["crowd", "a"], "crowd", workspace)
    settings = run.request.settings
    for name, item in (("development", "i1"), ("test", "i2")):
        assert store.load(settings["sets"][name], workspace).items["item_id"].tolist() == [item]
    assert SoftLabelConfig.from_dict(settings["config"]).sources == ("crowd", "a")
    with pytest.raises(RunError, match="has no test items"):
        classifiers.begin_training(reading, {"i1": "validation"}, ["a"], "crowd", workspace)


def test_the_command_for_a_training_names_the_runs_behind_its_sources(reading):
    words = shlex.split(classifiers.training_command(reading, ["crowd", "a"], "crowd"))
    assert words[words.index("--run") + 1] == "run-1"
    assert "--run" not in shlex.split(classifiers.training_command(reading, ["crowd"], "crowd"))


def test_scores_of_each_seed(made, reading, tmp_path):
    workspace = Workspace(tmp_path)
    sets = {"test": store.save(made, workspace)}
    run = put_run(workspace, "soft", "softlabel", {"dataset": "hand-made", "sets": sets})
    write_json(run.folder / "result.json", {"settings": {"against": "crowd"}})
    for seed, share in ((0, 0.5), (1, 0.25)):
        cell = {"source": "a", "seed": seed, "said": {"test": [[share, 1 - share, 0]] * 3}}
        write_json(run.folder / "cells" / f"{seed}.json", cell)
    rows = classifiers.by_seed(run, workspace)
    by = rows.set_index(["seed", "measure"])["value"]
    assert by[0, "KL"] == pytest.approx(0, abs=1e-8)
    # KL(½, ½ ‖ ¼, ¾) = ½ ln 2 + ½ ln ⅔ = ½ ln 4/3
    assert by[1, "KL"] == pytest.approx(0.5 * np.log(4 / 3), abs=1e-6)
    assert set(rows["n"]) == {3}
    (run.folder / "cells" / "0.json").write_text("{")
    assert classifiers.by_seed(run, workspace).empty


def test_what_is_known_of_an_estimate(made, tmp_path):
    workspace = Workspace(tmp_path)
    raw = {
        "settings": {"explanations": "humans"}, "n": 2, "questions": 12,
        "left_out": {"no answer": 1}, "without_explanations": 1,
        "position_bias": {"one_order": 0.2, "averaged": None,
                          "intervals": {"one_order": [[0.1, 0.3]], "averaged": [[None, None]]}},
    }  # fmt: skip
    for name in ("good", "bad"):
        folder = workspace.runs / name
        write_json(folder / "config.json", {})
        text = json.dumps(raw) if name == "good" else "[]"
        (folder / store.ESTIMATE).write_text(text, encoding="utf-8")
    reading = Reading(made, made, "", (), (("good", "a"), ("bad", "b")), (), "key")
    (row,) = estimates.estimates(reading, workspace).itertuples()
    assert (row.run, row.n, row.questions, row.left_out) == ("good", 2, 12, 2)
    assert row.one_order == "0.20 [0.10, 0.30]" and row.averaged == ""


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("humans", 0.0),
        ("humans, 25% by model", 0.25),
        ("humans, 100% by model", 1.0),
        ("humans, 25% by other", None),
        ("", None),
    ],
)
def test_the_share_replaced_is_read_from_the_name_that_select_gives(name, share):
    assert explanations.share_of(name, "humans", "model") == share


def test_replacing_changes_the_likeness_and_counts_what_it_cannot(made):
    rows = explanations.likeness(made, "humans", "model")
    assert sorted(set(rows["share"])) == [0, 0.25, 0.5, 0.75, 1]
    words = rows[rows["line"] == "words"].set_index("share")
    # At 0 the two texts of people on i0 share "it" and "." of 7 and 5 tokens; the item i1 has none
    # to compare it with.
    assert words.at[0.0, "value"] == pytest.approx(2 * 2 / (7 + 5))
    assert words.at[0.0, "missing"] == 0 and words.at[0.0, "n"] == 1
    # The model has nothing on i1.
    assert words.at[1.0, "missing"] == 1


def test_distances_of_estimates_that_read_replaced_explanations(made):
    runs = pd.DataFrame(
        [("r2", "m: humans, 50% by model", "humans, 50% by model"), ("r1", "m: humans", "humans"),
         ("r3", "m: none", "")],
        columns=["run", "source", "explanations"],
    )  # fmt: skip

    class Found:
        table = pd.DataFrame([("TVD", 0.3, 0.2, 0.4, 3)],
                             columns=["measure", "value", "low", "high", "n"])  # fmt: skip

    rows = explanations.distances(runs, "humans", "model", "TVD", lambda name: Found)
    assert rows["share"].tolist() == [0.0, 0.5] and set(rows["line"]) == {"m"}


def test_a_training_is_announced_by_the_newest_finished_one_alone():
    def run(seconds):
        settings = {"config": {"sources": ["crowd", "a", "b"]}}
        return SimpleNamespace(
            request=SimpleNamespace(settings=settings),
            status=lambda: Status(state="succeeded", started=100.0, ended=100.0 + seconds),
        )

    assert classifiers.last_duration([]) == ""
    said = classifiers.last_duration([run(95), run(600)])
    assert said == f"The last one, on 3 sources, took {duration(95)}."
