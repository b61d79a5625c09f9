"""The results of a study as sentences and tables, previews of a design, and simulated judges;
without Streamlit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pandas as pd

from capo_core.dashboard.studies.labels import answer_name
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.formatting import count, p_value, with_interval
from capo_core.provenance import SIMULATED
from capo_core.study.analysis.analysis import AnalysisSettings, StudyAnalysis
from capo_core.study.analysis.judge_quality import Prior
from capo_core.study.analysis.make_report import make_report
from capo_core.study.analysis.report import StudyReport
from capo_core.study.analysis.report import sections as report_sections
from capo_core.study.config import StudyConfig
from capo_core.study.design import balance_report, freeze, planner
from capo_core.study.design import draft as design_draft
from capo_core.study.design.balance import sizes
from capo_core.study.design.balance_report import BalanceReport
from capo_core.study.design.draft import Draft
from capo_core.study.design.enough_judges import (
    EnoughJudges,
    enough_judges,
    numbers_of_judges,
)
from capo_core.study.design.planner import StudyPlan, card_words, words_per_trial
from capo_core.study.judging.judge import JudgeProgress
from capo_core.study.judging.trial_views import AssignedTrial, TextView, TrialView, arrange
from capo_core.study.simulated_judges import (
    SimulatedJudges,
    SimulatedJudgesConfig,
    SourceEffects,
    simulate_judgments,
)
from capo_core.study.source_names import inside, source_name
from capo_core.study.tables import HUMAN, PRACTICE, from_cell
from capo_core.workspace import Workspace


def report(
    workspace: Workspace, name: str, judgments: pd.DataFrame, mu: str = "", crowd: str = ""
) -> StudyReport:
    """The analysis of a study's answers with the facts of its design.

    Args:
        mu: see `priors`. crowd: a further model of attributions, by name; "" for none.

    Raises:
        StudyError: the study on disk is not what was frozen. ConfigError: `mu` says nothing.
    """
    frozen = freeze.verify(workspace, name)
    draft = design_draft.load(workspace, name)
    options = AnalysisSettings(priors=priors(mu), crowd_models=(crowd,) if crowd else ())
    return make_report(workspace, draft, judgments, options, frozen=frozen)


def priors(text: str) -> tuple[Prior, ...]:
    """Return priors on μ from "human:sft=0.8, human:capo=0.6/40"; the number after / is how many
    comparisons the prior is worth (exact without it).

    Raises:
        ConfigError: it is written otherwise.
    """
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        names, _, number = part.partition("=")
        stronger, _, weaker = names.partition(":")
        mu, _, strength = number.partition("/")
        try:
            found.append(Prior(stronger.strip(), weaker.strip(), float(mu), float(strength or 0)))
        except ValueError:
            raise ConfigError(
                f"found {part!r}", where="Pairs and μ", expected="human:sft=0.8"
            ) from None
    return tuple(found)


def in_words(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The frame for the screen: sources in `columns` by their names, p in words, no empty notes."""
    shown = with_independent(frame)
    shown = shown.assign(**{name: shown[name].map(source_name) for name in columns})
    if "p_value" in shown:
        shown["p_value"] = shown["p_value"].map(p_value)
    empty = "note" in shown and not shown["note"].astype(bool).any()
    return shown.drop(columns="note") if empty else shown


INDEPENDENT = "the interval takes judgments as independent"


def with_independent(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Wilson's interval of independent judgments where too few judges or
    items leave no other, and a note that says so."""
    if "wilson_low" not in frame:
        return frame
    there = frame["low"].isna() & frame["wilson_low"].notna() & (frame["n"] > 0)
    notes = frame["note"].mask(there, frame["note"] + f"; {INDEPENDENT}")
    return frame.assign(
        low=frame["low"].mask(there, frame["wilson_low"]),
        high=frame["high"].mask(there, frame["wilson_high"]),
        note=notes.str.removeprefix("; "),
    )


def ceiling(rows: pd.DataFrame) -> float:
    """Return the attribution accuracy of the annotators' own texts; NaN without any."""
    own = rows.loc[rows["source"] == HUMAN, "value"]
    return float(own.iloc[0]) if len(own) else math.nan


def verdict(row) -> str:
    """Return a judge's attentiveness as number and interval, or the reason why there is none."""
    if row.verdict:
        return f"{row.verdict} ({row.why})" if row.why else row.verdict
    return with_interval(row.attentiveness, row.low, row.high)


def raw_and_weighted(found: StudyAnalysis) -> pd.DataFrame:
    """Raw results and results weighted by judge quality: what, raw, weighted, n, note."""
    rows = []
    for row in found.consensus.itertuples(index=False):
        rows.append(
            (f"{source_name(row.source)}: attribution accuracy", row.raw_right, row.raw_low,
             row.raw_high, row.weighted_right, row.weighted_low, row.weighted_high,
             count(row.n_trials, "trial"), row.note)
        )  # fmt: skip
    if found.quality is not None:
        for row in found.quality.preferences.itertuples(index=False):
            rows.append(
                (f"{source_name(row.source_a)} preferred to {inside(row.source_b)}",
                 row.raw_share_a, row.raw_low, row.raw_high, row.weighted_share_a,
                 row.weighted_low, row.weighted_high, count(row.n_votes, "vote"), row.note)
            )  # fmt: skip
    names = ("what", "raw", "raw_low", "raw_high", "weighted", "weighted_low", "weighted_high",
             "rests_on", "note")  # fmt: skip
    return pd.DataFrame(rows, columns=list(names))


def sections(found: StudyAnalysis) -> list[tuple[str, pd.DataFrame]]:
    """Every table of an analysis with its title; empty ones left out."""
    made = []
    for section in report_sections(found):
        table = section.table
        if "answer" in table:
            table = table.assign(answer=table["answer"].map(answer_name))
        made.append((section.title, table))
    return made


DRAWS = 200  # of the bootstrap of agreement: a try need not be as exact as a result


def slots(draft: Draft) -> list[str]:
    """The judges' sequences: J01, J02, …"""
    return sorted(draft.assignments["judge_slot"].unique())


def example(draft: Draft, slot: str, place: int) -> TrialView:
    """The trial at `place` (1, 2, …) of a judge's sequence, as the judge's desk would show it."""
    mine = draft.assignments[draft.assignments["judge_slot"] == slot].sort_values("position")
    row = mine.iloc[max(0, min(place, len(mine)) - 1)]
    fact = draft.trials.set_index("trial_id").loc[row["trial_id"]]
    order, ids = from_cell(row["order"]), from_cell(fact["text_ids"])
    trial = AssignedTrial(row["trial_id"], fact["kind"], fact["phase"], tuple(ids),
                  tuple(order.get("cards", ())), tuple(order["slots"]))  # fmt: skip
    texts = draft.texts.set_index("text_id")
    shown = {
        text_id: TextView(*texts.loc[text_id, ["text_a", "text_b", "label", "explanation"]])
        for text_id in ids
    }
    examples = draft.cards.set_index("annotator_id")["examples"]
    done = int(row["position"]) - 1
    return TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        answers=trial.answers,
        earlier=None,
        shown_at=datetime.now(UTC),
        progress=JudgeProgress(done, len(mine), None, 0, 0),
        **arrange(trial, shown, examples),
    )


@dataclass(frozen=True)
class Trying:
    """Assumptions about simulated judges and the sources.

    Attributes:
        strength, likeness: (source, value), of sources that differ from the defaults.
    """

    judges: SimulatedJudgesConfig = field(default_factory=SimulatedJudgesConfig)
    strength: tuple[tuple[str, float], ...] = ()
    likeness: tuple[tuple[str, float], ...] = ()


def tried(workspace: Workspace, draft: Draft, trying: Trying) -> StudyReport:
    """Return the analysis of the study with simulated judges.

    Raises:
        ConfigError: a value is out of range.
    """
    judges, seed = SimulatedJudges.drawn(len(slots(draft)), trying.judges), trying.judges.seed
    world = SourceEffects(dict(trying.strength), dict(trying.likeness))
    made = simulate_judgments(draft, judges, seed, world, study_id=draft.config.name)
    options = AnalysisSettings(seed=seed, draws=DRAWS)
    return make_report(workspace, draft, made.judgments, options, judges=SIMULATED)


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
class JudgesNeeded:
    """A design with other numbers of judges.

    Attributes:
        enough: of each kind, how many reach the usual power.
        curve: CURVE, over numbers of judges.
    """

    enough: tuple[EnoughJudges, ...]
    curve: pd.DataFrame


def preview(workspace: Workspace, dataset: Dataset, config: StudyConfig) -> Preview:
    """Draw a design for a look.

    Raises:
        ConfigError: it does not come out even, or the items do not suffice; it says what would.
        DataError, RunError: a run is not there, or answered other data.
    """
    sizes(config)  # numbers that do not fit are refused before any text is read
    return preview_of(design_draft.draw_from(workspace, dataset, config))


def preview_of(drawn: Draft) -> Preview:
    """Return a draft with its balance, words and minutes."""
    per_trial = words_per_trial(drawn)[drawn.assignments["trial_id"]]
    return Preview(
        drawn,
        balance_report.count_balance(drawn),
        (float(per_trial.mean()), float(sum(card_words(drawn).values()))),
        planner.minutes_of(drawn),
    )


def planned(found: Preview, annotators: int, assumed: dict[str, float]) -> tuple[StudyPlan, ...]:
    """Return the plan of each kind. Raises `ConfigError`: as `planner`."""
    config = found.config
    return tuple(
        planner.plans(
            config, annotators, found.draft, simulations=SIMULATIONS, seed=config.seed, **assumed
        )
    )


def judges_needed(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, plans: Sequence[StudyPlan]
) -> JudgesNeeded:
    """Return how many judges the design needs, and its power by their number.

    Args:
        plans: of the design, a kind each.
    """
    supply = design_draft.item_supply(workspace, dataset, config)
    enough = enough_judges(config, plans, supply, seed=config.seed)
    rows = []
    for each in enough:
        shown = [n for n in judges_for(config, each.judges or 0) if n <= max(each.most, 2)]
        others = planner.over_judges(
            each.plan.numbers, shown, simulations=CURVE_SIMULATIONS, seed=config.seed
        )
        for one in others:
            chance = one.against_chance.share if one.against_chance else float("nan")
            rows.append((each.plan.numbers.kind, one.numbers.judges, one.width, chance,
                         one.between.share))  # fmt: skip
    return JudgesNeeded(tuple(enough), pd.DataFrame(rows, columns=list(CURVE)))


@dataclass(frozen=True)
class Consequence:
    """Cost of a design: minutes of the median judge; the lowest power of its kinds."""

    minutes: float
    power: float


def consequence(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, annotators: int,
    assumed: dict[str, float],
) -> Consequence:  # fmt: skip
    """Return what a change of a design would lead to. Raises as `preview` and `planner.plans`."""
    found = preview(workspace, dataset, config)
    plans = planner.plans(
        config, annotators, found.draft, simulations=CURVE_SIMULATIONS, seed=config.seed, **assumed
    )
    return Consequence(found.minutes[0], min(each.lowest_power for each in plans))


def judges_for(config: StudyConfig, enough: int = 0) -> list[int]:
    """Numbers of judges for which the design comes out even, around its own and the number that is
    enough, at most so many."""
    most = max(24, 3 * config.judges, enough + enough // 4)
    fit = numbers_of_judges(config, most)
    step = max(1, -(-len(fit) // CURVE_POINTS))
    own = {number for number in (config.judges, enough) if number >= 2}
    return sorted({*fit[::step], *own})


def wider(config: StudyConfig, kinds: tuple[str, ...]) -> StudyConfig:
    """The design without texts that show these leaks, besides those left out already."""
    return replace(config, leave_out=tuple(dict.fromkeys((*config.leave_out, *kinds))))
