"""Items with all that is known about how people and models judge them, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from capo_core.distributions.source import Source, uniform
from capo_core.errors import ConfigError, DataError
from capo_core.schema import Column, Table, check, listed
from capo_core.task import Task
from capo_core.workspace import content_hash

CROWD = "crowd"
UNIFORM = "uniform"

# Explanations with the label each one argues for; several of one source for an item, in order.
SAID = Table(
    "explanations",
    ("item_id", "source", "position"),
    (
        Column("item_id", "text", "the item explained", required=True),
        Column("source", "text", "who wrote it: humans, or a model and how", required=True),
        Column("position", "count", "which of the source's explanations of the item, from 0"),
        Column("label", "text", "the label it argues for", required=True),
        Column("explanation", "text", "the words", required=True),
    ),
)


@dataclass(frozen=True)
class Judgments:
    """Items, sources of label distributions on them, and explanations of labels.

    Attributes:
        items: item_id, text_a, text_b.
        sources: in the order in which they are shown; names are unique.
        explanations: the table `SAID`.
        notes: what a reader must know of how the sources were made, in sentences.

    Raises:
        DataError: a source or an explanation speaks of an unknown item, or of unknown labels.
    """

    name: str
    task: Task
    items: pd.DataFrame = field(repr=False)
    sources: tuple[Source, ...]
    explanations: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = set(self.items["item_id"])
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise DataError(f"two sources have one name: {listed(names)}", where=self.name)
        for source in self.sources:
            check_labels(source, self.task.scale.labels, self.name)
            strange = [item for item in source.item_ids if item not in known]
            if strange:
                raise DataError(
                    f"the source {source.name!r} speaks of {len(strange)} unknown items, "
                    f"for instance {strange[0]!r}",
                    where=self.name,
                )
        said = check(self.explanations, SAID, source=self.name)
        for column, allowed in (("item_id", known), ("label", set(self.task.scale.labels))):
            bad = ~said[column].isin(allowed)
            if bad.any():
                raise DataError(
                    f"an explanation has the {column} {said.loc[bad, column].iloc[0]!r}",
                    where=self.name,
                    expected=f"one of {listed(self.task.scale.labels)}"
                    if column == "label"
                    else "an item of this set",
                )
        object.__setattr__(self, "explanations", said)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the items' texts and labels; the same for a file and its copy."""
        rows = self.items[["item_id", "text_a", "text_b"]].to_numpy().tolist()
        return content_hash(sorted(rows), list(self.task.scale.labels))

    def source(self, name: str) -> Source:
        for one in self.sources:
            if one.name == name:
                return one
        raise ConfigError(
            f"there is no source {name!r} in {self.name}",
            expected=f"one of {listed(one.name for one in self.sources)}",
        )

    def with_sources(self, more: Iterable[Source]) -> Judgments:
        """The same with further sources at the end, those on no known item left out."""
        return replace(self, sources=(*self.sources, *more))

    def with_explanations(self, more: pd.DataFrame) -> Judgments:
        """The same with further explanations (`SAID`)."""
        both = pd.concat([self.explanations, more], ignore_index=True)
        return replace(self, explanations=both)

    def with_uniform(self) -> Judgments:
        """The same with the uniform source, where it is not among the sources already."""
        if any(source.name == UNIFORM for source in self.sources):
            return self
        items = tuple(self.items["item_id"])
        return self.with_sources([uniform(self.task.scale.labels, items)])


def no_explanations() -> pd.DataFrame:
    """The table `SAID` without rows."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in SAID.names})


def check_labels(source: Source, labels: Sequence[str], where: str) -> None:
    """`DataError` where a source's labels are not those of the task, in its order."""
    unknown = [label for label in source.labels if label not in labels]
    if unknown or source.labels != tuple(labels):
        what = f"unknown labels {listed(unknown)}" if unknown else "the labels in another order"
        raise DataError(
            f"the source {source.name!r} has {what}",
            where=where,
            expected=f"the labels {listed(labels)}",
        )
