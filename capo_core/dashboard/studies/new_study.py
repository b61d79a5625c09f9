"""The form of a new study, with the summary of its design beside it.

A draft of the form is JSON that need not be valid yet. It is stored in the workspace's cache, one
per dataset, so that a refresh or another page loses nothing. A `StudyConfig` is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded, page_link
from capo_core.dashboard.finetune.fields import Setting, from_class
from capo_core.dashboard.studies import PAGE, local_judges
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import Consequence, Preview
from capo_core.dashboard.studies.labels import PURPOSES, kind_title
from capo_core.dashboard.studies.plan import plan, power_badge, power_light
from capo_core.dashboard.ui import forms, url_state
from capo_core.dashboard.ui.components import section_heading, show_error, show_note, side_by_side
from capo_core.dashboard.ui.forms import widget
from capo_core.dashboard.ui.text import markdown
from capo_core.data.catalog import Entry
from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import count, duration
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import store
from capo_core.runs.summary import RunSummary, shortened_list, summarise_run
from capo_core.runs.summary import RunSummary as SeenRun
from capo_core.settings import setting_field
from capo_core.study.config import PEOPLE, StudyConfig
from capo_core.study.design import draft
from capo_core.study.fixes import DesignChange, DesignError
from capo_core.study.source_names import inside, source_name
from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, OTHER_HUMAN
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.workspace import Workspace, content_hash, read_object, write_json

FormValues = dict[str, Any]
ASSUMED_VALUES = {"expected": None, "other": 0.35, "judge_sd": 0.5, "trial_sd": 0.8}
# The rest of the form has the names of `StudyConfig`.
OWN = ("people", "runs", *ASSUMED_VALUES)


def begin(entry: Entry, name: str) -> FormValues:
    """Return a form with common defaults, small enough for the shipped data."""
    return {
        "name": name,
        "dataset": entry.name,
        "kinds": [ATTRIBUTION, COMPARISON],
        "people": [HUMAN, OTHER_HUMAN],
        "runs": [],
        "trials_per_judge": 12,
        **ASSUMED_VALUES,
    }


def load(workspace: Workspace, dataset: str) -> FormValues | None:
    """Return the stored form of a dataset; None where there is none that can be read."""
    raw = read_object(_place(workspace, dataset))
    return raw if raw is not None and raw.get("dataset") == dataset else None


def keep(workspace: Workspace, form: FormValues) -> None:
    write_json(_place(workspace, form["dataset"]), form)


def put(workspace: Workspace, form: FormValues, name: str, value: Any) -> None:
    """Change one value of the stored form; another tab may have changed others meanwhile."""
    with workspace.lock("study-form"):
        keep(workspace, {**(load(workspace, form["dataset"]) or form), name: value})


def _place(workspace: Workspace, dataset: str):
    return workspace.cache / "study-forms" / f"{content_hash(dataset)[:16]}.json"


def config_of(form: FormValues, sources: Mapping[str, Sequence[str]]) -> StudyConfig:
    """Return the design in a form.

    Args:
        sources: name → run ids, of the runs that were chosen.

    Raises:
        ConfigError: something on the form cannot be used.
    """
    settings = {name: value for name, value in form.items() if name not in OWN}
    people = form.get("people", [])
    if not isinstance(people, list) or any(each not in PEOPLE for each in people):
        raise ConfigError(f"found {people!r}", where="Human texts", expected=" or ".join(PEOPLE))
    named = {name: name for name in people} | {name: list(runs) for name, runs in sources.items()}
    if not named:
        raise ConfigError(
            "the study has no sources",
            where="sources",
            expected="human texts, or answers of finished runs",
        )
    return StudyConfig.from_dict({**settings, "sources": named})


def assumed_of(form: FormValues) -> dict[str, float]:
    """Return the planner's assumptions in the form; empty values are the planner's defaults."""
    found = {}
    for name in ASSUMED_VALUES:
        value = form.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def from_config(config: StudyConfig, name: str) -> FormValues:
    """Return the form of a design.

    Args:
        name: what the form is to call it: another name, or its own title.
    """
    plain = config.to_dict()
    sources = plain.pop("sources")
    plain.pop("title", None)  # the form has one field for both
    return {
        **plain,
        "name": name,
        "people": [each for each in sources if each in PEOPLE],
        "runs": [run for runs in config.methods.values() for run in runs],
        **ASSUMED_VALUES,
    }


def free_name(dataset: str, taken: Sequence[str]) -> str:
    """Return an unused name for a new study."""
    base, number = f"{dataset[:60]}-study", 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def usable(found: Sequence[SeenRun], dataset: str) -> dict[str, SeenRun]:
    """Finished runs with answers on this dataset, by their ids."""
    return {
        seen.run_id: seen
        for seen in found
        if seen.kind == "generate" and seen.state == "succeeded" and seen.dataset == dataset
    }


def sources_of(runs: Sequence[str], found: Mapping[str, SeenRun]) -> dict[str, list[str]]:
    """Source → run ids: runs of one method and base are one source, whatever target or seed.

    Where a method stands on several bases its sources are numbered: sft, sft-2. Runs that are not
    there any more keep their own id as their source's name: drawing says what is wrong with them.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        seen = found.get(run)
        key = (method_of(seen), _asked(seen)) if seen else (run, "")
        grouped.setdefault(key, []).append(run)
    named: dict[str, list[str]] = {}
    for (method, _), ids in grouped.items():
        name, number = method, 2
        while name in named:
            name, number = f"{method}-{number}", number + 1
        named[name] = ids
    return named


def covered(
    runs: Sequence[str], found: Mapping[str, SeenRun], annotators: Sequence[str]
) -> list[str]:
    """Return the annotators whom every source among the runs imitates; [] where that is all of
    them, or nobody."""
    sets = [
        {target for run in ids if run in found for target in found[run].targets}
        for ids in sources_of(runs, found).values()
    ]
    chosen = [name for name in annotators if all(name in each for each in sets)]
    return chosen if len(chosen) < len(annotators) else []


def method_of(seen: SeenRun) -> str:
    """Return the method that produced the answers of a run; for a run that was not queued, from its
    settings."""
    config = seen.settings.get("config")
    found = config.get("method") if isinstance(config, Mapping) else None
    return str(found or seen.method or seen.run_id)


def _asked(seen: SeenRun) -> str:
    """Return the model of a run, which distinguishes two sources of one method."""
    settings = seen.settings
    return content_hash([settings.get(name, "") for name in ("base", "server")])


def _fields(*names: str) -> tuple[Setting, ...]:
    return tuple(from_class(StudyConfig, name) for name in names)


NUMBERS = _fields("judges", "trials_per_judge", "judgments_per_trial", "pool")
FOLDED = _fields(
    "incomplete", "practice", "checks_share", "repeats_share", "cap", "card_examples", "items",
    "split", "claim_minutes", "ask_reason", "equivalence_margin", "seed",
)  # fmt: skip
REFERENCE = setting_field(StudyConfig, "reference")
ASSUMED = (
    Setting("expected", "Expected share", "Share of correct attributions, of wins, or of ratings "
            "of 4 and 5 of one source. Empty takes 50 %, in comparisons 65 %.", "number", None,
            0.01, 0.99, 0.05, empty="50 %, or 65 % of wins"),
    Setting("other", "Expected share of another method", "The method it is compared with.",
            "number", 0.35, 0.01, 0.99, 0.05),
    Setting("judge_sd", "Variation between judges", "Standard deviation on the logit scale.",
            "number", 0.5, 0, 5, 0.1),
    Setting("trial_sd", "Variation between trials", "Standard deviation on the logit scale.",
            "number", 0.8, 0, 5, 0.1),
)  # fmt: skip
TEXTS = _fields("planned_analysis", "instructions")
CONSENT = _fields("purpose", "researcher", "contact", "data_kept", "consent", "return_address")
LONG = ("planned_analysis", "instructions", "purpose", "data_kept", "consent")


@dataclass(frozen=True)
class StudyForm:
    """The current values of the form, and their link to its widgets (see `form_widgets`)."""

    workspace: Workspace
    values: FormValues

    def value(self, path: str, default: Any = None) -> Any:
        return self.values.get(path, default)

    def tie(
        self,
        path: str,
        default: Any,
        *,
        shown: Callable[[Any], Any] | None = None,
        typed: bool = False,
    ) -> dict[str, Any]:
        """Key and callback that tie a widget to the form's value at `path` (see `form_widgets`)."""
        key = f"{PAGE}.form.{path}"
        value = self.value(path, default)
        tied = forms.given(key, shown(value) if shown else value, typed)
        return {**tied, "on_change": self._changed, "args": (path, key)}

    def _changed(self, path: str, key: str) -> None:
        put(self.workspace, self.values, path, url_state.now(key))


_OF_RUN = 8  # letters at the end of a run's name that tell it apart: the whole name fills the field


def what_and_whose(
    context: PageContext, form: StudyForm, runs: Mapping[str, RunSummary], annotators
) -> None:
    """Name, trial kinds, sources, targets."""
    _text(form, "name", "Name of the study")
    st.caption("Any words. Judges never see them.")
    _several(form, "kinds", "Trial kinds", list(TRIAL_KINDS), kind_title)
    for kind in form.values.get("kinds") or ():
        if kind in TRIAL_KINDS:
            show_note(f"{kind_title(kind)} {TRIAL_KINDS[kind].description.capitalize()}.")
    section_heading("Sources", "The hidden sources. Two or more are needed for comparisons.")
    _several(form, "people", "Human texts", list(PEOPLE), source_name)
    _several(
        form, "runs", "Runs", list(runs), changed=partial(_runs_chosen, form, runs, annotators),
        words=lambda run: f"{source_name(method_of(runs[run]))} for "
        f"{shortened_list(runs[run].targets)} · {run[-_OF_RUN:]}",
        help="With the end of the run's name, which tells two runs of one method apart.",
        placeholder="runs of prompting, SFT, CAPO …" if runs else "no finished runs yet",
    )  # fmt: skip
    _experiments(context, form, runs, annotators)
    if not runs:
        show_note(
            "No method has been run on this dataset yet. A study of human texts alone "
            "measures the ceiling, and whether judges can do the task."
        )
        page_link(context, "finetune", "Run methods on Fine-tune")
    named = sources_of(form.values.get("runs") or (), runs)
    if named:
        told = [f"{inside(name)} ({len(ids)})" for name, ids in named.items()]
        show_note(f"Sources by these runs: {', '.join(told)}. Runs of one method are one source.")
    _several(form, "targets", "Target annotators", list(annotators), str,
             placeholder="all annotators",
             help="Choosing runs selects the annotators whom all of them imitate.")  # fmt: skip
    _reference(form, [*(form.values.get("people") or ()), *named])


def _reference(form: StudyForm, sources: list[str]) -> None:
    """Show which pairs a comparison is of; nothing where there is one pair, or none."""
    if COMPARISON not in (form.values.get("kinds") or ()) or len(sources) < 3:
        return
    chosen = form.value("reference", "") or ""
    options = ["", *sources, *([chosen] if chosen and chosen not in sources else [])]
    pairs = len(sources) * (len(sources) - 1) // 2
    st.selectbox(
        "Comparisons",
        options,
        format_func=lambda name: (
            f"of each other source against {inside(name)} ({count(len(sources) - 1, 'pair')})"
            if name
            else f"of every two sources ({count(pairs, 'pair')})"
        ),
        help=REFERENCE.description,
        **form.tie("reference", ""),
    )


def _runs_chosen(
    form: StudyForm,
    found: Mapping[str, SeenRun],
    annotators: Sequence[str],
    runs: Sequence[str] | None = None,
) -> None:
    """Keep the chosen runs, and select the annotators whom all of them imitate."""
    chosen = list(url_state.now(f"{PAGE}.form.runs")) if runs is None else list(runs)
    put(form.workspace, form.values, "runs", chosen)
    put(form.workspace, form.values, "targets", covered(chosen, found, annotators))


def numbers(form: StudyForm) -> None:
    section_heading("Design")
    kinds = form.values.get("kinds") or ()
    shown = [s for s in NUMBERS if s.path != "pool" or ATTRIBUTION in kinds]
    _grid(form, shown)
    with st.expander("Practice, attention checks, repeats and more"):
        _grid(form, FOLDED)
        _several(form, "leave_out", "Exclude texts with", list(_SCREENED),
                 _SCREENED.__getitem__, placeholder="nothing")  # fmt: skip
    with st.expander("Texts: planned analysis, instructions"):
        _texts(form, TEXTS)
    with st.expander("Consent page, and the way back to a platform"):
        show_note("Judges read this first, with what is recorded and how much there is to judge.")
        _texts(form, CONSENT)


def _texts(form: StudyForm, settings: tuple[Setting, ...]) -> None:
    for setting in settings:
        _text(form, setting.path, setting.label, area=setting.path in LONG, help=setting.help,
              default=setting.default)  # fmt: skip


def assumed(form: StudyForm) -> None:
    with st.expander("Planner assumptions"):
        _grid(form, ASSUMED)


_SCREENED = {
    "name": "a name",
    "boilerplate": "boilerplate",
    "format": "formatting",
    "length": "extreme length",
    "card_copy": "copy of a reference card",
}


def _grid(form: StudyForm, settings: tuple[Setting, ...] | list[Setting]) -> None:
    for begin in range(0, len(settings), 2):
        columns = st.columns(2, vertical_alignment="bottom")
        for column, setting in zip(columns, settings[begin : begin + 2], strict=False):
            with column:
                widget(form, setting)


def _several(
    form: StudyForm,
    path: str,
    label: str,
    options: list[str],
    words: Callable[[str], Any],
    changed: Callable[[], None] | None = None,
    **about: Any,
) -> None:
    """Show a multi-select; values that are no longer available stay visible."""
    chosen = form.values.get(path)
    chosen = [each for each in chosen if isinstance(each, str)] if isinstance(chosen, list) else []
    tied = form.tie(path, [], shown=lambda _: chosen)
    if changed is not None:
        tied = {**tied, "on_change": changed, "args": ()}
    gone = [each for each in chosen if each not in options]
    st.multiselect(
        label,
        [*options, *gone],
        format_func=lambda each: str(words(each)) if each in options else f"{each} (not available)",
        **about,
        **tied,
    )


def _text(
    form: StudyForm, path: str, label: str, *, area: bool = False, default: str = "", **about
):
    tied = form.tie(path, default, shown=lambda value: str(value or ""), typed=True)
    (st.text_area if area else st.text_input)(label, **about, **tied)


def _experiments(
    context: PageContext, form: StudyForm, runs: Mapping[str, RunSummary], annotators: Sequence[str]
) -> None:
    """The answers of a whole experiment, added by one click."""
    found = []
    for experiment in store.all_experiments(context.workspace)[0]:
        answers = [m.run_id for m in experiment.members if m.run_id in runs]
        if experiment.config.dataset == context.entry.name and answers:
            found.append((experiment, answers))
    if not found:
        return
    with st.container(horizontal=True):
        for experiment, answers in found[:4]:
            title = experiment.config.name or experiment.experiment_id
            chosen = form.values.get("runs") or []
            st.button(
                f"All of {markdown(title)}",
                key=f"{PAGE}.form.experiment.{experiment.experiment_id}",
                on_click=_runs_chosen,
                args=(form, runs, annotators, list(dict.fromkeys([*chosen, *answers]))),
                help=f"{count(len(answers), 'run')} with answers.",
            )  # fmt: skip


def show(context: PageContext) -> None:
    if context.entry.problem:
        st.error(markdown(context.entry.problem))
        return
    workspace, entry = context.workspace, context.entry
    values = load(workspace, entry.name)
    if values is None:
        taken = draft.names(workspace)
        values = begin(entry, free_name(entry.name, taken))
    form = StudyForm(workspace, values)
    annotators = cache.dataset(workspace, entry).annotators
    finished = usable([summarise_run(run) for run in runs_run.all_runs(workspace)], entry.name)
    with side_by_side("study", [3, 2]) as (left, right):
        with left:
            what_and_whose(context, form, finished, annotators)
            numbers(form)
        with right, st.container(key="studies-will"):
            section_heading("Summary")
            try:
                config = _config(workspace, values, finished)
                found = studies_cache.preview(workspace, entry, config)
                if found is None:
                    waiting("Drawing texts and sequences …")
                else:
                    light = _will_be(context, found)
                    local_judges.show_before_inviting()
                    told = plan(found, len(annotators), assumed_of(values))
                    if told is not None:
                        with light:
                            power_light(told.plans)
            except DesignError as error:
                _mend(context, form, error, finished, len(annotators))
            except CapoError as error:
                show_error(of_the_form(error))
            assumed(form)


def _config(
    workspace: Workspace, values: FormValues, finished: Mapping[str, SeenRun]
) -> StudyConfig:
    """Return the design in a form; its name is made from the words in the field. Raises as
    `config_of`."""
    called = draft.name_and_title(workspace, str(values.get("name") or ""))
    return config_of({**values, **called}, sources_of(values.get("runs") or (), finished))


MOST_CHANGES = 4


def _mend(
    context: PageContext,
    form: StudyForm,
    error: DesignError,
    finished: Mapping[str, SeenRun],
    annotators: int,
) -> None:
    """Show why a design does not fit, and a button for each change that mends it, with what it
    would take of a judge and its power."""
    changes = error.changes[:MOST_CHANGES]
    show_error(DesignError(error.what, where=error.where, expected=error.expected) if changes
               else error)  # fmt: skip
    still = False
    with st.container(key="studies-mend"):
        for number, each in enumerate(changes):
            found, told = _consequence(context, form, each, finished, annotators)
            still = still or (found is None and not told)
            st.button(
                each.words,
                key=f"{PAGE}.mend.{number}",
                on_click=_apply,
                args=(form, each.settings),
                width="stretch",
            )
            with st.container(horizontal=True, vertical_alignment="center"):
                if found is not None:
                    power_badge(found.power, brief=True)
                st.caption(markdown(told) or "…")
    if still:
        waiting("Drawing what these would take …")


def _consequence(
    context: PageContext,
    form: StudyForm,
    change: DesignChange,
    finished: Mapping[str, SeenRun],
    annotators: int,
) -> tuple[Consequence | None, str]:
    """Return what a change leads to, and that in words; None and "" while it is computed."""
    values = {**form.values, **{k: form_value(v) for k, v in change.settings.items()}}
    try:
        config = _config(context.workspace, values, finished)
        found = studies_cache.consequence(
            context.workspace, context.entry, config, annotators, assumed_of(values)
        )
    except CapoError as other:  # the next obstacle, which is shown once this one is out of the way
        return None, f"Not enough by itself: {in_form_words(other)}."
    return found, _minutes(found.minutes) if found is not None else ""


def of_the_form(error: CapoError) -> CapoError:
    """Return the error with the label of the field it is about, where it names a setting."""
    stage, found, name = (error.where or "").replace("setting ", "study, ", 1).partition(", ")
    if stage != "study" or not found:
        return error
    try:
        label = setting_field(StudyConfig, name).title
    except ConfigError:
        return error
    return ConfigError(error.what, where=label, expected=error.expected, todo=error.todo)


def in_form_words(error: CapoError) -> str:
    """Return an obstacle as a clause, in the words of the form: "Judges: 0 cannot be used, expected
    a whole number from 1 to 1000"."""
    shown = of_the_form(error)
    if shown is error:  # a sentence about the whole design
        return error.what
    expected = f", expected {shown.expected}" if shown.expected else ""
    return f"{shown.where}: {shown.what}{expected}"


def _minutes(minutes: float) -> str:
    return f"about {duration(60 * minutes)} per judge"


def form_value(value: Any) -> Any:
    """Return a setting's value as the form holds it."""
    return list(value) if isinstance(value, tuple) else value


def _apply(form: StudyForm, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        put(form.workspace, form.values, name, form_value(value))


def _will_be(context: PageContext, found: Preview) -> DeltaGenerator:
    """Show the draft in numbers, and the button that creates it; return the place of the light."""
    balance = found.balance
    usual, slowest = (duration(60 * minutes) for minutes in found.minutes)
    show_note(
        f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')} for "
        f"{count(balance.judges, 'judge')}. A judge has "
        + ", ".join(
            f"{spread.most} {PURPOSES[purpose].lower()}"
            for purpose, spread in balance.per_judge.items()
            if spread.most
        )
        + f": about {usual}"
        + (f", the slowest {slowest}." if slowest != usual else ".")
    )
    for each in found.draft.notes:
        show_note(each)
    light = st.container()
    name = found.config.name
    there = name in draft.names(context.workspace)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Replace draft of this name" if there else "Create draft",
            type="primary",
            key=f"{PAGE}.draw",
            on_click=guarded,
            args=(_keep, context.workspace, found, there),
        )
        st.caption("A draft can be inspected and replaced; nothing is frozen yet.")
    return light


def _keep(workspace: Workspace, found: Preview, replace: bool) -> None:
    name = draft.create(workspace, found.draft, replace=replace)
    values = load(workspace, found.config.dataset)
    if values is not None:
        taken = draft.names(workspace)
        put(workspace, values, "name", free_name(values["dataset"], taken))
    url_state.put(PAGE, {"view": "study", "study": name, "part": None})
