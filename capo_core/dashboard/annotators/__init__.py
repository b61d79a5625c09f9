"""Annotators: profiles, comparisons of two, and all annotations item by item."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("annotators", title="Annotators", order=30)
