"""The parts of the form of an experiment: whom and how, on which model, with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from capo_core.dashboard import draft, state
from capo_core.dashboard.components import control_row, heading, note
from capo_core.dashboard.form_settings import FOLDED, MAIN, Setting
from capo_core.dashboard.form_widgets import Form, widget
from capo_core.dashboard.run_words import METHODS
from capo_core.dashboard.words import markdown, short
from capo_core.experiment.presets import PRESETS
from capo_core.jobs import slurm

_OWN = "own"
_BASES = {"embedded": "Embedded", "folder": "A folder", "hub": "From the hub"}
_BASE_HELP = {
    "embedded": "The small model that comes with the tool: made for the shipped data, fast on a "
    "CPU. It says nothing about what large models can do.",
    "folder": "A model in Hugging Face's layout with safetensors, on this machine.",
    "hub": "Its name on the hub; it is downloaded once. No code of the model is ever run.",
}
_HUB_EXAMPLE = "Qwen/Qwen3-4B"


def whom_and_how(form: Form, annotators: Sequence[str]) -> None:
    """Preset, annotators, methods, repetitions."""
    _preset(form)
    heading("Whom, and how")
    known = [name for name in draft.value(form.draft, "targets", ()) if name in annotators]
    few = len(annotators) <= 12 and sum(map(len, annotators)) < 120
    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings: dict[str, Any] = {
            "help": "Who is imitated; each gets an adapter of their own.",
            **form.tie("targets", [], shown=lambda _: known, meant=list),
        }
        if few:
            st.pills(
                "Annotators", list(annotators), selection_mode="multi",
                format_func=lambda name: markdown(short(name, 30)), **settings,
            )  # fmt: skip
        else:
            st.multiselect("Annotators", list(annotators), **settings)
        if len(known) < len(annotators):
            st.button(
                "All of them", key="finetune.form.everyone", type="tertiary",
                on_click=form.put, args=("targets", list(annotators)),
            )  # fmt: skip
    st.pills(
        "Methods",
        list(METHODS),
        selection_mode="multi",
        format_func=METHODS.__getitem__,
        help="Zero-shot shows the task alone; in-context examples show answers of the annotator; "
        "a value profile describes them; SFT trains on their answers; CAPO then contrasts these "
        "with the others' answers to the same items.",
        **form.tie("methods", list(METHODS), meant=_in_order),
    )


def _in_order(chosen: Sequence[str]) -> list[str]:
    return [name for name in METHODS if name in chosen]


def _preset(form: Form) -> None:
    now = draft.preset_of(form.draft)
    names = [*PRESETS, *([] if now else [""])]
    key = "finetune.form.preset"
    st.session_state[key] = now

    def changed() -> None:
        if chosen := state.now(key):
            draft.keep(form.workspace, draft.with_preset(form.draft, chosen))

    st.segmented_control(
        "Begin with",
        names,
        key=key,
        required=True,
        on_change=changed,
        format_func=lambda name: _title(PRESETS[name].label if name else _OWN),
    )
    note(PRESETS[now].help if now else "Changed from a preset; choosing one puts its values back.")


def _title(label: str) -> str:
    return label[0].upper() + label[1:]


def base(form: Form) -> None:
    """The model that is trained and asked, and the server that may be asked instead."""
    heading("On which model")
    name = str(draft.value(form.draft, "base", "embedded"))
    kind = _kind_of(name, st.session_state.get("finetune.form.base_kind"))
    st.session_state["finetune.form.base_kind"] = kind

    def changed() -> None:
        chosen = state.now("finetune.form.base_kind")
        form.put("base", {"embedded": "embedded", "hub": _HUB_EXAMPLE}.get(chosen, ""))

    st.segmented_control(
        "Base",
        list(_BASES),
        key="finetune.form.base_kind",
        required=True,
        format_func=_BASES.__getitem__,
        on_change=changed,
        label_visibility="collapsed",
    )
    note(_BASE_HELP[kind])
    if kind != "embedded":
        st.text_input(
            "Folder" if kind == "folder" else "Name on the hub",
            placeholder="/models/my-model" if kind == "folder" else _HUB_EXAMPLE,
            **form.tie("base", "", meant=str.strip, typed=True),
        )
    with st.expander("Ask a server for the prompting methods"):
        st.text_input(
            "Model at the server",
            placeholder="leave empty to ask the base above",
            help="Any OpenAI-compatible server: vLLM, Ollama and others.",
            **form.tie("server", "", meant=str.strip, typed=True),
        )
        note(
            "Address and key come from the environment of the dashboard (CAPO_SERVER_URL, "
            "OPENAI_API_KEY) and are written nowhere. SFT and CAPO still train the base above."
        )


def _kind_of(name: str, chosen: str | None) -> str:
    """Which kind of base a name is; an empty one is what was chosen last."""
    if name == "embedded":
        return "embedded"
    if not name:
        return chosen if chosen in ("folder", "hub") else "folder"
    return "folder" if name[0] in "./~" else "hub"


def main_settings(form: Form) -> None:
    heading("The settings that matter")
    _rows(form, "main", MAIN)
    seeds = draft.value(form.draft, "seeds", [0])
    with control_row("finetune-about", [2, 3]) as (left, right):
        left.number_input(
            "Repetitions",
            min_value=1,
            max_value=20,
            help="Everything is done again with another seed; several show what is luck.",
            **form.tie(
                "seeds",
                [0],
                shown=lambda value: max(1, len(value)) if isinstance(value, list) else 1,
                meant=partial(_seeds, seeds),
                typed=True,
            ),
        )
        right.text_input(
            "Name of the experiment",
            placeholder="as you would call it in a table",
            help="For you alone: the same settings under another name are the same runs.",
            **form.tie("name", "", meant=str.strip, typed=True),
        )
    if not slurm.unavailable():
        st.segmented_control(
            "Where", ["local", "slurm"], required=True,
            help="On this machine the runs work one after the other; Slurm may take several.",
            format_func={"local": "This machine", "slurm": "Slurm"}.__getitem__,
            **form.tie("executor", "local"),
        )  # fmt: skip


def _seeds(before: list[int], number: int) -> list[int]:
    """So many seeds, those chosen before first."""
    fresh = (seed for seed in range(1000) if seed not in before)
    kept = list(before[:number])
    return kept + [next(fresh) for _ in range(number - len(kept))]


def folded_settings(form: Form) -> None:
    """All the rest, each with its sentence."""
    for title, settings in FOLDED.items():
        with st.expander(f"{title}: all settings"):
            _rows(form, title, settings)


def _rows(form: Form, name: str, settings: Sequence[Setting], width: int = 3) -> None:
    for start in range(0, len(settings), width):
        with control_row(f"finetune-{name}-{start}", [1] * width) as places:
            for place, setting in zip(places, settings[start : start + width], strict=False):
                with place:
                    widget(form, setting)
