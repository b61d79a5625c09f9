"""The widgets of the form, each tied to the draft that lies in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from capo_core.dashboard import draft
from capo_core.dashboard.components import control_row, heading, note
from capo_core.dashboard.form_settings import FOLDED, MAIN, Setting
from capo_core.dashboard.run_words import METHODS
from capo_core.dashboard.words import markdown, short
from capo_core.experiment.presets import PRESETS
from capo_core.jobs import slurm
from capo_core.workspace import Workspace

_OWN = "own settings"
_BASES = {"embedded": "Embedded", "folder": "A folder", "hub": "From the hub"}
_BASE_HELP = {
    "embedded": "The small model that comes with the tool: made for the shipped data, fast on a "
    "CPU. It says nothing about what large models can do.",
    "folder": "A model in Hugging Face's layout with safetensors, on this machine.",
    "hub": "Its name on the hub; it is downloaded once. No code of the model is ever run.",
}
_HUB_EXAMPLE = "Qwen/Qwen3-4B"


@dataclass(frozen=True)
class Form:
    """The draft as it is now, and how a widget changes it."""

    workspace: Workspace
    draft: draft.Draft

    def put(self, path: str, value: Any) -> None:
        draft.keep(self.workspace, draft.changed(self.draft, path, value))

    def tie(
        self,
        path: str,
        default: Any,
        *,
        shown: Callable[[Any], Any] | None = None,
        meant: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Key and callback that tie a widget to the draft's value at `path`.

        Args:
            shown, meant: from the draft's value to the widget's, and back.
        """
        key = f"finetune.form.{path}"
        value = draft.value(self.draft, path, default)
        st.session_state[key] = shown(value) if shown else value

        def changed() -> None:
            new = st.session_state[key]
            self.put(path, meant(new) if meant else new)

        return {"key": key, "on_change": changed}


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
        if st.session_state[key]:
            draft.keep(form.workspace, draft.with_preset(form.draft, st.session_state[key]))

    st.segmented_control(
        "Begin with",
        names,
        key=key,
        required=True,
        on_change=changed,
        format_func=lambda name: PRESETS[name].label.capitalize() if name else _OWN.capitalize(),
    )
    note(PRESETS[now].help if now else "Changed from a preset; choosing one puts its values back.")


def base(form: Form) -> None:
    """The model that is trained and asked, and the server that may be asked instead."""
    heading("On which model")
    name = str(draft.value(form.draft, "base", "embedded"))
    kind = _kind_of(name, st.session_state.get("finetune.form.base_kind"))
    st.session_state["finetune.form.base_kind"] = kind

    def changed() -> None:
        chosen = st.session_state["finetune.form.base_kind"]
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
            **form.tie("base", "", meant=str.strip),
        )
    with st.expander("Ask a server for the prompting methods"):
        st.text_input(
            "Model at the server",
            placeholder="leave empty to ask the base above",
            help="Any OpenAI-compatible server: vLLM, Ollama and others.",
            **form.tie("server", "", meant=str.strip),
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
    with control_row("finetune-main", [1] * len(MAIN)) as places:
        for place, setting in zip(places, MAIN, strict=True):
            with place:
                _widget(form, setting)
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
            ),
        )
        right.text_input("Name of the experiment", **form.tie("name", "", meant=str.strip))
    if not slurm.unavailable():
        st.segmented_control(
            "Where", ["local", "slurm"], required=True,
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
            for start in range(0, len(settings), 3):
                some = settings[start : start + 3]
                with control_row(f"finetune-{title}-{start}", [1, 1, 1]) as places:
                    for place, setting in zip(places, some, strict=False):
                        with place:
                            _widget(form, setting)


def _widget(form: Form, setting: Setting) -> None:
    about: dict[str, Any] = {"help": setting.help}
    if setting.kind == "switch":
        st.toggle(setting.label, **about, **form.tie(setting.path, setting.default))
    elif setting.kind == "choice":
        tied = form.tie(setting.path, setting.default)
        options = list(setting.options)
        if st.session_state[tied["key"]] not in options:  # what was loaded and is not on offer
            options.append(st.session_state[tied["key"]])
        st.selectbox(setting.label, options, **about, **tied)
    else:
        _number(form, setting, about)


def _number(form: Form, setting: Setting, about: dict[str, Any]) -> None:
    as_type = int if setting.kind == "whole" else float
    low, high = as_type(setting.low), None if setting.high is None else as_type(setting.high)
    tied = form.tie(setting.path, setting.default)
    value = st.session_state[tied["key"]]
    if value is not None:
        try:
            value = as_type(value)
        except (TypeError, ValueError):
            value = setting.default
        # A widget refuses what lies outside; the draft keeps it, and its error is shown.
        value = max(low, value) if high is None else min(high, max(low, value))
        st.session_state[tied["key"]] = value
    st.number_input(
        setting.label,
        min_value=low,
        max_value=high,
        step=as_type(setting.step),
        value=None,
        placeholder="chosen by the tool",
        format="%d" if as_type is int else "%.6g",
        **about,
        **tied,
    )
