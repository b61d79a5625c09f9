"""Do judges agree more than by chance? Asked before anything is weighted by their attentiveness.

Judges who press keys at random agree on half of the pairs of votes they share, and any model of
attentiveness fits them too: as judges who attend a little. Only a count tells. Two votes on one
text pair by judges who toss coins agree with probability ½, and independently of any other two
votes (also where three share a vote), so that the number of agreements has the mean N/2 and the
variance N/4. Mirrored repeats are left out: who remembers an answer agrees with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from scipy.stats import norm

from capo_core.stats.intervals import json_value
from capo_core.study.analysis.attentiveness_em import Votes

LEVEL = 0.025  # one-sided


@dataclass(frozen=True)
class VoteAgreement:
    """Attributes: agreeing of `pairs` of votes; p_value, one-sided, against judges who toss coins;
    NaN where no two votes are on one text pair."""

    agreeing: int
    pairs: int
    p_value: float

    @property
    def is_chance(self) -> bool:
        """Return whether these votes do not agree significantly more than coins would (unknown
        without pairs)."""
        return self.p_value > LEVEL

    def to_dict(self) -> dict:
        return {field.name: json_value(getattr(self, field.name)) for field in fields(self)}


def vote_agreement(votes: Votes) -> VoteAgreement:
    """Return how often two votes on one text pair agree, repeats left out; a check's known answer
    counts as one more vote on it.

    Three judges, of whom two agree, and a check that was passed:

    >>> none = np.zeros(4, dtype=bool)
    >>> votes = Votes(
    ...     judge=np.array([0, 1, 2, 0]), text_pair=np.array([0, 0, 0, 1]),
    ...     first=np.array([True, True, False, True]), pair=np.array([0, 0]),
    ...     known=np.array([np.nan, 1.0]), judges=("J1", "J2", "J3"), text_pairs=("T1", "T2"),
    ...     pairs=(("human", "sft"),), repeat=none, ties=np.zeros(3, dtype=int))
    >>> found = vote_agreement(votes)
    >>> found.agreeing, found.pairs, found.is_chance
    (2, 4, True)
    """
    size, once = len(votes.text_pairs), ~votes.repeat
    first = np.bincount(votes.text_pair[once], votes.first[once], minlength=size)
    n = np.bincount(votes.text_pair[once], minlength=size)
    second = n - first
    known = ~np.isnan(votes.known)
    right = np.where(votes.known > 0, first, second)
    alike = first * (first - 1) / 2 + second * (second - 1) / 2 + np.where(known, right, 0)
    all_ = n * (n - 1) / 2 + np.where(known, n, 0)
    agreeing, pairs = round(float(alike.sum())), round(float(all_.sum()))
    if not pairs:
        return VoteAgreement(0, 0, math.nan)
    return VoteAgreement(agreeing, pairs, float(norm.sf((2 * agreeing - pairs) / math.sqrt(pairs))))
