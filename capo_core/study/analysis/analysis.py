"""Everything that is computed from the judgments of one study, in one place and as plain tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.errors import DataError
from capo_core.schema import check
from capo_core.stats.bradley_terry import Preference
from capo_core.stats.intervals import json_rows
from capo_core.study.analysis import attribution
from capo_core.study.analysis.attribution import MixedModelResult, length_effect, mixed_model
from capo_core.study.analysis.consensus import consensus
from capo_core.study.analysis.judge_quality import JudgeQuality, Prior, estimate
from capo_core.study.analysis.judges import judge_agreement, judge_behaviour
from capo_core.study.analysis.preferences import preference, reasoning, wins
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, JUDGMENTS, KINDS, MAIN, PURPOSES

COUNTS = ("kind", *PURPOSES, "judges", "items")
TIMES = ("kind", "n", "median_s", "p10_s", "p90_s")


@dataclass(frozen=True)
class AnalysisSettings:
    """How to analyse; part of what is reported.

    Attributes:
        seed: of the bootstraps. draws: of each bootstrap.
        beliefs: what is known of μ beforehand (see `quality.Belief`).
    """

    seed: int = 0
    draws: int = 1000
    beliefs: tuple[Prior, ...] = ()


@dataclass(frozen=True)
class StudyAnalysis:
    """What the judgments say. Tables have a row a source, pair, judge or kind, with n and interval.

    Attributes:
        study_id, annotators, settings: what was analysed, and how.
        counts: COUNTS, judgments by kind and purpose.
        accuracy, differences, confusion: of attributions (`accuracy`); chance is 1/annotators.
        mixed: the mixed-effects model, or why there is none.
        consensus: attributions by majority and by Dawid-Skene, beside single judgments.
        wins: WINS, comparisons: share_a counts a tie as half; ½ is chance.
        preference: Bradley-Terry with ties; None without comparisons of two sources.
        reasoning: REASONING_MEANS of scores 1 to 5.
        agreement: between judges. conduct: judge by judge. times: TIMES. length: effect of length.
        quality: attentiveness by EM, weighted beside raw; None without comparisons.
        sentences: what a reader must know.
    """

    study_id: str
    annotators: tuple[str, ...]
    settings: AnalysisSettings
    counts: pd.DataFrame
    accuracy: pd.DataFrame
    differences: pd.DataFrame
    confusion: pd.DataFrame
    mixed: MixedModelResult
    consensus: pd.DataFrame
    wins: pd.DataFrame
    preference: Preference | None
    reasoning: pd.DataFrame
    agreement: pd.DataFrame
    conduct: pd.DataFrame
    times: pd.DataFrame
    length: pd.DataFrame
    quality: JudgeQuality | None
    sentences: tuple[str, ...]

    def to_dict(self) -> dict:
        """For JSON; numbers that are not defined are None."""
        tables = {
            name: json_rows(getattr(self, name))
            for name in (
                "counts", "accuracy", "differences", "confusion", "consensus", "wins", "reasoning",
                "agreement", "conduct", "times", "length",
            )
        }  # fmt: skip
        return {
            "study_id": self.study_id,
            "annotators": list(self.annotators),
            "seed": self.settings.seed,
            "draws": self.settings.draws,
            **tables,
            "mixed": self.mixed.to_dict(),
            "preference": self.preference.to_dict() if self.preference else None,
            "quality": self.quality.to_dict() if self.quality else None,
            "sentences": list(self.sentences),
        }


def analyse(
    judgments: pd.DataFrame, annotators: Sequence[str], settings: AnalysisSettings | None = None
) -> StudyAnalysis:
    """Analyse the table JUDGMENTS of one study.

    Args:
        annotators: all who had a card, in the order to show; chance is one over their number.

    Raises:
        DataError: the table breaks its schema, is empty, holds several studies, or names somebody
            who is not among `annotators`.
    """
    settings = settings or AnalysisSettings()
    rows = check(judgments, JUDGMENTS, source="judgments")
    names = tuple(annotators)
    study_id = _one_study(rows, names)
    seed, draws = settings.seed, settings.draws
    return StudyAnalysis(
        study_id=study_id,
        annotators=names,
        settings=settings,
        counts=_counts(rows),
        accuracy=attribution.accuracy(rows, names),
        differences=attribution.differences(rows),
        confusion=attribution.confusion(rows, names),
        mixed=mixed_model(rows),
        consensus=consensus(rows),
        wins=wins(rows),
        preference=preference(rows),
        reasoning=reasoning(rows),
        agreement=judge_agreement(rows, seed=seed, draws=draws),
        conduct=judge_behaviour(rows),
        times=_times(rows),
        length=length_effect(rows),
        quality=estimate(rows, settings.beliefs),
        sentences=_sentences(rows, names),
    )


def _one_study(rows: pd.DataFrame, annotators: tuple[str, ...]) -> str:
    studies = rows["study_id"].unique()
    if len(studies) != 1:
        raise DataError(
            f"{len(studies)} studies in one table" if len(studies) else "there are no judgments",
            where="judgments",
            expected="the judgments of one study",
        )
    named = rows[rows["kind"] == ATTRIBUTION]
    strange = (set(named["answer"]) | set(named["truth"])) - {*annotators, CANNOT_TELL, ""}
    if strange:
        raise DataError(
            f"an attribution names {sorted(strange)[0]!r}, who had no card",
            where="judgments",
            expected=f"one of {', '.join(annotators)}",
        )
    return str(studies[0])


def _counts(rows: pd.DataFrame) -> pd.DataFrame:
    made = []
    for kind in KINDS:
        part = rows[rows["kind"] == kind]
        if len(part):
            by = part["purpose"].value_counts()
            made.append((kind, *(int(by.get(p, 0)) for p in PURPOSES),
                         part["judge_id"].nunique(), part["item_id"].nunique()))  # fmt: skip
    return pd.DataFrame(made, columns=list(COUNTS))


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    made = []
    for kind, part in rows[rows["purpose"] == MAIN].groupby("kind", sort=True):
        cuts = np.quantile(part["duration_s"].to_numpy(float), [0.5, 0.1, 0.9])
        made.append((kind, len(part), *cuts.tolist()))
    return pd.DataFrame(made, columns=list(TIMES))


def _sentences(rows: pd.DataFrame, annotators: tuple[str, ...]) -> tuple[str, ...]:
    by = rows["purpose"].value_counts()
    words = [
        f"{int(by.get(MAIN, 0))} judgments by {rows['judge_id'].nunique()} judges count in the "
        f"results; {int(by.get('check', 0))} checks and {int(by.get('mirror', 0))} mirrored "
        "repeats serve to know the judges; practice trials count nowhere.",
        "No judge and no judgment is dropped.",
    ]
    if (rows["kind"] == ATTRIBUTION).any():
        words.append(
            f"Chance is 1 in {len(annotators)}. A text by a method counts as right when given to "
            "the annotator it imitates."
        )
    return tuple(words)
