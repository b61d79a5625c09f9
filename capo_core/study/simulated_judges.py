"""Simulated judges with known attentiveness, skill, side bias, indecision and pace.

To try a design before anybody is invited, and to prove that the analysis finds what was put in. A
simulated judge attends to a trial with a probability (attentiveness). Attending, they follow what
is there: in a comparison the text that is better, in an attribution the right annotator as often as
their skill and the source's likeness allow. Not attending, they click: left as often as their side
bias says, or any annotator. "Cannot tell" and "tie" come at a rate of their own.

Who simulated judges are, and what is true of the sources they judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.formatting import quoted_names
from capo_core.schema import check
from capo_core.settings import setting, settings
from capo_core.study.design.draft import Draft
from capo_core.study.tables import JUDGMENTS, PRACTICE, frame_of, from_cell
from capo_core.study.trial_kinds import TRIAL_KINDS, paired_first
from capo_core.study.trial_kinds.base import SimulatedTrials
from capo_core.study.trial_kinds.comparison import left_answer
from capo_core.text.tokens import count_words


@settings("simulated judges")
class SimulatedJudgesConfig:
    """Settings from which simulated judges are drawn; shares are means over judges."""

    attentiveness: float = setting(
        0.8, "Attentive", "Mean share of trials answered attentively.", ge=0, le=1
    )
    skill: float = setting(
        0.7, "Recognition accuracy", "Share recognised by an attending judge.", ge=0, le=1
    )
    left: float = setting(
        0.5,
        "First text chosen when not attending",
        "Share of choices of the first text when not attending; a half means no bias.",
        ge=0,
        le=1,
    )
    doubt: float = setting(
        0.05, "Ties or “cannot tell”", 'Share of "cannot tell" and "tie" answers.', ge=0, le=1
    )
    seconds: float = setting(
        8.0, "Seconds per trial", "Median seconds per trial beyond reading.", gt=0
    )
    careless: float = setting(
        0.0, "Careless judges", "Share of judges who rarely attend.", ge=0, le=1
    )
    seed: int = setting(0, "Random seed", "Seed of the judges and of their answers.", ge=0)


@dataclass(frozen=True)
class SimulatedJudges:
    """U judges, one value each; shares are between 0 and 1. They are arrays drawn from the
    settings (`SimulatedJudgesConfig`) and no settings themselves.

    Attributes:
        attentiveness: how often they attend.
        skill: how often an attending judge knows the hand of somebody whom a text fully resembles.
        left: how often a judge who does not attend to a comparison clicks left; ½ is no bias.
        doubt: how often they say "cannot tell" or "tie".
        seconds: what a trial takes beyond reading, median, more than 0.
    """

    attentiveness: np.ndarray
    skill: np.ndarray
    left: np.ndarray
    doubt: np.ndarray
    seconds: np.ndarray

    def __post_init__(self) -> None:
        for name in ("attentiveness", "skill", "left", "doubt", "seconds"):
            values = np.asarray(getattr(self, name), dtype=float)
            object.__setattr__(self, name, values)
            if values.ndim != 1 or len(values) != len(self.attentiveness) or not len(values):
                raise ConfigError(f"simulated judges: {name} needs one value a judge")
            top = np.inf if name == "seconds" else 1.0
            if not ((values >= 0) & (values <= top)).all() or (
                name == "seconds" and not (np.isfinite(values) & (values > 0)).all()
            ):
                raise ConfigError(
                    f"simulated judges: {name} is out of range",
                    expected="seconds above 0" if name == "seconds" else "shares from 0 to 1",
                )

    @property
    def n(self) -> int:
        return len(self.attentiveness)

    @classmethod
    def drawn(cls, n: int, config: SimulatedJudgesConfig) -> SimulatedJudges:
        """Draw `n` judges around these means (Beta of strength 12; seconds log-normal), a share of
        them `careless`: attentiveness about .05, a quarter of the time."""
        if n < 1:
            raise ConfigError(f"{n} simulated judges", expected="1 or more")
        rng = np.random.default_rng([config.seed, 41])
        bad = np.arange(n) < round(config.careless * n)

        def around(mean: float) -> np.ndarray:
            if mean in (0.0, 1.0):
                return np.full(n, mean)
            return rng.beta(12 * mean, 12 * (1 - mean), n)

        attends = np.where(bad, rng.beta(1, 19, n), around(config.attentiveness))
        pace = config.seconds * np.exp(rng.normal(0, 0.3, n)) * np.where(bad, 0.25, 1)
        return cls(attends, around(config.skill), around(config.left), around(config.doubt), pace)


@dataclass(frozen=True)
class SourceEffects:
    """The true strength of the sources, and their likeness to the target. Its keys are the sources
    of one study, so that it has no fields of its own to be settings.

    Attributes:
        strength: of a source in comparisons, log-odds (Bradley-Terry); what is not named has 0.
        likeness: of a source to its target, 0 to 1; what is not named has 1 for humans, else .5.
    """

    strength: Mapping[str, float] = field(default_factory=dict)
    likeness: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        strange = [name for name, value in self.likeness.items() if not 0 <= value <= 1]
        if strange:
            raise ConfigError(f"likeness of {quoted_names(strange)}", expected="between 0 and 1")

    def likeness_of(self, source: str) -> float:
        return float(self.likeness.get(source, 1.0 if source == "human" else 0.5))


START = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
WORDS_PER_S = 4.0  # reading


@dataclass(frozen=True)
class SimulatedJudgments:
    """Attributes: judgments, the table JUDGMENTS; better, trial_id → 'a' or 'b', the better text of
    a comparison (its mirrored repeat has the same)."""

    judgments: pd.DataFrame
    better: pd.Series


def simulate_judgments(
    draft: Draft,
    judges: SimulatedJudges,
    seed: int,
    effects: SourceEffects | None = None,
    *,
    study_id: str = "simulated",
) -> SimulatedJudgments:
    """Answer all assigned trials of a draft, practice left out; the same seed gives the same
    answers.

    Raises:
        ConfigError: the draft has another number of judges.
    """
    effects = effects or SourceEffects()
    slots = sorted(draft.assignments["judge_slot"].unique())
    if len(slots) != judges.n:
        raise ConfigError(
            f"{judges.n} simulated judges for a design of {len(slots)}",
            expected=f"{len(slots)} judges",
        )
    rng = np.random.default_rng([seed, 42])
    table = _asked(draft)
    who = table["judge_slot"].map({name: k for k, name in enumerate(slots)}).to_numpy(int)
    attends = rng.random(len(table)) < judges.attentiveness[who]
    doubts = rng.random(len(table)) < judges.doubt[who]
    trials = SimulatedTrials(table, attends, doubts, judges.left[who], judges.skill[who], effects)
    kinds = table["kind"].to_numpy(object)
    given = np.full(len(table), "", dtype=object)
    better: dict[str, str] = {}
    for kind in paired_first():
        answers, drawn = kind.simulate(trials, rng)
        given = np.where(kinds == kind.name, answers, given)
        better |= drawn
    reading = np.where(attends, 1.0, 0.3) * table["words"].to_numpy() / WORDS_PER_S
    duration = reading + judges.seconds[who] * np.exp(rng.normal(0, 0.4, len(table)))
    completed = table.assign(
        study_id=study_id,
        judge_id=table["judge_slot"],
        answer=given,
        side=_sides(table, given),
        confidence="",
        reason="",
        duration_s=np.round(duration, 2),
        answered=_times(table, duration),
        changes=0,
    )
    frame = frame_of(JUDGMENTS, completed[JUDGMENTS.names].to_dict("records"))
    checked = check(frame, JUDGMENTS, source=study_id)
    return SimulatedJudgments(checked, pd.Series(better, dtype=object))


def _asked(draft: Draft) -> pd.DataFrame:
    """Return one row a (judge, trial), in order, with the columns of JUDGMENTS on the trial."""
    words = draft.texts.set_index("text_id")["explanation"].map(count_words)
    sealed = draft.sealed.sort_values(["trial_id", "slot"])
    first = sealed[sealed["slot"] == 0].set_index("trial_id")
    sources = sealed.groupby("trial_id")["source"].agg(list)
    rows = []
    for trial in draft.trials.itertuples():
        ids, fact = from_cell(trial.text_ids), first.loc[trial.trial_id]
        if fact["purpose"] == PRACTICE:
            continue
        rows.append(
            {
                "trial_id": trial.trial_id, "kind": trial.kind, "purpose": fact["purpose"],
                "mirror_of": fact["mirror_of"], "item_id": trial.item_id,
                "target_annotator_id": trial.target_annotator_id,
                "truth": fact["truth"],
                **TRIAL_KINDS[trial.kind].describe_texts(
                    sources[trial.trial_id], [int(words[name]) for name in ids]
                ),
            }
        )  # fmt: skip
    asked = draft.assignments.merge(pd.DataFrame(rows), on="trial_id", how="inner")
    asked = asked.sort_values(["judge_slot", "position"]).reset_index(drop=True)
    return asked.rename(columns={"order": "displayed"})


def _sides(table: pd.DataFrame, given: np.ndarray) -> np.ndarray:
    left = table["displayed"].map(left_answer).to_numpy(object)
    paired = [kind.name for kind in TRIAL_KINDS.values() if kind.paired]
    chosen = table["kind"].isin(paired).to_numpy() & np.isin(given, ["a", "b"])
    return np.where(chosen, np.where(given == left, "left", "right"), "")


def _times(table: pd.DataFrame, duration: np.ndarray) -> list[str]:
    """Return ISO times, one judge's answers one after the other."""
    passed = pd.Series(duration).groupby(table["judge_slot"].to_numpy()).cumsum()
    return [(START + timedelta(seconds=round(s, 3))).isoformat() for s in passed]
