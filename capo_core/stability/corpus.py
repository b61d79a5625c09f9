"""The explanations of a dataset as arrays, and the cross-validation partitions over them.

Folds and groups of explanations are fixed before any text is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import count
from capo_core.text.tokens import normalise

# A text shared by more of the items than this is a fixed question, not an item's content: it must
# not tie the items together into one block that no fold can separate.
_COMMON_SHARE = 0.1


@dataclass(frozen=True)
class ExplanationCorpus:
    """Explanations with their item, annotator and label, row by row.

    Attributes:
        annotation_ids: text [n].
        texts: normalised explanations [n] (as written where `raw`).
        item: index into `item_ids` [n]; block: index of the item's block [n]: items that share an
            input text form one block and are never parted by cross-validation.
        annotator: index into `annotators` [n]; label: index into `labels` [n].
        text_a, text_b: the normalised input texts, one an item.
    """

    annotation_ids: np.ndarray
    texts: list[str]
    item: np.ndarray
    block: np.ndarray
    annotator: np.ndarray
    label: np.ndarray
    annotators: tuple[str, ...]
    labels: tuple[str, ...]
    label_numbers: np.ndarray
    item_ids: tuple[str, ...]
    text_a: list[str]
    text_b: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def chance(self) -> float:
        """Chance accuracy, with annotators counted equally."""
        return 1 / len(self.annotators)

    def inputs(self) -> list[tuple[str, str]]:
        """The input texts of each row's item [n]."""
        return [(self.text_a[i], self.text_b[i]) for i in self.item]

    def take(self, rows: np.ndarray) -> ExplanationCorpus:
        """Return the corpus of `rows` alone; items, annotators and labels keep their numbers."""
        return ExplanationCorpus(
            self.annotation_ids[rows],
            [self.texts[row] for row in rows],
            self.item[rows],
            self.block[rows],
            self.annotator[rows],
            self.label[rows],
            self.annotators,
            self.labels,
            self.label_numbers,
            self.item_ids,
            self.text_a,
            self.text_b,
        )


def explained_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the annotations that have an explanation."""
    rows = dataset.annotations
    return rows[rows["explanation"].str.strip() != ""]


def build_corpus(
    dataset: Dataset, *, raw: bool = False, least: int = 1, most: int = 0, seed: int = 0
) -> ExplanationCorpus:
    """Return the annotations of `dataset` that have an explanation.

    Args:
        raw: keep case, outer spaces and the final period (a control: see `tokens.normalise`).
        least: leave out annotators with fewer explanations.
        most: draw whole items at random (`seed`) up to so many explanations; 0 takes all.

    Raises:
        DataError: fewer than two annotators have explanations, or fewer than two items.
    """
    rows = explained_rows(dataset)
    found, drawn = rows, ""  # what the error counts
    number = rows.groupby("annotator_id", sort=False).size()
    rows = rows[rows["annotator_id"].map(number) >= least].reset_index(drop=True)
    if most and len(rows) > most:
        item, names = pd.factorize(rows["item_id"])
        order = np.random.default_rng([seed, 0x5A3B]).permutation(len(names))
        size = np.bincount(item)[order]
        rows = rows[np.isin(item, order[np.cumsum(size) <= most])]
        found, drawn = rows, f" of the {count(most, 'explanation')} drawn at most"
        number = rows.groupby("annotator_id", sort=False).size()
        rows = rows[rows["annotator_id"].map(number) >= least].reset_index(drop=True)
    present = set(rows["annotator_id"])
    annotators = tuple(a for a in dataset.annotators if a in present)
    if len(annotators) < 2 or rows["item_id"].nunique() < 2:
        raise DataError(
            f"{count(found['annotator_id'].nunique(), 'annotator')} with explanations on "
            f"{count(found['item_id'].nunique(), 'item')}{drawn}: there are no annotators to "
            "attribute",
            where=dataset.name,
            expected="explanations by at least two annotators on at least two items"
            + (f", {least} or more by each" if least > 1 else ""),
            todo="import a table in which several people explain their labels",
        )
    items = dataset.items[dataset.items["item_id"].isin(rows["item_id"])].reset_index(drop=True)
    clean = (lambda text: text) if raw else normalise
    item = pd.Index(items["item_id"]).get_indexer(rows["item_id"])
    text_a = [normalise(text) for text in items["text_a"]]
    text_b = [normalise(text) for text in items["text_b"]]
    scale = dataset.task.scale
    return ExplanationCorpus(
        annotation_ids=rows["annotation_id"].to_numpy(dtype=object),
        texts=[clean(text) for text in rows["explanation"]],
        item=item,
        block=_blocks(text_a, text_b)[item],
        annotator=pd.Index(annotators).get_indexer(rows["annotator_id"]),
        label=pd.Index(scale.labels).get_indexer(rows["label"]),
        annotators=annotators,
        labels=scale.labels,
        label_numbers=np.array([scale.number(label) for label in scale.labels], dtype=float),
        item_ids=tuple(items["item_id"]),
        text_a=text_a,
        text_b=text_b,
    )


def _blocks(text_a: list[str], text_b: list[str]) -> np.ndarray:
    """The block of each item: items joined, directly or by way of others, by an equal text."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(text_a)
    codes = pd.factorize(pd.Series(text_a + text_b, dtype=object))[0]
    limit = max(2, _COMMON_SHARE * n)
    size = np.bincount(codes)
    item = np.tile(np.arange(n), 2)
    empty = np.array([not text for text in text_a + text_b])
    link = ~empty & (size[codes] <= limit)
    graph = coo_matrix(
        (np.ones(link.sum()), (item[link], n + codes[link])), shape=(n + len(size),) * 2
    )
    return pd.factorize(connected_components(graph, directed=False)[1][:n])[0]


@dataclass(frozen=True)
class Partition:
    """Folds and groupings of a seed; the observed statistic and its null share them.

    Attributes:
        fold: the fold in which a row is tested [n].
        tested: rows that are tested [n], one for each (item, annotator): where an annotator gave
            two labels to an item, one of the two explanations is drawn, since both would enter a
            group as if they were independent. All rows train.
        orders: `groupings` permutations of the tested rows. Within each, rows are sorted by fold
            and annotator and shuffled inside; a group of k is k consecutive rows of one such run.
        starts: the beginning of each run in an order, and its end [runs + 1].
    """

    fold: np.ndarray
    tested: np.ndarray
    orders: tuple[np.ndarray, ...]
    starts: np.ndarray
    folds: int

    def split(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers that train and that are tested in `fold`."""
        here = self.fold == fold
        return np.flatnonzero(~here), np.flatnonzero(here)


def partition(corpus: ExplanationCorpus, *, folds: int, groupings: int, seed: int) -> Partition:
    """Draw one partition. No item, and no two items that share a text, is on both sides.

    Raises:
        DataError: fewer blocks of items than folds.
    """
    rng = np.random.default_rng([seed, 0xF01D])
    sizes = np.bincount(corpus.block)
    if len(sizes) < folds:
        raise DataError(
            f"{len(sizes)} separate items cannot be divided into {folds} folds",
            expected=f"at least {folds} items that share no text",
            todo="import more items, or ask for fewer folds",
        )
    fold = _balanced(sizes, folds, rng)[corpus.block]
    rows = rng.permutation(len(corpus))
    cell = corpus.item[rows].astype(np.int64) * len(corpus.annotators) + corpus.annotator[rows]
    tested = np.zeros(len(corpus), dtype=bool)
    tested[rows[np.unique(cell, return_index=True)[1]]] = True
    run = fold.astype(np.int64) * len(corpus.annotators) + corpus.annotator
    chosen = np.flatnonzero(tested)
    orders = []
    for _ in range(groupings):
        shuffled = rng.permutation(chosen)
        orders.append(shuffled[np.argsort(run[shuffled], kind="stable")])
    counts = np.bincount(run[chosen], minlength=folds * len(corpus.annotators))
    return Partition(fold, tested, tuple(orders), np.concatenate([[0], np.cumsum(counts)]), folds)


def _balanced(sizes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """A fold for each block, so that folds hold about the same number of rows."""
    load = np.zeros(folds)
    fold = np.empty(len(sizes), dtype=np.int64)
    order = rng.permutation(len(sizes))
    big = sizes > max(1.0, sizes.sum() / (20 * folds))
    # Large blocks first, each to the emptiest fold; the many small ones are dealt out in turn.
    for block in sorted(order[big[order]], key=lambda b: -sizes[b]):
        fold[block] = load.argmin()
        load[fold[block]] += sizes[block]
    small = order[~big[order]]
    if len(small):
        if not big.any():
            fold[small] = np.arange(len(small)) % folds
        else:
            for block in small:
                fold[block] = load.argmin()
                load[fold[block]] += sizes[block]
    return fold


def group_slices(starts: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first position and run of every group of `k`; incomplete groups are dropped."""
    counts = np.diff(starts) // k
    run = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return starts[run] + within * k, run
