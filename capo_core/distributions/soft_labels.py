"""Soft-label training: comparison of sources of label distributions as training signals.

An encoder classifier is trained on each source with each seed and scored against the crowd's
distributions of a development set, a test set and any others (out of distribution). Each training
is on disk (cells/) before the next one starts, so that a stopped run resumes with the remaining
ones. The summary has scores, differences of sources, and floors.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.distributions.judgments import Judgments
from capo_core.distributions.soft_label_data import (
    APART,
    MEASURES,
    SoftLabelConfig,
    SoftSet,
    drawn_scores,
    mean_scores,
    soft_set,
)
from capo_core.distributions.soft_label_models import PairFeatures, embedder_of, train_classifier
from capo_core.errors import ConfigError
from capo_core.formatting import name_list
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.stats import distances
from capo_core.stats.intervals import central_interval, json_value
from capo_core.workspace import content_hash, make_folder, read_object, write_json

# Scores by measure: draws [draws], and the value itself.
Scores = tuple[dict[str, np.ndarray], dict[str, float]]


def summary(
    dataset: str,
    learned: Mapping[str, SoftSet],
    scored: Mapping[str, SoftSet],
    cells: Mapping[tuple[str, int], Mapping[str, Any]],
    config: SoftLabelConfig,
    held_out: int,
) -> dict[str, Any]:
    """Return the result of a run, in the format of result.json.

    Args:
        learned: training sets, by source. scored: sets scored on, by name.
        cells: for each source and seed, among others "said": distributions by set.
        held_out: items of the sets scored on, excluded from training.
    """
    rows, apart = [], []
    for name, one in scored.items():
        found: dict[str, Scores] = {}
        for source in config.sources:
            said = [np.array(cells[source, seed]["said"][name]) for seed in config.seeds]
            found[source] = drawn_scores(one.shares, said), mean_scores(one.shares, said)
            rows += _rows(name, source, len(one), len(said), found[source])
        floors = _floors(one, learned)
        for guess, scores in floors.items():
            rows += _rows(name, guess, len(one), 0, scores)
        for first, second in itertools.combinations(config.sources, 2):
            apart += _apart(name, first, found[first], second, found[second], len(one))
        for source in config.sources:
            guess = _mean_of(source)
            apart += _apart(name, source, found[source], guess, floors[guess], len(one))
    return {
        "dataset": dataset,
        "settings": config.to_dict(),
        "interval": "95 %, over items (Bayesian bootstrap) and seeds",
        "scores": rows,
        "differences": apart,
        "least_cross_entropy": {
            name: float(distances.entropy(one.shares).mean()) for name, one in scored.items()
        },
        "training_items": {name: len(one) for name, one in learned.items()},
        "not_trained_on": {name: one.without for name, one in learned.items()},
        "held_out_items": held_out,
        "trainings": [
            {key: cell[key] for key in ("source", "seed", "epoch", "cut", "seconds")}
            for cell in cells.values()
        ],
    }


def _rows(name: str, source: str, n: int, seeds: int, scores: Scores) -> list[dict[str, Any]]:
    draws, values = scores
    found = []
    for measure in MEASURES:
        low, high = central_interval(draws[measure])
        found.append(
            {"set": name, "source": source, "measure": measure,
             "value": json_value(values[measure]),
             "low": json_value(low), "high": json_value(high), "n": n, "seeds": seeds}
        )  # fmt: skip
    return found


def _apart(
    name: str, first: str, one: Scores, second: str, other: Scores, n: int
) -> list[dict[str, Any]]:
    """Return the first's scores minus the second's, on the same draws of items and seeds."""
    found = []
    for measure in MEASURES:
        low, high = central_interval(one[0][measure] - other[0][measure])
        found.append(
            {"set": name, "source": first, "against": second, "measure": measure,
             "value": one[1][measure] - other[1][measure], "low": low, "high": high, "n": n}
        )  # fmt: skip
    return found


def _floors(one: SoftSet, learned: Mapping[str, SoftSet]) -> dict[str, Scores]:
    """Return scores of uninformed predictions: uniform, and each training source's mean."""
    labels = one.shares.shape[1]
    guesses = {"floor: uniform": np.full(labels, 1 / labels)}
    for source, each in learned.items():
        guesses[_mean_of(source)] = each.shares.mean(axis=0)
    return {
        guess: (
            drawn_scores(one.shares, [np.tile(shares, (len(one), 1))]),
            mean_scores(one.shares, [np.tile(shares, (len(one), 1))]),
        )
        for guess, shares in guesses.items()
    }


def _mean_of(source: str) -> str:
    return f"floor: mean of {source}"


STAGE = "softlabel"
DEVELOPMENT, TEST = "development", "test"


def run_config(
    train: Judgments, sets: Mapping[str, Judgments], config: SoftLabelConfig
) -> dict[str, Any]:
    """Return the settings that identify a run; saved as its config.json."""
    return {
        "stage": STAGE,
        "target": "all",
        "dataset": {"name": train.name, "fingerprint": train.fingerprint},
        "sets": {name: {"name": one.name, "fingerprint": one.fingerprint}
                 for name, one in sets.items()},
        "settings": config.to_dict(),
    }  # fmt: skip


def train_soft_labels(
    train: Judgments,
    sets: Mapping[str, Judgments],
    config: SoftLabelConfig,
    folder: RunFolder,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train on every source with every seed; return the result in the format of result.json.

    Items of the other sets are left out of training, and counted.

    Args:
        sets: "development" (chooses the epoch) and others to score on, "test" among them.
        cache: folder for sentence vectors (reading apart); None disables the cache.

    Raises:
        ConfigError: there is no development set, or a set has other labels or no such source.
        DataError: a set is empty. RunError: a loss is not a number.
        Stopped: on request; finished trainings are kept.
    """
    if DEVELOPMENT not in sets:
        raise ConfigError("there is no development set", todo="provide one (--development)")
    for one in sets.values():
        if one.task.scale.labels != train.task.scale.labels:
            raise ConfigError(
                f"{one.name} has other labels than {train.name}",
                expected=name_list(train.task.scale.labels),
            )
    folder.claim(run_config(train, sets, config))
    if folder.done:
        return folder.result
    held_out = frozenset(item for one in sets.values() for item in one.items["item_id"])
    learned = {name: soft_set(train, name, leave_out=held_out) for name in config.sources}
    scored = {name: soft_set(one, config.against) for name, one in sets.items()}
    with folder.lock():
        folder.forget_stop()
        features = None
        if config.reading == APART:
            features = PairFeatures(embedder_of(config.encoder, cache))
        cells = {}
        # All sources with one seed before the next seed: what is there can be compared early.
        wanted = list(itertools.product(config.seeds, config.sources))
        for number, (seed, source) in enumerate(wanted):

            def told(what: str, share: float, number: int = number) -> None:
                progress(what, (number + share) / len(wanted))

            cells[source, seed] = _cell(
                learned[source], source, seed, scored, config, folder, features, told
            )
        result = summary(train.name, learned, scored, cells, config, len(held_out))
        folder.finish(result)
    return result


def _cell(
    train: SoftSet,
    source: str,
    seed: int,
    scored: Mapping[str, SoftSet],
    config: SoftLabelConfig,
    folder: RunFolder,
    features: PairFeatures | None,
    progress: Progress,
) -> dict[str, Any]:
    """Return the predictions of one training on all sets, by set; from disk if it is finished and
    not damaged."""
    path = folder.path / "cells" / f"{content_hash(source)[:12]}-{seed}.json"
    saved = read_object(path)
    if saved is not None:
        return saved
    what, start = f"learning from {source}, seed {seed}", time.monotonic()

    def told(epoch: int, loss: float, found: dict[str, float]) -> None:
        folder.log("epoch", source=source, seed=seed, epoch=epoch, loss=loss, **found)

    made, epoch = train_classifier(
        config, train, scored[DEVELOPMENT], seed, features=features, told=told,
        step=lambda share: progress(what, 0.95 * share),
    )  # fmt: skip
    cell = {
        "source": source,
        "seed": seed,
        "epoch": epoch,
        "cut": made.cut,
        "said": {name: made.predict(one.pairs).tolist() for name, one in scored.items()},
        "seconds": round(time.monotonic() - start, 1),
    }
    with disk_errors(folder.path):
        make_folder(path.parent)
        if seed == config.seeds[0]:
            made.save(folder.path / "classifiers" / path.stem)
        write_json(path, cell)
    return cell
