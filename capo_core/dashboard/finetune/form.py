"""The parts of the form of an experiment: whom and how, on which model, with which settings.

What an experiment may measure besides its scores: what was forgotten, and what a judge says.

Each is off until its switch is turned on; its settings stand below the switch then.

The experiment as a command and as a file, to copy, to save and to load again.

The form of a new experiment: whom, how, on what; what it will be; the button that begins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import partial
from typing import Any

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.finetune import PAGE, draft, preflight
from capo_core.dashboard.finetune.fields import FOLDED, MAIN, Setting
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    control_row,
    section_heading,
    show_error,
    show_note,
    side_by_side,
)
from capo_core.dashboard.ui.forms import Form, widget
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, ConfigError
from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
from capo_core.evaluation.retention import RetentionConfig
from capo_core.formatting import count, short
from capo_core.imitation.models.base_files import find_base_model
from capo_core.imitation.prompting.prompts import METHOD_TITLES, TRAINED
from capo_core.runs import slurm
from capo_core.runs.experiments import plan, store
from capo_core.runs.experiments.config import PRESETS, ExperimentConfig
from capo_core.runs.preflight.report import saved_preflight
from capo_core.workspace import Workspace, write_json


def show_command(config: ExperimentConfig) -> None:
    section_heading("The same as a command, and as a file")
    command = draft.command(config)
    st.code(command, language="bash", wrap_lines=True)
    show_note(
        f"With {draft.FILE_NAME} beside it, that is: save it below."
        if draft.FILE_NAME in command
        else "The same runs, in the same workspace: what is done there is seen here."
    )
    text = draft.as_json(config)
    st.download_button(
        f"Save as {draft.FILE_NAME}",
        text,
        file_name=draft.FILE_NAME,
        mime="application/json",
        key="finetune.save",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
    with st.expander("Configuration (JSON)"):
        st.code(text, language="json")


def load(context: PageContext) -> None:
    """A configuration from a file or from the clipboard, into the form."""
    with st.popover("Load a configuration"):
        uploaded = st.file_uploader("A file", type=["json"], key="finetune.load.file")
        pasted = st.text_area("Or paste it", key="finetune.load.text", height=160)
        st.button(
            "Put it into the form",
            key="finetune.load",
            on_click=guarded,
            args=(_load, context, uploaded, pasted),
            disabled=uploaded is None and not pasted.strip(),
        )
        show_note("What stands in the form is replaced.")


def _load(context: PageContext, uploaded, pasted: str) -> None:
    text = pasted if uploaded is None else uploaded.getvalue().decode("utf-8", "replace")
    config = draft.read(text)
    known = {entry.name for entry in context.entries}
    if config.dataset not in known:
        raise ConfigError(
            f"the configuration is for the dataset {config.dataset!r}, which is not here",
            where="the configuration",
            todo="import that dataset first, or change the name in the file",
        )
    draft.keep(context.workspace, draft.plain(config))
    if config.dataset != context.entry.name:
        url_state.put(PAGE, {url_state.DATASET: config.dataset})


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
    section_heading("Whom, and how")
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
        list(METHOD_TITLES),
        selection_mode="multi",
        format_func=METHOD_TITLES.__getitem__,
        help="Zero-shot shows the task alone; in-context examples show answers of the annotator; "
        "a value profile describes them; SFT trains on their answers; CAPO then contrasts these "
        "with the others' answers to the same items.",
        **form.tie("methods", list(METHOD_TITLES), meant=_in_order),
    )


def _in_order(chosen: Sequence[str]) -> list[str]:
    return [name for name in METHOD_TITLES if name in chosen]


def _preset(form: Form) -> None:
    now = draft.preset_of(form.draft)
    names = [*PRESETS, *([] if now else [""])]
    key = "finetune.form.preset"
    st.session_state[key] = now

    def changed() -> None:
        if chosen := url_state.now(key):
            draft.keep(form.workspace, draft.with_preset(form.draft, chosen))

    st.segmented_control(
        "Begin with",
        names,
        key=key,
        required=True,
        on_change=changed,
        format_func=lambda name: _title(PRESETS[name].label if name else _OWN),
    )
    show_note(
        PRESETS[now].help if now else "Changed from a preset; choosing one puts its values back."
    )


def _title(label: str) -> str:
    return label[0].upper() + label[1:]


def base(form: Form) -> None:
    """The model that is trained and asked, and the server that may be asked instead."""
    section_heading("On which model")
    name = str(draft.value(form.draft, "base", "embedded"))
    kind = _kind_of(name, st.session_state.get("finetune.form.base_kind"))
    st.session_state["finetune.form.base_kind"] = kind

    def changed() -> None:
        chosen = url_state.now("finetune.form.base_kind")
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
    show_note(_BASE_HELP[kind])
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
        show_note(
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
    section_heading("The settings that matter")
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


_DEFAULTS = {
    stage: {each.name: each.default for each in fields(config) if each.default is not MISSING}
    for stage, config in (("retention", RetentionConfig), ("judge", LlmJudgeConfig))
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


def show_measures(form: Form) -> None:
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
        show_note("Without SFT or CAPO among the methods there is nothing to measure.")
    _measure_rows("retention", form, RETENTION)
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
        form.put("judge", {**kept, url_state.now(key): ""})

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
    _measure_rows("judge", form, JUDGE)


def _switch(form: Form, stage: str, label: str, help_: str) -> bool:
    key = f"finetune.form.{stage}.on"
    on = form.value(stage) is not None
    st.session_state[key] = on

    def changed() -> None:
        form.put(stage, dict(draft.BEGUN[stage]) if url_state.now(key) else None)

    st.toggle(label, key=key, help=help_, on_change=changed)
    return on


def _measure_rows(name: str, form: Form, settings: Sequence[Setting]) -> None:
    for start in range(0, len(settings), 2):
        with control_row(f"finetune-{name}-{start}", [1, 1]) as places:
            for place, setting in zip(places, settings[start : start + 2], strict=False):
                with place:
                    widget(form, setting)


def show(context: PageContext) -> None:
    if context.entry.problem:
        st.error(context.entry.problem)
        return
    annotators = cache.dataset(context.workspace, context.entry).annotators
    now = draft.load(context.workspace, context.entry.name)
    if now is None:
        now = draft.begin(context.entry, annotators[:1])
    form = Form(context.workspace, now)
    load(context)
    with side_by_side("experiment", [3, 2]) as (left, right):
        with left:
            whom_and_how(form, annotators)
            base(form)
            main_settings(form)
            folded_settings(form)
            show_measures(form)
        with right, st.container(key="finetune-will"):
            section_heading("What it will be")
            try:
                config = _right(now, annotators)
            except CapoError as error:
                show_error(error)
                config = None
            if config is not None:
                _begin(context, config)
    if config is not None:
        show_command(config)


def _right(now: draft.Draft, annotators: tuple[str, ...]) -> ExperimentConfig:
    """The configuration, looked at as far as that takes no time.

    Raises:
        CapoError: something cannot be used; it says what, and where on the form.
    """
    known = [name for name in now.get("targets", ()) if name in annotators]
    config = draft.config_of({**now, "targets": known})
    on_disk = config.base == "embedded" or "/" not in config.base or config.base[0] in "./~"
    if config.base and on_disk:
        find_base_model(config.base)
    store.check_general_text(config)
    return config


def _begin(context: PageContext, config: ExperimentConfig) -> None:
    settled = config.with_changes(fingerprint=context.entry.fingerprint)
    planned = plan.plan_runs(settled)
    kinds = [each.request.kind for each in planned]
    trainings = kinds.count("train_sft") + kinds.count("train_capo")
    show_note(
        f"{count(len(planned), 'run')}: {count(trainings, 'training')}, "
        f"{count(kinds.count('generate'), 'set')} of answers"
        + (", profiles" if "profile" in kinds else "")
        + (", retention" if "retention" in kinds else "")
        + (", a judge" if "judge" in kinds else "")
        + ", and the evaluation of all. They wait for one another, and go on when this page is "
        "closed."
    )
    refused = preflight.show(context, planned)
    known = (context.workspace.experiments / settled.experiment_id / store.FILE).exists()
    if known:
        show_note("This very experiment was begun before: Start takes up what is left of it.")
    st.button(
        "Start",
        type="primary",
        key="finetune.start",
        disabled=refused and config.executor == "local",
        on_click=guarded,
        args=(_start, context.workspace, settled, planned),
    )


def _start(workspace: Workspace, config: ExperimentConfig, planned: list[plan.PlannedRun]) -> None:
    store.start(workspace, config)
    for each in planned:
        # What was expected stays beside what will be measured.
        folder = workspace.runs / each.run_id
        found = saved_preflight(workspace, each.request.kind, each.request.settings)
        if found is not None and not (folder / "preflight.json").exists():
            write_json(folder / "preflight.json", found.to_dict())
    url_state.put(PAGE, {"view": None})
