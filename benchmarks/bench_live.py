"""The server's CPU of open pages that follow a running training (needs Chromium).

A training is imitated by this process: it writes a step every second and its heartbeat. For each
page, seconds of processor time of the server per second, as a share of a core: with no tab, with
one visible, with two, and with the same two hidden (a tab that is not looked at).

    python benchmarks/bench_live.py --seconds 60
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from measuring import ROOT, report
from playwright.sync_api import Page, sync_playwright

from capo_core.cli.start import SCRIPT
from capo_core.imitation.training.config import CapoConfig
from capo_core.runs.run import Run
from capo_core.runs.status import Status, process_start_mark
from capo_core.workspace import Workspace, write_json

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = {"run": "view=run&run=demo-nli-capo-A-00000001", "queue": "view=now"}
BEFORE = 300  # steps that are done when the page is opened
HIDE = """() => {
  Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def begin(workspace: Workspace, stop: threading.Event) -> threading.Thread:
    """Imitate a training until `stop`."""
    run = Run(workspace.runs / "demo-nli-capo-A-00000001")
    settings = {"dataset": "demo-nli", "target": "A", "sft": "demo-nli-sft-A-00000000",
                "config": CapoConfig().to_dict()}  # fmt: skip
    write_json(
        run.folder / "request.json",
        {"kind": "train_capo", "settings": settings, "order": 1, "queued": time.time()},
    )
    step = 0

    def write(file) -> None:
        nonlocal step
        step += 1
        event = {"t": time.time(), "event": "step", "step": step, "loss": 1 / step, "margin": step,
                 "reward_accuracy": 0.7, "chosen_change": -1.0, "rejected_change": -step / 10,
                 "tokens_per_s": 900.0, "learning_rate": 1e-4, "grad_norm": 0.5}  # fmt: skip
        file.write(json.dumps(event) + "\n")
        if step % 17 == 0:
            share = min(0.99, step / 600)
            probe = {"t": time.time(), "event": "probe", "step": step, "target_share": share,
                     "n": 24, "low": 0.0, "high": 1.0, "chance": 0.25}  # fmt: skip
            file.write(json.dumps(probe) + "\n")
        file.flush()

    started = time.time()
    with run.files.events_path.open("a") as file:
        for _ in range(BEFORE):
            write(file)

    def work() -> None:
        with run.files.events_path.open("a") as file:
            while not stop.is_set():
                write(file)
                run.write(
                    Status(
                        state="running", message=f"step {step} of 6000", share=step / 6000,
                        pid=os.getpid(), birth=process_start_mark(os.getpid()), started=started,
                        heartbeat=time.time(), queued=started,
                    )
                )  # fmt: skip
                stop.wait(1.0)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid: int, seconds: float, tab: Page | None = None) -> float:
    before, start = cpu_s(pid), time.monotonic()
    if tab is None:
        time.sleep(seconds)
    else:
        tab.wait_for_timeout(1000 * seconds)  # so that the browser's messages are handled
    return round((cpu_s(pid) - before) / (time.monotonic() - start), 4)


def measured(browser, address: str, pid: int, seconds: float) -> dict:
    found: dict = {}
    for name, query in PAGES.items():
        here: dict = {"no_tab": share(pid, seconds / 2)}
        tabs = []
        for number in (1, 2):
            tab = browser.new_page(viewport={"width": 1440, "height": 1000})
            tab.goto(f"{address}/finetune?dataset=demo-nli&{query}", timeout=180_000)
            tab.wait_for_selector("h1", timeout=180_000)
            tab.wait_for_timeout(10_000)
            tabs.append(tab)
            here[f"tabs_{number}"] = share(pid, seconds, tab)
        for tab in tabs:
            tab.evaluate(HIDE)
        tabs[0].wait_for_timeout(3_000)
        here["tabs_2_hidden"] = share(pid, seconds, tabs[0])
        for tab in tabs:
            tab.close()
        found[name] = here
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine")
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        thread = begin(Workspace(Path(folder)), stop)
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.headless=true",
             f"--server.port={port}"],
            cwd=ROOT, env={**os.environ, "CAPO_WORKSPACE": folder},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(1200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                found = measured(browser, f"http://127.0.0.1:{port}", server.pid, seconds)
                browser.close()
        finally:
            stop.set()
            thread.join()
            server.terminate()
            server.wait(timeout=30)
    report({"seconds": seconds, "share_of_a_core": found})


if __name__ == "__main__":
    main()
