"""Studies: design blind studies, freeze them, invite judges, close, unblind and read them."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.studies import page
from capo_core.dashboard.ui.components import speaking

frame = open_page(
    "studies", "Can people who do not know the source tell whose text it is?", page.KEYS
)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
