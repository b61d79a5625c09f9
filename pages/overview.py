"""Overview: the chain of evidence, what of it exists, and what to do next."""

from capo_core.dashboard import view_overview
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page("overview", "Where does this dataset stand, and what comes next?")
if not nothing_yet(frame):
    with speaking():
        view_overview.show(frame)
