"""The rows of ASSIGNMENTS: each judge's trials with position, sides and cards.

The order of one judge's trials: sources mixed evenly, repeats far apart, checks spread.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from capo_core.study.config import StudyConfig
from capo_core.study.design.balance import balance_sides, deal, hands_of
from capo_core.study.design.trials import DraftRows
from capo_core.study.tables import as_cell
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import Stratum

T = TypeVar("T")


def in_blocks(
    rng: np.random.Generator, hands: Mapping[Hashable, Sequence[str]]
) -> list[tuple[Hashable, str]]:
    """Return main trials in blocks of one trial of each stratum, in random order within each block.

    So no source lies mostly early, when a judge is fresh, or late. In an incomplete design some
    strata have one trial less: they are absent from one block, anywhere in the order.

    Args:
        hands: stratum → the judge's trials of it, equally many of each or up to one more.

    Returns:
        (stratum, trial) in order.
    """
    strata = list(hands)
    shuffled = {s: [hands[s][i] for i in rng.permutation(len(hands[s]))] for s in strata}
    blocks = max((len(hand) for hand in shuffled.values()), default=0)
    fewer = [s for s in strata if len(shuffled[s]) < blocks]
    if fewer:
        gap = int(rng.integers(blocks))
        for stratum in fewer:
            shuffled[stratum].insert(gap, "")
    return [
        (strata[i], shuffled[strata[i]][block])
        for block in range(blocks)
        for i in rng.permutation(len(strata))
        if shuffled[strata[i]][block]
    ]


def choose_repeats(
    rng: np.random.Generator,
    order: Sequence[tuple[Hashable, str]],
    count: int,
    before: Counter[Hashable],
) -> list[str]:
    """Return which of a judge's trials are shown again: from the first third, strata taking turns.

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


def insert_repeats(rng: np.random.Generator, order: Sequence[T], repeats: Sequence[T]) -> list[T]:
    """Return the order with the repeats at random positions within the last third.

    The originals lie in the first third, so at least a third of the trials lies between.
    """
    start = len(order) - len(order) // 3
    tail = [*order[start:], *repeats]
    places = set(rng.choice(len(tail), size=len(repeats), replace=False).tolist())
    late = [repeats[i] for i in rng.permutation(len(repeats))]
    rest = list(order[start:])
    return [*order[:start], *(late.pop() if i in places else rest.pop(0) for i in range(len(tail)))]


def insert_checks(rng: np.random.Generator, order: Sequence[T], checks: Sequence[T]) -> list[T]:
    """Return the order with a check in the middle half of each of as many equal stretches."""
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


TrialsByStratum = Mapping[tuple[int, Stratum], Sequence[tuple[str, str]]]


class Assigner:
    """Assign a study's trials to its judges, by the study's seed.

    Args:
        rows: the trials; mirrored repeats are added to it.
        annotators: all whose cards are shown.
    """

    def __init__(self, config: StudyConfig, rows: DraftRows, annotators: Sequence[str]) -> None:
        self._config, self._rows, self._annotators = config, rows, annotators
        self._rng = np.random.default_rng([config.seed, 41])
        self._practice: dict[str, list[str]] = defaultdict(list)
        self._checks: dict[str, list[str]] = defaultdict(list)
        self._left: Counter[str] = Counter()  # how much oftener the first source stood left
        self._repeated: Counter[Any] = Counter()

    def add_shared(self, practice: Sequence[str], checks: Sequence[str]) -> None:
        """Add trials that every judge sees."""
        for names, by_kind in ((practice, self._practice), (checks, self._checks)):
            for name in names:
                by_kind[self._rows.trials[name].kind].append(name)

    def rows(self, layers: Sequence[int], trials: TrialsByStratum) -> list[dict[str, Any]]:
        """Return all assignments: judges J01, J02, … in random order over the layers.

        Args:
            layers: judges of each layer.
            trials: (layer, stratum) → (trial, target).
        """
        total = sum(layers)
        numbers = iter(self._rng.permutation(total).tolist())
        found: list[tuple[int, list[dict[str, Any]]]] = []
        for layer, judges in enumerate(layers):
            dealt: list[dict[Stratum, list[str]]] = [{} for _ in range(judges)]
            for stratum, hands in self._dealt(layer, judges, trials).items():
                for judge, hand in enumerate(hands):
                    dealt[judge][stratum] = hand
            for hands_of_judge in dealt:
                number = next(numbers)
                found.append((number, self._judge(number, hands_of_judge)))
        return [row for _, rows in sorted(found, key=lambda one: one[0]) for row in rows]

    def _dealt(
        self, layer: int, judges: int, trials: TrialsByStratum
    ) -> dict[Stratum, list[list[str]]]:
        result = {}
        own = {stratum: found for (where, stratum), found in trials.items() if where == layer}
        targets = list(dict.fromkeys(target for found in own.values() for _, target in found))
        seen = np.zeros((judges, len(targets)), dtype=np.int64)
        for stratum, found in own.items():
            each = self._config.judgments_per_trial
            alike = self._config.strata_of(stratum.kind)
            hand, extra = divmod(self._config.trials_per_judge, len(alike))
            own = hands_of(judges, hand, extra, len(alike), alike.index(stratum))
            groups = [targets.index(target) for _, target in found]
            hands = deal(self._rng, groups, judges, own, each, seen)
            result[stratum] = [[found[i][0] for i in one] for one in hands]
        return result

    def _judge(self, number: int, hands: Mapping[Stratum, Sequence[str]]) -> list[dict[str, Any]]:
        """Return one judge's rows, practice first, then kind by kind; kinds take turns in coming
        first."""
        rng, kinds = self._rng, list(self._config.kinds)
        turn = number % len(kinds)
        kinds = kinds[turn:] + kinds[:turn]
        first_right = self._sides(hands)
        sequence = [name for kind in kinds for name in self._shuffled(self._practice[kind])]
        mirrors: dict[str, str] = {}
        for kind in kinds:
            order = in_blocks(rng, {s: hand for s, hand in hands.items() if s.kind == kind})
            again = choose_repeats(rng, order, self._config.repeats, self._repeated)
            mirrors |= {self._rows.mirror(name): name for name in again}
            late = [name for name, of in mirrors.items() if of in again]
            main = insert_repeats(rng, [name for _, name in order], late)
            sequence += insert_checks(rng, main, self._checks[kind])
        cards = self._cards(number)
        slots: dict[str, list[int]] = {}
        rows = []
        for position, name in enumerate(sequence, start=1):
            original = mirrors.get(name)
            if original:
                kind = TRIAL_KINDS[self._rows.trials[name].kind]
                slots[name] = kind.mirrored(slots[original])
            else:
                slots[name] = self._slots(name, first_right.get(name))
            rows.append(
                {
                    "judge_slot": f"J{number + 1:02d}",
                    "trial_id": name,
                    "position": position,
                    "order": as_cell({"cards": self._cards_for(name, cards), "slots": slots[name]}),
                }
            )
        return rows

    def _sides(self, hands: Mapping[Stratum, Sequence[str]]) -> dict[str, bool]:
        """Return paired trial → does the pair's first source stand on the right for this judge?"""
        result: dict[str, bool] = {}
        lean = 0
        for stratum, hand in hands.items():
            if TRIAL_KINDS[stratum.kind].paired:
                before = np.array([self._left[name] for name in hand])
                right = balance_sides(self._rng, before, lean)
                lean += int((~right).sum() - right.sum())
                for name, on_right in zip(hand, right.tolist(), strict=True):
                    result[name] = on_right
                    self._left[name] += -1 if on_right else 1
        return result

    def _slots(self, name: str, first_right: bool | None) -> list[int]:
        """Return the slots of a trial as displayed, left to right or top to bottom."""
        trial = self._rows.trials[name]
        if first_right is None:
            return TRIAL_KINDS[trial.kind].slot_order(self._rng, len(trial.shown))
        order = list(self._config.sources)
        first = min((0, 1), key=lambda slot: order.index(trial.shown[slot].source))
        return [1 - first, first] if first_right else [first, 1 - first]

    def _cards(self, number: int) -> list[str]:
        """Return all cards, rotated by one per judge, so that every card takes every position."""
        every = list(self._annotators)
        block = np.random.default_rng([self._config.seed, 42, number // len(every)])
        order = [every[i] for i in block.permutation(len(every))]
        turn = number % len(every)
        return order[turn:] + order[:turn]

    def _cards_for(self, name: str, cards: list[str]) -> list[str]:
        trial = self._rows.trials[name]
        return TRIAL_KINDS[trial.kind].cards(trial.target, cards)

    def _shuffled(self, names: Sequence[str]) -> list[str]:
        return [names[i] for i in self._rng.permutation(len(names))]
