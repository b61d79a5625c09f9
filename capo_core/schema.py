"""The tables everybody speaks, the label scales, the task and the dataset.

Long pandas tables, one meaning per column name across the project. Identifiers and labels are
text. No text column holds a missing value: what is absent is the empty string, so that no caller
has to think about three kinds of nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from capo_core.errors import ConfigError, DataError


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind ("text" or "count") and what it means."""

    name: str
    kind: str
    meaning: str
    allowed: tuple[str, ...] | None = None
    required: bool = False  # may the text be empty?


@dataclass(frozen=True)
class Table:
    """A table's name, its key and its columns, in order."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


ITEMS = Table(
    "items",
    ("item_id",),
    (
        Column("item_id", "text", "identifier of the item", required=True),
        Column("text_a", "text", "first text of the item (premise, question 1)", required=True),
        Column("text_b", "text", "second text (hypothesis, question 2); empty where there is one"),
        Column("split", "text", "part of the data", ("train", "validation", "test", "")),
    ),
)
ANNOTATIONS = Table(
    "annotations",
    ("annotation_id",),
    (
        Column("annotation_id", "text", "identifier of the annotation", required=True),
        Column("item_id", "text", "the item annotated", required=True),
        Column("annotator_id", "text", "who annotated it", required=True),
        Column("label", "text", "the label given, on the task's scale", required=True),
        Column("explanation", "text", "why, in the annotator's words; empty where none was given"),
        Column("valid", "text", "judged valid by later validation", ("true", "false", "unknown")),
    ),
)
CROWD = Table(
    "crowd",
    ("item_id", "label"),
    (
        Column("item_id", "text", "the item labelled", required=True),
        Column("label", "text", "one label of the task's scale", required=True),
        Column("count", "count", "how many people gave this label"),
    ),
)


def check(frame: pd.DataFrame, table: Table, *, source: str = "") -> pd.DataFrame:
    """The table's columns in order, checked; raises `DataError` at the first thing that is wrong.

    Rows in messages are counted from 1 in the order of `frame`.
    """
    where = f"{source}, table {table.name}" if source else f"table {table.name}"
    missing = [name for name in table.names if name not in frame.columns]
    if missing:
        raise DataError(
            f"the column{'s' if len(missing) > 1 else ''} {_listed(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} missing",
            where=where,
            expected=f"the columns {_listed(table.names)}; found {_listed(frame.columns)}",
        )
    frame = frame.loc[:, table.names].reset_index(drop=True)
    for column in table.columns:
        _check_column(frame[column.name], column, where)
    repeated = frame.duplicated(list(table.key), keep="first")
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        key = ", ".join(f"{name} {frame.at[row, name]!r}" for name in table.key)
        raise DataError(
            f"{key} stands twice",
            where=f"{where}, row {row + 1}",
            expected=f"each {' and '.join(table.key)} once",
        )
    return frame


def _check_column(values: pd.Series, column: Column, where: str) -> None:
    def fail(bad: pd.Series, expected: str) -> None:
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DataError(
                f"found {values.iloc[row]!r}",
                where=f"{where}, row {row + 1}, column '{column.name}'",
                expected=expected,
            )

    if column.kind == "count":
        numbers = pd.to_numeric(values, errors="coerce")
        fail(~((numbers >= 0) & (numbers % 1 == 0)), "a whole number of 0 or more")
        return
    fail(~values.map(lambda value: isinstance(value, str)).astype(bool), "text")
    if column.required:
        fail(values.str.strip() == "", f"{column.meaning}, not empty")
    if column.allowed is not None:
        fail(~values.isin(column.allowed), f"one of {_listed(column.allowed)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"


@dataclass(frozen=True)
class LabelScale:
    """The labels of a task, in order of display.

    `ordinal` scales have whole numbers as labels and know distances between them; nominal ones
    know only equal and different.
    """

    labels: tuple[str, ...]
    ordinal: bool = False

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ConfigError(f"the label scale {list(self.labels)} is empty or repeats a label")
        if self.ordinal:
            try:
                numbers = [int(label) for label in self.labels]
            except ValueError:
                raise ConfigError(
                    f"the ordinal scale {list(self.labels)} has labels that are no whole numbers",
                    todo="declare the scale nominal, or map its labels to numbers",
                ) from None
            if numbers != sorted(numbers):
                raise ConfigError(f"the ordinal scale {list(self.labels)} does not ascend")

    @classmethod
    def between(cls, low: int, high: int) -> LabelScale:
        """The ordinal scale of all whole numbers from `low` to `high`."""
        return cls(tuple(str(value) for value in range(low, high + 1)), ordinal=True)

    def number(self, label: str) -> int:
        """The label's value (ordinal) or its position in the order of display (nominal)."""
        return int(label) if self.ordinal else self.labels.index(label)


@dataclass(frozen=True)
class Task:
    """What the annotators were asked.

    Attributes:
        name: short name, for instance "natural language inference".
        scale: the labels.
        role_a, role_b: what text_a and text_b are called; role_b is empty for one-text tasks.
        instruction: the question put to the annotators, in one sentence.
    """

    name: str
    scale: LabelScale
    role_a: str = "text"
    role_b: str = ""
    instruction: str = ""

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "labels": list(self.scale.labels),
            "ordinal": self.scale.ordinal,
            "role_a": self.role_a,
            "role_b": self.role_b,
            "instruction": self.instruction,
        }

    @classmethod
    def from_dict(cls, raw: dict) -> Task:
        scale = LabelScale(tuple(raw["labels"]), raw["ordinal"])
        return cls(raw["name"], scale, raw["role_a"], raw["role_b"], raw["instruction"])


NLI = Task(
    name="natural language inference",
    scale=LabelScale(("entailment", "neutral", "contradiction")),
    role_a="premise",
    role_b="hypothesis",
    instruction="Given the premise, is the hypothesis true (entailment), undetermined (neutral) "
    "or false (contradiction)?",
)
PARAPHRASE = Task(
    name="paraphrase judgment",
    scale=LabelScale.between(-5, 5),
    role_a="question 1",
    role_b="question 2",
    instruction="How far do the two questions ask the same, from -5 (not at all) to 5 (exactly)?",
)


@dataclass(frozen=True)
class Dataset:
    """Items, annotations, possibly crowd counts, and the task that ties them.

    Tables are checked and cross-checked on construction and must not be changed in place.

    Attributes:
        origin: one line on where the data come from, shown wherever the data are.
        simulated: True where no human wrote this; the dashboard says so on every page.

    Raises:
        DataError: a table breaks its schema, an annotation names an unknown item, or a label is
            off the scale.
    """

    name: str
    task: Task
    items: pd.DataFrame
    annotations: pd.DataFrame
    crowd: pd.DataFrame | None = None
    origin: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", check(self.items, ITEMS, source=self.name))
        object.__setattr__(
            self, "annotations", check(self.annotations, ANNOTATIONS, source=self.name)
        )
        if self.crowd is not None:
            object.__setattr__(self, "crowd", check(self.crowd, CROWD, source=self.name))
        for table, frame in (("annotations", self.annotations), ("crowd", self.crowd)):
            if frame is not None:
                self._check_references(table, frame)

    def _check_references(self, table: str, frame: pd.DataFrame) -> None:
        for column, known, expected in (
            ("item_id", set(self.items["item_id"]), "an item_id of the items table"),
            ("label", set(self.task.scale.labels), f"one of {_listed(self.task.scale.labels)}"),
        ):
            bad = ~frame[column].isin(known)
            if bad.any():
                row = int(bad.to_numpy().argmax())
                raise DataError(
                    f"found {frame.at[row, column]!r}",
                    where=f"{self.name}, table {table}, row {row + 1}, column '{column}'",
                    expected=expected,
                )

    @cached_property
    def annotators(self) -> tuple[str, ...]:
        """Identifiers of all annotators, numbers in numeric order, else alphabetical."""
        found = self.annotations["annotator_id"].unique()
        return tuple(
            sorted(found, key=lambda a: (not a.isdecimal(), int(a or 0) if a.isdecimal() else 0, a))
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the task and the tables, whatever the order of their rows.

        The name, the origin and the split do not enter: they change nothing in what was said.
        """
        digest = hashlib.sha256(json.dumps(self.task.to_dict(), sort_keys=True).encode())
        for table, frame in (
            (ITEMS, self.items),
            (ANNOTATIONS, self.annotations),
            (CROWD, self.crowd),
        ):
            if frame is None:
                continue
            columns = [name for name in table.names if name != "split"]
            rows = sorted(
                json.dumps(row, ensure_ascii=False)
                for row in zip(*(frame[name].tolist() for name in columns), strict=True)
            )
            digest.update(f"\n{table.name} {len(rows)}\n".encode())
            digest.update("\n".join(rows).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def with_split(self, split: pd.Series) -> Dataset:
        """The same data with `split` (index item_id → train, validation or test)."""
        items = self.items.assign(split=self.items["item_id"].map(split).fillna("").astype(str))
        return replace(self, items=items)
