"""What one field of a file of judgments holds, over all its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from capo_core.distributions.source import ROUNDING
from capo_core.errors import DataError
from capo_core.schema import listed

Rows = Sequence[tuple[int, Any]]  # line in the file, value
_SHARES, _BESIDE, _PAIRS, _LABEL = "shares", "label and counts", "explanations", "label"


@dataclass(frozen=True)
class Field:
    """One field, read.

    Attributes:
        column: as the file calls it; name: as the source is called.
        shares: [lines, labels], NaN where a line has none; None for a field without labels.
        people: [lines]: how many answers a row is made of; NaN where it is not said.
        said: for each line its explanations with their labels; None for other fields.
    """

    column: str
    name: str
    shares: np.ndarray | None
    people: np.ndarray
    said: list[list[tuple[str, str]]] | None = None


def fields_of(column: str, rows: Rows, labels: Sequence[str], file: str) -> list[Field]:
    """What a field holds; none where it holds no judgment, two where a label stands beside counts.

    It is told by the first line whose value is a judgment, so that a line with something else,
    the first one as any other, is refused and not the whole field left out.

    Raises:
        DataError: another line holds something of another shape, a distribution that does not
            sum to one, or a label that is unknown.
    """
    shape = next(filter(None, (_shape(value, column, labels) for _, value in rows)), "")
    if shape == _SHARES:
        return [_distribution(column, column, rows, labels, file)]
    if shape == _BESIDE:
        return _beside_counts(column, rows, labels, file)
    if shape == _PAIRS:
        return [_explanations(column, rows, labels, file)]
    if shape == _LABEL:
        return [_single(column, column, rows, labels, file)]
    return []


def left_out(column: str, rows: Rows) -> str:
    """What must be said of a field without judgments: nothing of texts and numbers beside them;
    lists and objects may have been meant as judgments."""
    line = next((line for line, value in rows if isinstance(value, (list, dict)) and value), None)
    if line is None:
        return ""
    return f"the field {column!r} is left out: its lists or objects (line {line}) are no judgments"


def _shape(value: Any, column: str, labels: Sequence[str]) -> str:
    """Which kind of judgment a value is; "" where it is none."""
    if isinstance(value, list) and value and _numbers(value):
        return _SHARES
    if _label_and_counts(value):
        return _BESIDE
    if isinstance(value, list) and value and all(_pair(each) for each in value):
        return _PAIRS
    if isinstance(value, str) and "label" in column and short_label(value, labels) is not None:
        return _LABEL
    return ""


def short_label(text: str, labels: Sequence[str]) -> str | None:
    """The one label that `text` is, or is the beginning of; None where there is not one."""
    text = text.strip().lower()
    exact = [label for label in labels if label.lower() == text]
    begins = [label for label in labels if text and label.lower().startswith(text)]
    found = exact or begins
    return found[0] if len(found) == 1 else None


def _distribution(column: str, name: str, rows: Rows, labels: Sequence[str], file: str) -> Field:
    shares = np.full((len(rows), len(labels)), np.nan)
    people = np.full(len(rows), np.nan)
    for row, (line, value) in enumerate(rows):
        if value is None:
            continue
        where = _place(file, line, column)
        if not isinstance(value, list) or not _numbers(value) or len(value) != len(labels):
            raise DataError(
                f"found {value!r}",
                where=where,
                expected=f"{len(labels)} numbers, for {listed(labels)}",
                todo="correct the line, or name the file's labels in their order (--labels)",
            )
        numbers = np.array(value, dtype=float)
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            raise DataError(
                f"found {value!r}",
                where=where,
                expected="numbers of 0 or more",
                todo="correct the line, or write null where nothing is known of the item",
            )
        total = numbers.sum()
        if abs(total - 1) <= ROUNDING * len(labels) + 1e-9:
            shares[row] = numbers / total
        elif total > 0 and np.all(numbers == np.round(numbers)):
            shares[row], people[row] = numbers / total, total
        else:
            raise DataError(
                f"the distribution {value!r} does not sum to one but to {total:.4g}",
                where=where,
                expected="shares of sum 1, or whole numbers of people",
                todo="correct the line, or write null where nothing is known of the item",
            )
    return Field(column, name, shares, people)


def _beside_counts(column: str, rows: Rows, labels: Sequence[str], file: str) -> list[Field]:
    """`["n", [0, 4, 1]]`: a chosen label, and the counts it was chosen from."""
    for line, value in rows:
        if value is not None and not _label_and_counts(value):
            raise DataError(
                f"found {value!r}",
                where=_place(file, line, column),
                expected="a label and a list of counts",
                todo="correct the line, or write null where nothing is known of the item",
            )
    chosen = [(line, None if value is None else value[0]) for line, value in rows]
    counts = [(line, None if value is None else value[1]) for line, value in rows]
    return [
        _single(column, f"{column}, single label", chosen, labels, file),
        _distribution(column, f"{column}, distribution", counts, labels, file),
    ]


def _single(column: str, name: str, rows: Rows, labels: Sequence[str], file: str) -> Field:
    shares = [_one_hot(value, labels, _place(file, line, column)) for line, value in rows]
    return Field(column, name, np.array(shares), np.ones(len(rows)))


def _explanations(column: str, rows: Rows, labels: Sequence[str], file: str) -> Field:
    shares = np.full((len(rows), len(labels)), np.nan)
    people = np.full(len(rows), np.nan)
    said: list[list[tuple[str, str]]] = []
    for row, (line, value) in enumerate(rows):
        pairs = []
        for each in value or []:
            label = short_label(each[1], labels) if _pair(each) else None
            if label is None:
                raise DataError(
                    f"an explanation has the unknown label {each[1]!r}"
                    if _pair(each)
                    else f"found {each!r}",
                    where=_place(file, line, column),
                    expected=f"pairs of explanation and one of {listed(labels)}",
                    todo="correct the line, or name the file's labels (--labels)",
                )
            if each[0].strip():
                pairs.append((" ".join(each[0].split()), label))
        if pairs:
            counts = np.array([sum(label == one for _, one in pairs) for label in labels], float)
            shares[row], people[row] = counts / counts.sum(), counts.sum()
        said.append(pairs)
    return Field(column, f"labels of {column}", shares, people, said)


def _one_hot(value: Any, labels: Sequence[str], where: str) -> np.ndarray:
    if value is None:
        return np.full(len(labels), np.nan)
    label = short_label(value, labels) if isinstance(value, str) else None
    if label is None:
        raise DataError(
            f"found the unknown label {value!r}",
            where=where,
            expected=f"one of {listed(labels)}, or its beginning",
            todo="correct the line, or name the file's labels (--labels)",
        )
    return np.array([float(label == one) for one in labels])


def _numbers(value: list) -> bool:
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)


def _label_and_counts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], list)
        and _numbers(value[1])
    )


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


def _place(file: str, line: int, column: str) -> str:
    return f"{file}, line {line}, field {column!r}"
