"""Leaks of a draft (features of a text that could reveal its source), with the trials concerned and
their exclusion; and freezing.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.studies import PAGE, cache, local_judges, new_study
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import wider
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.studies.labels import HELP, LEAKS
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_headline,
    show_note,
    table,
)
from capo_core.errors import StudyError
from capo_core.formatting import count, points
from capo_core.study.config import SCREENS
from capo_core.study.design import draft as design_draft
from capo_core.study.design import freeze
from capo_core.study.design import leaks as looking
from capo_core.study.design.leaks import Leak
from capo_core.study.source_names import source_name
from capo_core.workspace import Workspace


def show_freeze(context: PageContext, seen: Seen) -> None:
    found = cache.leaks(context.workspace, seen.name)
    show_headline("Freezing fixes design, texts, orders, seed and planned analysis under one hash.")
    show_note(
        "After that, the study can only be closed and then unblinded. Results are "
        "hidden until it is closed. Publish the hash (e.g. in a preregistration) to "
        "show that nothing was changed afterwards."
    )
    show_note(f"Planned analysis: {seen.config.planned_analysis}")
    margin = seen.config.equivalence_margin
    show_note(
        f"Equivalence margin: ±{points(margin)}."
        if margin
        else "No equivalence margin is set (New study → Practice, attention checks, repeats and "
        "more): the study will not be able to show that a method is as the target's own texts."
    )
    absent = [title for title, value in (
        ("purpose", seen.config.purpose), ("researcher", seen.config.researcher),
        ("contact", seen.config.contact), ("what is kept", seen.config.data_kept),
    ) if not value.strip()]  # fmt: skip
    if absent and not seen.config.consent.strip():
        show_note(
            f"The consent page says nothing of: {', '.join(absent)} (New study → Consent page). "
            "Most ethics boards ask for all four."
        )
    local_judges.show_before_inviting()
    if found is None:
        waiting("Checking all texts …")
        return
    accepted = not found
    if found:
        told = ", ".join(
            f"{LEAKS.get(kind, kind).lower()} in {count(number, 'text')}"
            for kind, number in looking.summary(found).items()
        )
        st.warning(f"Some texts could reveal their source: {told}. See Leaks.")
        accepted = st.checkbox(
            "I have reviewed them; freeze anyway and list them in the report",
            key=f"{PAGE}.accept.{seen.name}",
        )
    with st.popover("Freeze", type="primary", disabled=not accepted):
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
        (LEAKS.get(kind, kind), number, len({x.trial_id for x in found if x.kind == kind}),
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
                f"Exclude: {LEAKS[kind].lower()}",
                key=f"{PAGE}.leaveout.{kind}",
                on_click=guarded,
                args=(_draw_without, context.workspace, seen, (kind,)),
                help="Redraws the study without these texts.",
            )


def _draw_without(workspace: Workspace, seen: Seen, kinds: tuple[str, ...]) -> None:
    """Load the design without these texts into the form of a new study."""
    form = new_study.from_config(wider(seen.config, kinds), seen.called)
    new_study.keep(workspace, form)
    url_state.put(PAGE, {"view": "new", url_state.DATASET: seen.config.dataset})


def _title(kind: str, key: str) -> str:
    return source_name(key) if kind == "source" else key


def _one_by_one(seen: Seen, draft, found: list[Leak], kinds: list[str]) -> None:
    kind = url_state.choice(
        st.selectbox, "Texts with", kinds, page=PAGE, key="leak",
        format_func=lambda each: LEAKS.get(each, each).lower(),
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
