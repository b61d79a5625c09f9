"""The number of judges at which a design reaches the usual power, or the reason why none does.

Judges are added with the other numbers of the design as they are: each sees as many trials, each
trial has as many judges, so that the number of trials grows until the items are used up. Power
grows with the number of judges up to simulation error, so the least number is found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from capo_core.formatting import count, percent, percent_interval
from capo_core.study.config import StudyConfig
from capo_core.study.design.balance import ItemSupply, sizes
from capo_core.study.design.planner import USUAL_POWER, Power, StudyPlan, plan
from capo_core.study.trial_kinds import TRIAL_KINDS

MOST_JUDGES = 200
SIMULATIONS = 400


@dataclass(frozen=True)
class EnoughJudges:
    """The number of judges that give one kind of trial the usual power.

    Attributes:
        plan: of the design as it is.
        judges: the least number that reaches `USUAL_POWER`; None where none up to `most` does.
        power: the lowest power with `judges`, or with `most` where there is none.
        most: the largest number that was looked at.
        short: do the items allow no more than `most`?
    """

    plan: StudyPlan
    judges: int | None
    power: Power
    most: int
    short: bool = False

    @property
    def sentence(self) -> str:
        """Return the number in words, or why there is none."""
        numbers, usual = self.plan.numbers, percent(USUAL_POWER)
        power = f"{percent(self.power.share)} {percent_interval(self.power.low, self.power.high)}"
        to_find = f"to tell {self.plan.lowest_of}"
        if self.judges is not None:
            if self.judges > numbers.judges:
                return (
                    f"{usual} power takes {count(self.judges, 'judge')} instead of "
                    f"{numbers.judges} ({power} {to_find})."
                )
            more = "fewer do not" if self.judges == numbers.judges else f"{self.judges} would do"
            return (
                f"{count(numbers.judges, 'judge')} {'reaches' if numbers.judges == 1 else 'reach'} "
                f"{usual} power {to_find}; {more}."
            )
        if self.short:
            return (
                f"No number of judges reaches {usual} power {to_find}: the items suffice for "
                f"{count(self.most, 'judge')}, who have {power}. More items, more target "
                "annotators or more judges per trial would let more judges take part."
            )
        if numbers.expected == numbers.chance:
            why = "what is expected is chance itself"
        else:
            why = (
                "the two shares are close, and a judge sees "
                f"{count(numbers.hand, 'trial')} of a "
                + ("pair of sources" if TRIAL_KINDS[numbers.kind].paired else "source")
            )
        return (
            f"None up to {count(self.most, 'judge')} reaches {usual} power {to_find} "
            f"({self.most:,}: {power}): {why}."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.plan.numbers.kind,
            "judges": self.judges,
            "power": asdict(self.power),
            "most": self.most,
            "short_of_items": self.short,
            "sentence": self.sentence,
        }


def numbers_of_judges(config: StudyConfig, most: int = MOST_JUDGES) -> list[int]:
    """Return the numbers of judges, up to `most`, for which the design comes out even; two judges
    or more, and not fewer than see a trial."""
    unit = sizes(config).unit
    least = max(2, config.judgments_per_trial)
    return [number for number in range(unit, most + 1, unit) if number >= least]


def enough_judges(
    config: StudyConfig,
    plans: Sequence[StudyPlan],
    supply: ItemSupply,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> list[EnoughJudges]:
    """Return, for each plan of a design, the number of judges that reaches `USUAL_POWER`.

    Args:
        config: a design that was drawn, so that its own number of judges is possible.
        plans: of the design, a kind each.
    """
    even = numbers_of_judges(config, max(MOST_JUDGES, config.judges))
    possible = [number for number in even if number <= config.judges or supply.may_suffice(number)]
    suffices = _remembered(lambda number: number <= config.judges or supply.suffices(number))
    found = [_enough(each, possible, suffices, simulations, seed) for each in plans]
    return [
        each if each.judges is not None else replace(each, short=each.most < even[-1])
        for each in found
    ]


def _enough(
    own: StudyPlan,
    possible: list[int],
    suffices: Callable[[int], bool],
    simulations: int,
    seed: int,
) -> EnoughJudges:
    power_of = _remembered(
        lambda number: (
            plan(replace(own.numbers, judges=number), simulations=simulations, seed=seed).lowest
        )
    )
    reached = bisect_left(possible, True, key=lambda number: power_of(number).share >= USUAL_POWER)
    if reached < len(possible) and suffices(possible[reached]):
        number = possible[reached]
        return EnoughJudges(own, number, power_of(number), possible[-1])
    # The items allow the first of the numbers: the design itself was drawn.
    allowed = bisect_left(possible[:reached], True, key=lambda number: not suffices(number))
    most = possible[max(0, allowed - 1)]
    return EnoughJudges(own, None, power_of(most), most)


def _remembered(function: Callable[[int], Any]) -> Callable[[int], Any]:
    found: dict[int, Any] = {}

    def ask(number: int) -> Any:
        if number not in found:
            found[number] = function(number)
        return found[number]

    return ask
