"""The choice of phrases without repetition: of "the", "the context", "context mentions", one.

Nothing here knows what makes a phrase strong; any ranking of phrases can be pruned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy import sparse

_AS_STRONG = 0.9  # a longer phrase stands for a shorter one from this share of its z on
_COVERED = 0.5  # a phrase goes when this share of its texts have a related phrase that stays


def prune_phrases(
    order: Sequence[int],
    strength: np.ndarray,
    phrases: Sequence[str],
    presence: sparse.spmatrix,
    top: int,
    here: np.ndarray | None = None,
) -> list[int]:
    """Choose at most `top` of the phrases in `order`, the strongest first, without repetition.

    A phrase is related to another when it is contained in it or runs on from it, token for token.
    Walking from the strongest down, a phrase goes when at least half of the texts that have it
    also have related phrases already chosen. A chosen phrase is replaced by the longest phrase
    containing it that is nearly as strong ("info" by "no info about").

    Args:
        order: places of candidates in `phrases`, strongest first.
        strength: float [phrases], |z|.
        presence: [texts × phrases]; quickest by columns (csc).
        here: bool [texts], those of the one group; None for all.
    """
    by_phrase = presence.tocsc()

    @cache
    def texts(number: int) -> np.ndarray:
        rows = by_phrase.indices[by_phrase.indptr[number] : by_phrase.indptr[number + 1]]
        return rows if here is None else rows[here[rows]]

    covered = np.zeros(by_phrase.shape[0], dtype=np.int32)  # the last question that marked a text
    asked = 0

    def share_within(own: np.ndarray, covering: list[np.ndarray]) -> float:
        nonlocal asked
        if not len(own):
            return 1.0
        asked += 1
        for rows in covering:
            covered[rows] = asked
        return np.count_nonzero(covered[own] == asked) / len(own)

    parts = {number: _Spans.of(phrases[number]) for number in order}
    containing: dict[tuple[str, ...], list[int]] = {}  # a phrase → the longer ones with it
    for number in order:
        for inner in parts[number].inner:
            containing.setdefault(inner, []).append(number)
    chosen = _Chosen()

    def repeats(number: int) -> bool:
        related = [texts(other) for other in chosen.related(parts[number])]
        return bool(related) and share_within(texts(number), related) >= _COVERED

    for number in order:
        if len(chosen.numbers) >= top:
            break
        if repeats(number):
            continue
        longer = [
            other
            for other in containing.get(parts[number].whole, ())
            if strength[other] >= _AS_STRONG * strength[number] and not repeats(other)
        ]
        best = max(longer, key=lambda n: (len(parts[n].whole), strength[n]), default=number)
        chosen.add(best, parts[best])
    return chosen.numbers


@dataclass(frozen=True)
class _Spans:
    """A phrase as tokens, and the token sequences by which another phrase is related to it."""

    whole: tuple[str, ...]
    inner: frozenset[tuple[str, ...]]  # contained in it, shorter
    begins: tuple[tuple[str, ...], ...]
    ends: tuple[tuple[str, ...], ...]

    @classmethod
    @lru_cache(maxsize=200_000)
    def of(cls, phrase: str) -> _Spans:
        whole = tuple(phrase.split(" "))
        n = len(whole)
        return cls(
            whole,
            frozenset(whole[k : k + w] for w in range(1, n) for k in range(n - w + 1)),
            tuple(whole[:w] for w in range(1, n)),
            tuple(whole[-w:] for w in range(1, n)),
        )


class _Chosen:
    """The phrases chosen so far, found by what they contain, begin and end with."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._found: dict[tuple[str, tuple[str, ...]], list[int]] = {}

    def add(self, number: int, spans: _Spans) -> None:
        self.numbers.append(number)
        keys = [("whole", spans.whole), *(("inner", each) for each in spans.inner)]
        keys += [("begins", each) for each in spans.begins]
        keys += [("ends", each) for each in spans.ends]
        for key in keys:
            self._found.setdefault(key, []).append(number)

    def related(self, spans: _Spans) -> set[int]:
        """Return the chosen that contain the phrase, are contained in it or overlap its ends."""
        keys = [("whole", spans.whole), ("inner", spans.whole)]
        keys += [("whole", each) for each in spans.inner]
        keys += [("begins", each) for each in spans.ends]
        keys += [("ends", each) for each in spans.begins]
        return {number for key in keys for number in self._found.get(key, ())}
