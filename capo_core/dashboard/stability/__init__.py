"""Stability: the ladder, its controls, and the explanations behind every number."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("stability", title="Stability", order=40)
