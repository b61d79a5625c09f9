"""doccano: one document in each line, with the labels of one user, or of all.

A project exports one file for each user, named after the user (`ann.jsonl`), or `all.jsonl`.
`label` is a list of labels (in CSV joined by `#`), `Comments` a list of comments. Older versions
write `annotations` with `user` and the number of the label, the oldest `labels` and `username`.
Labels of parts of a text are lists [start, end, label] and are no labels of the document.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from capo_core.data.formats.answers import (
    LABEL,
    TEXT,
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
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.errors import DataError
from capo_core.formatting import count

_OWN = {"id", "doc_id", "text", "data", "label", "labels", "annotations", "username", "meta",
        "metadata", "comments", "annotation_approver", "entities", "relations", "cats",
        "filename"}  # fmt: skip
_NOBODY = ("all", "unknown", "train", "dev", "test", "validation", "data", "dataset", "export",
           "project", "doccano", "annotations", "labels")  # fmt: skip
_SPANS = "labels of parts of a text ([start, end, label]), not of the document"


def _lower(record: dict) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in record.items()}


def _is_document(record: dict) -> bool:
    low = _lower(record)
    if not set(low) & {"text", "data"} or not set(low) & {"id", "doc_id"}:
        return False
    if isinstance(low.get("annotations"), list):
        given = low["annotations"]
        return all(isinstance(each, dict) and {"label", "user"} <= set(each) for each in given)
    if isinstance(low.get("labels", low.get("entities")), list) and "username" in low:
        return True
    if "entities" in low and "relations" in low:
        return True
    label = low.get("label")
    if not isinstance(label, list) or any(isinstance(each, dict) for each in label):
        return isinstance(label, str) and "comments" in low and set(low) <= _OWN
    return "comments" in low or set(low) <= _OWN


def matches(source: ImportSource) -> bool:
    """Return whether documents with a list of labels, and nothing of other tools, are in it."""
    sample = source.sample
    return bool(sample) and all(map(_is_document, sample)) and any(
        each.get("annotations") or _lower(each).get("label") is not None or "username" in each
        or "entities" in each
        for each in sample
    )  # fmt: skip


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the answers of a file; a document without labels is nobody's answer."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    notes = list(records.notes)
    owner = _owner(options.path, options)
    answers: list[ToolAnswer] = []
    spans = bare = numbered = 0
    for row, record in records.rows:
        low = _lower(record)
        before = len(answers)
        if isinstance(low.get("annotations"), list):
            answers += _by_user(row, low)
            numbered += len(answers) > before
        else:
            answer = _document(row, low, source.json)
            if answer is None:
                spans += 1
                rejected.add(row, "label", _SPANS, cell_text(record))
            elif answer.given["label"] or answer.given["comments"]:
                answers.append(answer)
            else:
                bare += 1
    if spans and not answers:
        raise DataError(
            f"the labels are {_SPANS}",
            where=source.name,
            expected="a list of labels for each document",
        )
    if bare:
        notes.append(
            f"{count(bare, 'document')} without a label: that user did not annotate "
            + ("it" if bare == 1 else "them")
        )
    if numbered:
        notes.append("labels and users are the numbers that this version of doccano writes")
    nameless = any(not answer.annotator for answer in answers)
    if nameless and owner:
        notes.append(f"the annotator is the file's name, {quoted(owner)}")
        answers = [_named(answer, owner) for answer in answers]
    return ToolExport(
        answers,
        {"label": LABEL, "comments": TEXT},
        tuple(notes),
        "documents",
        delimiter=records.delimiter,
        sheet=records.sheet,
    )


def _owner(path: Path, options: ReadOptions) -> str:
    """Return the user that a file is named after; "" if the name is not a user's."""
    if options.annotator:
        return options.annotator
    return "" if path.stem.lower() in _NOBODY else path.stem


def _named(answer: ToolAnswer, owner: str) -> ToolAnswer:
    return answer if answer.annotator else replace(answer, annotator=owner)


def _item(low: dict) -> str:
    return cell_text(low.get("id", low.get("doc_id"))).strip()


def _texts(low: dict) -> dict[str, str]:
    shown = {"text": cell_text(low.get("text", low.get("data")))}
    return shown | texts_of({k: v for k, v in low.items() if k not in _OWN})


def _document(row: int, low: dict, json_file: bool) -> ToolAnswer | None:
    """Return the answer in a document; None if it labels parts of the text."""
    label = low.get("label", low.get("labels", low.get("entities")))
    label = parsed_cell(label)
    if isinstance(label, str) and not json_file:
        label = [each for each in label.split("#") if each.strip()]
    values = label if isinstance(label, list) else [label]
    if any(isinstance(each, list | dict) for each in values):
        return None
    comments = parsed_cell(low.get("comments"))
    comments = comments if isinstance(comments, list) else [comments]
    given = {
        "label": [text for each in values if (text := cell_text(each).strip())],
        "comments": [text for each in comments if (text := cell_text(each)).strip()],
    }
    who = cell_text(low.get("username")).strip()
    return ToolAnswer(row, who, _item(low), _texts(low), given)


def _by_user(row: int, low: dict) -> list[ToolAnswer]:
    by_user: dict[str, list[dict]] = {}
    for each in low["annotations"]:
        by_user.setdefault(cell_text(each.get("user")).strip(), []).append(each)
    answers = []
    for user, own in by_user.items():
        parts = any("start_offset" in each for each in own)
        labels = [cell_text(each.get("label")) for each in own]
        answers.append(
            ToolAnswer(
                row,
                user,
                _item(low),
                _texts(low),
                {"label": labels, "comments": []},
                _SPANS if parts else "",
            )
        )
    return answers


FORMAT = tool_format(
    name="doccano",
    title="doccano",
    description="JSON Lines, JSON or CSV of doccano's text classification, one file for each user "
    "or all users in one",
    sign="documents with a list 'label' (and 'Comments'), or 'annotations' with 'user' and 'label'",
    file_per_annotator=True,
    matches=matches,
    read=read,
)
