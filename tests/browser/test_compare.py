"""Compare in a browser: from item to item, from a cell to the answers behind it, and the files."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from helpers.browser import repeated, rest, sticking_out
from helpers.comparisons import experiment, speaker, the_next, the_target, world

from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace

ROW = 35  # pixels of a row of a table, and of its header


@pytest.fixture(scope="module")
def compared(server):
    """An experiment that is over, made by hand: icl has one wrong label in twelve."""
    workspace, dataset = Workspace(server[1]), world("compared", held_out=12)
    Catalog(workspace).add(dataset)
    answers = {
        "zero_shot": speaker(dataset, the_next(dataset), right=0.25),
        "icl": speaker(dataset, the_target, right=11 / 12),
        "capo": speaker(dataset, the_target),
    }
    experiment(workspace, dataset, answers)
    return dataset


def test_from_item_to_cell_to_file(go, page, compared):
    go("compare?dataset=compared")
    page.locator(".capo-headline", has_text="nearest to its targets").wait_for()
    page.get_by_text("1 of 36 cases").wait_for()

    page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_text("2 of 36 cases").wait_for()
    page.wait_for_url(re.compile("item="))

    # In-context learning stands in the second row; label accuracy is the third column of numbers.
    table = page.locator('[data-testid="stDataFrame"]').first
    table.scroll_into_view_if_needed()

    def pick() -> None:
        page.wait_for_timeout(500)
        box = table.bounding_box()
        names = 190
        column = (box["width"] - names) / 4
        at = (box["x"] + names + 2.5 * column, box["y"] + 2.5 * ROW)
        # The table marks the cell under the mouse, and a click takes the marked one.
        page.mouse.move(*at)
        page.wait_for_timeout(300)
        page.mouse.click(*at)

    repeated(pick, page.get_by_text("1 of 3 cases"))  # one item for each of three targets
    page.wait_for_url(re.compile("method=icl"))
    page.wait_for_url(re.compile("outcome=wrong"))
    behind = page.get_by_text("Label differs; attributed to the target")
    behind.first.wait_for()
    # The reader is led there.
    page.wait_for_function(
        "() => document.querySelector('.st-key-capo-details').getBoundingClientRect().top < 500"
    )

    # The address brings the same view back.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text("1 of 3 cases").wait_for()
    rest(page)

    with page.expect_download() as taken:
        page.get_by_role("button", name="Report (self-contained HTML)").click()
    html = taken.value.path().read_text(encoding="utf-8")
    assert "nearest to its targets" in html and "<script" not in html
    with page.expect_download() as taken:
        page.get_by_role("button", name="Scores (long CSV)").click()
    rows = list(csv.DictReader(io.StringIO(taken.value.path().read_text(encoding="utf-8"))))
    (accuracy,) = (
        row
        for row in rows
        if (row["source"], row["target"], row["measure"]) == ("icl", "all", "label accuracy")
    )
    assert float(accuracy["value"]) == pytest.approx(33 / 36) and accuracy["n"] == "36"
    with page.expect_download() as taken:
        page.get_by_role("button", name="Answers (JSONL)").click()
    lines = taken.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 * 36
    made = map(json.loads, lines)
    wrong = [one for one in made if (one["source"], one["right"]) == ("icl", "false")]
    assert len(wrong) == 3

    for width in (1440, 820):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(800)
        assert sticking_out(page) <= 0, width


def test_runs_are_chosen_by_ticks_in_their_table(go, page, compared):
    go("compare?dataset=compared")
    page.get_by_role("button", name="Choose runs").click()
    page.get_by_role("button", name=re.compile(r"Compare \d+ runs")).wait_for()
    before = int(
        page.get_by_role("button", name=re.compile(r"Compare \d+ runs")).inner_text()[8:-5]
    )
    table = page.get_by_role("region", name="Table: finished runs to choose from")

    def tick() -> None:
        page.wait_for_timeout(500)  # the table moves until the popover is open
        box = table.bounding_box()
        page.mouse.click(box["x"] + 17, box["y"] + 1.5 * ROW)  # the tick of the first run

    fewer = page.get_by_role("button", name=f"Compare {before - 1} runs")
    repeated(tick, fewer)
    fewer.click()
    page.wait_for_url(re.compile("of=chosen"))
    page.get_by_text(f"These {before - 1} runs have not been evaluated yet").wait_for()
    # The address brings the same choice back.
    page.reload()
    page.get_by_text(f"These {before - 1} runs have not been evaluated yet").wait_for()
