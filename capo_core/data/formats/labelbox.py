"""Labelbox: the project export of today (NDJSON, a data row in each line) and the former JSON.

In NDJSON each data row has under `projects` the `labels` of its annotators (`created_by`), and in
each the `classifications`: radio buttons, checklists and free texts. The former export has one
object per label, with `Labeled Data`, `Created By` and `Label`. Objects and relations mark parts of
an item and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capo_core.data.formats.answers import LABEL, TEXT, ToolAnswer, ToolExport, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.formatting import count

_CHOICES = ("radio_answer", "checklist_answers", "answer", "answers")


def _is_row(record: Mapping[str, Any]) -> bool:
    """Return whether this is a data row with the labels of projects."""
    return isinstance(record.get("data_row"), dict) and isinstance(record.get("projects"), dict)


def _is_label(record: Mapping[str, Any]) -> bool:
    """Return whether this is one label of the former export."""
    return {"Labeled Data", "Label", "Created By"} <= set(record)


def matches(source: ImportSource) -> bool:
    """Return whether data rows with projects, or labels of the former export, are in the file."""
    return any(_is_row(record) or _is_label(record) for record in source.sample)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the classifications of each label; skipped ones and those without any are aside."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers: list[ToolAnswer] = []
    kinds: dict[str, str] = {}
    empty = marks = 0
    for row, record in records.rows:
        if _is_row(record):
            found = list(_labels(record))
            empty += not found
            shown = record["data_row"]
            item = cell_text(shown.get("external_id") or shown.get("id"))
            text = cell_text(shown.get("row_data"))
            for label in found:
                who = cell_text(_inner(label, "label_details").get("created_by"))
                given = _inner(label, "annotations")
                marks += bool(given.get("objects"))
                answers.append(
                    _answer(row, who, item, text, given, kinds, str(label.get("id") or ""))
                )
        elif _is_label(record):
            item = cell_text(record.get("External ID") or record.get("DataRow ID"))
            given = record["Label"] if isinstance(record["Label"], dict) else {}
            marks += bool(given.get("objects"))
            aside = "skipped in Labelbox" if record.get("Skipped") is True else ""
            answers.append(
                _answer(row, cell_text(record["Created By"]), item,
                        cell_text(record["Labeled Data"]), given, kinds,
                        str(record.get("ID") or ""), aside)
            )  # fmt: skip
        else:
            rejected.add(row, "", "neither a data row nor a label of Labelbox", cell_text(record))
    notes = list(records.notes)
    if empty:
        notes.append(f"{count(empty, 'data row')} without any label")
    if marks:
        notes.append("objects are not read: they mark parts of an item")
    return ToolExport(answers, kinds, tuple(notes), unit="labels")


def _inner(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _labels(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for project in record["projects"].values():
        labels = project.get("labels") if isinstance(project, dict) else None
        for label in labels if isinstance(labels, list) else ():
            if isinstance(label, dict):
                yield label


def _answer(
    row: int,
    who: str,
    item: str,
    text: str,
    given: Mapping[str, Any],
    kinds: dict[str, str],
    label_id: str,
    aside: str = "",
) -> ToolAnswer:
    """Return one annotator's classifications of an item, and note the kinds of the questions."""
    answered: dict[str, Any] = {}
    classifications = given.get("classifications")
    for one in classifications if isinstance(classifications, list) else ():
        if not isinstance(one, dict):
            continue
        name = cell_text(one.get("name") or one.get("title") or one.get("value"))
        free = _inner(one, "text_answer").get("content")
        chosen = next((one[key] for key in _CHOICES if key in one), None)
        if free is not None or isinstance(chosen, str):
            kinds.setdefault(name, TEXT)
            answered[name] = cell_text(chosen if free is None else free)
        elif chosen is not None:
            kinds[name] = LABEL
            answered[name] = _names(chosen)
    if not answered:
        aside = aside or "no classification was given"
    return ToolAnswer(row, who, item, {"text": text}, answered, aside, annotation_id=label_id)


def _names(chosen: Any) -> list[str]:
    values = chosen if isinstance(chosen, list) else [chosen]
    return [
        cell_text(each.get("name") or each.get("title") or each.get("value"))
        if isinstance(each, dict)
        else cell_text(each)
        for each in values
    ]


FORMAT = tool_format(
    name="labelbox",
    title="Labelbox",
    description="NDJSON of a Labelbox project, or its former JSON, with classifications (radio "
    "buttons, checklists, free texts) of several annotators",
    sign="'data_row' with 'projects', or 'Labeled Data' with 'Label' and 'Created By'",
    matches=matches,
    read=read,
)
