"""What is claimed about an event: one function for each way a hypothesis is made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from capo_core.data.simulation.draws import Draws
from capo_core.data.simulation.events import Event, draw_when
from capo_core.data.simulation.items import joined, was
from capo_core.data.simulation.topics import (
    EXTRAS,
    FEELINGS,
    NAMES,
    NUMBERS,
    REASONS,
    TOPICS,
    TOWNS,
    Action,
    Topic,
)
from capo_core.data.simulation.word_list import listed

_REMARKS = listed(
    "was discussed at length; came as a surprise; was the same as before; is well known; "
    "mattered to everyone; was kept from the press; was a problem; did not matter much"
)
_MANY = listed("more than one of the; several; many; a lot of; quite a few")


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


class Case(NamedTuple):
    """What a claim is made from: the event, and the part of it that the hypothesis keeps."""

    topic: Topic
    action: Action
    event: Event
    kept: Event

    @property
    def plain(self) -> str:
        return joined(self.event.verb, self.event.object)


def claim_of(draws: Draws, topic: Topic, action: Action, event: Event, relation: str) -> EventClaim:
    """A hypothesis that stands in `relation` to the event."""
    kept = replace(
        event,
        where=event.where if draws.chance(0.4) else "",
        when=event.when if draws.chance(0.35) else "",
        why="",
    )
    return _MAKERS[relation](draws, Case(topic, action, event, kept))


def _told(claim: Event, a: str, b: str, missing: str, kind: str) -> EventClaim:
    return EventClaim(claim.clause(), claim.brief(), a, b, missing, kind)


def _same(draws: Draws, case: Case) -> EventClaim:
    b = joined(case.kept.verb, case.kept.object)
    return _told(case.kept, case.plain, b, case.event.thing, "detail")


def _reworded(draws: Draws, case: Case) -> EventClaim:
    event, action = case.event, case.action
    verb = action.synonym if event.verb == action.past else event.verb
    claim = replace(case.kept, verb=verb)
    full = claim.clause(front=draws.chance(0.3))
    b = joined(verb, event.object)
    return EventClaim(full, claim.brief(), case.plain, b, event.thing, "wording")


def _general(draws: Draws, case: Case) -> EventClaim:
    event = case.event
    active = "were active" if event.pronoun == "they" else "was active"
    general = draws.pick(("did something", "had things to do", active))
    full = joined(event.who, general, event.where or event.when)
    brief = joined(event.pronoun, general)
    return EventClaim(full, brief, case.plain, general, event.thing, "detail")


def _number(draws: Draws, case: Case) -> EventClaim:
    return _counted(case, draws.other(NUMBERS, case.event.number))


def _more(draws: Draws, case: Case) -> EventClaim:
    return _counted(case, draws.pick(_MANY))


def _counted(case: Case, number: str) -> EventClaim:
    claim = replace(case.kept, number=number)
    missing = f"the number of {case.event.thing}"
    return _told(claim, case.event.object, claim.object, missing, "number")


def _all(draws: Draws, case: Case) -> EventClaim:
    claim = replace(case.kept, number="all the" if case.event.number else "only")
    missing = f"the rest of the {case.event.thing}"
    return _told(claim, case.event.object, claim.object, missing, "number")


def _place(draws: Draws, case: Case) -> EventClaim:
    topic = case.topic
    where = draws.pick(topic.places) if draws.chance(0.4) else f"in {draws.pick(TOWNS)}"
    while where == case.event.where:
        where = f"in {draws.pick(TOWNS)}"
    return _told(replace(case.kept, where=where), case.event.where, where, "the place", "place")


def _time(draws: Draws, case: Case) -> EventClaim:
    when = draw_when(draws)
    while when == case.event.when:
        when = draw_when(draws)
    return _told(replace(case.kept, when=when), case.event.when, when, "the time", "time")


def _actor(draws: Draws, case: Case) -> EventClaim:
    if draws.chance(0.3):
        who, pronoun = draws.pick(NAMES)
    else:
        who, pronoun = draws.pick(case.topic.people), "they"
    while who == case.event.who:
        who, pronoun = draws.pick(NAMES)
    return _told(replace(case.kept, who=who, pronoun=pronoun), case.event.who, who, who, "person")


def _opposite(draws: Draws, case: Case) -> EventClaim:
    if case.event.verb != case.action.past:
        return _negation(draws, case)
    claim = replace(case.kept, verb=case.action.opposite)
    return _told(claim, case.event.verb, case.action.opposite, case.event.thing, "action")


def _negation(draws: Draws, case: Case) -> EventClaim:
    event = case.event
    known = event.verb == case.action.past
    verb = f"did not {case.action.base}" if known else f"never {event.verb}"
    return _told(replace(case.kept, verb=verb), event.verb, verb, event.thing, "action")


def _reason(draws: Draws, case: Case) -> EventClaim:
    why = draws.other(REASONS, case.event.why)
    return _told(replace(case.kept, why=why), case.plain, why, "the reason", "reason")


def _manner(draws: Draws, case: Case) -> EventClaim:
    how = draws.other(EXTRAS, case.event.why)
    return _told(replace(case.kept, why=how), case.plain, how, f"the part {how}", "detail")


def _feeling(draws: Draws, case: Case) -> EventClaim:
    event = case.event
    feeling = draws.pick(FEELINGS)
    full = joined(event.who, was(event.who), feeling)
    missing = f"the mood of {event.who}" if draws.chance(0.5) else f"being {feeling}"
    brief = f"{event.pronoun} {'were' if event.pronoun == 'they' else 'was'} {feeling}"
    return EventClaim(full, brief, case.plain, feeling, missing, "feeling")


def _matter(draws: Draws, case: Case) -> EventClaim:
    matter = draws.pick(case.topic.matters)
    remark = draws.pick(_REMARKS)
    return EventClaim(f"{matter} {remark}", f"it {remark}", case.plain, remark, matter, "subject")


def _unrelated(draws: Draws, case: Case) -> EventClaim:
    other = draws.pick(TOPICS)
    deed = draws.pick(other.actions)
    thing = draws.pick(deed.objects).lstrip("#")
    claim = replace(case.kept, verb=deed.past, number="", thing=thing)
    return _told(claim, case.plain, joined(deed.past, thing), thing, "subject")


_MAKERS: dict[str, Callable[[Draws, Case], EventClaim]] = {
    "reworded": _reworded, "fewer details": _same, "general": _general, "number": _number,
    "more": _more, "place": _place, "time": _time, "actor": _actor, "opposite": _opposite,
    "negation": _negation, "reason": _reason, "manner": _manner, "feeling": _feeling,
    "matter": _matter, "all": _all, "plan": _same, "question": _same, "unrelated": _unrelated,
}  # fmt: skip
