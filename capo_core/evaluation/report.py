"""Report of an evaluation of several methods on one dataset: immutable, saved and exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.errors import DataError
from capo_core.evaluation.former_reports import common_targets, over_common_targets
from capo_core.evaluation.human_distance import (
    AT_LEVEL,
    CONTRAST_COLUMNS,
    DISTANCE_COLUMNS,
    HumanDistance,
    from_tables,
    with_gap_intervals,
)
from capo_core.evaluation.measures.attribution import COLUMNS as CONFUSION
from capo_core.evaluation.referee.statistics import RefereeStatistics
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL, TableConfig
from capo_core.evaluation.table import DIFFERENCE_COLUMNS as DIFFERENCES
from capo_core.findings import Finding
from capo_core.formatting import Statement
from capo_core.stats.intervals import frame_of, json_rows
from capo_core.workspace import read_saved, write_json

FORMAT = 1  # raised when an older report cannot be read any more
SCORES = ("source", "target", "measure", "k", "family", "value", "low", "high", "n", "replicates",
          "spread", "seed_spread", "floor", "ceiling", "chance", "better", "note")  # fmt: skip
CARICATURES = ("source", "target", "attribution_above", "style_above", "caricature")
_COLUMNS = {
    "scores": SCORES,
    "differences": DIFFERENCES,
    "confusion": CONFUSION,
    "caricatures": CARICATURES,
}
_NUMBERS = ("value", "low", "high", "spread", "seed_spread", "floor", "ceiling", "chance", "p",
            "p_holm", "detectable", "share", "attribution_above", "style_above", "human",
            "human_low", "human_high", "gap", "gap_low", "gap_high", "distance", "distance_low",
            "distance_high")  # fmt: skip


@dataclass(frozen=True)
class EvaluatedSource:
    """One source of responses.

    Attributes:
        targets: annotators it imitated.
        replicates: names of its runs and samples, or of the annotators used as substitutes.
        responses: how many are scored; `unread` of them lack a label or an explanation.
        left_out: answers that are not scored, on items that not every method answered.
    """

    name: str
    targets: tuple[str, ...]
    replicates: tuple[str, ...]
    responses: int
    unread: int
    left_out: int = 0

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "targets": list(self.targets),
            "replicates": list(self.replicates),
            "responses": self.responses,
            "unread": self.unread,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, raw: dict) -> EvaluatedSource:
        return cls(raw["name"], tuple(raw["targets"]), tuple(raw["replicates"]), raw["responses"],
                   raw["unread"], raw.get("left_out", 0))  # fmt: skip


@dataclass(frozen=True)
class PairedDifference:
    """One source minus another, with its interval, Holm-adjusted p-value and verdict."""

    value: float
    low: float
    high: float
    n: int
    p_holm: float
    verdict: str


@dataclass(frozen=True)
class EvaluationReport:
    """Complete result of an evaluation; deterministic for the same responses, configuration and
    code.

    Attributes:
        split, n_items: the part of the data that was scored, and its items.
        sources: people first, then methods in the order given.
        scores: SCORES; a long table with one row a source, target (or `ALL`), measure and k.
            `value` is NaN where it is undefined, and `note` says why; `better` is the direction
            ("higher", "lower", "1", "as the human").
        differences: see `differences.differences`: methods against each other and against people.
        confusion: see `confusion.confusion`.
        caricatures: by how much each method exceeds the target's own held-out texts in attribution
            (of single explanations) and in style distance, and whether both are significant.
        human_distance: distance of each method from the target's own texts in attribution, and
            differences between methods (see `human_distance`).
        eyes: whether the measures of imitation agree (see `eyes.EyeComparison.to_dict`); empty
            where there are fewer than two measures or methods.
        referee: tests of replacement, equivalence and the measures' agreement.
        likelihood: how likelihoods under the annotators' adapters were computed and calibrated
            (see `likelihood.AuthorScores.to_dict`); empty where they were not.
        llm_judges: LLM judges, each with its run, settings, shares of positions and a sentence on
            its accuracy (see `llm_judge.results.LlmJudgeVerdicts.to_dict`); their answers are among
            the scores.
        missing: methods that were expected and have no result, with the reason, as a sentence;
            "" where none is missing.
        statements: the findings in words (`summary.statements` makes them anew).
        targets: annotators whom every method imitates; the rows `ALL` are means over them.
        findings: what the tables show, with verdicts (see `claims.findings`), as in the JSON.
        methods: how it was computed, as a paragraph in plain text and in LaTeX.
    """

    dataset: str
    fingerprint: str
    simulated: bool
    split: str
    n_items: int
    annotators: tuple[str, ...]
    config: TableConfig
    sources: tuple[EvaluatedSource, ...]
    scores: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    confusion: pd.DataFrame = field(repr=False)
    caricatures: pd.DataFrame = field(repr=False)
    human_distance: HumanDistance = field(default_factory=HumanDistance, repr=False)
    eyes: dict = field(default_factory=dict)
    referee: RefereeStatistics = field(default_factory=RefereeStatistics, repr=False)
    likelihood: dict = field(default_factory=dict)
    llm_judges: tuple[dict, ...] = ()
    missing: str = ""
    statements: tuple[Statement, ...] = ()
    methods: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def method_names(self) -> tuple[str, ...]:
        """Names of the sources that are methods."""
        return tuple(source.name for source in self.sources if source.name not in (HUMAN, OTHER))

    def row(self, source: str, measure: str, k: int = 0, target: str = ALL) -> pd.Series | None:
        """Return one row of `scores`; None if it does not exist."""
        place = self._places.get((source, measure, k, target))
        return None if place is None else self.scores.iloc[place]

    @cached_property
    def _places(self) -> dict[tuple[str, str, int, str], int]:
        columns = (self.scores[name] for name in ("source", "measure", "k", "target"))
        keys = list(zip(*columns, strict=True))
        return {key: place for place, key in reversed(list(enumerate(keys)))}

    def rows(self, measure: str, k: int = 0, target: str = ALL) -> list[Any]:
        """Return the rows of `scores` (as named tuples) of all sources by a measure."""
        return self._rows.get((measure, k, target), [])

    @cached_property
    def _rows(self) -> dict[tuple[str, int, str], list[Any]]:
        found: dict[tuple[str, int, str], list[Any]] = {}
        for row in self.scores.itertuples(index=False):
            found.setdefault((row.measure, row.k, row.target), []).append(row)
        return found

    @cached_property
    def _differences(self) -> dict[tuple[str, str, str, int, str], Any]:
        """Return (source, against, measure, k, target) → row of `differences`."""
        return {
            (row.source, row.against, row.measure, row.k, row.target): row
            for row in self.differences.itertuples(index=False)
        }

    def difference(
        self, one: str, other: str, measure: str, k: int = 0, target: str = ALL
    ) -> PairedDifference | None:
        """Return the paired difference `one` minus `other`, in whichever order it is kept."""
        row = self._differences.get((one, other, measure, k, target))
        if row is not None:
            return PairedDifference(row.value, row.low, row.high, row.n, row.p_holm, row.verdict)
        row = self._differences.get((other, one, measure, k, target))
        if row is None:
            return None
        verdict = {"better": "worse", "worse": "better"}.get(row.verdict, row.verdict)
        return PairedDifference(-row.value, -row.high, -row.low, row.n, row.p_holm, verdict)

    def to_dict(self) -> dict:
        """Return the report as JSON-serialisable values; undefined values are None."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "simulated": self.simulated,
            "split": self.split,
            "n_items": self.n_items,
            "annotators": list(self.annotators),
            "targets": list(self.targets),
            "config": self.config.to_dict(),
            "sources": [source.to_dict() for source in self.sources],
            **{name: json_rows(getattr(self, name)) for name in _COLUMNS},
            "human_distance": self.human_distance.to_dict(),
            "eyes": dict(self.eyes),
            "referee": self.referee.to_dict(),
            "likelihood": dict(self.likelihood),
            "judges": [dict(judge) for judge in self.llm_judges],
            "missing": self.missing,
            "statements": [statement.to_dict() for statement in self.statements],
            "findings": [finding.to_dict() for finding in self.findings],
            "methods": dict(self.methods),
        }

    @classmethod
    def from_dict(cls, raw: dict) -> EvaluationReport:
        """Return the report that `to_dict` serialised.

        Raises:
            DataError: the format version differs.
        """
        if raw.get("format") != FORMAT:
            raise DataError(
                f"not an evaluation report of format {FORMAT}",
                todo="evaluate the runs again",
            )
        tables = {n: frame_of(raw[n], columns, _NUMBERS) for n, columns in _COLUMNS.items()}
        # Reports from before there were any have no distances.
        away = (
            _human_distance(raw["human_distance"])
            if "human_distance" in raw
            else from_tables(tables["scores"], tables["differences"])
        )
        if "human_distance" in raw:
            tables["differences"] = with_gap_intervals(tables["differences"], away)
        annotators, targets = tuple(raw["annotators"]), tuple(raw.get("targets", ()))
        if "targets" not in raw:
            methods = [
                one["targets"] for one in raw["sources"] if one["name"] not in (HUMAN, OTHER)
            ]
            targets = common_targets(methods, annotators)
            if targets != annotators:
                both = {**tables, "distances": away.distances, "contrasts": away.contrasts}
                both = over_common_targets(both, targets)
                away = HumanDistance(both.pop("distances"), both.pop("contrasts"))
                tables = both
        return cls(
            dataset=raw["dataset"],
            fingerprint=raw["fingerprint"],
            simulated=raw["simulated"],
            split=raw["split"],
            n_items=raw["n_items"],
            annotators=annotators,
            config=TableConfig.from_dict(raw["config"]),
            sources=tuple(EvaluatedSource.from_dict(source) for source in raw["sources"]),
            **tables,
            human_distance=away,
            eyes=dict(raw.get("eyes", {})),
            referee=RefereeStatistics.from_dict(raw.get("referee", {})),
            likelihood=dict(raw.get("likelihood", {})),
            llm_judges=tuple(raw.get("judges", ())),
            missing=raw.get("missing", ""),
            statements=tuple(Statement.from_dict(statement) for statement in raw["statements"]),
            methods=dict(raw["methods"]),
            targets=targets,
            findings=tuple(Finding.from_dict(finding) for finding in raw.get("findings", ())),
        )


def _human_distance(raw: dict) -> HumanDistance:
    distances = frame_of(raw["distances"], DISTANCE_COLUMNS, _NUMBERS)
    # What is not significant was once said to be equal.
    distances["level"] = distances["level"].replace("at the human's level", AT_LEVEL)
    return HumanDistance(
        distances,
        frame_of(raw["contrasts"], CONTRAST_COLUMNS, _NUMBERS),
    )


def save(report: EvaluationReport, path: Path) -> None:
    """Write the report as JSON; atomic."""
    write_json(path, report.to_dict())


def load(path: Path) -> EvaluationReport:
    """Return the report saved at `path`.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    return read_saved(path, EvaluationReport.from_dict, "the evaluation", "evaluate the runs again")
