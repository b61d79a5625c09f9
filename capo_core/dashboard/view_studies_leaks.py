"""What would give sources away in a draft, with the trials; leaving such texts out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, state, study_draft
from capo_core.dashboard.components import Field, heading, note, says, table
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.study_planning import wider
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.study_words import HELP, LEAKS, source_name
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.dashboard.words import count
from capo_core.study import leaks as looking
from capo_core.study.config import SCREENS
from capo_core.study.leaks import Leak
from capo_core.workspace import Workspace

PAGE = "studies"


def show(frame: Frame, seen: Seen) -> None:
    found = cache_studies.leaks(frame.workspace, seen.name)
    if found is None:
        waiting("Looking through all texts …")
        return
    draft = cache_studies.draft(frame.workspace, seen.name)
    texts = len(draft.texts)
    if not found:
        says(f"Nothing in {count(texts, 'text')} would give its source away.")
        note("Names, machine phrases, format, length, duplicates and habits were looked for.")
        return
    counts = looking.summary(found)
    telling = len({leak.text_id for leak in found})
    says(f"{count(telling, 'text')} of {texts:,} could tell their source.")
    heading("What was found", HELP["leaks"])
    rows = [
        (LEAKS.get(kind, kind), number, len({x.trial_id for x in found if x.kind == kind}),
         looking.TODO[kind])
        for kind, number in counts.items()
    ]  # fmt: skip
    table(
        pd.DataFrame(rows, columns=["kind", "texts", "trials", "todo"]),
        {"kind": Field("What"), "texts": Field("Texts"), "trials": Field("Trials"),
         "todo": Field("What can be done", width="large")},
        key=f"{PAGE}.leaks",
        file_name=f"{seen.name}-leaks",
        download=False,
    )  # fmt: skip
    _leave_out(frame, seen, [kind for kind in counts if kind in SCREENS])
    _one_by_one(seen, draft, found, list(counts))
    note("What is left when you freeze is frozen with the study, and stands in its report.")


def _leave_out(frame: Frame, seen: Seen, kinds: list[str]) -> None:
    if not kinds:
        note("None of it is of a kind that can be left out by itself; see what can be done.")
        return
    with st.container(horizontal=True):
        for kind in kinds:
            st.button(
                f"Leave out: {LEAKS[kind].lower()}",
                key=f"{PAGE}.leaveout.{kind}",
                on_click=safely,
                args=(_draw_without, frame.workspace, seen, (kind,)),
                help="Draws the study anew without texts that show it.",
            )


def _draw_without(workspace: Workspace, seen: Seen, kinds: tuple[str, ...]) -> None:
    """Into the form of a new study, where it is drawn beside the page, and can be refused."""
    form = study_draft.from_config(wider(seen.config, kinds), seen.name)
    study_draft.keep(workspace, form)
    state.put(PAGE, {"view": "new", state.DATASET: seen.config.dataset})


def _one_by_one(seen: Seen, draft, found: list[Leak], kinds: list[str]) -> None:
    kind = state.choice(
        st.selectbox, "Texts that show", kinds, page=PAGE, key="leak",
        format_func=lambda each: LEAKS.get(each, each).lower(),
    )  # fmt: skip
    said = draft.texts.set_index("text_id")["explanation"]
    rows = [
        (leak.trial_id, source_name(leak.source), leak.words, said.get(leak.text_id, ""))
        for leak in found
        if leak.kind == kind
    ]
    table(
        pd.DataFrame(rows, columns=["trial", "source", "words", "text"]),
        {"trial": Field("Trial", width="small"), "source": Field("Source"),
         "words": Field("What tells it"), "text": Field("The text", width="large")},
        key=f"{PAGE}.leaks.each",
        file_name=f"{seen.name}-leaks-{kind}",
        height=320 if len(rows) > 8 else "auto",
    )  # fmt: skip
