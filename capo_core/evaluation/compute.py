"""Computation of an evaluation report: scores, reference values, tests and statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.claims import findings
from capo_core.evaluation.coverage import NO_COMMON_TARGET, coverage_of
from capo_core.evaluation.eyes import compare_eyes
from capo_core.evaluation.human_distance import (
    SeedScores,
    human_distance,
    with_paired_tests,
    with_verdicts,
)
from capo_core.evaluation.likelihood import MEASURE as LIKELIHOOD_MEASURE
from capo_core.evaluation.likelihood import AuthorAdapters, AuthorScores, author_scores
from capo_core.evaluation.llm_judge.results import LlmJudgeVerdicts
from capo_core.evaluation.measures.registry import (
    FAMILIES,
    LLM_JUDGE,
    SCORED,
    SHUFFLED,
    Measure,
    find_measure,
    measures_of,
)
from capo_core.evaluation.paragraph import methods_paragraph
from capo_core.evaluation.referee.statistics import referee_statistics
from capo_core.evaluation.report import CARICATURES, SCORES, EvaluatedSource, EvaluationReport
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER, Stream, human_streams, sources
from capo_core.evaluation.summary import statements
from capo_core.evaluation.table import ALL, Evaluation, TableConfig, evaluate
from capo_core.formatting import Statement
from capo_core.progress import Progress, part_of, silent
from capo_core.text.embeddings import Embedder

EVERYTHING = TableConfig(families=SCORED)
_LABELS_AND_IMITATION = TableConfig()


def compute_report(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    outputs: Sequence[Stream],
    config: TableConfig = EVERYTHING,
    *,
    split: str = "test",
    cache: Path | None = None,
    embedder: Embedder | None = None,
    llm_judges: Sequence[LlmJudgeVerdicts] = (),
    authors: AuthorAdapters | None = None,
    same_training: Sequence[str] = (),
    missing: Statement | None = None,
    margins_fixed: bool = True,
    progress: Progress = silent,
) -> EvaluationReport:
    """Score streams of methods together with the people's, and return the report.

    Args:
        outputs: streams of methods (see `streams.output_streams`); people's are added.
        split: the name of the part that `item_ids` are, for the words of the report.
        llm_judges: answers of LLM judges about the same streams.
        authors: adapters of all annotators, for attribution by likelihood; None leaves it out.
        same_training: sources that these adapters wrote themselves (`likelihood.written_by`).
        missing: methods that were expected and have no result, with the reason; "" for none.
        margins_fixed: whether the equivalence margins were fixed before there were results.

    Raises:
        ConfigError: a method has a reserved name, or a stream has two responses to one item.
        RunError: a scored item is in the training split of the author adapters.
        DataError: an annotator has no explanation in the training split, or an answer has an
            unknown target or label.
    """
    left_out = coverage_of(outputs, dataset.annotators).left_out
    embedder = embedder or Embedder(cache)
    streams, found, by_likelihood = _scored(
        dataset, item_ids, outputs, config, cache=cache, embedder=embedder, llm_judges=llm_judges,
        authors=authors, same_training=same_training, progress=progress,
    )  # fmt: skip
    return report_of(
        dataset, item_ids, streams, found, config, split=split, llm_judges=llm_judges,
        by_likelihood=by_likelihood, missing=missing, left_out=left_out, embedder=embedder,
        margins_fixed=margins_fixed,
    )  # fmt: skip


def report_of(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    found: Evaluation,
    config: TableConfig,
    *,
    split: str = "test",
    llm_judges: Sequence[LlmJudgeVerdicts] = (),
    by_likelihood: AuthorScores | None = None,
    missing: Statement | None = None,
    left_out: Mapping[str, int] | None = None,
    embedder: Embedder | None = None,
    margins_fixed: bool = True,
) -> EvaluationReport:
    """Return the report on scores that are computed: tests, distances, findings and sentences.

    Args:
        streams: those that `found` was computed from, people's among them.
        left_out: answers of each method that are not among them.
        embedder: None: tests by sentence embedding are left out.
        Other arguments are those of `compute_report`.
    """
    methods = [name for name in sources(streams) if name not in (HUMAN, OTHER)]
    pairs = [
        *combinations(methods, 2),
        *((name, other) for other in (HUMAN, OTHER, GUESS) for name in methods),
    ]
    imitation = [
        (name, k)
        for name, k in dict.fromkeys((row.measure, row.k) for row in found.scores.itertuples())
        if find_measure(name).of.attribution and find_measure(name).family != LLM_JUDGE
    ]
    away = human_distance(
        [SeedScores(found.parts, item_ids)],
        imitation,
        combinations(methods, 2),
        family=("measure", "k", "quantity"),
        averaged=found.averaged,
    )
    apart = found.differences(pairs, away.gap_intervals())
    away = with_paired_tests(away, apart)
    apart = with_verdicts(apart, away)
    eyes = compare_eyes(away, min(config.pool))
    parts = {
        "scores": _scores(
            found, streams, dataset, config, llm_judges, likelihood=by_likelihood is not None
        ),
        "differences": apart,
        "confusion": found.confusion,
        "caricatures": caricatures(apart, config),
    }
    tests = referee_statistics(
        dataset, item_ids, streams, parts["scores"], found, away, config, embedder, by_likelihood,
        margins_fixed=margins_fixed,
    )  # fmt: skip
    scored = tuple(_sources(streams, dataset.annotators, left_out or {}))
    n_items = len(set().union(*found.coverage.items.values())) or len(item_ids)
    missing_text = missing.text if missing is not None else ""
    about = tuple(judge.to_dict() for judge in llm_judges)
    likelihood = by_likelihood.to_dict() if by_likelihood is not None else {}
    report = EvaluationReport(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        simulated=dataset.simulated,
        split=split,
        n_items=n_items,
        annotators=dataset.annotators,
        config=config,
        sources=scored,
        **parts,
        human_distance=away,
        eyes=eyes.to_dict() if eyes is not None else {},
        likelihood=likelihood,
        llm_judges=about,
        missing=missing_text,
        statements=(missing,) if missing is not None else (),
        methods=methods_paragraph(
            dataset, n_items, split, config, scored, about, missing_text, likelihood,
            found.coverage.targets, tests, _between_methods(apart),
        ),
        targets=found.coverage.targets,
        referee=tests,
    )  # fmt: skip
    return replace(report, statements=statements(report), findings=findings(report))


def _between_methods(differences: pd.DataFrame) -> bool:
    """Return whether a difference between two methods has a smallest detectable one."""
    rows = differences[~differences["against"].isin([HUMAN, OTHER, GUESS])]
    return bool(rows["detectable"].notna().any())


def seed_scores(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    outputs: Sequence[Stream],
    config: TableConfig = _LABELS_AND_IMITATION,
    *,
    cache: Path | None = None,
    embedder: Embedder | None = None,
    authors: AuthorAdapters | None = None,
    progress: Progress = silent,
) -> SeedScores:
    """Score streams of methods and people for `human_distance`: one seed of an experiment.

        seeds = [seed_scores(dataset, items, streams, authors=adapters) for … in seeds]
        table = human_distance(seeds, [(View().name, 1), (View().name, 4)], [("capo", "sft")],
                               plain=[("label accuracy", 0)])

    Args and errors are those of `compute_report`.
    """
    _, found, _ = _scored(
        dataset, item_ids, outputs, config, cache=cache, embedder=embedder, authors=authors,
        progress=progress,
    )  # fmt: skip
    return SeedScores(found.parts, item_ids)


def _scored(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    outputs: Sequence[Stream],
    config: TableConfig,
    *,
    cache: Path | None,
    embedder: Embedder | None,
    llm_judges: Sequence[LlmJudgeVerdicts] = (),
    authors: AuthorAdapters | None,
    same_training: Sequence[str] = (),
    progress: Progress,
) -> tuple[list[Stream], Evaluation, AuthorScores | None]:
    """Return all streams, their scores, and those by likelihood where there are author adapters."""
    _check(dataset, outputs)
    coverage = coverage_of(outputs, dataset.annotators)
    streams = [coverage.restrict(s) for s in (*human_streams(dataset, item_ids), *outputs)]
    given = [each for judge in llm_judges for each in judge.given(item_ids, coverage)]
    by_likelihood = None
    if authors is not None:
        by_likelihood = author_scores(
            dataset, item_ids, streams, authors, cache=cache, same_training=same_training,
            progress=part_of(progress, 0.0, 0.7),
        )  # fmt: skip
        given += by_likelihood.given(
            streams, dataset.annotators, config.pool, n_items=len(item_ids), seed=config.seed
        )
        progress = part_of(progress, 0.7, 1.0)
    found = evaluate(
        dataset, item_ids, streams, config, cache=cache, embedder=embedder, given=given,
        progress=progress,
    )  # fmt: skip
    return streams, found, by_likelihood


def expected_measures(
    dataset: Dataset,
    config: TableConfig,
    llm_judges: Sequence[LlmJudgeVerdicts] = (),
    *,
    likelihood: bool = False,
) -> Iterator[tuple[str, int]]:
    """Return (measure, k) of every score a report should have, in the order of the registry."""
    for family in config.families:
        for view in config.views if FAMILIES[family].pooled else ():
            for measure in measures_of(family):
                yield from ((view.measure_name(measure.name), k) for k in config.pool)
        if not FAMILIES[family].pooled:
            fitting = (measure for measure in measures_of(family) if measure.fits(dataset))
            yield from ((measure.name, measure.k) for measure in fitting)
    if likelihood:
        yield from ((LIKELIHOOD_MEASURE, k) for k in config.pool)
    yield from ((judge.measure, judge.k) for judge in llm_judges)


def _scores(
    found: Evaluation,
    streams: Sequence[Stream],
    dataset: Dataset,
    config: TableConfig,
    llm_judges: Sequence[LlmJudgeVerdicts],
    *,
    likelihood: bool,
) -> pd.DataFrame:
    """Return the long table with every expected row; undefined values carry a reason in `note`."""
    known = {(row.source, row.target, row.measure, row.k): row for row in found.scores.itertuples()}
    answered: dict[str, dict[str, None]] = {}
    for stream in streams:
        answered.setdefault(stream.source, {})[stream.target] = None

    def of(source: str, key: tuple[str, str, int]) -> float:
        part = found.parts.get((source, *key))
        return part.value if part is not None else np.nan

    rows = []
    for source, targets in answered.items():
        for name, k in expected_measures(dataset, config, llm_judges, likelihood=likelihood):
            about = find_measure(name)
            for target in (*targets, ALL):
                if not about.of.by_target and target != ALL:
                    continue
                key = (target, name, k)
                row = known.get((source, *key))
                chance = found.chance if about.of.attribution else of(GUESS, key)
                numbers = ("value", "low", "high", "n", "replicates", "spread", "seed_spread")
                values = [getattr(row, n) for n in numbers] if row else _NOTHING
                why = ""
                if row is None:
                    single = any((source, t, name, k) in known for t in targets)
                    why = NO_COMMON_TARGET if single else _why(source, about, k)
                rows.append((source, target, name, k, about.family, *values,
                             of(about.of.floor_source, key), of(HUMAN, key), chance,
                             about.better, why))  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCORES))


_NOTHING = (np.nan, np.nan, np.nan, 0, 0, np.nan, np.nan)


def _why(source: str, about: Measure, k: int) -> str:
    """Return the reason why a source has no value."""
    if source == OTHER and about.of.floor_source != OTHER:
        return f"the floor is {about.floor}"
    reference = {HUMAN: about.ceiling, OTHER: about.floor}.get(source)
    if reference is not None and not reference.defined:
        return reference.text
    return f"{about.undefined} ({k})" if about.of.pooled else about.undefined


def caricatures(apart: pd.DataFrame, config: TableConfig) -> pd.DataFrame:
    """Return CARICATURES: sources more attributable than the human, and further from their style.

    `attribution_above` and `style_above` are a method's value minus that of the target's own
    held-out texts; a caricature has both above 0 with adjusted p-values up to .05.
    """
    human = apart[apart["against"] == HUMAN]
    main = human[(human["measure"] == config.views[0].name) & (human["k"] == min(config.pool))]
    style = human[human["measure"] == "style distance"]
    both = main.merge(style, on=["source", "target"], suffixes=("", "_style"))
    flag = (
        (both["value"] > 0)
        & (both["verdict"] != "undecided")
        & (both["value_style"] > 0)
        & (both["verdict_style"] != "undecided")
    )
    rows = zip(both["source"], both["target"], both["value"], both["value_style"],
               flag.astype(bool), strict=True)  # fmt: skip
    return pd.DataFrame(list(rows), columns=list(CARICATURES))


def _sources(
    streams: Sequence[Stream], annotators: tuple[str, ...], left_out: Mapping[str, int]
) -> Iterator[EvaluatedSource]:
    for name in sources(streams):
        own = [stream for stream in streams if stream.source == name]
        targets = {stream.target for stream in own}
        yield EvaluatedSource(
            name,
            tuple(a for a in annotators if a in targets),
            tuple(dict.fromkeys(stream.replicate for stream in own if stream.replicate)),
            sum(len(stream) for stream in own),
            sum(
                not (label and explanation)
                for stream in own
                for label, explanation in zip(stream.labels, stream.explanations, strict=True)
            ),
            left_out.get(name, 0),
        )


def _check(dataset: Dataset, outputs: Sequence[Stream]) -> None:
    labels = {*dataset.task.scale.labels, ""}
    for stream in outputs:
        if stream.source in (HUMAN, OTHER, GUESS, SHUFFLED):
            raise ConfigError(
                f"a method cannot be named {stream.source!r}",
                todo="rename it: this name is reserved for a reference row of the table",
            )
        if len(np.unique(stream.item)) < len(stream):
            raise ConfigError(
                f"{stream.source} has two responses to one item in one sample",
                where=f"target {stream.target}, {stream.replicate}",
                expected="one response per item in each sample",
            )
        strange = [label for label in stream.labels if label not in labels]
        if strange or stream.target not in dataset.annotators:
            raise DataError(
                f"found {strange[0]!r}" if strange else f"there is no annotator {stream.target!r}",
                where=f"{stream.source}, target {stream.target}, {stream.replicate}",
                expected="a label of the scale, or an empty cell"
                if strange
                else "one of the dataset",
            )
