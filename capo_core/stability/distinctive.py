"""What sets each annotator apart, in words: phrases and habits, each with the texts behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.stability.contrast import contrast
from capo_core.stability.intervals import Z95, adjusted
from capo_core.stability.log_odds import Prior, log_odds
from capo_core.stability.phrase_reliability import phrase_reliability
from capo_core.stability.redundancy import prune
from capo_core.stability.wording import Wording, explained, find, wording
from capo_core.text import stylometry
from capo_core.text.tokens import normalise

__all__ = ["find", "phrase_reliability", "phrases", "style_features", "wording"]

PHRASE_COLUMNS = (
    "annotator_id", "phrase", "z", "log_odds", "low", "high", "rate", "rate_others", "count",
    "count_others", "n", "n_others", "p_adjusted", "clear",
)  # fmt: skip
FEATURE_COLUMNS = (
    "annotator_id", "feature", "text", "unit", "mean", "mean_others", "difference", "low", "high",
    "n", "n_others", "p_adjusted", "clear",
)  # fmt: skip
FALSE_DISCOVERIES = 0.05
_SAMPLE = 10_000  # texts looked at for repetition; shares of occurrences need no more


def phrases(
    dataset: Dataset,
    *,
    raw: bool = False,
    ngrams: tuple[int, int] = (1, 3),
    prior: float = 500.0,
    min_texts: int | None = None,
    without_input: bool = True,
    top: int | None = 30,
    cut: Wording | None = None,
) -> pd.DataFrame:
    """Phrases each annotator uses more, and less, than all others together.

    Presence counts, not occurrences: an explanation has a phrase or has it not.

    Args:
        prior: weight of the prior in phrases (α₀), divided as everybody uses them.
        top: at most so many phrases above and so many below the others, the strongest first and
            without those that repeat a stronger one; None gives all, repetition and all.
        cut: `wording(...)` of the same dataset, if there already; `raw`, `ngrams`, `min_texts`
            and `without_input` then come from it.

    Returns:
        PHRASE_COLUMNS. `z` and `log_odds` with 95 % `low` and `high`: above 0 = more than others.
        `rate`, `rate_others`: share of explanations that have it; `n`, `n_others`: explanations.
        `clear`: still there at a false discovery rate of 5 % among this annotator's phrases.
        No rows with fewer than two annotators who explain: there is nobody to compare with.
    """
    if prior <= 0:
        raise ConfigError(f"the prior weighs {prior}", expected="a number above 0")
    if cut is None:
        cut = wording(
            dataset, raw=raw, ngrams=ngrams, min_texts=min_texts, without_input=without_input
        )
    if len(cut.names) < 2 or len(cut.table.phrases) < 2:
        return pd.DataFrame(columns=list(PHRASE_COLUMNS))
    counts, n = cut.counts(), np.bincount(cut.annotators)
    everybody = counts.sum(axis=0)
    weight = Prior.of(everybody, len(cut.annotators), prior)
    names = np.array(cut.table.phrases, dtype=object)
    frames = []
    for a, name in enumerate(cut.names):
        own, others = counts[a], everybody - counts[a]
        delta, error = log_odds(own, n[a], others, len(cut.annotators) - n[a], weight)
        z = delta / error
        p = adjusted(2 * norm.sf(np.abs(z)))
        chosen = np.argsort(-z, kind="stable")
        if top is not None:
            chosen = np.array(_strongest(z, cut, a, top), dtype=int)
        frames.append(
            pd.DataFrame(
                {
                    "annotator_id": name,
                    "phrase": names[chosen],
                    "z": z[chosen],
                    "log_odds": delta[chosen],
                    "low": (delta - Z95 * error)[chosen],
                    "high": (delta + Z95 * error)[chosen],
                    "rate": own[chosen] / n[a],
                    "rate_others": others[chosen] / (len(cut.annotators) - n[a]),
                    "count": own[chosen].astype(int),
                    "count_others": others[chosen].astype(int),
                    "n": int(n[a]),
                    "n_others": int(len(cut.annotators) - n[a]),
                    "p_adjusted": p[chosen],
                    "clear": p[chosen] <= FALSE_DISCOVERIES,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)[list(PHRASE_COLUMNS)]


def _strongest(z: np.ndarray, cut: Wording, a: int, top: int) -> list[int]:
    """Places of the phrases to show: above the others by falling z, then below by falling z."""
    chosen = []
    for sign, group in ((1, cut.annotators == a), (-1, cut.annotators != a)):
        rows = np.flatnonzero(group)
        rows = rows[:: max(1, len(rows) // _SAMPLE)]
        order = np.argsort(-sign * z, kind="stable")[: 8 * top]
        order = order[sign * z[order] > 0]
        found = prune(order, np.abs(z), cut.table.phrases, cut.table.presence[rows], top)
        chosen.extend(sorted(found, key=lambda number: -z[number]))
    return chosen


def style_features(dataset: Dataset) -> pd.DataFrame:
    """Style features of each annotator against all others together.

    Returns:
        FEATURE_COLUMNS. `mean`, `mean_others` in the feature's `unit` (`text` says what it is);
        `difference` in standard deviations over all explanations, with a 95 % interval clustered
        by item (none with fewer than ten items); the largest differences of each annotator first.
        `clear` as for phrases.
        A feature in which no two explanations differ has no row. No rows with fewer than two
        annotators who explain.
    """
    said = explained(dataset)
    if said["annotator_id"].nunique() < 2:
        return pd.DataFrame(columns=list(FEATURE_COLUMNS))
    table = stylometry.features(
        said["explanation"].map(normalise).tolist(),
        list(zip(said["text_a"], said["text_b"], strict=True)),
    )
    return compare_features(dataset, said, table)


def compare_features(dataset: Dataset, said: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """`style_features` from features that are there already; `table` has the rows of `said`."""
    present = set(said["annotator_id"])
    names = [name for name in dataset.annotators if name in present]
    spread = table.to_numpy(dtype=float).std(axis=0)
    varying = table.columns[spread > 0]
    spread = spread[spread > 0]
    annotators = pd.Categorical(said["annotator_id"], categories=names).codes.astype(np.int64)
    items = pd.factorize(said["item_id"])[0]
    found = contrast(table[varying].to_numpy(dtype=float) / spread, items, annotators)
    n = np.bincount(annotators)
    described = [stylometry.feature(name) for name in varying]
    frames = []
    for a, name in enumerate(names):
        difference, low, high = found.difference(a)
        order = np.argsort(-np.abs(difference), kind="stable")
        p = adjusted(found.p_values(a))
        columns = {
            "feature": [feature.name for feature in described],
            "text": [feature.text for feature in described],
            "unit": [feature.unit for feature in described],
            # Rounded so that nothing at all is 0, and not what the arithmetic left over.
            "mean": np.round(found.mean[a] * spread, 6) + 0.0,
            "mean_others": np.round(found.others[a] * spread, 6) + 0.0,
            "difference": difference,
            "low": low,
            "high": high,
            "n": int(n[a]),
            "n_others": int(n.sum() - n[a]),
            "p_adjusted": p,
            "clear": p <= FALSE_DISCOVERIES,
        }
        frames.append(pd.DataFrame({"annotator_id": name, **columns}).iloc[order])
    return pd.concat(frames, ignore_index=True)[list(FEATURE_COLUMNS)]
