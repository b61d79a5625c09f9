"""NLI items about events: somebody did something somewhere, and what is claimed about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from capo_core.data.simulation.draws import Draws, cumulative
from capo_core.data.simulation.items import Item, joined, noise, sentence, was
from capo_core.data.simulation.topics import (
    DAYS,
    EXTRAS,
    FEELINGS,
    MONTHS,
    NAMES,
    NUMBERS,
    REASONS,
    TOPICS,
    TOWNS,
    Action,
    Topic,
)
from capo_core.data.simulation.word_list import listed

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
_SOURCES = listed(
    "according to the radio; the report notes that; people say that; as the diary shows; "
    "it is well documented that; in the end; we were told that; to our surprise"
)
_SPOKEN = listed("yeah well; um; oh yes; uh i think; you know; right and; so yeah; well i heard")
_ASIDES = listed(
    "i guess; or so they said; if i remember right; which was kind of nice; and that was that; "
    "it was really something; believe it or not"
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


def draw_event_item(draws: Draws) -> Item:
    """An item about an event, with a relation drawn by its share."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    event = _event(draws, topic, action)
    relation = _NAMES[draws.weighted(_BOUNDS)]
    event = _prepared(draws, topic, event, relation)
    claim, focus_a, focus_b, missing, kind = _claim(draws, topic, action, event, relation)
    premise, said = _premise(draws, topic, action, event, relation)
    odds = RELATIONS[relation][1:]
    return Item(
        premise,
        sentence(claim[0]),
        relation,
        tuple(value + noise(draws, 0.7) for value in odds),
        {
            "A": ("this is so", _retold(draws, event, action), said),
            "B": ("that is so", claim[1], claim[0]),
            "a": ("this", focus_a, focus_a),
            "b": ("that", focus_b, focus_b),
            "thing": ("it", event.object, event.object),
            "miss": ("this", missing, missing),
            "kind": ("detail", kind, kind),
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


def draw_when(draws: Draws) -> str:
    """A phrase that says when."""
    kind = draws.index(6)
    if kind == 0:
        return f"in {1870 + draws.index(153)}"
    if kind == 1:
        return f"on {draws.pick(DAYS)}"
    if kind == 2:
        return f"in {draws.pick(MONTHS)}"
    if kind == 3:
        return f"{draws.pick(NUMBERS[1:14])} {draws.pick(('days', 'weeks', 'years'))} ago"
    if kind == 4:
        return draws.pick(("last spring", "last winter", "yesterday", "last week", "this morning"))
    return draws.pick(("at noon", "at dawn", "after midnight", "before lunch", "over the holidays"))


def _event(draws: Draws, topic: Topic, action: Action) -> Event:
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


def _claim(draws: Draws, topic: Topic, action: Action, event: Event, relation: str):
    """The hypothesis: ((full, brief), focus in the premise, focus here, what is missing, kind)."""
    kept = replace(
        event,
        where=event.where if draws.chance(0.4) else "",
        when=event.when if draws.chance(0.35) else "",
        why="",
    )
    plain = joined(event.verb, event.object)

    def told(claim: Event, a: str, b: str, missing: str, kind: str):
        return (claim.clause(), claim.brief()), a, b, missing, kind

    if relation == "reworded":
        verb = action.synonym if event.verb == action.past else event.verb
        claim = replace(kept, verb=verb)
        full = claim.clause(front=draws.chance(0.3))
        return (full, claim.brief()), plain, joined(verb, event.object), event.thing, "wording"
    if relation == "general":
        general = draws.pick(
            (
                "did something",
                "had things to do",
                "were active" if event.pronoun == "they" else "was active",
            )
        )
        where = event.where or event.when
        full = joined(event.who, general, where)
        return (full, joined(event.pronoun, general)), plain, general, event.thing, "detail"
    if relation in ("number", "more"):
        changed = draws.other(NUMBERS, event.number)
        if relation == "more":
            changed = draws.pick(
                ("more than one of the", "several", "many", "a lot of", "quite a few")
            )
        claim = replace(kept, number=changed)
        return told(claim, event.object, claim.object, f"the number of {event.thing}", "number")
    if relation == "place":
        where = draws.pick(topic.places) if draws.chance(0.4) else f"in {draws.pick(TOWNS)}"
        while where == event.where:
            where = f"in {draws.pick(TOWNS)}"
        return told(replace(kept, where=where), event.where, where, "the place", "place")
    if relation == "time":
        when = draw_when(draws)
        while when == event.when:
            when = draw_when(draws)
        return told(replace(kept, when=when), event.when, when, "the time", "time")
    if relation == "actor":
        who, pronoun = (
            draws.pick(NAMES) if draws.chance(0.3) else (draws.pick(topic.people), "they")
        )
        while who == event.who:
            who, pronoun = draws.pick(NAMES)
        return told(replace(kept, who=who, pronoun=pronoun), event.who, who, who, "person")
    if relation == "opposite" and event.verb == action.past:
        claim = replace(kept, verb=action.opposite)
        return told(claim, event.verb, action.opposite, event.thing, "action")
    if relation in ("negation", "opposite"):
        if event.verb == action.past:
            claim = replace(kept, verb=f"did not {action.base}")
        else:
            claim = replace(kept, verb=f"never {event.verb}")
        return told(claim, event.verb, claim.verb, event.thing, "action")
    if relation in ("reason", "manner"):
        added = draws.other(REASONS if relation == "reason" else EXTRAS, event.why)
        missing = "the reason" if relation == "reason" else f"the part {added}"
        claim = replace(kept, why=added)
        return told(claim, plain, added, missing, "reason" if relation == "reason" else "detail")
    if relation == "feeling":
        feeling = draws.pick(FEELINGS)
        state = f"{was(event.who)} {feeling}"
        full = joined(event.who, state)
        missing = f"the mood of {event.who}" if draws.chance(0.5) else f"being {feeling}"
        return (
            (
                full,
                joined("they were" if event.pronoun == "they" else f"{event.pronoun} was", feeling),
            ),
            plain,
            feeling,
            missing,
            "feeling",
        )
    if relation == "matter":
        matter = draws.pick(topic.matters)
        said = draws.pick(
            (
                "was discussed at length",
                "came as a surprise",
                "was the same as before",
                "is well known",
                "mattered to everyone",
                "was kept from the press",
                "was a problem",
                "did not matter much",
            )
        )
        return (f"{matter} {said}", f"it {said}"), plain, said, matter, "subject"
    if relation == "all":
        claim = replace(kept, number="all the" if event.number else "only")
        return told(claim, event.object, claim.object, f"the rest of the {event.thing}", "number")
    if relation == "unrelated":
        other = draws.pick(TOPICS)
        deed = draws.pick(other.actions)
        thing = draws.pick(deed.objects).lstrip("#")
        claim = replace(kept, verb=deed.past, number="", thing=thing)
        return told(claim, plain, joined(deed.past, thing), thing, "subject")
    return told(kept, plain, joined(kept.verb, kept.object), event.thing, "detail")


def _premise(
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
