"""Paraphrase items: two questions, and mean and spread of their scores between −5 and 5."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import SimulatedItem, joined, noise, vocabulary, word_lists


@dataclass(frozen=True)
class Intent:
    """An intent: the noun phrase that names it, and questions that express it.

    `{x}` stands for the thing asked about. Questions have no question mark yet.
    """

    name: str
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class QuestionKind:
    """A kind of thing (with the noun for it), and the intents of questions about it.

    Attributes:
        limits: conditions that a question can have, such as "without a teacher".
    """

    name: str
    noun: str
    things: tuple[str, ...]
    limits: tuple[str, ...]
    intents: tuple[Intent, ...]


KINDS = tuple(
    QuestionKind(
        name,
        kind["noun"],
        tuple(kind["things"]),
        tuple(kind["limits"]),
        tuple(Intent(intent, tuple(wordings)) for intent, wordings in kind["intents"].items()),
    )
    for name, kind in vocabulary("questions").items()
)

# Relation → (share, mean score, how far means differ between items, spread of one person's score).
RELATIONS: dict[str, tuple[float, float, float, float]] = {
    "reworded": (3.2, 4.2, 0.6, 1.0),
    "limit added": (1.6, 2.0, 1.3, 1.7),
    "limit changed": (1.2, -0.3, 1.5, 1.9),
    "second question": (0.9, 1.6, 1.2, 1.8),
    "other thing": (1.5, -2.2, 1.3, 1.7),
    "other intent": (2.2, -2.6, 1.2, 1.6),
    "unrelated": (1.4, -4.6, 0.3, 0.8),
}
_NAMES = tuple(RELATIONS)
_BOUNDS = cumulative([share for share, *_ in RELATIONS.values()])
_OPENINGS, _SECOND = word_lists("question_openings", "second_questions")
_LEADS = (*[""] * 16, *_OPENINGS)  # four questions in five have no opening


def draw_paraphrase_item(draws: Draws) -> SimulatedItem:
    """Return two questions with a relation drawn by its share."""
    kind = draws.pick(KINDS)
    intent = draws.pick(kind.intents)
    thing = draws.pick(kind.things)
    relation = _NAMES[draws.weighted(_BOUNDS)]
    one, other = _two_wordings(draws, intent.wordings)
    limit = draws.pick(kind.limits) if draws.chance(0.35) else ""
    if relation == "limit changed" and not limit:
        limit = draws.pick(kind.limits)
    name_a = name_b = intent.name.replace("{x}", thing)
    thing_b, limit_b, second = thing, limit, ""
    # The words that the judgment turns on, and what sort of detail they are.
    focus_a, focus_b, sort = _start(one, thing), _start(other, thing), "wording"
    if relation == "limit added":
        limit_b = draws.other(kind.limits, limit) if not limit else ""
        if limit:
            focus_a = limit
        else:
            focus_b = limit_b
        sort = "condition"
    elif relation == "limit changed":
        limit_b = draws.other(kind.limits, limit)
        focus_a, focus_b, sort = limit, limit_b, "condition"
    elif relation == "second question":
        second = draws.pick(_SECOND)
        focus_b, sort = second, "part"
    elif relation == "other thing":
        thing_b = draws.other(kind.things, thing)
        name_b = intent.name.replace("{x}", thing_b)
        focus_a, focus_b, sort = thing, thing_b, kind.noun
    elif relation == "other intent":
        changed = draws.other(kind.intents, intent)
        other = draws.pick(changed.wordings)
        name_b = changed.name.replace("{x}", thing)
        focus_a, focus_b, sort = name_a, name_b, "aspect"
    elif relation == "unrelated":
        kind_b, intent_b = _elsewhere(draws, kind)
        thing_b = draws.pick(kind_b.things)
        other = draws.pick(intent_b.wordings)
        limit_b = draws.pick(kind_b.limits) if draws.chance(0.3) else ""
        name_b = intent_b.name.replace("{x}", thing_b)
        focus_a, focus_b, sort = thing, thing_b, "topic"
    text_a = _question(draws, one, thing, limit)
    text_b = _question(draws, other, thing_b, limit_b, second)
    shared = thing if thing == thing_b else f"{thing} and {thing_b}"
    _, mean, deviation, spread = RELATIONS[relation]
    full_a = joined(name_a, limit)
    full_b = joined(name_b, limit_b, second)
    return SimulatedItem(
        text_a,
        text_b,
        relation,
        (mean + noise(draws, deviation), spread),
        {
            "A": ("something", name_a if name_a != name_b else full_a, full_a),
            "B": ("something else", name_b if name_a != name_b else full_b, full_b),
            "a": ("this", focus_a, focus_a),
            "b": ("that", focus_b, focus_b),
            "thing": ("it", shared, shared),
            "kind": ("detail", sort, sort),
            "W": ("something else", *_besides(draws, kind, thing)),
        },
    )


def _besides(draws: Draws, kind: QuestionKind, thing: str) -> tuple[str, str]:
    """Return two things that one might ask about instead."""
    return draws.pick(kind.things), draws.pick(kind.intents).name.replace("{x}", thing)


def _start(wording: str, thing: str) -> str:
    """Return the part of a question before the thing; the whole question if that is short."""
    start = wording.partition("{x}")[0].strip()
    return start if len(start.split()) > 2 else wording.replace("{x}", thing)


def _two_wordings(draws: Draws, wordings: tuple[str, ...]) -> tuple[str, str]:
    one = draws.pick(wordings)
    return one, draws.other(wordings, one)


def _elsewhere(draws: Draws, kind: QuestionKind) -> tuple[QuestionKind, Intent]:
    other = draws.other(KINDS, kind)
    return other, draws.pick(other.intents)


def _question(draws: Draws, wording: str, thing: str, limit: str, second: str = "") -> str:
    lead = draws.pick(_LEADS)
    text = " ".join(f"{wording.replace('{x}', thing)} {limit}".split())
    if second:
        text = f"{text}, {second}"
    if lead and not text.startswith("I "):
        text = text[:1].lower() + text[1:]
    return f"{lead}{text}?"
