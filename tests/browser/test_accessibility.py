"""Every page of the owner passes axe-core's checks of accessibility."""

from __future__ import annotations

import pytest
from helpers.accessibility import check_accessible

from capo_core.dashboard.app.pages import pages

VIEWS = [
    "",  # the first page has no path of its own
    *list(pages())[1:],
    "data?view=import",
    "annotators?view=two",
    "annotators?view=items",
    "annotators?view=all",
    "annotators?view=map",
    "data?view=all",
    "finetune?view=new",
]


@pytest.mark.parametrize("path", VIEWS)
def test_a_page_has_no_violation(go, path):
    check_accessible(go(path))
