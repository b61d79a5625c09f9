"""Guide: the documentation that ships with the project, as pages of the dashboard."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("guide", title="Guide", order=90, needs_dataset=False, needs_annotators=False)
