"""The measures of a stability report as jobs that run several at a time, one core each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from capo_core.dataset import Dataset
from capo_core.errors import Stopped
from capo_core.progress import Progress, part_of
from capo_core.stability import controls, reliability, variance
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import ExplanationCorpus
from capo_core.stability.ladder import (
    CONTROL_PERMUTATIONS,
    LadderPoint,
    LadderSetup,
    compute_point,
)
from capo_core.stability.separation import separations
from capo_core.stats.ridge import MANY_ROWS
from capo_core.text import stylometry
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS, DenseFeatures, Representer

Jobs = dict[tuple[str, ...], Callable[[], Any]]  # key → computation
UNSUPERVISED = ["representation", "reduction", "k", "auc", "low", "high", "n_items", "chance"]


def compute_measures(
    dataset: Dataset,
    corpus: ExplanationCorpus,
    representer: Representer,
    setup: LadderSetup,
    beside: Mapping[tuple[str, ...], Callable[[], Any]],
    progress: Progress,
) -> dict[tuple[str, ...], Any]:
    """Return the results of all jobs by their keys.

    Args:
        beside: further jobs, which read no vectors of texts.

    Returns:
        ("point", …) → `LadderPoint`; ("variance" | "reliability" | "unsupervised", representation,
        reduction) → rows of the table of that name; the keys of `beside` → their results.

    Raises:
        Stopped: `progress` has stopped the computation.
    """
    config = setup.config
    stopped = Event()
    jobs: Jobs = {}
    begun = 0.0
    if len(corpus) <= MANY_ROWS:
        # Beside the points that need no model: these leave a core idle that models cannot use.
        jobs[("texts",)] = lambda: _prepare_texts(representer, config, _until(stopped))
    else:
        begun = 0.25
        _prepare_texts(representer, config, part_of(progress, 0.0, begun))
    jobs |= dict(_ladder_points(dataset, corpus, representer, setup))
    jobs |= dict(_without_folds(corpus, representer, config))
    jobs |= beside
    cells = len(corpus) * len(corpus.annotators)
    return _run_all(jobs, part_of(progress, begun, 0.98), cells, stopped)


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
        # A job that waits for embeddings holds a core; those that need none go first.
        waiting = {pool.submit(jobs[key]): key for key in sorted(jobs, key=_embedded)}
        try:
            for count, future in enumerate(as_completed(waiting), start=1):
                results[waiting[future]] = future.result()
                progress(f"Measured {count} of {len(jobs)}", count / len(jobs))
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: results[key] for key in jobs}  # in the order of `jobs`


def _embedded(key: tuple[str, ...]) -> bool:
    """Return whether a job reads embeddings of the texts."""
    return len(key) > 1 and key[1] in REPRESENTATIONS and REPRESENTATIONS[key[1]].embedded


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


def _unsupervised(make, corpus: ExplanationCorpus, names: dict, config: StabilityConfig):
    def rows() -> list[dict]:
        found = separations(
            make().whole(), corpus, config.pool, seed=config.seed, draws=config.draws
        )
        return [
            {**names, **{name: getattr(one, name) for name in UNSUPERVISED[2:7]}, "chance": 0.5}
            for one in found
        ]

    return rows
