"""The score table: which measures, what stands in a cell, and who is clearly the best."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from helpers.comparisons import experiment, speaker, the_next, the_target, world

from capo_core.dashboard.compare import scores
from capo_core.dashboard.compare.plots import _confusion_title
from capo_core.dashboard.compare.scores import Column
from capo_core.data.catalog import Catalog
from capo_core.evaluation import report as reports
from capo_core.evaluation import summary
from capo_core.evaluation.cells import score_text, value_text
from capo_core.evaluation.claims import clearly_nearest
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.summary import titled
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.formatting import Named, Statement
from capo_core.runs.dependencies import SkippedInput, skipped_statement
from capo_core.workspace import Workspace

VIEW = "attribution (words, mask_input)"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """zero_shot is the next annotator with a quarter of the labels right; capo is the target."""
    workspace, dataset = Workspace(tmp_path_factory.mktemp("scores")), world(held_out=12)
    Catalog(workspace).add(dataset)
    answers = {
        "zero_shot": speaker(dataset, the_next(dataset), right=0.25),
        "capo": speaker(dataset, the_target),
    }
    made = experiment(workspace, dataset, answers)
    return reports.load(made.evaluation.folder / "report.json")


def test_families_are_those_of_the_report(report):
    assert list(scores.families(report)) == ["main", "attribution", "labels", "style"]


def test_at_a_glance_has_imitation_at_both_ends(report):
    found = scores.columns(report, "main", VIEW)
    assert found == [
        Column(VIEW, 1), Column(VIEW, 4), Column("label accuracy", 0), Column("style distance", 0)
    ]  # fmt: skip
    assert [column.header(300) for column in found] == [
        "Attributed to target, 1 text", "Attributed to target, 4 texts", "Label accuracy",
        "Style distance",
    ]  # fmt: skip


def test_a_family_has_all_its_measures(report):
    found = scores.columns(report, "attribution", VIEW)
    assert [(column.header(300), column.k) for column in found] == [
        ("Attributed to target, 1 text", 1), ("Attributed to target, 4 texts", 4),
        ("Probability of target, 1 text", 1), ("Probability of target, 4 texts", 4),
    ]  # fmt: skip


def test_the_choice_of_a_classifier_stands_where_scores_are_by_it(report, monkeypatch):
    """Finding 36: "The classifier sees" stayed on tabs where it had no effect."""
    other, asked = "attribution (embedding, none)", []
    rows = report.scores[report.scores["measure"] == VIEW].assign(measure=other)
    two = replace(report, scores=pd.concat([report.scores, rows], ignore_index=True))
    monkeypatch.setattr(scores, "views", lambda report: {VIEW: "words", other: "embedding"})
    monkeypatch.setattr(scores.url_state, "get", lambda key: "")
    monkeypatch.setattr(
        scores.url_state, "choice",
        lambda widget, label, known, **_: asked.append((label, known)) or known[0],
    )  # fmt: skip
    assert scores._view(two, shown=True) == VIEW
    assert asked == [("Attribution classifier", [VIEW, other])]
    assert scores._view(two, shown=False) == VIEW and len(asked) == 1
    for family in scores.families(two):
        same = scores.columns(two, family, VIEW) == scores.columns(two, family, other)
        assert same == (family not in scores.BY_CLASSIFIER), family


def test_cells_are_the_scores_as_they_were_made(report):
    grid = scores.score_grid(report, [Column("label accuracy", 0), Column(VIEW, 1)], ALL)
    assert list(grid.index) == [
        "zero_shot", "capo", HUMAN, OTHER, "most frequent label", "chance", "n"
    ]  # fmt: skip
    accuracy, given = grid["label accuracy@0"], grid[f"{VIEW}@1"]
    # 3 of 12 items right for each of three targets; the copy of the target is never wrong.
    assert accuracy["zero_shot"].startswith("0.25 [") and accuracy["capo"].startswith("1.00 [")
    assert accuracy["n"] == given["n"] == "36"
    # All texts are another's, or the target's own; people's stand beside them.
    assert given["zero_shot"].startswith("0.00 [") and given["capo"].startswith("1.00 [")
    assert given[HUMAN] == given["capo"] and given[OTHER] == given["zero_shot"]
    # Labels alternate, so that always the same one is right on a third of the items.
    # Chance and the most frequent label are different things, in rows of their own.
    assert accuracy["most frequent label"] == given["chance"] == "0.33"
    assert accuracy["chance"] == given["most frequent label"] == "—"
    one = scores.score_grid(report, [Column("label accuracy", 0)], "ann")
    assert one["label accuracy@0"]["n"] == "12"


def test_numbers_have_real_minus_signs_and_undefined_is_a_dash():
    kappa = find_measure("kappa")
    row = pd.Series({"value": -0.123, "low": -0.5, "high": 0.25})
    assert score_text(row, kappa) == "−0.12 [−0.50 to 0.25]"
    assert score_text(row.replace(-0.123, math.nan), kappa) == "—"
    assert score_text(None, kappa) == "—"


def test_what_is_not_certain_is_not_rounded_to_it():
    attribution = find_measure(VIEW)
    assert [value_text(x, attribution) for x in (1.0, 0.998, 0.5, 0.002, 0.0)] == [
        "1.00", ">0.99", "0.50", "<0.01", "0.00"
    ]  # fmt: skip


def verdicts(*rows, value=0.5, names=("a", "b", "c")):
    """A report of methods with these (source, against, verdict); the human is at .6."""
    differences = pd.DataFrame(
        [(*row, "label accuracy", 0, ALL) for row in rows],
        columns=["source", "against", "verdict", "measure", "k", "target"],
    ).assign(value=0.2, low=0.1, high=0.3, n=20, p_holm=0.01)
    scores = [
        dict.fromkeys(reports.SCORES, 0.0)
        | {"source": name, "target": ALL, "measure": "label accuracy", "k": 0, "value": value,
           "ceiling": 0.6, "better": "higher"}
        for name in names
    ]  # fmt: skip
    return reports.EvaluationReport(
        "d", "f", False, "test", 20, ("A",), TableConfig(),
        tuple(reports.EvaluatedSource(name, ("A",), (), 20, 0) for name in names),
        pd.DataFrame(scores), differences, pd.DataFrame(), pd.DataFrame(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([("a", "b", "better"), ("a", "c", "better"), ("b", "c", "undecided")], "a"),
        # The same, said from the other side.
        ([("b", "a", "worse"), ("c", "a", "worse")], "a"),
        # One of two comparisons is not decided: nobody.
        ([("a", "b", "better"), ("a", "c", "undecided"), ("b", "c", "worse")], ""),
        ([("a", "b", "differs"), ("a", "c", "differs")], ""),
        # Better than people is no comparison of methods.
        ([("a", "b", "better"), ("a", OTHER, "better"), ("a", HUMAN, "better")], ""),
        ([], ""),
    ],
)
def test_the_best_is_better_than_every_other(rows, best):
    assert clearly_nearest(verdicts(*rows), "label accuracy", 0, ALL) == best


def test_one_method_alone_is_not_the_best():
    assert clearly_nearest(verdicts(names=("a",)), "label accuracy", 0, ALL) == ""


def test_nothing_beyond_the_humans_own_value_is_bold():
    """Finding 8: 0.90 for CAPO was bold where the human's own is 0.66."""
    rows = [("a", "b", "better"), ("a", "c", "better")]
    assert clearly_nearest(verdicts(*rows, value=0.6), "label accuracy", 0) == "a"
    assert clearly_nearest(verdicts(*rows, value=0.9), "label accuracy", 0) == ""


def test_the_best_of_the_report_by_its_own_tests(report):
    """12 items of 12 against none: p = 2 / 2¹² by flipping signs, Holm over five pairs."""
    assert clearly_nearest(report, VIEW, 1, ALL) == "capo"
    rows = report.differences
    row = rows[(rows["measure"] == VIEW) & (rows["k"] == 1) & (rows["target"] == ALL)].iloc[0]
    assert row["p"] == pytest.approx(2 / 2**12) and row["p_holm"] < 0.05


def test_sentences_call_methods_by_their_names(report):
    said = dict(summary.sentences(report, ALL))
    assert said["headline"].startswith("Of 2 methods, CAPO is nearest to its targets")
    assert "Zero-shot" in said["confusion"] and "zero_shot" not in " ".join(said.values())


def test_sentences_of_one_annotator_come_from_its_rows_alone(report):
    said = dict(summary.sentences(report, "bob"))
    row = report.row("capo", "label accuracy", 0, "bob")
    assert f"12 of 12 answers [{100 * row['low']:.0f}–100\u00a0%]" in said["label"]
    assert (
        "12 of 12 explanations by Zero-shot in the place of bob are attributed to cyd"
        in (said["confusion"])
    )


def test_of_what_is_missing_only_the_methods_are_called_by_their_names():
    skipped = [
        SkippedInput("a", "icl, seed 1", "no profile in form", "icl", 1),
        SkippedInput("b", "capo", "sft is lost.", "capo"),
    ]
    assert titled(skipped_statement(skipped)) == (
        "Not scored, because there is no result: In-context learning, seed 1 (no profile in form); "
        "CAPO (sft is lost)."
    )
    best = Statement("headline", "{method} is best", {"method": Named("method", "capo")})
    assert titled(best) == "CAPO is best"


def test_the_title_of_the_confusion_matrix_has_the_n_of_the_sentences(report):
    """It was a percentage without n where the headline said "12 of 12 texts"."""
    whole = _confusion_title(report, VIEW, "capo", ALL).replace("\u00a0", " ")
    alone = _confusion_title(report, VIEW, "capo", "ann").replace("\u00a0", " ")
    assert whole.startswith("Texts by CAPO: 100 % [") and " of 36 texts attributed" in whole
    assert "12 of 12 texts [" in alone
