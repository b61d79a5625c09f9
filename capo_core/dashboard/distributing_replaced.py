"""What happens when a model's explanations take the place of people's. No Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from capo_core.dashboard.distributing import Reading
from capo_core.distributions.compare import Comparison
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.select import replaced
from capo_core.distributions.variation import VariationConfig, variation
from capo_core.progress import Progress, silent

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_NAMED = re.compile(r"^(?P<people>.+), (?P<share>\d{1,3})% by (?P<model>.+)$")


def likeness(
    judgments: Judgments,
    people: str,
    model: str,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Likeness of explanations with 0 to 100 % of people's replaced, words and grammar.

    Returns:
        share, line, value, low, high, n (items), missing (explanations that could not be replaced
        because the model has none for their label).
    """
    rows = []
    config = VariationConfig(ngrams=(1,), semantic=False)
    for place, share in enumerate(SHARES):
        progress(f"{share:.0%} replaced", place / len(SHARES))
        made, missing = replaced(judgments, people, model, share)
        mixed = judgments.with_explanations(made)
        found = variation(mixed, config, sources=[str(made["source"].iloc[0])], cache=cache)
        for row in found.table.itertuples():
            line = {"lexical": "words", "syntactic": "grammar"}[row.measure]
            rows.append((share, line, row.value, row.low, row.high, row.n, missing))
    return pd.DataFrame(rows, columns=["share", "line", "value", "low", "high", "n", "missing"])


def distances(
    reading: Reading,
    shown_by_run: pd.DataFrame,
    people: str,
    model: str,
    measure: str,
    measured: Callable[[str], Comparison],
) -> pd.DataFrame:
    """Distances of estimates that read explanations of which a share was replaced.

    Args:
        shown_by_run: `distributing_runs.estimates`.
        measured: a source's name → its comparison.

    Returns:
        share, line (the model that estimated), value, low, high, n; by share.
    """
    rows = []
    for row in shown_by_run.itertuples():
        share = share_of(row.explanations, people, model)
        if share is None:
            continue
        found = measured(row.source).table
        one = found[found["measure"] == measure].iloc[0]
        line = str(row.source).split(": ")[0]
        rows.append((share, line, one["value"], one["low"], one["high"], int(one["n"])))
    frame = pd.DataFrame(rows, columns=["share", "line", "value", "low", "high", "n"])
    return frame.sort_values(["line", "share"], kind="stable", ignore_index=True)


def share_of(explanations: str, people: str, model: str) -> float | None:
    """The share replaced, as the name of a set of explanations tells it; None for other sets."""
    if explanations == people:
        return 0.0
    found = _NAMED.match(explanations)
    if found is None or found["people"] != people or found["model"] != model:
        return None
    return int(found["share"]) / 100
