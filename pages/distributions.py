"""Distributions: what many people would say, and which sources come near to it."""

from capo_core.dashboard import view_distributions
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "distributions",
    "What would many people say, and what comes nearest to it?",
    view_distributions.KEYS,
)
if not nothing_yet(frame):
    with speaking():
        view_distributions.show(frame)
