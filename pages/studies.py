"""Studies: design blind studies, freeze them, invite judges, close, unblind and read them."""

from capo_core.dashboard import view_studies
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "studies", "Can people who do not know the source tell whose text it is?", view_studies.KEYS
)
if not nothing_yet(frame):
    with speaking():
        view_studies.show(frame)
