"""Which runs of 1 to n tokens stand in which texts, as one sparse table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from capo_core.text.encode import Corpus


@dataclass(frozen=True)
class PhraseTable:
    """Presence of phrases in n texts.

    Attributes:
        presence: CSR float32 [n × phrases], 1 where the text has the phrase at least once.
        phrases: the phrases, tokens joined by a space ("the context", ", but").
    """

    presence: sparse.csr_matrix
    phrases: tuple[str, ...]


def phrase_table(
    corpus: Corpus, lengths: tuple[int, int], *, min_texts: int, allowed: np.ndarray
) -> PhraseTable:
    """All phrases of `lengths[0]` to `lengths[1]` tokens that stand in `min_texts` texts or more.

    Args:
        allowed: bool [tokens in all]; a phrase over a token that is not allowed does not count.

    Cost is linear in the tokens: a phrase is extended only where it is frequent enough itself,
    which loses nothing, since a longer phrase stands in no more texts than its beginning.
    """
    size = max(len(corpus.vocabulary), 1)
    position = np.flatnonzero(allowed)  # where a phrase begins
    number = corpus.ids[position]  # which phrase of this length it is
    names = np.array(corpus.vocabulary, dtype=object)
    rows, columns, phrases = [], [], []
    for length in range(1, lengths[1] + 1):
        if length > 1:
            last = position + length - 1
            inside = last < len(corpus.ids)
            position, number, last = position[inside], number[inside], last[inside]
            same = (corpus.text_of[last] == corpus.text_of[position]) & allowed[last]
            position, number, last = position[same], number[same], last[same]
            distinct, number = np.unique(number * size + corpus.ids[last], return_inverse=True)
            head, tail = np.divmod(distinct, size)
            names = names[head] + " " + np.array(corpus.vocabulary, dtype=object)[tail]
        text = corpus.text_of[position]
        pairs = np.unique(text * max(len(names), 1) + number)
        pair_text, pair_number = np.divmod(pairs, max(len(names), 1))
        frequent = np.bincount(pair_number, minlength=len(names)) >= min_texts
        renumber = np.cumsum(frequent) - 1
        if length >= lengths[0]:
            keep = frequent[pair_number]
            rows.append(pair_text[keep])
            columns.append(renumber[pair_number[keep]] + len(phrases))
            phrases.extend(names[frequent].tolist())
        keep = frequent[number]
        position, number, names = position[keep], renumber[number[keep]], names[frequent]
    row = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    column = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    ones = np.ones(len(row), dtype=np.float32)
    shape = (corpus.n_texts, len(phrases))
    return PhraseTable(sparse.csr_matrix((ones, (row, column)), shape=shape), tuple(phrases))
