"""POSNoise: content words as symbols of their part of speech (Halvani & Graner 2021, ARES).

Nouns, names, full verbs, adjectives, adverbs, numbers in digits, symbols and foreign words become
one symbol each, those of the paper; every other word and all punctuation stay. So do
topic-agnostic words whatever their tag: where the paper has a list of words and phrases, the closed
classes of `lexicons` stand here (function words, hedges, boosters, connectives). What an
explanation calls its texts ("context", "statement") and reporting verbs are content for POSNoise;
the reduction `style_only` keeps those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capo_core.text.lexicons import BOOSTERS, CONNECTIVES, FUNCTION_WORDS, HEDGES
from capo_core.text.tagging import TaggedToken
from capo_core.text.tokens import Span, spans, unify_quotes

SYMBOLS = {
    "NOUN": "#", "PROPN": "§", "VERB": "Ø", "ADJ": "@",
    "ADV": "©", "NUM": "µ", "SYM": "$", "X": "¥",
}  # fmt: skip
TAG_OF = {symbol: tag for tag, symbol in SYMBOLS.items()}

_KEPT = FUNCTION_WORDS | HEDGES | BOOSTERS | CONNECTIVES
_CLITICS = frozenset(("n't", "'m", "'d", "'s", "'t", "'ve", "'ll", "'re", "'em"))


def pos_noise(text: str, tokens: Sequence[TaggedToken]) -> str:
    """Return `text` with each content word as the symbol of its part of speech.

    >>> dog = [TaggedToken(0, 3, "DET"), TaggedToken(4, 7, "NOUN"), TaggedToken(8, 12, "VERB")]
    >>> pos_noise("the dog runs", dog)
    'the # Ø'
    """
    return _replaced(text, content_tokens(text, tokens))


def random_pos_noise(text: str, tokens: Sequence[TaggedToken], rng: np.random.Generator) -> str:
    """Replace as many words as `pos_noise` does, chosen at random: its control.

    A word of a part of speech that has no symbol becomes ¥.
    """
    words = [span for span in spans(text) if span.is_word]
    count = len(content_words(text, tokens))
    chosen = np.sort(rng.permutation(len(words))[:count])
    first = {token.start: token.tag for token in tokens}
    return _replaced(
        text,
        [
            TaggedToken(words[index].start, words[index].end, first.get(words[index].start, "X"))
            for index in chosen
        ],
    )


def content_tokens(text: str, tokens: Sequence[TaggedToken]) -> list[TaggedToken]:
    """Return the tokens that POSNoise replaces, in order."""
    # The tagger cuts "doesn't" and "well-known"; a part of a word that is kept is kept.
    kept = [span for span in spans(text) if span.is_word and span.token in _KEPT]
    found, place = [], 0
    for token in tokens:
        while place < len(kept) and kept[place].end <= token.start:
            place += 1
        inside = place < len(kept) and kept[place].start <= token.start < kept[place].end
        if not inside and _is_content(_word(text, token), token.tag):
            found.append(token)
    return found


def content_words(text: str, tokens: Sequence[TaggedToken]) -> list[Span]:
    """Return the words of `text` of which POSNoise replaces all or a part."""
    places = [(token.start, token.end) for token in content_tokens(text, tokens)]
    return [
        span
        for span in spans(text)
        if span.is_word and any(start < span.end and span.start < end for start, end in places)
    ]


def _word(text: str, token: TaggedToken) -> str:
    return unify_quotes(text[token.start : token.end]).lower()


def _is_content(word: str, tag: str) -> bool:
    if tag not in SYMBOLS or word in _KEPT or word in _CLITICS:
        return False
    # A number that is written out is kept, as in the paper. A mark without a letter that the tagger
    # takes for a word is punctuation.
    return word.isdigit() if tag == "NUM" else any(c.isalnum() for c in word) or tag == "SYM"


def _replaced(text: str, tokens: Sequence[TaggedToken]) -> str:
    pieces, end = [], 0
    for token in tokens:
        pieces += [text[end : token.start], SYMBOLS.get(token.tag, SYMBOLS["X"])]
        end = token.end
    return "".join([*pieces, text[end:]])
