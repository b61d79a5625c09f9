"""The answers of a comparison: one row an answer, whose label and whose manner."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import run, speaker, the_next, the_target, world

from capo_core.dashboard.compare import answers as compare_answers
from capo_core.errors import CapoError, DataError
from capo_core.evaluation.measures.attribution import NOBODY
from capo_core.workspace import Workspace

HELD_OUT, TARGETS = 12, 3


@pytest.fixture(scope="module")
def dataset():
    return world(held_out=HELD_OUT)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def folders(workspace, dataset):
    """One method writes as the next annotator, with half of the labels right; one as the target,
    twice, but says nothing readable on the last item."""
    last = list(dataset.items["item_id"])[-1]
    own = speaker(dataset, the_target)

    def mostly(target: str, item: str) -> str:
        return "I would rather not say." if item == last else own(target, item)

    other = speaker(dataset, the_next(dataset), right=0.5)
    return [
        run(workspace, dataset, "other", "zero_shot", other).path,
        run(workspace, dataset, "own-0", "icl", mostly, seed=0).path,
        run(workspace, dataset, "own-1", "icl", mostly, seed=1).path,
    ]


@pytest.fixture(scope="module")
def answers(dataset, folders):
    return compare_answers.read(dataset, folders)


def test_every_answer_is_there_once(answers):
    assert answers.sources == ("zero_shot", "icl")
    assert answers.split == "test" and len(answers.items) == HELD_OUT
    assert answers.targets == ("ann", "bob", "cyd") and answers.repetitions == 2
    counts = answers.frame.groupby(["source", "repetition"]).size().to_dict()
    whole = HELD_OUT * TARGETS
    assert counts == {("zero_shot", 1): whole, ("icl", 1): whole, ("icl", 2): whole}


def test_labels_are_held_against_the_targets(answers):
    said = answers.frame.groupby(["source", "right"]).size().to_dict()
    # zero_shot: half of the items. icl: all but one item, in two runs.
    assert said == {
        ("zero_shot", "true"): HELD_OUT // 2 * TARGETS,
        ("zero_shot", "false"): HELD_OUT // 2 * TARGETS,
        ("icl", "true"): 2 * (HELD_OUT - 1) * TARGETS,
        ("icl", "false"): 2 * TARGETS,
    }


def test_manner_is_given_to_who_wrote_it(answers, dataset):
    after = the_next(dataset)
    frame = answers.frame
    other = frame[frame["source"] == "zero_shot"]
    assert list(other["given"]) == [after(target) for target in other["target"]]
    assert (other["margin"] < 0).all()
    own = frame[(frame["source"] == "icl") & (frame["parsed"] == "true")]
    assert (own["given"] == own["target"]).all() and (own["margin"] > 0).all()


def test_what_could_not_be_read_is_given_to_nobody(answers):
    unread = answers.frame[answers.frame["parsed"] == "false"]
    assert len(unread) == 2 * TARGETS
    assert set(unread["given"]) == {NOBODY} and unread["margin"].isna().all()
    assert set(unread["raw_text"]) == {"I would rather not say."} and unread["problem"].all()


def test_the_peoples_own_texts_are_given_too(answers):
    assert len(answers.people) == HELD_OUT * TARGETS
    assert (answers.people["given"] == answers.people["target"]).all()


def test_the_classifier_has_not_seen_the_items_it_is_asked_about(answers, dataset):
    """Each text of the same annotator and item gets the same margin, whoever is its source."""
    human = answers.people.set_index(["item_id", "target"])["margin"]
    copied = answers.frame[(answers.frame["source"] == "icl") & (answers.frame["repetition"] == 1)]
    copied = copied[copied["parsed"] == "true"].set_index(["item_id", "target"])["margin"]
    np.testing.assert_allclose(copied, human[copied.index])


def test_kept_answers_come_back_the_same(dataset, folders, answers, tmp_path):
    keep = tmp_path / "kept.parquet"
    first = compare_answers.kept(dataset, folders, keep)
    assert keep.is_file()
    again = compare_answers.kept(dataset, [], keep)  # nothing is read but the file
    for made in (first, again):
        assert (made.split, made.items, made.sources) == (
            answers.split, answers.items, answers.sources
        )  # fmt: skip
        pd.testing.assert_frame_equal(made.frame, answers.frame, check_dtype=False)
        pd.testing.assert_frame_equal(made.people, answers.people, check_dtype=False)


def test_runs_on_other_data_are_refused(folders):
    with pytest.raises(DataError, match="has changed since this run"):
        compare_answers.read(world(items=60), folders)


def test_a_run_without_its_table_is_named(workspace, dataset):
    folder = run(workspace, dataset, "torn", "icl", speaker(dataset, the_target), seed=9).path
    (folder / "outputs.parquet").write_bytes(b"PAR1")
    with pytest.raises(CapoError, match="torn"):
        compare_answers.read(dataset, [folder])
