"""The annotators and items that sources are compared on: the same ones for every source.

A mean over annotators A to D, and one over A alone, are not compared; nor are two methods on
different items, nor a method with people's answers to items that it never saw. So for each
annotator all sources are scored on the items that every method which imitates this annotator
answered, and means over annotators are over those whom every method imitates. Ceiling, floor,
chance and the most frequent label are over the very same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from capo_core.errors import DataError
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER, SHUFFLED, Stream
from capo_core.formatting import name_list

NO_COMMON_TARGET = "no annotator is imitated by every method, so that there is no mean over them"


@dataclass(frozen=True)
class Coverage:
    """The annotators and items that are compared.

    Attributes:
        targets: annotators whom every method imitates, in the dataset's order; all annotators
            where there is no method.
        items: of each imitated annotator, the items (by their index) that every method which
            imitates it answered; annotators without an entry are not imitated.
        left_out: answers of each method to other items, which are not scored.
    """

    targets: tuple[str, ...]
    items: Mapping[str, frozenset[int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    def restrict(self, stream: Stream) -> Stream:
        """Return the stream without answers to items that are not compared."""
        items = self.items.get(stream.target)
        if items is None or items.issuperset(stream.item.tolist()):
            return stream
        rows = [place for place, item in enumerate(stream.item.tolist()) if item in items]
        return replace(
            stream,
            item=stream.item[rows],
            labels=tuple(stream.labels[row] for row in rows),
            explanations=tuple(stream.explanations[row] for row in rows),
        )

    def compares(self, target: str, items: Iterable[int]) -> bool:
        """Return whether all of `items` are compared for this target."""
        allowed = self.items.get(target)
        return allowed is None or allowed.issuperset(items)


def coverage_of(streams: Sequence[Stream], annotators: Sequence[str]) -> Coverage:
    """Return what the streams can be compared on; those of people do not narrow it.

    Raises:
        DataError: two methods imitate one annotator and answered no item in common.
    """
    methods = [stream for stream in streams if stream.source not in (HUMAN, OTHER)]
    if not methods:
        return Coverage(tuple(annotators))
    items: dict[str, frozenset[int]] = {}
    for stream in methods:
        own = frozenset(stream.item.tolist())
        items[stream.target] = items.get(stream.target, own) & own
    for target, common in items.items():
        several = {stream.source for stream in methods if stream.target == target}
        if not common and any(len(s) for s in methods if s.target == target):
            raise DataError(
                f"no item has responses from all sources that imitate {target!r}",
                where=name_list(sorted(several)),
                expected="responses to the same items, so that methods can be compared",
            )
    imitated: dict[str, set[str]] = {}
    left_out: dict[str, int] = {}
    for stream in methods:
        imitated.setdefault(stream.source, set()).add(stream.target)
        outside = int(np.sum([item not in items[stream.target] for item in stream.item.tolist()]))
        left_out[stream.source] = left_out.get(stream.source, 0) + outside
    common = set.intersection(*imitated.values())
    return Coverage(tuple(name for name in annotators if name in common), items, left_out)


def averaged_targets(defined: Collection[tuple[str, str]], targets: Sequence[str]) -> list[str]:
    """Return the targets that a measure is averaged over, the same ones for every source.

    A source without any score by the measure takes no part; the target's own answers do, where
    they have scores, since distances from them are over the same targets.

    Args:
        defined: (source, target) of each score by the measure.
        targets: `Coverage.targets`.
    """
    sources = {source for source, target in defined if target in targets}
    methods = sources - {HUMAN, OTHER, GUESS, SHUFFLED}
    needed = methods | ({HUMAN} & sources) or sources
    return [t for t in targets if needed and all((source, t) in defined for source in needed)]
