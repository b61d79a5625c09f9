"""The stability page: headline, ladder with controls, the other measures, and the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.stability import PAGE, charts, evidence, measures, reports
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.stability.evidence import Masking
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.exports import begin, download, download_table, report_json
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import (
    control_name,
    reduction_name,
    representation_name,
)
from capo_core.formatting import (
    Statement,
    count,
    number,
    number_interval,
    percent,
)
from capo_core.stability import tables
from capo_core.stability.claims import headline_points
from capo_core.text.representations import REPRESENTATIONS

_METHOD_PARTS = ("ladder", "controls", "unsupervised", "information", "variance", "reliability")


def show_methods(context: PageContext, report) -> None:
    """Show how the report was computed, with its downloads, in an expander."""
    config = report.config
    text = "Explanations are used as typed."
    if not config.raw:
        text = (
            "Explanations are normalised first: case, quotation marks, outer spaces and the final "
            "period reflect typing habits, not style."
        )
    with st.expander("How it was computed"):
        for line in (
            text,
            f"Representations: {', '.join(representation_name(r) for r in config.representations)}"
            f". Sentence embeddings are from {config.embedding_model}."
            + (f" Parts of speech are by {report.tagger}, for English." if report.tagger else ""),
            f"Reductions: {', '.join(reduction_name(r).lower() for r in config.reductions)}; each "
            "is fitted on the training folds only.",
            f"Ridge classifier in {config.folds}-fold cross-validation; items that share a text "
            "are in the same fold; annotators are weighted equally; mean over "
            f"{count(config.seeds, 'partition')}.",
            "Pooling: the scores of k explanations of one annotator, on different held-out items, "
            "are summed.",
            "95 % confidence intervals over items. The permutation null shuffles annotators within "
            f"each item, {count(config.permutations, 'time')}, through the whole pipeline with the "
            "same partitions.",
            f"Dataset {report.dataset}, fingerprint {report.fingerprint[:16]}, seed {config.seed}.",
        ):
            show_note(line)
        with st.container(horizontal=True):
            download(
                PAGE, "Full report (JSON)", f"{report.dataset}-stability.json", "application/json",
                partial(report_json, report), key="json",
            )  # fmt: skip
            download(
                PAGE, "Ladder (LaTeX)", f"{report.dataset}-ladder.tex", "application/x-tex",
                partial(tables.ladder_latex, report), key="tex",
            )  # fmt: skip
        for part in _METHOD_PARTS:
            download_table(
                getattr(report, part).to_frame(),
                key=f"stability.all.{part}",
                file_name=f"{context.entry.name}-{part}",
                label=f"{part.capitalize()} (CSV)",
            )
        page_link(context, "guide", "Formulas and references", doc="methods")


_PARTS = {
    "evidence": "Explanations behind the point",
    "numbers": "All numbers",
    "variance": "Variance",
    "reliability": "Reliability",
    "information": "Separability and information",
    "agreement": "Label agreement",
    "authors": "Likeliest author",
    "calibration": "Calibration",
}


def show(context: PageContext) -> None:
    """Show the report of the chosen dataset, or the presets to start one."""
    choice = reports.current(context)
    if choice.shown is None:
        return
    report = stability_cache.report(context.workspace, context.entry, choice.shown)
    begin(report.provenance)
    ladder = report.ladder.to_frame()
    if ladder.empty:
        show_headline(*(statement.text for statement in report.statements))
        show_note("Too few explanations for a ladder.")
        reports.menu(context, choice)
        measures.agreement(context, report, "", ())
        show_methods(context, report)
        return
    show_headline(*_statements(report, "headline"))
    for text in _statements(report, "confound", "coverage"):
        show_note(text)
    representation, reduction, k = _controls(context, choice, ladder)
    rows = ladder[ladder["representation"] == representation]
    of_view = stability_cache.view_statements(choice.shown, report, representation)
    _figures(context, report, rows, representation, (reduction, k), of_view)
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
        groups = stability_cache.groups(choice.shown, representation, reduction, k)
        evidence.show(
            PAGE,
            dataset,
            groups,
            k,
            Masking(reduction, report.config.raw, context.workspace.cache),
        )
    elif part == "numbers":
        _numbers(context, report)
    else:
        measures.SECTIONS[part](context, report, representation, of_view)
    show_methods(context, report)


_SIDE_BY_SIDE = 3  # representations that have room beside each other


def _controls(
    context: PageContext, choice: reports.ReportChoice, ladder: pd.DataFrame
) -> tuple[str, str, int]:
    """Show the controls of the ladder; return representation, reduction and k of the open point."""
    there = set(ladder["representation"])
    known = [name for name in REPRESENTATIONS if name in there]
    # The open point is the headline's unless the address says another.
    with control_row("ladder", [5, 2, 2, 2]) as places:
        return _choices(places, context, choice, ladder, known + sorted(there - set(known)))


def _choices(
    places,
    context: PageContext,
    choice: reports.ReportChoice,
    ladder: pd.DataFrame,
    names: list[str],
) -> tuple[str, str, int]:
    with places[0]:
        representation = url_state.choice(
            st.segmented_control if len(names) <= _SIDE_BY_SIDE else st.selectbox,
            "Representation",
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
            default=headline_points(rows, representation)[1].reduction,
            clears=("p",),
            format_func=reduction_name,
            help=HELP["reduction"],
        )
    pools = sorted(rows.loc[rows["reduction"] == reduction, "k"].unique())
    with places[2]:
        k = url_state.choice(
            st.selectbox,
            "Explanations pooled (k)",
            [str(k) for k in pools],
            page=PAGE,
            key="k",
            default=str(int(headline_points(rows, representation, reduction)[1].k)),
            clears=("p",),
            help=HELP["k"],
        )
    with places[3]:
        reports.menu(context, choice)
    return representation, reduction, int(k)


def _figures(
    context: PageContext,
    report,
    rows: pd.DataFrame,
    representation: str,
    chosen: tuple[str, int],
    of_view: Sequence[Statement],
) -> None:
    with side_by_side("ladder", [3, 2]) as (left, right):
        with left:
            title = charts.ladder_title(rows, chosen[0])
            section_heading(title, HELP["accuracy"])
            show_figure(
                charts.ladder(rows, chosen),
                key=f"{PAGE}.ladder",
                file_name=f"{context.entry.name}-ladder-{representation}",
                alt="Attribution accuracy by number of explanations pooled",
                title=title,
                intervals="95 % intervals over items",
                on_select=_clicked,
            )
            # What labels alone tell stands here as well: the column of controls is the longer one.
            for text in _texts(of_view, "reduction", "views", "label"):
                show_note(text)
            for text in _statements(report, "language"):
                show_note(text)
        with right:
            k = chosen[1]
            controls = charts.controls_at(report.controls.to_frame(), representation, k)
            title = charts.controls_title(rows[rows["k"] == k], controls, k)
            section_heading(title, HELP["controls"])
            show_figure(
                charts.controls(rows[rows["k"] == k], controls),
                key=f"{PAGE}.controls",
                file_name=f"{context.entry.name}-controls-{representation}-{k}",
                alt=f"Attribution accuracy of each reduction and each control, k = {k}",
                title=title,
                intervals="95 % intervals over items",
            )
            for text in _texts(of_view, "null", "leak"):
                show_note(text)
            if reason := tables.null_reason(report):
                show_note(f"No permutation null and no p-value: the null {reason}.")


def _statements(report, *topics: str) -> list[str]:
    """Return the report's sentences on these topics."""
    return _texts(report.statements, *topics)


def _texts(statements: Iterable[Statement], *topics: str) -> list[str]:
    return [statement.text for statement in statements if statement.topic in topics]


def _clicked() -> None:
    points = url_state.now(f"{PAGE}.ladder").selection.points
    if points and points[0].get("customdata"):
        reduction, k = points[0]["customdata"][:2]
        url_state.put(PAGE, {"red": reduction, "k": str(k), "part": "evidence", "p": None})


# Where annotators are many, their likeliest places say more than the first one alone.
_RANKS = {
    "top5": Field("Within 5", "Share with the right annotator among the five likeliest.",
                  text=percent, ends=("top5_low", "top5_high")),
    "mean_rank": Field("Mean rank", "Mean place of the right annotator; 1 is best.",
                       text=lambda rank: number(rank, 1), ends=("mean_rank_low", "mean_rank_high"),
                       interval=lambda low, high: number_interval(low, high, 1)),
}  # fmt: skip


def _numbers(context: PageContext, report) -> None:
    """Show the ladder and all controls as one table."""
    ladder = report.ladder.to_frame()
    rows = pd.concat([ladder.assign(control=""), report.controls.to_frame()], ignore_index=True)
    numbers = ["null_mean", "null_high", "p_value"]
    ranks = [name for name in _RANKS if name in rows and rows[name].notna().any()]
    numbers += [column for name in ranks for column in (name, *_RANKS[name].ends)]
    rows[numbers] = rows[numbers].astype(float)
    rows = rows.assign(
        control=[control_name(name) if name else "—" for name in rows["control"]],
        representation=rows["representation"].map(representation_name),
        reduction=rows["reduction"].map(reduction_name),
    )
    section_heading("Ladder and controls", HELP["accuracy"])
    table(
        rows,
        {
            "representation": Field("Representation"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "control": Field("Control", HELP["controls"]),
            "k": Field("k", HELP["k"], 0),
            "accuracy": Field("Accuracy", HELP["accuracy"], text=percent, ends=("low", "high")),
            "chance": Field("Chance", None, 1, percent=True),
            "null_mean": Field("Null", HELP["null"], 1, percent=True),
            "null_high": Field("Null to", f"{HELP['null']} Its upper end.", 1, percent=True),
            "p_value": Field("p", HELP["p"], 3),
            **{name: _RANKS[name] for name in ranks},
            "n_items": Field("Items", None, 0),
            "n_groups": Field("Groups", None, 0),
        },
        key="stability.numbers",
        file_name=f"{context.entry.name}-ladder-and-controls",
        height=460,
    )
