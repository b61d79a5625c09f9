"""Representations of explanations, reduced, and fitted fold by fold on training rows only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from capo_core.errors import ConfigError
from capo_core.progress import Progress, silent
from capo_core.stats.ridge import MANY_ROWS, Matrix
from capo_core.text import reductions, stylometry
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import tokens

REPRESENTATIONS = ("embedding", "words", "characters", "stylometry")

Split = tuple[Matrix, Matrix]

# Above `MANY_ROWS` training rows ridge regression is solved in the features, and only so many
# n-grams, the most frequent, are kept: habits are frequent, and cost stays linear. The same limit
# holds where a reduction needs dense vectors of n-grams.
_FEW_NGRAMS = 2000
_MAX_NGRAMS = 50_000
_DENSE_CELLS = 400_000_000  # at most this many numbers in a dense matrix of n-grams


@dataclass(frozen=True)
class Texts:
    """What representations are made from.

    Attributes:
        texts: explanations [n], normalised unless the raw view is wanted.
        item: the item of each [n]; text_a, text_b: the input texts of each item.
    """

    texts: list[str]
    item: np.ndarray
    text_a: list[str]
    text_b: list[str]

    def inputs(self) -> list[tuple[str, str]]:
        return [(self.text_a[i], self.text_b[i]) for i in self.item]


class Features(ABC):
    """One representation under one reduction; `split` gives the matrices of one fold."""

    @abstractmethod
    def split(self, train: np.ndarray, test: np.ndarray) -> Split:
        """Features of the rows `train` and `test`, everything fitted on `train`."""

    def whole(self) -> Matrix:
        """All rows, for measures that fit nothing to annotators (variance, unsupervised)."""
        rows = np.arange(self.n_rows)
        return self.split(rows, rows)[1]

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """How many rows `whole` has."""


@dataclass(frozen=True)
class DenseFeatures(Features):
    """Fixed vectors; with `standardise`, columns get mean 0 and rows mean squared length 1."""

    matrix: np.ndarray
    standardise: bool = False

    def split(self, train, test):
        left, right = self.matrix[train], self.matrix[test]
        if not self.standardise:
            return left, right
        mean, spread = left.mean(axis=0), left.std(axis=0)
        keep = spread > 1e-9
        scale = (1 / spread[keep] / np.sqrt(max(1, keep.sum()))).astype(np.float32)
        return (left - mean)[:, keep] * scale, (right - mean)[:, keep] * scale

    @property
    def n_rows(self):
        return len(self.matrix)


@dataclass(frozen=True)
class NGramFeatures(Features):
    """TF-IDF (1 + log tf, smoothed idf, unit length) from counts [n, vocabulary].

    Counting knows nothing of folds; which n-grams are kept (two training texts or more) and their
    idf come from the training rows.
    """

    counts: sparse.csr_matrix
    limit: int = _MAX_NGRAMS

    def split(self, train, test):
        left, right = self.counts[train], self.counts[test]
        frequency = np.asarray((left > 0).sum(axis=0)).ravel()
        keep = np.flatnonzero(frequency >= 2)
        limit = _FEW_NGRAMS if len(train) > MANY_ROWS else self.limit
        if len(keep) > limit:
            keep = np.sort(keep[np.argsort(-frequency[keep], kind="stable")[:limit]])
        idf = np.log((1 + len(train)) / (1 + frequency[keep])) + 1
        return _tf_idf(left[:, keep], idf), _tf_idf(right[:, keep], idf)

    @property
    def n_rows(self):
        return self.counts.shape[0]


def _tf_idf(counts: sparse.csr_matrix, idf: np.ndarray) -> sparse.csr_matrix:
    values = counts.astype(np.float32)
    values.data = 1 + np.log(values.data)
    values = values.multiply(idf.astype(np.float32)).tocsr()
    length = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    values.data /= np.repeat(np.where(length > 0, length, 1), np.diff(values.indptr))
    return values


@dataclass(frozen=True)
class ReducedFeatures(Features):
    """`base` after a reduction of its vectors, fitted on each fold's training rows."""

    base: Features
    reduction: reductions.Residual | reductions.Subspace
    inputs: Features | None = None  # the input texts, in the same rows as `input_item`
    input_item: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    def split(self, train, test):
        if isinstance(self.reduction, reductions.Residual):
            left, right = (_dense(part) for part in self.base.split(train, test))
            return self.reduction(left, right, train, test)
        # The inputs are represented as the explanations are, scaled by the training rows alone.
        known = np.flatnonzero(np.isin(self.input_item, self.reduction.item[train]))
        offset = len(self.reduction.item)
        left, right = self.base.split(train, np.concatenate([test, offset + known]))
        left, right = _dense(left), _dense(right)
        directions = self.reduction.directions(right[len(test) :], left.shape[1])
        project = reductions.project_out
        return project(left, directions), project(right[: len(test)], directions)

    @property
    def n_rows(self):
        return len(self.reduction.item)

    def whole(self):
        rows = np.arange(self.n_rows)
        left, right = self.split(rows, rows)
        # Residuals of training rows come from models that did not see their item; those of "test"
        # rows that trained as well would be too small.
        return left if isinstance(self.reduction, reductions.Residual) else right


def _dense(matrix: Matrix) -> np.ndarray:
    if not sparse.issparse(matrix):
        return matrix
    if matrix.shape[0] * matrix.shape[1] > _DENSE_CELLS:
        raise ConfigError(
            f"{matrix.shape[0]} explanations are too many for this reduction of n-grams",
            todo="leave out 'residual' and 'subspace', or use 'embedding' or 'stylometry'",
        )
    return matrix.toarray()


class Representer:
    """Makes `Features` for one set of texts; embeds, counts and tokenises each text once."""

    def __init__(self, texts: Texts, embedder: Embedder, *, seed: int = 0) -> None:
        self.texts, self.embedder, self.seed = texts, embedder, seed

    def features(
        self, representation: str, reduction: str = "none", progress: Progress = silent
    ) -> Features:
        """The features of all texts in `representation` under `reduction` (or its control).

        Raises:
            ConfigError: an unknown representation or reduction.
        """
        if representation not in REPRESENTATIONS:
            raise ConfigError(
                f"there is no representation {representation!r}",
                expected=f"one of {', '.join(REPRESENTATIONS)}",
            )
        inputs = self.texts.inputs()
        change = self._text_change(reduction)
        texts = [change(t, pair) for t, pair in zip(self.texts.texts, inputs, strict=True)]
        if reduction in ("residual", "residual_shuffled"):
            regression = reductions.Residual(
                self.input_embedding(progress),
                self.texts.item,
                shuffle_seed=self.seed if reduction == "residual_shuffled" else None,
            )
            base = self._base(representation, texts, inputs, progress, limit=_FEW_NGRAMS)
            return ReducedFeatures(base, regression)
        if reduction in ("subspace", "random_subspace"):
            sources = [t for t in (self.texts.text_a, self.texts.text_b) if any(t)]
            extra = [text for source in sources for text in source]
            item = np.tile(np.arange(len(self.texts.text_a)), len(sources))
            pairs = [(self.texts.text_a[i], self.texts.text_b[i]) for i in item]
            base = self._base(
                representation, texts + extra, inputs + pairs, progress, limit=_FEW_NGRAMS
            )
            seed = self.seed if reduction == "random_subspace" else None
            cut = reductions.Subspace(self.texts.item, random_seed=seed)
            return ReducedFeatures(base, cut, input_item=item)
        return self._base(representation, texts, inputs, progress)

    def input_embedding(self, progress: Progress = silent) -> np.ndarray:
        """Features of each item's input pair [items, e]; what `residual` regresses on."""
        a, b = np.split(self.input_pair(progress), 2, axis=1)
        return reductions.input_features(a, b)

    def input_pair(self, progress: Progress = silent) -> np.ndarray:
        """Embeddings of each item's two texts side by side [items, 2e]; 0 for an empty second."""
        a, b = np.split(self.embedder([*self.texts.text_a, *self.texts.text_b], progress), 2)
        has_b = np.array([[bool(text)] for text in self.texts.text_b], dtype=np.float32)
        return np.concatenate([a, b * has_b], axis=1)

    def _text_change(self, reduction: str) -> Callable[[str, tuple[str, str]], str]:
        rng = np.random.default_rng([self.seed, 0x3A5C])
        changes = {
            "mask_input": reductions.mask_input,
            "style_only": lambda text, inputs: reductions.style_only(text),
            "random_mask": lambda text, inputs: reductions.random_mask(text, inputs, rng),
        }
        unchanged = ("none", "residual", "residual_shuffled", "subspace", "random_subspace")
        if reduction not in changes and reduction not in unchanged:
            raise ConfigError(
                f"there is no reduction {reduction!r}",
                expected=f"one of {', '.join(reductions.REDUCTIONS)}",
            )
        return changes.get(reduction, lambda text, inputs: text)

    def _base(self, representation, texts, inputs, progress, limit: int = _MAX_NGRAMS) -> Features:
        if representation == "embedding":
            return DenseFeatures(self.embedder(texts, progress))
        progress(f"Counting {representation}", 0.0)
        if representation == "stylometry":
            table = stylometry.features(texts, inputs)
            return DenseFeatures(table.to_numpy(dtype=np.float32), standardise=True)
        return NGramFeatures(count_ngrams(texts, representation), limit)


def count_ngrams(texts: list[str], kind: str) -> sparse.csr_matrix:
    """Counts of word 1–2-grams ("words") or character 2–4-grams ("characters") [n, vocabulary]."""
    from sklearn.feature_extraction.text import CountVectorizer

    settings = (
        {"analyzer": "char", "ngram_range": (2, 4)}
        if kind == "characters"
        else {"tokenizer": tokens, "token_pattern": None, "ngram_range": (1, 2)}
    )
    vectorizer = CountVectorizer(lowercase=False, dtype=np.int32, **settings)
    try:
        return vectorizer.fit_transform(texts).tocsr()
    except ValueError:  # no text has a single token
        return sparse.csr_matrix((len(texts), 1), dtype=np.int32)
