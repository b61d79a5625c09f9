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
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.authors.adapters import AdapterSet
from capo_core.evaluation.authors.calibrations import (
    Calibrations,
    check_enough,
    fit_calibrations,
)
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
from capo_core.formatting import count
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
        sets: of `adapters.adapter_sets`; an item is scored by the first one it is held out from. A
            later set that cannot score its further items is not used, and a note says why.
        outputs: answers of methods to test items of the dataset's own split (`run_outputs`); they
            are scored by the first set alone, whose split that is.
        views: of the classifiers; `VIEWS` by default.
        embedder: of the views by sentence embedding; the default one where it is None.

    Raises:
        DataError: an annotator has no explanation on enough of the first set's held-out items for
            the calibration, or none on a training item.
        ConfigError: the base model or an adapter cannot be loaded, or there are outputs and the
            first set is of another split than theirs.
    """
    config, views = config or AuthorsConfig(), views or VIEWS
    _check_split(dataset, sets[0], outputs)
    begun = time.monotonic()
    embedder = embedder or Embedder(workspace.cache)
    cache = workspace.cache
    steps = _Steps(progress, len(sets) + bool(outputs) + config.leak_test)
    used, held, calibrations, unused = _held_out(sets, views, embedder, cache, steps)
    first, whole = sets[0], _joined(held)
    parts = {HELD_OUT: whole}
    test = held_out_items(first.dataset, "test")
    alone = _restricted(held[0], test)  # as the first set scores them, also beside others
    if len(test) < len(whole.item_ids) and (outputs or len(used) == 1):
        parts[TEST] = alone
    counts = _split_counts(first.dataset, whole) if len(used) == 1 else {}
    counts |= {HELD_OUT: _n_items(whole), "folds": FOLDS}
    seen = set.intersection(*(_seen(one) for one in sets))
    counts["left out"] = len(seen)
    unscored = len(dataset.items) - len(seen) - len(whole.item_ids)
    rows: list[dict] = []
    scores: dict[tuple, Score] = {}
    for part, material in parts.items():
        _add_rows(rows, scores, part, material, dataset.annotators, config)
    same: tuple[str, ...] = ()
    if outputs:
        same = written_by(outputs, first.adapters, workspace)
        part = TEST if TEST in parts else HELD_OUT
        made = _answers(first, test, outputs, calibrations[0], views, embedder, cache, steps.next())
        _add_rows(rows, scores, part, made, dataset.annotators, config, human=alone)
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
            for one in used
        ),
        counts, config, pd.DataFrame(rows, columns=list(ROWS)), _differences(scores),
        tuple(one.to_dict(dataset.annotators) for one in calibrations), same,
        _notes(len(used), counts, unused, unscored, bool(outputs)), time.monotonic() - begun,
    )  # fmt: skip


def _check_split(dataset: Dataset, first: AdapterSet, outputs: Sequence[MethodOutputs]) -> None:
    """Refuse answers that no set can score: they are to items of the dataset's own split.

    Raises:
        ConfigError: the first set was trained on another split, and so perhaps on these items.
    """
    if outputs and first.dataset.split_fingerprint != dataset.split_fingerprint:
        raise ConfigError(
            "the adapters were trained on another split than the one whose test items the answers "
            f"are to (that of the dataset {first.dataset.name!r}): they may have seen these items",
            where=dataset.name,
            expected="finished SFT runs of every annotator on the dataset's own split",
            todo=f"train SFT on {dataset.name!r} for all annotators, or leave the answers out",
        )


class _Steps:
    """Parts of a progress, in turn."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._count, self._done = progress, max(1, count), 0

    def next(self) -> Progress:
        start = self._done / self._count
        self._done += 1
        return part_of(self._progress, start, min(1.0, self._done / self._count))


def _free(one: AdapterSet, taken: set[str]) -> tuple[str, ...]:
    """Return the items that a set was not trained on and no set before it scores."""
    items = one.dataset.items
    free = items["split"].isin(("validation", "test")) & ~items["item_id"].isin(taken)
    return tuple(items.loc[free, "item_id"])


def _seen(one: AdapterSet) -> set[str]:
    """Return the items that a set cannot score: those it was trained on, or that have no part."""
    return set(one.dataset.items["item_id"]) - set(_free(one, set()))


def _held_out(
    sets: Sequence[AdapterSet],
    views: Sequence[View],
    embedder: Embedder,
    cache: Path | None,
    steps: _Steps,
) -> tuple[list[AdapterSet], list[_Material], list[Calibrations], list[tuple[str, str]]]:
    """Return the sets that score, each one's scores of the human texts on items that it, as the
    first of the sets, was not trained on, its calibrations, and the dataset's name and the reason
    of each set that is not used.

    Raises:
        DataError: the first set cannot score its items. Others add to it, and may be missing.
    """
    used: list[AdapterSet] = []
    held: list[_Material] = []
    calibrations: list[Calibrations] = []
    unused: list[tuple[str, str]] = []
    taken: set[str] = set()
    for one in sets:
        item_ids = _free(one, taken)
        streams = _own(one.dataset, item_ids)
        try:
            scored, fitted = _scored(one, item_ids, streams, views, embedder, cache, steps.next())
        except DataError as error:
            if not used:
                raise
            unused.append((one.dataset.name, error.what))
            continue
        used.append(one)
        held.append(scored)
        calibrations.append(fitted)
        taken |= set(item_ids)
    return used, held, calibrations, unused


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
    calibrations: Calibrations,
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
) -> tuple[_Material, Calibrations]:
    """Return the human texts' scores by every way, and the calibrations.

    Raises:
        DataError: too few texts for a calibration (known before anything is scored), or none of an
            annotator on a training item.
    """
    there = [
        np.array([text is not None for text in texts_of(stream, item_ids)], dtype=bool)
        for stream in streams
    ]
    check_enough(one.dataset, item_ids, streams, there)
    matrices = _matrices(one, item_ids, streams, cache, part_of(progress, 0.0, 0.9))
    calibrations = fit_calibrations(one.dataset, item_ids, streams, matrices)
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
    fitted = fit_calibrations(one.dataset, item_ids, streams, matrices)
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


def _notes(
    used: int,
    counts: dict[str, int],
    unused: Sequence[tuple[str, str]],
    unscored: int,
    with_answers: bool,
) -> tuple[str, ...]:
    """Return what a reader must know.

    Args:
        used: the number of sets that score. unused: dataset and reason of those that do not.
        unscored: the number of items that only sets that are not used could have scored.
    """
    found = []
    if used > 1:
        text = (
            f"Adapters of {used} splits: each item is scored by the first set of adapters "
            "that was not trained on it."
        )
        if with_answers:
            text += (
                " Answers of methods, and the annotators' own texts beside them, are scored by the "
                "adapters of the dataset's own split, on its test items."
            )
        found.append(text)
    elif TEST in counts:
        found.append(
            "The adapters' training was watched on the validation items, and may have ended "
            "earlier for it; the test items alone are listed as well."
        )
    found += [
        f"The adapters trained on the split of the dataset {name!r} are not used: {reason}."
        for name, reason in unused
    ]
    if unscored:
        found.append(f"{count(unscored, 'item')} that only these could score are left out.")
    found.append(
        "There is no permutation null: it would take adapters trained on shuffled annotators."
    )
    return tuple(found)
