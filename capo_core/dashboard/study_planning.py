"""A design drawn for a look, and what the planner says of it; without Streamlit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.study import balance_report, design, planner
from capo_core.study.balance import sizes
from capo_core.study.balance_report import BalanceReport
from capo_core.study.config import StudyConfig
from capo_core.study.design import Draft
from capo_core.study.planner import Plan
from capo_core.study.reading import card_words, words_per_trial
from capo_core.workspace import Workspace

SIMULATIONS = 400
CURVE_SIMULATIONS = 200
CURVE_POINTS = 10
CURVE = ("kind", "judges", "width", "against_chance", "between")


@dataclass(frozen=True)
class Preview:
    """A design that was drawn, and not written anywhere.

    Attributes:
        words: of a mean trial, and of all cards: what the minutes rest on.
        minutes: of the median and of the slowest judge.
    """

    draft: Draft
    balance: BalanceReport
    words: tuple[float, float]
    minutes: tuple[float, float]

    @property
    def config(self) -> StudyConfig:
        return self.draft.config


@dataclass(frozen=True)
class Planned:
    """Attributes: plans, one a kind; curve (CURVE), the same over numbers of judges."""

    plans: tuple[Plan, ...]
    curve: pd.DataFrame


def preview(workspace: Workspace, dataset: Dataset, config: StudyConfig) -> Preview:
    """Draw a design for a look.

    Raises:
        ConfigError: it does not come out even, or the items do not suffice; it says what would.
        DataError, RunError: a run is not there, or answered other data.
    """
    sizes(config)  # numbers that do not fit are refused before any text is read
    drawn = design.drawn_from(workspace, dataset, config)
    per_trial = words_per_trial(drawn)[drawn.assignments["trial_id"]]
    return Preview(
        drawn,
        balance_report.of(drawn),
        (float(per_trial.mean()), float(sum(card_words(drawn).values()))),
        planner.minutes_of(drawn),
    )


def planned(found: Preview, annotators: int, assumed: dict[str, float]) -> Planned:
    """The plan of each kind, and of other numbers of judges. Raises `ConfigError`: as `planner`."""
    config = found.config
    plans = planner.plans(
        config, annotators, found.draft, simulations=SIMULATIONS, seed=config.seed, **assumed
    )
    rows = []
    for plan in plans:
        others = planner.over_judges(
            plan.numbers, judges_for(config), simulations=CURVE_SIMULATIONS, seed=config.seed
        )
        for one in others:
            chance = one.against_chance.share if one.against_chance else float("nan")
            rows.append((plan.numbers.kind, one.numbers.judges, one.width, chance,
                         one.between.share))  # fmt: skip
    return Planned(tuple(plans), pd.DataFrame(rows, columns=list(CURVE)))


def judges_for(config: StudyConfig) -> list[int]:
    """Numbers of judges for which the design comes out even, around its own, at most so many."""
    unit = sizes(config).unit
    least = max(2, config.judgments_per_trial)
    most = max(24, 3 * config.judges)
    fit = [count for count in range(unit, most + 1, unit) if count >= least]
    step = -(-len(fit) // CURVE_POINTS)
    return sorted({*fit[::step], config.judges}) if config.judges >= 2 else fit[::step]


def wider(config: StudyConfig, kinds: tuple[str, ...]) -> StudyConfig:
    """The design without texts that show these leaks, besides those left out already."""
    return replace(config, leave_out=tuple(dict.fromkeys((*config.leave_out, *kinds))))
