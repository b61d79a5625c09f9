"""Annotators: what distinguishes one annotator from another."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("annotators", title="Annotators", order=30)
