"""Items with judgments: label distributions of several sources, and explanations of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError, DataError
from capo_core.formatting import quoted_names
from capo_core.provenance import UNKNOWN
from capo_core.schema import Table, TableColumn, check
from capo_core.task import Task
from capo_core.workspace import content_hash

# A published share is mostly rounded to two digits: each label may be off by half a hundredth.
ROUNDING = 0.005


@dataclass(frozen=True)
class LabelDistribution:
    """Label distributions of one source.

    Attributes:
        name: "crowd", "annotators", "model p_softmax", …
        labels: all labels of the scale, in its order.
        item_ids: items of the distributions, each once.
        shares: float [items, labels]; rows are renormalised to sum exactly 1.
        people: float [items]: number of answers in each row; NaN if unknown.
        about: origin, as a sentence.

    Raises:
        DataError: a share is not a number, negative, or a row does not sum to one (rounding to two
            digits aside); an item occurs twice.
    """

    name: str
    labels: tuple[str, ...]
    item_ids: tuple[str, ...]
    shares: np.ndarray = field(repr=False)
    people: np.ndarray | None = field(default=None, repr=False)
    about: str = ""

    def __post_init__(self) -> None:
        where = f"source {self.name!r}"
        shares = np.asarray(self.shares, dtype=float)
        if shares.shape != (len(self.item_ids), len(self.labels)):
            raise DataError(
                f"{shares.shape} shares for {len(self.item_ids)} items and {len(self.labels)} "
                "labels",
                where=where,
            )
        seen: set[str] = set()
        for item in self.item_ids:
            if item in seen:
                raise DataError(f"the item {item!r} occurs twice", where=where)
            seen.add(item)
        self._refuse(~np.isfinite(shares).all(axis=1), shares, "holds what is no number", where)
        self._refuse((shares < 0).any(axis=1), shares, "holds a negative share", where)
        total = shares.sum(axis=1)
        allowed = ROUNDING * len(self.labels) + 1e-9
        self._refuse(np.abs(total - 1) > allowed, shares, "does not sum to one", where)
        object.__setattr__(self, "shares", shares / total[:, None])
        people = np.full(len(total), np.nan) if self.people is None else self.people
        object.__setattr__(self, "people", np.asarray(people, dtype=float))

    def _refuse(self, bad: np.ndarray, shares: np.ndarray, what: str, where: str) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"the distribution {[round(float(x), 4) for x in shares[row]]} {what} "
                f"({int(bad.sum())} of {len(bad)} items)",
                where=f"{where}, item {self.item_ids[row]!r}",
                expected=f"shares of {quoted_names(self.labels)} from 0 to 1, of sum 1",
                todo="correct the data, or remove the item from this source",
            )

    @property
    def constant(self) -> bool:
        """Return whether every item has the same distribution."""
        return bool(len(self.shares)) and bool(np.ptp(self.shares, axis=0).max() < 1e-12)

    def rows(self, item_ids: Sequence[str]) -> np.ndarray:
        """Return the distributions of `item_ids`, [len(item_ids), labels]; all must exist."""
        place = {item: row for row, item in enumerate(self.item_ids)}
        return self.shares[[place[item] for item in item_ids]]


def from_counts(
    name: str,
    labels: Sequence[str],
    item_ids: Sequence[str],
    counts: np.ndarray,
    about: str = "",
) -> LabelDistribution:
    """Return a source from counts of people per label, [items, labels]; items without labels are
    left out.

    Raises:
        DataError: a count is negative or not a number.
    """
    counts = np.asarray(counts, dtype=float).reshape(len(item_ids), len(labels))
    if not np.isfinite(counts).all() or (counts < 0).any():
        row = int((~np.isfinite(counts).all(axis=1) | (counts < 0).any(axis=1)).argmax())
        raise DataError(
            f"the counts {counts[row].tolist()} cannot be used",
            where=f"source {name!r}, item {item_ids[row]!r}",
            expected="numbers of 0 or more",
        )
    total = counts.sum(axis=1)
    there = total > 0
    kept = tuple(item for item, given in zip(item_ids, there, strict=True) if given)
    shares = counts[there] / total[there, None]
    return LabelDistribution(name, tuple(labels), kept, shares, total[there], about)


def uniform(labels: Sequence[str], item_ids: Sequence[str]) -> LabelDistribution:
    """Return the uniform distribution over labels for every item: the uninformed baseline."""
    shares = np.full((len(item_ids), len(labels)), 1 / len(labels))
    return LabelDistribution(
        "uniform", tuple(labels), tuple(item_ids), shares, about="no knowledge at all"
    )


def mean_of(name: str, sources: Sequence[LabelDistribution], about: str = "") -> LabelDistribution:
    """Return the unweighted mean of several sources on the items that all of them have.

    Raises:
        DataError: they have no item in common, or other labels.
    """
    labels = sources[0].labels
    if any(one.labels != labels for one in sources):
        raise DataError("the sources have different labels", where=f"source {name!r}")
    common = set.intersection(*(set(one.item_ids) for one in sources))
    items = tuple(item for item in sources[0].item_ids if item in common)
    if not items:
        raise DataError(
            "the sources have no item in common",
            where=f"source {name!r} of {quoted_names(one.name for one in sources)}",
        )
    shares = np.mean([one.rows(items) for one in sources], axis=0)
    return LabelDistribution(
        name, labels, items, shares, np.full(len(items), float(len(sources))), about
    )


CROWD = "crowd"
UNIFORM = "uniform"

# Explanations with the label each one argues for; several of one source for an item, in order.
EXPLANATIONS = Table(
    "explanations",
    ("item_id", "source", "position"),
    (
        TableColumn("item_id", "text", "the item explained", required=True),
        TableColumn("source", "text", "who wrote it: humans, or a model and how", required=True),
        TableColumn("position", "count", "which of the source's explanations of the item, from 0"),
        TableColumn("label", "text", "the label it argues for", required=True),
        TableColumn("explanation", "text", "the words", required=True),
    ),
)


@dataclass(frozen=True)
class Judgments:
    """Items, sources of label distributions on them, and explanations of labels.

    Attributes:
        items: item_id, text_a, text_b.
        sources: in the order in which they are shown; names are unique.
        explanations: the table `EXPLANATIONS`.
        notes: caveats on the sources, as sentences.
        data: whose they are, `provenance.PEOPLE`, `SIMULATED`, `BOTH` or `UNKNOWN`; not saved with
            the judgments of a run.

    Raises:
        DataError: a source or an explanation refers to an unknown item or label.
    """

    name: str
    task: Task
    items: pd.DataFrame = field(repr=False)
    sources: tuple[LabelDistribution, ...]
    explanations: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()
    data: str = UNKNOWN

    def __post_init__(self) -> None:
        known = set(self.items["item_id"])
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise DataError(
                f"two sources have the same name: {quoted_names(names)}", where=self.name
            )
        for source in self.sources:
            check_labels(source, self.task.scale.labels, self.name)
            strange = [item for item in source.item_ids if item not in known]
            if strange:
                raise DataError(
                    f"the source {source.name!r} has {len(strange)} unknown items, "
                    f"for instance {strange[0]!r}",
                    where=self.name,
                )
        said = check(self.explanations, EXPLANATIONS, source=self.name)
        for column, allowed in (("item_id", known), ("label", set(self.task.scale.labels))):
            bad = ~said[column].isin(allowed)
            if bad.any():
                raise DataError(
                    f"an explanation has the {column} {said.loc[bad, column].iloc[0]!r}",
                    where=self.name,
                    expected=f"one of {quoted_names(self.task.scale.labels)}"
                    if column == "label"
                    else "an item of this set",
                )
        object.__setattr__(self, "explanations", said)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the items' texts and labels; the same for a file and its copy."""
        rows = self.items[["item_id", "text_a", "text_b"]].to_numpy().tolist()
        return content_hash(sorted(rows), list(self.task.scale.labels))

    def source(self, name: str) -> LabelDistribution:
        for one in self.sources:
            if one.name == name:
                return one
        raise ConfigError(
            f"there is no source {name!r} in {self.name}",
            expected=f"one of {quoted_names(one.name for one in self.sources)}",
        )

    def with_sources(self, more: Iterable[LabelDistribution]) -> Judgments:
        """Return a copy with further sources at the end, without those on no known item."""
        return replace(self, sources=(*self.sources, *more))

    def with_explanations(self, more: pd.DataFrame) -> Judgments:
        """Return a copy with further explanations (`EXPLANATIONS`)."""
        both = pd.concat([self.explanations, more], ignore_index=True)
        return replace(self, explanations=both)

    def with_uniform(self) -> Judgments:
        """Return a copy with the uniform source, unless it is among the sources already."""
        if any(source.name == UNIFORM for source in self.sources):
            return self
        items = tuple(self.items["item_id"])
        return self.with_sources([uniform(self.task.scale.labels, items)])


def no_explanations() -> pd.DataFrame:
    """Return the table `EXPLANATIONS` without rows."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in EXPLANATIONS.names})


def check_labels(source: LabelDistribution, labels: Sequence[str], where: str) -> None:
    """Raise `DataError` if a source's labels are not those of the task, in its order."""
    unknown = [label for label in source.labels if label not in labels]
    if unknown or source.labels != tuple(labels):
        what = (
            f"unknown labels {quoted_names(unknown)}" if unknown else "the labels in another order"
        )
        raise DataError(
            f"the source {source.name!r} has {what}",
            where=where,
            expected=f"the labels {quoted_names(labels)}",
        )
