"""Compare: methods beside the people they imitate, with scores and every answer."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("compare", title="Compare", order=70)
