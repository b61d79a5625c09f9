"""Representations of explanations under a reduction, fitted fold by fold on training rows only.

`REPRESENTATIONS` lists them, each with its name, titles and words, and how its features are made.
A new one is one more entry: configuration, ladder, summary, command line and pages read this
table.

TF-IDF is computed here and not by scikit-learn's `TfidfTransformer`, whose single-precision
weights differ in the seventh digit (it takes logarithms and row lengths in another precision):
accuracies and bits of saved reports would move in their last digits. A test holds both equal to
1e-6.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock

import numpy as np
from scipy import sparse

from capo_core.errors import ConfigError, DataError
from capo_core.progress import Progress, silent
from capo_core.stats import ridge
from capo_core.stats.ridge import MANY_ROWS, Matrix
from capo_core.text import stylometry
from capo_core.text.embeddings import Embedder
from capo_core.text.pos_noise import TAG_OF
from capo_core.text.reductions import (
    ItemInputs,
    ReducesProducts,
    Reduction,
    VectorReduction,
    find_reduction,
    input_features,
)
from capo_core.text.tagging import SPACE, TaggedToken, TextTagger, not_english
from capo_core.text.tokens import tokens

Split = tuple[Matrix, Matrix]

# Above `MANY_ROWS` training rows ridge regression is solved in the features, and only so many
# n-grams, the most frequent, are kept: habits are frequent, and cost stays linear. The same limit
# holds where a reduction needs dense vectors of n-grams.
_FEW_NGRAMS = 2000
_MAX_NGRAMS = 50_000
_DENSE_CELLS = 400_000_000  # at most this many numbers in a dense matrix of n-grams


@dataclass(frozen=True)
class Texts:
    """Explanations with their items' texts.

    Attributes:
        texts: explanations [n], normalised unless the raw view is wanted.
        item: the item of each [n]; text_a, text_b: the input texts of each item.
        authors: the annotator of each [n], where it is asked whether all of them write English.
    """

    texts: list[str]
    item: np.ndarray
    text_a: list[str]
    text_b: list[str]
    authors: list[str] | None = None

    def inputs(self) -> list[tuple[str, str]]:
        return [(self.text_a[i], self.text_b[i]) for i in self.item]


class Features(ABC):
    """Features of a representation under a reduction; `split` returns the matrices of a fold."""

    @abstractmethod
    def split(self, train: np.ndarray, test: np.ndarray) -> Split:
        """Features of the rows `train` and `test`, everything fitted on `train`."""

    def operator(self, train: np.ndarray, test: np.ndarray) -> ridge.Operator:
        """Return the label-free operator of a fold [n_test, n_train] (`ridge.operator`)."""
        return ridge.quickest_operator(*self.split(train, test))

    def whole(self) -> Matrix:
        """Return all rows, for measures that fit nothing to annotators (variance, separation)."""
        rows = np.arange(self.n_rows)
        return self.split(rows, rows)[1]

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """Number of rows of `whole`."""


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

    Counts do not depend on folds; the choice of n-grams (those of two training texts or more) and
    their idf come from the training rows.
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
    """`base` after a reduction of its vectors, fitted on each fold's training rows.

    Attributes:
        item: the item of each corpus row [n]; `base` has these rows first.
        input_item: the item of each further row of `base`, which are the items' own texts
            represented as the explanations are; empty where the reduction does not need them.
    """

    base: Features
    reduction: VectorReduction
    item: np.ndarray
    input_item: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    def split(self, train, test):
        left, right, inputs = (
            None if part is None else _dense(part) for part in self._unreduced(train, test)
        )
        return self.reduction(left, right, train, test, inputs)

    def operator(self, train, test):
        left, right, inputs = self._unreduced(train, test)
        sparse_rows = sparse.issparse(left) and left.shape[0] <= left.shape[1]
        if sparse_rows and isinstance(self.reduction, ReducesProducts):
            products = self.reduction.products(left, right, train, test, inputs)
            return ridge.operator_of_products(*products)
        return super().operator(train, test)

    def _unreduced(self, train, test) -> tuple[Matrix, Matrix, Matrix | None]:
        """Return the rows of `base`, and of the training items' texts where they are needed."""
        if not self.reduction.represents_inputs:
            return *self.base.split(train, test), None
        # Texts of training items only; they are scaled by the training rows alone.
        known = np.flatnonzero(np.isin(self.input_item, self.item[train]))
        offset = len(self.item)
        left, right = self.base.split(train, np.concatenate([test, offset + known]))
        return left, right[: len(test)], right[len(test) :]

    @property
    def n_rows(self):
        return len(self.item)

    def whole(self):
        rows = np.arange(self.n_rows)
        # As training rows: the residuals of rows that are training and test rows at once would be
        # too small, while those of training rows come from models that did not see their item.
        return self.split(rows, rows)[0]


def _dense(matrix: Matrix) -> np.ndarray:
    if not sparse.issparse(matrix):
        return matrix
    if matrix.shape[0] * matrix.shape[1] > _DENSE_CELLS:
        dense = [repr(one.name) for one in REPRESENTATIONS.values() if not one.sparse]
        raise ConfigError(
            f"{matrix.shape[0]} explanations are too many for a reduction of n-gram vectors",
            todo=f"leave out 'residual' and 'subspace', or use {' or '.join(dense)}",
        )
    return matrix.toarray()


@dataclass(frozen=True)
class FeatureRequest:
    """Reduced texts to be represented.

    Attributes:
        texts: explanations [n]; inputs: the two texts of each one's item [n].
        ngram_limit: maximum number of n-grams, by frequency.
        english: whether the texts are in English; else features of English words are left out.
    """

    texts: list[str]
    inputs: list[tuple[str, str]]
    embedder: Embedder
    tagger: Callable[[], TextTagger]
    progress: Progress = silent
    ngram_limit: int = _MAX_NGRAMS
    english: bool = True


@dataclass(frozen=True)
class Representation:
    """A representation of explanations.

    Attributes:
        name: in configurations, tables and on the command line.
        title: the label on screens and in figures.
        in_words: the representation inside a sentence, with its article.
        description: one sentence for help texts and the documentation.
        features: makes its features.
        sparse: whether they are a sparse matrix of counts, which takes the longest.
        embedded: whether they need the embedding model; tagged: the part-of-speech tagger.
    """

    name: str
    title: str
    in_words: str
    description: str
    features: Callable[[FeatureRequest], Features]
    sparse: bool = False
    embedded: bool = False
    tagged: bool = False


def _embedding(request: FeatureRequest) -> Features:
    return DenseFeatures(request.embedder(request.texts, request.progress))


def _ngrams(kind: str) -> Callable[[FeatureRequest], Features]:
    def features(request: FeatureRequest) -> Features:
        request.progress(f"Counting {kind}", 0.0)
        return NGramFeatures(count_ngrams(request.texts, kind), request.ngram_limit)

    return features


def _parts_of_speech(request: FeatureRequest) -> Features:
    tagged = request.tagger()(request.texts, request.progress)
    sequences = [
        " ".join(_tag_of(text, token) for token in tokens if token.tag != SPACE)
        for text, tokens in zip(request.texts, tagged, strict=True)
    ]
    return NGramFeatures(count_ngrams(sequences, "tags"), request.ngram_limit)


def _tag_of(text: str, token: TaggedToken) -> str:
    """Return the token's tag; of a symbol of POSNoise, the tag that it stands for."""
    return TAG_OF.get(text[token.start : token.end], token.tag)


def _stylometry(request: FeatureRequest) -> Features:
    request.progress("Counting style features", 0.0)
    table = stylometry.features(request.texts, request.inputs, english=request.english)
    return DenseFeatures(table.to_numpy(dtype=np.float32), standardise=True)


REPRESENTATIONS: dict[str, Representation] = {
    representation.name: representation
    for representation in (
        Representation(
            "embedding",
            "Sentence embedding",
            "the sentence embedding",
            "Sentence embedding of unit length, by default from all-MiniLM-L6-v2.",
            _embedding,
            embedded=True,
        ),
        Representation(
            "words",
            "Word n-grams",
            "word n-grams",
            "TF-IDF of single words and word pairs.",
            _ngrams("words"),
            sparse=True,
        ),
        Representation(
            "characters",
            "Character n-grams",
            "character n-grams",
            "TF-IDF of two to four consecutive characters.",
            _ngrams("characters"),
            sparse=True,
        ),
        Representation(
            "stylometry",
            "Style features",
            "style features",
            "Counts of length, punctuation, function words and other closed classes.",
            _stylometry,
        ),
        Representation(
            "pos",
            "Part-of-speech n-grams",
            "part-of-speech n-grams",
            "TF-IDF of one to three consecutive parts of speech. For English.",
            _parts_of_speech,
            sparse=True,
            tagged=True,
        ),
    )
}


def find_representation(name: str) -> Representation:
    """Return the representation of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in REPRESENTATIONS:
        raise ConfigError(
            f"there is no representation {name!r}",
            expected=f"one of {', '.join(REPRESENTATIONS)}",
        )
    return REPRESENTATIONS[name]


def representation_title(name: str) -> str:
    """Return the title of a representation; an unknown name is returned unchanged."""
    return REPRESENTATIONS[name].title if name in REPRESENTATIONS else name


class Representer:
    """Makes `Features` for one set of texts; embeds, tags, counts and tokenises each text once.

    Args:
        tagger: of parts of speech; by default the installed one, with its tags where the
            embedder's vectors are.
    """

    def __init__(
        self,
        texts: Texts,
        embedder: Embedder,
        *,
        tagger: TextTagger | None = None,
        seed: int = 0,
    ) -> None:
        self.texts, self.embedder, self.seed = texts, embedder, seed
        self._tagger = tagger
        self._of_inputs: dict = {}
        self._kept: dict[tuple[str, str], Features] = {}
        self._reduced: dict[str, list[str]] = {}
        self._making: defaultdict[tuple[str, str], RLock] = defaultdict(RLock)
        self._lock = RLock()

    @property
    def tagger(self) -> TextTagger:
        """The part-of-speech tagger; `BackendUnavailable` where none is installed."""
        with self._lock:
            if self._tagger is None:
                self._tagger = TextTagger(self.embedder.cache)
            return self._tagger

    def features(
        self, representation: str, reduction: str = "none", progress: Progress = silent
    ) -> Features:
        """Return the features of all texts in `representation` under `reduction`, or its control.

        Those of few texts are kept: several measures take the same, and threads that ask for the
        same at once wait for the first.

        Raises:
            ConfigError: an unknown representation or reduction.
            DataError: parts of speech are needed, and the texts are not English.
            BackendUnavailable: the embedding model or the tagger is not there.
        """
        key = (representation, reduction)
        if len(self.texts.texts) > MANY_ROWS:
            return self._features(*key, progress)
        with self._lock:
            making = self._making[key]
        with making:
            if key not in self._kept:
                self._kept[key] = self._features(*key, progress)
            return self._kept[key]

    def _features(self, representation: str, reduction: str, progress: Progress) -> Features:
        represented = find_representation(representation)
        reduced = find_reduction(reduction)
        if represented.tagged or reduced.tagged:
            self._require_english(represented.title if represented.tagged else reduced.title)
        inputs = self.texts.inputs()
        texts = self._reduced_texts(reduced, inputs, progress)
        if reduced.vectors is None:
            return represented.features(self._request(texts, inputs, progress))
        items = ItemInputs(
            self.texts.item, lambda: self.input_embedding(progress), self.seed, self._of_inputs
        )
        vectors = reduced.vectors(items)
        input_item = np.zeros(0, dtype=int)
        if vectors.represents_inputs:
            sources = [t for t in (self.texts.text_a, self.texts.text_b) if any(t)]
            texts = texts + [text for source in sources for text in source]
            input_item = np.tile(np.arange(len(self.texts.text_a)), len(sources))
            inputs = inputs + [(self.texts.text_a[i], self.texts.text_b[i]) for i in input_item]
        request = self._request(texts, inputs, progress, ngram_limit=_FEW_NGRAMS)
        return ReducedFeatures(represented.features(request), vectors, self.texts.item, input_item)

    def _reduced_texts(self, reduction: Reduction, inputs, progress: Progress) -> list[str]:
        """Return the texts after a reduction of texts, the same for every representation.

        Those of few texts are kept; they are not to be changed.
        """

        def changed() -> list[str]:
            rng = np.random.default_rng([self.seed, 0x3A5C])
            return reduction.changed(
                self.texts.texts, inputs, rng, lambda texts: self.tagger(texts, progress)
            )

        if not reduction.changes_text or len(self.texts.texts) > MANY_ROWS:
            return changed()
        with self._lock:
            making = self._making["texts", reduction.name]
        with making:
            if reduction.name not in self._reduced:
                self._reduced[reduction.name] = changed()
            return self._reduced[reduction.name]

    def _request(self, texts, inputs, progress: Progress, **options) -> FeatureRequest:
        return FeatureRequest(
            texts,
            inputs,
            self.embedder,
            lambda: self.tagger,
            progress,
            english=not self._not_english,
            **options,
        )

    @cached_property
    def _not_english(self) -> str:
        return not_english(self.texts.texts, self.texts.authors)

    def _require_english(self, title: str) -> None:
        if self._not_english:
            raise DataError(
                f"“{title}” cannot be computed: {self._not_english}",
                todo="choose representations and reductions that need no tagger",
            )

    def input_embedding(self, progress: Progress = silent) -> np.ndarray:
        """Return the features of each item's input pair [items, e], as `residual` needs them."""
        a, b = np.split(self.input_pair(progress), 2, axis=1)
        return input_features(a, b)

    def input_pair(self, progress: Progress = silent) -> np.ndarray:
        """Embeddings of each item's two texts side by side [items, 2e]; 0 for an empty second."""
        a, b = np.split(self.embedder([*self.texts.text_a, *self.texts.text_b], progress), 2)
        has_b = np.array([[bool(text)] for text in self.texts.text_b], dtype=np.float32)
        return np.concatenate([a, b * has_b], axis=1)


def count_ngrams(texts: list[str], kind: str) -> sparse.csr_matrix:
    """Count n-grams [n, vocabulary].

    Args:
        kind: "words" (1–2 of a text), "characters" (2–4), or "tags" (1–3; a text is tags with
            spaces between them).
    """
    from sklearn.feature_extraction.text import CountVectorizer

    settings = {
        "words": {"tokenizer": tokens, "token_pattern": None, "ngram_range": (1, 2)},
        "characters": {"analyzer": "char", "ngram_range": (2, 4)},
        "tags": {"tokenizer": str.split, "token_pattern": None, "ngram_range": (1, 3)},
    }
    vectorizer = CountVectorizer(lowercase=False, dtype=np.int32, **settings[kind])
    try:
        return vectorizer.fit_transform(texts).tocsr()
    except ValueError:  # no text has a single token
        return sparse.csr_matrix((len(texts), 1), dtype=np.int32)
