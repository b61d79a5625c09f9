"""Annotators: what distinguishes one from another."""

from capo_core.dashboard.annotators import page
from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.ui.components import speaking

frame = open_page("annotators", "What distinguishes one annotator from another?", page.KEYS)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
