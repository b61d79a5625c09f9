"""The page of a new study: its form, with the summary of its design beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.former_form import offer_former
from capo_core.dashboard.app.page import PageContext, guarded, page_link
from capo_core.dashboard.studies import PAGE, local_judges
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import Consequence, Preview
from capo_core.dashboard.studies.labels import kind_title, of_purpose
from capo_core.dashboard.studies.pair import pair_change, proposed, show_pair
from capo_core.dashboard.studies.plan import plan, power_badge, power_light
from capo_core.dashboard.studies.study_form import (
    ASSUMED_VALUES,
    FormValues,
    StudyForm,
    assumed_of,
    begin,
    config_of,
    covered,
    free_name,
    load,
    method_of,
    place_of,
    put,
    sources_of,
    usable,
)
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import section_heading, show_error, show_note, side_by_side
from capo_core.dashboard.ui.forms import Setting, from_class, widget
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import count, duration
from capo_core.runs import run as runs_run
from capo_core.runs.experiments import store
from capo_core.runs.summary import RunSummary, shortened_list, summarise_run
from capo_core.settings import setting_field
from capo_core.study.config import PEOPLE, StudyConfig
from capo_core.study.design import draft
from capo_core.study.design.draft import Draft
from capo_core.study.fixes import DesignChange, DesignError
from capo_core.study.scope import scope_sentence
from capo_core.study.source_names import inside, source_name
from capo_core.study.tables import ATTRIBUTION, COMPARISON
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.workspace import Workspace


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
    pair = show_pair(form, runs, annotators)
    if not pair:
        _several(form, "people", "Human texts", list(PEOPLE), source_name)
    own = {run for each in pair for run in sources_of(list(runs), runs).get(each, ())}
    if own or not pair:
        _several(
            form, "runs", "Runs", [run for run in runs if run in own or not pair],
            changed=partial(_runs_chosen, form, runs, annotators),
            words=lambda run: f"{source_name(method_of(runs[run]))} for "
            f"{shortened_list(runs[run].targets)} · {run[-_OF_RUN:]}",
            help="With the end of the run's name, which tells two runs of one method apart.",
            placeholder="runs of prompting, SFT, CAPO …" if runs else "no finished runs yet",
        )  # fmt: skip
    if not pair:
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
    found: Mapping[str, RunSummary],
    annotators: Sequence[str],
    runs: Sequence[str] | None = None,
) -> None:
    """Keep the chosen runs, and select the annotators whom all of them imitate."""
    chosen = list(url_state.now(f"{PAGE}.form.runs")) if runs is None else list(runs)
    form.put(runs=chosen, targets=covered(chosen, found, annotators))


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
    for first in range(0, len(settings), 2):
        columns = st.columns(2, vertical_alignment="bottom")
        for column, setting in zip(columns, settings[first : first + 2], strict=False):
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
    fresh = values is None
    if values is None:
        taken = draft.names(workspace)
        values = begin(entry, free_name(entry.name, taken))
    form = StudyForm(workspace, values)
    annotators = cache.dataset(workspace, entry).annotators
    finished = usable([summarise_run(run) for run in runs_run.all_runs(workspace)], entry.name)
    if fresh:
        values |= proposed(form, finished, annotators)
    with side_by_side("study", [3, 2]) as (left, right):
        with left:
            offer_former(place_of(workspace, entry.name), PAGE)
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
                    light = _will_be(context, found, finished)
                    local_judges.show_before_inviting()
                    plans = studies_cache.plans(found, len(annotators), assumed_of(values))
                    if plans is None:
                        waiting("Simulating studies of this design …")
                    else:
                        with light:
                            power_light(plans)
                        plan(workspace, found, plans)
            except DesignError as error:
                _mend(context, form, error, finished, annotators)
            except CapoError as error:
                show_error(of_the_form(error))
            assumed(form)


def _config(
    workspace: Workspace, values: FormValues, finished: Mapping[str, RunSummary]
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
    finished: Mapping[str, RunSummary],
    annotators: Sequence[str],
) -> None:
    """Show why a design does not fit, and a button for each change that mends it, with what it
    would take of a judge and its power."""
    changes = error.changes[:MOST_CHANGES]
    pair = pair_change(form, finished, annotators) if changes else None
    changes = ((pair,) if pair else ()) + changes
    show_error(DesignError(error.what, where=error.where, expected=error.expected) if changes
               else error)  # fmt: skip
    still = False
    with st.container(key="studies-mend"):
        for number, each in enumerate(changes):
            found, told = _consequence(context, form, each, finished, len(annotators))
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
    finished: Mapping[str, RunSummary],
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


def _will_be(
    context: PageContext, found: Preview, finished: Mapping[str, RunSummary]
) -> DeltaGenerator:
    """Show the draft in numbers, and the button that creates it; return the place of the light."""
    balance = found.balance
    usual, slowest = (duration(60 * minutes) for minutes in found.minutes)
    show_note(
        f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')} for "
        f"{count(balance.judges, 'judge')}. A judge has "
        + ", ".join(
            of_purpose(spread.most, purpose)
            for purpose, spread in balance.per_judge.items()
            if spread.most
        )
        + f": about {usual}"
        + (f", the slowest {slowest}." if slowest != usual else ".")
    )
    show_scope(found.draft)
    for each in found.draft.notes:
        show_note(each)
    light = st.container(horizontal=True)
    name = found.config.name
    there = name in draft.names(context.workspace)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Replace draft of this name" if there else "Create draft",
            type="primary",
            key=f"{PAGE}.draw",
            on_click=guarded,
            args=(_keep, context.workspace, found, there, finished),
        )
        st.caption("A draft can be inspected and replaced; nothing is frozen yet.")
    return light


def show_scope(drawn: Draft) -> None:
    """Say plainly for whom the results will hold, where that is not every annotator."""
    sentence = scope_sentence(drawn.config.targets, drawn.cards["annotator_id"])
    if sentence:
        st.warning(markdown(sentence))


def _keep(
    workspace: Workspace, found: Preview, replace: bool, finished: Mapping[str, RunSummary]
) -> None:
    """Create the draft that the page shows; the form may have changed since it was drawn, by what
    was typed just before the click or in another tab.

    Raises:
        ConfigError: it has changed, so that texts and power were of another design.
    """
    values = load(workspace, found.config.dataset)  # None: still as it began
    if values is not None and _config(workspace, values, finished) != found.config:
        raise ConfigError(
            "the form changed just now, so that no draft was created",
            todo="look at the summary again, then create it",
        )
    assumed_values = ASSUMED_VALUES if values is None else values
    name = draft.create(workspace, found.draft, replace=replace, assumed=assumed_of(assumed_values))
    if values is not None:
        taken = draft.names(workspace)
        put(workspace, values, "name", free_name(values["dataset"], taken))
    url_state.put(PAGE, {"view": "study", "study": name, "part": None})
