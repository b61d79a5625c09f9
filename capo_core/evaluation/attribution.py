"""Who would be taken for the author: scores by a classifier that knows only human training texts.

The classifier is the one of the stability ladder (`stability.ridge`), fitted on the explanations
that people wrote on training items. It has seen no output of any model, so that nothing a model
does can teach it, and no text on a held-out item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.streams import Stream
from capo_core.progress import Progress, silent
from capo_core.stability import ridge
from capo_core.text.embed import Embedder
from capo_core.text.represent import REPRESENTATIONS, Features, Representer, Texts
from capo_core.text.tokens import normalise


@dataclass(frozen=True)
class View:
    """What the classifier looks at: a representation under a reduction of input content."""

    representation: str = "words"
    reduction: str = "mask_input"

    def __post_init__(self) -> None:
        if self.representation not in REPRESENTATIONS:
            raise ConfigError(
                f"there is no representation {self.representation!r}",
                expected=f"one of {', '.join(REPRESENTATIONS)}",
            )

    @property
    def name(self) -> str:
        """The measure's name in tables."""
        return f"attribution ({self.representation}, {self.reduction})"

    @property
    def probability_name(self) -> str:
        """The name of the mean probability of the target."""
        return f"probability ({self.representation}, {self.reduction})"


@dataclass(frozen=True)
class Attributed:
    """Scores by one classifier: higher is more like that annotator, 0 is like everybody.

    Attributes:
        streams: [n, C] for each stream, one column an annotator. A response without explanation
            has the score 0 everywhere, and `pooled.pooled_accuracy` gives it to nobody.
        train: [m, C], scores of the human training texts, each by a classifier that was fitted
            without the texts on its item; empty where no folds were asked for.
        author, item: [m], column of the author and item of each training text.
    """

    streams: list[np.ndarray]
    train: np.ndarray
    author: np.ndarray
    item: np.ndarray


def attribute(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    view: View = View(),
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Scores [n, C] of every stream's responses (see `Attributed.streams`).

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    embedder = Embedder(cache=cache)
    return attributed(dataset, item_ids, streams, view, embedder, progress=progress).streams


def attributed(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    view: View,
    embedder: Embedder,
    *,
    folds: int = 0,
    seed: int = 0,
    progress: Progress = silent,
) -> Attributed:
    """Scores of every stream's responses and, with `folds`, of the training texts themselves.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    train = training_rows(dataset)
    items = dataset.items.set_index("item_id")
    train_ids = tuple(dict.fromkeys(train["item_id"]))
    known = {item_id: index for index, item_id in enumerate((*train_ids, *item_ids))}
    written = [normalise(text) for stream in streams for text in stream.explanations]
    train_item = np.array([known[item_id] for item_id in train["item_id"]], dtype=np.int64)
    texts = Texts(
        [*(normalise(text) for text in train["explanation"]), *written],
        np.concatenate([train_item, *(stream.item + len(train_ids) for stream in streams)]),
        [normalise(items.at[item_id, "text_a"]) for item_id in known],
        [normalise(items.at[item_id, "text_b"]) for item_id in known],
    )
    features = Representer(texts, embedder).features(view.representation, view.reduction, progress)
    column = {annotator: index for index, annotator in enumerate(dataset.annotators)}
    author = train["annotator_id"].map(column).to_numpy()
    here = np.arange(len(train))
    there = np.arange(len(train), len(train) + len(written))
    scores = _scores(features, here, there, author, len(column))
    scores[[not text for text in written]] = 0.0
    ends = np.cumsum([len(stream) for stream in streams])
    own = np.zeros((0, len(column)))
    if folds:
        own = _by_folds(features, author, train_item, len(column), folds, seed)
    return Attributed(np.split(scores, ends[:-1]), own, author, train_item)


def _scores(
    features: Features, train: np.ndarray, test: np.ndarray, author: np.ndarray, classes: int
) -> np.ndarray:
    """[test, C]; `author` belongs to the rows `train`, a class without rows has the score 0."""
    left, right = features.split(train, test)
    targets = np.eye(classes, dtype=np.float32)[author]
    return ridge.scores(left, right, targets) / np.maximum(targets.mean(axis=0), 1e-12)


def _by_folds(
    features: Features, author: np.ndarray, item: np.ndarray, classes: int, folds: int, seed: int
) -> np.ndarray:
    """[m, C]: scores of training texts by classifiers that did not see their item."""
    n_items = int(item.max()) + 1
    fold_of = np.random.default_rng([seed, 0xF01D]).permutation(n_items) % min(folds, n_items)
    fold = fold_of[item]
    result = np.zeros((len(item), classes))
    for number in np.unique(fold):
        rest, here = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(rest):
            result[here] = _scores(features, rest, here, author[rest], classes)
    return result


def training_rows(dataset: Dataset):
    """The explanations written on training items, rows of the annotations table.

    Raises:
        DataError: an annotator has none.
    """
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["explanation"].str.strip() != "") & (rows["item_id"].map(split) == "train")]
    missing = sorted(set(dataset.annotators) - set(rows["annotator_id"]))
    if missing:
        raise DataError(
            f"annotator {missing[0]!r} has no explanation in the training split",
            where=dataset.name,
            expected="explanations by every annotator on training items",
            todo="leave this annotator out, or divide the data again",
        )
    return rows
