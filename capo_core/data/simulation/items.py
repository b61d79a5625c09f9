"""What an item of either task is to the simulator, and small helpers to word one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from capo_core.data.simulation.draws import Draws

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Item:
    """An item with what only its maker knows.

    Attributes:
        text_a, text_b: what annotators read.
        relation: how text_b was made from text_a.
        latent: NLI: log-odds of entailment, neutral, contradiction before an annotator's bias;
            paraphrase: mean and standard deviation of the score on −5…5.
        places: for each place of the explanation grammar, three ways to fill it: without words of
            the item, in brief, in full.
    """

    text_a: str
    text_b: str
    relation: str
    latent: tuple[float, ...]
    places: Mapping[str, tuple[str, str, str]]


def noise(draws: Draws, deviation: float) -> float:
    """A normal deviate with mean 0."""
    return deviation * _NORMAL.inv_cdf(min(max(draws.uniform(), 1e-9), 1 - 1e-9))


def joined(*parts: str) -> str:
    """The parts that are not empty, with single spaces."""
    return " ".join(part for part in parts if part)


def sentence(text: str, end: str = ".") -> str:
    """`text` with a capital and an end."""
    return text[:1].upper() + text[1:] + end


def is_plural(phrase: str) -> bool:
    """Does a noun phrase like "the grocers" or "farmers in the valley" take a plural verb?"""
    head = phrase
    for word in (" of ", " in ", " from ", " with ", " on "):
        head = head.partition(word)[0]
    head = head.split()[-1]
    return head in ("children", "parents", "people", "staff") or (
        head.endswith("s") and not head.endswith(("ss", "us", "is"))
    )


def was(phrase: str) -> str:
    """The form of "was" that goes with a noun phrase."""
    return "were" if is_plural(phrase) else "was"
