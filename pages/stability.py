"""Stability: the ladder, its controls, and the explanations behind every number."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.stability import page
from capo_core.dashboard.ui.components import speaking

frame = open_page(
    "stability",
    "How much of an annotator can be told from one explanation, and from sixteen?",
    page.KEYS,
)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
