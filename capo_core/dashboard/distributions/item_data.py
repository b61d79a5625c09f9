"""Filter and order of the item view, and the places of label distributions in a chart; no Streamlit
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dashboard.ui.item_html import with_phrase
from capo_core.distributions.compare import (
    JS_DIVERGENCE,
    JSD,
    KL,
    MANHATTAN,
    TVD,
    WASSERSTEIN,
)
from capo_core.distributions.judgments import Judgments, LabelDistribution
from capo_core.stats.intervals import bayesian_weights, central_interval
from capo_core.task import LabelScale

TERNARY, PLANE, BARS = "ternary", "plane", "bars"
HEIGHT = np.sqrt(3) / 2  # of the triangle whose sides are 1
# Corners of the first, second and third label: the middle one of a scale stands on top.
CORNERS = np.array([[0.0, 0.0], [0.5, HEIGHT], [1.0, 0.0]])


def kind_of(scale: LabelScale) -> str:
    """Return the kind of chart for a label scale."""
    if scale.ordinal:
        return PLANE
    return TERNARY if len(scale.labels) == 3 else BARS


def places(shares: np.ndarray, scale: LabelScale) -> np.ndarray:
    """[items, 2]: in the triangle of three labels; on an ordinal scale, mean and spread.

    Args:
        shares: [items, labels], rows of sum 1.
    """
    if kind_of(scale) == TERNARY:
        return shares @ CORNERS
    values = np.array([scale.number(label) for label in scale.labels], dtype=float)
    mean = shares @ values
    variance = np.maximum(shares @ values**2 - mean**2, 0.0)
    return np.column_stack([mean, np.sqrt(variance)])


def heaps(at: np.ndarray, item_ids: Sequence[str], order: np.ndarray) -> pd.DataFrame:
    """Group distributions at the same place: x, y, n, and the item_id with the highest `order`.

    Args:
        at: [items, 2]. order: [items], the distance by which the item of a heap is chosen.
    """
    by = np.argsort(-np.asarray(order, dtype=float), kind="stable")  # without a distance: last
    where = np.round(np.asarray(at, dtype=float).reshape(-1, 2)[by], 4) + 0.0
    _, first, n = np.unique(where, axis=0, return_index=True, return_counts=True)
    n, first = n[np.argsort(first)], np.sort(first)
    names = np.asarray(list(item_ids), dtype=object)[by]
    return pd.DataFrame(
        {"x": where[first, 0], "y": where[first, 1], "n": n, "item_id": names[first]}
    )


def steps(shares: np.ndarray) -> np.ndarray:
    """Return cumulated shares, [labels] or [items, labels]: this label or a lower one."""
    return np.minimum(np.cumsum(shares, axis=-1), 1.0)


def mean_shares(
    shares: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean share of each label over all items, and the ends of its 95 % interval.

    [labels] each; by a Bayesian bootstrap over items.
    """
    rng = np.random.default_rng(seed)
    weights = np.concatenate(list(bayesian_weights(rng, draws, len(shares))))
    drawn = (weights / weights.sum(axis=1, keepdims=True)) @ shares
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return shares.mean(axis=0), low, high


DISPUTED = "entropy_against"
ORDERS = {
    "far": "largest distance first",
    "disputed": "most disputed first",
    "near": "smallest distance first",
    "data": "dataset order",
}
AGREEMENT = {
    "": "any",
    "same": "same most frequent label",
    "other": "another most frequent label",
}
ITEM_MEASURES = (JSD, TVD, KL, WASSERSTEIN, MANHATTAN, JS_DIVERGENCE)
_CLOSE = 1e-9


@dataclass(frozen=True)
class Wanted:
    """A filter of items ("" matches anything), and their order.

    Attributes:
        phrase: stands in one of its texts, or in an explanation of it.
        label: is (one of) the most frequent by the source that is measured by.
        agreement: of `AGREEMENT`, of the source looked at with that one.
        order: of `ORDERS`.
    """

    phrase: str = ""
    label: str = ""
    agreement: str = ""
    order: str = "far"


def on_items(
    reference: LabelDistribution, source: LabelDistribution, per_item: pd.DataFrame
) -> pd.DataFrame:
    """One row for each item of the reference, in its order: item_id, the measures of `per_item`
    (NaN where the source lacks the item), top and top_source: sets of most frequent labels."""
    frame = pd.DataFrame({"item_id": list(reference.item_ids)})
    frame["top"] = tops(reference)
    theirs = pd.DataFrame({"item_id": list(source.item_ids), "top_source": tops(source)})
    return frame.merge(theirs, how="left", on="item_id").merge(
        _known(per_item).drop(columns="source", errors="ignore"), how="left", on="item_id"
    )


def _known(per_item: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of items; of one annotator alone no rows, of the usual columns."""
    if "item_id" in per_item:
        return per_item
    measures = {name: pd.Series(dtype=float) for name in (*ITEM_MEASURES, "entropy", DISPUTED)}
    keys = {name: pd.Series(dtype=object) for name in ("item_id", "source")}
    return pd.DataFrame({**keys, **measures})


def tops(source: LabelDistribution) -> list[frozenset[str]]:
    """Return the most frequent labels of each item; several if tied."""
    best = source.shares >= source.shares.max(axis=1, keepdims=True) - _CLOSE
    return [frozenset(np.array(source.labels)[row]) for row in best]


def found(judgments: Judgments, frame: pd.DataFrame, wanted: Wanted, measure: str) -> list[str]:
    """Return the items that pass the filter, in its order; those without a value last."""
    keep = np.ones(len(frame), dtype=bool)
    if wanted.label:
        keep &= np.array([wanted.label in top for top in frame["top"]], dtype=bool)
    if wanted.agreement:
        both = frame["top_source"].notna().to_numpy()
        same = np.array(
            [
                there and bool(top & other)
                for there, top, other in zip(both, frame["top"], frame["top_source"], strict=True)
            ],
            dtype=bool,
        )
        keep &= both & (same if wanted.agreement == "same" else ~same)
    if wanted.phrase:
        keep &= frame["item_id"].isin(_with_words(judgments, wanted.phrase)).to_numpy()
    frame = frame[keep]
    column = DISPUTED if wanted.order == "disputed" else measure
    if wanted.order != "data" and column in frame:
        frame = frame.sort_values(
            column, ascending=wanted.order == "near", kind="stable", na_position="last"
        )
    return frame["item_id"].tolist()


def fullest(found: Sequence[str], sources: Sequence[LabelDistribution]) -> str:
    """Return the first of the items on which the most sources have a distribution; "" of none.

    Models often answered the test items only: an item without any of them is a poor first one.
    """
    there = [set(source.item_ids) for source in sources]
    return max(found, key=lambda item: sum(item in items for items in there), default="")


def _with_words(judgments: Judgments, phrase: str) -> set[str]:
    items, said = judgments.items, judgments.explanations
    texts = items["text_a"] + "\n" + items["text_b"]
    named = set(items.loc[with_phrase(texts, phrase), "item_id"])
    return named | set(said.loc[with_phrase(said["explanation"].astype(str), phrase), "item_id"])


def halves(frame: pd.DataFrame, measure: str, *, draws: int = 2000) -> pd.DataFrame | None:
    """The mean distance on the less and on the more disputed half of the items, with intervals.

    Returns:
        Two rows: disputed (False, True), value, low, high, n; None where an interval would say
        nothing: fewer than ten items, or all equally disputed.
    """
    rows = frame[[DISPUTED, measure]].dropna()
    middle = rows[DISPUTED].median()
    upper = rows[DISPUTED] > middle
    if len(rows) < 10 or not upper.any():
        return None
    made = []
    for disputed, part in ((False, rows[~upper]), (True, rows[upper])):
        values = part[measure].to_numpy()
        weights = np.concatenate(
            list(bayesian_weights(np.random.default_rng(0), draws, len(values)))
        )
        low, high = central_interval(weights @ values / weights.sum(axis=1))
        made.append((disputed, float(values.mean()), low, high, len(values)))
    return pd.DataFrame(made, columns=["disputed", "value", "low", "high", "n"])


def long_table(judgments: Judgments, per_item: pd.DataFrame) -> pd.DataFrame:
    """Return all items as a long table: item_id, texts, source, people, a share for each label, and
    the distances (NaN for the reference)."""
    parts = []
    for source in judgments.sources:
        part = pd.DataFrame({"item_id": list(source.item_ids), "source": source.name})
        part["people"] = source.people
        for column, label in enumerate(source.labels):
            part[f"share {label}"] = source.shares[:, column]
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.merge(_known(per_item), how="left", on=["item_id", "source"])
    texts = judgments.items[["item_id", "text_a", "text_b"]]
    columns = ["item_id", "text_a", "text_b", "source", "people"]
    frame = frame.merge(texts, on="item_id")
    return frame[[*columns, *(name for name in frame if name not in columns)]]
