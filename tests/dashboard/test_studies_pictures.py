"""Pictures and the stand-alone report of a study: what they show, and nothing from data as HTML."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.pages import make

from capo_core.dashboard.studies import charts, compute, export, plan, results
from capo_core.dashboard.studies.compute import ceiling, in_words, raw_and_weighted, sections
from capo_core.study.config import StudyConfig
from capo_core.study.design.draft import draw_from
from capo_core.workspace import Workspace

NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What made-up judges find in a study of people's texts."""
    config = StudyConfig(
        "s", "mine", kinds=("attribution", "comparison", "reasoning"),
        sources={"human": "human", "other_human": "other_human"}, judges=4, trials_per_judge=4,
        judgments_per_trial=2, practice=0, card_examples=2, planned_analysis=NASTY,
    )  # fmt: skip
    workspace = Workspace(tmp_path_factory.mktemp("w"))
    draft = draw_from(workspace, make("mine", items=120, annotators=("ann", "<b>", "cyd")), config)
    judges = compute.SimulatedJudgesConfig(skill=1.0, doubt=0.0)
    return compute.tried(workspace, draft, compute.Trying(judges))


def looks(report):
    return charts.looks(["human", "other_human"], dark=False)


def test_accuracy_shows_each_source_with_interval_chance_and_ceiling(report):
    rows = report.analysis.accuracy
    rows = rows[rows["counting"] == rows["counting"].iloc[0]]
    top = ceiling(rows)
    assert top == rows.set_index("source").at["human", "value"]
    figure = charts.accuracy(rows, looks(report), top)
    assert [trace.x[0] for trace in figure.data] == list(rows["value"])
    lines = {round(shape.x0, 6) for shape in figure.layout.shapes}
    assert lines == {round(1 / 3, 6), round(top, 6)}
    assert figure.data[0].customdata[0][2] == rows["n"].iloc[0]


def test_every_pair_has_a_line_of_its_own():
    rows = pd.DataFrame(
        [("a", "b", 0.6, 0.5, 0.7, 9), ("a", "c", 0.4, 0.3, 0.5, 8)],
        columns=["source_a", "source_b", "share_a", "low", "high", "n"],
    )
    figure = charts.wins(rows, charts.looks(["a", "b", "c"], dark=True))
    assert len({trace.y[0] for trace in figure.data}) == 2
    assert [trace.x[0] for trace in figure.data] == [0.6, 0.4]


def test_confusion_counts_all_judgments_of_a_source(report):
    rows = report.analysis.confusion
    own = rows[rows["source"] == "human"]
    figure = charts.confusion(own, dark=False)
    counts = sum(sum(row) for row in figure.data[0].text)
    accuracy = report.analysis.accuracy
    assert counts == accuracy[accuracy["source"] == "human"]["n"].iloc[0]
    assert "<b>" not in " ".join(figure.layout.yaxis.ticktext)


def test_judges_of_whom_nothing_can_be_told_are_drawn_apart():
    rows = pd.DataFrame(
        [("j1", 0.8, 0.6, 0.9, 40, ""), ("j2", float("nan"), 0.0, 1.0, 3, "too few to say")],
        columns=["judge_id", "attentiveness", "low", "high", "n_votes", "verdict"],
    )
    figure = charts.attentiveness(rows)
    assert [list(trace.y) for trace in figure.data] == [["j1"], ["j2"]]
    assert figure.layout.showlegend


def test_raw_and_weighted_stand_side_by_side(report):
    rows = raw_and_weighted(report.analysis)
    figure = charts.raw_and_weighted(rows)
    assert len(figure.data) == 2 and all(len(trace.x) == len(rows) for trace in figure.data)
    assert list(figure.data[0].x) == list(rows["raw"])


def test_the_plan_marks_the_design_and_leaves_out_what_is_not_defined():
    rows = pd.DataFrame(
        {"judges": [3, 6], "width": [0.5, 0.3], "against_chance": [float("nan")] * 2,
         "between": [0.1, 0.2]}
    )  # fmt: skip
    figure = plan.over_judges(rows, 6)
    assert [trace.name for trace in figure.data] == ["width of the interval",
                                                    "power between two methods"]  # fmt: skip
    assert figure.layout.shapes[0].x0 == 6
    alike = plan.over_judges(rows.assign(against_chance=rows["between"]), 6)
    assert [trace.name for trace in alike.data] == ["width of the interval", "power vs chance"]
    enough = plan.over_judges(rows, 3, 6)
    assert {shape.x0 for shape in enough.layout.shapes} >= {3, 6}
    assert "6: 80" in " ".join(each.text for each in enough.layout.annotations)
    # The words stand between the lines and the legend.
    assert {each.yanchor for each in enough.layout.annotations} == {"bottom"}
    assert (enough.layout.legend.yref, enough.layout.legend.y) == ("container", 1)


def test_ratings_and_strengths_have_a_point_a_source(report):
    found = report.analysis
    assert len(charts.ratings(found.reasoning, looks(report)).data) == len(found.reasoning)
    rows = found.preference.strengths
    assert len(charts.strengths(rows, looks(report)).data) == len(rows)


def test_the_report_stands_alone_and_escapes_what_comes_from_data(report):
    page = export.to_html(report)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "default-src 'none'" in page
    for title, _ in sections(report.analysis):
        assert f"<h2>{title}</h2>" in page


def test_tables_for_the_screen_drop_empty_notes_and_name_sources(report):
    rows = in_words(report.analysis.accuracy, "source")
    assert not report.analysis.accuracy["note"].any() and "note" not in rows
    noted = report.analysis.accuracy.assign(note=["", "too few"])
    assert list(in_words(noted, "source")["note"]) == ["", "too few"]
    assert set(rows["source"]) <= {"The target's own texts", "Another annotator's texts"}


def test_equal_strengths_stand_at_zero_on_an_axis_with_a_width():
    rows = pd.DataFrame(
        {"source": ["capo", "sft"], "strength": [-1.4e-18, 1.4e-18], "low": [np.nan] * 2,
         "high": [np.nan] * 2, "se": [np.nan] * 2, "n": [5, 5], "wins": [2, 2], "ties": [1, 1],
         "losses": [2, 2]}
    )  # fmt: skip
    figure = charts.strengths(rows, charts.looks(["capo", "sft"], dark=False))
    assert list(figure.layout.xaxis.range) == [-0.5, 0.5]
    assert all(value == 0 for trace in figure.data for value in trace.x if value is not None)


def test_the_word_of_the_ceiling_stands_above_that_of_chance_at_any_distance(report):
    rows = report.analysis.accuracy
    rows = rows[rows["counting"] == rows["counting"].iloc[0]]
    figure = charts.accuracy(rows, charts.looks(list(rows["source"]), dark=False), 0.75)
    note = next(each for each in figure.layout.annotations if "ceiling" in each.text)
    assert note.yshift > 0


def test_the_n_of_a_figure_counts_main_judgments_alone(report):
    found = report.analysis
    row = found.counts[found.counts["kind"] == "attribution"].iloc[0]
    n = dict(results.counted(found, "attribution"))
    assert n == {"judgment": row["main"], "judge": row["judges"], "item": row["items"]}
