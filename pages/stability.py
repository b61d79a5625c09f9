"""Stability: the ladder, its controls, and the explanations behind every number."""

from capo_core.dashboard import view_stability
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "stability",
    "How much of an annotator can be told from one explanation, and from sixteen?",
    view_stability.KEYS,
)
if not nothing_yet(frame):
    with speaking():
        view_stability.show(frame)
