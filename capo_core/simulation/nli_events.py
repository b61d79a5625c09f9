"""What is claimed about an event: one function for each way a hypothesis is made from it.

Events, from which NLI items are made: somebody did something somewhere, at some time.

NLI items about events: somebody did something somewhere, and what is claimed about it.
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
    """One thing done: by whom, in which words, to what, where, when and why."""

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
    """A phrase that says when."""
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
    """The premise and its main clause."""
    if relation in ("plan", "question") and event.verb == action.past:
        if relation == "question":
            asked = joined(
                "did", event.who, action.base, event.object, event.where, event.when, event.why
            )
            return sentence(asked, "?"), replace(event, verb=f"may have {event.verb}").clause()
        hope = draws.pick(("planned to", "hoped to", "promised to", "was said to", "meant to"))
        if hope.startswith("was"):
            hope = f"{was(event.who)} said to"
        said = replace(event, verb=f"{hope} {action.base}").clause()
        return sentence(said), said
    said = event.clause()
    text = event.clause(front=draws.chance(0.3))
    if draws.chance(0.15):
        return f"{draws.pick(_SPOKEN)} {text} {draws.pick(_ASIDES)}", said
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
    return sentence(text), said


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


class ClaimContext(NamedTuple):
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
    return _MAKERS[relation](draws, ClaimContext(topic, action, event, kept))


def _told(claim: Event, a: str, b: str, missing: str, kind: str) -> EventClaim:
    return EventClaim(claim.clause(), claim.brief(), a, b, missing, kind)


def _same(draws: Draws, case: ClaimContext) -> EventClaim:
    b = joined(case.kept.verb, case.kept.object)
    return _told(case.kept, case.plain, b, case.event.thing, "detail")


def _reworded(draws: Draws, case: ClaimContext) -> EventClaim:
    event, action = case.event, case.action
    verb = action.synonym if event.verb == action.past else event.verb
    claim = replace(case.kept, verb=verb)
    full = claim.clause(front=draws.chance(0.3))
    b = joined(verb, event.object)
    return EventClaim(full, claim.brief(), case.plain, b, event.thing, "wording")


def _general(draws: Draws, case: ClaimContext) -> EventClaim:
    event = case.event
    active = "were active" if event.pronoun == "they" else "was active"
    general = draws.pick(("did something", "had things to do", active))
    full = joined(event.who, general, event.where or event.when)
    brief = joined(event.pronoun, general)
    return EventClaim(full, brief, case.plain, general, event.thing, "detail")


def _number(draws: Draws, case: ClaimContext) -> EventClaim:
    return _counted(case, draws.other(NUMBERS, case.event.number))


def _more(draws: Draws, case: ClaimContext) -> EventClaim:
    return _counted(case, draws.pick(_MANY))


def _counted(case: ClaimContext, number: str) -> EventClaim:
    claim = replace(case.kept, number=number)
    missing = f"the number of {case.event.thing}"
    return _told(claim, case.event.object, claim.object, missing, "number")


def _all(draws: Draws, case: ClaimContext) -> EventClaim:
    claim = replace(case.kept, number="all the" if case.event.number else "only")
    missing = f"the rest of the {case.event.thing}"
    return _told(claim, case.event.object, claim.object, missing, "number")


def _place(draws: Draws, case: ClaimContext) -> EventClaim:
    topic = case.topic
    where = draws.pick(topic.places) if draws.chance(0.4) else f"in {draws.pick(TOWNS)}"
    while where == case.event.where:
        where = f"in {draws.pick(TOWNS)}"
    return _told(replace(case.kept, where=where), case.event.where, where, "the place", "place")


def _time(draws: Draws, case: ClaimContext) -> EventClaim:
    when = draw_when(draws)
    while when == case.event.when:
        when = draw_when(draws)
    return _told(replace(case.kept, when=when), case.event.when, when, "the time", "time")


def _actor(draws: Draws, case: ClaimContext) -> EventClaim:
    if draws.chance(0.3):
        who, pronoun = draws.pick(NAMES)
    else:
        who, pronoun = draws.pick(case.topic.people), "they"
    while who == case.event.who:
        who, pronoun = draws.pick(NAMES)
    return _told(replace(case.kept, who=who, pronoun=pronoun), case.event.who, who, who, "person")


def _opposite(draws: Draws, case: ClaimContext) -> EventClaim:
    if case.event.verb != case.action.past:
        return _negation(draws, case)
    claim = replace(case.kept, verb=case.action.opposite)
    return _told(claim, case.event.verb, case.action.opposite, case.event.thing, "action")


def _negation(draws: Draws, case: ClaimContext) -> EventClaim:
    event = case.event
    known = event.verb == case.action.past
    verb = f"did not {case.action.base}" if known else f"never {event.verb}"
    return _told(replace(case.kept, verb=verb), event.verb, verb, event.thing, "action")


def _reason(draws: Draws, case: ClaimContext) -> EventClaim:
    why = draws.other(REASONS, case.event.why)
    return _told(replace(case.kept, why=why), case.plain, why, "the reason", "reason")


def _manner(draws: Draws, case: ClaimContext) -> EventClaim:
    how = draws.other(EXTRAS, case.event.why)
    return _told(replace(case.kept, why=how), case.plain, how, f"the part {how}", "detail")


def _feeling(draws: Draws, case: ClaimContext) -> EventClaim:
    event = case.event
    feeling = draws.pick(_FEELINGS)
    full = joined(event.who, was(event.who), feeling)
    missing = f"the mood of {event.who}" if draws.chance(0.5) else f"being {feeling}"
    brief = f"{event.pronoun} {'were' if event.pronoun == 'they' else 'was'} {feeling}"
    return EventClaim(full, brief, case.plain, feeling, missing, "feeling")


def _matter(draws: Draws, case: ClaimContext) -> EventClaim:
    matter = draws.pick(case.topic.matters)
    remark = draws.pick(_REMARKS)
    return EventClaim(f"{matter} {remark}", f"it {remark}", case.plain, remark, matter, "subject")


def _unrelated(draws: Draws, case: ClaimContext) -> EventClaim:
    other = draws.pick(TOPICS)
    deed = draws.pick(other.actions)
    thing = draws.pick(deed.objects).lstrip("#")
    claim = replace(case.kept, verb=deed.past, number="", thing=thing)
    return _told(claim, case.plain, joined(deed.past, thing), thing, "subject")


_MAKERS: dict[str, Callable[[Draws, ClaimContext], EventClaim]] = {
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
    """An item about an event, with a relation drawn by its share."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    event = draw_event(draws, topic, action)
    relation = _NAMES[draws.weighted(_BOUNDS)]
    event = _prepared(draws, topic, event, relation)
    claim = claim_of(draws, topic, action, event, relation)
    premise, said = premise_of(draws, topic, action, event, relation)
    odds = RELATIONS[relation][1:]
    return SimulatedItem(
        premise,
        sentence(claim.full),
        relation,
        tuple(value + noise(draws, 0.7) for value in odds),
        {
            "A": ("this is so", _retold(draws, event, action), said),
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
    """The event in brief; half the time by the verb's synonym."""
    if event.verb == action.past and draws.chance(0.5):
        event = replace(event, verb=action.synonym)
    return event.brief()


def _besides(draws: Draws, topic: Topic, action: Action) -> tuple[str, str]:
    """Two things that somebody who knows the topic might think of."""
    other = draws.pick(topic.actions)
    thing = draws.pick(other.objects).lstrip("#")
    deed = action.synonym if draws.chance(0.5) else other.synonym
    near = draws.pick(
        (draws.pick(topic.matters), f"{draws.pick(topic.people)} {draws.pick(topic.places)}")
    )
    return draws.pick((near, thing)), draws.pick((f"someone who {deed} {thing}", near))


def _prepared(draws: Draws, topic: Topic, event: Event, relation: str) -> Event:
    """The event with the detail that the relation is about."""
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
