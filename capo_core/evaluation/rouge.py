"""ROUGE-L (Lin 2004): how long a sequence of words two texts have in common, in order."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")


def rouge_words(text: str) -> list[str]:
    """Letters and digits in a row, lower-cased: as the library `rouge-score` cuts ASCII text.

    That library drops all other letters; here they count, so that no language is left without
    words.
    """
    return _WORD.findall(text.lower())


def common_subsequence(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence; time goes with the product of the lengths."""
    previous = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for column, against in enumerate(other):
            same = word == against
            row.append(previous[column] + 1 if same else max(row[column], previous[column + 1]))
        previous = row
    return previous[-1]


def rouge_l(text: str, reference: str) -> float:
    """F-measure of ROUGE-L, 0 to 1; 0 where one of the two has no word."""
    words, wanted = rouge_words(text), rouge_words(reference)
    if not words or not wanted:
        return 0.0
    # F = 2PR / (P + R) with P = lcs / |words| and R = lcs / |wanted|.
    return 2 * common_subsequence(words, wanted) / (len(words) + len(wanted))
