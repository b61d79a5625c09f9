"""A dataset's explanations cut into phrases, and the explanations that have a phrase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.text.encode import Corpus, encode, in_input
from capo_core.text.lexicons import MANNER_WORDS
from capo_core.text.ngrams import PhraseTable, phrase_table
from capo_core.text.tokens import normalise, tokens, unify_quotes


@dataclass(frozen=True)
class Wording:
    """The explanations of a dataset, cut into phrases once for all that is asked of them.

    Attributes:
        table: presence of phrases, [n × phrases], n the explanations that are not empty.
        annotation_ids, items, annotators: [n]; items and annotators as numbers, the latter in
            the order of `names`.
        n_words: int64 [n], words of each explanation.
        names: annotators with at least one explanation.
    """

    table: PhraseTable
    annotation_ids: np.ndarray
    items: np.ndarray
    annotators: np.ndarray
    n_words: np.ndarray
    names: tuple[str, ...]

    def counts(self) -> np.ndarray:
        """float64 [annotators × phrases]: explanations that have the phrase."""
        n = len(self.annotators)
        group = sparse.csr_matrix(
            (np.ones(n), (self.annotators, np.arange(n))), shape=(len(self.names), n)
        )
        return (group @ self.table.presence).toarray().astype(float)


def wording(
    dataset: Dataset,
    *,
    raw: bool = False,
    ngrams: tuple[int, int] = (1, 3),
    min_texts: int | None = None,
    without_input: bool = True,
) -> Wording:
    """The phrases of a dataset's explanations.

    Args:
        raw: False cuts normalised texts, True the texts as written.
        ngrams: shortest and longest phrase, in tokens.
        min_texts: how many explanations must have a phrase; by default 5, or one in a thousand.
        without_input: leave out content words that stand in the item's own texts, and phrases
            over them. Manner words ("the", "not", "context") always count: they stand in most
            inputs, and leaving them out would hide manner, not content.
    """
    if not 1 <= ngrams[0] <= ngrams[1] <= 5:
        raise ConfigError(f"phrases of {ngrams} tokens", expected="1 ≤ shortest ≤ longest ≤ 5")
    said = explained(dataset)
    texts = said["explanation"] if raw else said["explanation"].map(normalise)
    corpus = encode(texts.tolist())
    allowed = np.ones(len(corpus.ids), dtype=bool)
    if without_input:
        allowed = ~content_of_input(corpus, said)
    if min_texts is None:
        min_texts = max(5, len(said) // 1000)
    table = phrase_table(corpus, ngrams, min_texts=max(1, min_texts), allowed=allowed)
    table = _telling(table)
    present = set(said["annotator_id"])
    names = tuple(name for name in dataset.annotators if name in present)
    is_word = np.array([token[0].isalnum() for token in corpus.vocabulary], dtype=bool)
    return Wording(
        table,
        said["annotation_id"].to_numpy(),
        pd.factorize(said["item_id"])[0],
        pd.Categorical(said["annotator_id"], categories=names).codes.astype(np.int64),
        corpus.count(is_word).astype(np.int64),
        names,
    )


def _telling(table: PhraseTable) -> PhraseTable:
    """Without the phrases that every text has: they tell nobody apart, and have no odds."""
    some = np.flatnonzero(table.presence.getnnz(axis=0) < table.presence.shape[0])
    return PhraseTable(table.presence[:, some], tuple(table.phrases[k] for k in some))


def explained(dataset: Dataset) -> pd.DataFrame:
    """The annotations that have an explanation, with text_a and text_b of their items."""
    said = dataset.annotations[dataset.annotations["explanation"].str.strip() != ""]
    texts = dataset.items[["item_id", "text_a", "text_b"]]
    return said.merge(texts, on="item_id", how="left", validate="many_to_one")


def content_of_input(corpus: Corpus, said: pd.DataFrame) -> np.ndarray:
    """bool [tokens in all]: content words that stand in the texts of their own item."""
    sources = (said["text_a"] + "\n" + said["text_b"]).tolist()
    return in_input(corpus, sources) & ~corpus.flag(MANNER_WORDS)[corpus.ids]


def find(
    dataset: Dataset, phrase: str, *, raw: bool = False, without_input: bool = False
) -> tuple[str, ...]:
    """Identifiers of the annotations whose explanation has `phrase`, in the order of the table.

    Found token by token ("it" is not found in "its"), in normalised texts unless `raw`. With the
    `raw` and `without_input` of a table of phrases, exactly its counted explanations are found.
    """
    wanted = tuple(tokens(phrase))
    if not wanted:
        raise ConfigError(
            "there is nothing to look for", expected="a phrase of one word or mark, or more"
        )
    said = explained(dataset)
    texts = said["explanation"] if raw else said["explanation"].map(normalise)
    # Most texts do not hold the rarest-looking token at all: only the rest are tokenised.
    probe = max(wanted, key=len)
    near = texts.map(lambda text: probe in unify_quotes(text).lower())
    said, texts = said[near], texts[near]
    corpus = encode(texts.tolist())
    if not set(wanted) <= set(corpus.index):
        return ()
    free = ~content_of_input(corpus, said) if without_input else np.ones(len(corpus.ids), bool)
    start = np.arange(len(corpus.ids) - len(wanted) + 1)
    hit = corpus.text_of[start] == corpus.text_of[start + len(wanted) - 1]
    for offset, token in enumerate(wanted):
        hit &= (corpus.ids[start + offset] == corpus.index[token]) & free[start + offset]
    found = np.unique(corpus.text_of[start[hit]])
    return tuple(said["annotation_id"].to_numpy()[found])
