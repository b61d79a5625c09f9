"""The order of one judge's trials: sources mixed evenly, repeats far apart, checks spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def in_blocks(
    rng: np.random.Generator, hands: Mapping[Hashable, Sequence[str]]
) -> list[tuple[Hashable, str]]:
    """Main trials in blocks of one trial of each stratum, in random order within each block.

    So no source lies mostly early, when a judge is fresh, or late.

    Args:
        hands: stratum → the judge's trials of it, equally many of each.

    Returns:
        (stratum, trial) in order.
    """
    strata = list(hands)
    shuffled = {s: [hands[s][i] for i in rng.permutation(len(hands[s]))] for s in strata}
    blocks = len(shuffled[strata[0]]) if strata else 0
    return [
        (strata[i], shuffled[strata[i]][block])
        for block in range(blocks)
        for i in rng.permutation(len(strata))
    ]


def to_repeat(
    rng: np.random.Generator,
    order: Sequence[tuple[Hashable, str]],
    count: int,
    before: Counter[Hashable],
) -> list[str]:
    """Which of a judge's trials are shown again: from the first third, strata taking turns.

    Args:
        before: how often each stratum was repeated by the judges before; this judge's are added.
    """
    early = list(order[: len(order) // 3])
    own: Counter[Hashable] = Counter()
    chosen = []
    for _ in range(count):
        chance = rng.random(len(early))
        best = min(
            range(len(early)),
            key=lambda i: (own[early[i][0]], before[early[i][0]], chance[i]),
        )
        stratum, trial = early.pop(best)
        own[stratum] += 1
        before[stratum] += 1
        chosen.append(trial)
    return chosen


def with_repeats(rng: np.random.Generator, order: Sequence[T], repeats: Sequence[T]) -> list[T]:
    """Repeats at random places within the last third.

    The originals lie in the first third, so at least a third of the trials lies between.
    """
    start = len(order) - len(order) // 3
    tail = [*order[start:], *repeats]
    places = set(rng.choice(len(tail), size=len(repeats), replace=False).tolist())
    late = [repeats[i] for i in rng.permutation(len(repeats))]
    rest = list(order[start:])
    return [*order[:start], *(late.pop() if i in places else rest.pop(0) for i in range(len(tail)))]


def with_checks(rng: np.random.Generator, order: Sequence[T], checks: Sequence[T]) -> list[T]:
    """Checks in random order, one in each of as many equal stretches, in its middle half."""
    total = len(order) + len(checks)
    places = {
        min(total - 1, int((i + 0.25 + rng.random() / 2) * total / len(checks)))
        for i in range(len(checks))
    }
    for place in range(total - 1, -1, -1):  # stretches shorter than one trial may share a place
        if len(places) == len(checks):
            break
        places.add(place)
    mixed = [checks[i] for i in rng.permutation(len(checks))]
    rest = list(order)
    return [mixed.pop() if i in places else rest.pop(0) for i in range(total)]
