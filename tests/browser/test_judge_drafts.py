"""The judge's desk in a browser, without a server: what is not saved yet is kept by trial."""

from __future__ import annotations

import json

from capo_core.templates import asset

HOME = "http://desk.test/"
PAGE = """<!doctype html><link rel="icon" href="data:,"><div id="desk"></div><script type="module">
import draw from "./desk.js";
window.sent = [];
window.show = (data) => { draw({ data, parentElement: document.getElementById("desk"),
  setStateValue: (name, message) => window.sent.push(message) }); };
window.ready = true;
</script>"""
WORDS = ("save", "saving", "slow", "saved", "continue", "keep", "choose", "chooseSure", "sure",
         "reason")  # fmt: skip


def trial(name: str, step: str = "ask", given: str = "", handled: str = "") -> str:
    """Return what the server tells of a trial, as an expression."""
    answers = [{"value": value, "name": value, "keys": [value], "sure": False} for value in "AB"]
    return json.dumps({
        "trial": name, "step": step, "texts": name, "cards": "", "question": "Who?",
        "answers": answers, "levels": [], "reason": True, "longest": 100, "hint": "",
        "given": {"answer": given, "confidence": "", "reason": ""}, "changing": step == "change",
        "feedback": None, "handled": handled, "saved": False, "problem": "",
        "words": {each: each for each in WORDS},
    })  # fmt: skip


def opened(page):
    def answer(route):
        script = route.request.url.endswith("desk.js")
        body = asset("dashboard/judging/desk.js") if script else PAGE
        route.fulfill(body=body, content_type="text/javascript" if script else "text/html")

    page.route(f"{HOME}**", answer)
    page.goto(HOME)
    page.wait_for_function("window.ready")
    return page


def chosen(page) -> tuple[list[str], str]:
    pressed = page.locator("[aria-pressed=true]").evaluate_all(
        "all => all.map(x => x.dataset.place)"
    )
    return pressed, page.locator("textarea").input_value()


def test_changing_the_last_answer_leaves_the_open_one_as_it_was(page):
    """Finding: "Change last answer" dropped the answer and the reason that were not saved yet."""
    opened(page).evaluate(f"show({trial('two')})")
    page.locator("[data-place=answer-A]").click()
    page.locator("textarea").fill("because of the dog")
    page.evaluate(f"show({trial('one', 'change', 'B')})")
    assert chosen(page) == (["answer-B"], "")
    page.locator("[data-place=answer-A]").click()
    page.locator("[data-place=save]").click()
    sent = page.evaluate("sent.at(-1)")
    assert (sent["trial"], sent["answer"]) == ("one", "A")
    page.evaluate(f"show({trial('two', handled=sent['id'])})")
    assert chosen(page) == (["answer-A"], "because of the dog")
    # What was handled is forgotten, and only that.
    page.evaluate(f"show({trial('one', 'change', 'B', handled=sent['id'])})")
    assert chosen(page) == (["answer-B"], "")
    page.locator("[data-place=keep]").click()
    sent = page.evaluate("sent.at(-1)")
    assert sent["act"] == "keep"
    page.evaluate(f"show({trial('two', handled=sent['id'])})")
    page.locator("[data-place=save]").click()
    sent = page.evaluate("sent.at(-1)")
    assert (sent["trial"], sent["reason"]) == ("two", "because of the dog")
    page.evaluate(f"show({trial('three', handled=sent['id'])})")
    assert chosen(page) == ([], "")
    assert page.evaluate("sessionStorage.getItem('judge-drafts')") == "{}"


def test_after_a_reload_what_was_chosen_and_what_was_sent_is_there(page):
    opened(page).evaluate(f"show({trial('one')})")
    page.locator("[data-place=answer-B]").click()
    page.reload()
    page.wait_for_function("window.ready")
    page.evaluate(f"show({trial('one')})")
    assert chosen(page)[0] == ["answer-B"]
    page.locator("[data-place=save]").click()
    sent = page.evaluate("sent.at(-1)")
    page.reload()
    page.wait_for_function("window.ready")
    page.evaluate(f"show({trial('one')})")
    again = page.evaluate("sent.at(-1)")
    assert again["id"] == sent["id"], "a message that was not handled is sent again"
    page.evaluate(f"show({trial('two', handled=sent['id'])})")
    assert chosen(page) == ([], "")
