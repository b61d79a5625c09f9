"""A page in a real browser: its server, when it stands still, whether it fits into its window."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(script: Path, workspace: Path) -> Iterator[str]:
    """Serve a script of Streamlit, which has its settings beside it; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    with (workspace / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--server.headless=true"],
            cwd=ROOT,
            env={**os.environ, "CAPO_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{address}/_stcore/health", process, 240)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen, seconds: float) -> None:
    end = time.time() + seconds
    while time.time() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the dashboard did not start ({process.poll()})")


def rest(page) -> None:
    """Wait until the script has run."""
    page.wait_for_timeout(150)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def repeated(action: Callable[[], object], appears, attempts: int = 4) -> None:
    """Act until `appears`, a locator, is visible.

    A tab that loses its server for a moment, as on a machine that does much else, draws itself
    anew and has forgotten the click; a person then clicks again. Only for what may be done twice.
    """
    from playwright.sync_api import TimeoutError as Late

    for left in reversed(range(attempts)):
        try:
            if not appears.is_visible():
                action()
            appears.wait_for(timeout=30_000)
            return
        except Late:
            if not left:
                raise


def until_at(action: Callable[[], object], page, address: str, attempts: int = 4) -> None:
    """Act until the page's address has `address`, a regular expression, in it; as `repeated`."""
    from playwright.sync_api import TimeoutError as Late

    for left in reversed(range(attempts)):
        try:
            action()
            page.wait_for_url(re.compile(address), timeout=30_000)
            return
        except Late:
            if re.search(address, page.url):
                return  # gone there, and what was to be done could not be done again
            if not left:
                raise


def until_gone(action: Callable[[], object], place, attempts: int = 3) -> None:
    """Act until `place`, a locator, is gone: a key can be lost while the page is drawn anew.

    As for `repeated`, only for what may be done twice.
    """
    from playwright.sync_api import TimeoutError as Late

    for left in reversed(range(attempts)):
        try:
            action()
            place.wait_for(state="detached", timeout=60_000)
            return
        except Late:
            if not place.count():
                return  # gone, and what was to be done could not be done again
            if not left:
                raise


def sticking_out(page) -> int:
    """By how many pixels the page is wider than its window, once it has had the time to fit."""
    from playwright.sync_api import TimeoutError as Late

    wider = (
        "(() => { const m = document.querySelector('[data-testid=stMain]');"
        " return m.scrollWidth - m.clientWidth; })()"
    )
    with suppress(Late):
        page.wait_for_function(f"{wider} <= 0", timeout=60_000)
    return page.evaluate(wider)
