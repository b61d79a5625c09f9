"""Fine-tune: begin experiments, watch their runs, stop and resume them."""

from capo_core.dashboard import view_finetune
from capo_core.dashboard.components import speaking
from capo_core.dashboard.frame import nothing_yet, open_page

frame = open_page(
    "finetune", "How well can a small model be taught one annotator's manner?", view_finetune.KEYS
)
if not nothing_yet(frame):
    with speaking():
        view_finetune.show(frame)
