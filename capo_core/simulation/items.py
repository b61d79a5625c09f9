"""The topics of NLI items, read from their tables.

A table has blocks that begin with `# name`. Lines of a block: `people:` who acts; `places:`
phrases that say where; `matters:` what a premise might leave out; `states:` thing|adjective|
another way to say it|its opposite; every other line is an action, `past|base form|synonym|opposite:
objects`, where an object with `#` is a plural that can be counted.

What an item of either task is to the simulator, and small helpers to word one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from capo_core.simulation.grammar import Draws
from capo_core.simulation.topics_private import PRIVATE
from capo_core.simulation.topics_public import PUBLIC
from capo_core.simulation.word_list import listed


@dataclass(frozen=True)
class Action:
    """A verb in four forms, and what it is done to."""

    past: str
    base: str
    synonym: str
    opposite: str
    objects: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """A thing and what it is like, said in another way, and the opposite."""

    thing: str
    adjective: str
    synonym: str
    opposite: str


@dataclass(frozen=True)
class Topic:
    """The words of one field of life."""

    name: str
    people: tuple[str, ...]
    actions: tuple[Action, ...]
    states: tuple[State, ...]
    places: tuple[str, ...]
    matters: tuple[str, ...]


def read_topics(table: str) -> tuple[Topic, ...]:
    """The topics of a table written as this module says."""
    topics = []
    for block in table.split("\n# ")[1:]:
        name, *lines = block.strip().splitlines()
        lists: dict[str, tuple[str, ...]] = {}
        actions = []
        for line in lines:
            head, _, rest = line.partition(":")
            if "|" in head:
                actions.append(Action(*head.split("|"), listed(rest)))
            else:
                lists[head] = listed(rest)
        topics.append(
            Topic(
                name.strip(),
                lists["people"],
                tuple(actions),
                tuple(State(*line.split("|")) for line in lists["states"]),
                lists["places"],
                lists["matters"],
            )
        )
    return tuple(topics)


TOPICS = read_topics(PUBLIC) + read_topics(PRIVATE)

# Given names with their pronouns; towns that are well known; months, days and seasons.
NAMES = tuple(
    (name, pronoun)
    for pronoun, names in (
        ("she", "Marta Ines Dorothea Aiko Leila Nadia Grete Priya Zoe Olga Rosa Hanne Amina Clara"),
        ("he", "Tomas Henrik Omar Pavel Luis Kofi Jonas Ravi Emil Stefan Carlo Yusuf Oskar Piet"),
    )
    for name in listed(names, " ")
)
TOWNS = listed(
    "Lisbon Riga Oslo Vienna Naples Marseille Krakow Bergen Seville Dublin Tallinn Ghent Izmir "
    "Cork Quito Lima Havana Nairobi Accra Tunis Osaka Hanoi Mumbai Perth Boston Denver Quebec "
    "Leeds Bristol Porto Basel Turin Split Varna Tampere Aarhus Montevideo",
    " ",
)
MONTHS = listed("January February March April May June July August September October November", " ")
DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", " ")
NUMBERS = listed(
    "two; three; four; five; six; seven; eight; nine; ten; eleven; twelve; fifteen; twenty; "
    "thirty; forty; fifty; sixty; ninety; a dozen; a hundred; two hundred; 18; 24; 35; 47; 65; "
    "120; 350; 1,500"
)
REASONS = listed(
    "because money was short; because the law had changed; to please the family; out of boredom; "
    "because nobody else wanted to; to win a bet; after a long argument; because of a rumour; "
    "in order to save time; because the weather was fine; for political reasons; by mistake; "
    "because an old friend had asked; to avoid a scandal; because the doctor insisted; "
    "to impress the visitors; out of pity; because the permit was about to expire"
)
EXTRAS = listed(
    "in secret; for the first time; without any help; with great care; for charity; in a hurry; "
    "against all advice; together with a friend; early in the day; once more; reluctantly; "
    "in front of a camera; without permission; in less than an hour; for a good price; "
    "on behalf of a foundation; with tears; for the second year in a row; by candlelight; "
    "under a false name; out of habit; with a loud cheer"
)
FEELINGS = listed(
    "happy about it; tired afterwards; ashamed of it; proud; worried; very old; glad it was over; "
    "known for kindness; afraid of the press; surprised; disappointed; in love; new to the job; "
    "angry; hungry; sorry for it; well paid"
)


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
