"""Data: choose, import and check a dataset."""

from capo_core.dashboard import view_data, view_import
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import open_page

frame = open_page("data", "What data is there, and is it what it should be?", view_data.KEYS)
with speaking():
    section = view_data.sections(frame)
    if section == "import":
        view_import.show(frame)
    else:
        view_data.show(frame, section)
