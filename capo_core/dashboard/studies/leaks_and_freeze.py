"""Leaks of a draft (features of a text that could reveal its source), with the trials concerned and
their exclusion; and freezing.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import access
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.studies import PAGE, cache, local_judges, study_form
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import wider
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.studies.labels import HELP
from capo_core.dashboard.studies.plan import power_light
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import StudyError
from capo_core.formatting import count
from capo_core.study.config import SCREENS
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze
from capo_core.study.design import leaks as looking
from capo_core.study.design.freeze_review import FreezeReview, review
from capo_core.study.design.leaks import Leak
from capo_core.study.source_names import source_name
from capo_core.templates import render
from capo_core.workspace import Workspace


def show_freeze(context: PageContext, seen: Seen) -> None:
    """Show what freezing a draft means, and the button for it."""
    show_headline("Freezing fixes design, texts, orders, seed and planned analysis under one hash.")
    show_note(
        "After that, the study can only be closed and then unblinded. Results are "
        "hidden until it is closed. Publish the hash (e.g. in a preregistration) to "
        "show that nothing was changed afterwards."
    )
    found = cache.leaks(context.workspace, seen.name)
    plans = study_form.plans_of(context.workspace, seen.name)
    if found is None or plans is None:
        waiting("Checking all texts, and simulating studies of this design …")
        return
    more = [local_judges.OPEN_HERE] if access.needs_no_sign_in() else []
    draft = cache.draft(context.workspace, seen.name)
    reviewed = review(draft, plans, looking.summary(found), more=more)
    section_heading(f"To be frozen: {reviewed.title}")
    with st.container(horizontal=True):
        power_light(plans)
    _facts(reviewed)
    show_note(f"Planned analysis: {seen.config.planned_analysis}")
    _open_points(reviewed)
    local_judges.show_before_inviting()
    accepted = not found or st.checkbox(
        "I have reviewed the texts that could reveal their source (Leaks); freeze anyway and list "
        "them in the report",
        key=f"{PAGE}.accept.{seen.name}",
    )
    with (
        st.popover("Freeze", type="primary", disabled=not accepted),
        st.container(key="studies-freeze-review"),
    ):
        st.markdown(f"**Freeze “{markdown(reviewed.title)}”?**")
        _facts(reviewed)
        _open_points(reviewed, brief=True)
        st.markdown(
            "**Nothing of the study can be changed after this:** texts, trials, judges, seed, "
            "planned analysis. This cannot be undone."
        )
        st.button(
            "Freeze permanently",
            type="primary",
            key=f"{PAGE}.freeze",
            disabled=not accepted,
            on_click=guarded,
            args=(_freeze, context.workspace, seen.name,
                  cache.parts(context.workspace, seen.name), bool(found)),
        )  # fmt: skip


def _facts(reviewed: FreezeReview) -> None:
    st.html(render("dashboard/studies/facts.html.j2", facts=reviewed.facts))


_WHERE = (
    "What is missing can be set in New study: the margin under “Practice, attention checks, "
    "repeats and more”, the consent page below it."
)


def _open_points(reviewed: FreezeReview, *, brief: bool = False) -> None:
    """Show what limits the study or is missing."""
    if not reviewed.warnings:
        return
    lines = "\n".join(f"- {markdown(sentence)}" for sentence in reviewed.warnings)
    lines = lines.replace(" %", "\u00a0%")  # a number and its sign stay together
    lead = f"**{count(len(reviewed.warnings), 'open point')}**"
    st.warning(f"{lead}\n{lines}" + ("" if brief else f"\n\n{_WHERE}"))


def _freeze(workspace: Workspace, name: str, parts: dict[str, str], accepted: bool) -> None:
    """Freeze the draft that this tab shows; another tab may have redrawn it meanwhile."""
    if freeze.parts_of(design_draft.load(workspace, name)) != parts:
        raise StudyError(
            f"the draft {name!r} was changed since this page was opened",
            todo="review the current draft, then freeze it",
        )
    freeze.freeze(workspace, name, accept_leaks=accepted)
    url_state.put(PAGE, {"part": None})


def show_leaks(context: PageContext, seen: Seen) -> None:
    """Show the leaks of a draft, and what can be done about them."""
    found = cache.leaks(context.workspace, seen.name)
    if found is None:
        waiting("Checking all texts …")
        return
    draft = cache.draft(context.workspace, seen.name)
    texts = len(draft.texts)
    if not found:
        show_headline(f"Nothing in {count(texts, 'text')} reveals its source.")
        show_note(
            "Checked for names, boilerplate, formatting, length, duplicates and "
            "source-specific phrases."
        )
        return
    counts = looking.summary(found)
    telling = len({leak.text_id for leak in found})
    show_headline(f"{count(telling, 'text')} of {texts:,} could reveal their source.")
    section_heading("Leaks found", HELP["leaks"])
    rows = [
        (looking.KIND_TITLES.get(kind, kind), number,
         len({x.trial_id for x in found if x.kind == kind}),
         looking.TODO[kind])
        for kind, number in counts.items()
    ]  # fmt: skip
    table(
        pd.DataFrame(rows, columns=["kind", "texts", "trials", "todo"]),
        {"kind": Field("Leak"), "texts": Field("Texts"), "trials": Field("Trials"),
         "todo": Field("Remedy", width="large")},
        key=f"{PAGE}.leaks",
        file_name=f"{seen.name}-leaks",
        download=False,
    )  # fmt: skip
    _leave_out(context, seen, [kind for kind in counts if kind in SCREENS])
    _one_by_one(seen, draft, found, list(counts))
    show_note("Leaks that remain are frozen with the study and listed in its report.")


def _leave_out(context: PageContext, seen: Seen, kinds: list[str]) -> None:
    if not kinds:
        show_note("None of these can be excluded automatically; see Remedy.")
        return
    with st.container(horizontal=True):
        for kind in kinds:
            st.button(
                f"Exclude: {looking.KIND_TITLES[kind].lower()}",
                key=f"{PAGE}.leaveout.{kind}",
                on_click=guarded,
                args=(_draw_without, context.workspace, seen, (kind,)),
                help="Redraws the study without these texts.",
            )


def _draw_without(workspace: Workspace, seen: Seen, kinds: tuple[str, ...]) -> None:
    """Load the design without these texts into the form of a new study."""
    form = study_form.from_config(wider(seen.config, kinds), seen.called)
    study_form.replace(workspace, form)
    url_state.put(PAGE, {"view": "new", url_state.DATASET: seen.config.dataset})


def _title(kind: str, key: str) -> str:
    return source_name(key) if kind == "source" else key


def _one_by_one(seen: Seen, draft, found: list[Leak], kinds: list[str]) -> None:
    kind = url_state.choice(
        st.selectbox, "Texts with", kinds, page=PAGE, key="leak",
        format_func=lambda each: looking.KIND_TITLES.get(each, each).lower(),
    )  # fmt: skip
    said = draft.texts.set_index("text_id")["explanation"]
    rows = [
        (
            leak.trial_id,
            source_name(leak.source),
            leak.statement.render(_title),
            said.get(leak.text_id, ""),
        )
        for leak in found
        if leak.kind == kind
    ]
    table(
        pd.DataFrame(rows, columns=["trial", "source", "words", "text"]),
        {"trial": Field("Trial", width="small"), "source": Field("Source"),
         "words": Field("Evidence"), "text": Field("Text", width="large")},
        key=f"{PAGE}.leaks.each",
        file_name=f"{seen.name}-leaks-{kind}",
        height=320 if len(rows) > 8 else "auto",
    )  # fmt: skip
