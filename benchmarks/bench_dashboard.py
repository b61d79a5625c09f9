"""The dashboard as a newcomer meets it, timed in a real browser (needs Chromium, and /proc).

In an empty workspace: from `capo app` to the first page's title and to the demo's ladder, with the
CPU seconds of server and command. Then every page is opened once, and once everything is computed,
clicks on each: wall seconds to the finished page, and CPU seconds of the server.

    python benchmarks/bench_dashboard.py [ADDRESS PID]    of a server that runs already
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from measuring import ROOT, report
from playwright.sync_api import Page, sync_playwright

from capo_core.dashboard.app.pages import pages
from capo_core.demo_results import STUDY_NAME

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CLICKS = 5
# Page → the address at which its segmented control is clicked, beside the dataset.
VIEWS = {
    "stability": "&part=numbers",
    "studies": f"&view=study&study={STUDY_NAME}&part=results",
}
_READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    return [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def settle(page: Page, pid: int) -> None:
    """Wait until page and server rest."""
    page.wait_for_timeout(200)
    page.wait_for_selector(_READY)
    before = cpu_s(pid)
    while True:
        page.wait_for_timeout(700)
        now = cpu_s(pid)
        if now - before < 0.03:
            return
        before = now


def place_of(address: str, name: str) -> str:
    """Return a page's address for the demo; the first page's has no name."""
    first = name == next(iter(pages()))
    return f"{address}/{'' if first else name}?dataset=demo-nli"


def newcomer(page: Page, address: str, start: float) -> dict:
    page.goto(address)
    page.wait_for_selector("h1")
    title = time.perf_counter() - start
    page.locator(".js-plotly-plot").first.wait_for(timeout=300_000)
    ladder = time.perf_counter() - start
    return {"start_to_title_s": round(title, 1), "start_to_ladder_s": round(ladder, 1)}


def first_openings(page: Page, address: str, pid: int) -> dict:
    """Open every page once, in a server that has shown only the first one."""
    found = {}
    for name in pages():
        before, start = cpu_s(pid), time.perf_counter()
        page.goto(place_of(address, name))
        page.wait_for_selector("h1")
        page.wait_for_selector(_READY)
        wall = time.perf_counter() - start
        settle(page, pid)
        headline = page.locator(".capo-headline")
        found[name] = {
            "wall_s": round(wall, 1),
            "cpu_s": round(cpu_s(pid) - before, 2),
            "shows": headline.first.inner_text()[:100] if headline.count() else "",
        }
    return found


def clicks(page: Page, address: str, pid: int) -> dict:
    """Click through each page's first or named segmented control, twice before it is measured.

    A page without one is opened again by its link in the sidebar.
    """
    found = {}
    for name, title in pages().items():
        page.goto(place_of(address, name) + VIEWS.get(name, ""))
        page.wait_for_selector("h1")
        settle(page, pid)
        groups = page.locator('[data-testid="stButtonGroup"]')
        if groups.count():
            # By its key: what a click brings may have such a control too.
            key = groups.last.evaluate(
                "group => [...group.closest('[class*=st-key-]').classList]"
                ".find(name => name.startsWith('st-key-'))"
            )
            options = page.locator(f".{key}").get_by_role("radio")
            places = range(options.count())
        else:
            options, places = None, range(1)
        times, spent = [], []
        for turn in range(-2 * len(places), CLICKS):
            before, start = cpu_s(pid), time.perf_counter()
            if options is None:
                page.locator(".st-key-capo-links").get_by_role("link", name=title.title).click()
            else:
                options.nth(turn % len(places)).click()
            page.wait_for_timeout(50)
            page.wait_for_selector(_READY)
            wall = time.perf_counter() - start
            settle(page, pid)
            if turn >= 0:
                times.append(wall)
                spent.append(cpu_s(pid) - before)
        found[name] = {
            "median_wall_s": round(statistics.median(times), 2),
            "median_cpu_s": round(statistics.median(spent), 2),
            "most_cpu_s": round(max(spent), 2),
        }
    return found


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(300_000)
        if len(sys.argv) > 1:
            report({"click": clicks(page, sys.argv[1], int(sys.argv[2]))})
        else:
            report(from_nothing(page))
        browser.close()


def from_nothing(page: Page) -> dict:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        address = f"http://127.0.0.1:{port}"
        start = time.perf_counter()
        command = [sys.executable, "-m", "capo_core", "app", "--headless", "--port", str(port)]
        app = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "CAPO_WORKSPACE": folder},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(3000):
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            first = newcomer(page, address, start)
            server = children(app.pid)[0]
            settle(page, server)
            first["cpu_s"] = round(cpu_s(app.pid) + cpu_s(server), 1)
            opened = first_openings(page, address, server)
            return {"newcomer": first, "opened": opened, "click": clicks(page, address, server)}
        finally:
            for pid in children(app.pid):
                os.kill(pid, 15)
            app.wait(timeout=60)


if __name__ == "__main__":
    main()
