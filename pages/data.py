"""Data: choose, import and check a dataset."""

from capo_core.dashboard.app.page import open_page
from capo_core.dashboard.data import import_form, page
from capo_core.dashboard.ui.components import speaking

frame = open_page("data", "What data is there, and is it what it should be?", page.KEYS)
with speaking():
    section = page.sections(frame)
    if section == "import":
        import_form.show(frame)
    else:
        page.show(frame, section)
