"""Tokens of explanations: normalisation, words of the item's own texts, and phrases.

Words follow the word boundaries of Unicode (UAX 29) in all scripts: combining marks stay with
their letters, and text of scripts that put no spaces between words is segmented (`segmentation`).
Three things are tailored, as UAX 29 allows: hyphens join words, numbers are not joined by full
stops or commas, and an underscore joins nothing.

Many texts become one array of token numbers, so that counting is arithmetic and not a loop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import sparse

from capo_core.formatting import capitalised
from capo_core.text.segmentation import FORMAT, MARKS, SEPARATOR, SPACELESS, segments

# A word keeps its inner apostrophes and hyphens ("doesn't", "well-known"), its combining marks and
# invisible joiners; every other character that is no space is a token of its own.
_LETTER = rf"[^\W_][{MARKS}{FORMAT}]*"
_JOINED = r"['\-\u05f3\u05f4\u00b7]"  # in Hebrew also geresh and gershayim, in Catalan the point
_TOKEN = re.compile(
    rf"(?:{_LETTER})+(?:{_JOINED}(?:{_LETTER})+)*|[^\w\s{FORMAT}{SEPARATOR}][{MARKS}]*|_"
)
_PLAIN = re.compile(r"[^\W_]+(?:['\-][^\W_]+)*|[^\w\s]|_")  # the same, where text is ASCII
_RUN = re.compile(rf"(?:{_LETTER})+")
_RUN_ASCII = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(f"[{SPACELESS}]")
_ATTACHED = re.compile(f"[{MARKS}{FORMAT}]")
_INVISIBLE = re.compile(f"[{FORMAT}]")
_WORD = re.compile(r"[^\W_]")
# A character that continues a word, for patterns that look at its borders.
WORD_CHARACTER = rf"[\w{MARKS}{FORMAT}]"
_QUOTES = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "`": "'"}
)


@dataclass(frozen=True)
class Span:
    """A token and its position: `text[start:end]`, lower-cased and with quotes unified."""

    start: int
    end: int
    token: str

    @property
    def is_word(self) -> bool:
        return bool(_WORD.match(self.token))


def unify_quotes(text: str) -> str:
    """Return `text` with plain quotes and apostrophes; its length stays the same."""
    return text.translate(_QUOTES)


def normalise(text: str) -> str:
    """Return `text` without the formatting habits that identify an annotator without being style.

    Unicode NFKC, quotes unified, runs of white space as one space, stripped, lower-cased, final
    full stops, exclamation and question marks of any script removed. On VariErr these habits alone
    name the annotator in 48 % of cases, so nothing is attributed or learned from raw text unless
    requested.
    """
    text = unify_quotes(unicodedata.normalize("NFKC", text))
    # NFKC takes the vowel sign AM of Thai and Lao apart, which no dictionary spells so.
    text = text.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")
    return " ".join(text.split()).lower().rstrip(_FINAL)


# The full stops, question marks and spaces with which sentences end, in the scripts that have
# their own: Chinese and Japanese, Arabic, Urdu, Devanagari, Armenian, Ethiopic, Khmer, Burmese.
FULL_STOPS = ".\u3002\uff61\u06d4\u0964\u0965\u0589\u1362\u17d4\u17d5\u104b"
QUESTION_MARKS = "?\u061f\u037e\u055e\u1367"
_FINAL = f"{FULL_STOPS}!{QUESTION_MARKS} "
_CAPITAL, _OUTER = "\u2191", "\u2423"  # ↑ for a capital at the beginning, ␣ for an outer space


def same_form(text: str) -> str:
    """Return `text` with the typing habits made equal and its wording left as it is.

    Runs of white space as one space, stripped, final '.', '!' and '?' removed, a capital at the
    beginning. For language models, which know no text in lower case throughout; all else is
    compared by `normalise`.
    """
    plain = " ".join(text.split()).rstrip(_FINAL)
    return capitalised(plain)


def typing_marks(text: str) -> tuple[str, str]:
    """Return what `normalise` makes equal at the two ends of `text`, as tokens before and after it.

    Before: ␣ for a space, ↑ for a capital; after: the final punctuation as written, ␣ for a space.
    """
    inner = text.strip()
    before = _OUTER * text[:1].isspace() + _CAPITAL * inner[:1].isupper()
    final = inner[len(inner.rstrip(_FINAL)) :].replace(" ", "")
    return " ".join(before), " ".join(final + _OUTER * text[-1:].isspace())


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and text of each token of `text`, whose quotes are unified."""
    if text.isascii():
        for match in _PLAIN.finditer(text):
            yield match.start(), match.end(), match.group()
        return
    for match in _TOKEN.finditer(text):
        start, found = match.start(), match.group()
        if not _UNSPACED.search(found):
            yield start, match.end(), found
            continue
        for first, last in segments(found):
            # The segmenter knows no hyphenated words; its other pieces are tokens as they are.
            yield start + first, start + last, found[first:last]


def _form(token: str) -> str:
    """Return the token as it is counted: lower-cased, without invisible formatting characters."""
    token = token.lower()
    return token if token.isascii() else _INVISIBLE.sub("", token) or token


def unspaced(text: str) -> bool:
    """Return whether `text` has letters of a script without spaces between words."""
    return bool(_UNSPACED.search(text))


def spans(text: str) -> list[Span]:
    """Return all tokens of `text` with their places, words and punctuation, in order."""
    return list((_short_spans if len(text) <= _SHORT else _all_spans)(text))


def tokens(text: str) -> list[str]:
    """Return all tokens of `text`, lower-cased: words and single punctuation marks.

    >>> tokens("It doesn't say so.")
    ['it', "doesn't", 'say', 'so', '.']
    >>> tokens("因为男孩跑步")
    ['因为', '男孩', '跑步']
    """
    return list((_short_tokens if len(text) <= _SHORT else _all_tokens)(text))


def _all_spans(text: str) -> tuple[Span, ...]:
    return tuple(
        Span(start, end, _form(token)) for start, end, token in _pieces(unify_quotes(text))
    )


def _all_tokens(text: str) -> tuple[str, ...]:
    return tuple(_form(token) for _, _, token in _pieces(unify_quotes(text)))


# A report asks a dozen times for the tokens of the same explanations and item texts.
_SHORT, _REMEMBERED = 2000, 16_384  # characters of a text; texts, so that some 60 MB are held
_short_spans = lru_cache(maxsize=_REMEMBERED)(_all_spans)
_short_tokens = lru_cache(maxsize=_REMEMBERED)(_all_tokens)


def words(text: str) -> list[str]:
    """Return the words of `text`, lower-cased, without punctuation."""
    return [token for token in tokens(text) if _WORD.match(token)]


def plain_words(text: str) -> list[str]:
    """Return runs of letters and digits, lower-cased: words without joined hyphens and apostrophes.

    For ASCII text the tokenisation of `rouge-score`.
    """
    text = text.lower()
    if text.isascii():
        return _RUN_ASCII.findall(text)
    found: list[str] = []
    for run in _RUN.findall(text):
        pieces = segments(run) if _UNSPACED.search(run) else ((0, len(run)),)
        found += [_form(run[first:last]) for first, last in pieces]
    return found


def count_words(text: str) -> int:
    """Count the words of `text`, in any script."""
    return len(words(text))


def count_letters(text: str) -> int:
    """Return the number of characters as a reader counts them.

    Combining marks (vowel signs, accents) and invisible joiners belong to their letter.

    >>> count_letters("हिन्दी"), count_letters("naïve"), count_letters("cat's")
    (3, 5, 5)
    """
    return len(text) if text.isascii() else len(_ATTACHED.sub("", text))


def input_spans(text: str, *inputs: str) -> list[Span]:
    """Return the words of `text` that occur in the item's own texts `inputs` too.

    The reduction `mask_input` replaces and the item browser dims exactly these.
    """
    vocabulary = {word for source in inputs for word in words(source)}
    return [span for span in spans(text) if span.is_word and span.token in vocabulary]


@dataclass(frozen=True)
class TokenizedTexts:
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
        """Index of each token's text, int64 [total tokens]."""
        return np.repeat(np.arange(self.n_texts), np.diff(self.starts))

    @cached_property
    def index(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary)}

    def flag(self, chosen: Iterable[str]) -> np.ndarray:
        """Return bool [vocabulary], True at the tokens in `chosen`."""
        flags = np.zeros(len(self.vocabulary), dtype=bool)
        flags[[self.index[token] for token in chosen if token in self.index]] = True
        return flags

    def count(self, flags: np.ndarray) -> np.ndarray:
        """Count the flagged tokens of each text, float64 [n]; `flags` is [vocabulary]."""
        return self.count_marked(flags[self.ids])

    def count_marked(self, marked: np.ndarray) -> np.ndarray:
        """Count the marked tokens of each text, float64 [n]; `marked` is [total tokens]."""
        return np.bincount(self.text_of[marked], minlength=self.n_texts).astype(float)


def tokenize(texts: Sequence[str]) -> TokenizedTexts:
    """Tokenise `texts` into one array."""
    index: dict[str, int] = {}
    ids: list[int] = []
    starts = [0]
    for text in texts:
        ids.extend([index.setdefault(token, len(index)) for token in tokens(text)])
        starts.append(len(ids))
    return TokenizedTexts(
        np.array(ids, dtype=np.int64), np.array(starts, dtype=np.int64), tuple(index)
    )


def in_input(corpus: TokenizedTexts, inputs: Sequence[str]) -> np.ndarray:
    """Flag the words that occur in their text's own input: bool [tokens in all].

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
    corpus: TokenizedTexts, lengths: tuple[int, int], *, min_texts: int, allowed: np.ndarray
) -> PhraseTable:
    """Return phrases of `lengths[0]` to `lengths[1]` tokens found in at least `min_texts` texts.

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
