"""A judge who types fast at a server that stalls and a network that drops (needs Chromium).

    python benchmarks/judge_stalls.py --answers 500 --drops 10

A judge's page in a real browser, every 150 to 300 ms a key. The server is stopped (SIGSTOP) for 0.3
to 3 s at random, a third of the time in all; the connection is cut `--drops` times, for 0.2 to 2 s.
While the page saves the judge goes on typing now and then: those keys are for no trial, and must
answer none. Counted: answers that were given and are not in the database (lost), trials with two
answers (doubled), and answers other than the one given (wrong).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

from measuring import ROOT, report
from playwright.sync_api import Error as PageError
from playwright.sync_api import Page, sync_playwright

from capo_core.cli.start import SCRIPT
from capo_core.study.store import audit
from capo_core.workspace import Workspace

sys.path.insert(0, str(ROOT / "tests"))
from helpers.browser import repeated
from helpers.small_study import SmallStudy

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
PACE_S = (0.15, 0.3)
STALL_S = (0.3, 3.0)
CUT_S = (0.2, 2.0)
GIVEN_UP_S = 240.0
SEEN = """() => {
  const desk = document.querySelector('.judge-desk');
  const text = desk ? desk.innerText : document.body.innerText;
  return {
    trial: (text.match(/premise of i(\\w+)/) || [])[1] || '',
    waiting: Boolean(desk && desk.classList.contains('judge-waiting')),
    told: Boolean(desk && desk.querySelector('.judge-told')),
    pair: Boolean(desk && desk.querySelectorAll('.judge-texts .judge-answer').length === 2),
    start: Boolean(document.querySelector('.st-key-judge-begin, .st-key-judge-start')),
    done: /You are done/.test(document.body.innerText),
  };
}"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Line:
    """The network between browser and server, which can be cut."""

    def __init__(self, port: int) -> None:
        self.target, self.open, self.cuts = port, True, 0
        self._pairs: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            caller, _ = self._door.accept()
            if not self.open:
                caller.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
                server.settimeout(None)
            except OSError:
                caller.close()
                continue
            self._pairs |= {caller, server}
            for one, other in ((caller, server), (server, caller)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(65536):
                other.sendall(part)
        for each in (one, other):
            self._pairs.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float) -> None:
        """Drop every connection, and refuse new ones for a while; what is under way is lost."""
        self.open, self.cuts = False, self.cuts + 1
        for each in list(self._pairs):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self.open = True


def serve(workspace: Workspace) -> tuple[subprocess.Popen, int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.headless=true",
         f"--server.port={port}"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "CAPO_WORKSPACE": str(workspace.root)},
    )  # fmt: skip
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
            return process, port
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the dashboard did not start")


def stall(process: subprocess.Popen, rng: random.Random, over: threading.Event, took: list) -> None:
    """Stop the server again and again, a third of the time."""
    while not over.is_set():
        seconds = rng.uniform(*STALL_S)
        if over.wait(2 * seconds):
            return
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        took.append(seconds)


def drop(line: Line, rng: random.Random, over: threading.Event, asked: threading.Event) -> None:
    """Cut the line whenever it is asked for."""
    while not over.is_set():
        if asked.wait(0.1):
            asked.clear()
            time.sleep(rng.uniform(0, 0.4))
            line.cut(rng.uniform(*CUT_S))


def judge(
    page: Page, rng: random.Random, answers: int, cut_at: set[int], asked: threading.Event
) -> tuple[dict[str, str], Counter]:
    """Answer until the end; the answer given to each trial, and counts of what happened."""
    given: dict[str, str] = {}
    counts: Counter = Counter()
    since, pending = time.monotonic(), ""

    def press(key: str) -> None:
        page.keyboard.press(key)
        time.sleep(rng.uniform(*PACE_S))

    while True:
        try:
            seen = page.evaluate(SEEN)
        except PageError:  # it is being loaded anew
            counts["looks while loading"] += 1
            time.sleep(0.2)
            continue
        if seen["done"]:
            return given, counts
        if seen["waiting"]:
            counts["looks while saving"] += 1
            if rng.random() < 0.2:  # impatient: these keys are for no trial
                page.keyboard.press(rng.choice("123"))
                counts["keys while saving"] += 1
            time.sleep(0.05)
        elif seen["start"] or seen["told"]:
            press("Enter")
        elif seen["trial"]:
            trial = seen["trial"]
            if trial in given and trial == pending:
                counts["shown again after it was given"] += 1
            if len(given) in cut_at:
                cut_at.discard(len(given))
                asked.set()
            letter = rng.choice("120" if seen["pair"] else "1230")
            press(letter)
            if not seen["pair"] and letter != "0":
                press(rng.choice("FGHJ"))
            given[trial] = pending = letter
            press("Enter")
            since = time.monotonic()
            continue
        else:
            time.sleep(0.05)
        if time.monotonic() - since > GIVEN_UP_S:
            counts["given up"] += 1
            return given, counts


def stored_answers(study: SmallStudy) -> tuple[dict[str, str], int]:
    """Trial → the key of the answer in the database, and how many trials have more than one row."""
    study.service.close(study.name)
    study.service.unblind(study.name)
    history = study.service.export_history(study.name)
    found = {}
    for row in study.service.export_judgments(study.name, practice=True).itertuples():
        if row.answer in ("cannot_tell", "tie"):
            found[row.trial_id] = "0"
        elif row.side:
            found[row.trial_id] = "1" if row.side == "left" else "2"
        else:
            found[row.trial_id] = str(["ann-3", "ann-1", "ann-2"].index(row.answer) + 1)
    return found, int(history["trial_id"].duplicated().sum())


def run(answers: int, drops: int, seed: int = 0) -> dict:
    """Type `answers` answers; counts of lost, doubled and wrong ones."""
    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="capo-judge-"))
    study = SmallStudy(Workspace(folder), clock=audit.now, judges=1, main=answers, practice=1)
    (link,) = study.service.invite(study.name)
    process, port = serve(Workspace(folder))
    line = Line(port)
    over, asked, stalls = threading.Event(), threading.Event(), []
    try:
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(
                executable_path=chromium, args=FLAGS, timeout=180_000
            )
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            page.set_default_timeout(120_000)
            page.goto(link.url(f"http://127.0.0.1:{line.port}"))
            agree = page.get_by_role("button", name=re.compile("I agree"))
            begin = page.get_by_role("button", name=re.compile("Begin"))
            repeated(lambda: agree.click(timeout=30_000), begin)
            for work, args in ((stall, (process, random.Random(seed + 1), over, stalls)),
                               (drop, (line, random.Random(seed + 2), over, asked))):  # fmt: skip
                threading.Thread(target=work, args=args, daemon=True).start()
            cut_at = {round((n + 0.5) * answers / drops) for n in range(drops)}
            start = time.monotonic()
            given, counts = judge(page, rng, answers, cut_at, asked)
            seconds = time.monotonic() - start
            browser.close()
    finally:
        over.set()
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(timeout=30)
    stored, doubled = stored_answers(study)
    study.dispose()
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "answers given": len(given),
        "stored": len(stored),
        "lost": sum(trial not in stored for trial in given),
        "doubled": doubled,
        "wrong": sum(stored.get(trial, key) != key for trial, key in given.items()),
        "stalls": len(stalls),
        "stalled_s": round(sum(stalls), 1),
        "connections cut": line.cuts,
        "seconds": round(seconds, 1),
        **counts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--answers", type=int, default=500)
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report(run(options.answers, options.drops, options.seed))


if __name__ == "__main__":
    main()
