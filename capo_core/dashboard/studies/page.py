"""The page Studies: the list of studies, a new one, and one study from draft to results."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.studies import (
    PAGE,
    cache,
    data,
    design,
    export,
    judges,
    leaks_and_freeze,
    new_study,
    results,
    simulation,
    trials,
)
from capo_core.dashboard.studies.data import (
    BROKEN,
    CLOSED,
    DRAFT,
    FROZEN,
    RUNNING,
    STAGES,
    UNBLINDED,
    Seen,
)
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    data_grid,
    show_error,
    show_errors,
    show_headline,
    show_note,
)
from capo_core.errors import CapoError
from capo_core.formatting import capitalised, count
from capo_core.study.config import PEOPLE, StudyConfig
from capo_core.study.source_names import source_name
from capo_core.templates import render, style

_WAY = (DRAFT, FROZEN, RUNNING, CLOSED, UNBLINDED)
_TITLES = {
    "design": "Design",
    "leaks": "Leaks",
    "try": "Try it",
    "freeze": "Freeze",
    "judges": "Judges",
    "results": "Results",
    "trials": "Trials",
    "export": "Export",
    "audit": "Audit log",
}
# What there is to see at each stage: nothing of results, not even made-up ones, while people judge.
_PARTS = {
    DRAFT: ("design", "leaks", "try", "freeze"),
    FROZEN: ("judges", "design", "try", "audit"),
    RUNNING: ("judges", "design", "audit"),
    CLOSED: ("judges", "design", "audit"),
    UNBLINDED: ("results", "trials", "export", "judges", "design", "audit"),
}
_SHOWN: dict[str, Callable[[PageContext, Seen], None]] = {
    "design": design.show,
    "leaks": leaks_and_freeze.show_leaks,
    "try": simulation.show,
    "freeze": leaks_and_freeze.show_freeze,
    "judges": judges.show,
    "results": results.show,
    "trials": trials.show,
    "export": export.show,
    "audit": judges.show_audit,
}


def show_study(context: PageContext, found: list[Seen]) -> None:
    """Show one study, part by part."""
    by_name = {seen.name: seen for seen in found}
    url_state.require("study", by_name, place=url_state.WORKSPACE)
    if not found:
        show_note("No studies yet. Create one under “New study”.")
        return
    mine = [seen.name for seen in found if seen.dataset == context.entry.name]
    name = url_state.choice(
        st.selectbox, "Study", list(by_name), page=PAGE, key="study",
        default=mine[-1] if mine else None, clears=("part", "judge", "slot", "place", "source"),
        format_func=lambda each: f"{by_name[each].called} · {STAGES[by_name[each].stage].lower()}",
    )  # fmt: skip
    seen = by_name[name]
    if seen.dataset and seen.dataset != context.entry.name:
        show_note(f"Its texts are of the dataset {seen.dataset}.")
    if seen.stage == BROKEN:
        _broken(context, seen)
        return
    _way(seen)
    if seen.simulated_judges:
        st.html(
            '<p class="capo-simulated"><strong>Simulated judges.</strong> No person judged this '
            "study. Its audit log has what was assumed of the judges.</p>"
        )
    parts = _PARTS[seen.stage]
    part = url_state.choice(
        st.segmented_control, "Part", list(parts), page=PAGE, key="part",
        format_func=_TITLES.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    with show_errors():
        _SHOWN[part](context, seen)


def _way(seen: Seen) -> None:
    """Show the stages draft → frozen → running → closed → unblinded with the current one marked."""
    here = _WAY.index(seen.stage)
    steps = [STAGES[stage] for stage in _WAY]
    st.html(render("dashboard/studies/way.html.j2", steps=steps, here=here, note=_told(seen)))


def _told(seen: Seen) -> str:
    said = capitalised(seen.standing) + "."
    if seen.frozen_hash:
        said += f" Frozen under the hash {seen.frozen_hash[:16]}."
    if seen.called != seen.name:
        said += f" Its name in commands and files: {seen.name}."
    return said


def _broken(context: PageContext, seen: Seen) -> None:
    show_error(seen.problem)
    if seen.status is not None:
        st.info(
            "The judges' answers are intact in the database: restore the study's folder "
            "from a backup."
        )
        judges.show_audit(context, seen)
    else:
        show_note(
            f"Restore its files from a backup, or remove the folder {context.workspace.studies}"
            f"/{seen.name}. The other studies are not affected."
        )


MOST_ROWS = 12


def show_all(context: PageContext, found: list[Seen]) -> None:
    """Show the table of all studies."""
    if not found:
        _nothing_yet()
        return
    show_note(f"{count(len(found), 'study', 'studies')} in this workspace; click a row to open it.")
    data_grid(
        pd.DataFrame([_row(seen) for seen in found]),
        key=f"{PAGE}.table",
        alt="Table: studies with their state",
        on_row=lambda row: open_study(found[row]),
        height="auto" if len(found) <= MOST_ROWS else 460,
        column_config={
            "study": st.column_config.TextColumn("Study", width=190),
            "stage": st.column_config.TextColumn("State", width=85),
            "progress": st.column_config.TextColumn("Progress", width=205),
            "asked": st.column_config.TextColumn("Trial kinds", width=172),
            "sources": st.column_config.TextColumn(
                "Sources", width=158, help="People: the target's own or another annotator's texts."
            ),
            "judges": st.column_config.NumberColumn("Judges", format="%d", width=60),
            "dataset": st.column_config.TextColumn("Dataset", width=100),
        },
    )
    st.button("New study", key=f"{PAGE}.new", on_click=url_state.put,
              args=(PAGE, {"view": "new"}))  # fmt: skip


def open_study(seen: Seen) -> None:
    """Show one study; the dataset follows it, where it is known."""
    dataset = {url_state.DATASET: seen.dataset} if seen.dataset else {}
    url_state.put(PAGE, {"view": "study", "study": seen.name, "part": None, **dataset})


def _row(seen: Seen) -> dict:
    config = seen.config
    return {
        "study": seen.called,
        "stage": STAGES[seen.stage],
        "progress": seen.progress,
        "asked": ", ".join(config.kinds).capitalize() if config else "",
        "sources": _sources(config) if config else "",
        "judges": config.judges if config else None,
        "dataset": seen.dataset,
    }


def _sources(config: StudyConfig) -> str:
    """Return "People, SFT, CAPO"."""
    people = ["People"] if any(name in PEOPLE for name in config.sources) else []
    return ", ".join([*people, *map(source_name, config.methods)])


def _nothing_yet() -> None:
    with st.container(border=True):
        st.markdown(
            "**No studies yet.** In a blind study, judges attribute or compare texts "
            "without seeing their source. Texts are sampled and balanced, checked for "
            "leaks and frozen; then each judge gets a link. A design can be tried with "
            "simulated judges first."
        )
        st.button("New study", type="primary", key=f"{PAGE}.first", on_click=url_state.put,
                  args=(PAGE, {"view": "new"}))  # fmt: skip


_VIEWS = {"all": "All studies", "new": "New study", "study": "One study"}


def show(context: PageContext) -> None:
    """Show the view in the address, below one sentence on the studies of this dataset."""
    st.html(style("dashboard/studies/page.css"))
    service = None
    try:
        service = cache.service(context.workspace)
        found = data.every(context.workspace, service)
    except CapoError as error:  # drafts can be worked on without the database
        show_error(error)
        found = data.every(context.workspace, None)
    show_headline(_sentence(context, found))
    view = url_state.view(PAGE, _VIEWS)
    if view == "new":
        new_study.show(context)
    elif view == "study":
        show_study(context, found)
    else:
        show_all(context, found)


def _sentence(context: PageContext, found: list[data.Seen]) -> str:
    stages = data.stages_of(found, context.entry.name)
    if not stages:
        return f"No blind study of {context.entry.name} yet."
    known, running = stages[data.UNBLINDED], stages[data.RUNNING]
    if known:
        more = f", {running} more in progress" if running else ""
        simulated = data.simulated_of(found, context.entry.name)
        who = f" ({simulated} with simulated judges)" if simulated else ""
        if simulated == known:
            who = " (with simulated judges)"
        return (
            f"{count(known, 'study', 'studies')} of {context.entry.name} closed and "
            f"unblinded{who}{more}: open {_which(known, running)} to read what the judges found."
        )
    if running:
        return (
            f"{count(running, 'study', 'studies')} of {context.entry.name} in progress. Results "
            "are hidden until it is closed."
        )
    return f"{context.entry.name}: {data.said(stages)}"


def _which(unblinded: int, running: int) -> str:
    if unblinded > 1:
        return "one of these" if running else "one"
    return "the unblinded one" if running else "it"
