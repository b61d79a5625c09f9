"""The import of a dataset: upload or download, column mapping, label scale, preview, adding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.data import PAGE
from capo_core.dashboard.data.form_words import (
    ENCODING,
    NOBODY,
    SEVERAL_LABELS,
    SHEET,
    in_form_words,
)
from capo_core.dashboard.data.import_report import import_report
from capo_core.dashboard.data.mapping_form import choose_fields, choose_mapping
from capo_core.dashboard.data.split_form import choose_split
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import section_heading, show_error, show_headline, show_note
from capo_core.dashboard.ui.item_html import annotators_html, answers, item_html
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.data import label_scales
from capo_core.data.catalog import Catalog
from capo_core.data.export import provenance_of
from capo_core.data.formats.registry import AUTO, FORMATS, download_sources
from capo_core.data.importing import ImportResult
from capo_core.data.joining import (
    ALL_SHEETS,
    BY_FILE,
    SUFFIXES,
    data_files,
    part_of,
    series_of,
)
from capo_core.data.label_sets import LABEL_SETS
from capo_core.data.proposals import consequences
from capo_core.data.pseudonyms import LIKE_EMAIL
from capo_core.data.readers.delimited import DELIMITERS
from capo_core.data.readers.sample import sheet_names
from capo_core.data.splits import PARTS, split_problems
from capo_core.errors import CapoError
from capo_core.formatting import capitalised, count, name_list, size
from capo_core.task import NLI, PARAPHRASE, Task
from capo_core.workspace import safe_name

ADDED = "data.added"  # session state: the dataset that was just added
_TASKS = {
    "found": "Detect from the file",
    "nli": "Natural language inference",
    "paraphrase": "Paraphrase, −5 to 5",
    "nominal": "Nominal labels …",
    "ordinal": "Ordinal scale …",
}
_BINARY = (".xlsx", ".parquet")
_DELIMITED = (".csv", ".tsv", ".txt")
_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Western European (cp1252)",
    "iso8859-15": "Western European (iso8859-15)",
    "mac-roman": "Western European (mac-roman)",
    "cp1250": "Central European (cp1250)",
    "iso8859-2": "Central European (iso8859-2)",
    "cp1251": "Cyrillic (cp1251)",
    "koi8-r": "Cyrillic (koi8-r)",
    "cp1253": "Greek (cp1253)",
    "cp1254": "Turkish (cp1254)",
    "cp1255": "Hebrew (cp1255)",
    "cp1256": "Arabic (cp1256)",
    "gb18030": "Chinese, simplified (gb18030)",
    "big5": "Chinese, traditional (big5)",
    "shift_jis": "Japanese (shift_jis)",
    "euc_kr": "Korean (euc_kr)",
}


def choose_task(token: str) -> Task | None:
    """Return the chosen task and label scale; None to detect them from the file."""
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        kind = st.selectbox(
            "Task and labels",
            list(_TASKS),
            format_func=_TASKS.__getitem__,
            key=f"import.{token}.task",
            help="On an ordinal scale, 4 is closer to 5 than to 1. Set it here if the file does "
            "not say so.",
        )
    if kind in ("nli", "paraphrase"):
        return NLI if kind == "nli" else PARAPHRASE
    if kind == "found":
        return None
    with right:
        entered = st.text_input(
            "Labels, separated by commas" if kind == "nominal" else "Lowest:highest label",
            placeholder="agree, unsure, disagree" if kind == "nominal" else "1:5",
            key=f"import.{token}.scale.{kind}",
        )
    if not entered.strip():
        return None
    make = label_scales.nominal_scale if kind == "nominal" else label_scales.ordinal_scale
    scale = make(entered)
    return Task("annotation", scale)


def choose_reading(paths: tuple[Path, ...], token: str) -> dict[str, str | None]:
    """Show how the files are read, what applies to their kinds; None of a value to detect it.

    Returns the arguments `encoding`, `delimiter` and `sheet` of `read_dataset`.
    """
    of = [sheet_names(path) for path in paths]
    books = [names for names in of if names]
    text = [path for path, names in zip(paths, of, strict=True) if not names]
    text = [path for path in text if path.suffix.lower() not in _BINARY]
    found: dict[str, str | None] = {"encoding": None, "delimiter": None, "sheet": None}
    places = iter(st.columns(3))
    if any(len(names) > 1 for names in books):
        total = sum(map(len, books))
        common = [name for name in books[0] if all(name in names for names in books)]
        with next(places):
            found["sheet"] = st.selectbox(
                SHEET,
                [None, *common, ALL_SHEETS],
                format_func=lambda name: (
                    "First with content" if name is None
                    else f"All {total}, as files of one dataset" if name == ALL_SHEETS
                    else name
                ),
                key=f"import.{token}.sheet",
                help="All: each sheet is a split (train, dev, test) or an annotator.",
            )  # fmt: skip
    if text:
        with next(places):
            found["encoding"] = st.selectbox(
                ENCODING,
                [None, *_ENCODINGS],
                format_func=lambda name: "Detect" if name is None else _ENCODINGS.get(name, name),
                key=f"import.{token}.encoding",
                accept_new_options=True,
                help="Choose it, or type its name, where letters of the preview are wrong.",
            )
    if any(path.suffix.lower() in _DELIMITED for path in text):
        with next(places):
            found["delimiter"] = st.selectbox(
                "Delimiter",
                [None, *DELIMITERS],
                format_func=lambda mark: (
                    "Detect" if mark is None else f"{DELIMITERS[mark].capitalize()}"
                ),
                key=f"import.{token}.delimiter",
            )
    return found


def choose_files(
    paths: tuple[Path, ...], token: str, *, every_sheet: bool
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Show each file's split and annotator for correction; return (parts, annotators).

    Of one file, only whose rows those are that name nobody.

    Args:
        every_sheet: all sheets are read, each as a file of its own; the sheets state their splits.
    """
    if len(paths) == 1:
        who = st.text_input(
            NOBODY,
            key=f"import.{token}.annotator",
            help="Leave it empty where the rows name their annotators. Enter file to take the name "
            "of the file, or of each sheet.",
        ).strip()
        return None, (who,) if who else None
    with st.expander(f"{len(paths)} files", expanded=True):
        show_note(
            "Each file's split, and whose rows those are that name nobody. Items in several files "
            "are joined; conflicts are in the report."
        )
        frame = pd.DataFrame(
            {
                "file": [path.name for path in paths],
                "split": [part_of(path) for path in paths],
                "annotator": [""] * len(paths),
            },
            dtype=object,
        )
        column = st.column_config
        edited = st.data_editor(
            frame,
            hide_index=True,
            key=f"import.{token}.files",
            disabled=["file"],
            column_config={
                "file": column.TextColumn("File"),
                "split": column.SelectboxColumn("Split", options=["", *PARTS]),
                "annotator": column.TextColumn("Annotator"),
            },
        ).fillna("")
        by_name = st.checkbox(
            "Take the annotators from the files’ names", key=f"import.{token}.by_name"
        )
    if every_sheet:
        return None, (BY_FILE,) if by_name else None
    parts = tuple(edited["split"])
    who = tuple(str(each).strip() for each in edited["annotator"])
    people = (BY_FILE,) if by_name else who if any(who) else None
    return None if parts == tuple(frame["split"]) else parts, people


_TYPES = [suffix.removeprefix(".") for suffix in SUFFIXES]


def format_titles() -> dict[str, str]:
    """Return format name → title, the automatic choice first."""
    return {AUTO: "Auto-detect", **{name: each.title for name, each in FORMATS.items()}}


def show(context: PageContext) -> None:
    """Show the upload, the mapping, the preview and the button that adds the dataset."""
    show_note(
        "A table with labels and explanations: one row per annotation, or one row per item with "
        "columns per annotator (CSV, TSV, JSONL, JSON, Excel or Parquet); exports of annotation "
        "tools; published datasets (VariErr, LeWiDi, e-SNLI, ChaosNLI) as they are. The file is "
        "processed locally and not uploaded anywhere."
    )
    files = st.file_uploader(
        "File",
        type=_TYPES,
        accept_multiple_files=True,
        key="import.files",
        help="One data file, or the train, dev and test files of one dataset, which are joined; "
        "optionally with a description (….capo.json) or with LeWiDi's annotator metadata.",
    )
    if not files:
        _download(context)
        return
    path = datasets.save_uploads(
        context.workspace, [(file.name, file.getvalue()) for file in files]
    )
    token = path.parent.name
    paths = tuple(data_files(path.parent)) or (path,)
    stem = series_of(path) if len(paths) > 1 else path.name.split(".")[0]
    left, middle, right = st.columns(3)
    with left:
        taken = [entry.name for entry in context.entries]
        name = st.text_input(
            "Dataset name",
            datasets.free_name(stem, taken),
            key=f"import.{token}.name",
            help="Letters, digits, dots, hyphens and underscores.",
        ).strip()
    with middle:
        titles = format_titles()
        format_ = st.selectbox(
            "File format",
            list(titles),
            format_func=titles.__getitem__,
            key=f"import.{token}.format",
        )
    with right:
        sets = st.selectbox(
            SEVERAL_LABELS,
            ["", *LABEL_SETS],
            format_func={"": "Not allowed", **LABEL_SETS}.get,
            key=f"import.{token}.sets",
            help="How cells such as joy;anger or a list of labels are read. No file says so, and "
            "without an answer a file with such cells is refused.",
        )
    read = _settings(path, paths, format_, token, valid=_valid_name(name, place=left))
    if read is None:
        return
    hide = st.checkbox(
        "Pseudonyms: annotators are called A1, A2, … in place of their names",
        key=f"import.{token}.pseudonyms",
        help="For names or e-mail addresses that must not leave this computer. Every export, atlas "
        "and study file then has the pseudonyms only. The key (which pseudonym is whose) is kept "
        "in the workspace, in no export. Names inside explanations are not replaced.",
    )
    try:
        result = cache.read(paths, name, format_, label_sets=sets, pseudonyms=hide, **read)
    except CapoError as error:
        show_error(in_form_words(error))
        return
    _preview(context, result)


def _valid_name(name: str, place) -> bool:
    """Return whether the dataset can have this name; say under the field why not."""
    try:
        safe_name(name)
    except CapoError as error:
        with place:
            show_error(error)
        return False
    return True


def _settings(
    path: Path, paths: tuple[Path, ...], format_: str, token: str, *, valid: bool
) -> dict[str, Any] | None:
    """Show files, mapping, task and split, each with its own error; None until all can be used."""
    reading = choose_reading(paths, token)
    every = reading["sheet"] == ALL_SHEETS
    first = reading | {"sheet": None} if every else reading
    try:
        raw = cache.raw_table(path, format_, **first)
        parts, annotators = choose_files(paths, token, every_sheet=every)
        if raw:
            # Read otherwise it has other columns, which are mapped anew.
            chosen = [f"{name}={value}" for name, value in first.items() if value]
            mapping = choose_mapping(
                raw, ".".join([token, *chosen]), names_annotators=bool(annotators)
            )
        else:
            mapping = choose_fields(path, format_, token, encoding=reading["encoding"])
    except CapoError as error:
        show_error(in_form_words(error))
        return None
    found: dict[str, Any] = {"mapping": mapping, "parts": parts, "annotators": annotators}
    valid = valid and not (raw and mapping is None)
    try:
        found["task"] = choose_task(token)
    except CapoError as error:
        show_error(error)
        valid = False
    try:
        found["shares"], found["seed"] = choose_split(token)
    except CapoError as error:
        show_error(error)
        valid = False
    return found | reading if valid else None


def _preview(context: PageContext, result: ImportResult) -> None:
    dataset, report = result.dataset, result.report
    section_heading("Import preview")
    items, annotators = len(dataset.items), len(dataset.annotators)
    same = [one.name for one in context.entries if one.fingerprint == dataset.fingerprint]
    sizes = (
        f"{count(annotators, 'annotator')}, {count(len(dataset.annotations), 'annotation')}"
        if annotators
        else f"{count(int(datasets.crowd_labels(dataset)['count'].sum()), 'crowd label')}, no "
        "annotators"
    )
    scale = dataset.task.scale
    show_headline(
        f"{count(items, 'item')}, {sizes}; labels {_labels(scale.labels)} "
        f"({'ordinal' if scale.ordinal else 'nominal'})."
    )
    exports.begin(provenance_of(dataset))
    import_report(report, key="import.report", name=dataset.name)
    first = dataset.items.iloc[0]
    st.html(item_html(dataset.task, first["text_a"], first["text_b"]))
    st.html(annotators_html(answers(dataset, first["item_id"]), looks(dataset.annotators)))
    if crowd := datasets.crowd_sentence(dataset, first["item_id"]):
        show_note(crowd)
    for sentence in consequences(dataset):
        st.warning(sentence)
    if any(LIKE_EMAIL in note for note in report.notes):
        st.warning("Annotators look like e-mail addresses. Choose “Pseudonyms” above to keep them "
                   "out of exports, atlas and study files.")  # fmt: skip
    for problem in split_problems(dataset):
        st.warning(f"{problem} Choose another split above.")
    if same:
        st.info(
            f"These are the items and annotations of {markdown(name_list(same))}, which is in this "
            "workspace already; adding them makes a second dataset."
        )
    exists = any(one.name == dataset.name and not one.shipped for one in context.entries)
    replace = exists and st.checkbox(f"Replace the existing dataset {markdown(dataset.name)}")
    if st.button(f"Add {markdown(dataset.name)}", type="primary", key="import.add"):
        try:
            Catalog(context.workspace).add(dataset, report, replace=replace)
        except CapoError as error:
            show_error(error)
            return
        st.session_state[ADDED] = dataset.name
        url_state.put(PAGE, {url_state.DATASET: dataset.name, "view": "dataset"})
        st.rerun()


def _labels(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:7])
    return shown if len(labels) <= 7 else f"{shown}, … {labels[-1]}"


def _download(context: PageContext) -> None:
    section_heading("Or start with published data")
    published = [each for each in download_sources().values() if each.is_dataset]
    published.sort(key=lambda each: "no explanations" in each.description)
    for row in range(0, len(published), 3):
        for place, each in zip(st.columns(3, gap="large"), published[row : row + 3], strict=False):
            with place, st.container(border=True, height="stretch"):
                st.markdown(f"**{markdown(each.title)}**: {markdown(each.description)}.")
                if each.files:
                    show_note(f"{size(each.size)}; licence: {markdown(each.licence)}.")
                    if st.button(f"Download {markdown(each.title)}", key=f"import.{each.name}"):
                        _fetch(context, each.name)
                else:
                    steps = each.by_hand
                    show_note(f"{capitalised(steps)} and upload {each.pattern} above.")


def _fetch(context: PageContext, source: str) -> None:
    from capo_core.data.download import fetch_dataset

    bar = st.progress(0.0, text="Connecting …")

    def progress(what: str, share: float) -> None:
        bar.progress(min(1.0, max(0.0, share)), text=markdown(capitalised(what)))

    try:
        name = datasets.free_name(source, [entry.name for entry in context.entries])
        result = fetch_dataset(source, context.workspace, progress, name=name)
        Catalog(context.workspace).add(result.dataset, result.report)
    except CapoError as error:
        bar.empty()
        show_error(error)
        return
    st.session_state[ADDED] = result.dataset.name
    url_state.put(PAGE, {url_state.DATASET: result.dataset.name, "view": "dataset"})
    st.rerun()
