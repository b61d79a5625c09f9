"""Coarse parts of speech of texts: by spaCy where a model is installed, else by TextBlob's tagger.

TextBlob's pattern tagger brings its own lexicon, so that it works without any download. The two
give other tags in places: a result names its tagger, and numbers of two taggers do not compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.text.tokens import tokens

TAGGERS = ("auto", "spacy", "textblob")
# Penn Treebank tags by their beginning, the longest first, as universal ones (Petrov et al. 2012).
_COARSE = (
    ("NNP", "PROPN"), ("NN", "NOUN"), ("VB", "VERB"), ("MD", "VERB"), ("JJ", "ADJ"),
    ("RB", "ADV"), ("WRB", "ADV"), ("PRP", "PRON"), ("WP", "PRON"), ("EX", "PRON"),
    ("DT", "DET"), ("PDT", "DET"), ("WDT", "DET"), ("IN", "ADP"), ("TO", "PRT"), ("RP", "PRT"),
    ("POS", "PRT"), ("CC", "CONJ"), ("CD", "NUM"),
)  # fmt: skip
# The tagger's lexicon has the parts of contractions, as the Penn Treebank writes them.
_CONTRACTION = re.compile(r"(?<=[a-z])(n't|'(?:s|re|ve|ll|d|m))$")


@dataclass(frozen=True)
class Tagger:
    """A tagger and its name, with the version of what it is made of.

    Attributes:
        tag: texts → the coarse tags of each text's tokens, in order.
    """

    name: str
    tag: Callable[[Sequence[str]], list[list[str]]]


def load_tagger(wish: str = "auto") -> Tagger:
    """The tagger asked for; "auto" is spaCy's where an English model is installed.

    Raises:
        ConfigError: there is no such tagger. BackendUnavailable: it is not installed.
    """
    if wish not in TAGGERS:
        raise ConfigError(f"there is no tagger {wish!r}", expected=f"one of {', '.join(TAGGERS)}")
    if wish != "textblob":
        found = _spacy()
        if found is not None:
            return found
        if wish == "spacy":
            raise BackendUnavailable(
                "spaCy is not installed, or no English model of it",
                todo="pip install spacy, python -m spacy download en_core_web_sm; or take textblob",
            )
    return _textblob()


def _spacy() -> Tagger | None:
    try:
        import spacy
        from spacy.util import get_installed_models
    except ImportError:
        return None
    models = sorted(name for name in get_installed_models() if name.startswith("en_"))
    if not models:
        return None
    language = spacy.load(models[0], disable=["parser", "ner", "lemmatizer"])

    def tag(texts: Sequence[str]) -> list[list[str]]:
        return [[token.pos_ for token in made if not token.is_space]
                for made in language.pipe(texts)]  # fmt: skip

    return Tagger(f"spaCy {models[0]} {language.meta.get('version', '')}".strip(), tag)


def _textblob() -> Tagger:
    try:
        from textblob.en.taggers import PatternTagger
    except ImportError as error:
        raise BackendUnavailable(
            "the package textblob is not installed", todo="pip install textblob"
        ) from error
    tagger = PatternTagger()

    def tag(texts: Sequence[str]) -> list[list[str]]:
        return [_tags(tagger, text) for text in texts]

    return Tagger(f"TextBlob {version('textblob')} PatternTagger", tag)


def _tags(tagger, text: str) -> list[str]:
    words = [part for token in tokens(text) for part in _parts(token)]
    if not words:
        return []
    # The tagger reads "word/tag" and splits at spaces; a token has no space, a slash is its own.
    plain = " ".join("," if word == "/" else word for word in words)
    found = [tag for _, tag in tagger.tag(plain, tokenize=False)]
    return [coarse(tag) for tag in found]


def _parts(token: str) -> list[str]:
    """ "doesn't" → "does", "n't"; everything else as it is."""
    match = _CONTRACTION.search(token)
    return [token[: match.start()], match.group()] if match and match.start() else [token]


def coarse(tag: str) -> str:
    """A Penn Treebank tag as one of twelve universal ones; "." for punctuation, "X" for other."""
    for beginning, name in _COARSE:
        if tag.startswith(beginning):
            return name
    return "X" if tag[:1].isalpha() else "."
