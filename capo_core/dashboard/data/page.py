"""The datasets that are there: what is in one, how it came in, and what can be done with it.

What became of the rows of a file: kept, set aside, and why.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import Frame, safely
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import Field, heading, note, says, side_by_side, table
from capo_core.dashboard.ui.item_html import answers, answers_html, item_html
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.data.catalog import Catalog, Entry
from capo_core.dataset import Dataset
from capo_core.formatting import count


def import_report(
    *,
    rows_read: int,
    rows_kept: int,
    set_aside: pd.DataFrame,
    notes,
    unit: str,
    key: str,
    name: str,
) -> None:
    """How many rows were read and kept, why the others were not, with those to download."""
    st.html(
        '<div class="capo-figures">'
        f"<div><span>{escape(unit)} read</span><b>{rows_read:,}</b></div>"
        f"<div><span>kept</span><b>{rows_kept:,}</b></div>"
        f"<div><span>set aside</span><b>{len(set_aside):,}</b></div></div>"
    )
    for text in notes:
        note(f"· {text[:1].upper()}{text[1:]}.".replace("..", "."))
    if len(set_aside):
        reasons = set_aside["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
        with st.expander(f"{count(len(set_aside), 'row')} set aside, and why", expanded=True):
            table(
                reasons,
                {"reason": Field("Reason", width="large"), "rows": Field("Rows", None, 0)},
                key=f"{key}.reasons",
                file_name=f"{name}-reasons",
                download=False,
            )
            table(
                set_aside,
                {
                    "row": Field("Row", "The row in the file."),
                    "column": Field("Column"),
                    "reason": Field("Reason", width="medium"),
                    "text": Field("What stood there", width="large"),
                },
                key=f"{key}.aside",
                file_name=f"{name}-set-aside",
            )


KEYS = ("view",)
PAGE = "data"
_VIEWS = {"dataset": "This dataset", "import": "Import", "all": "All datasets"}


def sections(frame: Frame) -> str:
    """Which part of the page is open."""
    if frame.entry is None:
        return "import"
    return url_state.view(PAGE, _VIEWS)


def show(frame: Frame, section: str) -> None:
    if section == "all":
        _all(frame)
        return
    if frame.entry.problem:
        st.error(markdown(frame.entry.problem))
        _remove_button(frame)
        return
    dataset = cache.dataset(frame.workspace, frame.entry)
    _what_it_is(frame, dataset)
    _how_it_came(frame)
    _first_items(dataset)
    _out(frame)


def _what_it_is(frame: Frame, dataset: Dataset) -> None:
    task, entry = dataset.task, frame.entry
    scale = task.scale
    labels = (
        f"{scale.labels[0]} to {scale.labels[-1]}" if scale.ordinal else ", ".join(scale.labels)
    )
    kind = "an ordered scale" if scale.ordinal else "without order"
    says(
        f"{entry.name}: {datasets.summary(entry)}; {task.name}, labels {labels} ({kind}).",
        task.instruction,
    )
    if entry.origin:
        note(f"Origin: {entry.origin}")
    with side_by_side("about", [1, 1]) as (left, right):
        _who(left, entry, dataset)
        _parts(right, entry, dataset)


def _who(place, entry: Entry, dataset: Dataset) -> None:
    with place:
        heading("Who annotated how much")
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
        heading(
            "How the items are split",
            "Items for learning, for choosing and for testing; no item is in two parts, and equal "
            "texts stay together. The stability report uses all of them with folds of its own.",
        )
        splits = datasets.splits(dataset)
        if splits.empty:
            note("No split is set.")
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


def _how_it_came(frame: Frame) -> None:
    report = Catalog(frame.workspace).report(frame.entry.name)
    if report is None:
        return
    heading("How it came in")
    import_report(
        rows_read=report.rows_read,
        rows_kept=report.rows_kept,
        set_aside=report.set_aside,
        notes=report.notes,
        unit=report.unit,
        key="data.report",
        name=frame.entry.name,
    )


def _first_items(dataset: Dataset) -> None:
    with st.expander("The first items, as they were understood"):
        for item in dataset.items.head(3).itertuples():
            st.html(item_html(dataset.task, item.text_a, item.text_b))
            st.html(answers_html(answers(dataset, item.item_id), looks(dataset.annotators)))


def _out(frame: Frame) -> None:
    entry = frame.entry
    heading("Take it elsewhere")
    with st.container(horizontal=True):
        for format_, title, mime in (
            ("csv", "CSV", "text/csv"),
            ("jsonl", "JSONL", "application/jsonl"),
            ("parquet", "Parquet", "application/vnd.apache.parquet"),
        ):
            st.download_button(
                title,
                lambda format_=format_: datasets.exported(frame.workspace, entry.name, format_),
                file_name=f"{entry.name}.{format_}",
                mime=mime,
                key=f"data.export.{format_}",
                on_click="ignore",
            )
        if not entry.shipped:
            _remove_button(frame)
    note(
        "One row an annotation; it comes back unchanged by Import. Cells that a spreadsheet would "
        "take for a formula are written with a leading apostrophe in CSV."
    )


def _remove_button(frame: Frame) -> None:
    with st.popover("Remove …"):
        st.markdown(
            f"Remove **{markdown(frame.entry.name)}** from the workspace? The file it came from "
            "stays as it is."
        )
        st.button(
            "Remove it",
            type="primary",
            key="data.remove",
            on_click=safely,
            args=(_remove, frame),
        )


def _remove(frame: Frame) -> None:
    Catalog(frame.workspace).remove(frame.entry.name)
    url_state.put(PAGE, {url_state.DATASET: None, "view": "all"})


def _all(frame: Frame) -> None:
    rows = pd.DataFrame(
        {
            "name": [entry.name for entry in frame.entries],
            "task": [entry.task for entry in frame.entries],
            "items": [entry.items for entry in frame.entries],
            "annotators": [entry.annotators for entry in frame.entries],
            "annotations": [entry.annotations for entry in frame.entries],
            "kind": [
                "cannot be read"
                if entry.problem
                else "simulated, comes with the tool"
                if entry.shipped
                else "simulated"
                if entry.simulated
                else "imported"
                for entry in frame.entries
            ],
            "added": [str(entry.added)[:16].replace("T", " ") for entry in frame.entries],
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
    note("Choose one in the sidebar to look at it.")
