"""A run from its start to what it leaves: watched, stopped, resumed, compared, taken away."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import zipfile
from contextlib import suppress

import pytest
from helpers.browser import repeated, until_at, until_gone
from helpers.pages import make

from capo_core.data.catalog import Catalog
from capo_core.runs.experiments import store
from capo_core.runs.run import Run, find_run
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace

pytestmark = pytest.mark.skipif(
    not (EMBEDDED_BASE / "model.safetensors").exists(), reason="the embedded base is not built"
)
# A minute of steps would be long to wait for; these are short and many, so that a stop meets one.
EPOCHS = 20
CONFIG = {
    "dataset": "tiny",
    "targets": ["ann"],
    "methods": ["sft"],
    "base": "embedded",
    "allow_embedded": True,  # made-up sentences, whose words it does not know
    "name": "From end to end",
    "sft": {"epochs": EPOCHS, "items_per_step": 1, "max_tokens": 256, "patience": 0,
            "checkpoint_every": 1000, "sample_every": 0},
    "generate": {"items": 2, "max_new_tokens": 12},
    "evaluate": {"families": ["labels"], "pool": [1]},
}  # fmt: skip


def ask_to_stop(page, run: Run) -> None:
    """Stop the run by its button, while it waits: it could end before a busy page has heard.

    At once: the page draws itself anew every second, and waiting for it to stand still may last as
    long as the training.
    """
    from playwright.sync_api import TimeoutError as Late

    worker, until = run.status().pid, time.monotonic() + 180
    os.kill(worker, signal.SIGSTOP)
    try:
        while not run.stop_asked:
            assert time.monotonic() < until
            with suppress(Late):
                stop = page.get_by_role("button", name="Stop and save")
                stop.dispatch_event("click", timeout=10_000)
            page.wait_for_timeout(1000)
    finally:
        os.kill(worker, signal.SIGCONT)


def test_launch_watch_stop_resume_compare_and_take_away(go, page, server, tmp_path):
    from playwright.sync_api import expect

    page.set_default_timeout(180_000)  # processes begin one after the other on a loaded machine
    workspace = Workspace(server[1])
    dataset = make("tiny", items=40)
    Catalog(workspace).add(dataset)
    steps = EPOCHS * int((dataset.items["split"] == "train").sum())

    go("finetune?dataset=tiny&view=new")
    page.get_by_role("button", name="Load configuration").click()
    text = page.get_by_label("Or paste JSON")
    text.fill(json.dumps(CONFIG))
    text.press("Control+Enter")
    page.get_by_role("button", name="Load into form").click()
    page.get_by_text("3 runs: 1 training").wait_for()
    page.locator(".stCode", has_text="start --config experiment.json").wait_for()
    page.keyboard.press("Escape")
    # A click while the popover closes is lost.
    page.get_by_test_id("stPopoverBody").wait_for(state="detached")
    page.wait_for_selector('[data-test-script-state="notRunning"]')
    start = page.get_by_role("button", name="Start", exact=True)
    watch = page.get_by_role("button", name="Open live run")
    # It opens once the check has passed, whose processes begin one after the other.
    expect(start).to_be_enabled(timeout=600_000)
    repeated(lambda: start.click(timeout=30_000), watch)

    until_at(lambda: watch.click(timeout=30_000), page, "run=tiny-sft-ann")
    page.get_by_text(re.compile(rf"step \d+ of {steps}")).first.wait_for()
    address = page.url
    ask_to_stop(page, find_run(workspace, re.search(r"run=([^&]+)", address)[1]))
    stopped = page.get_by_text(re.compile(rf"topped after step \d+ of {steps}, and saved")).first
    stopped.wait_for()
    step = int(re.search(r"after step (\d+)", stopped.inner_text())[1])
    assert 0 < step < steps

    # Another tab, which knows nothing of this one, finds it by its address.
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text(f"resumes from step {step}").wait_for()
    resume = page.get_by_role("button", name="Resume")
    until_gone(lambda: resume.click(timeout=30_000), resume)
    page.get_by_text(f"Resumed from step {step}.").wait_for()
    page.locator(".capo-state", has_text="Succeeded").wait_for(timeout=600_000)
    page.get_by_text(f"{steps} of {steps}").wait_for()  # one alone, or this fails

    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Adapter with model card").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        card = archive.read(next(n for n in archive.namelist() if n.endswith("README.md")))
    assert {"adapter_config.json", "adapter_model.safetensors", "README.md"} <= names
    assert dataset.fingerprint in card.decode()

    go("finetune?dataset=tiny")
    compare = page.get_by_role("link", name="Compare the methods")
    # It is drawn anew when the evaluation ends.
    until_at(lambda: compare.click(timeout=30_000), page, r"/compare\?")
    page.get_by_role("heading", name="Compare", exact=True).wait_for()

    (experiment,) = [e for e in store.all_experiments(workspace)[0] if e.config.dataset == "tiny"]
    answers = next(member for member in experiment.members if member.kind == "generate")
    go(f"finetune?dataset=tiny&view=run&run={answers.run_id}")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Answers (JSONL)").click()
    lines = waiting.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 and {json.loads(each)["method"] for each in lines} == {"sft"}
