"""A study from its design to what is read and taken away, in a real browser."""

from __future__ import annotations

import json
import re

from helpers.browser import repeated, rest
from helpers.pages import make

from capo_core.data.catalog import Catalog
from capo_core.study.judging.desk import JudgeDesk
from capo_core.study.store import open_judge_store
from capo_core.workspace import Workspace


def answer_everything(workspace: Workspace, tokens: list[str]) -> None:
    """The judges, at their desks: all answer, by turns left, right, and who comes second."""
    engine = open_judge_store(workspace)
    for number, token in enumerate(tokens):
        desk = JudgeDesk(engine, token)
        desk.open()
        desk.consent()
        while hasattr(view := desk.next_trial(), "trial_id"):
            desk.answer(view.trial_id, view.answers[number % 2], confidence="3")
    engine.dispose()


def fill(page, label: str, value: str) -> None:
    box = page.get_by_label(label, exact=True).first
    box.fill(value)
    box.press("Enter")


def test_what_is_typed_fast_stays(go, page, server):
    """A second box is filled while the page still answers to the first."""
    from playwright.sync_api import expect

    Catalog(Workspace(server[1])).add(make("typed", items=120))
    for number in (2, 4, 5):  # trials that need a multiple of 3 judges
        go("studies?dataset=typed&view=new")
        typed = {
            "Name of the study": f"typed-{number}",
            "Trials per judge and kind": str(2 * number),
            "Judges": str(3 * number + 1),
        }
        for label, value in typed.items():
            fill(page, label, value)
        page.get_by_text("must be a multiple of 3").wait_for()
        page.get_by_text(f"{3 * number + 1} judges").first.wait_for()
        for label, value in typed.items():
            expect(page.get_by_label(label, exact=True).first).to_have_value(value)


def download(page, label: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    return waiting.value.path().read_text(encoding="utf-8")


def test_design_freeze_invite_close_unblind_read_and_take_away(go, page, server):
    workspace = Workspace(server[1])
    Catalog(workspace).add(make("judged", items=120))

    go("studies?dataset=judged")
    page.get_by_text("New study", exact=True).first.click()
    fill(page, "Name of the study", "whose-words")
    # Numbers that do not fit are refused with changes that make them fit.
    fill(page, "Trials per judge and kind", "4")
    fill(page, "Judges", "4")
    page.get_by_text("must be a multiple of 3").wait_for()
    page.locator(".st-key-studies-mend button").first.wait_for()
    fill(page, "Judges", "3")
    page.get_by_text("A judge has 8 main").wait_for()
    page.get_by_text("differ significantly from chance").first.wait_for()
    page.get_by_role("button", name="Create draft").click()

    page.get_by_text("Trial preview").wait_for()
    page.wait_for_url(re.compile("study=whose-words"))
    page.get_by_text("Try it", exact=True).click()
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("Simulated judges: Judges attributed").wait_for()

    page.get_by_text("Freeze", exact=True).first.click()
    freeze = page.get_by_role("button", name="Freeze", exact=True).last
    page.get_by_text("To be frozen").wait_for()
    accept = page.get_by_text("I have reviewed the texts")
    freeze.wait_for()
    rest(page)
    if accept.count():
        accept.click()
    permanently = page.get_by_role("button", name="Freeze permanently")
    repeated(lambda: freeze.click(timeout=30_000), permanently)  # once the tick has come there
    permanently.click()
    page.get_by_text("No judges invited yet. Each judge gets").wait_for()

    page.get_by_text("No owner password is set").wait_for()
    page.get_by_role("button", name="Invite", exact=True).click()
    page.get_by_text("judges at this computer could open these pages").wait_for()
    fill(page, "Dashboard address for judges", "https://lab.example")
    page.get_by_role("button", name="Invite", exact=True).click()
    page.get_by_text("3 links, shown once.").wait_for()
    page.locator(".st-key-studies-links .stCode").nth(2).wait_for()
    links = [
        code.inner_text().strip() for code in page.locator(".st-key-studies-links .stCode").all()
    ]
    assert len(links) == 3 and all(link.startswith("https://lab.example/") for link in links)
    tokens = [re.search(r"/judge\?t=(\S+)", link)[1] for link in links]
    assert not any(token in page.url for token in tokens)
    page.get_by_role("button", name="I have copied the links").click()
    page.wait_for_selector(".st-key-studies-links .stCode", state="detached")
    answer_everything(workspace, tokens)

    # Another tab, and until it is closed nothing of what was answered.
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text("3 of 3 judges done").wait_for()
    assert page.get_by_text("Judges attributed texts correctly").count() == 0
    page.get_by_role("button", name="Close the study").click()
    page.get_by_role("button", name="Close permanently").click()
    page.get_by_text("sources are sealed").wait_for()
    assert page.get_by_text("Judges attributed texts correctly").count() == 0
    page.get_by_role("button", name="Unblind", exact=True).click()
    page.get_by_role("button", name="Unblind permanently").click()

    page.get_by_text("Judges attributed texts correctly for").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_text("Judge quality", exact=True).click()
    page.get_by_text("No judge is excluded: raw and weighted").wait_for()
    page.get_by_role("radio", name="Export").click()
    judged = [json.loads(line) for line in download(page, "Judgments (JSONL)").splitlines()]
    assert {row["study_id"] for row in judged} == {"whose-words"}
    assert len({(row["judge_id"], row["trial_id"]) for row in judged}) == len(judged) >= 3 * 8
    report = download(page, "Report (self-contained HTML)")
    assert "Results of the study whose-words" in report and "<script" not in report
    assert "# Study whose" in download(page, "Report (Markdown)")
