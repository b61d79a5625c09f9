"""Compare: methods beside the people they imitate, with scores and every answer."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.compare import page
from capo_core.dashboard.ui.components import speaking

frame = open_page("compare", "Which method comes nearest to the annotator it imitates?", page.KEYS)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
