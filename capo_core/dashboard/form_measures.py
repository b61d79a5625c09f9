"""What an experiment may measure besides its scores: what was forgotten, and what a judge says.

Each is off until its switch is turned on; its settings stand below the switch then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

import streamlit as st

from capo_core.dashboard import draft, state
from capo_core.dashboard.components import control_row, note
from capo_core.dashboard.form_settings import Setting
from capo_core.dashboard.form_widgets import Form, widget
from capo_core.evaluation.judge_design import JudgeConfig
from capo_core.evaluation.retention import RetentionConfig
from capo_core.imitation.prompts import TRAINED

_DEFAULTS = {
    stage: {each.name: each.default for each in fields(config) if each.default is not MISSING}
    for stage, config in (("retention", RetentionConfig), ("judge", JudgeConfig))
}
_JUDGES = {"server": "A server's model", "base": "A base on this machine"}


def _setting(path: str, label: str, help_: str, kind: str = "whole", **more: Any) -> Setting:
    stage, _, name = path.partition(".")
    return Setting(path, label, help_, kind, _DEFAULTS[stage][name], **more)


RETENTION = (
    _setting("retention.items", "Items answered",
             "Items that are answered at each strength; 0 takes all of the part.", high=100_000),
    _setting("retention.split", "Of which part",
             "To choose a strength by its figures is to learn from these items, so rather not the "
             "test part.", "choice", options=("validation", "test")),
    _setting("retention.passages", "General passages",
             "Passages of general text whose perplexity is followed.", low=1, high=100_000),
    _setting("retention.max_new_tokens", "Longest answer, tokens",
             "Longer answers are cut.", low=1, high=8192),
)  # fmt: skip
JUDGE = (
    _setting("judge.trials", "Questions a method",
             "At most so many for each method and seed, and for people's own texts; 0 asks about "
             "all. Multiples of the number of annotators keep the cards' places even.",
             high=100_000),
    _setting("judge.cards", "Texts on a card",
             "Training explanations of each annotator that the judge sees.", low=1, high=100),
    _setting("judge.k", "Explanations together",
             "So many of one author are judged at a time; several are easier.", low=1, high=64),
    _setting("judge.max_new_tokens", "Room for its answer, tokens",
             "And for its thoughts before it.", low=1, high=32768),
)  # fmt: skip


def show(form: Form) -> None:
    with st.expander("What was forgotten: retention"):
        _retention(form)
    with st.expander("A model judges who wrote it"):
        _judge(form)


def _retention(form: Form) -> None:
    on = _switch(
        form, "retention", "Measure what the trainings made the base forget",
        "After each annotator's last training, the adapter at strength 0, ¼, ½, ¾ and 1: how much "
        "of the manner is there, and how well the base still knows all else.",
    )  # fmt: skip
    if not on:
        return
    if not set(form.value("methods", ())) & set(TRAINED):
        note("Without SFT or CAPO among the methods there is nothing to measure.")
    _rows("retention", form, RETENTION)
    st.text_input(
        "A file of general text",
        placeholder="leave empty where there is none",
        help="A path on this machine. Without one, the embedded base is asked for answers of "
        "simulated people it has never read; for other bases this part is left out.",
        **form.tie("retention.text", "", meant=str.strip, typed=True),
    )


def _judge(form: Form) -> None:
    on = _switch(
        form, "judge", "Ask a language model who wrote the answers",
        "It sees cards with texts of every annotator, in changing order, and names the author. "
        "Its worth is measured on people's own texts, and stands beside what it says.",
    )  # fmt: skip
    if not on:
        return
    who = "base" if form.value("judge.base") is not None else "server"
    key = "finetune.form.judge.who"
    st.session_state[key] = who

    def changed() -> None:
        kept = {k: v for k, v in form.value("judge", {}).items() if k not in _JUDGES}
        form.put("judge", {**kept, state.now(key): ""})

    st.segmented_control(
        "Who judges", list(_JUDGES), key=key, required=True, on_change=changed,
        format_func=_JUDGES.__getitem__,
    )  # fmt: skip
    st.text_input(
        "Model at the server" if who == "server" else "Base",
        placeholder="its name there" if who == "server" else "a folder, or a name on the hub",
        help="It must follow instructions; the embedded base cannot judge.",
        **form.tie(f"judge.{who}", "", meant=str.strip, typed=True),
    )
    _rows("judge", form, JUDGE)


def _switch(form: Form, stage: str, label: str, help_: str) -> bool:
    key = f"finetune.form.{stage}.on"
    on = form.value(stage) is not None
    st.session_state[key] = on

    def changed() -> None:
        form.put(stage, dict(draft.BEGUN[stage]) if state.now(key) else None)

    st.toggle(label, key=key, help=help_, on_change=changed)
    return on


def _rows(name: str, form: Form, settings: Sequence[Setting]) -> None:
    for start in range(0, len(settings), 2):
        with control_row(f"finetune-{name}-{start}", [1, 1]) as places:
            for place, setting in zip(places, settings[start : start + 2], strict=False):
                with place:
                    widget(form, setting)
