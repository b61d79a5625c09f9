"""The judge's desk as a component in the browser: what is chosen stays there until it is saved.

With Streamlit's own buttons every choice is a message, and a key that is pressed while the server
is busy can be lost. Here one message carries a whole answer; the browser keeps and repeats it until
the server says that it has handled it (`templates/desk.js`). A message has a random identifier, and
an answer its trial, so that a repeat is known as one, also by another session.

The texts are part of the component, so that texts and choices change in the same moment: no key can
answer a trial that is not on the screen yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from capo_core.dashboard.judging import text as judging_text
from capo_core.dashboard.judging import trial_html
from capo_core.study.judging.answers import LONGEST_REASON, PracticeFeedback
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import JudgeAnswer, TrialView
from capo_core.study.trial_kinds import trial_kind
from capo_core.templates import asset

KEY = "judge-desk"
ANSWER, CONTINUE, KEEP = "answer", "continue", "keep"
_WORDS = {
    "save": "Save",
    "saving": "Saving …",
    "slow": "Saving … The server is slow or cannot be reached. Your answer is kept here and sent "
    "again until it is saved.",
    "saved": "Saved",
    "continue": "Continue",
    "keep": "Keep the answer as it is",
    "choose": "Choose an answer first.",
    "chooseSure": "Choose how sure you are, then save.",
    "sure": "How sure are you?",
    "reason": "Reason (optional)",
}
_component = st.components.v2.component(
    "desk", js=asset("dashboard/judging/desk.js"), isolate_styles=False
)


@dataclass(frozen=True)
class DeskMessage:
    """Action of the judge at the desk.

    Attributes:
        message_id: random, the same in repeats of a message.
        act: `ANSWER`; `CONTINUE`, of feedback; or `KEEP`, the answer that could be changed.
        trial_id: of the trial on the screen.
        layout: how two texts stood there, one of `tables.LAYOUTS`; else "".
    """

    message_id: str
    act: str
    trial_id: str
    given: JudgeAnswer
    replaces: bool
    layout: str


def message_of(raw: Any) -> DeskMessage | None:
    """Return the message in what the browser sent; None where it is none."""
    if not isinstance(raw, Mapping) or raw.get("act") not in (ANSWER, CONTINUE, KEEP):
        return None
    found = {name: raw.get(name, "") for name in
             ("id", "trial", "answer", "confidence", "reason", "layout")}  # fmt: skip
    if not all(isinstance(value, str) for value in found.values()) or not found["id"]:
        return None
    given = JudgeAnswer(found["answer"], found["confidence"], found["reason"])
    return DeskMessage(
        found["id"], raw["act"], found["trial"], given, raw.get("replaces") is True, found["layout"]
    )


def received() -> DeskMessage | None:
    """Return the last message of this session's desk, in a callback of `show`."""
    return message_of(getattr(st.session_state.get(KEY), "message", None))


def show(data: Mapping[str, Any], on_message: Callable[[], None]) -> DeskMessage | None:
    """Show the desk; return the last message, new or handled.

    Args:
        data: from `trial_data` or `feedback_data`.
        on_message: called before the next run of the page, when there is another message.
    """
    found = _component(data=dict(data), key=KEY, on_message_change=on_message)
    return message_of(found.message)


def trial_data(
    view: TrialView, terms: Terms, *, changing: bool, handled: str, saved: bool, problem: str
) -> dict[str, Any]:
    """Return what the browser gets of a trial to be answered.

    Args:
        changing: whether `view.earlier` is an answer that stands, and may be replaced.
        handled: identifier of the last message that was handled.
        saved: whether that saved an answer.
        problem: why the last message was not carried out; "" if it was.
    """
    given = view.earlier or JudgeAnswer("", "", "")
    return {
        **_shown(view, terms),
        "step": "change" if changing else "ask",
        "question": judging_text.question(view),
        "answers": [
            {
                "value": answer,
                "name": judging_text.answer_name(view, answer),
                "keys": judging_text.answer_keys(view, answer),
                "sure": trial_kind(view.kind).asks_confidence(answer),
            }
            for answer in judging_text.in_order(view)
        ],
        "levels": [
            {"value": level, "name": name, "key": key}
            for level, (name, key) in judging_text.CONFIDENCE.items()
        ],
        "given": {
            "answer": given.answer, "confidence": given.confidence, "reason": given.reason
        },
        "reason": terms.ask_reason,
        "longest": LONGEST_REASON,
        "changing": changing,
        "hint": judging_text.hint(view, changing=changing),
        "feedback": None,
        "handled": handled,
        "saved": saved,
        "problem": problem,
    }  # fmt: skip


def feedback_data(
    practised: PracticeFeedback, terms: Terms, *, handled: str, problem: str
) -> dict[str, Any]:
    """Return what the browser gets of a practice trial that was answered."""
    view, feedback = practised.view, practised.feedback
    right = judging_text.answer_name(view, feedback.answer)
    yours = judging_text.answer_name(view, practised.given.answer)
    said = (
        f"Correct: {right}."
        if feedback.right
        else f"Your answer: {yours}. Correct answer: {right}."
    )
    return {
        **_shown(view, terms),
        "step": "feedback",
        "answers": [],
        "given": None,
        "changing": False,
        "hint": "",
        "feedback": {"right": feedback.right, "text": f"{said} {feedback.note}"},
        "handled": handled,
        "saved": False,
        "problem": problem,
    }


def _shown(view: TrialView, terms: Terms) -> dict[str, Any]:
    return {
        "trial": view.trial_id,
        "texts": trial_html.texts_html(view, terms),
        "cards": trial_html.cards_html(view.cards, terms),
        "words": _WORDS,
    }
