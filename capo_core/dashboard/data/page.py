"""The datasets of the workspace: what is in one, its import log, and export."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.data import PAGE, import_form
from capo_core.dashboard.data.import_report import import_report
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.item_html import answers, answers_html, item_html
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.data.catalog import Catalog, Entry
from capo_core.dataset import Dataset

_VIEWS = {"dataset": "This dataset", "import": "Import", "all": "All datasets"}


def show(context: PageContext) -> None:
    """The view that the address names; without any dataset, the import."""
    view = url_state.view(PAGE, _VIEWS) if context.entry is not None else "import"
    if view == "import":
        import_form.show(context)
        return
    if view == "all":
        _all(context)
        return
    if context.entry.problem:
        st.error(markdown(context.entry.problem))
        _remove_button(context)
        return
    dataset = cache.dataset(context.workspace, context.entry)
    _what_it_is(context, dataset)
    _how_it_came(context)
    _first_items(dataset)
    _out(context)


def _what_it_is(context: PageContext, dataset: Dataset) -> None:
    task, entry = dataset.task, context.entry
    scale = task.scale
    labels = (
        f"{scale.labels[0]} to {scale.labels[-1]}" if scale.ordinal else ", ".join(scale.labels)
    )
    kind = "an ordered scale" if scale.ordinal else "without order"
    show_headline(
        f"{entry.name}: {datasets.summary(entry)}; {task.name}, labels {labels} ({kind}).",
        task.instruction,
    )
    if entry.origin:
        show_note(f"Origin: {entry.origin}")
    with side_by_side("about", [1, 1]) as (left, right):
        _who(left, entry, dataset)
        _parts(right, entry, dataset)


def _who(place, entry: Entry, dataset: Dataset) -> None:
    with place:
        section_heading("Who annotated how much")
        table(
            datasets.per_annotator(dataset),
            {
                "annotator_id": Field("Annotator"),
                "items": Field("Items", "Items with at least one annotation.", 0),
                "annotations": Field("Annotations", "A second label on an item counts.", 0),
                "explanations": Field("Explanations", "Annotations that say why.", 0),
            },
            key="data.annotators",
            file_name=f"{entry.name}-annotators",
        )


def _parts(place, entry: Entry, dataset: Dataset) -> None:
    with place:
        section_heading(
            "How the items are split",
            "Items for learning, for choosing and for testing; no item is in two parts, and equal "
            "texts stay together. The stability report uses all of them with folds of its own.",
        )
        splits = datasets.splits(dataset)
        if splits.empty:
            show_note("No split is set.")
        else:
            table(
                splits,
                {
                    "split": Field("Part"),
                    "items": Field("Items", None, 0),
                    "annotations": Field("Annotations", None, 0),
                },
                key="data.splits",
                file_name=f"{entry.name}-splits",
            )


def _how_it_came(context: PageContext) -> None:
    report = Catalog(context.workspace).report(context.entry.name)
    if report is None:
        return
    section_heading("How it came in")
    import_report(
        rows_read=report.rows_read,
        rows_kept=report.rows_kept,
        set_aside=report.rejected,
        notes=report.notes,
        unit=report.unit,
        key="data.report",
        name=context.entry.name,
    )


def _first_items(dataset: Dataset) -> None:
    with st.expander("The first items, as they were understood"):
        for item in dataset.items.head(3).itertuples():
            st.html(item_html(dataset.task, item.text_a, item.text_b))
            st.html(answers_html(answers(dataset, item.item_id), looks(dataset.annotators)))


def _out(context: PageContext) -> None:
    entry = context.entry
    section_heading("Take it elsewhere")
    with st.container(horizontal=True):
        for format_, title, mime in (
            ("csv", "CSV", "text/csv"),
            ("jsonl", "JSONL", "application/jsonl"),
            ("parquet", "Parquet", "application/vnd.apache.parquet"),
        ):
            st.download_button(
                title,
                lambda format_=format_: datasets.exported(context.workspace, entry.name, format_),
                file_name=f"{entry.name}.{format_}",
                mime=mime,
                key=f"data.export.{format_}",
                on_click="ignore",
            )
        if not entry.shipped:
            _remove_button(context)
    show_note(
        "One row an annotation; it comes back unchanged by Import. Cells that a spreadsheet would "
        "take for a formula are written with a leading apostrophe in CSV."
    )


def _remove_button(context: PageContext) -> None:
    with st.popover("Remove …"):
        st.markdown(
            f"Remove **{markdown(context.entry.name)}** from the workspace? The file it came from "
            "stays as it is."
        )
        st.button(
            "Remove it",
            type="primary",
            key="data.remove",
            on_click=guarded,
            args=(_remove, context),
        )


def _remove(context: PageContext) -> None:
    Catalog(context.workspace).remove(context.entry.name)
    url_state.put(PAGE, {url_state.DATASET: None, "view": "all"})


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
                else "simulated, comes with the tool"
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
    )
    show_note("Choose one in the sidebar to look at it.")
