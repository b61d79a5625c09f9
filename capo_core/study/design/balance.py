"""Assignment of items to trials: every place of a layer filled, no item twice in a layer.

The numbers of a balanced design: what each judge sees of each source, and who shares a trial.

With S strata (sources, or pairs of them), m main trials per judge, J judges and r judgments per
trial, a judge sees h = m/S trials of each stratum, and J·h/r trials of each stratum are drawn. All
of these are whole numbers, or the design cannot be balanced. In incomplete blocks h is not whole: a
judge sees ⌊m/S⌋ trials of each stratum and one more of e = m mod S of them, which take turns over
the judges; J·m/(S·r) is whole, so that over all judges every stratum is seen equally often.

Judges are divided into *layers*. In a layer an item is used once, so no judge meets one twice; in
another layer the same item may stand under another source. A trial's r judges are of one layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, lcm
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from capo_core.errors import ConfigError
from capo_core.formatting import count as said
from capo_core.study.config import StudyConfig, change
from capo_core.study.design.sources import AvailableTexts
from capo_core.study.fixes import DesignChange, DesignError
from capo_core.study.tables import HUMAN
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import Stratum

_NEAR = 60  # how far from what was asked other numbers are looked for


@dataclass(frozen=True)
class Sizes:
    """The numbers of a balanced design.

    Attributes:
        strata: all strata of all kinds.
        hand: kind → trials of each of its strata that one judge sees (h), rounded down.
        extra: kind → of how many of its strata a judge sees one trial more (e); 0 where balanced.
        unit: a layer's judges are a multiple of this.
    """

    strata: tuple[Stratum, ...]
    hand: dict[str, int]
    extra: dict[str, int]
    unit: int
    judges: int
    judgments_per_trial: int

    def drawn(self, kind: str, judges: int) -> int:
        """Return how many trials of each stratum of this kind a layer of so many judges has."""
        count = sum(stratum.kind == kind for stratum in self.strata)
        per_judge = self.hand[kind] * count + self.extra[kind]
        return judges * per_judge // (count * self.judgments_per_trial)

    @property
    def trials(self) -> int:
        """Main trials of the whole study, repeats not counted."""
        return sum(self.drawn(stratum.kind, self.judges) for stratum in self.strata)

    def layers(self, count: int) -> list[int] | None:
        """Return the judges of each of `count` layers, as equal as possible; None if there are too
        many."""
        units = self.judges // self.unit
        sizes = [self.unit * (units // count + (i < units % count)) for i in range(count)]
        return sizes if min(sizes) >= self.judgments_per_trial else None


def sizes(config: StudyConfig) -> Sizes:
    """Return the numbers of the design.

    Raises:
        DesignError: they do not fit together; it says which changes would make them.
    """
    problem = _problem(config)
    if problem:
        raise DesignError(
            problem,
            where=config.name,
            expected="every judge to see every source equally often, and every trial to have "
            "equally many judges",
            changes=_alternatives(config),
        )
    strata = tuple(each for kind in config.kinds for each in config.strata_of(kind))
    counts = {kind: len(config.strata_of(kind)) for kind in config.kinds}
    return Sizes(
        strata,
        {kind: config.trials_per_judge // count for kind, count in counts.items()},
        {kind: config.trials_per_judge % count for kind, count in counts.items()},
        _unit(config),
        config.judges,
        config.judgments_per_trial,
    )


def hands_of(judges: int, hand: int, extra: int, strata: int, stratum: int) -> list[int]:
    """Return how many trials of a stratum each judge of a layer sees; the strata of which a judge
    sees one more (`extra` of them) take turns."""
    turn = [(stratum - judge * extra) % strata < extra for judge in range(judges)]
    return [hand + more for more in turn]


def _unit(config: StudyConfig) -> int:
    """Return what the judges of a layer must be a multiple of."""
    m, r = config.trials_per_judge, config.judgments_per_trial
    each = [len(config.strata_of(kind)) * r for kind in config.kinds]
    return lcm(*(share // gcd(share, m) for share in each))


def _problem(config: StudyConfig) -> str:
    """Return why the numbers of a design do not fit; "" where they do."""
    trials, judges, r = config.trials_per_judge, config.judges, config.judgments_per_trial
    for kind in config.kinds:
        count = len(config.strata_of(kind))
        if trials % count and not config.incomplete:
            what = "pairs of sources" if TRIAL_KINDS[kind].paired else "sources"
            return (
                f"{said(trials, 'trial')} per judge cannot be shared equally by {count} {what} "
                f"(in “{TRIAL_KINDS[kind].title}”)"
            )
    if r > judges:
        return f"{said(r, 'judge')} per trial are asked for, and there are {judges} in all"
    unit = _unit(config)
    if judges % unit:
        return (
            f"{said(judges, 'judge')} with {said(trials, 'trial')} each cannot give every trial "
            f"exactly {said(r, 'judgment')}: the number of judges must be a multiple of {unit}"
        )
    return ""


def _fits(config: StudyConfig, **changes: Any) -> bool:
    try:
        return not _problem(config.with_changes(**changes))
    except ConfigError:  # out of range, or over the cap
        return False


_NUMBERS = ("trials_per_judge", "judges", "judgments_per_trial")


def _nearest(config: StudyConfig, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return `settings` with the one number, changed least, that makes the design fit."""
    other = config.with_changes(**settings)
    found = []
    for name in _NUMBERS:
        now = getattr(config, name)
        for value in range(max(1, now - _NEAR), now + _NEAR + 1):
            if _fits(other, **{name: value}) and not _fits(config, **{name: value}):
                found.append((abs(value - now) / now, name, value))
    return {**settings, min(found)[1]: min(found)[2]} if found else None


def _alternatives(config: StudyConfig) -> list[DesignChange]:
    """Return the nearest changes that fit, each with the other settings left as they are."""
    found: list[DesignChange] = []
    paired = [kind for kind in config.kinds if TRIAL_KINDS[kind].paired]
    simpler = []
    if not config.incomplete:
        simpler.append({"incomplete": True})
    if paired and HUMAN in config.sources and not config.reference and len(config.sources) > 2:
        simpler.append({"reference": HUMAN})
    for each in simpler:
        both = each if _fits(config, **each) else _nearest(config, each)
        found += [change(**both)] if both else []
    for name in _NUMBERS:
        now = getattr(config, name)
        for step in (-1, 1):
            values = range(now + step, now + step * (_NEAR + 1), step)
            fit = next((v for v in values if v > 0 and _fits(config, **{name: v})), None)
            if fit is not None:
                found.append(change(**{name: fit}))
    if not found:
        count = lcm(*(len(config.strata_of(kind)) for kind in config.kinds))
        r = config.judgments_per_trial
        for more in ({}, *simpler):
            both = {"trials_per_judge": count * r, "judges": max(config.judges, r), **more}
            if _fits(config, **both):
                found.append(change(**both))
    return found


def deal(
    rng: np.random.Generator,
    groups: list[int],
    judges: int,
    hand: int | Sequence[int],
    each: int,
    seen_before: np.ndarray | None = None,
) -> list[list[int]]:
    """Deal trials to judges: every judge gets `hand` different ones, every trial `each` judges.

    A judge takes from the trials that have most judgments still to get, which keeps what is left
    equal up to one, so that it always comes out even; among these a trial whose group (target) the
    judge has seen least in this hand, then least in earlier ones, then one of the group with most
    left, then by chance.

    Args:
        groups: [n] the group of each trial, 0 to G − 1; n·each = judges·hand, and hand ≤ n.
        hand: of every judge, or [judges] of each.
        seen_before: [judges, G] trials of each group in earlier hands; this one's are added.

    Returns:
        For each judge, positions in `groups`.

    Raises:
        ConfigError: the numbers do not come out even.
    """
    n = len(groups)
    own = [hand] * judges if isinstance(hand, int) else list(hand)
    if n * each != sum(own) or max(own) > n:
        raise ConfigError(
            f"{n} trials with {each} judgments each cannot be dealt to {judges} judges "
            f"with {hand} each"
        )
    group = np.asarray(groups, dtype=np.int64)
    if seen_before is None:
        seen_before = np.zeros((judges, int(group.max(initial=0)) + 1), dtype=np.int64)
    left = np.full(n, each, dtype=np.int64)
    hands: list[list[int]] = [[] for _ in range(judges)]
    for judge in rng.permutation(judges):
        seen = np.zeros_like(seen_before[judge])
        free = np.ones(n, dtype=bool)
        for _ in range(own[judge]):
            open_ = np.flatnonzero(free & (left == left[free].max()))
            waiting = np.bincount(group[open_], minlength=len(seen))
            for wish in (seen, seen_before[judge], -waiting):
                score = wish[group[open_]]
                open_ = open_[score == score.min()]
            chosen = int(rng.choice(open_))
            hands[judge].append(chosen)
            free[chosen] = False
            left[chosen] -= 1
            seen[group[chosen]] += 1
        seen_before[judge] += seen
    return hands


def balance_sides(rng: np.random.Generator, shown_first: np.ndarray, lean: int) -> np.ndarray:
    """Return which trials of one judge and pair of sources show stored slot 1 on the left.

    Half of them, or with an odd number one more or less, whichever lets the judge's other pairs
    come out even; those are turned that have had slot 0 on the left more often among other judges.

    Args:
        shown_first: [h] per trial, how much oftener source a than b stood left so far.
        lean: of this judge, how much oftener the first source of a pair stood left so far.

    Returns:
        [h] True where the first source of the pair stands on the right.
    """
    h = len(shown_first)
    extra = int(lean > 0) if lean else int(rng.integers(2))
    right = h // 2 + (h % 2) * extra
    order = np.lexsort((rng.random(h), -shown_first))
    result = np.zeros(h, dtype=bool)
    result[order[:right]] = True
    return result


UsableItems = Mapping[
    tuple[Stratum, str], Collection[str]
]  # stratum and target → items they can show

_FURTHER = 20  # how many more judgments per trial are looked at, where the items do not suffice


@dataclass(frozen=True)
class PlannedTrial:
    """A main trial before its texts are chosen: what it compares, for whom, on which items.

    Attributes:
        layer: which layer's judges see it.
        items: one, or the items of a pool.
    """

    layer: int
    stratum: Stratum
    target: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class TrialLayout:
    """All main trials, and the number of judges of each layer."""

    trials: tuple[PlannedTrial, ...]
    judges: tuple[int, ...]


def lay_out(
    config: StudyConfig, material: AvailableTexts, reserved: Collection[str] = frozenset()
) -> TrialLayout:
    """Lay out all main trials on the fewest layers that the items allow.

    Within a layer items are matched to trials by a maximum matching (Hopcroft and Karp), over
    items and trials in random order, so that a design is found wherever there is one. An item is
    not used twice for the same stratum and target, in whatever layer.

    Args:
        reserved: items kept for checks and practice.

    Raises:
        ConfigError: the items do not suffice; it says for what, and how many trials there can be.
    """
    numbers = sizes(config)
    can = _usable(numbers, material, reserved)
    found = _try(config, numbers, material, can)
    if isinstance(found, TrialLayout):
        return found
    changes = _what_fits(config, material, can)
    raise DesignError(
        f"the items do not suffice: {found}",
        where=config.name,
        expected=f"{_needed(config)} different items for a judge, each with the texts it needs",
        todo=None
        if changes
        else "take more items, fewer sources or targets, or smaller pools; "
        "nothing fits these items with the other numbers as they are",
        changes=changes,
    )


def _usable(numbers: Sizes, material: AvailableTexts, reserved: Collection[str]) -> UsableItems:
    """Return the items that each stratum can show of each target."""
    return {
        (stratum, target): frozenset(
            item
            for item in material.items
            if item not in reserved and material.options(stratum, target, item)
        )
        for stratum in numbers.strata
        for target in material.targets
    }


class ItemSupply:
    """The items of a design, asked for other numbers of judges.

    Args:
        config: a design whose numbers come out even.
        reserved: items kept for checks and practice.
    """

    def __init__(
        self, config: StudyConfig, material: AvailableTexts, reserved: Collection[str]
    ) -> None:
        self._config, self._material = config, material
        self._can = _usable(sizes(config), material, reserved)

    def may_suffice(self, judges: int) -> bool:
        """Return False where an item would have to be used twice for a source and target; a quick
        look, which says nothing of what else may be missing."""
        numbers = sizes(self._config.with_changes(judges=judges))
        return all(
            numbers.drawn(stratum.kind, judges) * _width(self._config, stratum)
            <= sum(len(self._can[stratum, target]) for target in self._material.targets)
            for stratum in numbers.strata
        )

    def suffices(self, judges: int) -> bool:
        """Return whether so many judges can be given their trials.

        Raises:
            DesignError: the number of judges does not come out even.
        """
        if not self.may_suffice(judges):
            return False
        other = self._config.with_changes(judges=judges)
        return isinstance(_try(other, sizes(other), self._material, self._can), TrialLayout)


def _needed(config: StudyConfig) -> int:
    """Return how many items the main trials of one judge show."""
    per_trial = [TRIAL_KINDS[kind].items_per_trial(config) for kind in config.kinds]
    return config.trials_per_judge * sum(per_trial)


def _try(
    config: StudyConfig, numbers: Sizes, material: AvailableTexts, can: UsableItems
) -> TrialLayout | str:
    """Return the layout, or a sentence on what is missing."""
    rng = np.random.default_rng([config.seed, 21])
    useful = set().union(*can.values())
    items = [item for item in material.items if item in useful]
    items = [items[i] for i in rng.permutation(len(items))]
    if config.items:  # those that can be shown in most ways
        items.sort(key=lambda item: -sum(item in fit for fit in can.values()))
        items = items[: config.items]
    needed = _needed(config)
    problem = f"{len(items)} can be used, and a judge needs {needed}"
    if len(items) < needed:
        return problem
    for count in range(1, numbers.judges // numbers.unit + 1):
        layers = numbers.layers(count)
        if layers is None:
            break
        shown = sum(numbers.drawn(s.kind, max(layers)) * _width(config, s) for s in numbers.strata)
        if shown > len(items):
            problem = f"{shown} are needed for {max(layers)} judges; {len(items)} can be used"
            continue
        found = _fill(config, numbers, layers, material.targets, items, can, rng)
        if isinstance(found, TrialLayout):
            return found
        problem = found
    return problem


def _width(config: StudyConfig, stratum: Stratum) -> int:
    return TRIAL_KINDS[stratum.kind].items_per_trial(config)


def _fill(
    config: StudyConfig,
    numbers: Sizes,
    layers: Sequence[int],
    targets: Sequence[str],
    items: Sequence[str],
    can: UsableItems,
    rng: np.random.Generator,
) -> TrialLayout | str:
    used: set[tuple[Stratum, str, str]] = set()
    trials: list[PlannedTrial] = []
    asked_of: Counter[object] = Counter()  # trials of a stratum and target, and of a target
    for layer, judges in enumerate(layers):
        wanted: list[tuple[Stratum, str]] = []
        for stratum in numbers.strata:
            for _ in range(numbers.drawn(stratum.kind, judges)):
                chance = rng.random(len(targets))
                target = min(
                    range(len(targets)),
                    key=lambda i, s=stratum, c=chance: (
                        asked_of[s, targets[i]],
                        asked_of[targets[i]],
                        c[i],
                    ),
                )
                asked_of.update([(stratum, targets[target]), targets[target]])
                wanted.append((stratum, targets[target]))
        slots = [one for one in wanted for _ in range(_width(config, one[0]))]
        matched = _match(slots, items, can, used, rng)
        short = Counter(slot for slot, item in zip(slots, matched, strict=True) if item is None)
        if short:
            (stratum, target), count = short.most_common(1)[0]
            asked = slots.count((stratum, target))
            return (
                f"{stratum.words} for annotator {target!r} needs {asked} items in a layer of "
                f"{judges} judges, and {count} are missing"
            )
        rest = iter(matched)
        for stratum, target in wanted:
            chosen = tuple(next(rest) or "" for _ in range(_width(config, stratum)))
            used |= {(stratum, target, item) for item in chosen}
            trials.append(PlannedTrial(layer, stratum, target, chosen))
    return TrialLayout(tuple(trials), tuple(layers))


def _match(
    slots: Sequence[tuple[Stratum, str]],
    items: Sequence[str],
    can: UsableItems,
    used: Collection[tuple[Stratum, str, str]],
    rng: np.random.Generator,
) -> list[str | None]:
    """Return an item for each slot, each item once; None where the largest matching has none."""
    rows, columns = rng.permutation(len(slots)), rng.permutation(len(items))
    fits = {
        one: np.array([items[i] in can[one] and (*one, items[i]) not in used for i in columns])
        for one in dict.fromkeys(slots)
    }
    allowed = csr_matrix(np.array([fits[slots[i]] for i in rows], dtype=bool))
    matched = maximum_bipartite_matching(allowed, perm_type="column")
    result: list[str | None] = [None] * len(slots)
    for row, column in zip(rows, matched, strict=True):
        result[row] = items[columns[column]] if column >= 0 else None
    return result


def _what_fits(
    config: StudyConfig, material: AvailableTexts, can: UsableItems
) -> list[DesignChange]:
    """Return the nearest changes that the items allow, each with the other settings as they are."""
    more = min(config.judges, config.judgments_per_trial + _FURTHER)
    tried = {
        "trials_per_judge": range(config.trials_per_judge - 1, 0, -1),
        "judgments_per_trial": range(config.judgments_per_trial + 1, more + 1),
        "pool": range(config.pool - 1, 0, -1),
    }
    if HUMAN in config.sources and not config.reference:
        tried["reference"] = (HUMAN,)
    fit = []
    for name, values in tried.items():
        for value in values:
            if not _fits(config, **{name: value}):  # not a number that can be balanced
                continue
            other = config.with_changes(**{name: value})
            if isinstance(_try(other, sizes(other), material, can), TrialLayout):
                fit.append(change(**{name: value}))
                break
    return fit
