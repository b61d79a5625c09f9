"""Stability: how identifiable annotators are from k explanations."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("stability", title="Stability", order=40)
