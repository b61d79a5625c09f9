"""The analysis of one study's judgments, as plain tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from capo_core.errors import DataError
from capo_core.formatting import count, listed, name_list
from capo_core.schema import check
from capo_core.settings import setting, settings
from capo_core.stats.intervals import json_rows
from capo_core.study.analysis.crowd_models import crowd_model_names
from capo_core.study.analysis.judge_quality import Prior
from capo_core.study.analysis.judges import judge_agreement, judge_behaviour
from capo_core.study.analysis.length import length_effect
from capo_core.study.tables import CHECK, JUDGMENTS, MAIN, MIRROR, PURPOSES
from capo_core.study.trial_kinds import TRIAL_KINDS, check_kinds

COUNTS = ("kind", *PURPOSES, "trials", "judges", "items")
TIMES = ("kind", "n", "median_s", "p10_s", "p90_s")


@settings("analysis")
class AnalysisSettings:
    """Settings of an analysis; they are part of its report."""

    seed: int = setting(0, "Random seed", "Of the bootstraps.", ge=0)
    draws: int = setting(1000, "Bootstrap draws", "Of each bootstrap.", ge=1)
    priors: tuple[Prior, ...] = setting((), "Priors on μ", "See `judge_quality.Prior`.")
    crowd_models: tuple[str, ...] = setting(
        (), "Further models of attributions", "Models of crowd-kit that reconcile attributions "
        "beside Dawid-Skene, to see whether a result depends on the model; they are no part of the "
        "planned analysis and need the package crowd-kit.", choices=crowd_model_names,
    )  # fmt: skip
    equivalence_margin: float = setting(
        0.0, "Equivalence margin", "Of the design (`StudyConfig`); 0 for no test.", ge=0, le=0.5
    )


@dataclass(frozen=True)
class StudyAnalysis:
    """The analysis of one study's judgments; tables have n and interval in each row.

    Attributes:
        study_id, annotators, settings: what was analysed, and how.
        judges: those with a judgment that counts in a result.
        counts: COUNTS, judgments by kind and purpose; trials, judges and items are of the judgments
            that count in the results (`TrialKind.main_judgments`), as `main` is.
        results: kind of trial → name → result of `TrialKind.analyse`; a result is an attribute of
            the analysis too: `analysis.accuracy`.
        agreement: between judges. behaviour: judge by judge. times: TIMES. length: of texts.
        sentences: what a reader must know.
    """

    study_id: str
    annotators: tuple[str, ...]
    settings: AnalysisSettings
    judges: int
    counts: pd.DataFrame
    results: Mapping[str, Mapping[str, Any]]
    agreement: pd.DataFrame
    behaviour: pd.DataFrame
    times: pd.DataFrame
    length: pd.DataFrame
    sentences: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        for results in self.__dict__.get("results", {}).values():
            if name in results:
                return results[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict:
        """Return the analysis for JSON; numbers that are not defined are None."""
        named = {
            name: found for results in self.results.values() for name, found in results.items()
        }
        tables = {
            "counts": self.counts,
            **named,
            "agreement": self.agreement,
            "conduct": self.behaviour,
            "times": self.times,
            "length": self.length,
        }
        return {
            "study_id": self.study_id,
            "annotators": list(self.annotators),
            "seed": self.settings.seed,
            "draws": self.settings.draws,
            "judges": self.judges,
            **{name: _json(found) for name, found in tables.items()},
            "sentences": list(self.sentences),
        }


def _json(found: Any) -> Any:
    return json_rows(found) if isinstance(found, pd.DataFrame) else found and found.to_dict()


def analyse(
    judgments: pd.DataFrame,
    annotators: Sequence[str],
    options: AnalysisSettings | None = None,
    style: pd.DataFrame | None = None,
) -> StudyAnalysis:
    """Analyse the table JUDGMENTS of one study.

    Args:
        annotators: all who had a card, in the order to show; chance is one over their number.
        style: `style_control.TEXT_STYLE` of the texts compared; without it, only their length is
            held equal.

    Raises:
        DataError: the table breaks its schema, is empty, holds several studies, or names somebody
            who is not among `annotators`.

    Two judges, one text of each of two sources; the second judge is wrong about one.

    >>> empty = {c.name: "" if c.kind == "text" else 0 for c in JUDGMENTS.columns}
    >>> def judged(judge, source, answer):
    ...     return {**empty, "study_id": "s", "judge_id": judge, "trial_id": f"T-{source}",
    ...             "kind": "attribution", "purpose": "main", "item_id": source, "source": source,
    ...             "truth": "ann", "answer": answer, "displayed": "{}", "answered": "2026-01-01"}
    >>> judgments = pd.DataFrame([
    ...     judged("J01", "human", "ann"), judged("J01", "sft", "ann"),
    ...     judged("J02", "human", "ann"), judged("J02", "sft", "bob"),
    ... ])
    >>> found = analyse(judgments, ["ann", "bob"])
    >>> rows = found.accuracy[found.accuracy["counting"] == "cannot tell counts as wrong"]
    >>> dict(zip(rows["source"], rows["value"].tolist()))
    {'human': 1.0, 'sft': 0.5}
    >>> found.sentences[0]
    'Results count 4 judgments by 2 judges. ...'
    """
    options = options or AnalysisSettings()
    rows = check(judgments, JUDGMENTS, source="judgments")
    names = tuple(annotators)
    study_id = _one_study(rows, names)
    if style is not None:
        rows = rows.merge(style, on="trial_id", how="left")
    return StudyAnalysis(
        study_id=study_id,
        annotators=names,
        settings=options,
        judges=_main(rows)["judge_id"].nunique(),
        counts=_counts(rows),
        results={name: kind.analyse(rows, names, options) for name, kind in TRIAL_KINDS.items()},
        agreement=judge_agreement(rows, seed=options.seed, draws=options.draws),
        behaviour=judge_behaviour(rows),
        times=_times(rows),
        length=length_effect(rows),
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
    check_kinds(rows["kind"], where="judgments")
    for name, kind in TRIAL_KINDS.items():
        unknown = kind.unknown_annotators(rows, annotators)
        if unknown:
            raise DataError(
                f"a trial of {name} names {unknown[0]!r}, who had no card",
                where="judgments",
                expected=f"one of {name_list(annotators)}",
            )
    return str(studies[0])


def _main(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the judgments that count in a result, of every kind."""
    return pd.concat([kind.main_judgments(rows) for kind in TRIAL_KINDS.values()])


def _counts(rows: pd.DataFrame) -> pd.DataFrame:
    result = []
    for name, kind in TRIAL_KINDS.items():
        part = rows[rows["kind"] == name]
        if len(part):
            main = kind.main_judgments(rows)
            by = {**part["purpose"].value_counts(), MAIN: len(main)}
            result.append((name, *(int(by.get(p, 0)) for p in PURPOSES), *(main[column].nunique()
                           for column in ("trial_id", "judge_id", "item_id"))))  # fmt: skip
    return pd.DataFrame(result, columns=list(COUNTS))


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    result = []
    for kind, part in rows[rows["purpose"] == MAIN].groupby("kind", sort=True):
        cuts = np.quantile(part["duration_s"].to_numpy(float), [0.5, 0.1, 0.9])
        result.append((kind, len(part), *cuts.tolist()))
    return pd.DataFrame(result, columns=list(TIMES))


def _measuring(by: Mapping[str, int]) -> str:
    """Return what measures the judges beside what counts."""
    asked = [
        count(int(by.get(purpose, 0)), what)
        for purpose, what in ((CHECK, "attention check"), (MIRROR, "swapped-order repeat"))
        if by.get(purpose, 0)
    ]
    if not asked:
        return "No attention checks and no repeats measure the judges"
    one = by.get(CHECK, 0) + by.get(MIRROR, 0) == 1
    return f"{listed(asked)} {'measures' if one else 'measure'} the judges"


def _sentences(rows: pd.DataFrame, annotators: tuple[str, ...]) -> tuple[str, ...]:
    by, main = rows["purpose"].value_counts(), _main(rows)
    found = [
        f"Results count {count(len(main), 'judgment')} by "
        f"{count(main['judge_id'].nunique(), 'judge')}. {_measuring(by)}; practice trials are not "
        "analysed.",
        "No judge and no judgment is excluded.",
    ]
    for name, kind in TRIAL_KINDS.items():
        if (rows["kind"] == name).any() and kind.reading_note(annotators):
            found.append(kind.reading_note(annotators))
    return tuple(found)
