"""Input-content reductions: remove the item's content from the annotator's explanation.

`REDUCTIONS` lists them, each with its name, titles and words, how it works, and its control (as
much taken out, at random). A reduction works on the text (`change_text`) or on vectors
(`vectors`); what has to be fitted is fitted on training rows only, and none of them sees who wrote
a text. What needs parts of speech gets them from the tagger (`change_tagged`). A new one is one
more entry: configuration, ladder, summary, command line and pages read this table.

Centering on the item's own mean is not among them: with all annotators present the residuals of an
item sum to zero, so that each text is decoded from the others. `stability.controls` shows this.

Ridge regression is solved here and not by scikit-learn's `Ridge`, since that solves for the
coefficients of all dimensions where predictions alone are needed, and always in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from scipy import linalg, sparse

from capo_core.errors import ConfigError
from capo_core.stats import ridge
from capo_core.stats.ridge import Matrix
from capo_core.text.lexicons import STYLE_WORDS
from capo_core.text.pos_noise import content_words, pos_noise, random_pos_noise
from capo_core.text.tagging import Tag, TaggedToken
from capo_core.text.tokens import Span, input_spans, normalise, spans, typing_marks

# A word that a sentence encoder reads as "some content"; runs of it are kept, since how much of
# the input an annotator takes over, and in what shape, is style.
PLACEHOLDER = "something"


def replace_spans(text: str, found: list[Span]) -> str:
    """Return `text` with each of the `found` spans replaced by the placeholder."""
    pieces, end = [], 0
    for span in found:
        # Scripts without spaces have words side by side; two placeholders are two words.
        apart = " " if pieces and span.start == end else text[end : span.start]
        pieces += [apart, PLACEHOLDER]
        end = span.end
    return "".join([*pieces, text[end:]])


def mask_input(text: str, inputs: tuple[str, str]) -> str:
    """Replace every word of `text` that occurs in the item's own texts by the placeholder."""
    return replace_spans(text, input_spans(text, *inputs))


def random_mask(text: str, inputs: tuple[str, str], rng: np.random.Generator) -> str:
    """Replace as many words as `mask_input` does, chosen at random: its control."""
    candidates = [span for span in spans(text) if span.is_word]
    count = len(input_spans(text, *inputs))
    chosen = np.sort(rng.permutation(len(candidates))[:count])
    return replace_spans(text, [candidates[index] for index in chosen])


def style_only(text: str) -> str:
    """Replace every word outside the closed classes by the placeholder; punctuation stays.

    After POSNoise (Halvani & Graner 2021), with a word list in place of a tagger.
    """
    return replace_spans(text, content_spans(text))


def content_spans(text: str) -> list[Span]:
    """Return the words of `text` outside the closed classes of function and style words."""
    return [span for span in spans(text) if span.is_word and span.token not in STYLE_WORDS]


def mask_written(text: str, inputs: tuple[str, str]) -> str:
    """Return `mask_input` of the normalised text, between marks of how `text` was typed."""
    before, after = typing_marks(text)
    return f"{before} {mask_input(normalise(text), inputs)} {after}".strip()


def typing_only(text: str) -> str:
    """Return the marks of how `text` was typed around one placeholder for all its words."""
    before, after = typing_marks(text)
    return f"{before} {PLACEHOLDER} {after}".strip()


class VectorReduction(Protocol):
    """A reduction of vectors, fitted on the training rows of one fold.

    Attributes:
        represents_inputs: whether the items' own texts are to be represented as the explanations
            are and handed over as `inputs`.
    """

    represents_inputs: ClassVar[bool]

    def __call__(
        self,
        train: np.ndarray,
        test: np.ndarray,
        train_rows: np.ndarray,
        test_rows: np.ndarray,
        inputs: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the reduced train [n_train, d] and test [n_test, d].

        Args:
            train_rows, test_rows: the numbers of these rows in the corpus.
            inputs: [m, d], the texts of the training items, in the same dimensions.
        """
        ...


@runtime_checkable
class ReducesProducts(Protocol):
    """A reduction of vectors that also works on their products: sparse vectors stay sparse."""

    def products(
        self,
        train: Matrix,
        test: Matrix,
        train_rows: np.ndarray,
        test_rows: np.ndarray,
        inputs: Matrix | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what `ridge.products` gives of the reduced rows; arguments as of the call."""
        ...


@dataclass(frozen=True)
class ItemInputs:
    """The items' own texts, as a reduction of vectors may need them.

    Attributes:
        item: the item of each corpus row [n].
        embedding: computes the features of each item's input [items, e] (`input_features`).
        seed: random seed, for controls.
        kept: what reductions of the same inputs share: of all representations.
    """

    item: np.ndarray
    embedding: Callable[[], np.ndarray]
    seed: int = 0
    kept: dict = field(default_factory=dict)


_KEPT_NUMBERS = 50_000_000  # of the weights of items that are kept for other representations
_FEW_ITEMS = 2000  # items up to which the products of all inputs are computed once for all folds


@dataclass(frozen=True)
class Residual:
    """The residual of ridge regression on the input's embedding.

    Attributes:
        inputs: features of each item's input [items, e], see `input_features`.
        item: the item of each corpus row [n].
        penalty: ridge penalty on `inputs` (unit-length parts).
        inner_folds: residuals of training rows come from models that did not see the row's item;
            in-sample residuals would be smaller than those of test rows.
        shuffle_seed: a control: pairs the items with the inputs of others.
        kept: weights of items by fold, shared by all residuals on these inputs.
    """

    represents_inputs: ClassVar[bool] = False

    inputs: np.ndarray
    item: np.ndarray
    penalty: float = 10.0
    inner_folds: int = 5
    shuffle_seed: int | None = None
    kept: dict = field(default_factory=dict)

    def __call__(self, train, test, train_rows, test_rows, inputs=None):
        fold = _FoldItems.of(self.item[train_rows], self.item[test_rows])
        mean = fold.averaging.astype(train.dtype) @ train
        if len(fold.items) <= self.inputs.shape[1]:
            predicted, ahead = (weights @ mean for weights in self._weights(fold))
        else:  # as many weights as pairs of items
            predicted, ahead = self._predictions(fold, mean)
        return train - predicted[fold.code], test - ahead[fold.test_code]

    def products(self, train, test, train_rows, test_rows, inputs=None):
        """Return the products of the residuals, which are linear in the rows of the fold."""
        kernel, cross = ridge.products(train, test)
        fold = _FoldItems.of(self.item[train_rows], self.item[test_rows])
        averaging = fold.averaging.astype(kernel.dtype)
        weights, ahead = (one.astype(kernel.dtype) for one in self._weights(fold))
        mean = averaging @ kernel
        kernel -= (weights @ mean)[fold.code]
        cross -= (ahead @ mean)[fold.test_code]
        for found in (kernel, cross):
            found -= ((averaging @ found.T).T @ weights.T)[:, fold.code]
        return kernel, cross

    def _weights(self, fold: _FoldItems) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of the training items' means in the prediction of each item, of
        training [items, items] and of test [test items, items]."""
        key = (self.shuffle_seed, self.penalty, self.inner_folds, fold.key)
        if key not in self.kept:
            if len(fold.items) <= self.inputs.shape[1]:
                made = self._weights_of_products(fold)
            else:
                unit = np.eye(len(fold.items), dtype=self.inputs.dtype)
                made = self._predictions(fold, unit)
            if (len(self.kept) + 1) * sum(one.size for one in made) > _KEPT_NUMBERS:
                return made
            self.kept[key] = made
        return self.kept[key]

    def _weights_of_products(self, fold: _FoldItems) -> tuple[np.ndarray, np.ndarray]:
        """Return `_weights` from the products of the inputs, which folds share."""
        n = len(fold.items)
        items = self._paired()[np.concatenate([fold.items, fold.test_items])]
        if len(self.inputs) <= _FEW_ITEMS:
            if "products" not in self.kept:
                inputs = self.inputs.astype(np.float64)
                self.kept["products"] = inputs @ inputs.T
            products = self.kept["products"][np.ix_(items, items)]
        else:
            inputs = self.inputs[items].astype(np.float64)
            products = inputs @ inputs.T
        count = fold.count.astype(np.float64)
        predicted = np.zeros((n, n), dtype=self.inputs.dtype)
        inner = np.arange(n) % self.inner_folds
        for number in range(self.inner_folds):
            fit, held = np.flatnonzero(inner != number), np.flatnonzero(inner == number)
            if len(held) and len(fit):
                found = ridge_weights(products, count, fit, held, self.penalty)
                predicted[np.ix_(held, fit)] = found
        ahead = np.arange(n, len(items))
        found = ridge_weights(products, count, np.arange(n), ahead, self.penalty)
        return predicted, found.astype(self.inputs.dtype)

    def _paired(self) -> np.ndarray:
        """Return the item whose input each item is paired with: its own, or another's."""
        if self.shuffle_seed is None:
            return np.arange(len(self.inputs))
        return np.random.default_rng(self.shuffle_seed).permutation(len(self.inputs))

    def _predictions(self, fold: _FoldItems, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predict the vectors of the training items, out of fold, and of the test items, from the
        training items' mean vectors [items, d]."""
        inputs = self.inputs[self._paired()]
        own, count = inputs[fold.items], fold.count.astype(mean.dtype)
        predicted = np.zeros((len(own), mean.shape[1]), dtype=mean.dtype)
        inner = np.arange(len(own)) % self.inner_folds
        for number in range(self.inner_folds):
            fit, held = inner != number, inner == number
            if not held.any() or not fit.any():
                continue
            predicted[held] = ridge_predict(
                own[fit], mean[fit], count[fit], own[held], self.penalty
            )
        return predicted, ridge_predict(own, mean, count, inputs[fold.test_items], self.penalty)


@dataclass(frozen=True)
class _FoldItems:
    """The items of a fold's rows.

    Attributes:
        items, test_items: their numbers; code, test_code: where each row's item is among them.
        count: rows of each training item; averaging: sparse [items, n_train], its mean.
    """

    items: np.ndarray
    code: np.ndarray
    count: np.ndarray
    averaging: sparse.csr_matrix
    test_items: np.ndarray
    test_code: np.ndarray

    @classmethod
    def of(cls, train: np.ndarray, test: np.ndarray) -> _FoldItems:
        """Return them from the item of each row."""
        items, code = np.unique(train, return_inverse=True)
        count = np.bincount(code)
        places = (code, np.arange(len(code)))
        averaging = sparse.csr_matrix((1 / count[code], places), (len(items), len(code)))
        return cls(items, code, count, averaging, *np.unique(test, return_inverse=True))

    @property
    def key(self) -> tuple:
        """Everything that the weights of the items depend on."""
        return self.items.tobytes(), self.count.tobytes(), self.test_items.tobytes()


@dataclass(frozen=True)
class Subspace:
    """Leading directions of the inputs, projected out.

    Attributes:
        rank: number of directions, at most a quarter of the dimensions.
        random_seed: a control: as many random directions instead.
    """

    represents_inputs: ClassVar[bool] = True

    rank: int = 16
    random_seed: int | None = None

    def __call__(self, train, test, train_rows, test_rows, inputs=None):
        directions = self.directions(inputs, train.shape[1])
        return project_out(train, directions), project_out(test, directions)

    def products(self, train, test, train_rows, test_rows, inputs=None):
        """Return the products without those of the components along the directions."""
        kernel, cross = ridge.products(train, test)
        directions = self.directions(inputs, train.shape[1])
        along = np.asarray(train @ directions.T)
        kernel -= along @ along.T
        cross -= np.asarray(test @ directions.T) @ along.T
        return kernel, cross

    def directions(self, inputs: Matrix, dimensions: int) -> np.ndarray:
        """Return the orthonormal rows [rank, d] to be removed."""
        rank = max(1, min(self.rank, dimensions // 4, inputs.shape[0] - 1))
        if self.random_seed is not None:
            noise = np.random.default_rng(self.random_seed).normal(size=(dimensions, rank))
            return np.linalg.qr(noise)[0].T.astype(np.float32)
        mean = np.asarray(inputs.mean(axis=0, dtype=np.float64)).ravel()
        inputs = inputs.astype(np.float64)
        few = inputs.shape[0] < dimensions
        if few:
            gram = _dense(inputs @ inputs.T)
            column = gram.mean(axis=0)
            gram = gram - column - column[:, None] + column.mean()
        else:
            gram = _dense(inputs.T @ inputs) - inputs.shape[0] * np.outer(mean, mean)
        size = len(gram)
        top = linalg.eigh(gram, subset_by_index=[size - rank, size - 1])[1]
        if few:
            top = np.asarray(inputs.T @ top) - np.outer(mean, top.sum(axis=0))
        return np.linalg.qr(top)[0].T.astype(np.float32)


def _dense(matrix: Matrix) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def project_out(matrix: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return `matrix` [n, d] without its components along the orthonormal `directions` [r, d]."""
    return matrix - (matrix @ directions.T) @ directions


def input_features(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return features of an input pair from its embeddings [items, e] each: a, b, a·b, |a − b|."""
    if not np.any(b):
        return a
    return np.concatenate([a, b, a * b, np.abs(a - b)], axis=1)


def ridge_predict(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, x_new: np.ndarray, penalty: float
) -> np.ndarray:
    """Predict by weighted ridge regression of y [n, d] on x [n, e] with intercept, predicted at
    x_new.

    Solved in the smaller of the two forms: (XᵀWX + αI)⁻¹ or (XXᵀ + αW⁻¹)⁻¹.
    """
    total = weight.sum()
    x_mean = (weight[:, None] * x).sum(axis=0) / total
    y_mean = (weight[:, None] * y).sum(axis=0) / total
    x, x_new, y = x - x_mean, x_new - x_mean, y - y_mean
    if len(x) <= x.shape[1]:
        kernel = x @ x.T
        kernel[np.diag_indices_from(kernel)] += penalty / weight
        return (x_new @ x.T) @ np.linalg.solve(kernel, y) + y_mean
    gram = x.T @ (weight[:, None] * x)
    gram[np.diag_indices_from(gram)] += penalty
    return x_new @ np.linalg.solve(gram, x.T @ (weight[:, None] * y)) + y_mean


def ridge_weights(
    products: np.ndarray, weight: np.ndarray, fit: np.ndarray, new: np.ndarray, penalty: float
) -> np.ndarray:
    """Return the weights of the rows `fit` in what `ridge_predict` predicts at the rows `new`.

    Args:
        products: of all rows with each other [n, n]; weight: of each row [at least the fitted].

    Returns:
        [new, fit]; each row of it sums to one.
    """
    share = weight[fit] / weight[fit].sum()
    rows = products[:, fit]
    with_mean = rows @ share
    centred = rows - with_mean[:, None] - with_mean[fit] + share @ with_mean[fit]
    kernel, cross = centred[fit], centred[new]
    kernel[np.diag_indices_from(kernel)] += penalty / weight[fit]
    solved = linalg.solve(kernel, cross.T, assume_a="pos", check_finite=False).T
    return solved + (1 - solved.sum(axis=1))[:, None] * share


TextChange = Callable[[str, tuple[str, str], np.random.Generator], str]
TaggedChange = Callable[[str, Sequence[TaggedToken], np.random.Generator], str]
Masked = Callable[[str, tuple[str, str], Sequence[TaggedToken]], list[Span]]


@dataclass(frozen=True)
class Reduction:
    """A reduction, or the control of one.

    Attributes:
        name: in configurations, tables and on the command line.
        title: the label on screens and in figures.
        in_words: ends a sentence: "accuracy 62 % with input words masked".
        description: one sentence for help texts and the documentation.
        change_text: (explanation, the item's two texts, generator) → the reduced explanation.
        change_tagged: instead of `change_text`, for what needs the tagger: (explanation, its tokens
            with their parts of speech, generator) → the reduced explanation.
        masked: (explanation, the item's two texts, its tagged tokens where the tagger is needed) →
            the words that are replaced, to be dimmed on a screen; None where none are.
        vectors: makes the reduction of vectors from the items' texts.
        needs_input_embedding: whether `vectors` computes it.
        every_measure: whether the reliability, the separation and the stricter null are computed
            under it too, and not the ladder and the variance alone.
        written: `change_text` takes the explanation as it was typed, not normalised.
        english: whether it rests on lists of English words, and is left out of other languages.
        control: takes out as much at random; None for a reduction that has none.
    """

    name: str
    title: str
    in_words: str
    description: str
    change_text: TextChange | None = None
    change_tagged: TaggedChange | None = None
    masked: Masked | None = None
    vectors: Callable[[ItemInputs], VectorReduction] | None = None
    needs_input_embedding: bool = False
    every_measure: bool = False
    written: bool = False
    english: bool = False
    control: Reduction | None = None

    @property
    def changes_text(self) -> bool:
        """Return whether it works on the text, before vectorisation."""
        return self.change_text is not None or self.change_tagged is not None

    @property
    def tagged(self) -> bool:
        """Return whether it needs parts of speech."""
        return self.change_tagged is not None

    def changed(
        self,
        texts: Sequence[str],
        inputs: Sequence[tuple[str, str]],
        rng: np.random.Generator,
        tag: Tag,
    ) -> list[str]:
        """Return the explanations after this reduction, before vectorisation.

        Args:
            inputs: the two texts of each explanation's item. tag: called only where it is needed.
        """
        if self.change_tagged is not None:
            return [
                self.change_tagged(text, tokens, rng)
                for text, tokens in zip(texts, tag(texts), strict=True)
            ]
        if self.change_text is None:
            return list(texts)
        return [self.change_text(text, pair, rng) for text, pair in zip(texts, inputs, strict=True)]


REDUCTIONS: dict[str, Reduction] = {
    reduction.name: reduction
    for reduction in (
        Reduction(
            "none",
            "Whole text",
            "on the whole text",
            "The explanation as it is, normalised.",
            every_measure=True,
        ),
        Reduction(
            "mask_input",
            "Input words masked",
            "with input words masked",
            "Each word that occurs in the item's own texts becomes a placeholder.",
            change_text=lambda text, inputs, rng: mask_input(text, inputs),
            masked=lambda text, inputs, tokens: input_spans(text, *inputs),
            every_measure=True,
            control=Reduction(
                "random_mask",
                "Random words masked",
                "with random words masked",
                "As many words masked as input words were, chosen at random: the cost of masking "
                "itself.",
                change_text=random_mask,
            ),
        ),
        Reduction(
            "residual",
            "Input regressed out",
            "with the input regressed out",
            "The residual of a ridge regression of the explanation's vector on the embedding of "
            "the item's texts.",
            vectors=lambda inputs: Residual(inputs.embedding(), inputs.item, kept=inputs.kept),
            needs_input_embedding=True,
            control=Reduction(
                "residual_shuffled",
                "Another item's input regressed out",
                "with another item's input regressed out",
                "The same residual with each item paired with another item's input.",
                vectors=lambda inputs: Residual(
                    inputs.embedding(), inputs.item, shuffle_seed=inputs.seed, kept=inputs.kept
                ),
                needs_input_embedding=True,
            ),
        ),
        Reduction(
            "subspace",
            "Input subspace projected out",
            "with the input subspace projected out",
            "The leading directions of the items' texts, represented as the explanations are, "
            "projected out.",
            vectors=lambda inputs: Subspace(),
            control=Reduction(
                "random_subspace",
                "Random subspace projected out",
                "with a random subspace projected out",
                "As many random directions projected out.",
                vectors=lambda inputs: Subspace(random_seed=inputs.seed),
            ),
        ),
        Reduction(
            "style_only",
            "Function and style words only",
            "with function and style words only",
            "Each word outside the closed classes of function and style words becomes a "
            "placeholder. For English.",
            change_text=lambda text, inputs, rng: style_only(text),
            masked=lambda text, inputs, tokens: content_spans(text),
            english=True,
        ),
        Reduction(
            "pos_noise",
            "Content words as parts of speech",
            "with content words as parts of speech",
            "POSNoise: each content word becomes a symbol of its part of speech; function words "
            "and punctuation stay. For English.",
            change_tagged=lambda text, tokens, rng: pos_noise(text, tokens),
            masked=lambda text, inputs, tokens: content_words(text, tokens),
            control=Reduction(
                "random_pos_noise",
                "Random words as parts of speech",
                "with random words as parts of speech",
                "As many words become symbols as content words did, chosen at random.",
                change_tagged=random_pos_noise,
            ),
        ),
    )
}


# Not on the ladder, whose texts are normalised throughout (its control "formatting" is about typing
# habits alone): for imitations, whose attribution stands beside it with and without these habits.
WRITTEN: dict[str, Reduction] = {
    reduction.name: reduction
    for reduction in (
        Reduction(
            "mask_input_written",
            "Input words masked, typing habits kept",
            "with input words masked and typing habits kept",
            "Input words masked, with what is made equal everywhere else kept as marks: a capital "
            "at the beginning, outer spaces, the final punctuation.",
            change_text=lambda text, inputs, rng: mask_written(text, inputs),
            written=True,
        ),
        Reduction(
            "typing_only",
            "Typing habits only",
            "by typing habits alone",
            "These marks alone, without a word of the explanation.",
            change_text=lambda text, inputs, rng: typing_only(text),
            written=True,
        ),
    )
}


def find_reduction(name: str) -> Reduction:
    """Return the reduction of this name, the control of one, or one of `WRITTEN`.

    Raises:
        ConfigError: there is none.
    """
    for reduction in (*REDUCTIONS.values(), *WRITTEN.values()):
        for candidate in (reduction, reduction.control):
            if candidate is not None and candidate.name == name:
                return candidate
    raise ConfigError(f"there is no reduction {name!r}", expected=f"one of {', '.join(REDUCTIONS)}")


def masked_words(
    reduction: Reduction,
    text: str,
    inputs: tuple[str, str],
    *,
    raw: bool = False,
    tags: Mapping[str, Sequence[TaggedToken]] | None = None,
) -> list[Span]:
    """Return the words of `text`, as written, that a reduction replaces where it is measured.

    Args:
        raw: texts are measured as they were written, and not normalised.
        tags: measured text → its tagged tokens, for what needs the tagger; without the text's own
            nothing is returned.
    """
    if reduction.masked is None:
        return []
    form = (lambda one: one) if raw else normalise
    measured = form(text)
    tokens = (tags or {}).get(measured)
    if reduction.tagged and tokens is None:
        return []
    masked = reduction.masked(measured, (form(inputs[0]), form(inputs[1])), tokens or ())
    here, there = ([span for span in spans(one) if span.is_word] for one in (measured, text))
    if [span.token for span in here] != [span.token for span in there]:
        return []  # a character that Unicode writes in two ways
    starts = {span.start for span in masked}
    return [own for span, own in zip(here, there, strict=True) if span.start in starts]


def reduction_title(name: str) -> str:
    """Return the title of a reduction or of a control; an unknown name is returned unchanged."""
    try:
        return find_reduction(name).title
    except ConfigError:
        return name
