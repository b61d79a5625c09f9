"""The tests of one evaluation together: computed and saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.human_distance import HumanDistance
from capo_core.evaluation.likelihood import AuthorScores
from capo_core.evaluation.measure_agreement import (
    MEASURE_COLUMNS,
    PAIR_COLUMNS,
    measure_agreement,
)
from capo_core.evaluation.referee import equivalence, personal, replacement
from capo_core.evaluation.referee.answers import similarities
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.evaluation.table import Evaluation, TableConfig
from capo_core.stats.alternative_annotator import EPSILONS
from capo_core.stats.intervals import frame_of, json_rows
from capo_core.text.embeddings import Embedder

TABLES = {
    "replacement": replacement.COLUMNS,
    "personal": personal.COLUMNS,
    "equivalence": equivalence.COLUMNS,
    "measures": MEASURE_COLUMNS,
    "measure_pairs": PAIR_COLUMNS,
}
NOT_FIXED = "margin of this evaluation, not fixed before"  # what such a margin is called
_NO_FLOATS = {"similarity", "source", "target", "measure", "verdict", "note", "against", "nearest",
              "tells_apart", "one", "other", "n", "k", "won", "tested", "better",
              "methods"}  # fmt: skip


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(TABLES[name]))


@dataclass(frozen=True)
class RefereeStatistics:
    """Tests of an evaluation.

    Attributes:
        annotator_kind, epsilon: of the alternative annotator test.
        margin, alpha_margin: of the equivalence tests.
        margins_fixed: whether these margins were fixed before there were results; if not, nothing
            is said to be indistinguishable.
        replacement: see `replacement.replacement_table`.
        personal: see `personal.personal_table`.
        equivalence: see `equivalence.equivalence_table`.
        measures, measure_pairs: see `measure_agreement.MeasureAgreement`.
    """

    annotator_kind: str = ""
    epsilon: float = float("nan")
    margin: float = float("nan")
    alpha_margin: float = float("nan")
    replacement: pd.DataFrame = field(default_factory=partial(_empty, "replacement"), repr=False)
    personal: pd.DataFrame = field(default_factory=partial(_empty, "personal"), repr=False)
    equivalence: pd.DataFrame = field(default_factory=partial(_empty, "equivalence"), repr=False)
    measures: pd.DataFrame = field(default_factory=partial(_empty, "measures"), repr=False)
    measure_pairs: pd.DataFrame = field(
        default_factory=partial(_empty, "measure_pairs"), repr=False
    )
    margins_fixed: bool = True

    @property
    def empty(self) -> bool:
        """Return whether nothing was tested, as in reports of earlier versions."""
        return all(getattr(self, name).empty for name in TABLES)

    def to_dict(self) -> dict:
        """Return settings and tables for JSON; undefined numbers are None."""
        if self.empty:
            return {}
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in TABLES}
        return {**settings, **{name: json_rows(getattr(self, name)) for name in TABLES}}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RefereeStatistics:
        """Return the statistics from `to_dict`; none from {}."""
        if not raw:
            return cls()
        settings = {
            f.name: raw[f.name] for f in fields(cls) if f.name not in TABLES and f.name in raw
        }
        tables = {
            name: frame_of(raw[name], columns, set(columns) - _NO_FLOATS)
            for name, columns in TABLES.items()
        }
        return cls(**settings, **tables)

    def of_target(self, target: str) -> RefereeStatistics:
        """Return the rows of one target; how measures agree is about all of them."""
        tables = ("replacement", "personal", "equivalence")
        rows = {name: getattr(self, name) for name in tables}
        kept = {name: table[table["target"] == target] for name, table in rows.items()}
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in kept}
        return RefereeStatistics(**{**settings, **kept})


def referee_statistics(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    scores: pd.DataFrame,
    found: Evaluation,
    distance: HumanDistance,
    config: TableConfig,
    embedder: Embedder | None,
    likelihood: AuthorScores | None = None,
    *,
    margins_fixed: bool = True,
) -> RefereeStatistics:
    """Compute the tests that the families of `config` have.

    Args:
        streams: of methods and people, on the common items. scores: the report's table.
        found: the scores behind it. distance: of methods from people.
        embedder: None: nothing is tested by sentence embedding.
        likelihood: of `streams`, where there are adapters of all annotators.
        margins_fixed: see `RefereeStatistics`.
    """
    outputs = [stream for stream in streams if stream.source not in (HUMAN, OTHER)]
    compared = similarities(dataset, item_ids, outputs, config.families, embedder)
    epsilon = EPSILONS[config.annotator_kind]
    common = found.coverage.targets
    agreement = measure_agreement(scores, found.parts, distance, min(config.pool))
    pairs = list(zip(streams, likelihood.streams, strict=True)) if likelihood is not None else []
    return RefereeStatistics(
        config.annotator_kind,
        epsilon,
        config.margin,
        config.alpha_margin,
        replacement.replacement_table(dataset, outputs, compared, epsilon, len(item_ids), common),
        personal.personal_table(
            dataset, outputs, compared, len(item_ids), common, likelihoods=pairs,
            same_training=likelihood.same_training if likelihood is not None else (),
        ),
        equivalence.equivalence_table(
            dataset, item_ids, outputs, found.parts, margin=config.margin,
            alpha_margin=config.alpha_margin, labels="labels" in config.families,
            common=common, seed=config.seed,
        ),
        agreement.measures,
        agreement.pairs,
        margins_fixed,
    )  # fmt: skip
