"""Distributions: what many people would say, and which sources come near to it."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.distributions import page
from capo_core.dashboard.ui.components import speaking

frame = open_page(
    "distributions",
    "What would many people say, and what comes nearest to it?",
    page.KEYS,
)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
