"""Stylometry: the catalogue of style features with their words and units, and their computation.

`features` expects normalised texts (`tokens.normalise`): case, final period and outer spaces are
formatting, which alone identifies annotators, and are measured separately (`formatting_features`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.text import lexicons
from capo_core.text.tokens import (
    FULL_STOPS,
    QUESTION_MARKS,
    TokenizedTexts,
    count_letters,
    in_input,
    tokenize,
)


@dataclass(frozen=True)
class Feature:
    """A measure of a text: its column name, its description, and its unit.

    Units: "words", "characters" and "count" are per text; "percent of words" is a share of the
    text's words, 0 to 100; "percent of explanations" is 100 where the text has it, else 0, so that
    a mean over texts is the percentage of texts that have it.
    """

    name: str
    text: str
    unit: str


PER_WORD = "percent of words"
PER_TEXT = "percent of explanations"

# The first word of a text, by class; the first class that holds it counts.
OPENERS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("opens_the", "begin with “the”", frozenset({"the"})),
    ("opens_article", "begin with “a” or “an”", frozenset({"a", "an"})),
    ("opens_it", "begin with “it” or “it's”", frozenset({"it", "it's", "its"})),
    ("opens_first_person", "begin with “I” or “we”", lexicons.FIRST_PERSON),
    ("opens_person", "begin with “they”, “he”, “you” …", lexicons.PRONOUNS),
    ("opens_demonstrative", "begin with “this”, “these” …", lexicons.DEMONSTRATIVES),
    ("opens_both", "begin with “both”", frozenset({"both"})),
    ("opens_there", "begin with “there”", frozenset({"there"})),
    ("opens_negation", "begin with a negation", lexicons.NEGATIONS),
    ("opens_if", "begin with “if”", frozenset({"if"})),
    ("opens_verdict", "begin with a verdict (“true”, “yes” …)", lexicons.VERDICTS),
    ("opens_hedge", "begin with a hedge", lexicons.HEDGES),
    ("opens_task_term", "begin with a task term", lexicons.TASK_TERMS),
    ("opens_connective", "begin with a connective", lexicons.CONNECTIVES),
    ("opens_preposition", "begin with a preposition", lexicons.PREPOSITIONS),
    ("opens_quote", "begin with a quotation mark", frozenset({'"', "'"})),
)

# Classes counted as a share of the words.
CLASSES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("function_words", "function words", lexicons.FUNCTION_WORDS),
    ("hedges", "hedges (“maybe”, “might”, “seems”)", lexicons.HEDGES),
    ("boosters", "boosters (“clearly”, “must”, “exactly”)", lexicons.BOOSTERS),
    ("modals", "modal verbs (“can”, “would”)", lexicons.MODALS),
    ("contracted_negations", "contracted negations (“doesn't”)", lexicons.CONTRACTED_NEGATIONS),
    ("full_negations", "full negations (“not”, “no”)", lexicons.FULL_NEGATIONS),
    ("connectives", "connectives (“because”, “so”)", lexicons.CONNECTIVES),
    ("quantifiers", "quantifiers (“all”, “some”)", lexicons.QUANTIFIERS),
    ("prepositions", "prepositions", lexicons.PREPOSITIONS),
    ("auxiliaries", "forms of “be”, “do” and “have”", lexicons.AUXILIARIES),
    ("first_person", "first person (“I”, “we”)", lexicons.FIRST_PERSON),
    ("second_person", "second person (“you”)", lexicons.SECOND_PERSON),
    ("third_person", "third person (“it”, “they”)", lexicons.THIRD_PERSON),
    ("task_terms", "task terms (“context”, “statement”, “Q1”)", lexicons.TASK_TERMS),
    ("reporting", "reporting words (“mentions”, “implies”)", lexicons.REPORTING),
    ("names_a", "names of the first text (“context”, “premise”, “Q1”)", lexicons.NAMES_A),
    ("names_b", "names of the second text (“statement”, “hypothesis”, “Q2”)", lexicons.NAMES_B),
    ("names_question", "“question”, “sentence” and “text”", lexicons.NAMES_TEXT),
)

# Punctuation inside a text, as a share of explanations that have it.
PUNCTUATION: tuple[tuple[str, str, str], ...] = (
    ("commas", "have a comma", ",\u060c\u3001"),
    ("semicolons", "have a semicolon", ";\u061b"),
    ("colons", "have a colon", ":"),
    ("brackets", "have brackets", "()[]"),
    ("dashes", "have a dash", "-–—"),
    ("quotation", "quote with double marks", '"\u300c\u300d\u300e\u300f'),
    ("single_quotes", "quote with single marks", "'"),
    ("slashes", "have a slash or an equals sign", "/=+<>"),
    ("inner_question_marks", "have a question mark inside", QUESTION_MARKS),
)

_MEASURES = (
    Feature("length_words", "length", "words"),
    Feature("length_characters", "length", "characters"),
    Feature("mean_word_length", "mean length of a word", "characters"),
    Feature("long_words", "words of seven letters or more", PER_WORD),
    Feature("distinct_words", "words that are different from each other", PER_WORD),
    Feature("sentence_breaks", "sentence ends inside the text", "count"),
    Feature("contractions", "contractions (“it's”, “doesn't”)", PER_WORD),
    Feature("missing_apostrophes", "contractions without apostrophe (“doesnt”)", PER_WORD),
    Feature("numbers", "numbers", PER_WORD),
    Feature("hyphenated", "words with a hyphen", PER_WORD),
    Feature("overlap_a", "words taken from the first text", PER_WORD),
    Feature("overlap_b", "words taken from the second text", PER_WORD),
    Feature("overlap_none", "words of neither text and no function words", PER_WORD),
)
FEATURES: tuple[Feature, ...] = (
    *_MEASURES,
    *(Feature(name, text, PER_WORD) for name, text, _ in CLASSES),
    *(Feature(name, text, PER_TEXT) for name, text, _ in PUNCTUATION),
    *(Feature(name, text, PER_TEXT) for name, text, _ in OPENERS),
    *(Feature(f"word_{word}", f"say “{word}”", PER_TEXT) for word in sorted(lexicons.SINGLE_WORDS)),
)
# What counts English words: without meaning in other languages, and left out of their features.
ENGLISH = frozenset(
    (
        "contractions",
        "missing_apostrophes",
        "overlap_none",
        *(name for name, *_ in CLASSES),
        *(name for name, *_ in OPENERS if name != "opens_quote"),
        *(f"word_{word}" for word in lexicons.SINGLE_WORDS),
    )
)
FORMATTING: tuple[Feature, ...] = (
    Feature("final_period", "end with a period", PER_TEXT),
    Feature("final_other", "end with “!” or “?”", PER_TEXT),
    Feature("capital_first", "begin with a capital letter", PER_TEXT),
    Feature("all_capitals", "have a word in capitals", PER_TEXT),
    Feature("outer_space_before", "begin with a space", PER_TEXT),
    Feature("outer_space_after", "end with a space", PER_TEXT),
    Feature("double_space", "have two spaces in a row", PER_TEXT),
    Feature("line_break", "have a line break", PER_TEXT),
    Feature("curly_quotes", "have typographic quotes", PER_TEXT),
)
_BY_NAME = {feature.name: feature for feature in (*FEATURES, *FORMATTING)}


def feature(name: str) -> Feature:
    """The feature of that column name; `ConfigError` where there is none."""
    if name not in _BY_NAME:
        raise ConfigError(
            f"there is no style feature {name!r}", expected="a column of stylometry.features"
        )
    return _BY_NAME[name]


def describe(name: str) -> str:
    """Return the feature in words, with its unit: "hedges (…), percent of words"."""
    found = feature(name)
    return f"{found.text}, {found.unit}"


__all__ = ["describe", "feature", "features", "formatting_features"]


def features(
    texts: Sequence[str], inputs: Sequence[tuple[str, str]], *, english: bool = True
) -> pd.DataFrame:
    """Compute all style features, float32 [len(texts) × FEATURES]; all 0 for an empty text.

    Args:
        texts: normalised explanations.
        inputs: text_a and text_b of each text's item ("" where there is none).
        english: False leaves out the features that count English words (`ENGLISH`).

    Raises:
        ConfigError: the two have different lengths.
    """
    if len(texts) != len(inputs):
        raise ConfigError(
            f"{len(texts)} texts came with {len(inputs)} inputs", expected="one input per text"
        )
    corpus = tokenize(texts)
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
    chosen = [f.name for f in FEATURES if english or f.name not in ENGLISH]
    return pd.DataFrame({name: columns[name].astype(np.float32) for name in chosen})


def _percent(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    return 100.0 * counts / np.maximum(of, 1)


def _measures(columns, texts, inputs, corpus: TokenizedTexts, is_word, n_words) -> None:
    """Fill `columns` with all of `_MEASURES`."""
    vocabulary = corpus.vocabulary
    letters = np.fromiter(map(count_letters, vocabulary), float, len(vocabulary)) * is_word
    word_letters = np.bincount(
        corpus.text_of, weights=letters[corpus.ids], minlength=corpus.n_texts
    )
    columns["length_words"] = n_words
    columns["length_characters"] = np.fromiter(map(count_letters, texts), float, len(texts))
    columns["mean_word_length"] = word_letters / np.maximum(n_words, 1)
    columns["long_words"] = _percent(corpus.count(letters >= 7), n_words)
    distinct = np.unique(corpus.text_of * max(len(vocabulary), 1) + corpus.ids)
    text_of, kind = np.divmod(distinct, max(len(vocabulary), 1))
    columns["distinct_words"] = _percent(
        np.bincount(text_of[is_word[kind]], minlength=corpus.n_texts), n_words
    )
    # A final mark is formatting: only one that is followed by more text ends a sentence inside.
    ends = corpus.flag(f"{FULL_STOPS}!{QUESTION_MARKS}")[corpus.ids]
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


def _openers(columns, corpus: TokenizedTexts) -> None:
    filled = np.flatnonzero(np.diff(corpus.starts) > 0)
    first = corpus.ids[corpus.starts[filled]]
    open_to = np.ones(len(filled), dtype=bool)  # not yet counted under an earlier class
    for name, _, chosen in OPENERS:
        hit = corpus.flag(chosen)[first] & open_to
        open_to &= ~hit
        columns[name] = np.zeros(corpus.n_texts)
        columns[name][filled[hit]] = 100.0


def _presence(corpus: TokenizedTexts, chosen: Sequence[str]) -> np.ndarray:
    """Return 100 where the text has the token, else 0; float32 [n × chosen]."""
    position = np.full(len(corpus.vocabulary), -1)
    for number, word in enumerate(chosen):
        if word in corpus.index:
            position[corpus.index[word]] = number
    column = position[corpus.ids]
    table = np.zeros((corpus.n_texts, len(chosen)), dtype=np.float32)
    table[corpus.text_of[column >= 0], column[column >= 0]] = 100.0
    return table


def formatting_features(raw_texts: Sequence[str]) -> pd.DataFrame:
    """Measure the formatting that `normalise` removes, float32 [n × FORMATTING], for a control."""

    def row(text: str) -> tuple[bool, ...]:
        bare = text.strip()
        return (
            bare.endswith(tuple(FULL_STOPS)),
            bare.endswith(("!", "\uff01", "\uff1f", *QUESTION_MARKS)),
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
