"""What a design would show before anyone judges: intervals, power, and minutes per judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from capo_core.errors import ConfigError
from capo_core.stability.intervals import wilson
from capo_core.study import planner_power
from capo_core.study.balance import sizes
from capo_core.study.config import StudyConfig
from capo_core.study.design import Draft
from capo_core.study.planner_words import sentences
from capo_core.study.reading import PACE, Pace, card_words, minutes_per_judge, words_per_trial
from capo_core.study.tables import ATTRIBUTION, COMPARISON, KINDS

SIMULATIONS = 1000


@dataclass(frozen=True)
class Numbers:
    """What a plan is computed from, for one kind of trial.

    Attributes:
        hand: main trials of one source (of a comparison: of one pair) that each judge sees.
        choices: how many annotators there are to choose from; 2 in a comparison.
        expected: the share of right answers (attribution), of wins (comparison) or of ratings of
            4 and 5 (reasoning) that one source is expected to have.
        other: the same of a second method, which it is to be told from; comparisons do not use it,
            for the two methods are in one trial.
        judge_sd, trial_sd: how much judges and trials differ, on the logit scale.
        words_per_trial, words_once: read in a trial, and once (the cards).
        trials_per_judge: all of a judge's trials, practice, checks and repeats too.
    """

    kind: str
    judges: int
    hand: int
    judgments_per_trial: int
    choices: int = 2
    expected: float = 0.5
    other: float = 0.35
    judge_sd: float = 0.5
    trial_sd: float = 0.8
    words_per_trial: float = 120.0
    words_once: float = 400.0
    trials_per_judge: int = 40
    pace: Pace = PACE

    def __post_init__(self) -> None:
        shares = all(0 < share < 1 for share in (self.expected, self.other))
        for name, right, expected in (
            ("kind", self.kind in KINDS, f"one of {', '.join(KINDS)}"),
            ("judges", self.judges >= 2, "2 or more: one judge's answers have no interval"),
            ("hand", self.hand >= 1, "1 or more"),
            ("judgments_per_trial", 1 <= self.judgments_per_trial <= self.judges,
             "from 1 to the number of judges"),
            ("choices", self.choices >= 2, "2 or more"),
            ("expected", shares, "shares above 0 and below 1, also for other"),
            ("judge_sd", 0 <= self.judge_sd <= 5 and 0 <= self.trial_sd <= 5, "from 0 to 5"),
            ("words_per_trial", self.words_per_trial >= 0 and self.words_once >= 0, "0 or more"),
            ("trials_per_judge", self.trials_per_judge >= self.hand, "at least `hand`"),
        ):  # fmt: skip
            if not right:
                raise ConfigError(
                    f"found {getattr(self, name)!r}", where=f"plan, {name}", expected=expected
                )

    @property
    def chance(self) -> float | None:
        """What guessing reaches; None where nothing is a guess (ratings)."""
        return {ATTRIBUTION: 1 / self.choices, COMPARISON: 0.5}.get(self.kind)


@dataclass(frozen=True)
class Power:
    """The share of simulated studies that find a difference, with its interval (Wilson)."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Plan:
    """What a design would give.

    Attributes:
        judgments, trials: of one source, or pair of sources.
        width: mean width of the 95 % interval of one source's share.
        coverage: in what share of simulated studies that interval holds the truth; near 0.95
            means that it can be believed.
        against_chance: power to tell the expected share from chance; None where there is none.
        between: power to tell it from the other method's; in a comparison, of the two methods of
            the pair, which is that against one half.
        minutes: of a judge, for everything.
    """

    numbers: Numbers
    judgments: int
    trials: int
    width: float
    coverage: Power
    against_chance: Power | None
    between: Power
    minutes: float
    simulations: int
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(numbers: Numbers, *, simulations: int = SIMULATIONS, seed: int = 0) -> Plan:
    """Simulate the design (see `planner_power`); the same seed gives the same plan.

    Raises:
        ConfigError: the numbers do not come out even.
    """
    if simulations < 1:
        raise ConfigError(f"found {simulations} simulations", expected="1 or more")
    rng = np.random.default_rng([seed, 51])
    cross = planner_power.crossing(rng, numbers.judges, numbers.hand, numbers.judgments_per_trial)
    how = {
        "judge_sd": numbers.judge_sd, "trial_sd": numbers.trial_sd, "simulations": simulations
    }  # fmt: skip
    one = planner_power.simulate(rng, cross, (numbers.expected,), **how)
    chance = numbers.chance
    against = None if chance is None else _power(one.beyond(chance), simulations)
    if numbers.kind == COMPARISON:
        between = _power(one.beyond(0.5), simulations)
    else:
        two = planner_power.simulate(rng, cross, (numbers.expected, numbers.other), **how)
        between = _power(two.beyond(0.0), simulations)
    pace = numbers.pace
    words_read = numbers.words_once + numbers.words_per_trial * numbers.trials_per_judge
    made = Plan(
        numbers=numbers,
        judgments=len(cross),
        trials=cross.trials,
        width=float(np.mean(one.high - one.low)),
        coverage=_power(one.covers(numbers.expected), simulations),
        against_chance=against,
        between=between,
        minutes=pace.minutes(words_read, numbers.trials_per_judge),
        simulations=simulations,
        sentences=(),
    )
    return replace(made, sentences=sentences(made))


def plans(
    config: StudyConfig,
    annotators: int,
    draft: Draft | None = None,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    **assumed: float,
) -> list[Plan]:
    """A plan for each kind of the design; words are counted where there is a draft.

    Args:
        annotators: from how many an attribution chooses.
        assumed: expected, other, judge_sd, trial_sd of `Numbers`.

    Raises:
        ConfigError: the design cannot be balanced.
    """
    made = sizes(config)
    found = []
    for kind in config.kinds:
        # Of a pair, one half would be no difference.
        shares = {"expected": 0.65 if kind == COMPARISON else 0.5, **assumed}
        numbers = Numbers(
            kind,
            config.judges,
            made.hand[kind],
            config.judgments_per_trial,
            annotators if kind == ATTRIBUTION else 2,
            trials_per_judge=config.total_per_judge,
            **shares,
            **_words(draft),
        )
        found.append(plan(numbers, simulations=simulations, seed=seed))
    return found


def over_judges(
    numbers: Numbers, judges: Sequence[int], *, simulations: int = 400, seed: int = 0
) -> list[Plan]:
    """The plan for other numbers of judges, those left out for which it does not come out even."""
    found = []
    for count in judges:
        even = count * numbers.hand % numbers.judgments_per_trial == 0
        if even and count >= max(2, numbers.judgments_per_trial):
            other = replace(numbers, judges=count)
            found.append(plan(other, simulations=simulations, seed=seed))
    return found


def minutes_of(draft: Draft, pace: Pace = PACE) -> tuple[float, float]:
    """Minutes of the median and of the slowest judge slot, from the very words they will read."""
    minutes = minutes_per_judge(draft, pace)
    return float(minutes.median()), float(minutes.max())


def _words(draft: Draft | None) -> dict[str, float]:
    if draft is None:
        return {}
    per_trial = words_per_trial(draft)[draft.assignments["trial_id"]]
    return {
        "words_per_trial": float(per_trial.mean()),
        "words_once": float(sum(card_words(draft).values())),
    }


def _power(count: int, n: int) -> Power:
    return Power(count / n, *wilson(count, n))
