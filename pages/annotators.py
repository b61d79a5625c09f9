"""Annotators: what distinguishes one from another."""

from capo_core.dashboard import view_annotators
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "annotators", "What distinguishes one annotator from another?", view_annotators.KEYS
)
if not nothing_yet(frame):
    with speaking():
        view_annotators.show(frame)
