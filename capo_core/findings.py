"""Findings: what a result shows, before it is put into words.

For each claim that the product makes, one function computes a finding from tables, and one renderer
words it. Page, report, card, command line and paragraph read the same finding, so that they cannot
differ in a number or in a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from capo_core.formatting import plain_values, revived_values

DECIDED, UNDECIDED, UNDEFINED = "decided", "undecided", "undefined"
VERDICTS = (DECIDED, UNDECIDED, UNDEFINED)


@dataclass(frozen=True)
class ComparisonSet:
    """The comparison that a claim is about: the same annotators and items for every number in it.

    Attributes:
        targets: annotators; of a claim on a dataset, all of them.
        n_items: different items over all targets.
        measure, k: the measure, and the texts judged together (0: none).
        sources: what is compared, for instance methods.
        omitted: sources that were left out of it, each with the reason.
    """

    targets: tuple[str, ...] = ()
    n_items: int = 0
    measure: str = ""
    k: int = 0
    sources: tuple[str, ...] = ()
    omitted: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "targets": list(self.targets),
            "n_items": self.n_items,
            "measure": self.measure,
            "k": self.k,
            "sources": list(self.sources),
            "omitted": dict(self.omitted),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ComparisonSet:
        return cls(tuple(raw["targets"]), raw["n_items"], raw["measure"], raw["k"],
                   tuple(raw["sources"]), dict(raw["omitted"]))  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One claim, computed.

    Attributes:
        claim: its name: nearest, caricature, labels, …; the renderer is found by it.
        verdict: one of `VERDICTS`. Decided: the interval carries an order. Undecided: it does not.
            Undefined: there is nothing to measure it by, and `reason` says why.
        values: the numbers and names that its renderer may use; nothing else is said.
        n, unit: what was counted ("items", "texts", "groups").
        interval: 95 % interval of the quantity that the verdict is about; None without one.
        compared: annotators, items, measure and sources.
        reason: why it is undefined or undecided; "" where it is decided.
        must_not: what it must not be called, as words that no sentence about it may have.
    """

    claim: str
    verdict: str
    values: Mapping[str, Any] = field(default_factory=dict)
    n: int = 0
    unit: str = "items"
    interval: tuple[float, float] | None = None
    compared: ComparisonSet = field(default_factory=ComparisonSet)
    reason: str = ""
    must_not: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"{self.verdict!r} is no verdict of a finding")
        if self.verdict == UNDEFINED and not self.reason:
            raise ValueError(f"the finding on {self.claim!r} is undefined without a reason")

    @property
    def decided(self) -> bool:
        return self.verdict == DECIDED

    def breaches(self, text: str) -> list[str]:
        """Return the words that a sentence about this finding must not have, and has."""
        low = text.lower()
        return [word for word in self.must_not if word in low]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON; undefined numbers are None."""
        interval = None
        if self.interval is not None:
            interval = [None if math.isnan(end) else end for end in self.interval]
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "values": plain_values(self.values),
            "n": self.n,
            "unit": self.unit,
            "interval": interval,
            "compared": self.compared.to_dict(),
            "reason": self.reason,
            "must_not": list(self.must_not),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_dict` serialised."""
        low_high = raw["interval"]
        if low_high is not None:
            low_high = tuple(math.nan if end is None else end for end in low_high)
        return cls(
            raw["claim"], raw["verdict"], revived_values(raw["values"]), raw["n"], raw["unit"],
            low_high, ComparisonSet.from_dict(raw["compared"]), raw["reason"],
            tuple(raw["must_not"]),
        )  # fmt: skip


def find(findings: Sequence[Finding], claim: str) -> Finding | None:
    """Return the first finding on a claim; None without one."""
    return next((one for one in findings if one.claim == claim), None)
