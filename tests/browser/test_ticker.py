"""What is drawn again while something runs rests while its tab is hidden."""

from __future__ import annotations

import ast
import shutil
import time

import pytest
from helpers.browser import ROOT, serving

from capo_core.cli.start import SCRIPT as START

SCRIPT = """
import streamlit as st
from capo_core.dashboard.studies import background
from capo_core.dashboard.ui import ticker

place = st.session_state
place.full = place.get("full", 0) + 1
place.setdefault("part", 0)

def draw():
    place.part += 1
    st.text(f"part {place.part}")

ticker.redrawn("part", draw, least_s=0.2)
if place.full < 3:
    background.waiting("Computing ...")
st.text(f"page {place.full}")
"""
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def address(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    shutil.copytree(START.parent / ".streamlit", tmp_path / ".streamlit")
    with serving(script, tmp_path) as found:
        yield found


def drawn(page) -> int:
    return int(page.get_by_text("part ").inner_text().removeprefix("part "))


def until_drawn_again(page) -> None:
    before = drawn(page)
    page.wait_for_function(
        "before => Number(/part (\\d+)/.exec(document.body.innerText)[1]) > before", arg=before
    )


def settles(page) -> bool:
    """Whether nothing is drawn any more; an answer that is on its way may still come."""
    for _ in range(20):
        before = drawn(page)
        time.sleep(3)
        if drawn(page) == before:
            return True
    return False


def test_a_hidden_tab_asks_for_nothing_and_asks_again_when_it_is_looked_at(address, page):
    page.goto(address)
    page.get_by_text("page 3").wait_for()  # what waits had the whole page drawn again, twice
    until_drawn_again(page)
    page.evaluate(HIDE, True)
    assert settles(page)
    page.evaluate(HIDE, False)
    until_drawn_again(page)


def test_no_other_part_of_a_page_has_a_timer_of_its_own():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "capo_core").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.keyword) and node.arg == "run_every")
    ]
    assert not found, f"`ticker.redrawn` stops while the tab is hidden; run_every does not: {found}"
