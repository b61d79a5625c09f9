"""The numbers of a balanced design: what each judge sees of each source, and who shares a trial.

With S strata (sources, or pairs of them), m main trials per judge, J judges and r judgments per
trial, a judge sees h = m/S trials of each stratum, and J·h/r trials of each stratum are drawn. All
of these are whole numbers, or the design cannot be balanced.

Judges are divided into *layers*. In a layer an item is used once, so no judge meets one twice; in
another layer the same item may stand under another source. A trial's r judges are of one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

import numpy as np

from capo_core.errors import ConfigError
from capo_core.study.config import Stratum, StudyConfig

_NEAR = 60  # how far from what was asked other numbers are looked for


@dataclass(frozen=True)
class Sizes:
    """What a design is made of.

    Attributes:
        strata: all strata of all kinds.
        hand: kind → trials of each of its strata that one judge sees (h).
        unit: a layer's judges are a multiple of this.
    """

    strata: tuple[Stratum, ...]
    hand: dict[str, int]
    unit: int
    judges: int
    judgments_per_trial: int

    def drawn(self, kind: str, judges: int) -> int:
        """Trials of each stratum of this kind in a layer of so many judges."""
        return judges * self.hand[kind] // self.judgments_per_trial

    @property
    def trials(self) -> int:
        """Main trials of the whole study, repeats not counted."""
        return sum(self.drawn(stratum.kind, self.judges) for stratum in self.strata)

    def layers(self, count: int) -> list[int] | None:
        """The judges of each of `count` layers, as equal as can be; None where that is too many."""
        units = self.judges // self.unit
        sizes = [self.unit * (units // count + (i < units % count)) for i in range(count)]
        return sizes if min(sizes) >= self.judgments_per_trial else None


def sizes(config: StudyConfig) -> Sizes:
    """The numbers of the design.

    Raises:
        ConfigError: they do not fit together; it says which numbers near them do.
    """
    problem = _problem(config.trials_per_judge, config.judges, config.judgments_per_trial, config)
    if problem:
        raise ConfigError(
            problem,
            where=config.name,
            expected="every judge to see every source equally often, and every trial to have "
            "equally many judges",
            todo=_alternatives(config),
        )
    strata = tuple(each for kind in config.kinds for each in config.strata_of(kind))
    hand = {kind: config.trials_per_judge // len(config.strata_of(kind)) for kind in config.kinds}
    return Sizes(
        strata, hand, _unit(hand, config.judgments_per_trial), config.judges,
        config.judgments_per_trial,
    )  # fmt: skip


def _unit(hand: dict[str, int], r: int) -> int:
    return lcm(*(r // gcd(r, h) for h in hand.values()))


def _problem(trials: int, judges: int, r: int, config: StudyConfig) -> str:
    """Why these numbers do not fit, in words; "" where they do."""
    for kind in config.kinds:
        count = len(config.strata_of(kind))
        if trials % count:
            what = "pairs of sources" if kind == "comparison" else "sources"
            return f"{trials} trials per judge cannot be shared equally by {count} {what} ({kind})"
    if r > judges:
        return f"{r} judgments per trial need as many judges; there are {judges}"
    hand = {kind: trials // len(config.strata_of(kind)) for kind in config.kinds}
    unit = _unit(hand, r)
    if judges % unit:
        each = " and ".join(str(h) for h in dict.fromkeys(hand.values()))
        return (
            f"{judges} judges with {each} trials of each source cannot give every trial exactly "
            f"{r} judgments: the number of judges must be a multiple of {unit}"
        )
    return ""


def _alternatives(config: StudyConfig) -> str:
    """The nearest numbers that fit, each with the others left as they are."""
    asked = {
        "trials_per_judge": config.trials_per_judge,
        "judges": config.judges,
        "judgments_per_trial": config.judgments_per_trial,
    }
    said = []
    for name, now in asked.items():
        fit = [
            value
            for value in range(max(1, now - _NEAR), now + _NEAR + 1)
            if not _problem(*{**asked, name: value}.values(), config)
        ]
        below = [value for value in fit if value < now][-1:]
        above = [value for value in fit if value > now][:1]
        if below or above:
            said.append(f"{name} {' or '.join(map(str, below + above))}")
    if not said:
        count = lcm(*(len(config.strata_of(kind)) for kind in config.kinds))
        r = config.judgments_per_trial
        return f"for instance trials_per_judge {count * r} with {max(config.judges, r)} judges"
    return "what fits, the other numbers left as they are: " + "; ".join(said)


def deal(
    rng: np.random.Generator,
    groups: list[int],
    judges: int,
    hand: int,
    each: int,
    seen_before: np.ndarray | None = None,
) -> list[list[int]]:
    """Trials dealt to judges: every judge has `hand` different ones, every trial `each` judges.

    A judge takes from the trials that have most judgments still to get, which keeps what is left
    equal up to one, so that it always comes out even; among these a trial whose group (target) the
    judge has seen least in this hand, then least in earlier ones, then one of the group with most
    left, then by chance.

    Args:
        groups: [n] the group of each trial, 0 to G − 1; n·each = judges·hand, and hand ≤ n.
        seen_before: [judges, G] trials of each group in earlier hands; this one's are added.

    Returns:
        For each judge, positions in `groups`.

    Raises:
        ConfigError: the numbers do not come out even.
    """
    n = len(groups)
    if n * each != judges * hand or hand > n:
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
        for _ in range(hand):
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


def turned(rng: np.random.Generator, shown_first: np.ndarray, lean: int) -> np.ndarray:
    """Which trials of one judge and pair of sources have stored slot 1 on the left.

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
