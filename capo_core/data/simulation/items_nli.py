"""NLI items: a premise, a hypothesis, and how people would label them."""

from __future__ import annotations

from capo_core.data.simulation.draws import Draws, cumulative
from capo_core.data.simulation.items import Item
from capo_core.data.simulation.items_events import draw_event_item
from capo_core.data.simulation.items_facts import (
    draw_comparison_item,
    draw_general_item,
    draw_share_item,
    draw_state_item,
    draw_transfer_item,
)

_FAMILIES = (
    (draw_event_item, 0.62),
    (draw_state_item, 0.14),
    (draw_share_item, 0.06),
    (draw_comparison_item, 0.05),
    (draw_transfer_item, 0.06),
    (draw_general_item, 0.07),
)
_BOUNDS = cumulative([share for _, share in _FAMILIES])


def draw_nli_item(draws: Draws) -> Item:
    """One NLI item of one of six families."""
    return _FAMILIES[draws.weighted(_BOUNDS)][0](draws)
