"""Amazon Mechanical Turk: the CSV of a batch, one assignment in each row.

`Input.…` is what was shown, `Answer.…` what the worker gave: a column for each field, a column of
true and false for each option of radio buttons (`Answer.label.neutral`), or all fields as JSON in
`Answer.taskAnswers`. Rejected assignments do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import LABEL, ToolAnswer, ToolExport, parsed_cell, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.formatting import count

_ALL = "Answer.taskAnswers"
_BOOLEAN = {"true": True, "false": False, "on": True, "": False}
_NUMBERED = re.compile(r"(?P<name>.*?)[._ ]?(?P<number>\d+)")


def matches(source: ImportSource) -> bool:
    """Return whether the columns are those of a batch of Mechanical Turk."""
    sample = source.sample
    if not sample:
        return False
    names = set(sample[0])
    known = {"HITId", "AssignmentId", "WorkerId"} & names
    return len(known) >= 2 and any(str(name).startswith("Answer.") for name in names)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the answers of a batch; a task of several numbered items is one answer for each."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    notes = list(records.notes)
    rows = [(row, record, _answers(record)) for row, record in records.rows]
    options_of = _radio_groups([given for _, _, given in rows])
    rows = [(row, record, _grouped(given, options_of)) for row, record, given in rows]
    numbers = _item_numbers(rows)
    if numbers:
        notes.append(f"each task holds {len(numbers)} numbered items, each is an item here")
    answers: list[ToolAnswer] = []
    for row, record, given in rows:
        shown = _part(record, "Input.")
        aside = _aside(record)
        for number in numbers or [""]:
            own_texts, own = _of_item(shown, number, numbers), _of_item(given, number, numbers)
            answers.append(
                ToolAnswer(
                    row,
                    cell_text(record.get("WorkerId")).strip(),
                    _item(record, own_texts, number),
                    {name: cell_text(value) for name, value in own_texts.items()},
                    own,
                    aside,
                    annotation_id="" if numbers else cell_text(record.get("AssignmentId")).strip(),
                )
            )
    answers = _by_input(answers, notes)
    kinds = dict.fromkeys(options_of, LABEL)
    return ToolExport(
        answers,
        kinds,
        tuple(notes),
        "items of assignments" if numbers else "assignments",
        delimiter=records.delimiter,
        sheet=records.sheet,
    )


def _part(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in record.items()
        if name.startswith(prefix)
    }


def _aside(record: Mapping[str, Any]) -> str:
    status = cell_text(record.get("AssignmentStatus")).strip().casefold()
    reason = cell_text(record.get("Reject")).strip()
    feedback = cell_text(record.get("RequesterFeedback")).strip()
    rejected = cell_text(record.get("RejectionTime")).strip()
    approved = cell_text(record.get("ApprovalTime")).strip()
    if status == "rejected" or reason or (rejected and not approved and status != "approved"):
        why = (reason if reason.casefold() != "x" else "") or feedback
        return "the assignment was rejected" + (f" ({why})" if why else "")
    return ""


def _answers(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return field → answer, with those of `Answer.taskAnswers` taken out of their JSON."""
    given = _part(record, "Answer.")
    whole = given.pop(_ALL.removeprefix("Answer."), None)
    tasks = parsed_cell(whole)
    tasks = tasks if isinstance(tasks, list) else [tasks] if isinstance(tasks, dict) else []
    for number, task in enumerate(tasks, 1):
        if isinstance(task, dict):
            suffix = f"_{number}" if len(tasks) > 1 else ""
            given |= {f"{name}{suffix}": value for name, value in _flat(task).items()}
    if whole and not tasks and cell_text(whole).strip():
        given["taskAnswers"] = cell_text(whole)
    return given


def _flat(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the fields of crowd elements: the label of a classifier, the options that are on."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        name = f"{path}{name}"
        if not isinstance(inner, dict):
            found[name] = inner
        elif inner and all(isinstance(each, bool) for each in inner.values()):
            found[name] = [label for label, on in inner.items() if on]
        elif set(inner) <= {"label", "labels"} and inner:
            found[name] = next(iter(inner.values()))
        else:
            found |= _flat(inner, f"{name}.")
    return found


def _radio_groups(answers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return field → options, of the fields with a column of true and false for each option."""
    names = dict.fromkeys(name for given in answers for name in given)
    groups: dict[str, list[str]] = {}
    for name in names:
        group, dot, option = name.partition(".")
        if not dot:
            continue
        values = [given.get(name) for given in answers]
        written = {
            "true" if v is True else "false" if v is False else cell_text(v).strip().casefold()
            for v in values
        }
        if written <= set(_BOOLEAN) and written - {""}:
            groups.setdefault(group, []).append(option)
    return groups


def _grouped(given: dict[str, Any], groups: dict[str, list[str]]) -> dict[str, Any]:
    found = dict(given)
    for group, options in groups.items():
        chosen = []
        for option in options:
            value = found.pop(f"{group}.{option}", None)
            if value is True or _BOOLEAN.get(cell_text(value).strip().casefold(), False):
                chosen.append(option)
        found[group] = chosen
    return found


def _item_numbers(rows: list) -> list[str]:
    """Return the numbers of the items in a task, if inputs and answers are numbered alike."""
    shown, given = set(), set()
    for _, record, answers in rows:
        shown |= {m["number"] for name in _part(record, "Input.") if (m := _numbered(name))}
        given |= {m["number"] for name in answers if (m := _numbered(name))}
    both = sorted(shown & given, key=int)
    names = {m["name"] for _, _, each in rows for name in each if (m := _numbered(name))}
    several = any(
        sum(f"{_base(name)}" == base for name in each) > 1
        for base in names
        for _, _, each in rows[:20]
    )
    return both if len(both) > 1 and several else []


def _numbered(name: str) -> re.Match | None:
    match = _NUMBERED.fullmatch(name)
    return match if match and match["name"] else None


def _base(name: str) -> str:
    match = _numbered(name)
    return match["name"] if match else name


def _of_item(fields: Mapping[str, Any], number: str, numbers: list[str]) -> dict[str, Any]:
    """Return the fields of one numbered item, without its number, and those of the whole task."""
    if not number:
        return dict(fields)
    found = {}
    for name, value in fields.items():
        match = _numbered(name)
        if match is None or match["number"] not in numbers:
            found[name] = value
        elif match["number"] == number:
            found[match["name"]] = value
    return found


def _item(record: Mapping[str, Any], texts: Mapping[str, Any], number: str) -> str:
    for name, value in texts.items():
        if normalised_name(name) in ("id", *SYNONYMS["item_id"]) and cell_text(value).strip():
            return cell_text(value).strip()
    hit = cell_text(record.get("HITId")).strip()
    return f"{hit}-{number}" if hit and number else hit


def _by_input(answers: list[ToolAnswer], notes: list[str]) -> list[ToolAnswer]:
    """Return answers whose items go by their texts, if one text is in several tasks."""
    tasks: dict[tuple, set[str]] = {}
    for answer in answers:
        tasks.setdefault(tuple(answer.texts.items()), set()).add(answer.item)
    again = sum(len(items) > 1 for items in tasks.values())
    if not again or not all(any(text.strip() for _, text in key) for key in tasks):
        return answers
    notes.append(f"{count(again, 'item')} in more than one task (HITId): joined by their texts")
    names = {key: min(items) for key, items in tasks.items()}
    return [replace(answer, item=names[tuple(answer.texts.items())]) for answer in answers]


FORMAT = tool_format(
    name="mturk",
    title="Mechanical Turk",
    description="CSV of a batch of Amazon Mechanical Turk, with one assignment in each row",
    sign="the columns 'HITId', 'AssignmentId', 'WorkerId' and 'Answer.…'",
    matches=matches,
    read=read,
)
