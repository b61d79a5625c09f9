"""Fine-tune: start experiments, watch their runs, stop and resume them."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("finetune", title="Fine-tune", order=60)
