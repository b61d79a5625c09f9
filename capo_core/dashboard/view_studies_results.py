"""What the judges found: right answers, preferences, ratings, with what lies behind them."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard import (
    cache_studies,
    charts_studies,
    state,
    study_results,
    view_studies_behind,
)
from capo_core.dashboard.components import Field, heading, is_dark, note, picture, says, table
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.study_words import HELP, source_name
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.study.accuracy import AS_WRONG, LEFT_OUT
from capo_core.study.study_report import StudyReport

PAGE = "studies"
_SHARE = {
    "low": Field("From", "Lower end of the 95 % interval, clustered by judge and item.", 2),
    "high": Field("To", "Upper end.", 2),
    "n": Field("n", "Judgments."),
    "judges": Field("Judges"),
    "items": Field("Items"),
    "note": Field("Note", width="medium"),
}


def show(frame: Frame, seen: Seen) -> None:
    """The results of a study that was unblinded."""
    mu = state.get("mu")
    report = cache_studies.report(frame.workspace, seen.name, str(seen.status.unblinded), mu)
    if report is None:
        waiting("Computing the planned analysis …")
        return
    draw(report, seen.name)


def draw(report: StudyReport, name: str, *, tried: bool = False) -> None:
    """Every result of a report.

    Args:
        tried: were the judges made up?
    """
    found = report.analysis
    told = study_results.sentences(found)
    says(*(f"Made-up judges: {told[0]}" if tried and not k else line
           for k, line in enumerate(told)))  # fmt: skip
    for sentence in found.sentences:
        note(sentence)
    sources = sorted({*found.accuracy["source"], *found.reasoning["source"],
                      *found.wins["source_a"], *found.wins["source_b"]})  # fmt: skip
    looked = charts_studies.looks(sources, dark=is_dark())
    if len(found.accuracy):
        _accuracy(found, looked, name)
    if len(found.wins):
        _wins(found, looked, name)
    if len(found.reasoning):
        _reasoning(found, looked, name)
    view_studies_behind.show(report, name, tried=tried)


def _accuracy(found, looked, name: str) -> None:
    heading("Who wrote this?", HELP["accuracy"])
    counting = state.choice(
        st.segmented_control, "Cannot tell", [AS_WRONG, LEFT_OUT], page=PAGE, key="counting",
        format_func=lambda each: f"“Cannot tell”{each.removeprefix('cannot tell')}",
        label_visibility="collapsed",
    )  # fmt: skip
    rows = found.accuracy[found.accuracy["counting"] == counting]
    picture(
        charts_studies.accuracy(rows, looked, study_results.ceiling(rows)),
        key=f"{PAGE}.accuracy",
        file_name=f"{name}-accuracy",
        alt="Share of texts given to the right annotator, by source",
    )
    table(
        study_results.in_words(rows, "source"),
        {
            "source": Field("Source"),
            "value": Field("Right", HELP["accuracy"], 2),
            **_SHARE,
            "chance": Field("Chance", "One over the number of annotators.", 2),
            "p_value": Field("p", "Exact test against chance, judgments taken as independent; the "
                             "interval goes before it."),
            "cannot_tell": Field("Cannot tell", "Answers."),
        },
        key=f"{PAGE}.accuracy.table",
        file_name=f"{name}-accuracy",
    )  # fmt: skip
    heading("Who is taken for whom", HELP["confusion"])
    names = list(dict.fromkeys(found.confusion["source"]))
    source = state.choice(
        st.segmented_control, "Source", names, page=PAGE, key="source", format_func=source_name,
        label_visibility="collapsed",
    )  # fmt: skip
    picture(
        charts_studies.confusion(
            found.confusion[found.confusion["source"] == source], dark=is_dark()
        ),
        key=f"{PAGE}.confusion",
        file_name=f"{name}-confusion-{source}",
        alt="Whom judges named, for the texts of each annotator",
    )


def _wins(found, looked, name: str) -> None:
    heading("Which of the two is theirs?", HELP["wins"])
    picture(
        charts_studies.wins(found.wins, looked),
        key=f"{PAGE}.wins",
        file_name=f"{name}-wins",
        alt="Share of comparisons in which the first source was preferred",
    )
    table(
        study_results.in_words(found.wins, "source_a", "source_b"),
        {
            "source_a": Field("Source"),
            "source_b": Field("Against"),
            "share_a": Field("Preferred", HELP["wins"], 2),
            **_SHARE,
            "wins_a": Field("Preferred, times"),
            "ties": Field("Ties"),
            "wins_b": Field("The other, times"),
        },
        key=f"{PAGE}.wins.table",
        file_name=f"{name}-wins",
    )
    best = found.preference
    if best is None:
        return
    heading("All comparisons together", HELP["strength"])
    if best.note:
        note(best.note)
    rows = best.strengths
    if rows["strength"].notna().any():
        picture(
            charts_studies.strengths(rows, looked),
            key=f"{PAGE}.strengths",
            file_name=f"{name}-strengths",
            alt="Strength of each source by the Bradley-Terry model with ties",
        )
    table(
        study_results.in_words(rows, "source"),
        {"source": Field("Source"), "strength": Field("Strength", HELP["strength"], 2), **_SHARE,
         "wins": Field("Won"), "ties": Field("Ties"), "losses": Field("Lost")},
        key=f"{PAGE}.strengths.table",
        file_name=f"{name}-strengths",
    )  # fmt: skip


def _reasoning(found, looked, name: str) -> None:
    heading("Is the reasoning theirs?", HELP["reasoning"])
    picture(
        charts_studies.ratings(found.reasoning, looked),
        key=f"{PAGE}.ratings",
        file_name=f"{name}-reasoning",
        alt="Mean rating of reasoning, by source",
    )
    table(
        study_results.in_words(found.reasoning, "source"),
        {"source": Field("Source"), "mean": Field("Mean", HELP["reasoning"], 2), **_SHARE},
        key=f"{PAGE}.ratings.table",
        file_name=f"{name}-reasoning",
    )
