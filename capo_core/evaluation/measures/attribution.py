"""Attribution of responses to annotators by a classifier fitted on human training texts only.

The classifier is the one of the stability analysis (`stats.ridge`), fitted on the explanations that
people wrote on training items. It is fitted on no model output and on no text about a held-out
item. Responses are attributed one by one and in groups of k on different items; the confusion
matrix counts single attributions, and scores become probabilities by a slope fitted on human texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import log_softmax, softmax

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.measures.registry import (
    LIKE_HUMAN,
    LIKELIHOOD,
    LLM_JUDGE,
    measure,
    variant_name,
)
from capo_core.evaluation.streams import Stream
from capo_core.formatting import natural_order
from capo_core.progress import Progress, silent
from capo_core.stability.attribution import TIE
from capo_core.stats import ridge
from capo_core.stats.bootstrap import Score
from capo_core.text.embeddings import Embedder
from capo_core.text.reductions import find_reduction
from capo_core.text.representations import REPRESENTATIONS, Features, Representer, Texts
from capo_core.text.tokens import normalise


@dataclass(frozen=True)
class View:
    """Input of the classifier: a representation, and a reduction of input content."""

    representation: str = "words"
    reduction: str = "mask_input"

    def __post_init__(self) -> None:
        if self.representation not in REPRESENTATIONS:
            raise ConfigError(
                f"there is no representation {self.representation!r}",
                expected=f"one of {', '.join(REPRESENTATIONS)}",
            )

    def measure_name(self, measure: str) -> str:
        """Return the name in tables of a measure of the family "attribution" in this view."""
        return variant_name(measure, f"{self.representation}, {self.reduction}")

    @property
    def name(self) -> str:
        """Name in tables of the share of responses that are attributed to the target."""
        return self.measure_name("attribution")


@dataclass(frozen=True)
class Attributed:
    """Scores by one classifier: higher is more like that annotator, 0 is like everybody.

    Attributes:
        streams: [n, C] for each stream, one column an annotator. A response without explanation
            has the score 0 everywhere, and `pooled_accuracy` gives it to nobody.
        train: [m, C], scores of the human training texts, each by a classifier that was fitted
            without the texts on its item; empty where no folds were asked for.
        author, item: [m], column of the author and item of each training text.
    """

    streams: list[np.ndarray]
    train: np.ndarray
    author: np.ndarray
    item: np.ndarray


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
    """Return scores of every stream's responses and, with `folds`, of the training texts
    themselves.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    train = training_rows(dataset)
    items = dataset.items.set_index("item_id")
    train_ids = tuple(dict.fromkeys(train["item_id"]))
    known = {item_id: index for index, item_id in enumerate(train_ids)}
    every = (*train_ids, *item_ids)  # by place: an item may be asked for twice, or be learned from
    form = (lambda text: text) if find_reduction(view.reduction).written else normalise
    written = [form(text) for stream in streams for text in stream.explanations]
    train_item = np.array([known[item_id] for item_id in train["item_id"]], dtype=np.int64)
    places = [int(item) + len(train_ids) for stream in streams for item in stream.item]
    # One text on one item has one score, whoever wrote it: rows of a matrix product in single
    # precision differ in their last digits by the number of BLAS threads, and so would copies.
    rows: dict[tuple[str, int], int] = {}
    row_of = [rows.setdefault(pair, len(rows)) for pair in zip(written, places, strict=True)]
    texts = Texts(
        [*(form(text) for text in train["explanation"]), *(text for text, _ in rows)],
        np.concatenate([train_item, np.array([place for _, place in rows], dtype=np.int64)]),
        [normalise(items.at[item_id, "text_a"]) for item_id in every],
        [normalise(items.at[item_id, "text_b"]) for item_id in every],
    )
    features = Representer(texts, embedder).features(view.representation, view.reduction, progress)
    column = {annotator: index for index, annotator in enumerate(dataset.annotators)}
    author = train["annotator_id"].map(column).to_numpy()
    here = np.arange(len(train))
    there = np.arange(len(train), len(train) + len(rows))
    scores = _scores(features, here, there, author, len(column))[row_of]
    scores[[not text.strip() for text in written]] = 0.0
    ends = np.cumsum([len(stream) for stream in streams])
    own = np.zeros((0, len(column)))
    if folds:
        own = _by_folds(features, author, train_item, len(column), folds, seed)
    return Attributed(np.split(scores, ends[:-1]), own, author, train_item)


def _scores(
    features: Features, train: np.ndarray, test: np.ndarray, author: np.ndarray, classes: int
) -> np.ndarray:
    """Return scores [test, C]; `author` is of the rows `train`, a class without rows scores 0."""
    left, right = features.split(train, test)
    targets = np.eye(classes, dtype=np.float32)[author]
    return ridge.scores(left, right, targets) / np.maximum(targets.mean(axis=0), 1e-12)


def _by_folds(
    features: Features, author: np.ndarray, item: np.ndarray, classes: int, folds: int, seed: int
) -> np.ndarray:
    """Return scores [m, C] of training texts by classifiers fitted without their item."""
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
    """Return the explanations written on training items, as rows of the annotations table.

    Raises:
        DataError: an annotator has none.
    """
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["explanation"].str.strip() != "") & (rows["item_id"].map(split) == "train")]
    missing = natural_order(set(dataset.annotators) - set(rows["annotator_id"]))
    if missing:
        raise DataError(
            f"annotator {missing[0]!r} has no explanation in the training split",
            where=dataset.name,
            expected="explanations by every annotator on training items",
            todo="leave this annotator out, or divide the data again",
        )
    return rows


GROUPINGS = 400  # random divisions into groups; their luck then hardly shows


@measure(
    "attribution",
    family="attribution",
    short="Attributed",
    better=LIKE_HUMAN,
    title="Attributed to target",
    headline=True,
    has_variants=True,
    meaning="Share of groups of k explanations that a classifier attributes to the target; it "
    "knows only what people wrote on training items. At the ceiling, texts are attributed to the "
    "target as often as its own; above it they are more typical than the human.",
)
def pooled_accuracy(
    scores: np.ndarray,
    item: np.ndarray,
    target: int,
    k: int,
    *,
    n_items: int,
    seed: int = 0,
    groupings: int = GROUPINGS,
) -> Score | None:
    """Return the share of groups of `k` responses that are attributed to the target.

    The responses [n] of one stream are divided into n // k groups of k, in `groupings` ways. A
    group's score is the sum of its responses' scores and goes to the annotator with the highest; a
    tie is shared; a group without a single explanation goes to nobody.

    Args:
        scores: [n, C] (see `attributed`). item: [n], 0 to `n_items` − 1.
        target: the column of the imitated annotator.

    Returns:
        The share with influences [groupings, n_items]; None where there are fewer than k responses.
    """
    order = group_orders(len(scores), k, seed=seed, groupings=groupings)
    if order is None:
        return None
    hit = given_to(group_sums(scores, order))[:, :, target]
    return group_mean(hit, order, item, n_items=n_items, groupings=groupings)


def group_orders(n: int, k: int, *, seed: int, groupings: int = GROUPINGS) -> np.ndarray | None:
    """Return rows of n // k groups of k, [groupings, groups, k]; one division where k = 1, None if
    no group can be filled.
    """
    count = n // k
    if not count:
        return None
    rng = np.random.default_rng([seed, k])
    order = rng.permuted(np.tile(np.arange(n), (groupings, 1)), axis=1)[:, : count * k]
    if k == 1:
        order = order[:1]  # one by one there is nothing to draw
    return order.reshape(len(order), count, k)


def group_sums(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the sum of each group's scores, [groupings, groups, C]."""
    return scores[order].sum(axis=2, dtype=float)


def given_to(group: np.ndarray) -> np.ndarray:
    """Return 1 for the annotator with the highest of the scores [..., C], 1/m where m tie.

    0 for all where no explanation was scored.
    """
    best = group.max(axis=-1, keepdims=True) - TIE
    among = group >= best
    shares = among / among.sum(axis=-1, keepdims=True)
    return shares * np.abs(group).any(axis=-1, keepdims=True)


def group_mean(
    values: np.ndarray,
    order: np.ndarray,
    item: np.ndarray,
    *,
    n_items: int,
    groupings: int = GROUPINGS,
    share: bool = True,
) -> Score:
    """Return the mean of one value per group, [groupings, groups], with the influence of items on
    it.

    Args:
        order: rows of each group, [groupings, groups, k]; item: [n], the item of each row.
    """
    value = float(values.mean())
    draws, count, k = order.shape
    influence = np.zeros((draws, n_items))
    rows = np.arange(draws)[:, None]
    # Items of one stream are different, so that no addition is lost.
    influence[rows, item[order.reshape(draws, -1)]] = np.repeat((values - value) / count, k, axis=1)
    if k == 1:
        influence = np.broadcast_to(influence, (groupings, n_items))
    return Score(value, influence, count, share, _even(item, n_items), (0.0, 1.0))


def item_mean(
    values: np.ndarray,
    item: np.ndarray,
    *,
    n_items: int,
    share: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Score:
    """Return the mean of `values` [n], one per item."""
    value = float(values.mean())
    influence = np.zeros((1, n_items))
    influence[0, item] = (values - value) / len(values)
    return Score(value, influence, len(values), share, _even(item, n_items), bounds)


def _even(item: np.ndarray, n_items: int) -> np.ndarray:
    """Return equal weights [items] for the items of a stream."""
    weight = np.zeros(n_items)
    weight[item] = 1 / len(item)
    return weight


NOBODY = "nobody"  # responses without an explanation
COLUMNS = ("view", "source", "target", "attributed", "share", "n")


def confusion(
    streams: Sequence[Stream], scores: Sequence[np.ndarray], annotators: Sequence[str], view: str
) -> pd.DataFrame:
    """Return COLUMNS: the share of a source's responses for a target attributed to each annotator.

    Shares of a source and target add up to 1, with `NOBODY`; ties are shared; replicates are
    averaged and `n` counts their responses.

    Args:
        scores: [n, C] of each stream (see `Attributed`).
    """
    names = [*annotators, NOBODY]
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    counts: dict[tuple[str, str], int] = {}
    for stream, table in zip(streams, scores, strict=True):
        if not len(stream):
            continue
        given = given_to(table).mean(axis=0)
        key = (stream.source, stream.target)
        found.setdefault(key, []).append(np.append(given, 1 - given.sum()))
        counts[key] = counts.get(key, 0) + len(stream)
    rows = [
        (view, source, target, name, max(0.0, float(share)), counts[source, target])
        for (source, target), tables in found.items()
        for name, share in zip(names, np.mean(tables, axis=0), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


FOLDS = 5  # in which the training texts are scored for the slope
_SLOPE_GROUPINGS = 20  # divisions of an author's training texts; one number is fitted from them


def fit_slope(scores: np.ndarray, author: np.ndarray) -> float:
    """Return the factor on scores [n, C] whose softmax maximises the likelihood of the authors [n].

    Authors are weighted equally. Fitted on human texts that the classifier had not seen, so that a
    probability of 0.7 is right in about 70 % of cases of such texts.
    """
    counts = np.bincount(author, minlength=scores.shape[1])
    weight = 1 / counts[author]
    rows = np.arange(len(author))

    def loss(log_slope: float) -> float:
        return -(weight * log_softmax(np.exp(log_slope) * scores, axis=1)[rows, author]).sum()

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def pooled_slope(scores: np.ndarray, author: np.ndarray, k: int, *, seed: int = 0) -> float | None:
    """Return the slope for sums of k texts of one author; None if an author has fewer than k."""
    sums, who = [], []
    for one in range(scores.shape[1]):
        rows = np.flatnonzero(author == one)
        order = group_orders(len(rows), k, seed=seed, groupings=_SLOPE_GROUPINGS)
        if order is None:
            return None
        groups = group_sums(scores[rows], order).reshape(-1, scores.shape[1])
        sums.append(groups)
        who.append(np.full(len(groups), one))
    return fit_slope(np.concatenate(sums), np.concatenate(who))


@measure(
    "probability",
    family="attribution",
    better=LIKE_HUMAN,
    title="Probability of target",
    short="Probability",
    has_variants=True,
    meaning="Mean probability of the target by the same classifier, calibrated on people's texts. "
    "Finer than the share, which only counts who comes first.",
)
def pooled_probability(
    scores: np.ndarray,
    item: np.ndarray,
    target: int,
    k: int,
    slope: float | None,
    *,
    n_items: int,
    seed: int = 0,
) -> Score | None:
    """Return the mean probability of the target over groups of `k` responses, 0 to 1.

    A group without a single explanation counts as 0. See `pooled_accuracy` for the groups.

    Args:
        slope: by `pooled_slope`; None where it could not be fitted, and then there is no value.
    """
    order = group_orders(len(scores), k, seed=seed, groupings=GROUPINGS)
    if order is None or slope is None:
        return None
    group = group_sums(scores, order)
    chance = softmax(slope * group, axis=2)[:, :, target]
    chance[~np.abs(group).any(axis=2)] = 0.0
    return group_mean(chance, order, item, n_items=n_items, share=False)


@measure(
    "likelihood attribution",
    family=LIKELIHOOD,
    better=LIKE_HUMAN,
    title="Likeliest author",
    headline=True,
    meaning="Share of groups of k explanations that are likeliest under the target's own adapter, "
    "among the adapters of all annotators, each fine-tuned on one annotator's training texts and "
    "calibrated on validation texts. It reads the item and the label; no classifier and no judge.",
)
def likelihood_accuracy(
    scores: np.ndarray, item: np.ndarray, target: int, k: int, *, n_items: int, seed: int = 0
) -> Score | None:
    """Return the share of groups of `k` responses that are likeliest under the target's adapter.

    Args:
        scores: [n, C] calibrated log-probabilities (see `LikelihoodCalibration.scores`); a group's
            is their sum. Groups and ties are those of `pooled_accuracy`.
    """
    return pooled_accuracy(scores, item, target, k, n_items=n_items, seed=seed)


@measure(
    LLM_JUDGE,
    family=LLM_JUDGE,
    better=LIKE_HUMAN,
    title="LLM judge {variant}",
    headline=True,
    has_variants=True,
    meaning="Share of trials in which a language model that sees cards of all annotators names the "
    "target. The ceiling is its own accuracy on people's texts: where that is near chance, the "
    "rest means nothing.",
)
def named_share(named: np.ndarray, target: str, item: np.ndarray, n_items: int) -> Score:
    """Return the share of trials in which an LLM judge named `target`, 0 to 1.

    Args:
        named: [trials] the annotator named, "" for none.
        item: [trials, k] the items of the texts of each trial, 0 to `n_items` − 1.
    """
    hits = (named == target).astype(float)[None]
    order = np.arange(item.size).reshape(1, *item.shape)
    return group_mean(hits, order, item.ravel(), n_items=n_items, groupings=1)
