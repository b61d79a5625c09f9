"""Overview: the chain of evidence of a dataset, and what to do next."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("overview", title="Overview", order=10)
