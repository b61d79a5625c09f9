"""Label–explanation consistency: does an explanation argue for the label that it comes with?

A classifier reads the label from the explanation alone. It is fitted on what people wrote on
training items (all annotators together, responses judged invalid left out): ridge regression on
TF-IDF word n-grams with the input's words masked, the label with the highest predicted share. The
input is not given: it would let the classifier guess the label from the item, and with it people's
own explanations were read less well (docs/methods-referee.md has the figures of eight variants).

The ceiling is the consistency of the target's own held-out responses. The floor is what remains
where these explanations are shuffled over the target's items: computed as its expectation over all
shuffles, Σ_l (share of label l) · (share of explanations read as l). A method that gives one label
to most items has a higher floor of its own; Cohen's κ takes it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import View, item_mean, training_rows
from capo_core.evaluation.measures.registry import LIKE_HUMAN, measure
from capo_core.evaluation.streams import HUMAN, Stream
from capo_core.progress import Progress, silent
from capo_core.stats import ridge
from capo_core.stats.agreement import label_distances
from capo_core.stats.bootstrap import ResampledScore, Score, resample
from capo_core.task import LabelScale
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts
from capo_core.text.tokens import normalise

READER = View("words", "mask_input")  # what the classifier sees of an explanation
_DEFINED = 1e-12  # sums of shares are not exact


@dataclass(frozen=True)
class ArguedLabels:
    """Labels of responses beside those that their explanations were read as.

    Attributes:
        pairs: [n, L, L], one row a response: 1 at (label given, label read), or shares that sum to
            1; all 0 where label or explanation is missing.
        item: [n], the item of each response.
    """

    pairs: np.ndarray
    item: np.ndarray

    def shuffled(self) -> ArguedLabels:
        """Return what is expected where the explanations are shuffled over these responses."""
        given = self.pairs.sum(axis=2)
        count = given.sum()
        read = self.pairs.sum(axis=(0, 1)) / count if count else np.zeros(self.pairs.shape[2])
        return ArguedLabels(given[:, :, None] * read, self.item)


def argued_labels(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    embedder: Embedder,
    *,
    progress: Progress = silent,
) -> list[ArguedLabels] | None:
    """Return given and read labels of each stream; None where people gave only one label.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    train = training_rows(dataset)
    train = train[train["valid"] != "false"]
    labels = list(dataset.task.scale.labels)
    given = train["label"].map({label: n for n, label in enumerate(labels)}).to_numpy(dtype=int)
    if len(np.unique(given)) < 2:
        return None
    items = dataset.items.set_index("item_id")
    train_ids = tuple(dict.fromkeys(train["item_id"]))
    known = {item_id: index for index, item_id in enumerate((*train_ids, *item_ids))}
    written = [normalise(text) for stream in streams for text in stream.explanations]
    texts = Texts(
        [*(normalise(text) for text in train["explanation"]), *written],
        np.concatenate(
            [np.array([known[i] for i in train["item_id"]], dtype=np.int64),
             *(stream.item + len(train_ids) for stream in streams)]
        ),
        [normalise(items.at[item_id, "text_a"]) for item_id in known],
        [normalise(items.at[item_id, "text_b"]) for item_id in known],
    )  # fmt: skip
    features = Representer(texts, embedder).features(
        READER.representation, READER.reduction, progress
    )
    left, right = features.split(np.arange(len(train)), np.arange(len(train), len(texts.texts)))
    targets = np.eye(len(labels), dtype=np.float32)[given]
    # The regression's prediction is A·Y plus the labels' shares: frequent labels need less.
    read = (ridge.scores(left, right, targets) + targets.mean(axis=0)).argmax(axis=1)
    ends = np.cumsum([len(stream) for stream in streams])[:-1]
    return [
        _pairs(stream, own, labels)
        for stream, own in zip(streams, np.split(read, ends), strict=True)
    ]


def _pairs(stream: Stream, read: np.ndarray, labels: list[str]) -> ArguedLabels:
    pairs = np.zeros((len(stream), len(labels), len(labels)))
    for row, (label, text) in enumerate(zip(stream.labels, stream.explanations, strict=True)):
        if label and text.strip():
            pairs[row, labels.index(label), read[row]] = 1.0
    return ArguedLabels(pairs, stream.item)


def consistency_inputs(
    streams: Sequence[Stream], found: Sequence[ArguedLabels], scale: LabelScale, n_items: int
) -> Iterator[tuple[Stream, bool, dict]]:
    """Yield (stream, whether shuffled, inputs of the family) of people's own and of methods."""
    for stream, argued in zip(streams, found, strict=True):
        inputs = {"argued": argued, "scale": scale, "n_items": n_items}
        yield stream, False, inputs
        if stream.source == HUMAN:
            yield stream, True, inputs | {"argued": argued.shuffled()}


@measure(
    "label consistency",
    family="consistency",
    better=LIKE_HUMAN,
    headline=True,
    meaning="Share of responses whose explanation a classifier reads as an argument for the label "
    "given; it was fitted on people's training explanations and does not see the item. A response "
    "without label or explanation counts as inconsistent.",
)
def label_consistency(argued: ArguedLabels, n_items: int) -> Score | None:
    """Return the share of responses whose explanation is read as the label given, 0 to 1."""
    if not len(argued.item):
        return None
    hits = np.einsum("nll->n", argued.pairs)
    return item_mean(hits, argued.item, n_items=n_items)


@measure(
    "label consistency kappa",
    family="consistency",
    short="Consistency (κ)",
    better=LIKE_HUMAN,
    title="Label consistency (κ)",
    meaning="Cohen's κ of the label given and the label that the explanation is read as (with "
    "quadratic weights where labels have distances): 0 is what shuffled explanations would give "
    "with the same labels, 1 is perfect. Responses without label or explanation are left out.",
    undefined="only one label is given or read, or no response has both label and explanation",
)
def label_consistency_kappa(
    argued: ArguedLabels, scale: LabelScale, n_items: int
) -> ResampledScore | None:
    """Return Cohen's κ (1960; weighted, 1968) of labels given and labels read, −1 to 1.

    None where one of the two is always the same.
    """
    there = argued.pairs.any(axis=(1, 2))
    pairs = argued.pairs[there]
    distance = label_distances(scale)

    def statistic(weights: np.ndarray) -> np.ndarray:
        joint = np.einsum("dn,nlk->dlk", weights, pairs)
        joint /= joint.sum(axis=(1, 2), keepdims=True)
        expected = np.einsum("dl,lk,dk->d", joint.sum(axis=2), distance, joint.sum(axis=1))
        observed = (joint * distance).sum(axis=(1, 2))
        defined = expected > _DEFINED
        return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)

    return resample(statistic, argued.item[there], n_items=n_items, bounds=(-1.0, 1.0))
