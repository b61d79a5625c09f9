"""The data page: one dataset with its import log and export, the import, and the list of all."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.data import PAGE, import_form, removal, split_form
from capo_core.dashboard.data.import_report import import_report
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    scroll_into_view,
    section_heading,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.exports import choose_csv_for_excel, download
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import annotators_html, answers, item_html
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.data.catalog import Catalog, Entry
from capo_core.data.crowd_counts import NO_ANNOTATORS
from capo_core.data.pseudonyms import LIKE_EMAIL
from capo_core.data.splits import split_problems
from capo_core.data.tool_exports import TOOL_EXPORTS
from capo_core.dataset import Dataset

_ADDED = "data-added"
_VIEWS = {"dataset": "This dataset", "import": "Import", "all": "All datasets"}


def show(context: PageContext) -> None:
    """Show the view that the address names; the import where there is no dataset."""
    view = url_state.view(PAGE, _VIEWS) if context.entry is not None else "import"
    if view == "import":
        import_form.show(context)
        return
    if view == "all":
        _all(context)
        return
    if context.entry.problem:
        st.error(markdown(context.entry.problem))
        removal.remove_button(context)
        return
    dataset = cache.dataset(context.workspace, context.entry)
    _next_steps(context, dataset)
    _description(context, dataset)
    _import_log(context)
    _first_items(dataset)
    _export(context, dataset)
    if not context.entry.shipped:
        section_heading("Remove")
        removal.remove_button(context)


def _next_steps(context: PageContext, dataset: Dataset) -> None:
    """Show, once after an import, where to go on."""
    if st.session_state.pop(import_form.ADDED, None) != context.entry.name:
        return
    with st.container(border=True, key=_ADDED):
        st.markdown(f"**{markdown(context.entry.name)} was added.** Next:")
        with st.container(horizontal=True):
            if dataset.explained:
                page_link(context, "annotators", "Read the annotators’ explanations")
                page_link(context, "stability", "Measure how identifiable they are")
                page_link(context, "finetune", "Fine-tune on an annotator")
            else:
                if context.entry.annotators:
                    page_link(context, "annotators", "See how the annotators use the labels")
                page_link(context, "distributions", "Compare label distributions")
    scroll_into_view(_ADDED)  # the button of the form stands far below


def _description(context: PageContext, dataset: Dataset) -> None:
    task, entry = dataset.task, context.entry
    scale = task.scale
    labels = (
        f"{scale.labels[0]} to {scale.labels[-1]}" if scale.ordinal else ", ".join(scale.labels)
    )
    kind = "ordinal" if scale.ordinal else "nominal"
    show_headline(
        f"{entry.name}: {datasets.summary(entry)}; {task.name}, labels {labels} ({kind}).",
        task.instruction,
    )
    if entry.origin:
        show_note(f"Origin: {_without_backticks(entry.origin)}")
    with side_by_side("about", [1, 1]) as (left, right):
        _annotators(left, entry, dataset)
        _splits(right, context, dataset)


def _annotators(place, entry: Entry, dataset: Dataset) -> None:
    with place:
        if not entry.annotations:
            _crowd_labels(entry, dataset)
            return
        section_heading("Annotations per annotator")
        table(
            datasets.per_annotator(dataset),
            {
                "annotator_id": Field("Annotator"),
                "items": Field("Items", "Items with at least one annotation.", 0),
                "annotations": Field("Annotations", "Several labels on one item count each.", 0),
                "explanations": Field("Explanations", "Annotations with an explanation.", 0),
            },
            key="data.annotators",
            file_name=f"{entry.name}-annotators",
        )
        if alpha := cache.alpha(dataset):
            section_heading("Inter-annotator agreement", HELP["agreement"])
            show_note(alpha)


def _crowd_labels(entry: Entry, dataset: Dataset) -> None:
    section_heading("Crowd labels", "How many people chose each label, over all items.")
    table(
        datasets.crowd_labels(dataset),
        {
            "label": Field("Label"),
            "count": Field("Labels", None, 0),
            "share": Field("Share", None, 0, percent=True),
        },
        key="data.crowd",
        file_name=f"{entry.name}-crowd-labels",
    )


def _splits(place, context: PageContext, dataset: Dataset) -> None:
    entry = context.entry
    with place:
        section_heading(
            "Split: training / validation / test",
            "No item is in two splits, and items with equal texts stay together. The stability "
            "analysis uses all items, in cross-validation folds of its own.",
        )
        splits = datasets.splits(dataset)
        if splits.empty:
            show_note("No split.")
        else:
            table(
                splits,
                {
                    "split": Field("Split"),
                    "items": Field("Items", None, 0),
                    **({"annotations": Field("Annotations", None, 0)} if entry.annotations else {}),
                },
                key="data.splits",
                file_name=f"{entry.name}-splits",
            )
            for problem in split_problems(dataset):
                show_note(problem)
        split_form.resplit(context, dataset)


def _import_log(context: PageContext) -> None:
    report = Catalog(context.workspace).report(context.entry.name)
    if report is None:
        return
    section_heading("Import log")
    key = Catalog(context.workspace).key_file(context.entry.name)
    if key is not None:
        show_note(f"Annotators are pseudonyms. The key is in {key}, and in no export.")
    elif any(LIKE_EMAIL in note for note in report.notes):
        show_note("To keep the addresses out of exports, import the file again with pseudonyms.")
    import_report(report, key="data.report", name=context.entry.name)


def _first_items(dataset: Dataset) -> None:
    with st.expander("Preview of the first items"):
        for item in dataset.items.head(3).itertuples():
            st.html(item_html(dataset.task, item.text_a, item.text_b))
            st.html(annotators_html(answers(dataset, item.item_id), looks(dataset.annotators)))
            if crowd := datasets.crowd_sentence(dataset, item.item_id):
                show_note(crowd)


_FILES = (
    ("csv", "CSV", "text/csv"),
    ("jsonl", "JSONL", "application/jsonl"),
    ("parquet", "Parquet", "application/vnd.apache.parquet"),
)


def _export_crowd(context: PageContext, prefix: str = "") -> None:
    """Show the downloads of crowd counts alone."""
    name = context.entry.name
    with st.container(horizontal=True):
        for format_, title, mime in _FILES:
            download(
                PAGE, f"{prefix}{title}", f"{name}-crowd-counts.{format_}", mime,
                lambda source, format_=format_: datasets.exported(
                    context.workspace, name, format_, crowd=True
                ),
                key=f"crowd.{format_}",
            )  # fmt: skip


def _export(context: PageContext, dataset: Dataset) -> None:
    entry = context.entry
    section_heading("Export")
    if not entry.annotations:
        _export_crowd(context)
        show_note(
            "One row per item, with an object of labels and numbers of people; an exported file "
            f"can be imported again, Parquet with the label scale. {NO_ANNOTATORS}."
        )
        choose_csv_for_excel()
        return
    with st.container(horizontal=True):
        for format_, title, mime in _FILES:
            download(
                PAGE, title, f"{entry.name}.{format_}", mime,
                # The writer of datasets makes the provenance, for the command line too.
                lambda source, format_=format_: datasets.exported(
                    context.workspace, entry.name, format_
                ),
                key=format_,
            )  # fmt: skip
        for tool in TOOL_EXPORTS.values():
            download(
                PAGE, tool.title, f"{entry.name}-{tool.name}.{tool.suffix}", tool.mime,
                lambda source, tool=tool: tool.text(
                    Catalog(context.workspace).load(entry.name), source
                ),
                key=tool.name,
            )  # fmt: skip
    if dataset.crowd is not None and len(dataset.crowd):
        _export_crowd(context, "Crowd counts, ")
    choose_csv_for_excel()
    show_note(
        "One row per annotation; an exported file can be imported again. Parquet holds all of a "
        "dataset in one file; crowd counts and items without annotations are not in CSV and JSONL "
        "(crowd counts have files of their own, with one row per item). In CSV, "
        "cells that a spreadsheet would read as a formula begin with an apostrophe."
    )


def _without_backticks(text: str) -> str:
    """Return `text` for a line without Markdown."""
    return text.replace("`", "")


def _all(context: PageContext) -> None:
    rows = pd.DataFrame(
        {
            "name": [entry.name for entry in context.entries],
            "task": [entry.task for entry in context.entries],
            "items": [entry.items for entry in context.entries],
            "annotators": [entry.annotators for entry in context.entries],
            "annotations": [entry.annotations for entry in context.entries],
            "kind": [
                "cannot be read"
                if entry.problem
                else "simulated, built in"
                if entry.shipped
                else "simulated"
                if entry.simulated
                else "imported"
                for entry in context.entries
            ],
            "added": [str(entry.added)[:16].replace("T", " ") for entry in context.entries],
        }
    )
    table(
        rows,
        {
            "name": Field("Dataset"),
            "task": Field("Task"),
            "items": Field("Items", None, 0),
            "annotators": Field("Annotators", None, 0),
            "annotations": Field("Annotations", None, 0),
            "kind": Field("Kind"),
            "added": Field("Added"),
        },
        key="data.all",
        file_name="datasets",
        on_row=lambda row: url_state.put(
            PAGE, {url_state.DATASET: context.entries[row].name, "view": None}
        ),
    )
    show_note("A click on a row opens the dataset.")
