"""Preferences with style held equal: length, and overlap with the input, as covariates.

A longer text, or one that repeats more of the item, may win for that alone. As in the style control
of Chatbot Arena (Li, Angelopoulos & Chiang 2024, "Does style matter?"), the differences in style
enter the model of preferences beside the sources:

    gap = λ[pair of sources] + β₁ log₂(words_a / words_b) + β₂ (overlap_a − overlap_b)

by Davidson's (1970) likelihood with ties, one λ for each pair of sources (so that without
covariates the model repeats the raw shares), β common to all pairs; variances clustered by judge
and item. The controlled share is what the model says of two texts of equal length and overlap, a
tie counting half. It is no causal claim: a source that is always longer *and* better cannot be
separated from its length; its interval is then wide.

Overlap is the share of a text's words that occur in the item's own texts (`text.tokens`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from capo_core.stats.bradley_terry import derivatives, maximum_likelihood
from capo_core.stats.clustered import FEW, two_way
from capo_core.stats.intervals import json_rows
from capo_core.stats.logistic import MIN_ROWS
from capo_core.study.analysis.preferences import comparisons, wins
from capo_core.study.tables import COMPARISON, TIE, from_cell
from capo_core.text.tokens import input_spans, words

if TYPE_CHECKING:
    from capo_core.study.design.draft import Draft

STYLE_PAIRS = ("source_a", "source_b", "n", "raw_a", "raw_low", "raw_high", "controlled_a", "low",
               "high", "longer_a", "overlap_a", "note")  # fmt: skip
STYLE_EFFECTS = ("covariate", "odds_ratio", "low", "high", "n", "note")
TEXT_STYLE = ("trial_id", "overlap_a", "overlap_b")
LENGTH = "a text twice as long"
OVERLAP = "10 points more of its words from the input"
STEP = 0.1  # of overlap


@dataclass(frozen=True)
class StyleControl:
    """Attributes: pairs, STYLE_PAIRS, raw and controlled share of wins of source_a, a tie as half
    (longer_a: geometric mean of words_a / words_b; overlap_a: mean of overlap_a − overlap_b, NaN
    where not known); effects, STYLE_EFFECTS, on the odds of being preferred; note, in words."""

    pairs: pd.DataFrame
    effects: pd.DataFrame
    note: str = ""

    def to_dict(self) -> dict:
        return {
            "pairs": json_rows(self.pairs),
            "effects": json_rows(self.effects),
            "note": self.note,
        }


def text_style(draft: Draft) -> pd.DataFrame:
    """Return TEXT_STYLE: of every comparison of a draft, the overlap of its two texts (0 to 1) with
    the item; NaN for a text without words."""
    texts = draft.texts.set_index("text_id")
    rows = []
    for trial in draft.trials[draft.trials["kind"] == COMPARISON].itertuples(index=False):
        both = [texts.loc[name] for name in from_cell(trial.text_ids)]
        rows.append(
            (trial.trial_id, *(_overlap(t["explanation"], t["text_a"], t["text_b"]) for t in both))
        )
    return pd.DataFrame(rows, columns=list(TEXT_STYLE))


def _overlap(text: str, *inputs: str) -> float:
    n = len(words(text))
    return len(input_spans(text, *inputs)) / n if n else math.nan


def style_control(judgments: pd.DataFrame) -> StyleControl | None:
    """Return the preferences with style held equal; None where nothing was compared.

    Args:
        judgments: JUDGMENTS, with the columns overlap_a and overlap_b of TEXT_STYLE where they are
            known (see `analysis.analyse`); else only length is held equal.
    """
    rows = comparisons(judgments)
    if not len(rows):
        return None
    unknown = [name for name in TEXT_STYLE[1:] if name not in rows]
    rows = _turned(rows.assign(**dict.fromkeys(unknown, math.nan)))
    raw = wins(judgments).set_index(["source_a", "source_b"])
    covariates, missing = _covariates(rows)
    usable = np.isfinite(covariates.to_numpy(float)).all(axis=1)
    pairs = list(rows.groupby(["first", "second"], sort=True).groups)
    decided = {pair for pair in pairs if _both_won(rows[usable], pair)}
    named = zip(rows["first"], rows["second"], strict=True)
    kept = usable & np.array([pair in decided for pair in named])
    fit = _fit(rows[kept], covariates[kept])
    why = fit if isinstance(fit, str) else ""
    table = []
    for first, second in pairs:
        part = rows[(rows["first"] == first) & (rows["second"] == second)]
        before = raw.loc[(first, second)]
        if (first, second) not in decided:
            ends, note = (math.nan,) * 3, "one of the two never lost, or all answers are ties"
        elif why:
            ends, note = (math.nan,) * 3, why
        else:
            ends, note = fit.share(first, second)
        table.append(
            (first, second, len(part), before["share_a"], before["low"], before["high"], *ends,
             float(np.exp2(np.nanmean(part["longer"]))), float(part["more"].mean()), note)
        )  # fmt: skip
    effects = [] if why else fit.effects()
    return StyleControl(
        pd.DataFrame(table, columns=list(STYLE_PAIRS)),
        pd.DataFrame(effects, columns=list(STYLE_EFFECTS)),
        " ".join(filter(None, [missing, f"No style control: {why}." if why else ""])),
    )


def _turned(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the alphabetically first source in front: first, second, longer (log₂ of
    words), more (overlap) and outcome (0 the first, 1 the second, 2 a tie)."""
    turned = (rows["source_a"] > rows["source_b"]).to_numpy(bool)
    sign = np.where(turned, -1.0, 1.0)
    counts = rows[["words_a", "words_b"]].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        longer = np.log2(counts[:, 0] / counts[:, 1])
    answer = rows["answer"].to_numpy(object)
    outcome = np.where(answer == TIE, 2, (answer == "b") != turned)
    return rows.assign(
        first=np.where(turned, rows["source_b"], rows["source_a"]),
        second=np.where(turned, rows["source_a"], rows["source_b"]),
        longer=np.where(np.isfinite(longer), sign * longer, math.nan),
        more=sign * (rows["overlap_a"] - rows["overlap_b"]).to_numpy(float),
        outcome=outcome.astype(int),
    )


def _covariates(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the covariates that differ between texts, and a sentence on those that do not."""
    found, missing = {}, []
    for name, values, what in (
        (LENGTH, rows["longer"], "length"),
        (OVERLAP, rows["more"] / STEP, "overlap with the input"),
    ):
        if values.isna().all():
            missing.append(f"The {what} of these texts is not known.")
        elif np.nanmax(np.abs(values)) < 1e-12:
            missing.append(f"The {what} of all texts compared is equal.")
        else:
            found[name] = values
    return pd.DataFrame(found, index=rows.index), " ".join(missing)


def _both_won(rows: pd.DataFrame, pair: tuple[str, str]) -> bool:
    mine = rows[(rows["first"] == pair[0]) & (rows["second"] == pair[1])]
    return {0, 1} <= set(mine["outcome"])


@dataclass(frozen=True)
class _Fitted:
    """Attributes: pairs; parameters, a gap for each pair, covariates, log ν where there are ties;
    influence [n × parameters]; the clusters of the rows."""

    pairs: list[tuple[str, str]]
    covariates: list[str]
    parameters: np.ndarray
    influence: np.ndarray
    ties: bool
    judge: np.ndarray
    item: np.ndarray

    def share(self, first: str, second: str) -> tuple[tuple[float, float, float], str]:
        """Return the share of wins of the first where style is equal, with its interval."""
        k = self.pairs.index((first, second))
        gap, nu = self.parameters[k], math.exp(self.parameters[-1]) if self.ties else 0.0
        up, down = math.exp(gap / 2), math.exp(-gap / 2)
        whole = up + down + nu
        value = (up + nu / 2) / whole
        slope = (up / 2 - value * (up - down) / 2) / whole
        influence = slope * self.influence[:, k]
        if self.ties:
            influence = influence + nu * (0.5 - value) / whole * self.influence[:, -1]
        variance, z = two_way(influence, self.judge, self.item)
        half = z * math.sqrt(variance) / (value * (1 - value))
        ends = expit(logit(value) + np.array([-half, half]))
        return (value, *ends.tolist()), FEW if math.isnan(z) else ""

    def effects(self) -> list[tuple]:
        rows = []
        for j, name in enumerate(self.covariates, len(self.pairs)):
            variance, z = two_way(self.influence[:, j], self.judge, self.item)
            half, beta = z * math.sqrt(variance), self.parameters[j]
            ends = [math.exp(min(beta + k * half, 700.0)) if half == half else math.nan
                    for k in (-1, 1)]  # fmt: skip
            note = FEW if math.isnan(z) else ""
            rows.append((name, math.exp(beta), *ends, len(self.influence), note))
        return rows


def _fit(rows: pd.DataFrame, covariates: pd.DataFrame) -> _Fitted | str:
    """Return the fit, or why there is none."""
    if len(rows) < MIN_ROWS:
        return f"fewer than {MIN_ROWS} comparisons"
    if not len(covariates.columns):
        return "no covariate differs between the texts"
    pairs = list(rows.groupby(["first", "second"], sort=True).groups)
    number = pd.Series(range(len(pairs)), index=pd.MultiIndex.from_tuples(pairs))
    which = number.loc[list(zip(rows["first"], rows["second"], strict=True))].to_numpy(int)
    outcome = rows["outcome"].to_numpy(int)
    ties = bool((outcome == 2).any())
    size = len(pairs) + len(covariates.columns) + ties
    design = np.zeros((len(rows), 3, size))
    half = np.zeros((len(rows), size))
    half[np.arange(len(rows)), which] = 0.5
    half[:, len(pairs) : len(pairs) + len(covariates.columns)] = covariates.to_numpy(float) / 2
    design[:, 0], design[:, 1] = half, -half
    if ties:
        design[:, 2, -1] = 1
    else:
        design = design[:, :2]
    chosen = np.eye(3)[outcome]
    parameters = maximum_likelihood(design, chosen)
    if parameters is None:
        return "style and source cannot be separated in these comparisons"
    _p, score, information = derivatives(design, chosen, parameters)
    if np.linalg.cond(information) > 1e10:
        return "style and source cannot be separated in these comparisons"
    influence = score @ np.linalg.inv(information)
    return _Fitted(pairs, list(covariates.columns), parameters, influence, ties,
                   rows["judge_id"].to_numpy(), rows["item_id"].to_numpy())  # fmt: skip
