"""Which explanations show an annotator's manner best, and which least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.stability.log_odds import Prior, without_one
from capo_core.stability.wording import Wording


@dataclass(frozen=True)
class Examples:
    """Annotation ids, the most typical and the most atypical explanation first."""

    typical: tuple[str, ...]
    atypical: tuple[str, ...]


def typical(
    cut: Wording, phrases: pd.DataFrame, scores: pd.Series | None, n: int, least: int
) -> dict[str, Examples]:
    """At most `n` typical and `n` atypical explanations of each annotator.

    Args:
        phrases: the phrases an explanation is scored by: its mean log-odds over them, 0 for a
            phrase that it has not, and with the explanation itself left out of the counts, so
            that none is typical because it is there.
        scores: annotation_id → score, higher is more typical, used in place of the phrases.
        least: an annotator with fewer explanations, or with no phrase, gets none.

    Ties go to the explanation nearer to the annotator's median length (typical) or farther from
    it (atypical). No text with the same phrases and length is shown twice.
    """
    found = {}
    counts = cut.counts()
    sizes = np.bincount(cut.annotators, minlength=len(cut.names))
    place = {phrase: k for k, phrase in enumerate(cut.table.phrases)}
    for a, name in enumerate(cut.names):
        rows = np.flatnonzero(cut.annotators == a)
        mine = phrases.loc[phrases["annotator_id"] == name, "phrase"]
        columns = np.array([place[phrase] for phrase in mine if phrase in place], dtype=int)
        if scores is not None:
            value = scores.reindex(cut.annotation_ids[rows]).to_numpy(dtype=float)
            rows, value = rows[np.isfinite(value)], value[np.isfinite(value)]
        elif len(columns):
            everybody = counts.sum(axis=0)
            prior = Prior.of(everybody, len(cut.annotators), 500.0)
            weights = without_one(
                counts[a], sizes[a], everybody - counts[a], len(cut.annotators) - sizes[a], prior
            )
            value = cut.table.presence[rows][:, columns] @ weights[columns] / len(columns)
        else:
            continue
        if len(rows) < least:
            continue
        far = np.abs(cut.n_words[rows] - np.median(cut.n_words[rows]))
        ids = cut.annotation_ids[rows]
        first = _distinct(np.lexsort((far, -value)), value, far, n)
        last = _distinct(np.lexsort((-far, value)), value, far, n)
        last = [k for k in last if k not in set(first)]
        found[name] = Examples(tuple(ids[first]), tuple(ids[last]))
    return found


def _distinct(order: np.ndarray, value: np.ndarray, far: np.ndarray, n: int) -> list[int]:
    """The first `n` of `order` without two of equal score and length."""
    chosen: list[int] = []
    seen = set()
    for k in order:
        key = (round(float(value[k]), 9), float(far[k]))
        if key not in seen:
            seen.add(key)
            chosen.append(int(k))
        if len(chosen) == n:
            break
    return chosen
