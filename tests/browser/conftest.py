"""A real browser against a real server, on a workspace of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.browser import rest, serving

from capo_core.cli.start import SCRIPT

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]
OF_THE_LINE = ("_stcore", "WebSocket", "disconnected from server")  # what Streamlit's client says


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a running dashboard with an empty workspace."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    workspace = tmp_path_factory.mktemp("workspace")
    with serving(SCRIPT, workspace) as address:
        yield address, workspace


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=180_000)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A fresh tab; at the end it must have had nothing to complain of."""
    tab = chromium.new_page(viewport={"width": 1440, "height": 1000})
    tab.set_default_timeout(180_000)
    complaints: list[str] = []

    def listen(message):
        # Opened on an inner page, Streamlit looks for its server there first, and then finds it;
        # a server that is too busy to answer is lost for a moment, and found again.
        said = f"{message.location.get('url', '')} {message.text}"
        if message.type == "error" and not any(part in said for part in OF_THE_LINE):
            complaints.append(message.text)

    tab.on("console", listen)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    tab.close()
    assert complaints == []


@pytest.fixture
def go(server, page):
    """Open a path and wait until the page stands still."""

    def open_(path: str):
        page.goto(f"{server[0]}/{path}")
        page.wait_for_selector("h1")
        rest(page)
        return page

    return open_
