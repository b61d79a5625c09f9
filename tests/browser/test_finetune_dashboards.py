"""Two dashboards on one workspace, and one that is killed while its run is at work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from helpers.dummy_runs import ROOT, end_all, let_go, put, wait_for, wait_for_step

from capo_core.cli.start import SCRIPT
from capo_core.runs import run as runs_run
from capo_core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    yield workspace
    end_all(workspace)


@pytest.fixture
def dashboard(workspace):
    """Starts a dashboard on the workspace: its process and its address."""
    begun: list[subprocess.Popen] = []

    def start() -> tuple[subprocess.Popen, str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.headless=true",
             f"--server.port={port}"],
            cwd=ROOT, env={**os.environ, "CAPO_WORKSPACE": str(workspace.root)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        begun.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in begun:
        process.kill()
        process.wait(timeout=30)


def healthy(address: str) -> None:
    end = time.time() + 240
    while time.time() < end:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the dashboard did not start")


def test_a_run_outlives_its_dashboard_and_another_one_finds_it(page, workspace, dashboard):
    page.set_default_timeout(180_000)  # three dashboards begin on what may be a loaded machine
    run = put(workspace, steps=4, hold_at=2)
    first, second = dashboard(), dashboard()
    for _, address in (first, second):
        healthy(address)
        page.goto(f"{address}/finetune?dataset=demo-nli&view=run&run={run.run_id}")
        page.locator(".capo-run-head").wait_for()  # whoever looks first has begun it
    wait_for_step(run, 2)
    page.goto("about:blank")  # a tab would go on asking for its server
    for process, _ in (first, second):
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert run.status().state == "running"

    _, address = dashboard()
    healthy(address)
    page.goto(f"{address}/finetune?dataset=demo-nli&view=run&run={run.run_id}")
    page.locator(".capo-state", has_text="Running").wait_for()
    let_go(run)
    page.locator(".capo-state", has_text="Succeeded").wait_for()
    assert wait_for(run, "succeeded").state == "succeeded"
    assert len(run.files.events("started")) == 1  # begun once, however many looked
    assert [each.run_id for each in runs_run.all_runs(workspace)] == [run.run_id]
