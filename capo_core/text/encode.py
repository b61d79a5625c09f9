"""Many texts as one array of token numbers, so that counting is arithmetic and not a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from capo_core.text.tokens import tokens, words


@dataclass(frozen=True)
class Corpus:
    """Tokens of n texts, one after the other.

    Attributes:
        ids: int64 [tokens in all], each token's place in `vocabulary`.
        starts: int64 [n + 1]; text t is `ids[starts[t]:starts[t + 1]]`.
        vocabulary: the distinct tokens, in order of first use.
    """

    ids: np.ndarray
    starts: np.ndarray
    vocabulary: tuple[str, ...]

    @property
    def n_texts(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def text_of(self) -> np.ndarray:
        """int64 [tokens in all]: which text each token stands in."""
        return np.repeat(np.arange(self.n_texts), np.diff(self.starts))

    @cached_property
    def index(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary)}

    def flag(self, chosen: Iterable[str]) -> np.ndarray:
        """bool [vocabulary]: True at the tokens in `chosen`."""
        flags = np.zeros(len(self.vocabulary), dtype=bool)
        flags[[self.index[token] for token in chosen if token in self.index]] = True
        return flags

    def count(self, flags: np.ndarray) -> np.ndarray:
        """float64 [n]: how many tokens of each text are flagged; `flags` is [vocabulary]."""
        return self.count_marked(flags[self.ids])

    def count_marked(self, marked: np.ndarray) -> np.ndarray:
        """float64 [n]: how many tokens of each text are marked; `marked` is [tokens in all]."""
        return np.bincount(self.text_of[marked], minlength=self.n_texts).astype(float)


def encode(texts: Sequence[str]) -> Corpus:
    """The corpus of `texts`, tokenised as everywhere (`capo_core.text.tokens`)."""
    index: dict[str, int] = {}
    ids: list[int] = []
    starts = [0]
    for text in texts:
        ids.extend([index.setdefault(token, len(index)) for token in tokens(text)])
        starts.append(len(ids))
    return Corpus(np.array(ids, dtype=np.int64), np.array(starts, dtype=np.int64), tuple(index))


def in_input(corpus: Corpus, inputs: Sequence[str]) -> np.ndarray:
    """bool [tokens in all]: the token is a word that stands in its text's own input.

    `inputs[t]` is the input of text t; equal inputs are tokenised once. The same words are found
    as by `tokens.input_spans`.
    """
    distinct = {text: number for number, text in enumerate(dict.fromkeys(inputs))}
    size = max(len(corpus.vocabulary), 1)
    keys = [
        number * size + corpus.index[word]
        for text, number in distinct.items()
        for word in set(words(text))
        if word in corpus.index
    ]
    which = np.array([distinct[text] for text in inputs], dtype=np.int64)
    if not len(corpus.ids):
        return np.zeros(0, dtype=bool)
    return np.isin(which[corpus.text_of] * size + corpus.ids, np.array(keys, dtype=np.int64))
