"""Datasets: items, annotations, optional crowd counts, and their task."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from capo_core.errors import DataError
from capo_core.formatting import natural_order, quoted_names
from capo_core.schema import ANNOTATIONS, CROWD, ITEMS, check
from capo_core.task import Task
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class Dataset:
    """Items, annotations, optional crowd counts, and their task.

    Tables are checked and cross-checked on construction and must not be changed in place.

    Attributes:
        origin: one line on the source of the data, shown with them.
        simulated: whether no person wrote the data; the dashboard marks them on every page.

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
            (
                "label",
                set(self.task.scale.labels),
                f"one of {quoted_names(self.task.scale.labels)}",
            ),
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
        """Identifiers of all annotators, in natural order: Ann2 before Ann10."""
        return tuple(natural_order(self.annotations["annotator_id"].unique()))

    @cached_property
    def explained(self) -> bool:
        """Tell whether any annotation has an explanation."""
        return bool(self.annotations["explanation"].str.strip().any())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the task and the tables, independent of the order of rows.

        Name, origin and split do not enter: they are not part of the annotators' answers.
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

    @property
    def split_fingerprint(self) -> str:
        """Hash (hex) of which item is in which part, independent of the order of rows."""
        columns = (self.items[name] for name in ("item_id", "split"))
        return content_hash(sorted(zip(*columns, strict=True)))

    def with_split(self, split: pd.Series) -> Dataset:
        """Return the same data with `split` (index item_id → train, validation or test)."""
        items = self.items.assign(split=self.items["item_id"].map(split).fillna("").astype(str))
        return replace(self, items=items)

    def named(self, name: str) -> Dataset:
        """Return the same data under another name."""
        return replace(self, name=name)
