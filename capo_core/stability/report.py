"""The stability report: its tables and statements, and the computation of all its measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from capo_core.dataset import Dataset
from capo_core.errors import DataError, Stopped
from capo_core.formatting import Statement
from capo_core.progress import Progress, part_of, silent
from capo_core.provenance import Provenance, kind_of
from capo_core.stability import (
    annotator_profiles,
    claims,
    controls,
    reliability,
    summary,
    variance,
)
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import ExplanationCorpus, build_corpus, explained_rows
from capo_core.stability.evidence import Evidence, gather_evidence
from capo_core.stability.ladder import (
    CONTROL_PERMUTATIONS,
    LadderPoint,
    LadderSetup,
    compute_point,
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
from capo_core.stability.separation import separations
from capo_core.stats import agreement
from capo_core.stats.intervals import json_value
from capo_core.stats.ridge import MANY_ROWS
from capo_core.text import stylometry
from capo_core.text.embeddings import DEFAULT_MODEL, Embedder
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS, DenseFeatures, Representer, Texts
from capo_core.text.tagging import not_english, other_language


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
    config, untagged = _for_language(asked, corpus.texts)
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b)
    embedder = embedder or Embedder(cache, config.embedding_model)
    representer = Representer(texts, embedder, seed=config.seed)
    setup = prepare_ladder(corpus, config)

    stopped = Event()
    jobs: dict[tuple, Callable] = {}
    begun = 0.0
    if len(corpus) <= MANY_ROWS:
        # Beside the points that need no model: these leave a core idle that models cannot use.
        jobs[("texts",)] = lambda: _prepare_texts(representer, config, _until(stopped))
    else:
        begun = 0.25
        _prepare_texts(representer, config, part_of(progress, 0.0, begun))
    jobs |= {
        **dict(_ladder_points(dataset, corpus, representer, setup)),
        **dict(_without_folds(corpus, representer, config)),
        ("agreement",): lambda: agreement.agreement(dataset, seed=config.seed).to_frame(),
        ("profiles",): lambda: _profiles(dataset, config),
    }
    cells = len(corpus) * len(corpus.annotators)
    done = _run_all(jobs, part_of(progress, begun, 0.98), cells, stopped)
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
        "unsupervised": _table(done, "unsupervised", _UNSUPERVISED),
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
        tagger=representer.tagger.name if _tagged(config) else "",
    )  # fmt: skip
    progress("Done", 1.0)
    return report, evidence


@dataclass(frozen=True)
class AttributionNotes:
    """Annotators who are attributed, and what is left out.

    Attributes:
        attributed: annotators with `least` explanations or more.
        explaining: number of annotators with an explanation; explanations: of all of them.
        median, most: explanations of the median annotator of these, and of the one with the most.
        least, limit: see `StabilityConfig.min_explanations` and `max_explanations`.
    """

    attributed: tuple[str, ...]
    explaining: int
    explanations: int
    median: float
    most: int
    least: int
    limit: int

    def statements(self, corpus: ExplanationCorpus | None) -> tuple[Statement, ...]:
        """Return what a reader must know of the annotators and explanations left out."""
        if corpus is None:
            template = (
                "No attribution: {attributed:,} of {explaining:count annotator} "
                "{have} at least {least:count explanation} (median {median:number 0}, most "
                "{most:,}), and two are needed. Label use and agreement are shown; the setting "
                "“Minimum explanations” (--min-explanations) changes this limit."
            )
            values = {
                "attributed": len(self.attributed), "explaining": self.explaining,
                "have": "has" if len(self.attributed) == 1 else "have", "least": self.least,
                "median": self.median, "most": self.most,
            }  # fmt: skip
            return (Statement("coverage", template, values),)
        found = []
        few = self.explaining - len(corpus.annotators)
        if few:
            template = (
                "{few:,} of {explaining:count annotator} {have} fewer than "
                "{least:count explanation} and {are} not attributed (setting “Minimum "
                "explanations”); label use and agreement include them."
            )
            values = {
                "few": few, "explaining": self.explaining, "least": self.least,
                "have": "has" if few == 1 else "have", "are": "is" if few == 1 else "are",
            }  # fmt: skip
            found.append(Statement("coverage", template, values))
        if self.limit and len(corpus) < self.explanations and self.explanations > self.limit:
            template = (
                "Attribution, variance and reliability are measured on {some:,} of "
                "{all:count explanation}, those of items drawn at random (setting “Maximum "
                "explanations”); the full report takes all."
            )
            values = {"some": len(corpus), "all": self.explanations}
            found.append(Statement("coverage", template, values))
        return tuple(found)


def attribution_notes(dataset: Dataset, config: StabilityConfig) -> AttributionNotes:
    """Count the explanations of each annotator against the configuration's minimum."""
    number = explained_rows(dataset)["annotator_id"].value_counts()
    enough = set(number.index[number >= config.min_explanations])
    return AttributionNotes(
        tuple(name for name in dataset.annotators if name in enough),
        len(number),
        int(number.sum()),
        float(number.median()) if len(number) else 0.0,
        int(number.max()) if len(number) else 0,
        config.min_explanations,
        config.max_explanations,
    )


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
        "unsupervised": pd.DataFrame(columns=_UNSUPERVISED),
        "distinctive": phrases,
        "features": features,
    }
    report = _assembled(
        dataset, config, notes, None, tables, profiles=profiles, statements=notes.statements(None)
    )
    progress("Done", 1.0)
    nothing = np.zeros(0, dtype=object)
    return report, Evidence((), nothing, np.zeros(1, dtype=np.int64), {})


def _tagged(config: StabilityConfig) -> list[str]:
    """Return the representations and reductions of `config` that need parts of speech."""
    return [name for name in config.representations if REPRESENTATIONS[name].tagged] + [
        name for name in config.reductions if REDUCTIONS[name].tagged
    ]


def _for_language(
    config: StabilityConfig, texts: Sequence[str]
) -> tuple[StabilityConfig, tuple[Statement, ...]]:
    """Return what of `config` can be computed for these texts, and a statement if they are not
    English.

    Raises:
        DataError: it is nothing.
    """
    other = other_language(texts)
    if not other:
        return config, ()
    left_out = [*_tagged(config), *(n for n in config.reductions if REDUCTIONS[n].english)]
    representations, reductions = (
        tuple(name for name in names if name not in left_out)
        for names in (config.representations, config.reductions)
    )
    titles = " and ".join(
        f"“{(REPRESENTATIONS.get(name) or REDUCTIONS[name]).title}”" for name in left_out
    )
    if not representations or not reductions:
        raise DataError(
            f"{titles} cannot be computed: {not_english(texts)}",
            todo="choose representations and reductions that are not for English",
        )
    parts = []
    if left_out:
        parts.append("Not computed, since they are for English: {titles}.")
    parts.append(
        "Style features that count English words (function words, hedges, contractions, openers) "
        "are left out."
    )
    if "embedding" in representations and config.embedding_model == DEFAULT_MODEL:
        parts.append(
            "The sentence embedding is of {model}, which was trained on English; a multilingual "
            "model can be chosen by its name (setting “Embedding model”)."
        )
    template = f"{other[:1].upper()}{other[1:]}. {' '.join(parts)}"
    statement = Statement("language", template, {"titles": titles, "model": config.embedding_model})
    return replace(config, representations=representations, reductions=reductions), (statement,)


def _prepare_texts(representer: Representer, config: StabilityConfig, progress: Progress) -> None:
    """Embed and tag all texts, the items' own first, since word n-grams wait for them."""
    reductions = [REDUCTIONS[name] for name in config.reductions]
    controls = [one.control for one in reductions if one.control and config.controls]
    # What needs a model: the features of these, under each reduction of the text.
    slow = [
        name
        for name in config.representations
        if REPRESENTATIONS[name].embedded or REPRESENTATIONS[name].tagged
    ]
    texts = [one.name for one in reductions if not one.needs_input_embedding]
    texts += [control.name for control in controls if control.changes_text]
    texts += ["none"] if config.controls else []
    pairs = [(name, reduction) for name in slow for reduction in dict.fromkeys(texts)]
    first = part_of(progress, 0.0, 1 / (len(pairs) + 1))
    if config.controls or any(one.needs_input_embedding for one in reductions):
        representer.input_embedding(first)
    if any(one.tagged for one in reductions):
        representer.tagger(representer.texts.texts, first)
    for index, (name, reduction) in enumerate(pairs, start=1):
        part = part_of(progress, index / (len(pairs) + 1), (index + 1) / (len(pairs) + 1))
        representer.features(name, reduction, part)


def _ladder_points(
    dataset: Dataset, corpus: ExplanationCorpus, representer: Representer, setup: LadderSetup
) -> Iterator[tuple[tuple, Callable[[], LadderPoint]]]:
    """Yield a job for each point of the ladder, the longest first; those that need embeddings
    last."""
    config = setup.config

    def point(make, names, **options):
        return ("point", *names), lambda: compute_point(setup, make, names, **options)

    few = min(config.permutations, CONTROL_PERMUTATIONS)
    order = sorted(
        config.representations,
        key=lambda r: (REPRESENTATIONS[r].embedded, not REPRESENTATIONS[r].sparse),
    )
    for rep in order:
        for red in config.reductions:
            make = _features(representer, rep, red)
            yield point(make, (rep, red, ""), strict=REDUCTIONS[red].every_measure)
            control = REDUCTIONS[red].control
            if config.controls and control is not None:
                make = _features(representer, rep, control.name)
                yield point(make, (rep, red, control.name), permutations=few)
    if not config.controls:
        return
    for control in ("label", "length", "input", "others_mean", "item_centred"):
        view = control if control in ("label", "length") else "embedding"
        make = _control(control, corpus, representer)
        yield point(make, (view, "none", control), permutations=few)
    raw = dataset.annotations.set_index("annotation_id")["explanation"]
    habits = stylometry.formatting_features(raw.loc[corpus.annotation_ids].tolist())
    formatting = DenseFeatures(habits.to_numpy(dtype=np.float32), standardise=True)
    yield point(lambda: formatting, ("formatting", "none", "formatting"), permutations=few)


def _without_folds(
    corpus: ExplanationCorpus, representer: Representer, config: StabilityConfig
) -> Iterator[tuple[tuple, Callable[[], list[dict]]]]:
    """Yield a job for each measure that fits nothing to annotators, as rows of its table."""
    for rep in config.representations:
        for red in config.reductions:
            make = _features(representer, rep, red)
            names = {"representation": rep, "reduction": red}
            yield ("variance", rep, red), _variance(make, corpus, names)
            if REDUCTIONS[red].every_measure:
                yield ("reliability", rep, red), _reliability(make, corpus, names, config)
                yield ("unsupervised", rep, red), _unsupervised(make, corpus, names, config)


def _features(representer: Representer, representation: str, reduction: str):
    return lambda: representer.features(representation, reduction)


def _control(control: str, corpus: ExplanationCorpus, representer: Representer):
    return lambda: controls.control_features(control, corpus, representer)


_CELLS = 200_000_000  # scores that may be held at once; decides how many jobs run together


def _until(stopped: Event) -> Progress:
    """Return a progress that reports nothing and stops the computation once `stopped` is set."""

    def progress(what: str, share: float) -> None:
        if stopped.is_set():
            raise Stopped

    return progress


def _run_all(jobs: dict[tuple, Callable], progress: Progress, cells: int, stopped: Event) -> dict:
    """Run the jobs several at a time, each bound to one core by its BLAS thread.

    Args:
        cells: scores that a job holds (explanations × annotators).
        stopped: set when the others need not go on.
    """
    results: dict = {}
    workers = max(1, min(4, os.cpu_count() or 1, _CELLS // max(cells, 1)))
    progress("Attribution and permutation null", 0.0)
    # OpenMP, by which the embedding model computes, counts for each thread of its own.
    bound = {"initializer": threadpool_limits, "initargs": (1,)}
    with threadpool_limits(1), ThreadPoolExecutor(workers, **bound) as pool:
        waiting = {pool.submit(job): key for key, job in jobs.items()}
        try:
            for count, future in enumerate(as_completed(waiting), start=1):
                results[waiting[future]] = future.result()
                progress(f"Measured {count} of {len(jobs)}", count / len(jobs))
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: results[key] for key in jobs}  # in the order of `jobs`


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


def _variance(make, corpus: ExplanationCorpus, names: dict):
    def rows() -> list[dict]:
        shares = variance.shares(make().whole(), corpus.item, corpus.annotator)
        return [{**names, **shares.to_dict()}]

    return rows


def _reliability(make, corpus: ExplanationCorpus, names: dict, config: StabilityConfig):
    def rows() -> list[dict]:
        matrix = make().whole()
        result = reliability.split_half(
            matrix, corpus.item, corpus.annotator, seed=config.seed, draws=config.draws
        )
        return result.to_frame().assign(**names).to_dict(orient="records")

    return rows


_UNSUPERVISED = ["representation", "reduction", "k", "auc", "low", "high", "n_items", "chance"]


def _unsupervised(make, corpus: ExplanationCorpus, names: dict, config: StabilityConfig):
    def rows() -> list[dict]:
        found = separations(
            make().whole(), corpus, config.pool, seed=config.seed, draws=config.draws
        )
        return [
            {**names, **{name: getattr(one, name) for name in _UNSUPERVISED[2:7]}, "chance": 0.5}
            for one in found
        ]

    return rows
