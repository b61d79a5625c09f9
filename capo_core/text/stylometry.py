"""Stylometry: what can be counted about the manner of a text, each count named in words.

`features` expects normalised texts (`tokens.normalise`): case, final period and outer spaces are
formatting, which alone tells annotators apart, and are measured apart (`formatting_features`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.text import lexicons
from capo_core.text.encode import Corpus, encode, in_input
from capo_core.text.style_features import (
    CLASSES,
    FEATURES,
    FORMATTING,
    OPENERS,
    PUNCTUATION,
    describe,
    feature,
)

__all__ = ["describe", "feature", "features", "formatting_features"]


def features(texts: Sequence[str], inputs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """float32 [len(texts) × FEATURES]: all style features, finite; 0 throughout for an empty text.

    Args:
        texts: normalised explanations.
        inputs: text_a and text_b of each text's item ("" where there is none).

    Raises:
        ConfigError: the two have different lengths.
    """
    if len(texts) != len(inputs):
        raise ConfigError(
            f"{len(texts)} texts came with {len(inputs)} inputs", expected="one input per text"
        )
    corpus = encode(texts)
    vocabulary = corpus.vocabulary
    is_word = np.fromiter((token[0].isalnum() for token in vocabulary), bool, len(vocabulary))
    n_words = corpus.count(is_word)
    columns: dict[str, np.ndarray] = {}
    _measures(columns, texts, inputs, corpus, is_word, n_words)
    for name, _, chosen in CLASSES:
        columns[name] = _percent(corpus.count(corpus.flag(chosen)), n_words)
    for name, _, marks in PUNCTUATION:
        columns[name] = 100.0 * (corpus.count(corpus.flag(marks)) > 0)
    _openers(columns, corpus)
    single = sorted(lexicons.SINGLE_WORDS)
    presence = _presence(corpus, single)
    for position, word in enumerate(single):
        columns[f"word_{word}"] = presence[:, position]
    return pd.DataFrame({f.name: columns[f.name].astype(np.float32) for f in FEATURES})


def _percent(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    return 100.0 * counts / np.maximum(of, 1)


def _measures(columns, texts, inputs, corpus: Corpus, is_word, n_words) -> None:
    """Fills `columns` with everything in `_MEASURES`."""
    vocabulary = corpus.vocabulary
    letters = np.fromiter(map(len, vocabulary), float, len(vocabulary)) * is_word
    word_letters = np.bincount(
        corpus.text_of, weights=letters[corpus.ids], minlength=corpus.n_texts
    )
    columns["length_words"] = n_words
    columns["length_characters"] = np.fromiter(map(len, texts), float, len(texts))
    columns["mean_word_length"] = word_letters / np.maximum(n_words, 1)
    columns["long_words"] = _percent(corpus.count(letters >= 7), n_words)
    distinct = np.unique(corpus.text_of * max(len(vocabulary), 1) + corpus.ids)
    text_of, kind = np.divmod(distinct, max(len(vocabulary), 1))
    columns["distinct_words"] = _percent(
        np.bincount(text_of[is_word[kind]], minlength=corpus.n_texts), n_words
    )
    # A final mark is formatting: only one that is followed by more text ends a sentence inside.
    ends = corpus.flag(".!?")[corpus.ids]
    ends[corpus.starts[1:][np.diff(corpus.starts) > 0] - 1] = False
    columns["sentence_breaks"] = corpus.count_marked(ends)

    def share(rule) -> np.ndarray:
        flags = np.fromiter(map(rule, vocabulary), bool, len(vocabulary)) & is_word
        return _percent(corpus.count(flags), n_words)

    unmarked = {word for word in lexicons.CONTRACTED_NEGATIONS if "'" not in word}
    columns["contractions"] = share(lambda t: "'" in t)
    columns["missing_apostrophes"] = share(unmarked.__contains__)
    columns["numbers"] = share(lambda t: t[0].isdigit())
    columns["hyphenated"] = share(lambda t: "-" in t)
    from_a = in_input(corpus, [a for a, _ in inputs])
    from_b = in_input(corpus, [b for _, b in inputs])
    own = (is_word & ~corpus.flag(lexicons.FUNCTION_WORDS))[corpus.ids] & ~from_a & ~from_b
    columns["overlap_a"] = _percent(corpus.count_marked(from_a), n_words)
    columns["overlap_b"] = _percent(corpus.count_marked(from_b), n_words)
    columns["overlap_none"] = _percent(corpus.count_marked(own), n_words)


def _openers(columns, corpus: Corpus) -> None:
    filled = np.flatnonzero(np.diff(corpus.starts) > 0)
    first = corpus.ids[corpus.starts[filled]]
    open_to = np.ones(len(filled), dtype=bool)  # not yet counted under an earlier class
    for name, _, chosen in OPENERS:
        hit = corpus.flag(chosen)[first] & open_to
        open_to &= ~hit
        columns[name] = np.zeros(corpus.n_texts)
        columns[name][filled[hit]] = 100.0


def _presence(corpus: Corpus, chosen: Sequence[str]) -> np.ndarray:
    """float32 [n × chosen]: 100 where the text has the token."""
    position = np.full(len(corpus.vocabulary), -1)
    for number, word in enumerate(chosen):
        if word in corpus.index:
            position[corpus.index[word]] = number
    column = position[corpus.ids]
    table = np.zeros((corpus.n_texts, len(chosen)), dtype=np.float32)
    table[corpus.text_of[column >= 0], column[column >= 0]] = 100.0
    return table


def formatting_features(raw_texts: Sequence[str]) -> pd.DataFrame:
    """float32 [n × FORMATTING]: what `normalise` takes away, for the control on raw texts."""

    def row(text: str) -> tuple[bool, ...]:
        bare = text.strip()
        return (
            bare.endswith("."),
            bare.endswith(("!", "?")),
            bare[:1].isupper(),
            any(len(word) > 1 and word.isupper() for word in bare.split()),
            text[:1].isspace(),
            text[-1:].isspace(),
            "  " in bare,
            "\n" in bare,
            any(mark in text for mark in "“”‘’"),
        )

    table = np.array([row(text) for text in raw_texts], dtype=np.float32)
    return pd.DataFrame(
        100.0 * table.reshape(len(raw_texts), len(FORMATTING)),
        columns=[f.name for f in FORMATTING],
    )
