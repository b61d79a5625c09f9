"""The choice of one pair of sources in the form of a new study: CAPO against SFT, and nothing else.

The pair is a shorter way to what the form holds anyway: choosing it sets the human texts, the runs,
the annotators whom both sources imitate, and a name that says what is compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from capo_core.dashboard.studies import PAGE
from capo_core.dashboard.studies.study_form import StudyForm, covered, free_name, sources_of
from capo_core.dashboard.ui import url_state
from capo_core.formatting import count
from capo_core.runs.summary import RunSummary
from capo_core.study.config import PEOPLE
from capo_core.study.design import draft
from capo_core.study.fixes import DesignChange
from capo_core.study.source_names import pair_name, source_name
from capo_core.study.tables import HUMAN, OTHER_HUMAN

_USUAL = (("capo", "sft"), ("capo", HUMAN), ("sft", HUMAN))  # proposed, the first there is
_WAYS = {"several": "Several sources", "pair": "One pair of sources"}


def show_pair(
    form: StudyForm, runs: Mapping[str, RunSummary], annotators: Sequence[str]
) -> tuple[str, ...]:
    """Show the choice between several sources and a pair, with the pair's two; return the pair, or
    () where several are chosen."""
    offered = {**{name: [] for name in PEOPLE}, **sources_of(list(runs), runs)}
    chosen = pair_of(form, offered)
    key = f"{PAGE}.form.pair.way"
    st.session_state[key] = "pair" if chosen else "several"

    def changed() -> None:
        asked = url_state.now(key) == "pair"
        choose_pair(form, runs, annotators, usual_pair(offered) if asked else ())

    st.segmented_control(
        "Sources", list(_WAYS), key=key, format_func=_WAYS.__getitem__, on_change=changed,
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    if not chosen:
        return ()
    left, right = st.columns(2)
    for place, column in enumerate((left, right)):
        _one(form, runs, annotators, offered, chosen, place, column)
    return chosen


def _one(form, runs, annotators, offered, chosen, place, column) -> None:
    """Show the choice of the first or the second source of the pair."""
    key, other = f"{PAGE}.form.pair.{place}", chosen[1 - place]
    st.session_state[key] = chosen[place]

    def changed() -> None:
        name = url_state.now(key)
        pair = (name, other) if place == 0 else (other, name)
        choose_pair(form, runs, annotators, pair)

    def words(name: str) -> str:
        many = f" ({count(len(offered[name]), 'run')})" if offered[name] else ""
        return f"{source_name(name)}{many}"

    column.selectbox(
        ("Source", "Against")[place], [name for name in offered if name != other],
        key=key, format_func=words, on_change=changed,
    )  # fmt: skip


def pair_of(form: StudyForm, offered: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the pair in the form; () where there is none, or a source of it is not there."""
    found = form.value("pair") or ()
    fits = isinstance(found, list | tuple) and len(found) == 2
    return tuple(found) if fits and all(name in offered for name in found) else ()


def usual_pair(offered: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return the pair to begin with: CAPO against SFT, a method against the target's own texts, or
    two humans."""
    methods = [name for name in offered if name not in PEOPLE]
    usual = [*_USUAL, *((name, HUMAN) for name in methods)]
    return next(((a, b) for a, b in usual if a in offered and b in offered), (HUMAN, OTHER_HUMAN))


def proposed(
    form: StudyForm, runs: Mapping[str, RunSummary], annotators: Sequence[str]
) -> dict[str, Any]:
    """Return the values that a new form begins with: the usual pair of the finished runs and the
    annotators that they imitate; none where no method has been run."""
    offered = {**{name: [] for name in PEOPLE}, **sources_of(list(runs), runs)}
    pair = usual_pair(offered)
    return {} if set(pair) <= set(PEOPLE) else pair_values(form, runs, annotators, pair)


def choose_pair(
    form: StudyForm,
    runs: Mapping[str, RunSummary],
    annotators: Sequence[str],
    pair: Sequence[str],
) -> None:
    """Put a pair into the form; () ends the pair: the human texts of before come back, and its runs
    stay."""
    form.put(**(pair_values(form, runs, annotators, pair) if pair else _without_pair(form)))


def _without_pair(form: StudyForm) -> dict[str, Any]:
    before = form.value("people_before")
    wanted = {*(form.value("people") or ()), *(before if before is not None else PEOPLE)}
    values = {"pair": [], "people": [name for name in PEOPLE if name in wanted]}
    if _is_ours(form):
        dataset = str(form.value("dataset"))
        values["name"] = free_name(dataset, draft.names(form.workspace))
    return values


def pair_values(
    form: StudyForm,
    runs: Mapping[str, RunSummary],
    annotators: Sequence[str],
    pair: Sequence[str],
) -> dict[str, Any]:
    """Return the form's values for a pair: the texts, runs and targets it means, and its name."""
    named = sources_of(list(runs), runs)
    chosen = [run for name in pair for run in named.get(name, ())]
    before = {} if form.value("pair") else {"people_before": form.value("people") or []}
    return {
        **before,
        "pair": list(pair),
        "people": [name for name in PEOPLE if name in pair],
        "runs": chosen,
        "targets": covered(chosen, runs, annotators),
        "reference": "",
        "name": _name(form, pair),
    }


def pair_change(
    form: StudyForm, runs: Mapping[str, RunSummary], annotators: Sequence[str]
) -> DesignChange | None:
    """Return the change to one pair alone, for a design of several methods that does not fit; None
    where that would be no change."""
    offered = sources_of(form.values.get("runs") or (), runs)
    if len(offered) < 2 or form.value("pair"):
        return None
    pair = usual_pair(offered)
    if not set(pair) <= set(offered):
        return None
    words = f"One pair alone: {pair_name(*pair)}"
    return DesignChange(pair_values(form, runs, annotators, pair), words)


def _is_ours(form: StudyForm) -> bool:
    """Return whether the study's name is a proposed one, which nobody has typed."""
    now = str(form.value("name") or "")
    former = form.value("pair") or ()
    base = re.escape(str(form.value("dataset"))[:60])
    return bool(
        re.fullmatch(rf"{base}-study-\d+", now)
        or (len(former) == 2 and re.fullmatch(rf"{re.escape(pair_name(*former))}( \d+)?", now))
    )


def _name(form: StudyForm, pair: Sequence[str]) -> str:
    """Return "CAPO against SFT" as the study's name, unless the owner has typed one."""
    if not _is_ours(form):
        return str(form.value("name") or "")
    taken = draft.titles(form.workspace)
    name, number = pair_name(*pair), 2
    while name in taken:
        name, number = f"{pair_name(*pair)} {number}", number + 1
    return name
