"""The claims that a study allows and its open points, to be read before it is frozen.

The page's confirmation and the command line show the same facts and the same warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from capo_core.formatting import (
    capitalised,
    count,
    duration,
    listed,
    percent,
    percent_interval,
    points,
)
from capo_core.study.config import StudyConfig
from capo_core.study.design.balance_report import count_balance
from capo_core.study.design.draft import Draft
from capo_core.study.design.leaks import KIND_TITLES
from capo_core.study.design.planner import (
    LOW_POWER,
    USUAL_POWER,
    StudyPlan,
    minutes_of,
    too_few,
)
from capo_core.study.scope import scope_sentence
from capo_core.study.source_names import inside
from capo_core.study.tables import COMPARISON, HUMAN
from capo_core.study.trial_kinds import TRIAL_KINDS

MOST_PAIRS = 3  # of sources that are named one by one


@dataclass(frozen=True)
class FreezeReview:
    """A draft in what matters once nothing of it can be changed any more.

    Attributes:
        title: of the study; without one, its name.
        facts: (name, value), in the order to read.
        warnings: what limits the study, or is missing, in sentences.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"facts": dict(self.facts), "warnings": list(self.warnings)}


def review(
    draft: Draft,
    plans: Sequence[StudyPlan],
    leaks: Mapping[str, int],
    *,
    more: Sequence[str] = (),
) -> FreezeReview:
    """Return the review of a draft.

    Args:
        plans: of the draft, a kind each. leaks: kind → texts that show it.
        more: further warnings, of who asks.
    """
    config = draft.config
    balance, (median, _) = count_balance(draft), minutes_of(draft)
    per_judge = sum(spread.most for spread in balance.per_judge.values())
    margin = config.equivalence_margin
    facts = [
        ("Contrast", contrast(config)),
        ("Trials", f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')}"),
        (
            "Judges",
            f"{config.judges:,}, with {count(per_judge, 'trial')} and about "
            f"{duration(60 * median)} each",
        ),
        *((f"Power, {each.numbers.kind}", power_words(each)) for each in plans),
        ("Equivalence margin", f"±{points(margin)}" if margin else "none"),
    ]
    if config.title:
        facts.append(("Name in commands and files", config.name))
    return FreezeReview(config.called, tuple(facts), (*_warnings(draft, plans, leaks), *more))


def contrast(config: StudyConfig) -> str:
    """Return what is compared with what: "CAPO and SFT against chance and each other (attribution);
    CAPO against SFT (comparison)"."""
    found = []
    for kind in config.kinds:
        names = [inside(name) for name in config.sources_of(kind)]
        strata = config.strata_of(kind)
        if not TRIAL_KINDS[kind].paired:
            against = TRIAL_KINDS[kind].chance(2) is not None
            said = f"{listed(names)}{' against chance and each other' if against else ', rated'}"
        elif len(strata) > MOST_PAIRS:
            said = f"{len(strata)} pairs of {listed(names)}"
        else:
            said = listed([" against ".join(map(inside, each.sources)) for each in strata])
        found.append(f"{said} ({kind})")
    said = "; ".join(found)
    return capitalised(said)


def power_words(plan: StudyPlan) -> str:
    """Return the lowest power of a plan with its interval and what it is the power to find."""
    if plan.too_few:
        return f"none: {plan.too_few[:1].lower()}{plan.too_few[1:-1]}"
    lowest = plan.lowest
    return (
        f"{percent(lowest.share)} {percent_interval(lowest.low, lowest.high)} to tell "
        f"{plan.lowest_of}; {percent(USUAL_POWER)} is usual"
    )


def missing_consent(config: StudyConfig) -> list[str]:
    """Return what the consent page says nothing of; [] where the owner wrote the whole page."""
    if config.consent.strip():
        return []
    return [title for title, value in (
        ("purpose", config.purpose), ("researcher", config.researcher),
        ("contact", config.contact), ("what is kept", config.data_kept),
    ) if not value.strip()]  # fmt: skip


def _warnings(draft: Draft, plans: Sequence[StudyPlan], leaks: Mapping[str, int]) -> list[str]:
    config = draft.config
    found = [scope_sentence(config.targets, draft.cards["annotator_id"])]
    found += dict.fromkeys([too_few(config.judges), *(each.too_few for each in plans)])
    for each in plans:
        if not each.too_few and each.lowest_power < LOW_POWER:
            found.append(
                f"“{TRIAL_KINDS[each.numbers.kind].title}” would more likely miss than find a "
                f"difference: its power is {percent(each.lowest_power)}."
            )
    if leaks:
        told = [f"{KIND_TITLES[kind].lower()} in {count(n, 'text')}" for kind, n in leaks.items()]
        found.append(f"Some texts could reveal their source: {listed(told)}.")
    if not config.equivalence_margin and HUMAN in config.sources and config.methods:
        found.append(
            "Without an equivalence margin, the study cannot show that a method is as the "
            "target's own texts."
        )
    elif (
        config.equivalence_margin and COMPARISON in config.kinds
        and not config.checks and not config.repeats and config.judgments_per_trial == 1
    ):  # fmt: skip
        found.append(
            "Without attention checks, repeats or trials judged by several, little could show that "
            "the judges of comparisons tell texts apart; and until something does, no source is "
            "called equivalent to the target's own texts."
        )
    absent = missing_consent(config)
    if absent:
        found.append(
            f"The consent page says nothing of {listed(absent)}. Most ethics boards ask for all "
            "four."
        )
    return [sentence for sentence in found if sentence]
