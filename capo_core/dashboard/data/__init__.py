"""Data: choose, import, check and export a dataset."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("data", title="Data", order=20, needs_dataset=False)
