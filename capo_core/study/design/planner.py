"""Power analysis of a design before anyone judges: intervals, power, and minutes per judge.

Studies of the design are simulated. A judgment is right with the probability σ(a + u + v): u is the
judge's effect, v the trial's, both normal on the logit scale and new in each simulation; a is such
that the mean over judges and trials is the share asked for. Intervals are those of the two-way
cluster-robust variance (Cameron, Gelbach & Miller 2011), V = V_judge + V_trial − V_both, with
Student's t on the degrees of freedom of Satterthwaite (1946), each part having one less than its
clusters. Minutes are words read at a stated speed, and time to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import t as student

from capo_core.errors import ConfigError
from capo_core.formatting import count, percent, percent_interval, points
from capo_core.settings import setting, settings
from capo_core.stats.clustered import MIN_CLUSTERS
from capo_core.stats.intervals import wilson
from capo_core.study.config import StudyConfig
from capo_core.study.design.balance import deal, hands_of, sizes
from capo_core.study.design.draft import Draft
from capo_core.study.tables import from_cell
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.text.tokens import words

BLOCK = 200_000  # judgments simulated at a time: more do not fit a processor's cache
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@dataclass(frozen=True)
class Crossing:
    """The judge and trial of every judgment of one source.

    Attributes:
        judge, trial: [N] of each judgment, by judge; every trial has N/T of them, and every judge
            N/J or, in incomplete blocks, up to one more or less.
        judges, trials: how many of each, J and T.
    """

    judge: np.ndarray
    trial: np.ndarray
    judges: int
    trials: int

    def __len__(self) -> int:
        return len(self.judge)


@dataclass(frozen=True)
class SimulatedStudies:
    """One value per simulated study, all [S].

    Attributes:
        estimate: the share, or the difference of two.
        low, high: its 95 % interval; NaN where the analysis has none (`too_few`).
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def covers(self, truth: float) -> int:
        """Return in how many studies the interval contains the truth."""
        return int(((self.low <= truth) & (truth <= self.high)).sum())

    def beyond(self, value: float) -> int:
        """Return in how many studies the interval excludes `value`."""
        return int(((self.low > value) | (self.high < value)).sum())


def crossing(
    rng: np.random.Generator, judges: int, hand: int | Sequence[int], each: int
) -> Crossing:
    """Return the judgments of one source: `hand` by each judge, `each` of each trial.

    Args:
        hand: of every judge, or [judges] of each; who has none is left out.

    Raises:
        ConfigError: the numbers do not come out even (see `balance.deal`).
    """
    own = [hand] * judges if isinstance(hand, int) else list(hand)
    trials = sum(own) // each
    hands = deal(rng, [0] * trials, judges, own, each)
    seeing = [number for number in own if number]
    judge = np.repeat(np.arange(len(seeing)), seeing)
    return Crossing(judge, np.concatenate(hands).astype(np.int64), len(seeing), trials)


def intercept(share: float, judge_sd: float, trial_sd: float) -> float:
    """Return the a for which σ(a + u + v) is `share` on average (0 < share < 1)."""
    sd = float(np.hypot(judge_sd, trial_sd))
    weights = _WEIGHTS / _WEIGHTS.sum()

    def excess(a: float) -> float:
        return float(weights @ expit(a + sd * _NODES)) - share

    return float(brentq(excess, -60, 60))


def simulate(
    rng: np.random.Generator,
    cross: Crossing,
    shares: tuple[float, ...],
    *,
    judge_sd: float,
    trial_sd: float,
    simulations: int,
) -> SimulatedStudies:
    """Simulate studies of one source (its share of successes), or of two (first minus second).

    Two sources have the same judges, whose effects are the same for both, and trials of their own.
    """
    a = [intercept(share, judge_sd, trial_sd) for share in shares]
    step = max(1, BLOCK // (len(cross) * len(shares)))
    found = []
    for start in range(0, simulations, step):
        size = min(step, simulations - start)
        u = rng.normal(scale=judge_sd, size=(size, cross.judges))
        answers = []
        for each in a:
            v = rng.normal(scale=trial_sd, size=(size, cross.trials))
            p = expit(each + u[:, cross.judge] + v[:, cross.trial])
            answers.append(rng.random(p.shape) < p)
        found.append(_estimates(cross, answers))
    return SimulatedStudies(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _estimates(cross: Crossing, answers: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return estimate and interval of each study; answers [S, N] of one or two sources.

    As the analysis does, give no interval over fewer than MIN_CLUSTERS judges or trials.
    """
    n = len(cross)
    signs = (1.0, -1.0)
    estimate = np.zeros(len(answers[0]))
    by_judge = np.zeros((len(estimate), cross.judges))
    by_trial, alone = 0.0, 0.0
    to_trial = np.argsort(cross.trial, kind="stable")
    starts = np.searchsorted(cross.judge, np.arange(cross.judges))
    equal = len(set(np.diff([*starts, n]).tolist())) == 1
    for sign, right in zip(signs, answers, strict=False):
        mean = right.mean(axis=1)
        rest = right - mean[:, None]
        estimate += sign * mean
        by_judge += sign * (
            rest.reshape(len(rest), cross.judges, -1).sum(axis=2)
            if equal
            else np.add.reduceat(rest, starts, axis=1)
        )
        sums = rest[:, to_trial].reshape(len(rest), cross.trials, -1).sum(axis=2)
        by_trial = by_trial + (sums**2).sum(axis=1)
        alone = alone + (rest**2).sum(axis=1)
    judge = (by_judge**2).sum(axis=1) * cross.judges / max(cross.judges - 1, 1)
    trial = by_trial * cross.trials / max(cross.trials - 1, 1)
    # The difference can fall below what either alone gives, by chance; it is then not believed.
    variance = np.maximum(judge + trial - alone, np.maximum(judge, trial)) / n**2
    # All answers alike: what three in n would have been missed (the rule of three) is the width.
    variance = np.where(variance > 0, variance, (1.5 / n) ** 2)
    parts = judge**2 / max(cross.judges - 1, 1) + trial**2 / max(cross.trials - 1, 1)
    freedom = np.where(parts > 0, (judge + trial) ** 2 / np.where(parts > 0, parts, 1), 1)
    half = student.ppf(0.975, freedom) * np.sqrt(variance)
    if min(cross.judges, cross.trials) < MIN_CLUSTERS:
        half = np.full(len(estimate), np.nan)
    least = 0.0 if len(answers) == 1 else -1.0
    return estimate, np.maximum(estimate - half, least), np.minimum(estimate + half, 1.0)


@settings("reading pace")
class ReadingPace:
    """Assumptions about a judge's pace; state them wherever minutes are shown."""

    # Adults read English non-fiction silently at 238 on average (Brysbaert 2019, Journal of Memory
    # and Language 109), with care somewhat slower.
    words_per_minute: float = setting(200.0, "Words per minute", "Silent reading speed.", gt=0)
    decision_s: float = setting(
        8.0, "Seconds per decision", "Time to decide and press, per trial.", ge=0
    )
    card_share: float = setting(
        0.25, "Share of cards read again",
        "Per trial; all cards are read once.", ge=0, le=1,
    )  # fmt: skip

    def minutes(self, words_read: float, trials: int) -> float:
        return words_read / self.words_per_minute + trials * self.decision_s / 60


READING_PACE = ReadingPace()


def words_per_trial(draft: Draft, pace: ReadingPace = READING_PACE) -> pd.Series:
    """Return the words a judge reads in each trial: item, texts, and cards looked up again.

    Returns:
        Index trial_id; the cards of a comparison are the target's, of an attribution all.
    """
    texts = {
        row.text_id: (
            len(words(row.text_a)) + len(words(row.text_b)),
            len(words(row.label)) + len(words(row.explanation)),
        )
        for row in draft.texts.itertuples()
    }
    cards = card_words(draft)
    found = {}
    for row in draft.trials.itertuples():
        ids = from_cell(row.text_ids)
        kind = TRIAL_KINDS[row.kind]
        items = kind.items_shown(len(ids))
        read = sum(texts[name][0] for name in ids[:items]) + sum(texts[name][1] for name in ids)
        shown = sum(cards[name] for name in kind.cards(row.target_annotator_id, list(cards)))
        found[row.trial_id] = read + pace.card_share * shown
    return pd.Series(found, dtype=float)


def card_words(draft: Draft) -> dict[str, int]:
    """Return the number of words on each annotator's card."""
    return {
        row.annotator_id: sum(len(words(text)) for one in from_cell(row.examples) for text in one)
        for row in draft.cards.itertuples()
    }


def minutes_per_judge(draft: Draft, pace: ReadingPace = READING_PACE) -> pd.Series:
    """Return minutes for each judge slot: the cards once, then all trials."""
    per_trial = words_per_trial(draft, pace)
    once = sum(card_words(draft).values())
    found = {}
    for judge, rows in draft.assignments.groupby("judge_slot"):
        read = once + float(per_trial[rows["trial_id"]].sum())
        found[str(judge)] = pace.minutes(read, len(rows))
    return pd.Series(found, dtype=float)


SIMULATIONS = 1000
LOW_POWER = 0.5
USUAL_POWER = 0.8

MORE = "More judges or more trials per judge raise it; 80\u00a0% is usual."


def too_few(judges: int, trials: int = MIN_CLUSTERS) -> str:
    """Return that the analysis of so few judges or trials has no interval; "" where it has one."""
    for number, name in ((judges, "judge"), (trials, "trial")):
        if number < MIN_CLUSTERS:
            return (
                f"With {count(number, name)} the analysis has no interval over {name}s and calls "
                f"nothing significant: it takes {MIN_CLUSTERS} or more."
            )
    return ""


@settings("plan")
class PlanInputs:
    """The numbers a plan is computed from, for one kind of trial."""

    kind: str = setting(
        title="Trial kind", description="Of the trials planned.",
        choices=lambda: tuple(TRIAL_KINDS),
    )  # fmt: skip
    judges: int = setting(title="Judges", description="One judge's answers have no interval.", ge=2)
    hand: int = setting(
        title="Trials per judge and source",
        description="Main trials of one source (of a pair of sources, in comparisons).", ge=0,
    )  # fmt: skip
    judgments_per_trial: int = setting(
        title="Judges per trial", description="At most the number of judges.", ge=1
    )
    choices: int = setting(2, "Choices", "Among how many answers a guess falls.", ge=2)
    expected: float = setting(
        0.5, "Expected share", "Of right answers, wins, or ratings of 4 and 5, of one source.",
        gt=0, lt=1, step=0.05,
    )  # fmt: skip
    other: float = setting(
        0.35, "Share of the other method", "Of a second method to compare with; not used in "
        "comparisons, where both methods are in one trial.", gt=0, lt=1, step=0.05,
    )  # fmt: skip
    judge_sd: float = setting(
        0.5, "Variation between judges", "Standard deviation on the logit scale.",
        ge=0, le=5, step=0.1,
    )  # fmt: skip
    trial_sd: float = setting(
        0.8, "Variation between trials", "Standard deviation on the logit scale.",
        ge=0, le=5, step=0.1,
    )  # fmt: skip
    words_per_trial: float = setting(120.0, "Words per trial", "Read in each trial.", ge=0)
    words_once: float = setting(400.0, "Words read once", "Of the cards.", ge=0)
    trials_per_judge: int = setting(
        40, "All trials per judge", "Practice, checks and repeats included.", ge=1
    )
    strata: int = setting(
        1, "Sources or pairs", "How many sources (pairs, in comparisons) take turns.", ge=1
    )
    extra: int = setting(
        0, "Sources with one trial more", "Of how many of them a judge sees one trial more, in "
        "incomplete blocks.", ge=0,
    )  # fmt: skip
    pace: ReadingPace = setting(default_factory=ReadingPace)

    def __post_init__(self) -> None:
        for name, fine, expected in (
            ("judgments_per_trial", self.judgments_per_trial <= self.judges,
             "at most the number of judges"),
            ("trials_per_judge", self.trials_per_judge >= self.hand,
             "at least the trials of one source"),
        ):  # fmt: skip
            if not fine:
                found = getattr(self, name)
                raise ConfigError(f"found {found}", where=f"plan, {name}", expected=expected)

    @property
    def hands(self) -> list[int]:
        """Return how many trials of one source each judge sees."""
        return hands_of(self.judges, self.hand, self.extra, self.strata, 0)

    @property
    def chance(self) -> float | None:
        """The chance level; None where nothing is a guess (ratings)."""
        return TRIAL_KINDS[self.kind].chance(self.choices)


@dataclass(frozen=True)
class Power:
    """The share of simulated studies that find a difference, with its interval (Wilson)."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class StudyPlan:
    """Interval width, coverage, power and minutes of a design.

    Attributes:
        judgments, trials, judges: of one source, or pair of sources.
        width: mean width of the 95 % interval of one source's share; NaN where the analysis has no
            interval (`too_few`), and every power is then 0.
        coverage: in what share of simulated studies that interval holds the truth; near 0.95
            means that it can be believed. None without an interval.
        against_chance: power to tell the expected share from chance; None where there is none.
        between: power to tell it from the other method's; in a comparison, of the two methods of
            the pair, which is that against one half.
        minutes: of a judge, for everything.
    """

    numbers: PlanInputs
    judgments: int
    trials: int
    judges: int
    width: float
    coverage: Power | None
    against_chance: Power | None
    between: Power
    minutes: float
    simulations: int

    @property
    def too_few(self) -> str:
        """Return that the analysis of this design has no interval; "" where it has one."""
        return too_few(self.judges, self.trials)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan in words."""
        return _sentences(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what this design cannot show, or would more likely miss than find, in
        sentences."""
        numbers = self.numbers
        if self.too_few:
            return (self.too_few,)
        found = []
        if self.against_chance is not None and self.against_chance.share < LOW_POWER:
            found.append(
                f"This study would more likely miss than find a true share of "
                f"{percent(numbers.expected)} (chance {percent(numbers.chance)}): its power is "
                f"{_share(self.against_chance)}. {MORE}"
            )
        if not TRIAL_KINDS[numbers.kind].paired and self.between.share < LOW_POWER:
            found.append(
                "This study would more likely miss than find a difference between "
                f"{percent(numbers.expected)} and {percent(numbers.other)}: its power is "
                f"{_share(self.between)}. {MORE}"
            )
        return tuple(found)

    @property
    def lowest(self) -> Power:
        """Return the smaller of the powers that are given for this kind of trial."""
        if self.against_chance is None or self.between.share < self.against_chance.share:
            return self.between
        return self.against_chance

    @property
    def lowest_power(self) -> float:
        """Return the share of `lowest`."""
        return self.lowest.share

    @property
    def lowest_of(self) -> str:
        """Return what the lowest power is the power to tell: "50 % right answers from 35 %"."""
        numbers, kind = self.numbers, TRIAL_KINDS[self.numbers.kind]
        other = percent(numbers.other)
        if self.lowest is self.against_chance or kind.paired:
            other = f"chance ({percent(numbers.chance)})"
        outcome = kind.outcome.partition(" of one ")[0].partition(" in one ")[0]
        return f"{percent(numbers.expected)} {outcome} from {other}"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentences": self.sentences, "warnings": self.warnings}


def _sentences(plan: StudyPlan) -> tuple[str, ...]:
    """Return the plan in sentences, each number with what it rests on."""
    n, numbers, kind = plan.simulations, plan.numbers, TRIAL_KINDS[plan.numbers.kind]
    per_judge = count(numbers.hand, "trial")
    if numbers.extra:
        per_judge = f"{numbers.hand} to {numbers.hand + 1} trials"
    unit = "pair of sources" if kind.paired else "source"
    rests = (
        f"With {count(numbers.judges, 'judge')}, {per_judge} per judge and {unit}, and "
        f"{count(numbers.judgments_per_trial, 'judge')} per trial, the share of {kind.outcome} "
        f"rests on {count(plan.judgments, 'judgment')} of {count(plan.trials, 'trial')}."
    )
    if plan.coverage is None:
        found = [rests, plan.too_few]
    else:
        found = [
            f"{rests} At {percent(numbers.expected)}, its 95 % interval is {points(plan.width)} "
            f"wide (±{points(plan.width / 2).split()[0]}), with a coverage of "
            f"{_share(plan.coverage)} in {count(n, 'simulated study', 'simulated studies')}.",
            *_powers(plan),
        ]
    found.append(
        f"A judge needs about {count(round(plan.minutes), 'minute')} for "
        f"{count(numbers.trials_per_judge, 'trial')}, at {numbers.pace.words_per_minute:.0f} words "
        f"per minute and {numbers.pace.decision_s:.0f} s per decision."
    )
    found.append(
        "Assumed standard deviations on the logit scale: "
        f"{numbers.judge_sd:g} between judges, {numbers.trial_sd:g} between trials."
    )
    return tuple(found)


def _powers(plan: StudyPlan) -> list[str]:
    """Return what the powers of the design are, in sentences."""
    numbers = plan.numbers
    if plan.against_chance is None:
        found = ["These answers have no chance level, so there is no power against it."]
    else:
        found = [
            f"Power to find a true share of {percent(numbers.expected)} different from chance "
            f"({percent(numbers.chance)}): {_share(plan.against_chance)}."
        ]
    if not TRIAL_KINDS[numbers.kind].paired:
        found.append(
            f"Power to find two methods at {percent(numbers.expected)} and "
            f"{percent(numbers.other)} different: {_share(plan.between)}."
        )
    return found


def _share(power: Power) -> str:
    return f"{percent(power.share)} {percent_interval(power.low, power.high)}"


def plan(numbers: PlanInputs, *, simulations: int = SIMULATIONS, seed: int = 0) -> StudyPlan:
    """Simulate the design; the same seed gives the same plan.

    Raises:
        ConfigError: the numbers do not come out even.
    """
    if simulations < 1:
        raise ConfigError(f"found {simulations} simulations", expected="1 or more")
    rng = np.random.default_rng([seed, 51])
    cross = crossing(rng, numbers.judges, numbers.hands, numbers.judgments_per_trial)
    how = {
        "judge_sd": numbers.judge_sd, "trial_sd": numbers.trial_sd, "simulations": simulations
    }  # fmt: skip
    one = simulate(rng, cross, (numbers.expected,), **how)
    chance = numbers.chance
    against = None if chance is None else _power(one.beyond(chance), simulations)
    if TRIAL_KINDS[numbers.kind].paired:
        between = _power(one.beyond(0.5), simulations)
    else:
        two = simulate(rng, cross, (numbers.expected, numbers.other), **how)
        between = _power(two.beyond(0.0), simulations)
    pace = numbers.pace
    words_read = numbers.words_once + numbers.words_per_trial * numbers.trials_per_judge
    return StudyPlan(
        numbers=numbers,
        judgments=len(cross),
        trials=cross.trials,
        judges=cross.judges,
        width=float(np.mean(one.high - one.low)),
        coverage=None
        if too_few(cross.judges, cross.trials)
        else _power(one.covers(numbers.expected), simulations),
        against_chance=against,
        between=between,
        minutes=pace.minutes(words_read, numbers.trials_per_judge),
        simulations=simulations,
    )


def plans(
    config: StudyConfig,
    annotators: int,
    draft: Draft | None = None,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    **assumed: float,
) -> list[StudyPlan]:
    """Return a plan for each kind of the design; words are counted where there is a draft.

    Args:
        annotators: from how many an attribution chooses.
        assumed: expected, other, judge_sd, trial_sd of `PlanInputs`.

    Raises:
        ConfigError: the design cannot be balanced.
    """
    balanced = sizes(config)
    found = []
    for kind in config.kinds:
        shares = {"expected": TRIAL_KINDS[kind].expected_share, **assumed}
        numbers = PlanInputs(
            kind,
            config.judges,
            balanced.hand[kind],
            config.judgments_per_trial,
            TRIAL_KINDS[kind].choices(annotators),
            trials_per_judge=config.total_per_judge,
            strata=len(config.strata_of(kind)),
            extra=balanced.extra[kind],
            **shares,
            **_words(draft),
        )
        found.append(plan(numbers, simulations=simulations, seed=seed))
    return found


def over_judges(
    numbers: PlanInputs, judges: Sequence[int], *, simulations: int = 400, seed: int = 0
) -> list[StudyPlan]:
    """Return the plan for other numbers of judges; numbers that cannot be balanced are left out."""
    found = []
    for number in judges:
        per_judge = numbers.hand * numbers.strata + numbers.extra
        even = number * per_judge % (numbers.strata * numbers.judgments_per_trial) == 0
        if even and number >= max(2, numbers.judgments_per_trial):
            other = replace(numbers, judges=number)
            found.append(plan(other, simulations=simulations, seed=seed))
    return found


def minutes_of(draft: Draft, pace: ReadingPace = READING_PACE) -> tuple[float, float]:
    """Return minutes of the median and of the slowest judge slot, from the texts they will read."""
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


def _power(hits: int, n: int) -> Power:
    return Power(hits / n, *wilson(hits, n))
