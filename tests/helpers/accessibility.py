"""axe-core's checks of accessibility on a page in a browser, in both themes."""

import pytest

from helpers.browser import rest

# Parts of Streamlit's own widgets, whose markup is not ours: the app's <main> landmarks, the
# inner buttons and lists of its boxes, the canvas of its tables, and Plotly's toolbar.
WIDGETS = [
    '[data-testid="stDataFrame"]',
    '[data-testid="stHeader"]',
    '[data-testid="stFileUploader"]',
    ".modebar-container",
]
# What cannot be chosen now is grey: no rule of contrast is about it (WCAG 1.4.3, "inactive"), but
# axe does not see that these labels belong to boxes that are switched off.
INACTIVE = ['[data-testid="stSelectbox"]:has(input:disabled)',
            '[data-testid="stMultiSelect"]:has(input:disabled)']  # fmt: skip
# Colours as they are in the end: a part that is just drawn again fades, from and to its own colour.
STILL = """*, *::before, *::after { transition: none !important; animation: none !important }
[data-stale="true"] { opacity: 1 !important }"""
GROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"


def _violations(page, **options) -> list[str]:
    excluded = [[each] for each in (*WIDGETS, *INACTIVE)]
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(
        page, context={"include": [["body"]], "exclude": excluded}, options=options
    )
    assert found.response["passes"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for each in found.response["violations"]
        for node in each["nodes"][:3]
    ]


def _settled(page, **options) -> list[str]:
    """What axe finds in the end: a part may still be drawn anew, in the colours from before."""
    for _ in range(20):
        found = _violations(page, **options)
        if not found:
            return found
        page.wait_for_timeout(3000)
        rest(page)
    return found


def check_accessible(page) -> None:
    """Check a page, all of it in the light theme and its colours in the dark one.

    Raises:
        AssertionError: with what axe found.
    """
    page.add_style_tag(content=STILL)
    page.wait_for_timeout(500)
    assert not (found := _settled(page)), "\n".join(found)
    # The page follows the system's theme; all but the colours stays as it was.
    light = page.evaluate(GROUND)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {GROUND} !== light", arg=light)
    rest(page)
    page.wait_for_timeout(500)
    assert not (found := _settled(page, runOnly=["color-contrast"])), "\n".join(found)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"light => {GROUND} === light", arg=light)
