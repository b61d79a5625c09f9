"""Every page of the owner passes axe-core's checks of accessibility."""

from __future__ import annotations

import pytest

from capo_core.dashboard.app.pages import pages

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

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
# Dimmed words (copied from the input) and captions are meant to be quiet.
OFF = {"color-contrast": {"enabled": False}}
# Parts of Streamlit's own widgets, whose markup is not ours: the app's <main> landmarks, the
# inner buttons and lists of its boxes, the canvas of its tables, and Plotly's toolbar.
WIDGETS = [
    '[data-testid="stDataFrame"]',
    '[data-testid="stHeader"]',
    '[data-testid="stFileUploader"]',
    ".modebar-container",
]


@pytest.mark.parametrize("path", VIEWS)
def test_a_page_has_no_violation(go, path):
    page = go(path)
    page.wait_for_timeout(500)
    found = axe.Axe().run(
        page,
        context={"include": [["body"]], "exclude": [[each] for each in WIDGETS]},
        options={"rules": OFF},
    )
    assert found.response["passes"]
    violations = [
        f"{each['id']} ({each['impact']}): {node['html'][:200]}"
        for each in found.response["violations"]
        for node in each["nodes"][:3]
    ]
    assert not violations, "\n".join(violations)
