"""Links of judges: shown once, after they were made; and what can be done about one judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, state
from capo_core.dashboard.components import heading, note
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.study_words import JUDGE_STATES
from capo_core.dashboard.words import count, escape
from capo_core.data.exporting import csv_text
from capo_core.study.inviting import Invitation
from capo_core.study.service import DAYS

PAGE = "studies"
_LINKS = "studies.links"  # study → rows of links this browser tab has just made
MOST_SHOWN = 12


def remember(study: str, made: list[Invitation], base: str) -> None:
    """Keep links for this tab until they were copied; they are nowhere else."""
    rows = [(one.judge_slot or "reserve", one.judge_id, one.url(base.strip())) for one in made]
    st.session_state[_LINKS] = {study: [*st.session_state.get(_LINKS, {}).get(study, []), *rows]}


def show(study: str) -> None:
    """The links just made, to copy; once put away they cannot be shown again."""
    rows = st.session_state.get(_LINKS, {}).get(study)
    if not rows:
        return
    with st.container(border=True, key="studies-links"):
        st.markdown(
            f"**{count(len(rows), 'link')}, shown once.** Whoever has one is that judge: send each "
            "to one person. They are stored nowhere: put away, or with this tab closed or "
            "reloaded, they are gone, and a judge needs a new one."
        )
        for number, _, url in rows[:MOST_SHOWN]:
            st.html(f'<p class="capo-note">{escape(number)}</p>')
            st.code(url, language=None, wrap_lines=True)
        if len(rows) > MOST_SHOWN:
            note(f"And {len(rows) - MOST_SHOWN:,} more: the file has all of them.")
        frame = pd.DataFrame(rows, columns=["sequence", "judge", "link"])
        with st.container(horizontal=True):
            st.download_button(
                "Links (CSV)", lambda: csv_text(frame).encode("utf-8"),
                file_name=f"{study}-links.csv", mime="text/csv", key=f"{PAGE}.links.csv",
                on_click="ignore", icon=":material/download:",
            )  # fmt: skip
            st.button("I have copied them", key=f"{PAGE}.links.done", on_click=_put_away)


def _put_away() -> None:
    st.session_state.pop(_LINKS, None)


def one_judge(frame: Frame, seen: Seen) -> None:
    """A new link, release or revoke, for the judge that was chosen."""
    heading("One judge")
    judges = {judge.judge_id: judge for judge in seen.status.judges}
    chosen = state.choice(
        st.selectbox, "Judge", list(judges), page=PAGE, key="judge",
        format_func=lambda name: f"{judges[name].judge_slot or 'reserve'} · "
        f"{JUDGE_STATES.get(judges[name].state, '')} · {name}",
    )  # fmt: skip
    gone = judges[chosen].state == "revoked"
    with st.container(horizontal=True):
        _act("New link", "link", _new_link, frame, seen.name, chosen, gone,
             "For one who lost theirs: the old link ends.")  # fmt: skip
        _act("Release places", "release", _release, frame, seen.name, chosen, gone,
             "Others may have the open places at once; the link stays good.")  # fmt: skip
        _act("Revoke", "revoke", _revoke, frame, seen.name, chosen, gone,
             "The link ends for good; what was answered stays and counts.")  # fmt: skip
    if gone:
        note("This judge was revoked; what they answered stays.")


def _act(
    label: str, key: str, act: Callable[..., Any], frame: Frame, study: str, judge: str,
    disabled: bool, help_: str,
) -> None:  # fmt: skip
    st.button(label, key=f"{PAGE}.judge.{key}", on_click=safely, args=(act, frame, study, judge),
              disabled=disabled, help=help_)  # fmt: skip


def _new_link(frame: Frame, study: str, judge: str) -> None:
    made = cache_studies.begun_service(frame.workspace).new_link(judge, days=DAYS)
    base = st.session_state.get(f"{PAGE}.invite.base") or "http://localhost:8501"
    remember(study, [made], base)


def _release(frame: Frame, study: str, judge: str) -> None:
    cache_studies.begun_service(frame.workspace).release(judge)


def _revoke(frame: Frame, study: str, judge: str) -> None:
    cache_studies.begun_service(frame.workspace).revoke(judge)
