"""Studies: design blind studies, freeze them, invite judges, and read the results."""

from capo_core.dashboard.app.pages import Page

PAGE = Page("studies", title="Studies", order=80)
