"""The page Distributions: the headline, the table of distances, charts, items and downloads."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.distributions import (
    benchmark,
    classifiers,
    explanations,
    plots,
    selection,
    table,
    transfer,
)
from capo_core.dashboard.distributions import estimates as distributions_estimates
from capo_core.dashboard.distributions import items as distributions_items
from capo_core.dashboard.distributions.item_data import long_table
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import command
from capo_core.dashboard.ui import components, url_state
from capo_core.dashboard.ui.components import show_headline, show_note
from capo_core.dashboard.ui.exports import begin, current, download
from capo_core.dashboard.ui.text import markdown
from capo_core.distributions.judgments import CROWD, UNIFORM
from capo_core.distributions.report import methods_paragraph, to_html, to_markdown
from capo_core.distributions.sources import ANNOTATORS
from capo_core.distributions.wording import called, in_words
from capo_core.export_formats import csv_text, frame_lines


def show_export(context: PageContext, chosen: Chosen) -> None:
    """Downloads in a row; then the methods paragraph and the command."""
    name = chosen.file_stem
    st.subheader("Export", anchor=False)
    with st.container(horizontal=True):
        download(PAGE, "Report (HTML)", f"{name}-distributions.html", "text/html",
                 partial(to_html, chosen.report))  # fmt: skip
        download(PAGE, "Report (Markdown)", f"{name}-distributions.md", "text/markdown",
                 partial(to_markdown, chosen.report))  # fmt: skip
        download(PAGE, "Distances (CSV)", f"{name}-distances.csv", "text/csv",
                 lambda source: csv_text(_distances(chosen), source))  # fmt: skip
        download(PAGE, "Item by item (CSV)", f"{name}-distributions.csv", "text/csv",
                 lambda source: csv_text(_items(chosen), source))  # fmt: skip
        download(PAGE, "Item by item (JSONL)", f"{name}-distributions.jsonl", "application/jsonl",
                 lambda source: frame_lines(_items(chosen), source))  # fmt: skip
        texts = chosen.reading.judgments.explanations
        if len(texts):
            download(PAGE, "Explanations (JSONL)", f"{name}-explanations.jsonl",
                     "application/jsonl", partial(frame_lines, texts))  # fmt: skip
    with st.expander("Methods paragraph"):
        prints = {"items’ fingerprint": chosen.reading.judgments.fingerprint}
        if chosen.dataset is not None:
            prints["dataset’s"] = chosen.dataset.fingerprint
        methods = methods_paragraph(chosen.report, prints)
        show_note(f"{current().caution} {methods}".strip())
        page_link(context, "guide", "Formulas and references", doc="methods-distributions")
        st.caption("The same table on the command line (with your own file paths):")
        st.code(
            command(chosen.reading.dataset, chosen.reading.files, chosen.config,
                    _on_command_line(chosen), _runs(chosen)),
            language="bash", wrap_lines=True,
        )  # fmt: skip


def _on_command_line(chosen: Chosen) -> list[str]:
    """Return the shown sources that the command also has: not imitations, which have runs of their
    own that the page combines."""
    there = {source.name for source in chosen.reading.asked.sources}
    there |= {source for _, source in chosen.reading.estimates}
    return [name for name in chosen.shown if name in there]


def _runs(chosen: Chosen) -> list[str]:
    """Return all estimates if one of them is compared, so that they get the same names."""
    estimates = chosen.reading.estimates
    compared = {chosen.against, *chosen.shown}
    return [run for run, _ in estimates] if any(name in compared for _, name in estimates) else []


def _distances(chosen: Chosen) -> pd.DataFrame:
    """The long table, with the number of items that each side alone has."""
    ranking = chosen.report.ranking
    frame = ranking.table.assign(against=chosen.against, clip=chosen.config.clip)
    return frame.merge(
        ranking.coverage[["source", "only_source", "only_against"]], how="left", on="source"
    )


def _items(chosen: Chosen) -> pd.DataFrame:
    return long_table(chosen.reading.judgments, chosen.per_item)


_PARTS = {
    "items": "Item view",
    "differences": "Differences between sources",
    "explanations": "Explanations",
    "models": "Model-predicted distributions",
    "training": "Soft-label training",
    "benchmark": "Benchmark",
    "transfer": "Imitated crowd",
}


def show(context: PageContext) -> None:
    """Show the comparison of the chosen sources, or how to get one."""
    headline = st.container()
    chosen = selection.current(context)
    if chosen is None:
        _nothing_to_compare(context)
        return
    begin(chosen.reading.provenance(context.workspace, chosen.dataset))
    with headline:
        show_headline(in_words(chosen.report.headline))
        if not chosen.reading.dataset:
            show_note(_whose_items(context, chosen))
        _what_is_missing(context, chosen)
    table.show(chosen)
    items = distributions_items.order(chosen)
    plots.show(chosen, items)
    with components.details_anchor():
        part = url_state.choice(
            st.segmented_control, "Details", list(_PARTS), page=PAGE, key="part",
            format_func=_PARTS.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
    if part == "items":
        distributions_items.show(chosen, items)
    elif part == "differences":
        table.differences(chosen)
    elif part == "explanations":
        explanations.show(context, chosen)
    elif part == "models":
        distributions_estimates.show(context, chosen)
    elif part == "benchmark":
        benchmark.show(context)
    elif part == "transfer":
        transfer.show(context)
    else:
        classifiers.show(context, chosen)
    show_export(context, chosen)
    components.scroll_to_details(PAGE)


def _what_is_missing(context: PageContext, chosen: Chosen) -> None:
    """Show how to get a crowd or another source where there is none."""
    if CROWD not in chosen.reading.names:
        people = chosen.dataset.annotators if chosen.dataset is not None else ()
        alone = (
            ("With a single annotator, every source except uniform repeats that annotator. ")
            if len(people) == 1
            else ""
        )
        with st.container(border=True):
            st.markdown(
                "**No crowd distribution.** These items have no labels by many people, so the "
                f"reference is {_reference(chosen)}. {alone}Open a file with a crowd’s "
                "distributions under *Files*, or import data with one (VariErr includes the "
                "hundred labels per item of ChaosNLI)."
            )
            page_link(context, "data", "Import a dataset", view="import")
    elif set(chosen.reading.names) == {chosen.against, UNIFORM}:
        with st.container(border=True):
            st.markdown(
                "**Nothing to compare yet.** Estimate distributions with a model, or open a "
                "file with another source under *Files*."
            )
            st.button(
                "Estimate with a model", key=f"{PAGE}.ask", on_click=url_state.put,
                args=(PAGE, {"part": "models"}),
            )  # fmt: skip


def _whose_items(context: PageContext, chosen: Chosen) -> str:
    own = f"Items of the file {chosen.file_stem}, not of {context.entry.name}"
    simulated = "; the notice above the title does not apply to them"
    return f"{own}{simulated if context.entry.simulated else ''}."


def _reference(chosen: Chosen) -> str:
    if chosen.against == ANNOTATORS:
        alone = chosen.dataset is None or len(chosen.dataset.annotators) < 2
        return "the annotators’ own labels" + ("" if alone else ", one of them left out at a time")
    return markdown(called(chosen.against))


def _nothing_to_compare(context: PageContext) -> None:
    show_headline("Only one source of label distributions, so there is nothing to compare.")
    with st.container(border=True):
        st.markdown(
            "Open a file with distributions under *Files*, or import data with several annotators."
        )
        page_link(context, "data", "Import a dataset", view="import")
