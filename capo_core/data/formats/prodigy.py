"""Prodigy: JSON Lines with one annotator's decision on one task in each line.

`answer` is accept, reject or ignore. With `options` the labels are in `accept`; without, the
decision is on one proposed `label`. A rejected task of several options was no answer to the
question, an ignored one was skipped. Of the recipe `review` the annotators' own decisions are read,
which are in `versions`; who reviewed them is no annotator.
"""

from __future__ import annotations

import html
import re
from typing import Any

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import (
    LABEL,
    TEXT,
    ToolAnswer,
    ToolExport,
    texts_of,
    tool_format,
)
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.errors import DataError
from capo_core.formatting import count

_ANSWERS = ("accept", "reject", "ignore")
_OWN = {"label", "answer", "accept", "options", "spans", "tokens", "relations", "meta", "config",
        "html", "versions", "sessions", "default", "view_id", "image", "audio", "priority",
        "score", "field_id", "field_label", "field_placeholder", "field_rows", "field_autofocus",
        "style", "head", "child", "arcs", "session", "provenance"}  # fmt: skip
_DECIDED = ("versions", "accept", "answer", "label", "_annotator_id", "_session_id")
_TAG = re.compile(r"<[^<>]*>")
_SESSION_TIME = re.compile(r"(?:.*[-_])?\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")
_WORDS = {*SYNONYMS["explanation"], "user_input", "input", "transcript", "notes", "note"}


def matches(source: ImportSource) -> bool:
    """Return whether the lines have Prodigy's `answer`, and say what it is about."""
    rows = [record for record in source.sample if "answer" in record]
    if not rows or any(row["answer"] not in _ANSWERS for row in rows):
        return False
    return any(
        {"options", "spans", "label", "accept"} & set(row) or any(key[:1] == "_" for key in row)
        for row in rows
    )


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the decisions of a file."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    notes = list(records.notes)
    rows = _decisions(records.rows, notes)
    choice = any(_has_options(record) for _, record in rows)
    proposed = list(dict.fromkeys(
        cell_text(record["label"]) for _, record in rows if record.get("label") not in (None, "")
    ))  # fmt: skip
    marked = sum(bool(record.get("spans") or record.get("relations")) for _, record in rows)
    if marked and not choice and not proposed:
        raise DataError(
            "the answers are spans or relations: they label parts of a text, not the whole item",
            where=source.name,
            expected="options with `accept`, or one `label` for each task",
        )
    if marked:
        notes.append(f"spans of {count(marked, 'task')} are not read: they label parts of a text")
    if (
        not options.annotator
        and not any(_who(record) for _, record in rows)
        and any(_session(record) for _, record in rows)
    ):
        raise DataError(
            "the sessions are called by their times, which name nobody: one person's sessions "
            "would be several annotators",
            where=source.name,
            expected="an annotator for each answer",
            todo="say whose answers these are, or take the annotator from the file's name; or "
            "write the names into '_annotator_id'",
            option="--annotator NAME, or --annotator file",
        )
    names = _option_names(rows)
    if names:
        notes.append("labels are the options' texts, their identifiers are numbers")
    answers = [_answer(row, record, choice, proposed, names) for row, record in rows]
    if not choice and len(proposed) == 1:
        label = proposed[0]
        notes.append(f"accept is read as {quoted(label)}, reject as {quoted(f'not {label}')}")
    kinds = {"label": LABEL}
    kinds |= {name: TEXT for each in answers for name in each.given if name != "label"}
    return ToolExport(answers, kinds, tuple(notes), "decisions", provenance=records.provenance)


def _decisions(rows: list[tuple[int, dict]], notes: list[str]) -> list[tuple[int, dict]]:
    """Return one decision per person: of a reviewed task the versions, each with its sessions."""
    found: list[tuple[int, dict]] = []
    reviewed = 0
    for row, record in rows:
        versions = record.get("versions")
        versions = versions if isinstance(versions, list) else []
        people = [
            (version, cell_text(who))
            for version in versions
            if isinstance(version, dict) and isinstance(version.get("sessions"), list)
            for who in version["sessions"]
        ]
        reviewed += bool(people)
        task = {key: value for key, value in record.items() if key not in _DECIDED}
        for version, who in people:
            found.append((row, task | dict(version) | {"_annotator_id": who}))
        if not people:
            found.append((row, record))
    if reviewed:
        notes.append(
            f"{count(reviewed, 'reviewed task')}: the annotators' own decisions are read; the "
            "reviewer's is not, it is an adjudication"
        )
    return found


def _has_options(record: dict) -> bool:
    return isinstance(record.get("options"), list) or isinstance(record.get("accept"), list)


def _option_names(rows: list[tuple[int, dict]]) -> dict[str, str]:
    """Return identifier → text of the options, if the identifiers are numbers and texts are not."""
    names = {}
    for _, record in rows:
        options = record.get("options")
        for option in options if isinstance(options, list) else ():
            if isinstance(option, dict):
                names[cell_text(option.get("id"))] = cell_text(option.get("text")).strip()
    numbers = all(key.lstrip("-").isdecimal() for key in names)
    texts = list(names.values())
    usable = all(texts) and not any(text.lstrip("-").isdecimal() for text in texts)
    return names if names and numbers and usable and len(set(texts)) == len(texts) else {}


def _answer(
    row: int, record: dict, choice: bool, proposed: list[str], names: dict[str, str]
) -> ToolAnswer:
    decision = cell_text(record.get("answer"))
    given: dict[str, Any] = {}
    aside = ""
    if decision == "ignore":
        aside = "ignored in Prodigy"
    elif decision not in _ANSWERS:
        aside = f"the answer {quoted(decision)} is neither accept, reject nor ignore"
    if choice:
        accept = record.get("accept")
        accept = accept if isinstance(accept, list) else [accept]
        given["label"] = [names.get(cell_text(each), cell_text(each)) for each in accept]
        if decision == "reject":
            aside = "rejected in Prodigy: the task itself was refused, no option chosen"
    elif len(proposed) > 1:
        given["label"] = cell_text(record.get("label"))
        if decision == "reject":
            aside = (
                f"rejected in Prodigy: says that {quoted(given['label'])} is wrong, not what is "
                "right"
            )
    elif proposed:
        label = proposed[0]
        given["label"] = label if decision == "accept" else f"not {label}"
    else:
        given["label"] = decision
    texts = {}
    for key, value in record.items():
        if key.startswith("_") or key in _OWN:
            continue
        if normalised_name(key) in _WORDS or key == record.get("field_id"):
            given[key] = value
        else:
            texts |= texts_of({key: value})
    if not texts and record.get("html"):
        plain = html.unescape(_TAG.sub(" ", cell_text(record["html"])))
        texts = {"text": " ".join(plain.split())}
    return ToolAnswer(
        row,
        _who(record),
        _item(record),
        texts,
        given,
        aside,
        cell_text(record.get("split")),
    )


def _who(record: dict) -> str:
    """Return who answered; "" where it is a session without a name, which Prodigy calls by its
    time."""
    who = _session(record)
    return "" if _SESSION_TIME.fullmatch(who) else who


def _session(record: dict) -> str:
    return cell_text(record.get("_annotator_id") or record.get("_session_id")).strip()


def _item(record: dict) -> str:
    """Return the identifier in the task or its metadata, else Prodigy's hash of its input."""
    meta = record.get("meta")
    for place in (record, meta if isinstance(meta, dict) else {}):
        for key, value in place.items():
            if normalised_name(key) in ("id", *SYNONYMS["item_id"]) and not isinstance(value, dict):
                return cell_text(value).strip()
    return cell_text(record.get("_input_hash")).strip()


FORMAT = tool_format(
    name="prodigy",
    title="Prodigy",
    description="JSON Lines of Prodigy with binary decisions or options, one annotator's decision "
    "in each line",
    sign="'answer' that is accept, reject or ignore, with 'options', 'label' or 'spans'",
    file_per_annotator=True,
    matches=matches,
    read=read,
)
