"""NLI items about events: somebody did something somewhere, and what is claimed about it."""

from __future__ import annotations

from dataclasses import replace

from capo_core.data.simulation.draws import Draws, cumulative
from capo_core.data.simulation.event_claims import claim_of
from capo_core.data.simulation.events import Event, draw_event, draw_when, premise_of
from capo_core.data.simulation.items import Item, noise, sentence
from capo_core.data.simulation.topics import NUMBERS, TOPICS, TOWNS, Action, Topic

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


def draw_event_item(draws: Draws) -> Item:
    """An item about an event, with a relation drawn by its share."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    event = draw_event(draws, topic, action)
    relation = _NAMES[draws.weighted(_BOUNDS)]
    event = _prepared(draws, topic, event, relation)
    claim = claim_of(draws, topic, action, event, relation)
    premise, said = premise_of(draws, topic, action, event, relation)
    odds = RELATIONS[relation][1:]
    return Item(
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
