"""A judge's session in a real browser, all that the browser receives, and doors that stay shut."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from helpers import judge_sessions as judging_study
from helpers.accessibility import check_accessible
from helpers.browser import repeated, rest, until_gone

from capo_core.cli.start import SCRIPT
from capo_core.dashboard.app.pages import pages
from capo_core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a horse on the stairs"
STEPS = ".st-key-judge-begin, .st-key-judge-start, .judge-desk, .stCode"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("judging"))
    made = judging_study.put(
        workspace, kinds=("attribution", "comparison"), trials=3, ask_reason=True
    )
    yield workspace, made
    made.service.engine.dispose()


@pytest.fixture(scope="module")
def guarded(study, server):
    """The address of a dashboard with an owner's password, which nobody has visited yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.headless=true",
         f"--server.port={port}"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "CAPO_WORKSPACE": str(study[0].root), "CAPO_OWNER_PASSWORD": PASSWORD},
    )  # fmt: skip
    address, end = f"http://127.0.0.1:{port}", time.time() + 240
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                assert time.time() < end and process.poll() is None, "it did not start"
                time.sleep(0.2)
        yield address
    finally:
        process.kill()
        process.wait(timeout=30)


class Recorder:
    """All that a tab is sent and keeps: frames, addresses, the page, what lies in its storage."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.frames = 0

    def watch(self, page):
        page.set_default_timeout(120_000)
        page.on("websocket", self._socket)
        page.on("request", lambda request: self.received.append(request.url))
        page.on("framenavigated", lambda frame: self.received.append(frame.url))
        return page

    def _socket(self, socket_) -> None:
        self.received.append(socket_.url)
        for event in ("framereceived", "framesent"):
            socket_.on(event, self._frame)

    def _frame(self, content: str | bytes) -> None:
        self.frames += 1
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        self.received.append(text)

    def look(self, page) -> None:
        """Note what the page holds now."""
        self.received.append(page.content())
        self.received.append(
            page.evaluate(
                "JSON.stringify([location.href, document.title, document.cookie, "
                "{...localStorage}, {...sessionStorage}, history.state])"
            )
        )

    def found(self, names: set[str]) -> list[str]:
        everything = "\n".join(self.received)
        return sorted(name for name in names if name in everything)


def step(page, recorder: Recorder, *, keys: bool) -> str:
    """Do what the page asks for, by keys or by touch: "begin", "save", "continue" or "end"."""

    def do(name: str, key: str) -> None:
        page.keyboard.press(key) if keys else page.get_by_role("button", name=name).tap()

    page.locator(STEPS).first.wait_for()
    recorder.look(page)
    page.wait_for_selector('[data-test-script-state="notRunning"]')
    if page.locator(".stCode").count():
        return "end"
    for place, name in (("judge-begin", "Begin"), ("judge-start", "Start")):
        if page.locator(f".st-key-{place}").count():
            begin = partial(do, re.compile(f"^{name}"), "Enter")
            until_gone(begin, page.locator(f".st-key-{place}"))
            return "begin"
    shows = page.locator(".judge-desk").get_attribute("data-shows")
    told = shows.startswith("feedback")
    first = "A" if page.get_by_role("button", name="Cannot tell").count() else "First"

    def answer() -> None:
        do(re.compile(f"^{first}( ?1)?$"), "1")
        if first == "A":
            do(re.compile("^Certain"), "j")
        do(re.compile("^Save"), "Enter")

    go_on = partial(do, re.compile("^Continue"), "Enter")
    until_gone(go_on if told else answer, page.locator(f'.judge-desk[data-shows="{shows}"]'))
    return "continue" if told else "save"


def until(page, recorder: Recorder, words: str, *, keys: bool) -> None:
    """Steps until the page says `words`."""
    for _ in range(30):
        page.locator(STEPS).first.wait_for()
        if page.get_by_text(words).count():
            return
        step(page, recorder, keys=keys)
    raise AssertionError(f"{words!r} never came")


def test_nothing_but_the_door_opens_for_strangers_and_judges(page, guarded, study):
    link, other = (f"judge?t={each.token}" for each in study[1].invited)
    recorder = Recorder()
    recorder.watch(page)
    # The first visit of all is to an inner page, where Streamlit once took its own way.
    for path in ("compare", "", *(name for name in pages() if name != "compare")):
        page.goto(f"{guarded}/{path}")
        page.get_by_role("heading", name="for the study team").wait_for()
        assert (
            page.get_by_test_id("stPageLink").count() == page.get_by_role("combobox").count() == 0
        )
    page.goto(f"{guarded}/judge")
    page.get_by_role("heading", name="Open the link you were sent").wait_for()
    page.goto(f"{guarded}/judge?t={'x' * 22}")
    page.get_by_text("not known here").wait_for()

    page.goto(f"{guarded}/{link}")
    page.get_by_role("button", name="I agree").wait_for()
    page.wait_for_url(f"{guarded}/judge")  # the token is taken out of the address bar
    assert page.get_by_test_id("stSidebarContent").count() == 0
    page.goto(f"{guarded}/compare?{link.partition('?')[2]}")
    page.get_by_role("heading", name="not part of judging").wait_for()
    page.goto(f"{guarded}/compare")  # the tab still keeps its link
    page.get_by_role("heading", name="for the study team").wait_for()

    study[1].service.new_link(study[1].invited[1].judge_id)
    page.goto(f"{guarded}/{other}")
    page.get_by_text("This link was withdrawn").wait_for()
    page.reload()  # replayed from what the tab kept
    page.get_by_text("This link was withdrawn").wait_for()
    assert recorder.found(study[1].secrets() | {"demo-nli", "demo-paraphrase"}) == []
    assert recorder.frames > 50

    page.goto(f"{guarded}/data")
    box = page.get_by_label("Owner's password")
    box.wait_for()
    # What the tab kept is asked for after the first drawing, which is then drawn anew.
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    data = page.get_by_role("heading", name="Data", exact=True)
    repeated(lambda: (box.fill(PASSWORD), box.press("Enter")), data)
    assert page.url.startswith(f"{guarded}/data")
    page.wait_for_function("window.sessionStorage.getItem('owner-pass')")  # kept for a reload
    page.reload()
    page.get_by_role("heading", name="Data", exact=True).wait_for()
    stranger = page.context.browser.new_page()  # another tab has kept nothing
    stranger.set_default_timeout(120_000)
    stranger.goto(f"{guarded}/data")
    stranger.get_by_role("heading", name="for the study team").wait_for()
    stranger.close()


def test_fast_answers_survive_a_server_that_stalls_and_a_cut_connection(server):
    told = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "judge_stalls.py"), "--answers", "6",
         "--drops", "1"],
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    found = json.loads(told.stdout)
    assert found["answers given"] == found["stored"] == 6 + 1  # with one of practice
    assert found["lost"] == found["doubled"] == found["wrong"] == 0
    assert found["connections cut"] == 1 and found["stalled_s"] > 0.3


def test_a_judges_pages_are_accessible(page, guarded, study):
    page.set_default_timeout(120_000)
    # A link of its own: another test may have withdrawn the one of the invitation.
    link = study[1].service.new_link(study[1].invited[1].judge_id)
    page.goto(f"{guarded}/judge?t={link.token}")
    page.get_by_role("button", name="I agree").wait_for()
    rest(page)
    check_accessible(page)
    agree = page.get_by_role("button", name="I agree")
    repeated(lambda: agree.click(timeout=30_000), page.locator(".st-key-judge-begin"))
    step(page, Recorder(), keys=True)
    page.locator(".judge-desk").wait_for()
    rest(page)
    check_accessible(page)


# The last one: it closes the study, to read what was saved.
def test_a_session_on_two_devices_leaks_nothing_and_loses_nothing(page, chromium, guarded, study):
    from playwright.sync_api import expect

    link = f"{guarded}/judge?t={study[1].invited[0].token}"
    recorder = Recorder()
    recorder.watch(page)
    page.goto(link)
    page.get_by_role("button", name="I agree").wait_for()
    expect(page).not_to_have_url(re.compile("t="))
    repeated(lambda: page.keyboard.press("Enter"), page.locator(".st-key-judge-begin"))
    assert step(page, recorder, keys=True) == "begin"
    page.locator(STEPS).first.wait_for()
    page.reload()
    until(page, recorder, "0 of 6 answered", keys=True)

    rest(page)  # what is typed while it is drawn anew would be lost
    box = page.get_by_role("textbox", name="Reason (optional)")
    box.press_sequentially("1 0 u p j")  # keys mean letters here
    page.get_by_role("heading", name="Who wrote").or_(
        page.get_by_role("heading", name="Which of the two")
    ).click()
    page.wait_for_timeout(300)
    assert page.locator(".judge-button[aria-pressed=true]").count() == 0  # nothing is chosen
    page.get_by_text("0 of 6 answered").wait_for()
    step(page, recorder, keys=True)
    page.get_by_text("1 of 6 answered").wait_for()
    page.get_by_text("Saved").wait_for()
    keep = page.get_by_role("button", name="Keep the answer as it is")
    repeated(lambda: page.keyboard.press("u"), keep)
    expect(box).to_have_value("1 0 u p j", timeout=60_000)
    page.get_by_text("1 of 6 answered").wait_for()  # it stands while it is looked at again
    until_gone(lambda: (page.keyboard.press("2"), page.keyboard.press("Enter")), keep)
    page.get_by_text("1 of 6 answered").wait_for()
    page.reload()
    page.get_by_text("1 of 6 answered").wait_for()
    page.close()  # in the middle of a trial

    phone = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    tab = recorder.watch(phone.new_page())
    tab.goto(link)
    tab.get_by_text("1 of 6 answered").wait_for()
    pause = tab.get_by_role("button", name="Pause")
    paused = tab.get_by_role("heading", name="Paused")
    repeated(lambda: pause.tap(timeout=30_000), paused)
    go_on = tab.get_by_role("button", name="Continue")
    until_gone(lambda: go_on.tap(timeout=30_000), paused)
    tab.locator(STEPS).first.wait_for()
    while step(tab, recorder, keys=False) != "end":
        wide, cards = tab.evaluate(
            "[document.documentElement.scrollWidth, "
            "document.querySelector('.judge-cards')?.getBoundingClientRect().top ?? 0]"
        )
        assert wide <= 390 and cards < 844
        assert not tab.locator("kbd:visible").count(), "no key hints where there are no keys"
    code = tab.locator(".stCode").inner_text().strip()
    assert re.fullmatch(r"[A-Z0-9]{8}", code)
    phone.close()

    others = {each.token for each in study[1].invited[1:]}
    assert recorder.found(study[1].secrets() | others) == [] and recorder.frames > 200
    assert recorder.found({"answered", code}) != [], "the record holds what was seen"
    owners = {page.title for name, page in pages().items() if name not in ("data", "compare")}
    assert recorder.found({"finetune", *owners} - {"Studies"}) == [], "no page of the owner's"
    kept = study[1].answers()
    assert len(kept) == 6 + 2 and kept["trial_id"].is_unique
    assert kept["changes"].sum() == 1 and (kept["reason"] == "1 0 u p j").sum() == 1
