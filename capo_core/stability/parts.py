"""The stability report as a frozen object: all that was measured about a dataset's annotators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.stability import cards
from capo_core.stability.config import StabilityConfig
from capo_core.stability.narrate import Statement


@dataclass(frozen=True)
class Part:
    """One table of a report."""

    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.frame.copy()

    def to_rows(self) -> list[dict]:
        """The table as JSON-able rows; what is undefined is None."""
        return [
            {key: _plain(value) for key, value in row.items()}
            for row in self.frame.to_dict(orient="records")
        ]


def _plain(value):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


# The tables of a report, in the order in which they are read.
PARTS = (
    "agreement",
    "ladder",
    "controls",
    "unsupervised",
    "information",
    "variance",
    "reliability",
    "distinctive",
    "features",
)


@dataclass(frozen=True)
class StabilityReport:
    """Everything measured, frozen; the same dataset, configuration and code give the same report.

    Attributes:
        dataset, fingerprint: what was measured.
        counts: items, annotators, annotations, and annotations with an explanation.
        agreement: κ of each pair of annotators, Krippendorff's α and raw agreement.
        ladder, controls: see `ladder.ladder_frame` and `ladder.controls_frame`.
        unsupervised: AUC of group means, same against different annotator.
        information: bits per explanation, and the k that reaches 90 %.
        variance: shares of item, annotator and residual, before and after each reduction.
        reliability: split-half similarity of annotator profiles.
        distinctive, features: phrases and habits that set each annotator apart.
        statements: what these data say, in sentences made from the numbers.
    """

    dataset: str
    fingerprint: str
    simulated: bool
    config: StabilityConfig
    annotators: tuple[str, ...]
    counts: dict[str, int]
    agreement: Part
    ladder: Part
    controls: Part
    unsupervised: Part
    information: Part
    variance: Part
    reliability: Part
    distinctive: Part
    features: Part
    cards: tuple[cards.Card, ...]
    statements: tuple[Statement, ...]

    def to_dict(self) -> dict:
        """The report as JSON-able values."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "simulated": self.simulated,
            "config": self.config.to_dict(),
            "annotators": list(self.annotators),
            "counts": self.counts,
            **{name: getattr(self, name).to_rows() for name in PARTS},
            "cards": [card.to_dict() for card in self.cards],
            "statements": [statement.to_dict() for statement in self.statements],
        }

    @classmethod
    def from_dict(cls, raw: dict) -> StabilityReport:
        """The report that `to_dict` gave."""
        return cls(
            dataset=raw["dataset"],
            fingerprint=raw["fingerprint"],
            simulated=raw["simulated"],
            config=StabilityConfig.from_dict(raw["config"]),
            annotators=tuple(raw["annotators"]),
            counts=raw["counts"],
            **{name: Part(pd.DataFrame(raw[name])) for name in PARTS},
            cards=tuple(cards.Card.from_dict(card) for card in raw["cards"]),
            statements=tuple(Statement(**statement) for statement in raw["statements"]),
        )
