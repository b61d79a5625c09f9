"""Overview: the chain of evidence, what of it exists, and what to do next."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.overview import page
from capo_core.dashboard.ui.components import speaking

frame = open_page("overview", "Where does this dataset stand, and what comes next?")
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
