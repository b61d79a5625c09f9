"""How each source of label distributions is drawn and called, on the page Distributions.

Annotators and methods have the colours they have everywhere; the crowd is drawn in ink, as people
are; what only this page knows has colours of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.dashboard.theme import (
    DASHES,
    METHODS,
    NEUTRAL,
    SYMBOLS,
    Look,
    human_look,
    looks,
    method_name,
)
from capo_core.distributions.from_dataset import ANNOTATORS, HUMANS, SINGLE
from capo_core.distributions.judgments import CROWD, UNIFORM

_OWN = {
    ANNOTATORS: Look("#9466C7", "circle", "solid"),
    f"{ANNOTATORS}, valid": Look("#A9714B", "square", "dash"),
    SINGLE: Look("#C98A1B", "diamond", "dot"),
    UNIFORM: Look(NEUTRAL, "circle-open", "dot"),
}
_MORE = ("#2A9D8F", "#B3586B", "#5E9A4C", "#4E8FB0", "#C0589A", "#6B8E23", "#B08CE0")
_EACH = "annotator "


def source_looks(
    names: Sequence[str], annotators: Sequence[str], *, dark: bool = False
) -> dict[str, Look]:
    """A look per source, the same whichever of them are shown.

    Args:
        names: all sources there are, in their order.
        annotators: the dataset's, in their order.
    """
    people, found, more = looks(annotators), {}, 0
    for name in names:
        head = name.split(" ")[0]
        if name in (CROWD, HUMANS):
            found[name] = human_look(dark=dark)
        elif name in _OWN:
            found[name] = _OWN[name]
        elif name.removeprefix(_EACH) in people and name.startswith(_EACH):
            found[name] = people[name.removeprefix(_EACH)]
        elif head in METHODS:
            _, color, symbol, dash = METHODS[head]
            again = sum(other.split(" ")[0] == head for other in found)
            found[name] = Look(color, SYMBOLS[(SYMBOLS.index(symbol) + again) % len(SYMBOLS)], dash)
        else:
            found[name] = Look(
                _MORE[more % len(_MORE)],
                SYMBOLS[(more + 3) % len(SYMBOLS)],
                DASHES[(more + 1) % len(DASHES)],
            )
            more += 1
    return found


def source_name(name: str) -> str:
    """A source's name for the screen: "capo team" → "CAPO team"."""
    return method_name(name)
