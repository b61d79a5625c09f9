"""NLI items about events: somebody did something somewhere, and a hypothesis about it.

Each relation of the hypothesis to the premise has one function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import (
    EXTRAS,
    NAMES,
    NUMBERS,
    REASONS,
    TOPICS,
    TOWNS,
    Action,
    SimulatedItem,
    Topic,
    joined,
    noise,
    sentence,
    was,
    word_lists,
)

_DAYS, _MONTHS, _FEELINGS, _SOURCES, _SPOKEN, _ASIDES, _REMARKS, _MANY = word_lists(
    "days",
    "months",
    "feelings",
    "sources",
    "spoken_openings",
    "spoken_asides",
    "remarks",
    "many",
)


@dataclass(frozen=True)
class Event:
    """An event: actor, verb, number and object, place, time and reason."""

    who: str
    pronoun: str
    verb: str
    number: str
    thing: str
    where: str = ""
    when: str = ""
    why: str = ""

    @property
    def object(self) -> str:
        return joined(self.number, self.thing)

    def clause(self, *, front: bool = False) -> str:
        if front and self.when:
            rest = joined(self.who, self.verb, self.object, self.where, self.why)
            return f"{self.when} {rest}"
        return joined(self.who, self.verb, self.object, self.where, self.when, self.why)

    def brief(self) -> str:
        return joined(self.pronoun, self.verb, self.object)


def draw_when(draws: Draws) -> str:
    """Return a phrase for a time."""
    kind = draws.index(6)
    if kind == 0:
        return f"in {1870 + draws.index(153)}"
    if kind == 1:
        return f"on {draws.pick(_DAYS)}"
    if kind == 2:
        return f"in {draws.pick(_MONTHS)}"
    if kind == 3:
        return f"{draws.pick(NUMBERS[1:14])} {draws.pick(('days', 'weeks', 'years'))} ago"
    if kind == 4:
        return draws.pick(("last spring", "last winter", "yesterday", "last week", "this morning"))
    return draws.pick(("at noon", "at dawn", "after midnight", "before lunch", "over the holidays"))


def draw_event(draws: Draws, topic: Topic, action: Action) -> Event:
    """Return an event: somebody of the topic does something, somewhere."""
    if draws.chance(0.28):
        who, pronoun = draws.pick(NAMES)
    else:
        who, pronoun = draws.pick(topic.people), "they"
    thing = draws.pick(action.objects)
    number = draws.pick(NUMBERS) if thing.startswith("#") and draws.chance(0.75) else ""
    where = draws.pick(topic.places) if draws.chance(0.5) else f"in {draws.pick(TOWNS)}"
    return Event(
        who,
        pronoun,
        action.past,
        number,
        thing.lstrip("#"),
        where if draws.chance(0.7) else "",
        draw_when(draws) if draws.chance(0.6) else "",
        draws.pick(REASONS if draws.chance(0.6) else EXTRAS) if draws.chance(0.3) else "",
    )


def premise_of(
    draws: Draws, topic: Topic, action: Action, event: Event, relation: str
) -> tuple[str, str]:
    """Return the premise and its main clause."""
    if relation in ("plan", "question") and event.verb == action.past:
        if relation == "question":
            asked = joined(
                "did", event.who, action.base, event.object, event.where, event.when, event.why
            )
            return sentence(asked, "?"), replace(event, verb=f"may have {event.verb}").clause()
        hope = draws.pick(("planned to", "hoped to", "promised to", "was said to", "meant to"))
        if hope.startswith("was"):
            hope = f"{was(event.who)} said to"
        clause = replace(event, verb=f"{hope} {action.base}").clause()
        return sentence(clause), clause
    clause = event.clause()
    text = event.clause(front=draws.chance(0.3))
    if draws.chance(0.15):
        return f"{draws.pick(_SPOKEN)} {text} {draws.pick(_ASIDES)}", clause
    if draws.chance(0.14):
        source = draws.pick(_SOURCES)
        text = f"{source}{'' if source.endswith('that') else ','} {text}"
    if draws.chance(0.42):
        deed = draws.pick(topic.actions)
        link = draws.pick((", and", ", but", ", while", "; later", ", although", ", after"))
        who, thing = draws.pick(topic.people), draws.pick(deed.objects).lstrip("#")
        text = f"{text}{link} {who} {deed.past} {thing}"
        if draws.chance(0.4):
            text = f"{text} {draws.pick(topic.places)}"
    return sentence(text), clause


class EventClaim(NamedTuple):
    """A hypothesis about an event.

    Attributes:
        full, brief: the hypothesis, and with a pronoun and without its details.
        a, b: the words of premise and hypothesis that the judgment turns on.
        missing: what the premise leaves out; kind: what sort of detail a and b are.
    """

    full: str
    brief: str
    a: str
    b: str
    missing: str
    kind: str


class ClaimBasis(NamedTuple):
    """The parts of a claim: the event, and the details of it that the hypothesis repeats."""

    topic: Topic
    action: Action
    event: Event
    repeated: Event

    @property
    def plain(self) -> str:
        return joined(self.event.verb, self.event.object)


def claim_of(draws: Draws, topic: Topic, action: Action, event: Event, relation: str) -> EventClaim:
    """Return a hypothesis in `relation` to the event."""
    repeated = replace(
        event,
        where=event.where if draws.chance(0.4) else "",
        when=event.when if draws.chance(0.35) else "",
        why="",
    )
    return _MAKERS[relation](draws, ClaimBasis(topic, action, event, repeated))


def _claim(claim: Event, a: str, b: str, missing: str, kind: str) -> EventClaim:
    return EventClaim(claim.clause(), claim.brief(), a, b, missing, kind)


def _same(draws: Draws, basis: ClaimBasis) -> EventClaim:
    b = joined(basis.repeated.verb, basis.repeated.object)
    return _claim(basis.repeated, basis.plain, b, basis.event.thing, "detail")


def _reworded(draws: Draws, basis: ClaimBasis) -> EventClaim:
    event, action = basis.event, basis.action
    verb = action.synonym if event.verb == action.past else event.verb
    claim = replace(basis.repeated, verb=verb)
    full = claim.clause(front=draws.chance(0.3))
    b = joined(verb, event.object)
    return EventClaim(full, claim.brief(), basis.plain, b, event.thing, "wording")


def _general(draws: Draws, basis: ClaimBasis) -> EventClaim:
    event = basis.event
    active = "were active" if event.pronoun == "they" else "was active"
    general = draws.pick(("did something", "had things to do", active))
    full = joined(event.who, general, event.where or event.when)
    brief = joined(event.pronoun, general)
    return EventClaim(full, brief, basis.plain, general, event.thing, "detail")


def _number(draws: Draws, basis: ClaimBasis) -> EventClaim:
    return _counted(basis, draws.other(NUMBERS, basis.event.number))


def _more(draws: Draws, basis: ClaimBasis) -> EventClaim:
    return _counted(basis, draws.pick(_MANY))


def _counted(basis: ClaimBasis, number: str) -> EventClaim:
    claim = replace(basis.repeated, number=number)
    missing = f"the number of {basis.event.thing}"
    return _claim(claim, basis.event.object, claim.object, missing, "number")


def _all(draws: Draws, basis: ClaimBasis) -> EventClaim:
    claim = replace(basis.repeated, number="all the" if basis.event.number else "only")
    missing = f"the rest of the {basis.event.thing}"
    return _claim(claim, basis.event.object, claim.object, missing, "number")


def _place(draws: Draws, basis: ClaimBasis) -> EventClaim:
    topic = basis.topic
    where = draws.pick(topic.places) if draws.chance(0.4) else f"in {draws.pick(TOWNS)}"
    while where == basis.event.where:
        where = f"in {draws.pick(TOWNS)}"
    return _claim(
        replace(basis.repeated, where=where), basis.event.where, where, "the place", "place"
    )


def _time(draws: Draws, basis: ClaimBasis) -> EventClaim:
    when = draw_when(draws)
    while when == basis.event.when:
        when = draw_when(draws)
    return _claim(replace(basis.repeated, when=when), basis.event.when, when, "the time", "time")


def _actor(draws: Draws, basis: ClaimBasis) -> EventClaim:
    if draws.chance(0.3):
        who, pronoun = draws.pick(NAMES)
    else:
        who, pronoun = draws.pick(basis.topic.people), "they"
    while who == basis.event.who:
        who, pronoun = draws.pick(NAMES)
    return _claim(
        replace(basis.repeated, who=who, pronoun=pronoun), basis.event.who, who, who, "person"
    )


def _opposite(draws: Draws, basis: ClaimBasis) -> EventClaim:
    if basis.event.verb != basis.action.past:
        return _negation(draws, basis)
    claim = replace(basis.repeated, verb=basis.action.opposite)
    return _claim(claim, basis.event.verb, basis.action.opposite, basis.event.thing, "action")


def _negation(draws: Draws, basis: ClaimBasis) -> EventClaim:
    event = basis.event
    known = event.verb == basis.action.past
    verb = f"did not {basis.action.base}" if known else f"never {event.verb}"
    return _claim(replace(basis.repeated, verb=verb), event.verb, verb, event.thing, "action")


def _reason(draws: Draws, basis: ClaimBasis) -> EventClaim:
    why = draws.other(REASONS, basis.event.why)
    return _claim(replace(basis.repeated, why=why), basis.plain, why, "the reason", "reason")


def _manner(draws: Draws, basis: ClaimBasis) -> EventClaim:
    how = draws.other(EXTRAS, basis.event.why)
    return _claim(replace(basis.repeated, why=how), basis.plain, how, f"the part {how}", "detail")


def _feeling(draws: Draws, basis: ClaimBasis) -> EventClaim:
    event = basis.event
    feeling = draws.pick(_FEELINGS)
    full = joined(event.who, was(event.who), feeling)
    missing = f"the mood of {event.who}" if draws.chance(0.5) else f"being {feeling}"
    brief = f"{event.pronoun} {'were' if event.pronoun == 'they' else 'was'} {feeling}"
    return EventClaim(full, brief, basis.plain, feeling, missing, "feeling")


def _matter(draws: Draws, basis: ClaimBasis) -> EventClaim:
    matter = draws.pick(basis.topic.matters)
    remark = draws.pick(_REMARKS)
    return EventClaim(f"{matter} {remark}", f"it {remark}", basis.plain, remark, matter, "subject")


def _unrelated(draws: Draws, basis: ClaimBasis) -> EventClaim:
    other = draws.pick(TOPICS)
    deed = draws.pick(other.actions)
    thing = draws.pick(deed.objects).lstrip("#")
    claim = replace(basis.repeated, verb=deed.past, number="", thing=thing)
    return _claim(claim, basis.plain, joined(deed.past, thing), thing, "subject")


_MAKERS: dict[str, Callable[[Draws, ClaimBasis], EventClaim]] = {
    "reworded": _reworded, "fewer details": _same, "general": _general, "number": _number,
    "more": _more, "place": _place, "time": _time, "actor": _actor, "opposite": _opposite,
    "negation": _negation, "reason": _reason, "manner": _manner, "feeling": _feeling,
    "matter": _matter, "all": _all, "plan": _same, "question": _same, "unrelated": _unrelated,
}  # fmt: skip


# Relation → (share, log-odds of entailment, neutral, contradiction).
RELATIONS: dict[str, tuple[float, float, float, float]] = {
    "reworded": (2.4, 2.3, 0.4, -1.8),
    "fewer details": (1.7, 2.2, 0.4, -1.8),
    "general": (1.0, 1.7, 0.9, -1.6),
    "number": (0.8, -1.2, 0.7, 1.4),
    "more": (0.6, 0.4, 0.9, 0.2),
    "place": (0.7, -1.3, 1.2, 0.9),
    "time": (0.6, -1.3, 1.2, 0.9),
    "actor": (0.5, -1.4, 1.2, 0.8),
    "opposite": (0.7, -1.4, 0.3, 1.7),
    "negation": (0.5, -1.4, 0.3, 1.8),
    "reason": (1.2, 0.1, 1.9, -1.1),
    "manner": (1.2, 0.2, 1.9, -1.1),
    "feeling": (1.1, 0.1, 1.9, -1.2),
    "matter": (1.2, -0.8, 2.4, -1.0),
    "all": (0.7, -0.2, 1.2, 0.6),
    "plan": (0.8, 0.6, 1.4, -0.5),
    "question": (0.6, 0.6, 1.5, -0.6),
    "unrelated": (0.8, -1.6, 2.4, -0.3),
}
_NAMES = tuple(RELATIONS)
_BOUNDS = cumulative([share for share, *_ in RELATIONS.values()])


def draw_event_item(draws: Draws) -> SimulatedItem:
    """Return an item about an event, with a relation drawn by its share."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    event = draw_event(draws, topic, action)
    relation = _NAMES[draws.weighted(_BOUNDS)]
    event = _prepared(draws, topic, event, relation)
    claim = claim_of(draws, topic, action, event, relation)
    premise, clause = premise_of(draws, topic, action, event, relation)
    odds = RELATIONS[relation][1:]
    return SimulatedItem(
        premise,
        sentence(claim.full),
        relation,
        tuple(value + noise(draws, 0.7) for value in odds),
        {
            "A": ("this is so", _retold(draws, event, action), clause),
            "B": ("that is so", claim.brief, claim.full),
            "a": ("this", claim.a, claim.a),
            "b": ("that", claim.b, claim.b),
            "thing": ("it", event.object, event.object),
            "miss": ("this", claim.missing, claim.missing),
            "kind": ("detail", claim.kind, claim.kind),
            "W": ("something else", *_besides(draws, topic, action)),
        },
    )


def _retold(draws: Draws, event: Event, action: Action) -> str:
    """Return the event in brief; half the time with the verb's synonym."""
    if event.verb == action.past and draws.chance(0.5):
        event = replace(event, verb=action.synonym)
    return event.brief()


def _besides(draws: Draws, topic: Topic, action: Action) -> tuple[str, str]:
    """Return two things of the topic that the premise does not mention."""
    other = draws.pick(topic.actions)
    thing = draws.pick(other.objects).lstrip("#")
    deed = action.synonym if draws.chance(0.5) else other.synonym
    near = draws.pick(
        (draws.pick(topic.matters), f"{draws.pick(topic.people)} {draws.pick(topic.places)}")
    )
    return draws.pick((near, thing)), draws.pick((f"someone who {deed} {thing}", near))


def _prepared(draws: Draws, topic: Topic, event: Event, relation: str) -> Event:
    """Return the event with the detail that the relation concerns."""
    if relation in ("number", "more", "all") and not event.number:
        counted = [
            (action.past, thing.lstrip("#"))
            for action in topic.actions
            for thing in action.objects
            if thing.startswith("#") and (relation != "all" or action.past == event.verb)
        ]
        if counted:
            verb, thing = draws.pick(counted)
            return replace(event, verb=verb, thing=thing, number=draws.pick(NUMBERS))
        return replace(event, number="two of" if event.thing.startswith("the ") else "")
    if relation == "place" and not event.where:
        return replace(event, where=f"in {draws.pick(TOWNS)}")
    if relation == "time" and not event.when:
        return replace(event, when=draw_when(draws))
    if relation == "reason":
        return replace(event, why="")
    return event
