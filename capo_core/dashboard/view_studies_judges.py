"""The judges of a study: invited, watched by counts alone; closing, and unblinding."""

from __future__ import annotations

from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, state, view_studies_links, who
from capo_core.dashboard.components import heading, note, says
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.study_seen import CLOSED, FROZEN, RUNNING, UNBLINDED, Seen
from capo_core.dashboard.study_words import JUDGE_STATES, KINDS
from capo_core.dashboard.words import count, percent
from capo_core.study.counts import JudgeStatus, StudyStatus
from capo_core.study.roles import PASSWORD, SHORTEST_PASSWORD
from capo_core.study.service import DAYS
from capo_core.workspace import Workspace

PAGE = "studies"
HOME = "http://localhost:8501"
OPEN_HERE = (
    "No owner's password is set, so everybody at this computer can open these pages and see the "
    f"sources. If judges will sit here, set {PASSWORD} ({SHORTEST_PASSWORD} characters or more) "
    "and start the dashboard again before you invite them."
)


def show(frame: Frame, seen: Seen) -> None:
    status = seen.status
    if seen.stage in (FROZEN, RUNNING):
        _invite(frame, seen)
        view_studies_links.show(seen.name)
    if status is None or not status.judges:
        note("Nobody is invited yet. Each judge gets a link of their own, shown once.")
        return
    says(standing(status))
    for kind, (filled, places) in status.by_kind.items():
        st.progress(
            filled / places if places else 0.0,
            text=f"{KINDS.get(kind, kind)} {filled:,} of {places:,} places answered",
        )
    st.button("Look again", key=f"{PAGE}.look", type="tertiary", icon=":material/refresh:")
    _table(status)
    if seen.stage in (FROZEN, RUNNING):
        view_studies_links.one_judge(frame, seen)
    _end(frame, seen)


def standing(status: StudyStatus) -> str:
    """The progress in a sentence: counts, and nothing of what was answered."""
    share = percent(status.filled / status.places) if status.places else "none"
    done = sum(judge.state == "done" for judge in status.judges)
    return (
        f"{status.filled:,} of {status.places:,} places are answered ({share}); {done} of "
        f"{count(len(status.judges), 'judge')} done."
    )


def _invite(frame: Frame, seen: Seen) -> None:
    free = seen.config.judges - sum(
        judge.state != "revoked" and bool(judge.judge_slot)
        for judge in (seen.status.judges if seen.status else ())
    )
    heading("Invite judges")
    note(
        (
            f"{free:,} of {seen.config.judges:,} sequences have no judge yet. "
            if free > 0
            else f"All {seen.config.judges:,} sequences have a judge. "
        )
        + "Who is invited beyond them is a reserve, and takes on what others leave."
    )
    if who.needs_no_sign_in():
        note(OPEN_HERE)
    with st.form(f"{PAGE}.invite.{seen.name}", border=False):
        left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
        left.number_input("How many", 1, 1000, max(1, free), key=f"{PAGE}.invite.many")
        middle.number_input("Links good for, days", 1, 365, int(DAYS), key=f"{PAGE}.invite.days")
        right.text_input("Your note on them", key=f"{PAGE}.invite.note",
                         help="For your list of judges; they do not see it.")  # fmt: skip
        st.text_input(
            "Address at which judges reach this dashboard", value=_home(),
            key=f"{PAGE}.invite.base",
            help="localhost reaches this computer only; judges elsewhere need an address that "
            "leads here.",
        )  # fmt: skip
        st.form_submit_button("Invite", type="primary", key=f"{PAGE}.invite", on_click=safely,
                              args=(_make_links, frame.workspace, seen.name))  # fmt: skip


def _make_links(workspace: Workspace, name: str) -> None:
    asked = {key: state.now(f"{PAGE}.invite.{key}")
             for key in ("many", "days", "note", "base")}  # fmt: skip
    service = cache_studies.begun_service(workspace)
    service.take_in(workspace, name)
    made = service.invite(name, int(asked["many"]), days=asked["days"], note=asked["note"].strip())
    view_studies_links.remember(name, made, asked["base"])
    st.session_state[f"{PAGE}.invite.many"] = 1  # a second click does not invite as many again


def _home() -> str:
    """Where the owner reached the dashboard."""
    found = urlsplit(str(st.context.url or ""))
    return f"{found.scheme}://{found.netloc}" if found.scheme and found.netloc else HOME


def _table(status: StudyStatus) -> None:
    st.dataframe(
        pd.DataFrame([judge_row(judge) for judge in status.judges]),
        key=f"{PAGE}.judges",
        hide_index=True,
        width="stretch",
        column_config={
            "number": st.column_config.TextColumn("Sequence", width="small"),
            "state": st.column_config.TextColumn("State", width="small"),
            "done": st.column_config.NumberColumn("Answered", format="%d", width="small"),
            "places": st.column_config.NumberColumn("Planned", format="%d", width="small"),
            "extra": st.column_config.NumberColumn(
                "For others", help="Of the answers, those at places of other judges.",
                format="%d", width="small"),
            "seen": st.column_config.DatetimeColumn("Last seen", format="D MMM, HH:mm"),
            "expires": st.column_config.DatetimeColumn("Link good until", format="D MMM YYYY"),
            "note": st.column_config.TextColumn("Your note"),
            "judge": st.column_config.TextColumn("Name in exports"),
        },
    )  # fmt: skip


def judge_row(judge: JudgeStatus) -> dict:
    """One line of the table of judges."""
    return {
        "number": judge.judge_slot or "reserve",
        "state": JUDGE_STATES.get(judge.state, judge.state),
        "done": judge.done,
        "places": judge.places,
        "extra": judge.extra,
        "seen": judge.last_seen,
        "expires": judge.expires,
        "note": judge.note,
        "judge": judge.judge_id,
    }


def _end(frame: Frame, seen: Seen) -> None:
    """Closing, then unblinding; each is for good, and asked twice."""
    if seen.stage == RUNNING:
        missing = seen.status.places - seen.status.filled
        with st.popover("Close the study"):
            st.markdown(
                f"**{missing:,} of {seen.status.places:,} places are not answered.** "
                if missing
                else "**Every place is answered.** "
            )
            st.markdown("Once closed, nobody can answer any more. This cannot be undone.")
            st.button("Close for good", type="primary", key=f"{PAGE}.close", on_click=safely,
                      args=(_close, frame.workspace, seen.name))  # fmt: skip
    elif seen.stage == CLOSED:
        with st.popover("Unblind", type="primary"):
            st.markdown(
                "**Sources will be joined to the answers.** It is noted in the audit log for good. "
                "What is computed was planned and frozen; decide nothing after seeing results."
            )
            st.button("Unblind for good", type="primary", key=f"{PAGE}.unblind", on_click=safely,
                      args=(_unblind, frame.workspace, seen.name))  # fmt: skip
    elif seen.stage == UNBLINDED:
        note("The study is closed and unblinded; its answers are under Results.")


def _close(workspace: Workspace, name: str) -> None:
    cache_studies.begun_service(workspace).close(name)


def _unblind(workspace: Workspace, name: str) -> None:
    cache_studies.begun_service(workspace).unblind(name)
    state.put(PAGE, {"part": None})
