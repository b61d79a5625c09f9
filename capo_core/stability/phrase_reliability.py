"""Are an annotator's phrases the same in another half of the items?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.stability.log_odds import Prior, log_odds
from capo_core.stability.wording import Wording, wording


def phrase_reliability(
    dataset: Dataset,
    *,
    seed: int = 0,
    splits: int = 10,
    min_texts: int | None = None,
    prior: float = 500.0,
    cut: Wording | None = None,
) -> pd.DataFrame:
    """Correlation of the phrases' z between halves of the items.

    Args:
        min_texts: only phrases that so many explanations have; by default 20, or one in a
            thousand (rare phrases have little but noise in either half).
        cut: `wording(dataset)`, if there already.

    Returns:
        annotator_id, correlation (Pearson, of z over all phrases between two halves that share no
        item, mean over `splits` random halvings), n_phrases, n, note. NaN with a note where a
        half has too little to say.
    """
    cut = wording(dataset) if cut is None else cut
    if min_texts is None:
        min_texts = max(20, len(cut.annotators) // 1000)
    kept = np.flatnonzero(cut.table.presence.getnnz(axis=0) >= min_texts)
    names = tuple(cut.table.phrases[k] for k in kept)
    cut = replace(
        cut, table=replace(cut.table, presence=cut.table.presence[:, kept], phrases=names)
    )
    n_items = int(cut.items.max(initial=-1)) + 1
    counted = np.bincount(cut.annotators, minlength=len(cut.names))
    rows = {"annotator_id": cut.names, "correlation": np.nan, "n_phrases": len(cut.table.phrases)}
    frame = pd.DataFrame({**rows, "n": counted, "note": ""}, index=range(len(cut.names)))
    if len(cut.names) < 2 or n_items < 4 or len(cut.table.phrases) < 3:
        frame["note"] = "too few annotators, items or phrases to compare halves"
        return frame
    rng = np.random.default_rng(seed)
    found = np.full((splits, len(cut.names)), np.nan)
    for split in range(splits):
        first = np.zeros(n_items, dtype=bool)
        first[rng.permutation(n_items)[: n_items // 2]] = True
        halves = [_half(cut, mask) for mask in (first[cut.items], ~first[cut.items])]
        n = np.array([np.bincount(h.annotators, minlength=len(cut.names)) for h in halves])
        counts = [half.counts() for half in halves]
        used = np.ones(len(cut.table.phrases), dtype=bool)
        for half, found_in in zip(halves, counts, strict=True):
            total = found_in.sum(axis=0)
            used &= (total > 0) & (total < len(half.annotators))
        if used.sum() < 3:
            continue
        one, two = (_z(c[:, used], k, prior) for c, k in zip(counts, n, strict=True))
        for a in np.flatnonzero((n > 0).all(axis=0) & (n < n.sum(axis=1, keepdims=True)).all(0)):
            found[split, a] = np.corrcoef(one[a], two[a])[0, 1]
    defined = np.isfinite(found).any(axis=0)
    frame.loc[defined, "correlation"] = np.nanmean(found[:, defined], axis=0)
    frame.loc[~defined, "note"] = "too few explanations to compare halves"
    return frame


def _half(cut: Wording, rows: np.ndarray) -> Wording:
    table = replace(cut.table, presence=cut.table.presence[rows])
    return replace(cut, table=table, annotators=cut.annotators[rows], items=cut.items[rows])


def _z(counts: np.ndarray, n: np.ndarray, weight: float) -> np.ndarray:
    """[annotators × phrases] z of each annotator against all others."""
    total, size = counts.sum(axis=0), int(n.sum())
    prior = Prior.of(total, size, weight)
    pairs = [
        log_odds(counts[a], n[a], total - counts[a], size - n[a], prior) for a in range(len(n))
    ]
    return np.array([delta / error for delta, error in pairs])
