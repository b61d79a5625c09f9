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
from capo_core.text.represent import REPRESENTATIONS, Representer, Texts
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


def attribute(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    view: View = View(),
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Scores [n, C] of every stream's responses, one column an annotator of `dataset`.

    Higher is more like that annotator; 0 is like everybody. A response without explanation has
    the score 0 everywhere, and `pooled.pooled_accuracy` gives it to nobody.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    train = _training_rows(dataset)
    items = dataset.items.set_index("item_id")
    train_ids = tuple(dict.fromkeys(train["item_id"]))
    known = {item_id: index for index, item_id in enumerate((*train_ids, *item_ids))}
    written = [normalise(text) for stream in streams for text in stream.explanations]
    item = np.concatenate(
        [
            np.array([known[item_id] for item_id in train["item_id"]], dtype=np.int64),
            *(stream.item + len(train_ids) for stream in streams),
        ]
    )
    texts = Texts(
        [*(normalise(text) for text in train["explanation"]), *written],
        item,
        [normalise(items.at[item_id, "text_a"]) for item_id in known],
        [normalise(items.at[item_id, "text_b"]) for item_id in known],
    )
    embedder = Embedder(cache=cache)
    features = Representer(texts, embedder).features(view.representation, view.reduction, progress)
    left, right = features.split(
        np.arange(len(train)), np.arange(len(train), len(train) + len(written))
    )
    author = train["annotator_id"].map({a: i for i, a in enumerate(dataset.annotators)})
    targets = np.eye(len(dataset.annotators), dtype=np.float32)[author.to_numpy()]
    scores = ridge.scores(left, right, targets) / targets.mean(axis=0)
    scores[[not text for text in written]] = 0.0
    ends = np.cumsum([len(stream) for stream in streams])
    return np.split(scores, ends[:-1])


def _training_rows(dataset: Dataset):
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
