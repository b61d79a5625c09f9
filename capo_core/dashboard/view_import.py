"""Bringing a dataset in: a file with its columns, or a download."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from capo_core.dashboard import cache, services, state, view_mapping
from capo_core.dashboard.browser import answers_html, item_html
from capo_core.dashboard.components import heading, note, says, show_error
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.search import answers
from capo_core.dashboard.theme import looks
from capo_core.dashboard.view_data import PAGE
from capo_core.dashboard.view_rows import import_report
from capo_core.dashboard.words import markdown
from capo_core.data.catalog import Catalog
from capo_core.data.importing import Import
from capo_core.errors import CapoError

_TYPES = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "xlsx"]
_FORMATS = {
    "auto": "find out",
    "table": "a table",
    "varierr": "VariErr",
    "lewidi": "LeWiDi",
}


def show(frame: Frame) -> None:
    """Upload, correct what was guessed, look at the outcome, add it."""
    note(
        "A table with labels and explanations: one row an annotation, or one row an item with "
        "columns per annotator. CSV, TSV, JSONL, JSON, Excel or Parquet; VariErr and LeWiDi files "
        "as published. The file is read on this computer and goes nowhere else."
    )
    files = st.file_uploader(
        "File",
        type=_TYPES,
        accept_multiple_files=True,
        key="import.files",
        help="One file with the data. Its description (….capo.json), or LeWiDi's file about the "
        "annotators, may come with it.",
    )
    if not files:
        _download(frame)
        return
    path = services.keep_uploads(frame.workspace, [(file.name, file.getvalue()) for file in files])
    token = path.parent.name
    left, middle = st.columns(2)
    with left:
        taken = [entry.name for entry in frame.entries]
        name = st.text_input(
            "Name of the dataset",
            services.free_name(path.name.split(".")[0], taken),
            key=f"import.{token}.name",
            help="Letters, digits, dots, hyphens and underscores.",
        ).strip()
    with middle:
        format_ = st.selectbox(
            "What kind of file it is",
            list(_FORMATS),
            format_func=_FORMATS.__getitem__,
            key=f"import.{token}.format",
        )
    try:
        raw = cache.raw_table(path, format_)
        mapping = view_mapping.mapping(raw, token) if raw is not None else None
        task = view_mapping.task(token)
        result = cache.read(path, name, format_, mapping, task)
    except CapoError as error:
        show_error(error)
        return
    _outcome(frame, result)


def _outcome(frame: Frame, result: Import) -> None:
    dataset, report = result.dataset, result.report
    heading("What came out")
    items, annotators = len(dataset.items), len(dataset.annotators)
    says(
        f"{items:,} items, {annotators:,} annotators, {len(dataset.annotations):,} annotations; "
        f"labels {_labels(dataset.task.scale.labels)}."
    )
    import_report(
        rows_read=report.rows_read,
        rows_kept=report.rows_kept,
        set_aside=report.set_aside,
        notes=report.notes,
        unit=report.unit,
        key="import.report",
        name=dataset.name,
    )
    first = dataset.items.iloc[0]
    st.html(item_html(dataset.task, first["text_a"], first["text_b"]))
    st.html(answers_html(answers(dataset, first["item_id"]), looks(dataset.annotators)))
    taken = any(one.name == dataset.name and not one.shipped for one in frame.entries)
    replace = taken and st.checkbox(f"Replace the dataset {markdown(dataset.name)} that is there")
    if st.button(f"Add {markdown(dataset.name)}", type="primary", key="import.add"):
        try:
            Catalog(frame.workspace).add(dataset, report, replace=replace)
        except CapoError as error:
            show_error(error)
            return
        state.put(PAGE, {state.DATASET: dataset.name, "view": "dataset"})
        st.rerun()


def _labels(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:7])
    return shown if len(labels) <= 7 else f"{shown}, … {labels[-1]}"


def _download(frame: Frame) -> None:
    heading("Or begin with published data")
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True, height="stretch"):
        st.markdown(
            "**VariErr NLI** (Weber-Genzel et al., ACL 2024): 500 items of natural language "
            "inference, four annotators, 1,933 explanations with later judgments of validity."
        )
        if st.button("Download VariErr", key="import.varierr"):
            _fetch(frame, "varierr")
    with right, st.container(border=True, height="stretch"):
        st.markdown(
            "**LeWiDi** (Learning with Disagreements, shared task): its files are handed out by "
            "the organisers to those who ask. With `Paraphrase_train.json` or another of its "
            "files on your disk, upload it above; the format is recognised."
        )


def _fetch(frame: Frame, source: str) -> None:
    from capo_core.data.fetch import fetch

    bar = st.progress(0.0, text="Connecting …")

    def progress(what: str, share: float) -> None:
        bar.progress(min(1.0, max(0.0, share)), text=markdown(what[:1].upper() + what[1:]))

    try:
        fetched = fetch(source, frame.workspace, progress)
        path = Path(fetched)
        name = services.free_name(source, [entry.name for entry in frame.entries])
        result = cache.read(path, name, "auto", None, None)
        Catalog(frame.workspace).add(result.dataset, result.report)
    except CapoError as error:
        bar.empty()
        show_error(error)
        return
    state.put(PAGE, {state.DATASET: result.dataset.name, "view": "dataset"})
    st.rerun()
