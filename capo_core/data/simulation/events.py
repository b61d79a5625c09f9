"""Events, from which NLI items are made: somebody did something somewhere, at some time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from capo_core.data.simulation.draws import Draws
from capo_core.data.simulation.items import joined, sentence, was
from capo_core.data.simulation.topics import (
    DAYS,
    EXTRAS,
    MONTHS,
    NAMES,
    NUMBERS,
    REASONS,
    TOWNS,
    Action,
    Topic,
)
from capo_core.data.simulation.word_list import listed

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
