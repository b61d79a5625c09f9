"""As a newcomer: bring a table, reach the ladder, follow a number to the texts, send the view."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from helpers.browser import repeated, rest, serving, sticking_out
from helpers.pages import MANNERS, make
from playwright.sync_api import TimeoutError

from capo_core import demo_results
from capo_core.cli.start import SCRIPT
from capo_core.dashboard.app.pages import pages
from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """30 items by 3 annotators, one row an annotation, and one row without a label."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "my votes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["item", "worker", "Answer", "Reason", "premise", "hypothesis"])
        for n in range(30):
            for who, manner in MANNERS.items():
                label = ["entailment", "neutral", "contradiction"][rng.integers(3)]
                label = "" if (n, who) == (7, "bob") else label
                reason = " ".join(rng.permutation(manner.split())[:6])
                writer.writerow([f"i{n}", who, label, reason, f"Thing {n} is here", "It moves"])
    return path


def test_from_a_table_to_the_texts_behind_a_number(go, page, table, server):
    go("data?view=import")
    page.locator('input[type="file"]').set_input_files(str(table))
    page.get_by_text("Import preview").wait_for()
    page.get_by_text("30 items, 3 annotators, 89 annotations").wait_for()
    page.get_by_text("1 skipped row, with reasons").wait_for()
    page.get_by_role("button", name="Add my-votes").click()
    page.get_by_text("Annotations per annotator").wait_for()
    page.wait_for_url(re.compile("dataset=my-votes"))

    page.get_by_role("link", name="Stability").click()
    page.get_by_role("button", name="Quick look").click()
    page.locator(".js-plotly-plot").first.wait_for(timeout=240_000)

    # A click on the point of two pooled explanations opens the groups behind it. Those of the
    # headline's point, which pools more, stand there before: 30 items give 44 or 45 pairs.
    points = page.locator(".js-plotly-plot").first.locator(".scatterlayer .points path.point")
    heading = page.get_by_text(re.compile(r"of 4\d groups correctly attributed"))
    for _ in range(6):  # the picture moves while the page is still being filled
        page.locator(".stPlotlyChart").first.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        box = points.nth(1).bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        try:
            heading.wait_for(timeout=15_000)
            break
        except TimeoutError:
            continue
    heading.wait_for()
    page.wait_for_url(re.compile(r"[?&]k=2\b"))
    page.locator(".capo-answer").nth(3).wait_for()
    said = heading.inner_text()

    # The address brings back the same view, in a session that knows nothing of this one.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text(said).wait_for()

    for width in (1440, 820):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(1000)
        assert sticking_out(page) <= 0, width


def test_a_computation_is_stopped_and_says_so(go, page, server):
    # A dataset that no other test opens: its analysis begins here, and is not finished before.
    Catalog(Workspace(server[1])).add(make("stopped", items=3000))
    go("stability?dataset=stopped")
    page.get_by_role("button", name="Quick look").click()
    stop = page.get_by_role("button", name="Stop")
    stop.wait_for()
    repeated(lambda: stop.click(timeout=30_000), page.get_by_text("The computation was stopped"))
    # Opened again it says so again.
    go("stability?dataset=stopped")
    page.get_by_text("The computation was stopped").wait_for()
    page.get_by_role("button", name="Quick look").wait_for()


def test_a_bookmark_of_an_inner_page_opens_inside_the_house(go, page):
    go("annotators")
    page.get_by_role("link", name="Overview").wait_for()
    page.locator(".st-key-capo-links a").nth(len(pages()) - 1).wait_for()
    assert page.locator(".st-key-capo-links a").count() == len(pages())


def test_back_leads_back(go, page):
    go("annotators?dataset=demo-nli&view=items")
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**item=*")
    item = page.url
    page.get_by_role("link", name="Data").click()
    page.get_by_text("Annotations per annotator").wait_for()
    page.get_by_role("link", name="Annotators").click()
    page.get_by_text("Item 2 of 500").wait_for()
    page.wait_for_url(item)
    page.go_back()
    page.get_by_text("Annotations per annotator").wait_for()
    page.go_back()
    page.get_by_text("Item 2 of 500").wait_for()
    page.go_back()
    page.get_by_text("Item 1 of 500").wait_for()


def test_a_file_that_is_no_table_is_refused_in_words(go, page, tmp_path):
    path = tmp_path / "picture.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    go("data?view=import")
    page.locator('input[type="file"]').set_input_files(str(path))
    page.get_by_text("this is a picture", exact=False).wait_for()
    page.get_by_text("What to do").wait_for()


def test_offline_the_download_says_what_to_do_instead(go, page):
    go("data?view=import")
    page.get_by_role("button", name="Download VariErr NLI").click()
    page.wait_for_selector('[data-testid="stAlert"], .capo-figures', timeout=240_000)
    alert = page.locator('[data-testid="stAlert"]')
    if alert.count():  # no network here
        assert "What to do" in alert.inner_text()


@pytest.mark.parametrize("width", [1440, 820])
@pytest.mark.parametrize(
    "path",
    [
        "?",
        "data?dataset=demo-nli",
        "data?view=import",
        "data?view=all",
        "annotators?dataset=demo-nli",
        "annotators?dataset=demo-paraphrase&view=two",
        "annotators?dataset=demo-nli&view=items&list=1",
    ],
)
def test_nothing_sticks_out(go, page, path, width):
    page.set_viewport_size({"width": width, "height": 1000})
    go(path)
    page.wait_for_timeout(400)
    assert sticking_out(page) <= 0
    assert page.locator('[data-testid="stException"]').count() == 0


WIDE = [
    "compare?dataset=demo-nli",
    "distributions?dataset=demo-nli",
    "studies?dataset=demo-nli",
    "stability?dataset=demo-nli&part=reliability",
]


@pytest.fixture(scope="module")
def demo(chromium, tmp_path_factory):
    """The address of a dashboard with the demo's results, as the command that starts it installs
    them."""
    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    demo_results.install(workspace)
    demo_results.install_study(workspace)
    with serving(SCRIPT, workspace.root) as address:
        yield address


@pytest.mark.parametrize("path", WIDE)
def test_no_column_of_a_wide_table_is_cut_in_a_narrow_window(demo, page, path):
    for width in (820, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 1000})
        page.goto(f"{demo}/{path}")
        page.wait_for_selector("h1")
        rest(page)
        page.wait_for_function(
            """() => {
              const grids = [...document.querySelectorAll(".stDataFrame .dvn-scroller")];
              return grids.length && grids.every((each) => each.scrollWidth <= each.clientWidth + 1
                && each.getBoundingClientRect().right <= innerWidth);
            }"""
        )
        assert sticking_out(page) <= 0, width


@pytest.mark.parametrize(
    ("width", "path", "title"),
    [
        (1440, "stability?dataset=demo-nli", "Stability · demo-nli · CAPO Lab"),
        (820, "data?dataset=demo-paraphrase", "Data · demo-paraphrase · CAPO Lab"),
    ],
)
def test_tabs_have_titles_and_a_narrow_one_opens_with_its_sidebar_folded(
    server, chromium, width, path, title
):
    tab = chromium.new_page(viewport={"width": width, "height": 1000})
    tab.set_default_timeout(180_000)
    tab.goto(f"{server[0]}/{path}")
    tab.wait_for_function("title => document.title === title", arg=title)
    tab.wait_for_function(
        "open => { const seen = document.querySelector('[data-testid=stSidebar]');"
        " return seen && (seen.getBoundingClientRect().right > 100) === open; }",
        arg=width > 1000,
    )
    # Our own, and from no other address.
    tab.locator('link[rel~="icon"][href^="data:image/svg+xml"]').wait_for(state="attached")
    tab.close()
