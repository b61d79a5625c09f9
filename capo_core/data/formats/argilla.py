"""Argilla, versions 1 and 2: records with the responses of several users to several questions.

Version 2 writes `QUESTION.responses`, `QUESTION.responses.users` and `QUESTION.responses.status`
as lists of the same length (JSON, Parquet, the Hugging Face hub), or nested: `fields` and
`responses` with a list of `{value, user_id}` for each question. Version 1 has a list of
`{user_id, value, status}` under each question, or `responses` with `{user_id, values, status}`;
its text classification has `annotation`, `annotation_agent` and a `status` (Default: not validated
yet, Edited, Validated, Discarded). Only submitted responses and validated annotations count.
Suggestions and predictions are models' and not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capo_core.data.formats.answers import (
    ToolAnswer,
    ToolExport,
    parsed_cell,
    texts_of,
    tool_format,
)
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted_list
from capo_core.formatting import count

_RESPONSES = ".responses"
_NOT_SHOWN = {"id", "status", "_server_id", "external_id", "metadata", "vectors", "inserted_at",
              "updated_at", "suggestions", "responses", "fields", "split"}  # fmt: skip
_OLD = {"annotation", "annotation_agent"}
_ASIDE = {
    "discarded": "discarded in Argilla",
    "draft": "a draft in Argilla, not submitted",
    "pending": "pending in Argilla, not submitted",
}
# Of a record of text classification (version 1): only what a person confirmed is `Validated`.
_NOT_VALIDATED = {
    "default": "status Default in Argilla 1: nobody has validated this annotation yet",
    "edited": "status Edited in Argilla 1: changed, and not validated yet",
}


def _is_flat(record: Mapping) -> bool:
    return any(
        isinstance(name, str) and name.endswith(_RESPONSES) and f"{name}.users" in record
        for name in record
    )


def _is_columns(value: Any) -> bool:
    """Return whether this is a list for each field of all records."""
    return isinstance(value, dict) and any(
        str(name).endswith(".users") and isinstance(each, list) and each
        and all(isinstance(inner, list | None) for inner in each)
        for name, each in value.items()
    )  # fmt: skip


def _is_nested(record: Mapping) -> bool:
    responses = record.get("responses")
    return isinstance(record.get("fields"), dict) and isinstance(responses, dict | list)


def _is_first(record: Mapping) -> bool:
    """Return whether lists of responses are under the questions, as in version 1."""
    return any(_old_responses(parsed_cell(value)) is not None for value in record.values())


def _old_responses(value: Any) -> list[dict] | None:
    if isinstance(value, dict) and {"user_id", "value"} <= set(value):
        columns = [value[key] for key in ("user_id", "value")]
        if not all(isinstance(each, list) for each in columns):
            return None
        status = value.get("status")
        status = status if isinstance(status, list) else [None] * len(columns[0])
        return [
            {"user_id": who, "value": what, "status": how}
            for who, what, how in zip(*columns, status, strict=False)
        ]
    if not isinstance(value, list) or not value:
        return None
    sound = all(isinstance(each, dict) and {"user_id", "value"} <= set(each) for each in value)
    return value if sound else None


def _is_old(record: Mapping) -> bool:
    return set(record) >= _OLD and "prediction" in record


def matches(source: ImportSource) -> bool:
    """Return whether records with responses of users are in the file."""
    if _is_columns(source.json_value):
        return True
    tests = (_is_flat, _is_nested, _is_first, _is_old)
    return any(test(record) for record in source.sample for test in tests)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the responses of an export."""
    if _is_columns(source.json_value):  # as `to_dict` gives them
        rows = list(enumerate(_by_record(source.json_value), 1))
        notes = ["the file holds a list for each field, not an object for each record"]
        delimiter = sheet = ""
    else:
        found = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
        rows, notes = found.rows, list(found.notes)
        delimiter, sheet = found.delimiter, found.sheet
    answers: list[ToolAnswer] = []
    empty, unusable = 0, set()
    for row, record in rows:
        record = {name: parsed_cell(inner) for name, inner in record.items()}
        own = list(_answers(row, record, unusable))
        empty += not own
        answers += own
    if empty:
        notes.append(f"{count(empty, 'record')} without a response")
    if unusable:
        notes.append(f"rankings and spans are not read: {quoted_list(sorted(unusable))}")
    return ToolExport(answers, {}, tuple(notes), "responses", delimiter=delimiter, sheet=sheet)


def _by_record(columns: dict[str, Any]) -> list[dict]:
    lists = {name: each for name, each in columns.items() if isinstance(each, list)}
    length = max(map(len, lists.values()), default=0)
    return [{name: each[i] for name, each in lists.items() if i < len(each)} for i in range(length)]


def _answers(row: int, record: dict, unusable: set[str]) -> Iterator[ToolAnswer]:
    if _is_old(record):
        yield from _old_answers(row, record)
        return
    by_user: dict[str, tuple[dict[str, Any], list[str]]] = {}
    asked = set()
    for question, user, value, status in _responses(record):
        asked.add(question)
        given, states = by_user.setdefault(user, ({}, []))
        states.append(status)
        if isinstance(value, list) and any(isinstance(each, dict) for each in value):
            unusable.add(question)
        elif value is not None:
            given[question] = value
    item = cell_text(record.get("id") or record.get("external_id")).strip()
    fields = record.get("fields") if isinstance(record.get("fields"), dict) else None
    shown = fields or {
        name: inner
        for name, inner in record.items()
        if name not in _NOT_SHOWN
        and name not in asked
        and not any(part in name for part in (_RESPONSES, ".suggestion", "-suggestion", "vectors."))
    }
    split = cell_text(record.get("split"))
    for user, (given, states) in by_user.items():
        aside = next((_ASIDE[state] for state in states if state in _ASIDE), "")
        yield ToolAnswer(row, user, item, texts_of(shown), given, aside, split)


def _responses(record: dict) -> Iterator[tuple[str, str, Any, str]]:
    """Return (question, user, value, status) of all responses in a record."""
    for name, value in record.items():
        if name.endswith(_RESPONSES) and isinstance(value, list):
            users, status = record.get(f"{name}.users"), record.get(f"{name}.status")
            for position, each in enumerate(value):
                who, how = _at(users, position).strip(), _at(status, position).lower()
                yield name.removesuffix(_RESPONSES), who, each, how
        elif (own := _old_responses(value)) is not None:
            for each in own:
                yield _response(name, each)
    nested = record.get("responses")
    if isinstance(nested, dict):
        for question, own in nested.items():
            for each in own if isinstance(own, list) else ():
                if isinstance(each, dict):
                    yield _response(question, each)
    elif isinstance(nested, list):
        for response in nested:
            values = response.get("values") if isinstance(response, dict) else None
            for question, value in values.items() if isinstance(values, dict) else ():
                inner = value.get("value") if isinstance(value, dict) else value
                yield _response(question, {**response, "value": inner})


def _at(values: Any, position: int) -> str:
    """Return a list's element as text; "" beyond its end."""
    there = isinstance(values, list) and position < len(values)
    return cell_text(values[position]) if there else ""


def _response(question: str, response: dict) -> tuple[str, str, Any, str]:
    who = cell_text(response.get("user_id") or response.get("user")).strip()
    return question, who, response.get("value"), cell_text(response.get("status")).lower()


def _old_answers(row: int, record: dict) -> Iterator[ToolAnswer]:
    """Return the annotation of a record of text classification, if it has one."""
    annotation = record.get("annotation")
    if annotation in (None, "", []):
        return
    status = cell_text(record.get("status")).lower()
    inputs = record.get("inputs")
    shown = inputs if isinstance(inputs, dict) and inputs else {"text": record.get("text")}
    yield ToolAnswer(
        row,
        cell_text(record.get("annotation_agent")).strip(),
        cell_text(record.get("id")).strip(),
        texts_of(shown),
        {"annotation": annotation},
        (_ASIDE | _NOT_VALIDATED).get(status, ""),
    )


FORMAT = tool_format(
    name="argilla",
    title="Argilla",
    description="JSON, JSON Lines, Parquet or CSV of Argilla 1 and 2, with the responses of "
    "several users",
    sign="lists '….responses' with '….responses.users', or lists of 'user_id' and 'value'",
    matches=matches,
    read=read,
)
