"""The form of a new experiment: annotators and methods, base model, settings, measurements, the
command and configuration file, and the start.

Retention and the LLM judge are off until switched on; their settings are shown below the switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.former_form import offer_former
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.finetune import PAGE, base_model, draft, preflight
from capo_core.dashboard.finetune.draft_widgets import ExperimentForm, setting_rows
from capo_core.dashboard.finetune.fields import (
    EVALUATION,
    FOLDED,
    JUDGE,
    LIKELIHOOD,
    MAIN,
    RETENTION,
)
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    control_row,
    request_scroll,
    scroll_to_details,
    section_heading,
    show_error,
    show_note,
    side_by_side,
)
from capo_core.dashboard.ui.exports import save_settings
from capo_core.dashboard.ui.stored_form import bring_back
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, ConfigError
from capo_core.evaluation.retention import SHIPPED_TASK
from capo_core.formatting import count, short
from capo_core.imitation.embedded_base.suitability import suggested_base
from capo_core.imitation.models.registry import (
    EMBEDDED_NAME,
    KNOWN_MODELS,
)
from capo_core.imitation.prompting.prompts import METHOD_TITLES, TRAINED
from capo_core.runs import slurm
from capo_core.runs.experiments import plan, store
from capo_core.runs.experiments.config import AUTHOR_METHODS, PRESETS, ExperimentConfig
from capo_core.runs.experiments.detectable import detectable_plan
from capo_core.runs.preflight.experiment import ExperimentPreflight
from capo_core.runs.preflight.report import saved_preflight
from capo_core.workspace import Workspace, write_json

_OWN = "custom"
_FILE, _PASTED = "finetune.load.file", "finetune.load.text"


def show(context: PageContext) -> None:
    """Show the form with its summary, and what the form amounts to on the command line."""
    if context.entry.problem:
        st.error(context.entry.problem)
        return
    dataset = cache.dataset(context.workspace, context.entry)
    annotators = dataset.annotators
    suggested = suggested_base(dataset)
    now = draft.load(context.workspace, context.entry.name)
    if now is None:
        now = draft.begin(context.entry, annotators[:1], suggested=suggested)
    form = ExperimentForm(context.workspace, now)
    with st.container(horizontal=True):
        _load(context)
        offer_former(draft.place_of(context.workspace, context.entry.name), PAGE, _bring_back)
    glance = st.container(key="finetune-glance")
    with side_by_side("experiment", [3, 2]) as (left, right):
        with left:
            _annotators_and_methods(form, annotators, suggested)
            base_model.show(form, dataset)
            _main_settings(form)
            _folded_settings(form)
            _measures(form)
        with right, st.container(key="finetune-will"):
            section_heading("Summary")
            config = None
            missing = base_model.missing_model(
                context.workspace, str(form.value("base", EMBEDDED_NAME))
            )
            if missing is not None:
                base_model.show_missing(context.workspace, missing)
            else:
                try:
                    config = _checked(context.workspace, now, annotators)
                except CapoError as error:
                    show_error(error)
                    base_model.offer_other_base(form, dataset)
                    _offer_everyone(form, annotators)
            found = None if config is None else _begin(context, config, form)
    with glance:
        _glance(found)
    if config is not None:
        _command(config)
    scroll_to_details(PAGE, "finetune-will")


def _load(context: PageContext) -> None:
    """Show the button that loads a configuration from a file or the clipboard into the form."""
    with st.popover("Load configuration"):
        st.file_uploader("File", type=["json"], key=_FILE)
        st.text_area("Or paste JSON", key=_PASTED, height=160)
        st.button(
            "Load into form",
            key="finetune.load",
            on_click=guarded,
            args=(_load_configuration, context),
        )
        show_note("Loading a file replaces the current form, which can be brought back.")


def _bring_back(place: Path) -> None:
    preflight.activate()
    bring_back(place)


def _load_configuration(context: PageContext) -> None:
    uploaded, pasted = url_state.now(_FILE), url_state.now(_PASTED)
    if uploaded is None and not pasted.strip():
        raise ConfigError(
            "there is no configuration yet", todo="paste a configuration or choose a file"
        )
    text = pasted if uploaded is None else uploaded.getvalue().decode("utf-8", "replace")
    config = draft.read(text)
    known = {entry.name for entry in context.entries}
    if config.dataset not in known:
        raise ConfigError(
            f"the configuration is for the dataset {config.dataset!r}, which is not here",
            where="the configuration",
            todo="import that dataset first, or change the name in the file",
        )
    preflight.activate()
    draft.replace(context.workspace, draft.plain(config))
    if config.dataset != context.entry.name:
        url_state.put(PAGE, {url_state.DATASET: config.dataset})


def _annotators_and_methods(
    form: ExperimentForm, annotators: Sequence[str], suggested: str
) -> None:
    """Show preset, annotators and methods."""
    _preset(form, suggested)
    section_heading("Annotators and methods")
    known = [name for name in draft.value(form.draft, "targets", ()) if name in annotators]
    few = len(annotators) <= 12 and sum(map(len, annotators)) < 120
    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings: dict[str, Any] = {
            "help": "The annotators to imitate; SFT and CAPO train one adapter each.",
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
                "Select all", key="finetune.form.everyone", type="tertiary",
                on_click=form.put, args=("targets", list(annotators)),
            )  # fmt: skip
    st.pills(
        "Methods",
        list(METHOD_TITLES),
        selection_mode="multi",
        format_func=METHOD_TITLES.__getitem__,
        wrap=True,
        help="Zero-shot: the task alone. In-context learning: the annotator's responses "
        "as examples in the prompt. Value profile: a description of the annotator in "
        "the prompt. SFT: fine-tuning on the annotator's responses. CAPO: preference "
        "training of these against other annotators' responses to the same items, "
        "from the SFT adapter. The last ones are controls: CAPO in its plain form, SFT with "
        "as many epochs as SFT and CAPO together, SFT on shuffled annotators.",
        **form.tie("methods", list(METHOD_TITLES), meant=_in_order),
    )


def _in_order(chosen: Sequence[str]) -> list[str]:
    return [name for name in METHOD_TITLES if name in chosen]


def _preset(form: ExperimentForm, suggested: str) -> None:
    now = draft.preset_of(form.draft, suggested)
    names = [*PRESETS, *([] if now else [""])]
    key = "finetune.form.preset"
    st.session_state[key] = now

    def changed() -> None:
        preflight.activate()
        if chosen := url_state.now(key):
            draft.keep(form.workspace, draft.with_preset(form.draft, chosen, suggested))

    st.segmented_control(
        "Preset",
        names,
        key=key,
        required=True,
        on_change=changed,
        format_func=lambda name: _title(PRESETS[name].label if name else _OWN),
        wrap=True,
    )
    if not now:
        show_note("Custom settings; choosing a preset restores its values.")
    elif form.value("base") == PRESETS[now].settings["base"]:
        show_note(PRESETS[now].help)
    else:
        title = KNOWN_MODELS[suggested].title
        show_note(f"The same settings with {title}; the pre-flight check says how long it takes.")


def _title(label: str) -> str:
    return label[0].upper() + label[1:]


def _main_settings(form: ExperimentForm) -> None:
    section_heading("Key hyper-parameters")
    setting_rows(form, "main", MAIN)
    seeds = draft.value(form.draft, "seeds", [0])
    with control_row("finetune-about", [2, 3]) as (left, right):
        left.number_input(
            "Seeds",
            min_value=1,
            max_value=20,
            help=(
                "Number of random seeds; each repeats all trainings and generations, and "
                "several show the seed variance."
            ),
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
            placeholder="e.g. “SFT, 4 epochs”",
            help="For display only: experiments with the same settings share their runs.",
            **form.tie("name", "", meant=str.strip, typed=True),
        )
    if not slurm.unavailable():
        st.segmented_control(
            "Run on", ["local", "slurm"], required=True,
            help=("On this machine, runs are executed one after the other; Slurm may run "
                  "several at once."),
            format_func={"local": "This machine", "slurm": "Slurm"}.__getitem__,
            **form.tie("executor", "local"),
        )  # fmt: skip


def _seeds(before: list[int], number: int) -> list[int]:
    """Return a number of seeds, the chosen ones first."""
    fresh = (seed for seed in range(1000) if seed not in before)
    kept = list(before[:number])
    return kept + [next(fresh) for _ in range(number - len(kept))]


def _folded_settings(form: ExperimentForm) -> None:
    """Show all other settings in expanders, each with its description."""
    for title, settings in FOLDED.items():
        with st.expander(f"{title}: all settings"):
            setting_rows(form, title, settings)


_JUDGES = {"server": "Server model", "base": "Base model on this machine"}


def _measures(form: ExperimentForm) -> None:
    with st.expander("Evaluation: equivalence margins and tests"):
        show_note("Only a margin fixed before results are known makes equivalence a test.")
        setting_rows(form, "evaluate", EVALUATION, width=2)
    with st.expander("Likelihood attribution"):
        setting_rows(form, "likelihood", LIKELIHOOD, width=1)
    with st.expander("Retention (catastrophic forgetting)"):
        _retention(form)
    with st.expander("LLM-as-judge attribution"):
        _judge(form)


def _retention(form: ExperimentForm) -> None:
    on = _switch(
        form, "retention", "Measure retention",
        "After each annotator's last training, with the adapter scaled to 0, ¼, ½, ¾ "
        "and 1: imitation of the annotator, and perplexity on other text.",
    )  # fmt: skip
    if not on:
        return
    if not set(form.value("methods", ())) & set(TRAINED):
        show_note("Retention needs SFT or CAPO among the methods.")
    setting_rows(form, "retention", RETENTION, width=2)
    st.text_input(
        "General text file",
        placeholder="optional",
        help="A path on this machine. Without one, the embedded base model is tested on "
        "unseen simulated annotators, other base models on the prose of this project's guide.",
        **form.tie("retention.text", "", meant=str.strip, typed=True),
    )
    st.text_input(
        "Other task's dataset",
        help="A dataset of another task, of whose responses the perplexity is measured. auto: the "
        "shipped one; none: not measured.",
        **form.tie(
            "retention.other_task",
            SHIPPED_TASK,
            typed=True,
            meant=lambda text: text.strip() or SHIPPED_TASK,
        ),
    )


def _judge(form: ExperimentForm) -> None:
    on = _switch(
        form, "judge", "Let a language model attribute the texts",
        "It sees reference cards with texts of every annotator, in changing order, "
        "and names the author. Its accuracy on the annotators' own texts is reported "
        "beside its verdicts.",
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
        "LLM judge", list(_JUDGES), key=key, required=True, on_change=changed,
        format_func=_JUDGES.__getitem__,
    )  # fmt: skip
    st.text_input(
        "Server model" if who == "server" else "Base model",
        placeholder="model name on the server"
        if who == "server"
        else "folder, or model name on the hub",
        help="An instruction-following model; the embedded base model cannot be used.",
        **form.tie(f"judge.{who}", "", meant=str.strip, typed=True),
    )
    setting_rows(form, "judge", JUDGE, width=2)


def _switch(form: ExperimentForm, stage: str, label: str, help_: str) -> bool:
    key = f"finetune.form.{stage}.on"
    on = form.value(stage) is not None
    st.session_state[key] = on

    def changed() -> None:
        form.put(stage, dict(draft.BEGUN[stage]) if url_state.now(key) else None)

    st.toggle(label, key=key, help=help_, on_change=changed)
    return on


def _checked(
    workspace: Workspace, now: draft.Draft, annotators: tuple[str, ...]
) -> ExperimentConfig:
    """Return the configuration after the checks that take no time.

    Raises:
        CapoError: something cannot be used; it says what, and where on the form.
    """
    known = [name for name in now.get("targets", ()) if name in annotators]
    config = draft.config_of({**now, "targets": known})
    store.check_experiment(workspace, config)
    return config


def _offer_everyone(form: ExperimentForm, annotators: Sequence[str]) -> None:
    """Show the buttons for what attribution by likelihood lacks: SFT of everybody, or not."""
    everyone = set(annotators) <= set(form.value("targets", ()))
    trained = set(AUTHOR_METHODS) & set(form.value("methods", ()))
    if not form.value("likelihood") or (everyone and trained):
        return
    with st.container(horizontal=True):
        if not everyone:
            st.button(
                f"Imitate all {len(annotators)} annotators",
                key="finetune.mend.everyone",
                on_click=guarded,
                args=(form.put, "targets", list(annotators)),
            )
        st.button(
            "Switch likelihood attribution off",
            key="finetune.mend.likelihood",
            on_click=guarded,
            args=(form.put, "likelihood", False),
        )


def _glance(found: ExperimentPreflight | None) -> None:
    """Show the check's state in a line above the settings, for windows in which it stands below
    them (the stylesheet hides it in wider ones)."""
    obstacles = 0 if found is None else sum(each.blocks for _, each in found.obstacles)
    if found is None:
        text = "The settings do not fit together yet; the summary below them says why."
    elif obstacles:
        text = f"Pre-flight check: {count(obstacles, 'obstacle')}, so that Start is closed."
    elif found.passed:
        text = "Pre-flight check passed: the experiment can start."
    else:
        text = "Pre-flight check: not finished."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(text)
        st.button(
            "Go to summary and Start", key="finetune.glance", type="tertiary",
            icon=":material/arrow_downward:", on_click=request_scroll, args=(PAGE,),
        )  # fmt: skip


def _begin(
    context: PageContext, config: ExperimentConfig, form: ExperimentForm
) -> ExperimentPreflight:
    settled = config.with_changes(fingerprint=context.entry.fingerprint)
    planned = plan.plan_runs(settled)
    kinds = [each.request.kind for each in planned]
    trainings = kinds.count("train_sft") + kinds.count("train_capo")
    show_note(
        f"{count(len(planned), 'run')}: {count(trainings, 'training')}, "
        f"{count(kinds.count('generate'), 'set')} of answers"
        + (", profiles" if "profile" in kinds else "")
        + (", retention" if "retention" in kinds else "")
        + (", LLM judge" if "judge" in kinds else "")
        + ", and an evaluation. They run in order, in the background; you can close "
        "this page."
    )
    dataset = cache.dataset(context.workspace, context.entry)
    try:
        show_note(detectable_plan(settled, dataset).statement.text)
    except CapoError as error:
        show_error(error)
    found = preflight.show(context, settled, planned, form)
    name = store.name_of(context.workspace, settled)
    known = (context.workspace.experiments / name / store.FILE).exists()
    if known:
        show_note("This experiment already exists: Start resumes its remaining runs.")
    # What Slurm's machines have is not known here.
    closed = not found.passed and config.executor == "local"
    if closed:
        show_note(
            "Start opens once nothing blocks the runs."
            if found.blocked
            else "Start opens when the pre-flight check has passed."
        )
    st.button(
        "Start",
        type="primary",
        key="finetune.start",
        disabled=closed,
        on_click=guarded,
        args=(_start, context.workspace, settled, planned, dataset.annotators),
    )
    return found


def _start(
    workspace: Workspace,
    config: ExperimentConfig,
    planned: list[plan.PlannedRun],
    annotators: tuple[str, ...],
) -> None:
    """Start the experiment that the page shows; the form may have changed since it was drawn, by
    what was typed just before the click or in another tab.

    Raises:
        ConfigError: it has changed, so that plan and check were of other settings.
    """
    now = draft.load(workspace, config.dataset)  # None: still as it began
    if now is not None:
        settled = _checked(workspace, now, annotators).with_changes(fingerprint=config.fingerprint)
        if settled != config:
            raise ConfigError(
                "the form changed just now, so that nothing was started",
                todo="look at the summary again, then start",
            )
    store.start(workspace, config)
    for each in planned:
        # What was expected stays beside what will be measured.
        folder = workspace.runs / each.run_id
        found = saved_preflight(workspace, each.request.kind, each.request.settings)
        if found is not None and not (folder / "preflight.json").exists():
            write_json(folder / "preflight.json", found.to_dict())
    url_state.put(PAGE, {"view": None})


def _command(config: ExperimentConfig) -> None:
    section_heading("Command and configuration file")
    command = draft.command(config)
    st.code(command, language="bash", wrap_lines=True)
    show_note(
        f"Expects {draft.FILE_NAME} in the current folder: save it below."
        if draft.FILE_NAME in command
        else "Starts the same runs in the same workspace; they also appear here."
    )
    text = draft.as_json(config)
    save_settings(f"Save as {draft.FILE_NAME}", draft.FILE_NAME, text, key="finetune.save")
    with st.expander("Configuration (JSON)"):
        st.code(text, language="json")
