"""Computation of attribution by likelihood beside classifiers, on items that no adapter saw.

Each item is scored by one set of adapters whose training part it is not in. The calibration of an
item's texts is fitted on the human texts of other items (`likelihood.FOLDS` folds), and the
classifiers learn from the human texts on the set's training items: all ways know the same items.
All ways attribute the same groups of texts, so that their difference is paired by item.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation.authors.adapters import AdapterSet
from capo_core.evaluation.authors.result import (
    ALL,
    DIFFERENCES,
    HELD_OUT,
    HUMAN,
    LIKELIHOOD,
    ROWS,
    TEST,
    TRAIN,
    AuthorAttribution,
    AuthorsConfig,
)
from capo_core.evaluation.likelihood import (
    FOLDS,
    LikelihoodCalibration,
    fit_calibration,
    log_prob_matrix,
    texts_of,
    written_by,
)
from capo_core.evaluation.measures.attribution import View, attributed, pooled_accuracy
from capo_core.evaluation.streams import (
    MethodOutputs,
    Stream,
    held_out_items,
    human_streams,
    output_streams,
)
from capo_core.progress import Progress, part_of, silent
from capo_core.stats.bootstrap import Score, difference, mean
from capo_core.stats.significance import carries_order, holm, p_value_of
from capo_core.text.embeddings import Embedder
from capo_core.workspace import Workspace

VIEWS = (
    View("words", "none"),
    View("words", "mask_input"),
    View("embedding", "none"),
    View("embedding", "mask_input"),
)
Way = tuple[str, str]  # representation and reduction
_LIKELIHOOD: Way = (LIKELIHOOD, "")


@dataclass(frozen=True)
class _Material:
    """Texts of one part of the items: streams, and their scores by each way.

    Attributes:
        scores: way → a matrix [n, C] for each stream.
    """

    item_ids: tuple[str, ...]
    streams: list[Stream]
    scores: dict[Way, list[np.ndarray]]


def attribute_authors(
    workspace: Workspace,
    dataset: Dataset,
    sets: Sequence[AdapterSet],
    outputs: Sequence[MethodOutputs] = (),
    config: AuthorsConfig | None = None,
    *,
    views: Sequence[View] = (),
    embedder: Embedder | None = None,
    progress: Progress = silent,
) -> AuthorAttribution:
    """Attribute the human texts, and those of methods, on items that no adapter was trained on.

    Args:
        sets: of `adapters.adapter_sets`; an item is scored by the first one it is held out from.
        outputs: answers of methods to test items of the dataset's own split (`run_outputs`); they
            are scored by the first set, whose split that is.
        views: of the classifiers; `VIEWS` by default.
        embedder: of the views by sentence embedding; the default one where it is None.

    Raises:
        DataError: an annotator has no explanation on enough held-out items for the calibration, or
            none on a training item.
        ConfigError: the base model or an adapter cannot be loaded.
    """
    config, views = config or AuthorsConfig(), views or VIEWS
    begun = time.monotonic()
    embedder = embedder or Embedder(workspace.cache)
    cache = workspace.cache
    steps = _Steps(progress, len(sets) + bool(outputs) + config.leak_test)
    held, calibrations = _held_out(sets, views, embedder, cache, steps)
    first, whole = sets[0], _joined(held)
    parts = {HELD_OUT: whole}
    test = held_out_items(first.dataset, "test")
    if len(sets) == 1 and 0 < len(test) < len(whole.item_ids):
        parts[TEST] = _restricted(whole, test)
    counts = _split_counts(first.dataset, whole) if len(sets) == 1 else {}
    counts |= {HELD_OUT: _n_items(whole), "folds": FOLDS}
    counts["left out"] = len(dataset.items) - len(whole.item_ids)
    rows: list[dict] = []
    scores: dict[tuple, Score] = {}
    for part, material in parts.items():
        _add_rows(rows, scores, part, material, dataset.annotators, config)
    same: tuple[str, ...] = ()
    if outputs and first.dataset.split_fingerprint == dataset.split_fingerprint:
        same = written_by(outputs, first.adapters, workspace)
        part = TEST if TEST in parts else HELD_OUT
        base = parts[part]
        made = _answers(
            first, base.item_ids, outputs, calibrations[0], views, embedder, cache, steps.next()
        )
        _add_rows(rows, scores, part, made, dataset.annotators, config, human=base)
    if config.leak_test:
        train = tuple(first.dataset.items.loc[first.dataset.items["split"] == "train", "item_id"])
        leak = _leak(first, train, views, embedder, cache, steps.next())
        counts[TRAIN] = _n_items(leak)
        _add_rows(rows, scores, TRAIN, leak, dataset.annotators, config)
    progress("Done", 1.0)
    return AuthorAttribution(
        dataset.name, dataset.fingerprint, dataset.split_fingerprint, dataset.simulated,
        dataset.annotators, first.adapters.trained.base,
        tuple(
            {"dataset": one.dataset.name, "split": one.dataset.split_fingerprint,
             "runs": dict(one.adapters.runs), "shared": one.adapters.trained.named}
            for one in sets
        ),
        counts, config, pd.DataFrame(rows, columns=list(ROWS)), _differences(scores),
        tuple(one.to_dict(dataset.annotators) for one in calibrations), same,
        _notes(sets, counts), time.monotonic() - begun,
    )  # fmt: skip


class _Steps:
    """Parts of a progress, in turn."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._count, self._done = progress, max(1, count), 0

    def next(self) -> Progress:
        start = self._done / self._count
        self._done += 1
        return part_of(self._progress, start, min(1.0, self._done / self._count))


def _held_out(
    sets: Sequence[AdapterSet],
    views: Sequence[View],
    embedder: Embedder,
    cache: Path | None,
    steps: _Steps,
) -> tuple[list[_Material], list[_Calibrations]]:
    """Return each set's scores of the human texts on items that it, as the first of the sets, was
    not trained on, and its calibrations."""
    held: list[_Material] = []
    calibrations: list[_Calibrations] = []
    taken: set[str] = set()
    for one in sets:
        items = one.dataset.items
        free = items["split"].isin(("validation", "test")) & ~items["item_id"].isin(taken)
        item_ids = tuple(items.loc[free, "item_id"])
        taken |= set(item_ids)
        streams = _own(one.dataset, item_ids)
        scored, fitted = _scored(one, item_ids, streams, views, embedder, cache, steps.next())
        held.append(scored)
        calibrations.append(fitted)
    return held, calibrations


def _split_counts(dataset: Dataset, held: _Material) -> dict[str, int]:
    """Return the number of items with a text, by their split."""
    split_of = dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))
    there = np.unique(np.concatenate([stream.item for stream in held.streams]))
    splits = [split_of[held.item_ids[n]] for n in there]
    return {split: splits.count(split) for split in ("validation", "test")}


def _answers(
    first: AdapterSet,
    item_ids: tuple[str, ...],
    outputs: Sequence[MethodOutputs],
    calibrations: _Calibrations,
    views: Sequence[View],
    embedder: Embedder,
    cache: Path | None,
    progress: Progress,
) -> _Material:
    """Return the scores of the methods' answers to items, by every way."""
    streams = [
        stream
        for one in outputs
        for stream in output_streams(
            one.frame[one.frame["item_id"].isin(item_ids)],
            item_ids, source=one.source, replicate=one.replicate,
        )
    ]  # fmt: skip
    matrices = _matrices(first, item_ids, streams, cache, progress)
    scores = {_LIKELIHOOD: calibrations.scores(item_ids, streams, matrices)}
    scores |= _classified(first.dataset, item_ids, streams, views, embedder)
    return _Material(item_ids, streams, scores)


def _n_items(material: _Material) -> int:
    """Return the number of items that have a text."""
    return len(np.unique(np.concatenate([stream.item for stream in material.streams])))


def _own(dataset: Dataset, item_ids: tuple[str, ...]) -> list[Stream]:
    """Return the annotators' own texts on items."""
    return [stream for stream in human_streams(dataset, item_ids) if stream.source == HUMAN]


def _scored(
    one: AdapterSet,
    item_ids: tuple[str, ...],
    streams: list[Stream],
    views: Sequence[View],
    embedder: Embedder,
    cache: Path | None,
    progress: Progress,
) -> tuple[_Material, _Calibrations]:
    """Return the human texts' scores by every way, and the calibrations."""
    matrices = _matrices(one, item_ids, streams, cache, part_of(progress, 0.0, 0.9))
    calibrations = _calibrations(one.dataset, item_ids, streams, matrices)
    scores = {_LIKELIHOOD: calibrations.scores(item_ids, streams, matrices)}
    scores |= _classified(one.dataset, item_ids, streams, views, embedder)
    return _Material(item_ids, streams, scores), calibrations


def _classified(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    views: Sequence[View],
    embedder: Embedder,
) -> dict[Way, list[np.ndarray]]:
    """Return scores by classifiers that learned from the human texts on training items."""
    return {
        (view.representation, view.reduction): attributed(
            dataset, item_ids, streams, view, embedder
        ).streams
        for view in views
    }


def _matrices(
    one: AdapterSet,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    cache: Path | None,
    progress: Progress,
) -> list[np.ndarray]:
    """Return mean log-probabilities [n, C] of each stream; NaN where there is no text."""
    of_stream = [texts_of(stream, item_ids) for stream in streams]
    texts = list(dict.fromkeys(text for some in of_stream for text in some if text is not None))
    columns = log_prob_matrix(one.dataset, one.adapters, texts, cache=cache, progress=progress)
    place = {text: row for row, text in enumerate(texts)}
    table = np.vstack([columns, np.full((1, columns.shape[1]), np.nan)])
    return [table[[place.get(text, len(texts)) for text in some]] for some in of_stream]


@dataclass(frozen=True)
class _Calibrations:
    """Calibrations by fold: that of a fold was fitted on the human texts of the other folds' items.

    Attributes:
        fold: item → its fold.
    """

    whole: LikelihoodCalibration
    by_fold: list[LikelihoodCalibration]
    fold: dict[str, int]

    def scores(
        self,
        item_ids: tuple[str, ...],
        streams: Sequence[Stream],
        matrices: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """Return calibrated scores of each stream, by the calibration of the item's fold."""
        fold = np.array([self.fold[item] for item in item_ids])
        found = []
        for stream, matrix in zip(streams, matrices, strict=True):
            result = np.zeros_like(matrix)
            for number, one in enumerate(self.by_fold):
                here = fold[stream.item] == number
                result[here] = one.scores(matrix[here])
            found.append(result)
        return found

    def to_dict(self, annotators: Sequence[str]) -> dict[str, Any]:
        """Return the calibration on all texts, as JSON."""
        offsets = dict(zip(annotators, self.whole.offsets.tolist(), strict=True))
        return {
            "slope": self.whole.slope,
            "offsets": offsets,
            "texts": self.whole.n,
            "folds": len(self.by_fold),
        }


def _calibrations(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    matrices: Sequence[np.ndarray],
) -> _Calibrations:
    """Fit the calibrations on human texts.

    Raises:
        DataError: an annotator has texts in one fold at most.
    """
    matrix = np.concatenate(matrices)
    fold = np.concatenate([stream.item for stream in streams]) % FOLDS
    author = np.repeat(
        [dataset.annotators.index(s.target) for s in streams], [len(s) for s in streams]
    )
    there = np.isfinite(matrix).all(axis=1)
    for column, name in enumerate(dataset.annotators):
        if len(np.unique(fold[there & (author == column)])) < 2:
            raise DataError(
                f"annotator {name!r} has explanations on too few items that the adapters were not "
                "trained on: the scores cannot be calibrated",
                where=dataset.name,
                expected="explanations by every annotator on several validation and test items",
                todo="divide the data again, with more items in validation and test, and train "
                "again",
            )
    return _Calibrations(
        fit_calibration(matrix, author),
        [fit_calibration(matrix[fold != n], author[fold != n]) for n in range(FOLDS)],
        {item: n % FOLDS for n, item in enumerate(item_ids)},
    )


def _leak(
    one: AdapterSet,
    item_ids: tuple[str, ...],
    views: Sequence[View],
    embedder: Embedder,
    cache: Path | None,
    progress: Progress,
) -> _Material:
    """Return scores of the adapters' own training items; the classifiers, fold by fold, learned
    from the others of these items, so that they show what the texts give without the leak."""
    streams = _own(one.dataset, item_ids)
    matrices = _matrices(one, item_ids, streams, cache, part_of(progress, 0.0, 0.8))
    fitted = _calibrations(one.dataset, item_ids, streams, matrices)
    scores = {_LIKELIHOOD: fitted.scores(item_ids, streams, matrices)}
    for view in views:
        scores[view.representation, view.reduction] = [
            np.zeros((len(stream), len(one.dataset.annotators))) for stream in streams
        ]
    fold_of = {item: n % FOLDS for n, item in enumerate(item_ids)}
    for fold in range(FOLDS):
        split = {item: "test" if of == fold else "train" for item, of in fold_of.items()}
        data = one.dataset.with_split(pd.Series(split))
        here = tuple(item for item, of in fold_of.items() if of == fold)
        own = _own(data, here)
        for way, found in _classified(data, here, own, views, embedder).items():
            for stream, result, values in zip(streams, scores[way], found, strict=True):
                result[stream.item % FOLDS == fold] = values
    return _Material(item_ids, streams, scores)


def _joined(parts: Sequence[_Material]) -> _Material:
    """Return the material of all sets as one; annotators' streams are put together."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.item_ids) for part in parts)])
    streams = []
    for same in zip(*(part.streams for part in parts), strict=True):
        streams.append(
            replace(
                same[0],
                item=np.concatenate([s.item + start for s, start in zip(same, starts[:-1],
                                                                        strict=True)]),
                labels=tuple(label for s in same for label in s.labels),
                explanations=tuple(text for s in same for text in s.explanations),
            )
        )  # fmt: skip
    scores = {
        way: [
            np.concatenate(same) for same in zip(*(part.scores[way] for part in parts), strict=True)
        ]
        for way in parts[0].scores
    }
    return _Material(tuple(item for part in parts for item in part.item_ids), streams, scores)


def _restricted(whole: _Material, item_ids: Sequence[str]) -> _Material:
    """Return the material on some of the items."""
    number = {item: n for n, item in enumerate(item_ids)}
    moved = np.array([number.get(item, -1) for item in whole.item_ids])
    keep = [moved[stream.item] >= 0 for stream in whole.streams]
    streams = [
        replace(
            stream,
            item=moved[stream.item[rows]],
            labels=tuple(np.array(stream.labels, dtype=object)[rows]),
            explanations=tuple(np.array(stream.explanations, dtype=object)[rows]),
        )
        for stream, rows in zip(whole.streams, keep, strict=True)
    ]
    scores = {
        way: [matrix[rows] for matrix, rows in zip(matrices, keep, strict=True)]
        for way, matrices in whole.scores.items()
    }
    return _Material(tuple(item_ids), streams, scores)


def _add_rows(
    rows: list[dict],
    scores: dict[tuple, Score],
    part: str,
    material: _Material,
    annotators: Sequence[str],
    config: AuthorsConfig,
    human: _Material | None = None,
) -> None:
    """Add the accuracies of a part's sources; `human` are the annotators' own texts on the items of
    methods."""
    n_items = len(material.item_ids)
    sources = dict.fromkeys(stream.source for stream in material.streams)
    for source in sources:
        places = [n for n, stream in enumerate(material.streams) if stream.source == source]
        targets = [
            name for name in annotators
            if any(material.streams[n].target == name for n in places)
        ]  # fmt: skip
        counted = {
            name: [n for n in places if material.streams[n].target == name] for name in targets
        }
        for way, matrices in material.scores.items():
            for k in config.pool:
                found = {
                    name: _mean_score(material, matrices, counted[name], annotators, k, config.seed,
                                      n_items)
                    for name in targets
                }  # fmt: skip
                own = _human_scores(human, way, targets, annotators, k, config.seed)
                for target in (*targets, ALL):
                    score = _of(found, target)
                    if score is None:
                        continue
                    scores[part, source, target, way, k] = score
                    beside = _of(own, target) if own else None
                    numbers = places if target == ALL else counted[target]
                    rows.append(
                        _row(part, source, target, way, k, score, beside, material, numbers,
                             len(annotators))
                    )  # fmt: skip


def _mean_score(material, matrices, numbers, annotators, k, seed, n_items) -> Score | None:
    """Return the accuracy at `k`, mean over the replicates of a source for one target."""
    found = []
    for n in numbers:
        stream = material.streams[n]
        column = list(annotators).index(stream.target)
        score = pooled_accuracy(matrices[n], stream.item, column, k, n_items=n_items, seed=seed)
        if score is not None:
            found.append(score)
    return mean(found, repeated=True) if found else None


def _human_scores(human, way, targets, annotators, k, seed) -> dict[str, Score | None]:
    if human is None:
        return {}
    return {
        name: _mean_score(
            human, human.scores[way],
            [n for n, stream in enumerate(human.streams) if stream.target == name],
            annotators, k, seed, len(human.item_ids),
        )
        for name in targets
    }  # fmt: skip


def _of(found: dict[str, Score | None], target: str) -> Score | None:
    """Return a target's score, or the mean over all targets; None where one has none."""
    if target != ALL:
        return found.get(target)
    values = list(found.values())
    return None if not values or any(one is None for one in values) else mean(values)


def _row(
    part: str, source: str, target: str, way: Way, k: int, score: Score, human: Score | None,
    material: _Material, numbers: Sequence[int], classes: int,
) -> dict[str, Any]:  # fmt: skip
    shown = score.estimate()
    beside = human.estimate() if human is not None else None
    items = np.unique(np.concatenate([material.streams[n].item for n in numbers]))
    return dict(
        zip(
            ROWS,
            (part, source, target, *way, k, shown.value, shown.low, shown.high, len(items),
             sum(len(material.streams[n]) for n in numbers), shown.n, 1 / classes,
             *((beside.value, beside.low, beside.high) if beside else (math.nan,) * 3)),
            strict=True,
        )
    )  # fmt: skip


def _differences(scores: dict[tuple, Score]) -> pd.DataFrame:
    """Return likelihood minus each classifier over all targets of a part and source."""
    rows = []
    for (part, source, target, way, k), score in scores.items():
        own = scores.get((part, source, target, _LIKELIHOOD, k))
        if target != ALL or way == _LIKELIHOOD or own is None:
            continue
        apart = difference(own, score)
        shown = apart.estimate()
        rows.append((part, source, *way, k, shown.value, shown.low, shown.high, apart.items,
                     p_value_of(apart)[0], math.nan, ""))  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(DIFFERENCES))
    if frame.empty:
        return frame
    groups = frame.groupby(["part", "source"], sort=False)["p"]
    frame["p_holm"] = groups.transform(lambda column: holm(column.to_numpy()))
    frame["verdict"] = [
        "undecided"
        if not carries_order(row.low, row.high, row.p_holm, row.n_items)
        else "higher" if row.value > 0 else "lower"
        for row in frame.itertuples()
    ]  # fmt: skip
    return frame


def _notes(sets: Sequence[AdapterSet], counts: dict[str, int]) -> tuple[str, ...]:
    found = []
    if len(sets) > 1:
        found.append(
            f"Adapters of {len(sets)} splits: each item is scored by the first set of adapters "
            "that was not trained on it."
        )
    elif TEST in counts:
        found.append(
            "The adapters' training was watched on the validation items, and may have ended "
            "earlier for it; the test items alone are listed as well."
        )
    found.append(
        "There is no permutation null: it would take adapters trained on shuffled annotators."
    )
    return tuple(found)
