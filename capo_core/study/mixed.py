"""Accuracy per source by a mixed-effects logistic model with judges and items as random effects.

A second look at what the clustered intervals say: log-odds of naming the right annotator by source,
with a normal random effect for each judge and each item. Fitted by statsmodels
(`BinomialBayesMixedGLM.fit_map`, the posterior mode with a Laplace approximation and weak normal
priors). It is about a typical judge and item, not the average over them, so that its shares lie
farther from one half than raw shares do.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit

from capo_core.stability.intervals import Z95, plain, records
from capo_core.study.accuracy import attributions
from capo_core.study.tables import CANNOT_TELL

COLUMNS = ("source", "log_odds", "se", "share", "low", "high", "n")
MIN_LEVELS = 5
GRADIENT = 0.1  # of the log posterior, largest part; above it the fit did not converge
PRIOR_SD = 2.0


@dataclass(frozen=True)
class Mixed:
    """Attributes: effects (COLUMNS, empty where `note` says why); sd_judge, sd_item, standard
    deviations of the random effects on the log-odds scale; note."""

    effects: pd.DataFrame
    sd_judge: float
    sd_item: float
    note: str = ""

    def to_dict(self) -> dict:
        return {
            "effects": records(self.effects),
            "sd_judge": plain(self.sd_judge),
            "sd_item": plain(self.sd_item),
            "note": self.note,
        }


def mixed_model(judgments: pd.DataFrame) -> Mixed:
    """The model, or why there is none; "cannot tell" counts as wrong."""
    rows = attributions(judgments)
    rows = rows.assign(hit=(rows["answer"] == rows["truth"]) & (rows["answer"] != CANNOT_TELL))
    why = _why_not(rows)
    if why:
        return _none(why)
    sources = sorted(rows["source"].unique())
    exog = np.stack([(rows["source"] == s).to_numpy(float) for s in sources], axis=1)
    judge, item = pd.factorize(rows["judge_id"])[0], pd.factorize(rows["item_id"])[0]
    random = sparse.hstack([_one_hot(judge), _one_hot(item)]).tocsr()
    ident = np.repeat([0, 1], [judge.max() + 1, item.max() + 1])
    fitted = _fitted(rows["hit"].to_numpy(float), exog, random, ident)
    if isinstance(fitted, str):
        return _none(fitted)
    value, error, deviations = fitted
    counts = rows["source"].value_counts()
    table = [
        (name, float(v), float(e), *expit([v, v - Z95 * e, v + Z95 * e]).tolist(),
         int(counts[name]))
        for name, v, e in zip(sources, value, error, strict=True)
    ]  # fmt: skip
    return Mixed(pd.DataFrame(table, columns=list(COLUMNS)), *deviations)


def _fitted(hit, exog, random, ident):
    """Log-odds, their standard errors and the two random standard deviations; or why not."""
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

    model = BinomialBayesMixedGLM(hit, exog, random, ident, vcp_p=0.5, fe_p=PRIOR_SD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is checked below, and said in words
        try:
            result = model.fit_map()
        except (np.linalg.LinAlgError, ValueError, FloatingPointError) as error:
            return f"no mixed model: statsmodels stopped ({error})"
    gradient = np.abs(model.logposterior_grad(result.params)).max()
    error = np.asarray(result.fe_sd, dtype=float)
    if not gradient < GRADIENT or not np.isfinite(error).all():
        return f"no mixed model: it did not converge (gradient {gradient:.2g})"
    deviations = np.exp(np.asarray(result.vcp_mean, dtype=float))
    return result.fe_mean, error, (float(deviations[0]), float(deviations[1]))


def _why_not(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "no mixed model: no attributions"
    if min(rows["judge_id"].nunique(), rows["item_id"].nunique()) < MIN_LEVELS:
        return f"no mixed model: fewer than {MIN_LEVELS} judges or items"
    flat = [name for name, part in rows.groupby("source") if part["hit"].nunique() == 1]
    if flat:
        return f"no mixed model: all right or all wrong for {', '.join(flat)}"
    if importlib.util.find_spec("statsmodels") is None:
        return "no mixed model: statsmodels is not installed (pip install statsmodels)"
    return ""


def _none(why: str) -> Mixed:
    return Mixed(pd.DataFrame(columns=list(COLUMNS)), float("nan"), float("nan"), why)


def _one_hot(number: np.ndarray) -> sparse.csr_matrix:
    n = len(number)
    return sparse.csr_matrix((np.ones(n), (np.arange(n), number)), (n, int(number.max()) + 1))
