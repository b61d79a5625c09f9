"""Agreement of independent measures of imitation on the method nearest to the human.

Words, sentence embedding and likelihood under the annotators' own adapters each see something else
of a text. A conclusion that only one of them supports is about that measure, not about the method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from capo_core.evaluation.human_distance import HumanDistance
from capo_core.evaluation.measures.registry import LIKELIHOOD, find_measure
from capo_core.stats.intervals import json_value
from capo_core.text.reductions import find_reduction
from capo_core.text.representations import find_representation

_EQUAL = 12  # decimals to which two distances are compared: what differs by less is equal


@dataclass(frozen=True)
class RankAgreement:
    """Agreement of two measures on the order of methods by distance from the human.

    Attributes:
        tau: Kendall's τ-b over the methods that both have; NaN where one has only ties.
    """

    one: str
    other: str
    tau: float


@dataclass(frozen=True)
class EyeComparison:
    """The method that each measure of imitation finds nearest to the human.

    Attributes:
        k: texts attributed together.
        methods: those that all measures have.
        nearest: measure → the method nearest to the human; without measures that put several
            methods first.
        agreements: of each pair of measures.
        differ: whether two measures name different methods, or order them against one another.
        significant: whether one of two measures that name different methods finds its own
            significantly nearer than the other's.
    """

    k: int
    methods: tuple[str, ...]
    nearest: Mapping[str, str]
    agreements: tuple[RankAgreement, ...]
    differ: bool
    significant: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "methods": list(self.methods),
            "nearest": dict(self.nearest),
            "agreements": [
                {"one": a.one, "other": a.other, "tau": json_value(a.tau)} for a in self.agreements
            ],
            "differ": self.differ,
            "significant": self.significant,
        }


def eyes_of(measures: Mapping[str, Any]) -> list[str]:
    """Return the measures among `measures` that are eyes of their own.

    These are attribution by each representation of normalised texts, and by likelihood. The same
    words with typing habits kept are no eye of their own.
    """
    found = []
    for name in dict.fromkeys(measures):
        about = find_measure(name)
        if about.family == LIKELIHOOD or (
            about.title == "Attributed to target" and not typing_kept(about.variant)
        ):
            found.append(name)
    return found


def typing_kept(variant: str) -> bool:
    """Return whether the classifier of this variant sees how a text was typed."""
    return find_reduction(variant.partition(", ")[2]).written


def compare_eyes(distance: HumanDistance, k: int) -> EyeComparison | None:
    """Return whether the measures agree at `k`; None for fewer than two measures or methods."""
    from scipy.stats import kendalltau

    rows = distance.distances
    eyes = eyes_of(rows.loc[rows["k"] == k, "measure"])
    tables = {eye: distance.nearest(eye, k).set_index("source")["distance"] for eye in eyes}
    if len(tables) < 2:
        return None
    first = next(iter(tables.values()))
    methods = [m for m in first.index if all(m in table.index for table in tables.values())]
    if len(methods) < 2:
        return None
    tables = {eye: table.loc[methods] for eye, table in tables.items()}
    ranked = {eye: table.round(_EQUAL) for eye, table in tables.items()}
    agreements = tuple(
        RankAgreement(one, other, float(kendalltau(ranked[one], ranked[other]).statistic))
        for one, other in combinations(ranked, 2)
    )
    nearest = {eye: name for eye, table in tables.items() if (name := first_of(table))}
    opposed = any(a.tau < 0 for a in agreements if not math.isnan(a.tau))
    return EyeComparison(
        k,
        tuple(methods),
        nearest,
        agreements,
        len(set(nearest.values())) > 1 or opposed,
        any(
            _nearer(distance, eye, k, winner, other)
            for eye, winner in nearest.items()
            for other in set(nearest.values()) - {winner}
        ),
    )


def first_of(order: pd.Series) -> str:
    """Return the source (the index) with the smallest value; "" for none, and where several share
    it."""
    if not len(order):
        return ""
    best = order[order <= order.min() + 10.0**-_EQUAL]
    return str(best.index[0]) if len(best) == 1 else ""


def _nearer(distance: HumanDistance, measure: str, k: int, one: str, other: str) -> bool:
    """Return whether a measure finds `one` significantly nearer to the human than `other`."""
    row = distance.further(one, other, measure, k)
    return row is not None and row.verdict == "nearer"


def eye_in_words(measure: str) -> str:
    """Return what a measure of imitation looks at: "word n-grams", "likelihood"."""
    about = find_measure(measure)
    if about.family == LIKELIHOOD:
        return "likelihood under the annotators' own adapters"
    return find_representation(about.variant.partition(", ")[0]).in_words
