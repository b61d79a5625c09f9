"""Label–explanation consistency: known consistent and inconsistent texts, floor, edges."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.comparisons import world
from helpers.evaluation_tables import made_up_vectors

from capo_core.evaluation.compute import compute_report
from capo_core.evaluation.measures.consistency import (
    ArguedLabels,
    label_consistency,
    label_consistency_kappa,
)
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items, human_streams
from capo_core.evaluation.table import TableConfig
from capo_core.task import NLI
from capo_core.text.embeddings import Embedder

REASONS = {
    "entailment": "this follows from what is said",
    "neutral": "nobody mentions it anywhere",
    "contradiction": "both cannot be true together",
}
CONFIG = TableConfig(families=("consistency",))


@pytest.fixture(scope="module")
def arguing():
    """A dataset whose explanations argue for their labels, each in the same words."""
    data = world(items=60, held_out=18)
    rows = data.annotations
    return replace(data, annotations=rows.assign(explanation=rows["label"].map(REASONS)))


def report_of(data, outputs, **settings):
    ids = held_out_items(data)
    return compute_report(data, ids, outputs, replace(CONFIG, **settings),
                          embedder=Embedder(encode=made_up_vectors))  # fmt: skip


def humans(data):
    return [s for s in human_streams(data, held_out_items(data)) if s.source == HUMAN]


def test_explanations_that_argue_for_another_label_are_found(arguing):
    labels = NLI.scale.labels
    after = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    same = [replace(s, source="same", replicate="0") for s in humans(arguing)]
    wrong = [replace(s, source="wrong", labels=tuple(after[x] for x in s.labels)) for s in same]
    report = report_of(arguing, [*same, *wrong])
    found = {s: report.row(s, "label consistency").value for s in (HUMAN, "same", "wrong")}
    assert found == {HUMAN: 1.0, "same": 1.0, "wrong": 0.0}
    kappa = {s: report.row(s, "label consistency kappa").value for s in (HUMAN, "wrong")}
    assert kappa[HUMAN] == pytest.approx(1) and kappa["wrong"] < -0.4


def test_the_floor_is_the_expectation_over_shuffles(arguing):
    """Each annotator gives the three labels equally often: 1/3, where they are read rightly."""
    report = report_of(arguing, [replace(s, source="m", replicate="0") for s in humans(arguing)])
    row = report.row("m", "label consistency")
    assert row.floor == pytest.approx(1 / 3) and row.ceiling == 1.0
    assert report.row("m", "label consistency kappa").floor == pytest.approx(0, abs=1e-9)
    assert OTHER not in set(report.differences["against"])
    other = report.row(OTHER, "label consistency")
    assert np.isnan(other.value) and "shuffled over items" in other.note


def test_shuffled_is_the_mean_of_random_shuffles():
    rng = np.random.default_rng(0)
    given, read = rng.integers(0, 3, 40), rng.integers(0, 2, 40)
    pairs = np.zeros((40, 3, 3))
    pairs[np.arange(40), given, read] = 1
    expected = np.mean([(given == rng.permutation(read)).mean() for _ in range(4000)])
    argued = ArguedLabels(pairs, np.arange(40)).shuffled()
    assert label_consistency(argued, 40).value == pytest.approx(expected, abs=0.01)


def test_missing_labels_and_explanations_count_as_inconsistent(arguing):
    one = humans(arguing)[0]
    half = len(one) // 2
    no_label = replace(one, source="no label", labels=("",) * half + one.labels[half:])
    no_text = replace(one, source="no text", explanations=("  ",) * half + one.explanations[half:])
    report = report_of(arguing, [no_label, no_text])
    for source in ("no label", "no text"):
        row = report.row(source, "label consistency", target=one.target)
        assert row.value == pytest.approx(0.5) and row.n == len(one)
        kappa = report.row(source, "label consistency kappa", target=one.target)
        assert kappa.value == pytest.approx(1) and kappa.n == half


def test_no_explanation_at_all_is_undefined_in_kappa_only(arguing):
    n = len(held_out_items(arguing))
    mute = Stream("mute", "ann", "0", np.arange(n), ("",) * n, ("",) * n)
    report = report_of(arguing, [mute])
    assert report.row("mute", "label consistency").value == 0
    row = report.row("mute", "label consistency kappa")
    assert np.isnan(row.value) and "no response has both" in row.note


def test_one_label_in_training_leaves_it_undefined_in_words(arguing):
    rows = arguing.annotations.assign(label=NLI.scale.labels[0])
    data = replace(arguing, annotations=rows)
    report = report_of(data, [replace(humans(data)[0], source="m", replicate="0")])
    row = report.row("m", "label consistency")
    assert np.isnan(row.value) and "only one label" in row.note


def test_one_label_throughout_is_consistent_at_its_own_rate_but_has_no_kappa():
    pairs = np.zeros((10, 3, 3))
    pairs[:, 0, 0] = 1
    argued = ArguedLabels(pairs, np.arange(10))
    assert label_consistency(argued, 10).value == 1
    assert label_consistency_kappa(argued, NLI.scale, 10) is None
    assert label_consistency(argued.shuffled(), 10).value == 1


def test_a_single_response_has_a_value_and_an_interval():
    pairs = np.zeros((1, 3, 3))
    pairs[0, 1, 1] = 1
    shown = label_consistency(ArguedLabels(pairs, np.array([0])), 1).estimate()
    assert (shown.value, shown.high) == (1, 1) and shown.low < 0.3 and shown.n == 1


def test_it_is_shown_with_its_reference_values():
    about = find_measure("label consistency")
    assert "shuffled" in about.floor.text and about.ceiling.defined and about.headline
    assert find_measure("label consistency kappa").header() == "Label consistency (κ)"
