"""NLI items: a premise, a hypothesis, and the log-odds of the labels.

Six families: events (see `nli_events`), states, shares of groups, comparisons, transfers, rules.
"""

from __future__ import annotations

from typing import NamedTuple

from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import (
    EXTRAS,
    NAMES,
    REASONS,
    TOPICS,
    TOWNS,
    SimulatedItem,
    Topic,
    joined,
    noise,
    sentence,
    was,
    word_lists,
)
from capo_core.simulation.nli_events import draw_event_item, draw_when

_GROUPS, _QUALITIES, _SIGHTS, _ASIDES, _GIVING, _GIFTS, _TIES, _MAY = word_lists(
    "groups",
    "qualities",
    "sights",
    "travel_asides",
    "transfers",
    "gifts",
    "ties",
    "permissions",
)


class Claim(NamedTuple):
    """A hypothesis and its properties.

    Attributes:
        odds: log-odds of entailment, neutral, contradiction, before the item's own noise.
        a, b: the words of premise and hypothesis that the judgment turns on.
        missing: what the premise leaves out; kind: what sort of detail a and b are.
    """

    text: str
    brief: str
    odds: tuple[float, float, float]
    a: str
    b: str
    missing: str
    kind: str
    relation: str


def _item(
    draws: Draws, premise: str, clause: str, thing: str, claim: Claim, besides: tuple[str, str]
) -> SimulatedItem:
    return SimulatedItem(
        sentence(premise),
        sentence(claim.text),
        claim.relation,
        tuple(value + noise(draws, 0.7) for value in claim.odds),
        {
            "A": ("this is so", clause, clause),
            "B": ("that is so", claim.brief, claim.text),
            "a": ("this", claim.a, claim.a),
            "b": ("that", claim.b, claim.b),
            "thing": ("it", thing, thing),
            "miss": ("this", claim.missing, claim.missing),
            "kind": ("detail", claim.kind, claim.kind),
            "W": ("something else", *besides),
        },
    )


def draw_state_item(draws: Draws) -> SimulatedItem:
    """Return an item about a state; the claim rewords, opposes, intensifies or explains it."""
    topic = draws.pick(TOPICS)
    state = draws.pick(topic.states)
    thing, adjective, be = state.thing, state.adjective, was(state.thing)
    where = draws.pick(topic.places) if draws.chance(0.4) else f"in {draws.pick(TOWNS)}"
    premise = joined(
        thing, where if draws.chance(0.7) else "", be, adjective,
        draw_when(draws) if draws.chance(0.4) else "",
    )  # fmt: skip
    if draws.chance(0.55):
        premise += _second_clause(draws, topic)
    other = draws.other(topic.states, state)
    degree = draws.pick(("extremely", "only slightly", "always", "surprisingly"))
    # Predicate of the claim, odds, sort of detail, relation.
    word, odds, kind, relation = draws.pick(
        (
            (state.synonym, (2.1, 0.6, -1.7), "wording", "reworded"),
            (state.synonym, (2.1, 0.6, -1.7), "wording", "reworded"),
            (state.opposite, (-1.5, 0.4, 1.7), "description", "opposite"),
            (f"not {adjective}", (-1.4, 0.3, 1.8), "fact", "negation"),
            (f"{degree} {adjective}", (0.7, 1.2, -0.6), "degree", "degree"),
            (f"{adjective} {draws.pick(REASONS)}", (0.3, 1.8, -1.1), "reason", "reason"),
            (other.adjective, (-0.6, 2.2, -0.6), "subject", "unrelated"),
        )
    )
    if relation == "unrelated":
        text = joined(other.thing, was(other.thing), word)
        brief, missing = text, other.thing
    else:
        text = joined(thing, be, word)
        brief = f"{'they' if be == 'were' else 'it'} {be} {word}"
        missing = f"being {word}" if draws.chance(0.5) else f"the state of {thing}"
    claim = Claim(text, brief, odds, adjective, word, missing, kind, relation)
    besides = (
        draws.pick(topic.matters),
        f"{other.thing} being {draws.pick((other.synonym, other.opposite))}",
    )
    return _item(draws, premise, joined(thing, be, adjective), thing, claim, besides)


def _second_clause(draws: Draws, topic: Topic) -> str:
    deed = draws.pick(topic.actions)
    link = draws.pick((", so", ", but", ", and", ", although", " when"))
    return f"{link} {draws.pick(topic.people)} {deed.past} {draws.pick(deed.objects).lstrip('#')}"


def draw_share_item(draws: Draws) -> SimulatedItem:
    """Return an item about a share of a group; the claim gives its size, or a reason."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    group, thing = draws.pick(_GROUPS), draws.pick(action.objects).lstrip("#")
    share = 2 + draws.index(96)
    did = f"{action.past} {thing}"
    clause = f"{share} percent of the {group} {did}"
    premise = f"a survey in {draws.pick(TOWNS)} found that {clause} {draw_when(draws)}"
    many, odds, relation = draws.pick(
        (
            ("most", (1.5, 0.7, -0.8) if share > 50 else (-1.2, 0.5, 1.4), "general"),
            ("some", (1.8, 0.7, -1.2), "general"),
            ("hardly any", (-1.6, 0.5, 1.4) if share > 15 else (1.2, 0.8, -0.6), "general"),
            (f"{2 + (share + 7 + draws.index(80)) % 97} percent", (-1.4, 0.4, 1.6), "number"),
            ("all", (-1.2, 0.6, 1.3), "all"),
            ("", (0.0, 1.9, -0.9), "reason"),
        )
    )
    if relation == "reason":
        why = draws.pick(REASONS)
        claim = Claim(
            f"the {group} {did} {why}", f"they {did} {why}", odds, f"{share} percent", why,
            "the reason", "reason", relation,
        )  # fmt: skip
    else:
        amount = f"{many} of the {group}" if draws.chance(0.6) else many
        subject = f"{many} of the {group}" if many != "hardly any" else f"hardly any {group}"
        claim = Claim(
            f"{subject} {did}", f"{subject} did", odds, f"{share} percent",
            amount if many != "hardly any" else many, f"the number of {group}", "number", relation,
        )  # fmt: skip
    besides = draws.pick(topic.matters), f"other {draws.pick(_GROUPS)} {draws.pick(topic.places)}"
    return _item(draws, premise, clause, f"the {group}", claim, besides)


def draw_comparison_item(draws: Draws) -> SimulatedItem:
    """Return an item that compares two towns; the claim reverses, keeps or widens that."""
    more, less = draws.pick(_QUALITIES)
    if draws.chance(0.5):
        more, less = less, more
    sight, one = draws.pick(_SIGHTS), draws.pick(TOWNS)
    other = draws.other(TOWNS, one)
    third = draws.pick(tuple(town for town in TOWNS if town not in (one, other)))
    a = f"{more} than the one in {other}"
    clause = f"the {sight} in {one} is {a}"
    b, text, odds, kind, relation = draws.pick(
        (
            (less, f"the {sight} in {other} is {less} than in {one}", (1.9, 0.6, -0.9), "order",
             "reworded"),
            (f"{more} than in {one}", f"the {sight} in {other} is {more} than in {one}",
             (-1.3, 0.2, 1.8), "order", "swap"),
            (f"no {sight}", f"no {sight} is {more} than the one in {one}", (-0.4, 1.6, -0.2),
             "comparison", "all"),
            (f"people in {third}", f"people in {third} prefer the {sight} in {other}",
             (-1.0, 2.1, -0.4), "subject", "matter"),
        )
    )  # fmt: skip
    missing = f"the {sight} in {other}" if relation != "matter" else f"people in {third}"
    claim = Claim(text, text, odds, a, b, missing, kind, relation)
    besides = f"the {draws.pick(_SIGHTS)} in {third}", f"something {draws.pick(_QUALITIES)[0]}"
    premise = f"{clause}, {draws.pick(_ASIDES)}"
    return _item(draws, premise, clause, f"the {sight} in {one}", claim, besides)


def draw_transfer_item(draws: Draws) -> SimulatedItem:
    """Return an item about a transfer; the claim swaps the roles, or adds a detail."""
    one = draws.pick(NAMES)[0]
    other = draws.pick(NAMES)[0]
    while other == one:
        other = draws.pick(NAMES)[0]
    gave, got = draws.pick(_GIVING)
    gift, when = draws.pick(_GIFTS), draw_when(draws)
    clause = f"{one} {gave} {other} {gift}"
    premise = joined(clause, when, draws.pick(REASONS) if draws.chance(0.4) else "")
    receipt = f"{got} {gift}" + ("" if got.startswith("was") else f" from {one}")
    extra, tie = draws.pick(EXTRAS), draws.pick(_TIES)
    b, text, odds, missing, kind, relation = draws.pick(
        (
            (receipt, f"{other} {receipt}", (2.1, 0.3, -1.6), gift, "wording", "reworded"),
            (f"{other} {gave}", f"{other} {gave} {one} {gift}", (-1.4, 0.3, 1.8), f"what {one} got",
             "person", "swap"),
            (extra, f"{clause} {extra}", (0.1, 2.0, -1.2), f"the part {extra}", "detail", "manner"),
            (tie, f"{one} and {other} {tie}", (0.4, 1.9, -1.3),
             f"how {one} and {other} know each other", "relation", "matter"),
        )
    )  # fmt: skip
    claim = Claim(text, text, odds, f"{gave} {other} {gift}", b, missing, kind, relation)
    besides = draws.other(_GIFTS, gift), f"friends who {draws.pick(_TIES)}"
    return _item(draws, premise, clause, gift, claim, besides)


def draw_general_item(draws: Draws) -> SimulatedItem:
    """Return an item about a rule for a group; the claim applies, limits or reverses it."""
    topic = draws.pick(TOPICS)
    action = draws.pick(topic.actions)
    group, thing = draws.pick(_GROUPS), draws.pick(action.objects).lstrip("#")
    town, may = draws.pick(TOWNS), draws.pick(_MAY)
    did = f"{action.base} {thing}"
    clause = f"{group} in {town} {may} {did}"
    premise = f"{clause} {draws.pick(topic.places)}" if draws.chance(0.5) else clause
    word, odds, relation = draws.pick(
        (
            ("always", (0.3, 1.2, 0.1), "degree"),
            ("never", (-1.2, 0.5, 1.4), "negation"),
            ("sometimes", (1.4, 0.9, -0.8), "general"),
            ("want to", (0.2, 1.8, -0.5), "feeling"),
        )
    )
    missing = f"what {group} {'want' if relation == 'feeling' else 'do'}"
    claim = Claim(
        f"{group} in {town} {word} {did}", f"they {word} {did}", odds, may, word, missing,
        "wording", relation,
    )  # fmt: skip
    besides = draws.pick(topic.matters), f"{draws.pick(_GROUPS)} {draws.pick(topic.places)}"
    return _item(draws, premise, clause, group, claim, besides)


_FAMILIES = (
    (draw_event_item, 0.62),
    (draw_state_item, 0.14),
    (draw_share_item, 0.06),
    (draw_comparison_item, 0.05),
    (draw_transfer_item, 0.06),
    (draw_general_item, 0.07),
)
_BOUNDS = cumulative([share for _, share in _FAMILIES])


def draw_nli_item(draws: Draws) -> SimulatedItem:
    """Return one NLI item of one of six families."""
    return _FAMILIES[draws.weighted(_BOUNDS)][0](draws)
