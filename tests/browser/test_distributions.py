"""Distributions in a browser: a file, a click from the picture to the item, and the way back."""

from __future__ import annotations

import csv
import json
import re
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from helpers.browser import rest, sticking_out
from helpers.pages import make

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.workspace import Workspace

NASTY = '<img src=x onerror="document.title=1"> {}'
ITEMS = 24


@pytest.fixture(scope="module")
def spread(server) -> Dataset:
    """A crowd that agrees ever less from item to item; texts that would like to be more."""
    dataset = make("spread", items=ITEMS, text=NASTY)
    labels = dataset.task.scale.labels
    rows = [
        (item, label, count)
        for place, item in enumerate(dataset.items["item_id"])
        for label, count in zip(labels, (100 - 2 * place, place, place), strict=True)
    ]
    crowd = pd.DataFrame(rows, columns=["item_id", "label", "count"])
    dataset = Dataset(
        dataset.name, dataset.task, dataset.items, dataset.annotations, crowd, dataset.origin
    )
    Catalog(Workspace(server[1])).add(dataset)
    return dataset


def open_item(page, item: str):
    """The name of the item that is open, where it is this one."""
    return page.locator("p.capo-note b", has_text=re.compile(f"^{item}$"))


def test_from_a_file_to_an_item_and_back(go, page, spread, tmp_path):
    from playwright.sync_api import TimeoutError as Late

    go("distributions?dataset=spread&order=disputed")
    page.get_by_text("Distance from the crowd").wait_for()
    # The last item is the one whose crowd is most divided.
    page.get_by_text(f"1 of {ITEMS} items").wait_for()
    open_item(page, f"i{ITEMS - 1}").wait_for()

    # A file of a model's shares stands beside the dataset.
    path = tmp_path / "a model.jsonl"
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], ITEMS)
    path.write_text(
        "\n".join(
            json.dumps({"premise": row.text_a, "hypothesis": row.text_b, "model": list(share)})
            for row, share in zip(spread.items.itertuples(), shares, strict=True)
        ),
        encoding="utf-8",
    )
    page.get_by_role("button", name="Files").click()
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_text("a model.jsonl").wait_for()
    page.get_by_role("button", name="Load files").click()
    page.get_by_text(f"a model: {ITEMS} items").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Files: 1 open").wait_for()
    page.locator("div.capo-dist b", has_text="model").first.wait_for()
    rest(page)

    # A point of the map opens its item.
    points = page.locator(".js-plotly-plot").nth(1).locator(".points path")
    points.first.wait_for()
    page.locator(".js-plotly-plot").nth(1).scroll_into_view_if_needed()
    for place in range(5):  # a click on a ring or on the open item itself changes nothing
        box = points.nth(place).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.get_by_text("click to open").first.wait_for()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        with suppress(Late):
            page.wait_for_url(re.compile("item="), timeout=10_000)
            break
    opened = re.search(r"[?&]item=(\w+)", page.url)[1]
    open_item(page, opened).wait_for()
    # The reader is led there.
    page.wait_for_function(
        "() => document.querySelector('.st-key-capo-details').getBoundingClientRect().top < 500"
    )

    # The address brings the same view back, file and all.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.get_by_role("button", name="Files: 1 open").wait_for()
    open_item(page, opened).wait_for()
    rest(page)

    # Everything item by item, as a file.
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Item by item (CSV)").click()
    rows = list(csv.DictReader(waiting.value.path().open(encoding="utf-8-sig")))
    model = [row for row in rows if row["source"] == "model"]
    assert len(model) == ITEMS
    found = [float(row["share neutral"]) for row in model]
    np.testing.assert_allclose(found, shares[:, 1], atol=1e-9)
    assert page.title() != "1"  # no text of the data has become a picture


def click(page, x: float, row: int) -> None:
    """A click into the table of distances, `x` from its left; row −1 is the header."""
    box = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    at = box["x"] + x, box["y"] + 35 * (row + 1) + 17
    page.mouse.move(at[0] - 4, at[1] - 3)
    page.wait_for_timeout(150)  # the table must have seen the pointer
    page.mouse.click(*at)
    page.wait_for_timeout(500)
    rest(page)


def click_until(page, x: float, row: int, address: str) -> None:
    """Click until the page has an address with `address` in it: a click can be lost."""
    from playwright.sync_api import TimeoutError as Late

    for _ in range(4):
        click(page, x, row)
        with suppress(Late):
            page.wait_for_url(re.compile(address), timeout=20_000)
            return
    raise AssertionError(f"{page.url} never had {address}")


def test_a_header_sorts_and_a_row_leads_to_its_source(go, page, spread):
    go("distributions?dataset=spread")
    page.get_by_text("Distance from the crowd").wait_for()
    page.wait_for_timeout(800)
    click(page, 330, -1)  # a table with nothing picked out picks its first cell then
    assert "focus=" not in page.url
    click_until(page, 100, 3, "focus=")  # after the two baselines and the source that is shown
    assert "measure=" not in page.url
    first = page.url
    click_until(page, 330, 2, "measure=")
    page.go_back()
    page.wait_for_url(first)


def test_sources_taken_out_quickly_stay_out(go, page, spread):
    from playwright.sync_api import expect

    go("distributions?dataset=spread")
    page.get_by_role("button", name="Sources: ").click()
    box = page.locator("[data-testid=stMultiSelect]")
    box.locator("input").click()
    there = box.get_by_role("button", name="Remove").count()
    for _ in range(2):
        page.keyboard.press("Backspace")
        page.wait_for_timeout(60)
    page.wait_for_url(re.compile("shown="))
    expect(box.get_by_role("button", name="Remove")).to_have_count(there - 2)
    rest(page)
    expect(box.get_by_role("button", name="Remove")).to_have_count(there - 2)


def test_narrow_nothing_sticks_out(go, page, spread):
    page.set_viewport_size({"width": 820, "height": 1000})
    go("distributions?dataset=spread&part=models")
    page.get_by_text("New estimate").wait_for()
    assert sticking_out(page) <= 0


def test_a_command_does_not_break_within_an_option(go, page, spread):
    go("distributions?dataset=spread&part=training")
    options = page.locator(".language-bash .token.parameter")
    options.first.wait_for()
    for width in range(820, 1460, 20):
        page.set_viewport_size({"width": width, "height": 1000})
        lines = options.evaluate_all("all => all.map(each => each.getClientRects().length)")
        assert set(lines) == {1}, width
