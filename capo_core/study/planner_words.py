"""A plan in sentences, each number with what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capo_core.study.tables import ATTRIBUTION, COMPARISON, REASONING

if TYPE_CHECKING:
    from capo_core.study.planner import Plan, Power


def sentences(plan: Plan) -> tuple[str, ...]:
    n, numbers = plan.simulations, plan.numbers
    what = {
        ATTRIBUTION: "right answers of one source",
        COMPARISON: "wins in one pair of sources",
        REASONING: "ratings of 4 or 5 of one source",
    }[numbers.kind]
    said = [
        f"With {numbers.judges} judges, {numbers.hand} trial{'s' * (numbers.hand > 1)} of each "
        f"{'pair' if numbers.kind == COMPARISON else 'source'} for each judge and "
        f"{numbers.judgments_per_trial} to judge each trial, the share of {what} rests on "
        f"{plan.judgments} judgments of {plan.trials} trials; its 95 % interval would be "
        f"{100 * plan.width:.0f} percentage points wide (±{50 * plan.width:.0f}) at "
        f"{numbers.expected:.0%}, and hold the truth in {_share(plan.coverage)} of {n} simulated "
        "studies."
    ]
    if plan.against_chance is not None:
        said.append(
            f"A true share of {numbers.expected:.0%} would be told from chance "
            f"({numbers.chance:.0%}) in {_share(plan.against_chance)} of them."
        )
    else:
        said.append("Ratings have no chance level, so there is no power against it.")
    if numbers.kind != COMPARISON:
        said.append(
            f"Two methods at {numbers.expected:.0%} and {numbers.other:.0%} would be told apart "
            f"in {_share(plan.between)}."
        )
    said.append(
        f"A judge would need about {plan.minutes:.0f} minutes for "
        f"{numbers.trials_per_judge} trials, reading {numbers.pace.words_per_minute:.0f} words a "
        f"minute and taking {numbers.pace.decision_s:.0f} s to decide."
    )
    said.append(
        "Assumed: judges and trials differ by standard deviations of "
        f"{numbers.judge_sd:g} and {numbers.trial_sd:g} on the logit scale."
    )
    return tuple(said)


def _share(power: Power) -> str:
    return f"{power.share:.0%} (95 % interval {power.low:.0%} to {power.high:.0%})"
