"""Overview: the results for a dataset so far, and links to every step."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("overview", title="Overview", order=10)
