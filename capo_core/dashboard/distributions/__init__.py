"""Distributions: label distributions of people and models, compared."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("distributions", title="Distributions", order=50, needs_annotators=False)
