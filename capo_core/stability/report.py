"""The stability report: its tables and statements; `report_jobs` computes its measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.formatting import Statement
from capo_core.progress import Progress, silent
from capo_core.provenance import Provenance, kind_of
from capo_core.stability import (
    annotator_profiles,
    claims,
    summary,
)
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import ExplanationCorpus, build_corpus
from capo_core.stability.coverage import AttributionNotes, attribution_notes, for_language, tagged
from capo_core.stability.evidence import Evidence, gather_evidence
from capo_core.stability.ladder import (
    LadderPoint,
    controls_frame,
    information_frame,
    ladder_frame,
    prepare_ladder,
)
from capo_core.stability.phrases import (
    distinctive_features,
    distinctive_phrases,
    extract_phrases,
)
from capo_core.stability.report_jobs import UNSUPERVISED, compute_measures
from capo_core.stats import agreement
from capo_core.stats.intervals import json_value
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts


@dataclass(frozen=True)
class ReportTable:
    """A table of a report."""

    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.frame.copy()

    def to_rows(self) -> list[dict]:
        """Return the table as JSON-able rows; undefined numbers are None."""
        return [
            {key: json_value(value) for key, value in row.items()}
            for row in self.frame.to_dict(orient="records")
        ]


# The tables of a report, in the order in which they are read.
TABLES = (
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
    """All results of an analysis, frozen; reproducible from dataset, configuration and code.

    Attributes:
        dataset, fingerprint: name and content hash of the dataset.
        counts: items, annotators, annotations, and annotations with an explanation.
        agreement: κ of each pair of annotators, Krippendorff's α and raw agreement.
        ladder, controls: see `ladder.ladder_frame` and `ladder.controls_frame`.
        unsupervised: AUC of group means, same against different annotator.
        information: bits per explanation, and the k that reaches 90 %.
        variance: shares of item, annotator and residual, before and after each reduction.
        reliability: split-half similarity of annotator profiles.
        distinctive, features: phrases and style features that distinguish each annotator.
        profiles: a summary of each annotator; "cards" in JSON.
        statements: sentences with the numbers they are generated from.
        tagger: name of the part-of-speech tagger; "" where none was needed.
    """

    dataset: str
    fingerprint: str
    simulated: bool
    config: StabilityConfig
    annotators: tuple[str, ...]
    counts: dict[str, int]
    agreement: ReportTable
    ladder: ReportTable
    controls: ReportTable
    unsupervised: ReportTable
    information: ReportTable
    variance: ReportTable
    reliability: ReportTable
    distinctive: ReportTable
    features: ReportTable
    profiles: tuple[annotator_profiles.AnnotatorProfile, ...]
    statements: tuple[Statement, ...]
    tagger: str = ""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by their names."""
        return {name: getattr(self, name).frame for name in TABLES}

    @property
    def headline(self) -> str:
        """The first statement; "" if nothing could be measured."""
        topics = ("headline", "coverage") if self.ladder.frame.empty else ("headline",)
        return next((one.text for one in self.statements if one.topic in topics), "")

    @property
    def provenance(self) -> Provenance:
        """The provenance of the report's exports."""
        n = [(noun, self.counts[f"{noun}s"]) for noun in ("item", "annotator", "annotation")]
        return Provenance(
            self.dataset,
            self.fingerprint,
            kind_of(self.simulated),
            seeds=(self.config.seed,),
            n=tuple(n),
            details=(("encoder", self.config.embedding_model),),
        )

    def to_dict(self) -> dict:
        """Return the report as JSON-able values."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "simulated": self.simulated,
            "config": self.config.to_dict(),
            "annotators": list(self.annotators),
            "counts": self.counts,
            **{name: getattr(self, name).to_rows() for name in TABLES},
            "cards": [profile.to_dict() for profile in self.profiles],
            "statements": [statement.to_dict() for statement in self.statements],
            "findings": [finding.to_dict() for finding in claims.findings(self.tables)],
            "tagger": self.tagger,
        }

    @classmethod
    def from_dict(cls, raw: dict) -> StabilityReport:
        """Return the report from `to_dict`."""
        empty = {"ladder": ladder_frame([], 0.0), "controls": controls_frame([], 0.0)}
        tables = {
            name: ReportTable(empty[name] if name in empty and not raw[name] else frame)
            for name, frame in ((name, pd.DataFrame(raw[name])) for name in TABLES)
        }
        return cls(
            dataset=raw["dataset"],
            fingerprint=raw["fingerprint"],
            simulated=raw["simulated"],
            config=StabilityConfig.from_dict(raw["config"]),
            annotators=tuple(raw["annotators"]),
            counts=raw["counts"],
            **tables,
            profiles=tuple(
                annotator_profiles.AnnotatorProfile.from_dict(profile) for profile in raw["cards"]
            ),
            # Made anew: a former version may have said more than its numbers. What was left out
            # of the run stands in no table.
            statements=(
                *summary.statements({n: table.frame for n, table in tables.items()}),
                *(
                    Statement.from_dict(one)
                    for one in raw["statements"]
                    if one["topic"] in ("coverage", "language")
                ),
            ),
            tagger=raw.get("tagger", ""),  # reports of earlier versions needed none
        )


def compute_report(
    dataset: Dataset,
    config: StabilityConfig | None = None,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    embedder: Embedder | None = None,
) -> tuple[StabilityReport, Evidence]:
    """Measure how identifiable the annotators of `dataset` are, and how stable that is.

    Args:
        cache: folder for embeddings; None holds them in memory.
        progress: called with each step; may raise `Stopped`.
        embedder: instead of the configured embedding model, for tests.

    Raises:
        DataError: there are not two annotators, or not enough items, with explanations; or only
            what needs the tagger for English is asked for, and the texts are in another language.
        BackendUnavailable: the embedding model or the tagger is not there.

    >>> from capo_core.simulation.simulate import SimulationConfig, simulate
    >>> dataset = simulate(SimulationConfig(items=40, style=2.0, seed=1)).dataset
    >>> config = StabilityConfig(
    ...     representations=("words",), reductions=("none", "mask_input"),
    ...     pool=(1, 4), seeds=1, permutations=20, draws=20, controls=False,
    ... )
    >>> report, evidence = compute_report(dataset, config)
    >>> ladder = report.ladder.to_frame()
    >>> sorted(ladder.columns[:4])
    ['accuracy', 'k', 'reduction', 'representation']
    >>> len(ladder)  # representations × reductions × numbers of explanations pooled
    4
    >>> report.statements[0].topic
    'headline'
    >>> evidence.groups("words", "none", k=4).columns[:4].tolist()
    ['group', 'annotator_id', 'predicted', 'correct']
    """
    asked = config or StabilityConfig()
    notes = attribution_notes(dataset, asked)
    if len(notes.attributed) < 2 <= notes.explaining:
        return _unattributed(dataset, asked, notes, progress)
    corpus = build_corpus(
        dataset, raw=asked.raw, least=asked.min_explanations, most=asked.max_explanations,
        seed=asked.seed,
    )  # fmt: skip
    authors = [corpus.annotators[number] for number in corpus.annotator]
    config, untagged = for_language(asked, corpus.texts, authors)
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b, authors)
    embedder = embedder or Embedder(cache, config.embedding_model)
    representer = Representer(texts, embedder, seed=config.seed)
    setup = prepare_ladder(corpus, config)

    beside = {
        ("agreement",): lambda: agreement.agreement(dataset, seed=config.seed).to_frame(),
        ("profiles",): lambda: _profiles(dataset, config),
    }
    done = compute_measures(dataset, corpus, representer, setup, beside, progress)
    order = [(rep, red) for rep in config.representations for red in config.reductions]
    points = sorted(
        (result for result in done.values() if isinstance(result, LadderPoint)),
        key=lambda point: (
            order.index((point.representation, point.reduction))
            if (point.representation, point.reduction) in order
            else len(order)
        ),
    )
    phrases, features, profiles = done[("profiles",)]
    evidence = gather_evidence(
        corpus,
        setup.parts[0],
        {(one.representation, one.reduction): one.scores for one in points if not one.control},
    )
    tables = {
        "agreement": done[("agreement",)],
        "ladder": ladder_frame(points, corpus.chance),
        "controls": controls_frame(points, corpus.chance),
        "unsupervised": _table(done, "unsupervised", UNSUPERVISED),
        "information": information_frame(points),
        "variance": _table(done, "variance"),
        "reliability": _table(done, "reliability"),
        "distinctive": phrases,
        "features": features,
    }
    report = _assembled(
        dataset, asked, notes, corpus, tables,
        profiles=profiles,
        statements=(*summary.statements(tables), *notes.statements(corpus), *untagged),
        tagger=representer.tagger.name if tagged(config) else "",
    )  # fmt: skip
    progress("Done", 1.0)
    return report, evidence


def _counts(
    dataset: Dataset, notes: AttributionNotes, corpus: ExplanationCorpus | None
) -> dict[str, int]:
    return {
        "items": len(dataset.items),
        "annotators": len(dataset.annotators),
        "annotations": len(dataset.annotations),
        "with_explanation": notes.explanations,
        "attributed": 0 if corpus is None else len(corpus.annotators),
        "measured": 0 if corpus is None else len(corpus),
    }


def _assembled(
    dataset: Dataset,
    config: StabilityConfig,
    notes: AttributionNotes,
    corpus: ExplanationCorpus | None,
    tables: Mapping[str, pd.DataFrame],
    **rest: Any,
) -> StabilityReport:
    """Return a report of its tables, those that are missing empty; `rest` are other attributes."""
    found = {name: tables.get(name, pd.DataFrame()) for name in TABLES}
    return StabilityReport(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        simulated=dataset.simulated,
        config=config,
        annotators=dataset.annotators,
        counts=_counts(dataset, notes, corpus),
        **{name: ReportTable(frame.reset_index(drop=True)) for name, frame in found.items()},
        **rest,
    )


def _unattributed(
    dataset: Dataset, config: StabilityConfig, notes: AttributionNotes, progress: Progress
) -> tuple[StabilityReport, Evidence]:
    """Return the report of annotators who have too few explanations to be attributed."""
    progress("Label use and agreement", 0.0)
    phrases, features, profiles = _profiles(dataset, config)
    tables = {
        "agreement": agreement.agreement(dataset, seed=config.seed).to_frame(),
        "ladder": ladder_frame([], 0.0),
        "controls": controls_frame([], 0.0),
        "information": information_frame([]),
        "unsupervised": pd.DataFrame(columns=UNSUPERVISED),
        "distinctive": phrases,
        "features": features,
    }
    report = _assembled(
        dataset, config, notes, None, tables, profiles=profiles, statements=notes.statements(None)
    )
    progress("Done", 1.0)
    nothing = np.zeros(0, dtype=object)
    return report, Evidence((), nothing, np.zeros(1, dtype=np.int64), {})


def _table(done: dict, kind: str, columns: list[str] | None = None) -> pd.DataFrame:
    rows = [row for key, found in done.items() if key[0] == kind for row in found]
    return pd.DataFrame(rows, columns=columns)


def _profiles(dataset: Dataset, config: StabilityConfig) -> tuple:
    """Return distinctive phrases, distinctive features, and the annotators' profiles."""
    extracted = extract_phrases(dataset, raw=config.raw)
    least = config.min_explanations
    phrases = distinctive_phrases(dataset, extracted=extracted, least=least)
    features = distinctive_features(dataset, least=least)
    profiles = annotator_profiles.annotator_profiles(
        dataset, phrases=phrases, features=features, extracted=extracted
    )
    return phrases, features, profiles
