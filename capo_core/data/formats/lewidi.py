"""LeWiDi: the shared task's JSON, one object per item with annotators and labels packed into text.

`annotators` lists the annotators, comma-separated; one with two labels is listed twice.
`annotations` has each annotator's labels, comma-separated in the same order (third edition, 2025),
or is itself a list, comma-separated, in the order of `annotators` (second edition, 2023, and files
of the first one, 2021, that name their annotators). Explanations (`other_info.explanations`)
follow the order of `annotators`: the k-th mention of an annotator belongs to their k-th label. In
test files the labels are empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.data.formats.base import AnnotatorDetails, Format, ReadOptions
from capo_core.data.formats.lewidi_files import SOURCES
from capo_core.data.limits import LIMITS, read_bytes
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.json_records import Record, parse_leniently
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import name_list
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

SARCASM = Task(
    name="sarcasm rating",
    scale=LabelScale.between(1, 6),
    role_a="context",
    role_b="response",
    instruction="How sarcastic is the response, from 1 (not at all) to 6 (completely)?",
)
IRONY = Task(
    name="irony detection",
    scale=LabelScale(("0", "1")),
    role_a="post",
    role_b="reply",
    instruction="Is the reply to the post ironic (1) or not (0)?",
)
_TASKS = {
    "natural language inference": NLI,
    "paraphrase detection": PARAPHRASE,
    "sarcasm detection": SARCASM,
    "irony detection": IRONY,
}
_NEEDED = ("annotations", "text")


def _is_lewidi(value: Any) -> bool:
    """Return whether this JSON value looks like a LeWiDi file, judged by its first object."""
    if not isinstance(value, dict) or not value:
        return False
    first = next((inner for inner in value.values() if isinstance(inner, dict)), {})
    return all(key in first for key in _NEEDED)


def _is_metadata(value: Any) -> bool:
    """Return whether it looks like the annotators' metadata: objects whose values are all text."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            isinstance(inner, dict)
            and all(isinstance(each, str) for each in inner.values())
            and not all(key.isdecimal() for key in inner)  # as pandas writes a table's columns
            and not {"annotator", "annotator_id", "label"} & set(inner)  # records of a table
            for inner in value.values()
        )
    )


def matches(source: ImportSource) -> bool:
    """Return whether a file is of this format, or describes the annotators of one."""
    return _is_lewidi(source.json_value) or describes_annotators(source)


def describes_annotators(source: ImportSource) -> bool:
    """Return whether a file holds the annotators' metadata and no annotations."""
    return not _is_lewidi(source.json_value) and _is_metadata(source.json_value)


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Return one row per annotation; what is no item is rejected.

    Raises:
        DataError: the file is not in this format, or holds no label at all (a test file).
    """
    where = source.name
    value, notes = source.whole_json()
    if _is_metadata(value) and not _is_lewidi(value):
        raise DataError(
            "these are the annotators' metadata, not annotations",
            where=where,
            todo="import the file of items; with this one in the same folder, both are read",
        )
    if not _is_lewidi(value):
        raise DataError(
            "the file is not in the LeWiDi format",
            where=where,
            expected="one object with an object per item, each with 'text' and 'annotations'",
            todo="import it as a table",
            option="--format table",
        )
    rows: list[dict] = []
    items: list[dict] = []
    for number, (item_id, item) in enumerate(value.pairs, 1):
        if problem := _problem(item):
            rejected.add(number, "", problem, json.dumps({item_id: item}, ensure_ascii=False))
            continue
        items.append(item)
        rows += _item_rows(number, cell_text(item_id), item, notes)
    if rows and not any(row["label"] for row in rows):
        raise DataError(
            f"all {len(rows)} labels are empty, as in a test file whose labels are withheld",
            where=where,
            todo="import the train or dev file, or the test file with its labels",
        )
    task, roles = _task_of(items)
    return RawAnnotations(
        pd.DataFrame(rows, columns=RAW_COLUMNS, dtype=object),
        "annotations",
        roles,
        tuple(notes),
        task=task,
        origin=f"LeWiDi shared task, from {where}",
    )


def _problem(item: Any) -> str:
    if not isinstance(item, Record):
        return "the item is not a JSON object"
    if item.repeated:
        return f"the key {', '.join(map(quoted, item.repeated))} occurs twice in one item"
    given = item.get("annotations")
    if isinstance(given, str | list | int | float) and not isinstance(given, bool):
        labels, who = _listed(given), _split_names(item.get("annotators"))
        if not who:
            return "the item names no annotators, so its labels belong to nobody"
        if any(labels) and len(labels) != len(who):
            return f"{len(labels)} annotations for {len(who)} annotators cannot be assigned"
    elif not isinstance(given, dict):
        return "the item has no object or list 'annotations'"
    if not isinstance(item.get("text"), dict | str):
        return "the item has no 'text'"
    return ""


def _task_of(items: list[dict]) -> tuple[Task | None, tuple[str, str]]:
    """Return the task that the items name (None: to be inferred), and the names of their texts."""
    names = {cell_text(item.get("annotation task")).strip().casefold() for item in items}
    known = _TASKS.get(next(iter(names))) if len(names) == 1 else None
    text = _parsed_text(items[0]["text"]) if items else {}
    keys = [key.casefold() for key in text] if isinstance(text, dict) else []
    roles = [*keys, "", ""][:2]
    return known, (roles[0], roles[1])


def _texts(text: Any) -> tuple[str, str]:
    text = _parsed_text(text)
    if isinstance(text, str):
        return text, ""
    first, *rest = [cell_text(value) for value in text.values()] or [""]
    return first, "\n".join(rest)


def _parsed_text(text: Any) -> Any:
    """Return the texts of a conversation that are packed into one, as ConvAbuse has them."""
    if isinstance(text, str) and text.lstrip().startswith("{"):
        try:
            value = parse_leniently(text)[0]
        except ValueError:
            return text
        return value if isinstance(value, dict) and value else text
    return text


def _listed(value: Any) -> list[str]:
    """Return the labels of a list in the order of the annotators."""
    parts = value if isinstance(value, list) else cell_text(value).split(",")
    return [cell_text(each).strip() for each in parts]


def _split_names(value: Any) -> list[str]:
    names = value if isinstance(value, list) else cell_text(value).split(",")
    return [name for name in (cell_text(each).strip() for each in names) if name]


def _labels(value: Any) -> list[str]:
    """Return one annotator's labels; [""] for a missing one, so that it is rejected, not lost."""
    parts = value if isinstance(value, list) else cell_text(value).split(",")
    return [cell_text(each).strip() for each in parts] or [""]


def _by_annotator(given: Any, mentions: list[str]) -> dict[str, Any]:
    """Return annotator → labels, of an object or of a list in the order of the annotators."""
    if isinstance(given, dict):
        return {cell_text(who).strip(): labels for who, labels in given.items()}
    found: dict[str, list[str]] = {who: [] for who in mentions}
    labels = _listed(given)
    for position, who in enumerate(mentions):
        found[who].append(labels[position] if position < len(labels) else "")
    return found


def _item_rows(number: int, item_id: str, item: dict, notes: list[str]) -> list[dict]:
    """Return one row for each annotation of an item, with its explanation."""
    mentions = _split_names(item.get("annotators"))
    annotations = _by_annotator(item["annotations"], mentions)
    mentions = mentions or list(annotations)
    mentions += [who for who in annotations if who not in mentions]
    text_a, text_b = _texts(item["text"])
    base = {
        "row": number,
        "item_id": item_id,
        "text_a": text_a,
        "text_b": text_b,
        "valid": "",
        "split": cell_text(item.get("split")),
        "annotation_id": "",
    }
    other = item.get("other_info")
    given = other.get("explanations") if isinstance(other, dict) else None
    explanations = [cell_text(each) for each in given] if isinstance(given, list) else []
    if explanations and len(explanations) != len(mentions):
        notes.append(
            f"row {number}: {len(explanations)} explanations for {len(mentions)} annotations "
            "cannot be assigned: its labels are imported without explanations"
        )
        explanations = []
    rows, nth = [], dict.fromkeys(mentions, 0)
    for position, who in enumerate(mentions):
        labels, k = _labels(annotations.get(who)), nth[who]
        nth[who] += 1
        row = base | {"column": f"annotations.{who}", "annotator_id": who}
        row["explanation"] = explanations[position] if explanations else ""
        row["label"] = labels[k] if k < len(labels) else ""
        rows.append(row)
    for who, count in nth.items():
        for label in _labels(annotations.get(who))[count:]:
            notes.append(
                f"row {number}: annotator {who} has more labels than explanations; the label "
                f"{quoted(label)} is imported without one"
            )
            column = f"annotations.{who}"
            rows.append(
                base | {"column": column, "annotator_id": who, "label": label, "explanation": ""}
            )
    return rows


def read_metadata(path: Path, dataset: Dataset, notes: list[str]) -> AnnotatorDetails:
    """Return the annotators' details from the `…_annotators_meta.json` beside the data, if any.

    Trailing commas are allowed: the published files have them.
    """
    stem = path.stem.rsplit("_", 1)[0]
    beside = path.with_name(f"{stem}_annotators_meta.json")
    if beside == path or not beside.is_file():
        return {}
    try:
        value, mended = parse_leniently(read_bytes(beside, LIMITS).decode("utf-8-sig"))
    except (ValueError, DataError) as error:
        notes.append(
            f"{beside.name} in the same folder could not be read and was ignored ({error})"
        )
        return {}
    people = _people(value, dataset.annotators)
    if not people:
        notes.append(
            f"{beside.name} in the same folder is not a table of annotators and was ignored"
        )
        return {}
    unknown = [who for who in people if who not in dataset.annotators]
    if unknown:
        notes.append(f"{beside.name} describes annotators not in the data: {name_list(unknown)}")
    note = f"{beside.name} in the same folder was read as well"
    notes.append(f"{note} (trailing commas ignored)" if mended else note)
    return {who: about for who, about in people.items() if who in dataset.annotators}


def _people(value: Any, annotators: Sequence[str]) -> AnnotatorDetails:
    """Return annotator → details as text, of a metadata file; {} if it is none.

    MultiPICo's file has ages as numbers, and "0" for the annotator Ann0.
    """
    if not isinstance(value, dict) or not all(
        isinstance(about, dict) and not any(isinstance(e, dict | list) for e in about.values())
        for about in value.values()
    ):
        return {}
    known = set(annotators)
    bare = known.isdisjoint(value) and not known.isdisjoint(f"Ann{who}" for who in value)
    return {
        (f"Ann{who}" if bare else str(who)): {
            str(key): cell_text(each).removesuffix(".0") if isinstance(each, float)
            else cell_text(each)
            for key, each in about.items()
        }
        for who, about in value.items()
    }  # fmt: skip


FORMAT = Format(
    name="lewidi",
    title="LeWiDi",
    description="JSON of the shared task Learning with Disagreements (editions of 2025 and 2023), "
    "such as its paraphrase and VariErr NLI data",
    read=read,
    sign="one object for each item, with 'annotations' and 'text'",
    matches=matches,
    accompanies=describes_annotators,
    finish=read_metadata,
    downloads=SOURCES,
    needs_json=True,
)
