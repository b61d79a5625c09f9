"""Items of either task as the simulator knows them, and the vocabulary they are worded from.

The word lists are JSON files in `vocabulary/`: fields of private and public life (people, actions,
states of things, places, matters that a premise might leave out), kinds of questions, and lists of
names, towns, reasons and the like.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from capo_core.formatting import capitalised
from capo_core.simulation.grammar import Draws


@dataclass(frozen=True)
class Action:
    """A verb in four forms, and its objects."""

    past: str
    base: str
    synonym: str
    opposite: str
    objects: tuple[str, ...]


@dataclass(frozen=True)
class ThingState:
    """A thing, an adjective for it, a synonym and the opposite."""

    thing: str
    adjective: str
    synonym: str
    opposite: str


@dataclass(frozen=True)
class Topic:
    """The vocabulary of one field of life."""

    name: str
    people: tuple[str, ...]
    actions: tuple[Action, ...]
    states: tuple[ThingState, ...]
    places: tuple[str, ...]
    matters: tuple[str, ...]


def vocabulary(name: str) -> dict:
    """Return the word lists of `vocabulary/<name>.json`; draws depend on their order."""
    return json.loads((_VOCABULARY / f"{name}.json").read_text(encoding="utf-8"))


def read_topics(fields: Mapping[str, Mapping]) -> tuple[Topic, ...]:
    """Return the topics of a file of fields of life.

    An object of an action that begins with "#" is a plural that can be counted.
    """
    return tuple(
        Topic(
            name,
            tuple(words["people"]),
            tuple(
                Action(**action | {"objects": tuple(action["objects"])})
                for action in words["actions"]
            ),
            tuple(ThingState(**state) for state in words["states"]),
            tuple(words["places"]),
            tuple(words["matters"]),
        )
        for name, words in fields.items()
    )


_VOCABULARY = Path(__file__).parent / "vocabulary"
TOPICS = read_topics(vocabulary("topics_public")) + read_topics(vocabulary("topics_private"))
_WORD_LISTS = vocabulary("word_lists")


def word_lists(*names: str) -> tuple[tuple, ...]:
    """Return lists of `vocabulary/word_lists.json`: a tuple of texts, or of pairs, a name."""
    return tuple(tuple(_WORD_LISTS[name]) for name in names)


TOWNS, NUMBERS, REASONS, EXTRAS = word_lists("towns", "numbers", "reasons", "extras")
# Given names with their pronouns.
NAMES = tuple((name, pronoun) for pronoun, names in _WORD_LISTS["names"].items() for name in names)

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SimulatedItem:
    """An item with the simulator's information about it.

    Attributes:
        text_a, text_b: the texts that annotators read.
        relation: relation of text_b to text_a.
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
    """Return a normal deviate with mean 0."""
    return deviation * _NORMAL.inv_cdf(min(max(draws.uniform(), 1e-9), 1 - 1e-9))


def joined(*parts: str) -> str:
    """Return the parts that are not empty, joined by single spaces."""
    return " ".join(part for part in parts if part)


def sentence(text: str, end: str = ".") -> str:
    """Return `text` with a capital and an end."""
    return capitalised(text) + end


def is_plural(phrase: str) -> bool:
    """Return whether a noun phrase such as "farmers in the valley" takes a plural verb."""
    head = phrase
    for word in (" of ", " in ", " from ", " with ", " on "):
        head = head.partition(word)[0]
    head = head.split()[-1]
    return head in ("children", "parents", "people", "staff") or (
        head.endswith("s") and not head.endswith(("ss", "us", "is"))
    )


def was(phrase: str) -> str:
    """Return the form of "was" that agrees with a noun phrase."""
    return "were" if is_plural(phrase) else "was"
