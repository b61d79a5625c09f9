"""Potato: a folder for each user with `user_state.json` or `annotated_instances.jsonl`, or a table.

`user_state.json` has `instance_id_to_label_to_value`: item → scheme → label → value, or a list of
[{schema, name}, value] for each item. `annotated_instances.jsonl` has the same under
`label_annotations`, with `displayed_text`. Tables have one row per user and item, with a column
for each scheme (`sentiment`) or for each label of one (`sentiment:::positive`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import ToolAnswer, ToolExport, parsed_cell, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.formatting import count
from capo_core.json_text import json_line

_STATE = "instance_id_to_label_to_value"
_USER = ("user_id", "user", "username", "annotator", "annotator_id")
_OWN = {*_USER, "instance_id", "displayed_text", "text", "annotator_origin", "id",
        "annotator_origin_detail", "time_string", "behavioral_data", "span_annotations",
        "link_annotations", "event_annotations", "spans"}  # fmt: skip
# An unnamed index, and what Potato's surveys before and after ask of the person.
_ABOUT_PERSON = re.compile(
    r"|column_\d+|unnamed_\d+|index|gender|sex|age|race|ethnicity|education|occupation|nationality|"
    r"country|religion|politics|native_language"
)
_TRUE = {"true", "on", "yes", "checked"}
_FALSE = {"", "false", "off", "null", "nan"}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_LIKERT = re.compile(r"(?:scale|likert|value|point)[_ ]?(-?\d+)")
_WHOLE = re.compile(r"|text[_ ]?box|text|slider|number|value|scale|likert|free[_ ]?response|label",
                    re.IGNORECASE)  # fmt: skip


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get(_STATE), dict)


def _is_instance(record: dict) -> bool:
    return bool({"instance_id", "id"} & set(record)) and "label_annotations" in record


def _is_row(record: dict) -> bool:
    if "instance_id" not in record or not any(key in record for key in _USER):
        return False
    names = {normalised_name(str(key)) for key in record}
    shown = names & {*SYNONYMS["text_a"], *SYNONYMS["text_b"]} - {"text"}
    return any(":::" in str(key) for key in record) or "displayed_text" in record or not shown


def matches(source: ImportSource) -> bool:
    """Return whether a user's state, or annotated instances, are in the file."""
    if _is_state(source.json_value) or any(map(_is_state, source.sample)):
        return True
    return any(_is_instance(each) or _is_row(each) for each in source.sample)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the answers of a user's state, or of annotated instances."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    notes = list(records.notes)
    answers: list[ToolAnswer] = []
    spans = 0
    for row, record in records.rows:
        if _is_state(record):
            user = cell_text(record.get("user_id")).strip() or _folder(options)
            marked = record.get("instance_id_to_span_to_value")
            spans += len(marked) if isinstance(marked, dict) else 0
            for number, (item, given) in enumerate(record[_STATE].items(), 1):
                place = number if len(records.rows) == 1 else row
                answers.append(
                    ToolAnswer(place, user, cell_text(item).strip(), {}, answered(given))
                )
            continue
        spans += bool(parsed_cell(record.get("span_annotations")))
        answers.append(_row(row, record, options))
    if spans:
        notes.append(f"spans in {count(spans, 'item')} are not read: they label parts of a text")
    answered_items = [each for each in answers if any(map(bool, each.given.values()))]
    if len(answered_items) < len(answers):
        left = len(answers) - len(answered_items)
        notes.append(f"{count(left, 'item')} assigned but not annotated")
    return ToolExport(
        answered_items, {}, tuple(notes), delimiter=records.delimiter, sheet=records.sheet
    )


def _folder(options: ReadOptions) -> str:
    """Return the name of the user's folder, which holds the state."""
    return options.annotator or options.path.resolve().parent.name


def _user(record: dict) -> str:
    return next((cell_text(record[key]).strip() for key in _USER if record.get(key)), "")


def _row(row: int, record: dict, options: ReadOptions) -> ToolAnswer:
    if _is_instance(record):
        given = answered(parsed_cell(record["label_annotations"]))
    else:
        given = _columns(record)
    user = _user(record)
    if not user and options.path.name.startswith("annotated_instances"):
        user = _folder(options)
    texts = {key: cell_text(record[key]) for key in ("displayed_text", "text") if key in record}
    item = record.get("instance_id", record.get("id"))
    return ToolAnswer(row, user, cell_text(item).strip(), texts, given)


def _columns(record: dict) -> dict[str, Any]:
    """Return scheme → answer, of a table's row; `scheme:::label` are the labels of one scheme."""
    parts: dict[str, dict[str, Any]] = {}
    given: dict[str, Any] = {}
    for key, value in record.items():
        scheme, colons, label = str(key).partition(":::")
        if colons:
            parts.setdefault(scheme, {})[label] = value
        elif key not in _OWN and not _ABOUT_PERSON.fullmatch(normalised_name(str(key))):
            value = parsed_cell(value)
            whole = isinstance(value, dict)
            given[key] = _scheme(value) if whole else value if isinstance(value, list) else (
                _written(value)
            )  # fmt: skip
    return given | {scheme: _scheme(labels) for scheme, labels in parts.items()}


def answered(value: Any) -> dict[str, Any]:
    """Return scheme → answer of an item: a text, a number, or the labels chosen.

    >>> answered({"mood": {"good": "true", "bad": ""}, "why": {"text_box": "It sings."}})
    {'mood': ['good'], 'why': ['It sings.']}
    >>> answered([[{"schema": "mood", "name": "good"}, True]])
    {'mood': ['good']}
    """
    schemes: dict[str, dict[str, Any]] = {}
    for scheme, label, inner in _entries(value):
        schemes.setdefault(scheme, {})[label] = inner
    return {scheme: _scheme(labels) for scheme, labels in schemes.items()}


def _entries(value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for scheme, labels in value.items():
            if isinstance(labels, dict):
                inner = labels.get("labels") if set(labels) == {"labels"} else labels
                inner = inner if isinstance(inner, dict) else {"": inner}
                yield from ((cell_text(scheme), cell_text(k), v) for k, v in inner.items())
            else:
                yield cell_text(scheme), "", labels
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], dict):
                name = entry[0]
                yield cell_text(name.get("schema")), cell_text(name.get("name")), entry[1]


def _scheme(labels: dict[str, Any]) -> list[str]:
    """Return the labels chosen, or what was written, of one scheme."""
    found = []
    for label, value in labels.items():
        if isinstance(value, list | dict):
            if value:
                found.append(json_line(value))
            continue
        text = cell_text(value).strip()
        if text.casefold() in _FALSE and text != label:
            continue
        likert = _LIKERT.fullmatch(label)
        if text and text == label:
            found.append(label)
        elif likert:
            found.append(likert[1])
        elif text.casefold() in _TRUE and label:
            found.append(label)
        elif _WHOLE.fullmatch(label) or not label:
            found.append(text)  # a text box, a slider, a number
        elif _NUMBER.fullmatch(text):
            found.append(label)  # radio buttons have the number of their key as value
        else:
            found.append(cell_text(value))
    return found


def _written(value: Any) -> str:
    text = cell_text(value)
    return "" if text.strip().casefold() in ("nan", "null") else text


FORMAT = tool_format(
    name="potato",
    title="Potato",
    description="Potato's 'user_state.json' or 'annotated_instances.jsonl' of each user, or its "
    "TSV, CSV, JSON Lines or Parquet of all users",
    sign="'instance_id_to_label_to_value', 'label_annotations', or a row per 'instance_id' and "
    "user with a column for each scheme",
    file_per_annotator=True,
    matches=matches,
    read=read,
)
