"""The form of a new study: what is asked, of which sources, with which numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from capo_core.dashboard import form_widgets, state, study_draft, study_settings
from capo_core.dashboard.components import heading, note
from capo_core.dashboard.form_settings import Setting
from capo_core.dashboard.form_widgets import widget
from capo_core.dashboard.frame import Frame, link
from capo_core.dashboard.run_words import Seen, listed
from capo_core.dashboard.study_words import KINDS, KINDS_TOLD, inside, source_name
from capo_core.dashboard.words import markdown
from capo_core.experiment import store
from capo_core.study.config import PEOPLE
from capo_core.study.tables import ATTRIBUTION
from capo_core.workspace import Workspace

PAGE = "studies"


@dataclass(frozen=True)
class Form:
    """The form as it is now, and how a widget changes it (see `form_widgets`)."""

    workspace: Workspace
    values: study_draft.Form

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
        tied = form_widgets.given(key, shown(value) if shown else value, typed)
        return {**tied, "on_change": self._changed, "args": (path, key)}

    def _changed(self, path: str, key: str) -> None:
        study_draft.put(self.workspace, self.values, path, state.now(key))


def what_and_whose(frame: Frame, form: Form, runs: Mapping[str, Seen], annotators) -> None:
    """Name, kinds of trial, sources, targets."""
    _text(form, "name", "Name of the study")
    st.caption("Judges never see this name.")
    _several(form, "kinds", "What judges are asked", list(KINDS), KINDS.__getitem__)
    for kind in form.values.get("kinds") or ():
        if kind in KINDS:
            note(f"{KINDS[kind]} {KINDS_TOLD[kind].capitalize()}.")
    heading("Whose texts", "The hidden sources. Two or more are needed for comparisons.")
    _several(form, "people", "People", list(PEOPLE), source_name)
    _several(
        form, "runs", "Finished runs with answers", list(runs),
        lambda run: f"{source_name(study_draft.method_of(runs[run]))} for "
        f"{listed(runs[run].targets)} · {run}",
        placeholder="runs of prompting, SFT, CAPO …" if runs else "none has finished yet",
    )  # fmt: skip
    _experiments(frame, form, runs)
    if not runs:
        note("No method has answered items of this dataset yet; a study of people's texts alone "
             "tells the ceiling, and whether judges can do the task at all.")  # fmt: skip
        link(frame, "finetune", "Let methods answer on the page Fine-tune")
    named = study_draft.sources_of(form.values.get("runs") or (), runs)
    if named:
        told = [f"{inside(name)} ({len(ids)})" for name, ids in named.items()]
        note(f"Sources by these runs: {', '.join(told)}. Runs of one method are one source.")
    _several(form, "targets", "Annotators asked about", list(annotators), str,
             placeholder="all of them")  # fmt: skip


def numbers(form: Form) -> None:
    heading("How many")
    kinds = form.values.get("kinds") or ()
    shown = [s for s in study_settings.NUMBERS if s.path != "pool" or ATTRIBUTION in kinds]
    _grid(form, shown)
    with st.expander("Practice, checks, repeats, and the rest"):
        _grid(form, study_settings.FOLDED)
        _several(form, "leave_out", "Leave out texts that show", list(_SCREENED),
                 _SCREENED.__getitem__, placeholder="nothing")  # fmt: skip
    with st.expander("Words: planned analysis, consent, instructions"):
        for setting in study_settings.TEXTS:
            _text(form, setting.path, setting.label, area=True, help=setting.help,
                  default=setting.default)  # fmt: skip


def assumed(form: Form) -> None:
    with st.expander("What the planner assumes"):
        _grid(form, study_settings.ASSUMED)


_SCREENED = {
    "name": "a name",
    "boilerplate": "a machine's phrase",
    "format": "a format",
    "length": "an extreme length",
    "card_copy": "a copy of a card",
}


def _grid(form: Form, settings: tuple[Setting, ...] | list[Setting]) -> None:
    for begin in range(0, len(settings), 2):
        columns = st.columns(2, vertical_alignment="bottom")
        for column, setting in zip(columns, settings[begin : begin + 2], strict=False):
            with column:
                widget(form, setting)


def _several(form: Form, path: str, label: str, options: list[str], words, **about: Any) -> None:
    """A choice of several; what was chosen and is not on offer any more stays to be seen."""
    chosen = form.values.get(path)
    chosen = [each for each in chosen if isinstance(each, str)] if isinstance(chosen, list) else []
    tied = form.tie(path, [], shown=lambda _: chosen)
    gone = [each for each in chosen if each not in options]
    st.multiselect(
        label,
        [*options, *gone],
        format_func=lambda each: str(words(each)) if each in options else f"{each} (not there)",
        **about,
        **tied,
    )


def _text(form: Form, path: str, label: str, *, area: bool = False, default: str = "", **about):
    tied = form.tie(path, default, shown=lambda value: str(value or ""), typed=True)
    (st.text_area if area else st.text_input)(label, **about, **tied)


def _experiments(frame: Frame, form: Form, runs: Mapping[str, Seen]) -> None:
    """The answers of a whole experiment, added by one click."""
    found = []
    for experiment in store.every(frame.workspace)[0]:
        answers = [m.run_id for m in experiment.members if m.run_id in runs]
        if experiment.config.dataset == frame.entry.name and answers:
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
                on_click=study_draft.put,
                args=(form.workspace, form.values, "runs",
                      list(dict.fromkeys([*chosen, *answers]))),
                help=f"{len(answers)} runs with answers.",
            )  # fmt: skip
