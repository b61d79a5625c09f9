"""Fine-tune: begin experiments, watch their runs, stop and resume them."""

from capo_core.dashboard.app.page import nothing_yet, open_page
from capo_core.dashboard.finetune import page
from capo_core.dashboard.ui.components import speaking

frame = open_page(
    "finetune", "How well can a small model be taught one annotator's manner?", page.KEYS
)
if not nothing_yet(frame):
    with speaking():
        page.show(frame)
