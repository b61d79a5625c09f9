"""One phrase where several say the same: "the", "the context", "context mentions" are one habit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

_AS_STRONG = 0.9  # a longer phrase stands for a shorter one from this share of its z on
_COVERED = 0.5  # a phrase goes when this share of its texts have a related phrase that stays


def prune(
    order: Sequence[int],
    strength: np.ndarray,
    phrases: Sequence[str],
    presence: sparse.csr_matrix,
    top: int,
) -> list[int]:
    """At most `top` of the phrases in `order`, the strongest first, without repetition.

    A phrase is related to another when it is contained in it or runs on from it, token for token.
    Walking from the strongest down, a phrase goes when at least half of the texts that have it
    also have related phrases already kept. A kept phrase is replaced by the longest phrase
    containing it that is nearly as strong ("info" by "no info about").

    Args:
        order: places of candidates in `phrases`, strongest first.
        strength: float [phrases], |z|.
        presence: [texts of the one group × phrases].
    """
    table = presence[:, order].tocsc()
    texts = {
        number: table.indices[table.indptr[k] : table.indptr[k + 1]]
        for k, number in enumerate(order)
    }
    cut = {number: tuple(phrases[number].split(" ")) for number in order}
    kept: list[int] = []

    def repeats(number: int) -> bool:
        related = [texts[other] for other in kept if _related(cut[number], cut[other])]
        return bool(related) and _share_within(texts[number], related) >= _COVERED

    for number in order:
        if len(kept) >= top:
            break
        if repeats(number):
            continue
        longer = [
            other
            for other in order
            if len(cut[other]) > len(cut[number])
            and _contains(cut[other], cut[number])
            and strength[other] >= _AS_STRONG * strength[number]
            and not repeats(other)
        ]
        kept.append(max(longer, key=lambda n: (len(cut[n]), strength[n]), default=number))
    return kept


def _share_within(own: np.ndarray, covering: list[np.ndarray]) -> float:
    if not len(own):
        return 1.0
    return float(np.isin(own, np.concatenate(covering)).mean())


def _contains(longer: tuple[str, ...], shorter: tuple[str, ...]) -> bool:
    width = len(shorter)
    return any(longer[k : k + width] == shorter for k in range(len(longer) - width + 1))


def _related(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Contained in each other, or the end of one is the beginning of the other."""
    if _contains(one, other) or _contains(other, one):
        return True
    widths = range(1, min(len(one), len(other)))
    return any(one[-w:] == other[:w] or other[-w:] == one[:w] for w in widths)
