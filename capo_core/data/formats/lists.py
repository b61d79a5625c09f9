"""Lists in rows: one record for each item, with parallel lists of annotators and their labels.

As datasets on the Hugging Face hub have it: `annotators: [..]`, `labels: [..]` and perhaps
`explanations: [..]` of one length, or a list of objects, `annotations: [{annotator, label, …}]`,
or one object of lists; or `label_distribution: {label: [annotators]}`, as DynaSent has it. Several
lists of labels (`labels_task1`, `labels_task2`) are several questions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from capo_core.data.column_names import is_number
from capo_core.data.column_values import is_personal
from capo_core.data.columns import SYNONYMS, normalised_name
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
from capo_core.data.formats.number_objects import COUNTS, OF_PEOPLE, PEOPLE, meaning, numbers
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted_list
from capo_core.errors import DataError

_ROLES = ("annotator_id", "label", "explanation")
_KNOWN = {role: {*SYNONYMS[role], *(f"{name}s" for name in SYNONYMS[role])} for role in _ROLES}
_KNOWN["annotator_id"] |= {"annotators", "workers", "raters", "users", "annotator_ids", "ids"}
_KNOWN["label"] |= {"annotator_labels", "all_labels", "individual_labels", "annotations"}


_NUMBERED = re.compile(r"[\w.@:-]*\d[\w.@:-]*")  # "w12", "A2UF3"
# Objects that name their items are rows of a table, and no answers to one item.
_ITEMS = {"item_id", "item", "text_id", "text_a", "text_b"}


# Words of the names of lists beside the annotators: "toxicity_labels", "toxic_score".
_WORDS = {
    "label": {"label", "labels", "rating", "ratings", "score", "scores", "annotation",
              "annotations", "answer", "answers", "judgment", "judgments"},
    "explanation": {"explanation", "explanations", "rationale", "rationales", "reason", "reasons"},
}  # fmt: skip


def role_of(name: str) -> str:
    """Return the role that a list has by its name; "" if none."""
    key = normalised_name(name)
    return next((role for role in _ROLES if key in _KNOWN[role]), "")


def _role_beside(name: str) -> str:
    """Return the role of a list or field beside annotators; "" if none, as of their ages."""
    key = normalised_name(name)
    if role := role_of(name):
        return role
    if is_personal(name):
        return ""
    words = set(key.split("_"))
    return next((role for role, known in reversed(_WORDS.items()) if words & known), "")


def _lists(record: Mapping[str, Any]) -> dict[str, list]:
    """Return field → list of scalars, of a record."""
    found = {}
    for name, value in record.items():
        value = parsed_cell(value)
        if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
            found[name] = value
    return found or _delimited(record)


def _delimited(record: Mapping[str, Any]) -> dict[str, list]:
    """Return the lists of a table's cells such as "ann;ben;cem" beside "yes;no;yes".

    Only if the column of annotators has a plural name and as many parts as the labels.
    """
    for mark in (";", "|", ","):
        parts = {
            name: [part.strip() for part in value.split(mark)]
            for name, value in record.items()
            if role_of(name) and isinstance(value, str) and mark in value
        }
        people = [name for name in parts if role_of(name) == "annotator_id"]
        labels = [name for name in parts if role_of(name) == "label"]
        if len(people) == 1 and normalised_name(people[0]).endswith("s") and any(
            len(parts[name]) == len(parts[people[0]]) for name in labels
        ):  # fmt: skip
            size = len(parts[people[0]])
            return {name: each for name, each in parts.items() if len(each) == size}
    return {}


def _fields_of_ratings(records: Sequence[Mapping[str, Any]], chosen: bool = False) -> set[str]:
    """Return the fields whose objects of numbers are annotators' ratings.

    Args:
        chosen: whoever chose this format says so of the one object that may be.
    """
    names = dict.fromkeys(
        name for record in records for name, value in record.items() if numbers(value)
    )
    found = {name: meaning(name, records) for name in names}
    sure = {name for name, held in found.items() if held == PEOPLE}
    perhaps = {name for name, held in found.items() if held != COUNTS}
    return perhaps if chosen and not sure and len(perhaps) == 1 else sure


def _people(record: Mapping[str, Any], ratings: Collection[str]) -> list[dict[str, Any]] | None:
    """Return one object for each annotator, from any of the three forms; None if there is none.

    Args:
        ratings: the fields whose objects of numbers are annotators' ratings.
    """
    lists = _lists(record)
    roles = {name: _role_beside(name) for name in lists}
    if {"annotator_id", "label"} <= set(roles.values()):
        return _parallel({name: each for name, each in lists.items() if roles[name]})
    for name, value in record.items():
        value = parsed_cell(value)
        if found := _by_label(name, value):
            return found
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            if _has_roles(value[0]) and not _ITEMS & set(map(normalised_name, value[0])):
                return [dict(each) for each in value]
        elif found := _by_annotator(name, value, ratings):
            return _with_explanations(found, record)
        elif isinstance(value, dict) and _has_roles(value):
            inner = {name: each for name, each in value.items() if isinstance(each, list)}
            if {"annotator_id", "label"} <= {role_of(name) for name in inner}:
                return _parallel(inner)
    return None


def _by_annotator(name: str, value: Any, ratings: Collection[str]) -> list[dict[str, Any]]:
    """Return annotators and labels of an object such as {"Ann1": "yes", "Ann2": "no"}.

    Labels with counts look alike, so it has to be called "annotations" or the like; called
    "labels" it has to hold words.
    """
    if not isinstance(value, dict) or not value:
        return []
    if numbers(value):
        rated = name in ratings
        return [{"annotator": who, "label": label} for who, label in value.items()] if rated else []
    words = len(value) > 1 and "ImportId" not in value and all(
        isinstance(each, str) and not is_number(each) for each in value.values()
    )  # fmt: skip
    if normalised_name(name) not in OF_PEOPLE and not (words and role_of(name) == "label"):
        return []
    if all(isinstance(each, dict) and _has_label(each) for each in value.values()):
        return [{"annotator": who} | dict(each) for who, each in value.items()]
    if any(isinstance(each, dict | list) for each in value.values()) or _has_roles(value):
        return []
    return [{"annotator": who, "label": label} for who, label in value.items()]


def _by_label(name: str, value: Any) -> list[dict[str, Any]]:
    """Return annotators and labels of an object such as {"yes": ["w1", "w2"], "no": ["w3"]}.

    The annotators are identifiers with numbers, and each is under one label.
    """
    key = set(normalised_name(name).split("_"))
    if not isinstance(value, dict) or not key & {*_WORDS["label"], "votes", "distribution"}:
        return []
    if not all(isinstance(each, list) for each in value.values()):
        return []
    people = [who for each in value.values() for who in each]
    named = people and all(isinstance(who, str) and _NUMBERED.fullmatch(who) for who in people)
    if not named or len(set(people)) < len(people) or any(map(str.isdecimal, people)):
        return []
    if any(any(map(str.isdigit, str(label))) for label in value):
        return []
    return [{"annotator": who, "label": label} for label, each in value.items() for who in each]


def _with_explanations(
    people: list[dict[str, Any]], record: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the annotators with what an object of annotator → explanation beside them says."""
    for name, value in record.items():
        value = parsed_cell(value)
        if role_of(name) == "explanation" and isinstance(value, dict):
            people = [one | {"explanation": value.get(one["annotator"], "")} for one in people]
    return people


def _has_label(record: Mapping[str, Any]) -> bool:
    """Return whether an object is one annotator's answer: it has a label and names nobody."""
    roles = {role_of(name) for name in record}
    return "label" in roles and "annotator_id" not in roles


def _has_roles(record: Mapping[str, Any]) -> bool:
    return {"annotator_id", "label"} <= {_role_beside(name) for name in record}


def _parallel(lists: dict[str, list]) -> list[dict[str, Any]]:
    """Return the elements of lists side by side; [] if annotators and labels differ in number."""
    by_role: dict[str, list[list]] = {}
    for name, each in lists.items():
        by_role.setdefault(_role_beside(name), []).append(each)
    length = len(by_role["annotator_id"][-1])
    if any(len(each) != length for each in by_role["label"]):
        return []
    return [
        {name: each[i] for name, each in lists.items() if len(each) == length}
        for i in range(length)
    ]


def _nameless(record: Mapping[str, Any]) -> list[str]:
    """Return the lists of labels of a record without annotators."""
    names = [name for name in _lists(record) if role_of(name) == "label"]
    single = any(role_of(name) == "annotator_id" for name in record)
    return [] if single else [name for name in names if len(_lists(record)[name]) > 1]


def matches(source: ImportSource) -> bool:
    """Return whether lists of labels are in the records, with lists of annotators or without."""
    sample = source.sample
    ratings = _fields_of_ratings(sample)
    found = [each for each in sample if _people(each, ratings) is not None]
    return bool(found) or (bool(sample) and all(_nameless(each) for each in sample))


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the elements of the lists; a record whose lists differ in length is rejected."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers: list[ToolAnswer] = []
    whole = [record for _, record in records.rows]
    ratings = _fields_of_ratings(whole)
    if not any(_people(each, ratings) or _nameless(each) for each in whole):
        ratings = _fields_of_ratings(whole, chosen=True)
    for row, record in records.rows:
        people = _people(record, ratings)
        lists = _lists(record)
        if people is None:
            if _nameless(record):
                reason = "labels without annotators"
            else:
                reason = "no list of annotators with a list of labels"
            rejected.add(row, "", reason, cell_text(record))
            continue
        if not people and any(lists.values()):
            sizes = {name: len(each) for name, each in lists.items() if _role_beside(name)}
            words = ", ".join(f"{size} {name}" for name, size in sizes.items())
            rejected.add(row, "", f"the lists differ in length: {words}", cell_text(record))
            continue
        item, texts, split = _shown(record)
        for person in people:
            given = {}
            who = ""
            for name, value in person.items():
                if role_of(name) == "annotator_id":
                    who = cell_text(value).strip()
                elif not isinstance(value, dict) and not is_personal(name):
                    given[name] = value
            answers.append(ToolAnswer(row, who, item, texts, given, split=split))
    if not answers:
        reasons = rejected.frame()["reason"].unique().tolist()
        raise DataError(
            f"no annotator is named beside the labels ({'; '.join(reasons[:3])})",
            where=source.name,
            expected="a list of annotators of the same length as the list of labels",
            todo="add the annotators; or, for labels without people, compare their counts as label "
            "distributions",
            option="distributions compare --file FILE",
        )
    kinds = {}
    for answer in answers:
        for name in answer.given:
            if role := _role_beside(name):
                kinds[name] = LABEL if role == "label" else TEXT
    notes = list(records.notes)
    without = _short_lists(records.rows)
    if without:
        listed = quoted_list(without)
        notes.append(f"lists of another length than the annotators are not read: {listed}")
    return ToolExport(
        answers, kinds, tuple(notes), delimiter=records.delimiter, sheet=records.sheet
    )


def _short_lists(rows: list[tuple[int, dict[str, Any]]]) -> list[str]:
    """Return fields whose lists of explanations do not fit the annotators in some record."""
    found = {}
    for _, record in rows:
        lists = _lists(record)
        sizes = {len(each) for name, each in lists.items() if role_of(name) == "annotator_id"}
        for name, each in lists.items():
            if role_of(name) == "explanation" and each and sizes and len(each) not in sizes:
                found[name] = True
    return list(found)


def _shown(record: Mapping[str, Any]) -> tuple[str, dict[str, str], str]:
    item = split = ""
    texts = {}
    for name, value in record.items():
        key = normalised_name(name)
        value = parsed_cell(value)
        if _are_tokens(key, value):
            texts |= texts_of({name: " ".join(value)})
            continue
        if isinstance(value, list | dict) or (role_of(name) and key != "comment"):
            continue  # a comment of the item's own is what was labelled
        if not item and key in ("id", *SYNONYMS["item_id"]):
            item = cell_text(value).strip()
        elif key in SYNONYMS["split"]:
            split = cell_text(value)
        else:
            texts |= texts_of({name: value})
    return item, texts, split


def _are_tokens(key: str, value: Any) -> bool:
    """Return whether this is a text in words, such as HateXplain's `post_tokens`."""
    words = isinstance(value, list) and bool(value) and all(isinstance(e, str) for e in value)
    return words and bool({"tokens", "words"} & set(key.split("_")))


FORMAT = tool_format(
    name="lists",
    title="Lists in rows",
    description="JSON Lines, JSON, Parquet or CSV with one record for each item and lists of "
    "annotators, labels and explanations in it",
    sign="lists of annotators and of labels of the same length in each record",
    general=True,
    matches=matches,
    read=read,
)
