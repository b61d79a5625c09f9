"""Label Studio: tasks with the annotations of several people, as JSON, JSON_MIN, CSV or TSV.

In the full JSON a task has `data` (what was shown) and `annotations`; each has `completed_by` and
a list `result`, one entry for each control of the labelling interface (`from_name`) with its
`type` and `value`. Predictions and drafts are nobody's annotations. JSON_MIN and CSV have one
object or row per annotation: the task's data, the controls, `annotator` and `annotation_id`; a
control with several choices holds `{"choices": […]}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import (
    LABEL,
    TEXT,
    ToolAnswer,
    ToolExport,
    labels_of,
    parsed_cell,
    texts_of,
    tool_format,
)
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted_list
from capo_core.errors import DataError
from capo_core.formatting import count

_SHOWN = {*SYNONYMS["text_a"], *SYNONYMS["text_b"], *SYNONYMS["item_id"], *SYNONYMS["split"]}
_ANSWERED = {*SYNONYMS["label"], *SYNONYMS["explanation"]}
_KINDS = {  # type of a result → kind of question; every other type marks a part of the item
    "choices": LABEL,
    "rating": LABEL,
    "number": LABEL,
    "taxonomy": LABEL,
    "pairwise": LABEL,
    "textarea": TEXT,
}
_CANCELLED = "cancelled (skipped) in Label Studio"
# Columns of CSV and JSON_MIN that are neither data nor answers.
_META = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}


def _is_task(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    given = record.get("annotations", record.get("completions"))
    return isinstance(record.get("data"), dict) and isinstance(given, list)


def _is_result(record: Any) -> bool:
    """Return whether this is an annotation with its task, as cloud storages hold them."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("result"), list)
        and isinstance(record.get("task"), dict)
        and isinstance(record["task"].get("data"), dict)
    )


def _is_row(record: Any) -> bool:
    """Return whether this is a row of CSV or JSON_MIN."""
    if not isinstance(record, dict) or not {"annotator", "annotation_id"} <= set(record):
        return False
    return "lead_time" in record or any(_choice_cell(value) for value in record.values())


def _choice_cell(value: Any) -> bool:
    value = parsed_cell(value)
    return isinstance(value, dict) and isinstance(value.get("choices"), list)


def matches(source: ImportSource) -> bool:
    """Return whether tasks with `data` and `annotations`, or rows of them, are in the file."""
    value = source.json_value
    if isinstance(value, dict) and (_is_task(value) or _is_result(value)):
        return True
    sample = source.sample
    return any(map(_is_task, sample)) or any(map(_is_result, sample)) or any(map(_is_row, sample))


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the answers of an export."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers: list[ToolAnswer] = []
    kinds: dict[str, str] = {}
    marks: dict[str, int] = {}
    pairs: dict[tuple[str, ...], bool] = {}
    empty = predictions = 0
    for row, record in records.rows:
        if _is_task(record):
            given = record.get("annotations", record.get("completions"))
            predictions += bool(record.get("predictions"))
            empty += not given
            for annotation in given:
                answers.append(_annotation(row, record, annotation, kinds, marks))
                pairs |= dict.fromkeys(_compared(annotation), True)
        elif _is_result(record):
            answers.append(_annotation(row, record["task"], record, kinds, marks))
        elif {"annotator", "annotation_id"} <= set(record):
            answers.append(_row(row, record))
        else:
            rejected.add(row, "", "neither a task nor an annotation of Label Studio",
                         cell_text(record))  # fmt: skip
    notes = list(records.notes)
    if empty:
        notes.append(f"{count(empty, 'task')} without any annotation")
    if predictions:
        notes.append(f"the predictions of models for {count(predictions, 'task')} are not read")
    if marks:
        notes.append(
            f"regions and relations are not read, they label parts of an item: {quoted_list(marks)}"
        )
        if not kinds:
            raise DataError(
                f"the results are of the type {quoted_list(marks)}: they label parts of an item, "
                "not the item",
                where=source.name,
                expected="results of the type choices, rating, number, taxonomy or pairwise",
            )
    if any(not _is_task(record) and not _is_result(record) for _, record in records.rows):
        answers = shown_apart(answers)
    return ToolExport(
        answers,
        kinds,
        tuple(notes),
        shown=next(iter(pairs)) if len(pairs) == 1 else (),
        delimiter=records.delimiter,
        sheet=records.sheet,
        provenance=records.provenance,
    )


def _compared(annotation: Any) -> list[tuple[str, ...]]:
    """Return the two fields that a pairwise comparison is about: "left" is the first of them."""
    result = annotation.get("result") if isinstance(annotation, dict) else None
    return [
        tuple(name.strip() for name in cell_text(entry.get("to_name")).split(","))
        for entry in (result if isinstance(result, list) else ())
        if isinstance(entry, dict) and entry.get("type") == "pairwise"
    ]


def _annotation(
    row: int, task: dict, annotation: Any, kinds: dict[str, str], marks: dict[str, int]
) -> ToolAnswer:
    item = cell_text(task.get("id", task.get("inner_id"))).strip()
    texts = texts_of(task["data"])
    if not isinstance(annotation, dict):
        return ToolAnswer(row, "", item, texts, {}, "the annotation is not a JSON object")
    given: dict[str, Any] = {}
    result = annotation.get("result")
    for entry in result if isinstance(result, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("value"), dict):
            continue
        kind, name = cell_text(entry.get("type")), cell_text(entry.get("from_name"))
        if kind not in _KINDS:
            marks[kind] = marks.get(kind, 0) + 1
            continue
        kinds[name] = _KINDS[kind]
        values = list(_values(kind, entry["value"]))
        given[name] = [*given.get(name, []), *values]
    aside = ""
    if annotation.get("was_cancelled") is True or annotation.get("skipped") is True:
        aside = _CANCELLED
    elif not isinstance(result, list) or not result:
        aside = "submitted without any answer"
    return ToolAnswer(
        row,
        _who(annotation.get("completed_by")),
        item,
        texts,
        given,
        aside,
        annotation_id=cell_text(annotation.get("id")).strip(),
    )


def _values(kind: str, value: dict) -> Iterator[str]:
    if kind == "pairwise":
        yield cell_text(value.get("selected"))
        return
    found = value.get("text" if kind == "textarea" else kind)
    for each in found if isinstance(found, list) else [found]:
        if kind == "taxonomy" and isinstance(each, list):
            yield " > ".join(cell_text(part) for part in each)
        else:
            yield cell_text(each)


def _who(value: Any) -> str:
    """Return the person: the address of an object, else its number."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return cell_text(value).strip()


def _row(row: int, record: dict) -> ToolAnswer:
    given = {name: _cell(value) for name, value in record.items() if name not in _META}
    person = parsed_cell(record.get("annotator"))
    return ToolAnswer(
        row,
        _who(person),
        cell_text(record.get("id")).strip(),
        {name: cell_text(value) for name, value in given.items() if isinstance(value, str)},
        given,
        annotation_id=cell_text(record.get("annotation_id")).strip(),
    )


def _cell(value: Any) -> Any:
    """Return a cell's answer: choices, ratings and texts out of their objects."""
    value = parsed_cell(value)
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        parts = [part for each in value for part in _as_list(_cell(each))]
        return parts
    if isinstance(value, dict):
        for key in ("choices", "text", "rating", "number", "taxonomy", "selected"):
            if key in value:
                kind = "textarea" if key == "text" else "pairwise" if key == "selected" else key
                return list(_values(kind, value))
    return value if isinstance(value, str | list) else cell_text(value)


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def shown_apart(answers: list[ToolAnswer]) -> list[ToolAnswer]:
    """Return rows whose `given` holds all columns with what was shown moved to `texts`.

    What was shown is the same in all rows of an item, so a column that differs within an item is
    an answer. A column that never differs was shown if its name says so, or if it differs from
    item to item as texts do; else it is an answer that all agree on.
    """
    names = list(dict.fromkeys(name for each in answers for name in each.given))
    first: dict[tuple[str, str], object] = {}
    differing, values = set(), {name: set() for name in names}
    for answer in answers:
        for name, value in answer.given.items():
            seen = first.setdefault((answer.item, name), value)
            if seen != value and answer.item:
                differing.add(name)
            values[name].add(cell_text(value))
    items = len({answer.item for answer in answers})
    shown = {
        name
        for name in names
        if name not in differing and _was_shown(name, values[name], items, answers)
    }
    return [
        replace(
            answer,
            texts={k: cell_text(v) for k, v in answer.given.items() if k in shown},
            given={k: v for k, v in answer.given.items() if k not in shown},
        )
        for answer in answers
    ]


def _was_shown(name: str, values: set[str], items: int, answers: list[ToolAnswer]) -> bool:
    key = normalised_name(name)
    if key in _ANSWERED:
        return False
    if key in _SHOWN:
        return True
    if any(not isinstance(each.given.get(name, ""), str) for each in answers):
        return False
    words = sum(len(value.split()) for value in values) / max(len(values), 1)
    return len(values) > 0.5 * items and (words > 2 or len(values) > 20) and any(
        labels_of(value)[0] for value in values
    )  # fmt: skip


FORMAT = tool_format(
    name="label-studio",
    title="Label Studio",
    description="JSON, JSON_MIN, CSV or TSV export of Label Studio with choices, ratings and text "
    "areas of several annotators",
    sign="tasks with 'data' and 'annotations', or the columns 'annotator' and 'annotation_id'",
    file_per_annotator=True,
    matches=matches,
    read=read,
)
