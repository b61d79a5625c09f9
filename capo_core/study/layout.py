"""Which item stands in which trial: every place of a layer filled, no item twice in a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from capo_core.errors import ConfigError
from capo_core.study.balance import Sizes, sizes
from capo_core.study.config import Stratum, StudyConfig
from capo_core.study.sources import Material
from capo_core.study.tables import ATTRIBUTION

Can = Mapping[tuple[Stratum, str], Collection[str]]  # stratum and target → items they can show

_FURTHER = 20  # how many more judgments per trial are looked at, where the items do not suffice


@dataclass(frozen=True)
class Planned:
    """A main trial to be: what it compares, for whom, on which items.

    Attributes:
        layer: which layer's judges see it.
        items: one, or the items of a pool.
    """

    layer: int
    stratum: Stratum
    target: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """All main trials, and how many judges each layer has."""

    trials: tuple[Planned, ...]
    judges: tuple[int, ...]


def lay_out(
    config: StudyConfig, material: Material, reserved: Collection[str] = frozenset()
) -> Layout:
    """All main trials on the fewest layers that the items allow.

    Within a layer items are matched to trials by a maximum matching (Hopcroft and Karp), over
    items and trials in random order, so that a design is found wherever there is one. An item is
    not used twice for the same stratum and target, in whatever layer.

    Args:
        reserved: items kept for checks and practice.

    Raises:
        ConfigError: the items do not suffice; it says for what, and how many trials there can be.
    """
    made = sizes(config)
    can = {
        (stratum, target): frozenset(
            item
            for item in material.items
            if item not in reserved and material.options(stratum, target, item)
        )
        for stratum in made.strata
        for target in material.targets
    }
    found = _try(config, made, material, can)
    if isinstance(found, Layout):
        return found
    raise ConfigError(
        f"the items do not suffice: {found}",
        where=config.name,
        expected=f"{_needed(config)} different items for a judge, each with the texts it needs",
        todo=_what_fits(config, material, can),
    )


def _needed(config: StudyConfig) -> int:
    """How many items the main trials of one judge show."""
    pools = [config.pool if kind == ATTRIBUTION else 1 for kind in config.kinds]
    return config.trials_per_judge * sum(pools)


def _try(config: StudyConfig, made: Sizes, material: Material, can: Can) -> Layout | str:
    """The layout, or in words what is missing."""
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
    for count in range(1, made.judges // made.unit + 1):
        layers = made.layers(count)
        if layers is None:
            break
        shown = sum(made.drawn(s.kind, max(layers)) * _width(config, s) for s in made.strata)
        if shown > len(items):
            problem = f"{shown} are needed for {max(layers)} judges; {len(items)} can be used"
            continue
        found = _fill(config, made, layers, material.targets, items, can, rng)
        if isinstance(found, Layout):
            return found
        problem = found
    return problem


def _width(config: StudyConfig, stratum: Stratum) -> int:
    return config.pool if stratum.kind == ATTRIBUTION else 1


def _fill(
    config: StudyConfig,
    made: Sizes,
    layers: Sequence[int],
    targets: Sequence[str],
    items: Sequence[str],
    can: Can,
    rng: np.random.Generator,
) -> Layout | str:
    used: set[tuple[Stratum, str, str]] = set()
    trials: list[Planned] = []
    asked_of: Counter[object] = Counter()  # trials of a stratum and target, and of a target
    for layer, judges in enumerate(layers):
        wanted: list[tuple[Stratum, str]] = []
        for stratum in made.strata:
            for _ in range(made.drawn(stratum.kind, judges)):
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
            trials.append(Planned(layer, stratum, target, chosen))
    return Layout(tuple(trials), tuple(layers))


def _match(
    slots: Sequence[tuple[Stratum, str]],
    items: Sequence[str],
    can: Can,
    used: Collection[tuple[Stratum, str, str]],
    rng: np.random.Generator,
) -> list[str | None]:
    """An item for each slot, each item once; None where a largest matching leaves a slot empty."""
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


def _what_fits(config: StudyConfig, material: Material, can: Can) -> str:
    """The nearest numbers that the items allow, each with the others left as they are, in words."""
    more = min(config.judges, config.judgments_per_trial + _FURTHER)
    tried = {
        "trials_per_judge": range(config.trials_per_judge - 1, 0, -1),
        "judgments_per_trial": range(config.judgments_per_trial + 1, more + 1),
    }
    fit = []
    for name, values in tried.items():
        for value in values:
            other = config.with_changes(**{name: value})
            try:
                made = sizes(other)
            except ConfigError:  # not a number that can be balanced
                continue
            if isinstance(_try(other, made, material, can), Layout):
                fit.append(f"{name} {value}")
                break
    if fit:
        return f"{' or '.join(fit)} can be done with these items; or take more items"
    return (
        "take more items, fewer sources or targets, or smaller pools; nothing fits these items "
        "with the other numbers as they are"
    )
