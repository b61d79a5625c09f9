"""Compare: methods beside the people they imitate, with scores and every answer."""

from capo_core.dashboard import view_methods
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "compare", "Which method comes nearest to the annotator it imitates?", view_methods.KEYS
)
if not nothing_yet(frame):
    with speaking():
        view_methods.show(frame)
