"""A whole study in browsers alone: an owner and three judges, each with a window of their own."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from helpers.browser import repeated, until_gone
from helpers.pages import make

from capo_core.data.catalog import Catalog
from capo_core.study.owner.service import StudyService
from capo_core.study.store import open_store
from capo_core.workspace import Workspace

PATIENCE = 180_000  # ms; a busy machine is slow, not wrong
MAIN, PRACTICE = 3, 1  # trials of each judge
STEPS = ".st-key-judge-begin, .st-key-judge-start, .judge-desk, .stCode"
QUIET = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SENTENCE = re.compile(f"prefer(red to|ence between) .+ of {3 * MAIN} judgments")
BUTTONS = {"begin": "Begin", "start": "Start", "save": "Save", "continue": "Continue"}


def press(page, name: str | re.Pattern, *, last: bool = False) -> None:
    """Click a button once the page has come to rest; it may be drawn anew meanwhile."""
    page.wait_for_selector(QUIET)
    found = page.get_by_role("button", name=name, exact=isinstance(name, str))
    (found.last if last else found.first).dispatch_event("click")


def fill(page, label: str, value: str) -> None:
    page.wait_for_selector(QUIET)
    box = page.get_by_label(label, exact=True).first
    box.fill(value)
    box.press("Enter")
    page.wait_for_timeout(150)  # until the page has begun to answer


def download(page, label: str) -> str:
    with page.expect_download(timeout=PATIENCE) as waiting:
        press(page, re.compile(re.escape(label)))
    return waiting.value.path().read_text(encoding="utf-8")


@dataclass
class Judge:
    """A judge with a browser, who always takes the same side; `saw` are the trials they saved."""

    context: Any
    link: str
    side: str
    keys: bool = False
    tab: Any = None
    saw: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def come(self) -> None:
        """By the link, in a new tab."""
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(self.link)

    def do(self, name: str, key: str) -> None:
        if self.keys:
            self.tab.wait_for_selector(QUIET)
            self.tab.keyboard.press(key)
        else:
            press(self.tab, re.compile(f"^{name}"))

    def choose(self) -> None:
        name, key = {"left": ("First", "1"), "right": ("Second", "2")}[self.side]
        chosen = self.tab.get_by_role("button", name=re.compile(f"^Save: {name}"))
        repeated(lambda: self.do(f"{name}( ?{key})?$", key), chosen)

    def asked(self) -> tuple[str, str]:
        """What the page asks for now: "begin", "save", "continue" or "end", and its selector."""
        spot = self.tab.locator(STEPS).first
        spot.wait_for()
        shows = spot.get_attribute("data-shows")
        if shows:
            kind = "continue" if shows.startswith("feedback") else "save"
            return kind, f'.judge-desk[data-shows="{shows}"]'
        found = re.search(r"st-key-judge-(begin|start)", spot.get_attribute("class") or "")
        return (found[1], f".st-key-judge-{found[1]}") if found else ("end", "")

    def step(self) -> bool:
        """Do what the page asks for; False at the end."""
        kind, place = self.asked()
        if kind == "end":
            return False
        if kind == "save":
            self.choose()
            self.saw.append(re.search(r'(T\w+)"', place)[1])
        until_gone(lambda: self.do(BUTTONS[kind], "Enter"), self.tab.locator(place))
        return True

    def code(self) -> str:
        self.tab.get_by_role("heading", name="You are done").wait_for()
        return self.tab.locator(".stCode").inner_text().strip()


def designed(go, page, server) -> list[str]:
    """A frozen study of comparisons for three judges; their links, as the page shows them."""
    from playwright.sync_api import TimeoutError as NotYet
    from playwright.sync_api import expect

    Catalog(Workspace(server[1])).add(make("in-full", items=120))
    go("studies?dataset=in-full")
    press(page, "New study")
    fill(page, "Name of the study", "all-of-it")
    kinds = page.get_by_role("combobox", name=re.compile("Trial kinds"))
    chosen = page.get_by_test_id("stMultiSelect").filter(has=kinds).locator("[data-tag]")
    for left in (1, 0):  # both that were chosen beforehand
        kinds.press("Backspace")
        expect(chosen).to_have_count(left)
        page.wait_for_selector(QUIET)
    kinds.fill("Which of the two is theirs?")
    kinds.press("Enter")
    kinds.press("Escape")
    page.get_by_text("Which of the two is theirs? The card of").wait_for()
    fill(page, "Judges", "3")
    fill(page, "Trials per judge and kind", str(MAIN))
    practice = page.get_by_label("Practice trials per kind", exact=True).first
    # A page that is drawn anew at that moment may fold it again.
    for _ in range(20):
        page.wait_for_selector(QUIET)
        with suppress(NotYet):
            if not practice.is_visible():
                more = page.get_by_text("Practice, attention checks, repeats and more")
                more.click(timeout=5_000)
            practice.fill(str(PRACTICE), timeout=5_000)
            practice.press("Enter", timeout=5_000)
            break
    else:
        raise AssertionError("the box for the practice trials never stayed open")
    page.wait_for_timeout(150)  # until the page has begun to answer
    page.get_by_text(re.compile(rf"A judge has .*\b{MAIN} main")).wait_for()
    press(page, "Create draft")
    page.get_by_text("Trial preview").wait_for()
    page.get_by_text("Freeze", exact=True).first.click()
    page.get_by_text("To be frozen").wait_for()
    page.wait_for_selector(QUIET)
    accept = page.get_by_text("I have reviewed the texts")
    if accept.count():
        accept.click()
    freeze = page.get_by_role("button", name="Freeze", exact=True).last
    permanently = page.get_by_role("button", name="Freeze permanently")
    repeated(lambda: freeze.click(timeout=30_000), permanently)  # once the tick has come there
    until_gone(lambda: press(page, "Freeze permanently"), permanently)
    page.get_by_text("No judges invited yet. Each judge gets").wait_for()
    # Without an owner's password the page makes no links for this computer; the command line does.
    service = StudyService(open_store(Workspace(server[1])))
    service.take_in(Workspace(server[1]), "all-of-it")
    links = [each.url(server[0]) for each in service.invite("all-of-it", 3)]
    page.reload()
    page.get_by_text("0 of 3 judges done").wait_for()
    return links


def test_a_study_from_design_to_download_with_three_judges_at_once(go, page, chromium, server):
    page.set_default_timeout(PATIENCE)
    links = designed(go, page, server)
    assert len(set(links)) == 3 and all(link.startswith(server[0]) for link in links)
    owners_page = page.url

    _, tablet, phone = judges = [
        Judge(chromium.new_context(**window), link, side, keys)
        for link, side, keys, window in (
            (links[0], "left", True, {"viewport": {"width": 1440, "height": 900}}),
            (links[1], "right", False, {"viewport": {"width": 820, "height": 1100}}),
            (links[2], "left", False,
             {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
        )
    ]  # fmt: skip
    try:
        for judge in judges:
            judge.come()
        for judge in judges:
            judge.tab.get_by_role("button", name="I agree").wait_for()
            agree = partial(judge.do, "I agree", "Enter")
            repeated(agree, judge.tab.locator(STEPS).first)
        at_work = list(judges)
        while at_work:  # one step each, by turns
            at_work = [judge for judge in at_work if judge.step()]
            if len(phone.saw) == PRACTICE + 1 and phone.asked()[0] == "save":
                phone.choose()  # and does not save it
                phone.tab.reload()
                phone.tab.get_by_text(f"1 of {MAIN} answered").wait_for()
            if len(tablet.saw) == PRACTICE + 2 and tablet.asked()[0] == "save":
                tablet.tab.close()
                tablet.come()
                tablet.tab.get_by_text(f"2 of {MAIN} answered").wait_for()
        codes = [judge.code() for judge in judges]
        wide = phone.tab.evaluate("document.documentElement.scrollWidth")
    finally:
        for judge in judges:
            judge.context.close()
    assert len(set(codes)) == 3 and all(re.fullmatch(r"[A-Z0-9]{8}", code) for code in codes)
    assert wide <= 390 and [judge.complaints for judge in judges] == [[], [], []]
    assert [len(judge.saw) for judge in judges] == [PRACTICE + MAIN] * 3

    page.goto("about:blank")
    page.goto(owners_page)
    page.get_by_text("3 of 3 judges done").wait_for()
    press(page, "Close the study")
    page.get_by_role("button", name="Close permanently").wait_for()
    press(page, "Close permanently")
    page.get_by_text("sources are sealed").wait_for()
    press(page, "Unblind")
    page.get_by_role("button", name="Unblind permanently").wait_for()
    press(page, "Unblind permanently")
    page.get_by_text(SENTENCE).first.wait_for()
    page.get_by_role("radio", name="Export").click()
    report = download(page, "Report (self-contained HTML)")
    assert "Results of the study all-of-it" in report and SENTENCE.search(report)

    rows = list(csv.DictReader(io.StringIO(download(page, "Judgments (CSV)"), newline="")))
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["judge_id"], {})[row["trial_id"]] = row["side"]
    assert len(rows) == 3 * MAIN == sum(map(len, found.values()))  # each answer, and each once
    given = [dict.fromkeys(judge.saw[PRACTICE:], judge.side) for judge in judges]
    assert sorted(map(sorted_items, found.values())) == sorted(map(sorted_items, given))
    assert {row["kind"] for row in rows} == {"comparison"}


def sorted_items(sides: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(sides.items())
