"""The dashboard as a newcomer meets it, timed in a real browser (needs Chromium).

On an empty workspace: from opening the first page to its title, and to the demo's ladder, which is
computed then. After that, with the full default report in the workspace: from a click on the
stability page to its answer.
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

from measuring import ROOT, report, timed
from playwright.sync_api import Page, sync_playwright

from capo_core.data.catalog import Catalog
from capo_core.stability import store
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.workspace import Workspace

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def newcomer(page: Page, address: str) -> dict:
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("h1")
    title = time.perf_counter() - start
    page.locator(".js-plotly-plot").first.wait_for(timeout=300_000)
    ladder = time.perf_counter() - start
    return {"first_page_s": round(title, 1), "first_page_to_ladder_s": round(ladder, 1)}


def clicks(page: Page, address: str) -> dict:
    page.goto(f"{address}/stability?dataset=demo-nli")
    page.locator(".js-plotly-plot").first.wait_for()
    page.wait_for_timeout(3000)
    times = []
    for name in ("Style features", "Wording", "Meaning") * 5:
        start = time.perf_counter()
        page.get_by_role("radio", name=name).or_(page.get_by_text(name, exact=True)).first.click()
        page.wait_for_function(
            "wanted => document.querySelector('h3')?.innerText.startsWith(wanted)",
            arg=f"{name}: ",
            polling=10,
        )
        times.append(time.perf_counter() - start)
        page.wait_for_timeout(600)
    return {
        "clicks": len(times),
        "median_s": round(statistics.median(times), 3),
        "slowest_s": round(max(times), 3),
    }


def full_report(workspace: Workspace) -> dict:
    result: dict = {}
    dataset = Catalog(workspace).load("demo-nli")
    with timed(result):
        store.save(*compute_report(dataset, StabilityConfig(), cache=workspace.cache), workspace)
    return result


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        address = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
             f"--server.port={port}"],
            cwd=ROOT, env={**os.environ, "CAPO_WORKSPACE": folder},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                first = newcomer(page, address)
                made = full_report(Workspace(Path(folder)))
                answered = clicks(page, address)
                browser.close()
        finally:
            server.terminate()
            server.wait(timeout=30)
    report({"newcomer": first, "full_report_of_the_demo": made, "click": answered})


if __name__ == "__main__":
    main()
