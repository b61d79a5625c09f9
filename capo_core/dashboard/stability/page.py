"""The stability page: one sentence, the ladder with its controls, and what lies behind it.

How a report was computed, folded away at the end of the page.
"""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.stability import PAGE, charts, evidence, measures, reports
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    download_table,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import (
    control_name,
    reduction_name,
    representation_name,
)
from capo_core.formatting import count
from capo_core.text.representations import REPRESENTATIONS

_METHOD_PARTS = ("ladder", "controls", "unsupervised", "information", "variance", "reliability")


def show_methods(context: PageContext, report) -> None:
    config = report.config
    taken = "taken as typed"
    if not config.raw:
        taken = (
            "normalised first: case, quotation marks, outer spaces and the final period are habits "
            "of the keyboard"
        )
    with st.expander("How it was computed"):
        for line in (
            f"Explanations are {taken}.",
            f"Seen as: {', '.join(representation_name(r) for r in config.representations)}. "
            f"Sentence meaning is the model {config.embedding_model}.",
            f"Reductions: {', '.join(reduction_name(r).lower() for r in config.reductions)}; each "
            "is fitted on training folds only.",
            f"A ridge classifier in {config.folds}-fold cross-validation; items that share a text "
            "are never on both sides; annotators count equally; mean over "
            f"{count(config.seeds, 'partition')}.",
            "Pooled: the scores of k explanations of one annotator, on different held-out items, "
            "are added.",
            "Intervals are 95 %, over items. The null shuffles annotators within each item, "
            f"{count(config.permutations, 'time')}, through the whole pipeline with the same "
            "partitions.",
            f"Dataset {report.dataset}, fingerprint {report.fingerprint[:16]}, seed {config.seed}.",
        ):
            show_note(line)
        with st.container(horizontal=True):
            st.download_button(
                "Whole report (JSON)",
                lambda: json.dumps(report.to_dict(), indent=2, ensure_ascii=False).encode(),
                file_name=f"{report.dataset}-stability.json",
                mime="application/json",
                key="stability.json",
                type="tertiary",
                icon=":material/download:",
                on_click="ignore",
            )
        for part in _METHOD_PARTS:
            download_table(
                getattr(report, part).to_frame(),
                key=f"stability.all.{part}",
                file_name=f"{context.entry.name}-{part}",
                label=f"{part.capitalize()} (CSV)",
            )
        show_note("Formulas and their sources are in docs/methods.md.")


_PARTS = {
    "evidence": "Explanations behind the point",
    "numbers": "All numbers",
    "variance": "Variance",
    "reliability": "Reliability",
    "information": "Without training, and in bits",
    "agreement": "Label agreement",
    "calibration": "Calibration",
}


def show(context: PageContext) -> None:
    """The report of the chosen dataset, or the way to it."""
    choice = reports.current(context)
    if choice.shown is None:
        return
    report = cache.report(context.workspace, context.entry, choice.shown)
    ladder = report.ladder.to_frame()
    if ladder.empty:
        show_headline(*(statement.text for statement in report.statements))
        show_note("There are too few explanations for a ladder.")
        reports.menu(context, choice)
        show_methods(context, report)
        return
    show_headline(*_told(report, "headline"))
    representation, reduction, k = _controls(context, choice, ladder)
    rows = ladder[ladder["representation"] == representation]
    _pictures(context, report, rows, representation, (reduction, k))
    part = url_state.choice(
        st.segmented_control,
        "Evidence",
        list(_PARTS),
        page=PAGE,
        key="part",
        format_func=_PARTS.__getitem__,
        label_visibility="collapsed",
    )
    if part == "evidence":
        dataset = cache.dataset(context.workspace, context.entry)
        groups = cache.groups(choice.shown, representation, reduction, k)
        evidence.show(PAGE, dataset, groups, k)
    elif part == "numbers":
        _numbers(context, report)
    else:
        measures.SECTIONS[part](context, report, representation)
    show_methods(context, report)


def _controls(
    context: PageContext, choice: reports.Choice, ladder: pd.DataFrame
) -> tuple[str, str, int]:
    """One row above the picture: what is seen, and the point whose explanations are open."""
    there = set(ladder["representation"])
    known = [name for name in REPRESENTATIONS if name in there]
    with control_row("ladder", [3, 2, 2, 2]) as places:
        return _choices(places, context, choice, ladder, known + sorted(there - set(known)))


def _choices(
    places, context: PageContext, choice: reports.Choice, ladder: pd.DataFrame, names: list[str]
) -> tuple[str, str, int]:
    with places[0]:
        representation = url_state.choice(
            st.segmented_control,
            "Seen as",
            names,
            page=PAGE,
            key="rep",
            format_func=lambda name: markdown(representation_name(name)),
            help=HELP["representation"],
        )
    rows = ladder[ladder["representation"] == representation]
    with places[1]:
        reduction = url_state.choice(
            st.selectbox,
            "Reduction",
            list(dict.fromkeys(rows["reduction"])),
            page=PAGE,
            key="red",
            clears=("p",),
            format_func=reduction_name,
            help=HELP["reduction"],
        )
    pools = sorted(rows.loc[rows["reduction"] == reduction, "k"].unique())
    with places[2]:
        k = url_state.choice(
            st.selectbox,
            "Explanations pooled",
            [str(k) for k in pools],
            page=PAGE,
            key="k",
            clears=("p",),
            help=HELP["k"],
        )
    with places[3]:
        reports.menu(context, choice)
    return representation, reduction, int(k)


def _pictures(
    context: PageContext, report, rows: pd.DataFrame, representation: str, chosen: tuple[str, int]
) -> None:
    with side_by_side("ladder", [3, 2]) as (left, right):
        with left:
            section_heading(
                charts.ladder_title(rows, representation_name(representation)),
                HELP["accuracy"],
            )
            show_figure(
                charts.ladder(rows, chosen),
                key=f"{PAGE}.ladder",
                file_name=f"{context.entry.name}-ladder-{representation}",
                alt="Share of groups given to the right annotator, by explanations pooled",
                on_select=_clicked,
            )
            for text in _told(report, "reduction", "views"):
                show_note(text)
        with right:
            k = chosen[1]
            controls = charts.controls_at(report.controls.to_frame(), representation, k)
            section_heading(
                charts.controls_title(rows[rows["k"] == k], controls, k), HELP["controls"]
            )
            show_figure(
                charts.controls(rows[rows["k"] == k], controls),
                key=f"{PAGE}.controls",
                file_name=f"{context.entry.name}-controls-{representation}-{k}",
                alt="Accuracy of each reduction and of each control",
            )
            for text in _told(report, "label", "null", "leak"):
                show_note(text)


def _told(report, *topics: str) -> list[str]:
    """The report's sentences on these topics."""
    return [said.text for said in report.statements if said.topic in topics]


def _clicked() -> None:
    points = url_state.now(f"{PAGE}.ladder").selection.points
    if points and points[0].get("customdata"):
        reduction, k = points[0]["customdata"][:2]
        url_state.put(PAGE, {"red": reduction, "k": str(k), "part": "evidence", "p": None})


def _numbers(context: PageContext, report) -> None:
    """The ladder and all controls as one table."""
    ladder = report.ladder.to_frame()
    rows = pd.concat([ladder.assign(control=""), report.controls.to_frame()], ignore_index=True)
    numbers = ["null_mean", "null_high", "p_value"]
    rows[numbers] = rows[numbers].astype(float)
    rows = rows.assign(
        control=[control_name(name) if name else "—" for name in rows["control"]],
        representation=rows["representation"].map(representation_name),
        reduction=rows["reduction"].map(reduction_name),
    )
    section_heading("Every point of the ladder and every control", HELP["accuracy"])
    table(
        rows,
        {
            "representation": Field("Seen as"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "control": Field("Control", HELP["controls"]),
            "k": Field("Pooled", HELP["k"], 0),
            "accuracy": Field("Accuracy", HELP["accuracy"], 2),
            "low": Field("from", "Lower end of the 95 % interval.", 2),
            "high": Field("to", "Upper end of the 95 % interval.", 2),
            "chance": Field("Chance", None, 2),
            "null_mean": Field("Null", HELP["null"], 2),
            "null_high": Field("Null, upper end", HELP["null"], 2),
            "p_value": Field("p", HELP["p"], 3),
            "n_items": Field("Items", None, 0),
            "n_groups": Field("Groups", None, 0),
        },
        key="stability.numbers",
        file_name=f"{context.entry.name}-ladder-and-controls",
        height=460,
    )
