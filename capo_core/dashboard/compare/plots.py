"""The pictures of a comparison: imitation, labels, habits of style, who is taken for whom."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.compare import cache, charts
from capo_core.dashboard.compare.answers import Answers
from capo_core.dashboard.compare.scores import target_of
from capo_core.dashboard.compare.selection import PAGE, CompareSelection, open_answers
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    is_dark,
    section_heading,
    show_figure,
    show_note,
    side_by_side,
)
from capo_core.dashboard.ui.theme import human_look, method_looks, method_name
from capo_core.evaluation.measures.attribution import NOBODY
from capo_core.evaluation.measures.registry import find_measure
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.statement_parts import cases
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.formatting import short

_LABELS = "label accuracy"


def imitation(chosen: CompareSelection, view: str) -> None:
    """Show attribution accuracy by pooled texts, and against label accuracy."""
    report, target = chosen.report, target_of(chosen)
    looks, human = method_looks(report.method_names), human_look(dark=is_dark())
    table = report.scores[report.scores["target"] == target]
    rows = table[(table["measure"] == view) & table["value"].notna()]
    if rows.empty:
        show_note("No attribution scores in this report.")
        return
    single = int(rows["k"].min())
    labels = table[(table["measure"] == _LABELS) & table["value"].notna()]
    with side_by_side("methods", [1, 1]) as (left, right):
        with left:
            section_heading(
                "Attribution accuracy by number of pooled texts", find_measure(view).meaning
            )
            show_figure(
                charts.imitation(rows, looks, human, url_state.get("method")),
                key=f"{PAGE}.imitation",
                file_name=f"{report.dataset}-imitation",
                alt=(
                    "Share of groups of explanations attributed to the target, by method and "
                    "group size"
                ),
                on_select=lambda: _point("imitation"),
            )
        with right:
            section_heading(
                "Label accuracy vs. attribution accuracy",
                "x: share of answers with the target's own label; y: share of texts "
                "attributed to the target. The closer to the target's own texts, the better.",
            )
            if labels.empty:
                show_note("No label accuracy in this report.")
                return
            show_figure(
                charts.labels_and_manner(rows[rows["k"] == single], labels, looks, human),
                key=f"{PAGE}.labels",
                file_name=f"{report.dataset}-labels-and-imitation",
                alt="Label accuracy and attribution accuracy, one point per method",
                on_select=lambda: _point("labels"),
            )


def _point(name: str) -> None:
    """Open the answers behind a clicked point."""
    points = url_state.now(f"{PAGE}.{name}").selection.points
    if points and points[0].get("customdata"):
        source = points[0]["customdata"][0]
        open_answers("" if source in (HUMAN, OTHER) else source, order="worst")


def habits(chosen: CompareSelection, answers: Answers) -> None:
    """Show the target's style features with the value of each method."""
    targets = [name for name in chosen.dataset.annotators if name in answers.targets]
    target = chosen.target
    if not target:
        target = url_state.choice(
            st.segmented_control if len(targets) <= 8 else st.selectbox,
            "Annotator", targets, page=PAGE, key="who", where="this comparison",
        )  # fmt: skip
    manner = cache.manner(chosen.dataset, answers, chosen.comparison.runs, target)
    section_heading(
        f"Distinctive style features of {short(target, 40)}, and of each method",
        "Style features in which the target's held-out texts differ most from all "
        "annotators' texts. A method imitates best where its marker is closest to "
        "the target's; beyond it, the feature is exaggerated (caricature).",
    )
    if not manner.features:
        show_note(f"{target} has no explanation on these items.")
        return
    looks = method_looks(answers.sources)
    names = {source: f"{method_name(source)} ({manner.n[source]:,})" for source in manner.scaled}
    names[HUMAN] = f"{target}'s own texts ({manner.n[HUMAN]:,})"
    show_figure(
        charts.habits(
            manner.texts, manner.scaled, manner.means, manner.errors, looks,
            human_look(dark=is_dark()), names=names,
        ),
        key=f"{PAGE}.habits",
        file_name=f"{chosen.dataset.name}-habits-{target}",
        alt=f"Style features of {target}'s own texts and of each method's",
    )  # fmt: skip
    show_note(
        "Means over texts (number in brackets); dashed line: mean of all annotators "
        "on the same items. Hover over a marker for its value and 95 % confidence "
        "interval."
    )


def confusion(chosen: CompareSelection, view: str) -> None:
    """Show the attribution confusion matrix of one method."""
    report = chosen.report
    rows = report.confusion[report.confusion["view"] == view]
    if rows.empty:
        show_note("No attribution confusion matrix in this report.")
        return
    sources = [*report.method_names, HUMAN]
    there = [name for name in sources if name in set(rows["source"])]
    source = url_state.choice(
        st.selectbox, "Texts by", there, page=PAGE, key="method", width=260, default=_best(rows),
        known=sources,
        clears=("item", "as"),
        format_func=lambda name: "the targets" if name == HUMAN else method_name(name),
    )  # fmt: skip
    rows = rows[rows["source"] == source]
    if chosen.target:
        rows = rows[rows["target"] == chosen.target]
    shares = rows.pivot_table(index="target", columns="attributed", values="share", sort=False)
    if NOBODY in shares and not shares[NOBODY].any():
        shares = shares.drop(columns=NOBODY)
    section_heading(
        _confusion_title(report, view, source, target_of(chosen)),
        "Rows: imitated annotator; columns: annotator the classifier attributes "
        "single texts to, in percent of the row. A good imitation is dark on the "
        "diagonal only.",
    )
    show_figure(
        charts.given(shares, counts=rows.groupby("target")["n"].first(), dark=is_dark()),
        key=f"{PAGE}.given",
        file_name=f"{report.dataset}-taken-for-{source}",
        alt="Attribution confusion matrix: imitated annotator by attributed annotator",
        title=_confusion_title(report, view, source, target_of(chosen)),
        on_select=lambda: _cell(source),
    )
    show_note("Percent of the texts in each row; number of texts in brackets.")


def _best(rows: pd.DataFrame) -> str:
    """Return the method whose texts are most often attributed to the target."""
    own = rows[(rows["target"] == rows["attributed"]) & ~rows["source"].isin([HUMAN, OTHER])]
    return str(own.groupby("source")["share"].mean().idxmax()) if len(own) else HUMAN


def _confusion_title(report: EvaluationReport, view: str, source: str, target: str) -> str:
    """Return "Texts by CAPO: 63 % [58–68] of 94 texts attributed to the target"."""
    who = "the targets" if source == HUMAN else method_name(source)
    row = report.row(source, view, 1, target)
    if row is None or pd.isna(row["value"]):
        return f"Attribution of texts by {who}"
    shown = cases(row, single=target != ALL or len(report.targets) == 1)
    return f"Texts by {who}: {shown} attributed to the target"


def _cell(source: str) -> None:
    points = url_state.now(f"{PAGE}.given").selection.points
    if points and points[0].get("customdata"):
        target, given = points[0]["customdata"][:2]
        open_answers("" if source == HUMAN else source, given=given, order="typical")
        url_state.put(PAGE, {"target": target})
