"""Columns with counts per label: 70, 20, 10 people in `entailment`, `neutral`, `contradiction`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.data.column_names import (
    SYNONYMS,
    is_aggregate,
    is_place,
    names_aggregate,
    normalised_name,
    role_and_annotator,
)
from capo_core.data.readers.encoding import cell_text

# Labels that name such columns: two of one set are needed.
_LABELS = (
    frozenset({"entailment", "neutral", "contradiction"}),
    frozenset({"entailment", "not_entailment"}),
    frozenset({"e", "n", "c"}),
    frozenset({"yes", "no", "maybe", "unsure", "unclear", "not_sure", "dont_know"}),
    frozenset({"true", "false"}),
    frozenset({"positive", "negative", "neutral", "mixed"}),
    frozenset({"agree", "disagree", "neutral"}),
    frozenset({"paraphrase", "not_paraphrase", "no_paraphrase"}),
)
# Words beside the label: "n_entailment", "votes for neutral".
_BESIDE = frozenset(
    {"label", "labels", "count", "counts", "vote", "votes", "n", "num", "number", "freq",
     "frequency", "crowd", "people", "of", "for"}
)  # fmt: skip
_TOTALS = frozenset({"count", "total", "n", "n_annotators", "num_annotators", "num_votes",
                     "number_of_annotators", "annotators", "votes"})  # fmt: skip
_SHARE = re.compile(r"0?\.\d+|[01](?:\.0+)?")
_WHOLE = re.compile(r"\d{1,9}(?:\.0+)?")
_TAKEN = frozenset(
    {"id", *(name for role, names in SYNONYMS.items() if role != "label" for name in names)}
)


def columns_of_labels(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return column → label of columns of whole numbers named after labels; {} if there are none.

    None either where columns of annotators are beside them: these are the annotations.

    >>> columns_of_labels([{"text": "A.", "n_yes": "7", "n_no": 3}, {"text": "B.", "n_no": 10}])
    {'n_yes': 'yes', 'n_no': 'no'}
    """
    numbers = _columns_of_numbers(records)
    labels = {name: _label(name) for name in numbers}
    found: dict[str, str] = {}
    for known in _LABELS:
        own = {name: label for name, label in labels.items() if label in known}
        if len(own) > len(found) and len(set(own.values())) == len(own):
            found = own
    found = found if len(found) > 1 else _summed(records, labels)
    names = {str(name) for record in records for name in record} - set(found)
    people = [
        who
        for name in names
        if (who := name if is_place(name) else _annotator(name)) and not is_aggregate(who)
    ]
    counted = any(_total(record, found) > 1 for record in records)
    return found if len(found) > 1 and counted and len(people) < 2 else {}


def are_known_labels(names: Sequence[str]) -> bool:
    """Return whether these are two or more labels of one usual scale.

    >>> are_known_labels(["Yes", "No"]), are_known_labels(["yes", "anna"])
    (True, False)
    """
    keys = {normalised_name(name) for name in names}
    return len(keys) > 1 and any(keys <= known for known in _LABELS)


def _summed(records: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> dict[str, str]:
    """Return column → label of all columns whose sum a column of totals states in every row.

    >>> rows = [{"count": 3, "rude": n, "kind": 3 - n, "class": n % 2} for n in range(3)]
    >>> _summed(rows, {"count": "count", "rude": "rude", "kind": "kind", "class": "class"})
    {'rude': 'rude', 'kind': 'kind'}
    """
    totals = [name for name in labels if normalised_name(name) in _TOTALS]
    every = {
        name: label
        for name, label in labels.items()
        if name not in totals
        and normalised_name(name) not in SYNONYMS["label"]
        and not re.fullmatch(r"(?:(?:column|Unnamed:) \d+|index)?", name)
    }
    plain = {name: label for name, label in every.items() if not names_aggregate(name)}
    for found in (every, plain):
        stated = [
            name
            for name in totals
            if all(counts_in(one, {name: ""}) == {"": _total(one, found)} for one in records)
        ]
        if len(stated) == 1 and len(found) > 1 and len(records) > 2:
            return found
    return {}


def all_count_columns(records: Sequence[Mapping[str, Any]], but: Sequence[str]) -> dict[str, str]:
    """Return column → label of all columns that may be counts per label, for who says they are.

    Args:
        but: names, as `normalised_name` writes them, of columns with something else.
    """
    return columns_of_labels(records) or {
        name: _label(name)
        for name in _columns_of_numbers(records)
        if normalised_name(name) not in but and not names_aggregate(name)
    }


def counts_like(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of whole numbers with the same sum above 1 in every row; [] if none.

    Only to ask about them: so many people may have labelled each item.
    """
    names = [name for name in _columns_of_numbers(records) if not names_aggregate(name)]
    totals = {_total(record, names) for record in records}
    return names if len(names) > 1 and len(records) > 1 and len(totals) == 1 < max(totals) else []


def shares_like(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of numbers from 0 to 1 whose sum is 1 in every row; [] if none.

    >>> shares_like([{"id": "1", "yes": "0.7", "no": "0.3"}, {"id": "2", "yes": "1", "no": "0"}])
    ['yes', 'no']
    """
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(str(name) for record in records for name in record):
        cells = [cell_text(record.get(name)).strip() for record in records]
        known = normalised_name(name) in _TAKEN or names_aggregate(name)
        if all(map(_SHARE.fullmatch, cells)) and not known:
            found[name] = list(map(float, cells))
    found = {name: each for name, each in found.items() if len(set(each)) > 1 or 0 < each[0] < 1}
    sums = [sum(each) for each in zip(*found.values(), strict=True)]
    if not any(0 < one < 1 for each in found.values() for one in each):  # yes or no
        return []
    return list(found) if len(found) > 1 and all(abs(one - 1) < 0.02 for one in sums) else []


def counts_in(record: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return label → number in a record; an empty cell is 0, what is no number stays as it is."""
    found: dict[str, Any] = {}
    for name, label in columns.items():
        text = cell_text(record.get(name)).strip()
        found[label] = int(float(text)) if _WHOLE.fullmatch(text) else text or 0
    return found


def _columns_of_numbers(records: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(str(name) for record in records for name in record)
    found = []
    for name in names:
        cells = [cell_text(record.get(name)).strip() for record in records]
        filled = [cell for cell in cells if cell]
        if normalised_name(name) not in _TAKEN and filled and all(map(_WHOLE.fullmatch, filled)):
            found.append(name)
    return found


def _total(record: Mapping[str, Any], names: Sequence[str] | Mapping[str, str]) -> int:
    return sum(counts_in(record, {name: name for name in names}).values())


def _label(name: str) -> str:
    words = normalised_name(name).split("_")
    rest = [word for word in words if word not in _BESIDE]
    return "_".join(rest) or words[-1]


def _annotator(name: str) -> str:
    role, who = role_and_annotator(name)
    return who if role == "label" else ""
