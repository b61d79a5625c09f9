"""From an item, a label and a manner to the words of an explanation."""

from __future__ import annotations

import math
import re

from capo_core.data.simulation.annotators import GRAMMAR, Manner
from capo_core.data.simulation.draws import Draws, cumulative
from capo_core.data.simulation.items import Item

# Log-odds-free shares of the three ways to fill a place (without words of the item, in brief, in
# full) at content 0, 1 and 2; in between they are interpolated.
_DETAIL = ((1.0, 0.0, 0.0), (0.03, 0.52, 0.45), (0.0, 0.05, 0.95))
# Nobody puts a bare pointer in quotes.
_QUOTED_POINTER = re.compile(r"""["'“](this|that)["'”]""")
_SPACE_BEFORE = re.compile(r"\s+([,;.?!])")


def detail_bounds(content: float, tilt: float) -> tuple[float, ...]:
    """Cumulative shares of the three ways to fill a place.

    Args:
        content: 0 (never words of the item) to 2 (nearly always, in full).
        tilt: an annotator's preference for full over brief, in nats.
    """
    low = min(int(content), 1)
    part = content - low
    generic, brief, full = (
        (1 - part) * a + part * b for a, b in zip(_DETAIL[low], _DETAIL[low + 1], strict=True)
    )
    return cumulative((generic, brief, full * math.exp(tilt)))


def write(start: str, item: Item, manner: Manner, content: float, draws: Draws) -> str:
    """One explanation, grown from the rule `start`."""
    bounds = detail_bounds(content, manner.detail)

    def place(name: str) -> str:
        return item.places[name][draws.weighted(bounds)]

    text = " ".join(GRAMMAR.expand(start, manner.bounds, draws, place).split())
    text = _QUOTED_POINTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))
    text = _slips(text, manner.slips, draws)
    habits = manner.formatting
    capital = draws.chance(habits.capital)
    period = draws.chance(habits.period)
    space = draws.chance(habits.leading_space)
    if capital:
        text = text[:1].upper() + text[1:]
    if period and not text.endswith("?"):
        text += "."
    return f" {text}" if space else text


def _slips(text: str, share: float, draws: Draws) -> str:
    """Some words with two letters swapped or one left out, as of someone in a hurry."""
    words = text.split(" ")
    changed = False
    for i, word in enumerate(words):
        if draws.uniform() < share and len(word) > 4 and word.isalpha():
            at = 1 + draws.index(len(word) - 3)
            if draws.chance(0.5):
                words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            else:
                words[i] = word[:at] + word[at + 1 :]
            changed = True
    return " ".join(words) if changed else text
