"""The judges of a study: invitations and links, progress by counts alone, the append-only audit
log, closing and unblinding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import access
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.studies import PAGE, cache, local_judges
from capo_core.dashboard.studies.data import CLOSED, FROZEN, RUNNING, UNBLINDED, Seen
from capo_core.dashboard.studies.labels import JUDGE_STATES, kind_title
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    data_grid,
    section_heading,
    show_headline,
    show_note,
)
from capo_core.dashboard.ui.exports import download, download_table
from capo_core.dashboard.ui.text import escape
from capo_core.errors import StudyError
from capo_core.export_formats import csv_text
from capo_core.formatting import count, percent
from capo_core.study.judging.open_links import PARAMETERS
from capo_core.study.owner.access import local_judges_error, open_to_local_judges
from capo_core.study.owner.invitations import Invitation
from capo_core.study.owner.service import DAYS
from capo_core.study.owner.status import JudgeStatus, StudyStatus
from capo_core.workspace import Workspace

SHOWN = 400


def show_audit(context: PageContext, seen: Seen) -> None:
    """Show the audit log."""
    if seen.status is None:
        show_note("The log starts when the first judge is invited.")
        return
    rows = cache.begun_service(context.workspace).audit_log(seen.name)
    show_note(
        f"{count(len(rows), 'line')}, the newest first. The log is append-only and records that "
        "there was an answer, not its content."
    )
    data_grid(
        rows.iloc[::-1].head(SHOWN),
        key=f"{PAGE}.audit",
        alt="Table: the newest lines of the audit log",
        height=460 if len(rows) > 12 else "auto",
        column_config={
            "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm:ss"),
            "actor": "Actor",
            "event": "Event",
            "details": st.column_config.TextColumn("Details", width="large"),
        },
    )
    if len(rows) > SHOWN:
        show_note(f"The file has all {len(rows):,} lines.")
    download_table(rows, key=f"{PAGE}.audit.csv", file_name=f"{seen.name}-audit",
                   label="Audit log (CSV)")  # fmt: skip


_LINKS = "studies.links"  # study → rows of links this browser tab has just made
MOST_SHOWN = 12


def remember(study: str, made: list[Invitation], base: str) -> None:
    """Store new links for this tab until they are copied; they are stored nowhere else."""
    _add_links(
        study, [(one.judge_slot or "reserve", one.judge_id, one.url(base.strip())) for one in made]
    )


def _add_links(study: str, rows: list[tuple[str, str, str]]) -> None:
    """Add rows (sequence, judge, link) to the new links, in place of former ones of the same judge:
    those were withdrawn."""
    whose, links = {judge for _, judge, _ in rows}, url_state.session_dict(_LINKS)
    before = [row for row in links.get(study, []) if row[1] not in whose]
    links.clear()
    links[study] = [*before, *rows]


def show_links(study: str) -> None:
    """Show the new links, to copy; once dismissed they cannot be shown again."""
    rows = st.session_state.get(_LINKS, {}).get(study)
    if not rows:
        return
    with st.container(border=True, key="studies-links"):
        st.markdown(
            f"**{count(len(rows), 'link')}, shown once.** A link identifies its judge: send each "
            "to one person. Links are not stored; once this tab is closed or reloaded, a judge "
            "needs a new one."
        )
        for number, _, url in rows[:MOST_SHOWN]:
            st.html(f'<p class="capo-note">{escape(number)}</p>')
            st.code(url, language=None, wrap_lines=True)
        if len(rows) > MOST_SHOWN:
            show_note(f"And {len(rows) - MOST_SHOWN:,} more in the file.")
        frame = pd.DataFrame(rows, columns=["sequence", "judge", "link"])
        with st.container(horizontal=True):
            download_table(frame, key=f"{PAGE}.links.csv", file_name=f"{study}-links",
                           label="Links (CSV)")  # fmt: skip
            st.button("I have copied the links", key=f"{PAGE}.links.done", on_click=_put_away)


def _put_away() -> None:
    st.session_state.pop(_LINKS, None)


def one_judge(context: PageContext, seen: Seen) -> None:
    """Show the actions on the selected judge: new link, reassign, revoke."""
    section_heading("Manage a judge")
    judges = {judge.judge_id: judge for judge in seen.status.judges}
    chosen = url_state.choice(
        st.selectbox, "Judge", list(judges), page=PAGE, key="judge", where=f"the study {seen.name}",
        format_func=lambda name: f"{judges[name].judge_slot or 'reserve'} · "
        f"{JUDGE_STATES.get(judges[name].state, '')} · {name}",
    )  # fmt: skip
    gone = judges[chosen].state == "revoked"
    with st.container(horizontal=True):
        _act("New link", "link", _new_link, context, seen.name, chosen, gone,
             "Replaces a lost link; the old one stops working.")  # fmt: skip
        _act("Reassign open trials", "release", _release, context, seen.name, chosen, gone,
             "Other judges get the open trials at once; the link stays valid.")  # fmt: skip
        _act("Revoke", "revoke", _revoke, context, seen.name, chosen, gone,
             "The link is revoked permanently; existing answers still count.")  # fmt: skip
    if gone:
        show_note("Revoked; existing answers are kept.")


def _act(
    label: str, key: str, act: Callable[..., Any], context: PageContext, study: str, judge: str,
    disabled: bool, help_: str,
) -> None:  # fmt: skip
    st.button(label, key=f"{PAGE}.judge.{key}", on_click=guarded, args=(act, context, study, judge),
              disabled=disabled, help=help_)  # fmt: skip


def _new_link(context: PageContext, study: str, judge: str) -> None:
    base = url_state.now(f"{PAGE}.invite.base") or HOME
    _check_address(base)
    made = cache.begun_service(context.workspace).new_link(judge, days=DAYS)
    remember(study, [made], base)


def _release(context: PageContext, study: str, judge: str) -> None:
    cache.begun_service(context.workspace).release(judge)


def _revoke(context: PageContext, study: str, judge: str) -> None:
    cache.begun_service(context.workspace).revoke(judge)


HOME = "http://localhost:8501"


def show(context: PageContext, seen: Seen) -> None:
    """Show the judges, their links and progress, and what ends the study."""
    status = seen.status
    complete = status is not None and bool(status.judges) and status.filled >= status.places
    if complete:  # what comes next stands first
        _progress(status)
        _end(context, seen)
    if seen.stage in (FROZEN, RUNNING):
        show_links(seen.name)  # above the form that made them: below it nobody would see them
        _invite(context, seen)
        _open_link(context, seen)
    if status is None or not status.judges:
        show_note("No judges invited yet. Each judge gets a personal link, shown once.")
        return
    if not complete:
        _progress(status)
    st.button("Refresh", key=f"{PAGE}.look", type="tertiary", icon=":material/refresh:")
    _table(status)
    _participants(context, seen)
    if seen.stage in (FROZEN, RUNNING):
        one_judge(context, seen)
    if not complete:
        _end(context, seen)


def _progress(status: StudyStatus) -> None:
    show_headline(standing(status))
    for kind, (filled, places) in status.by_kind.items():
        st.progress(
            filled / places if places else 0.0,
            text=f"{kind_title(kind)} {filled:,} of {places:,} judgments collected",
        )


def standing(status: StudyStatus) -> str:
    """Return the progress in a sentence: counts, without any answers."""
    share = percent(status.filled / status.places) if status.places else "none"
    done = sum(judge.state == "done" for judge in status.judges)
    return (
        f"{status.filled:,} of {status.places:,} judgments collected ({share}); {done} of "
        f"{count(len(status.judges), 'judge')} done."
    )


def _invite(context: PageContext, seen: Seen) -> None:
    free = seen.config.judges - sum(
        judge.state != "revoked" and bool(judge.judge_slot)
        for judge in (seen.status.judges if seen.status else ())
    )
    section_heading("Invite judges")
    show_note(
        (
            f"{free:,} of {seen.config.judges:,} sequences have no judge yet. "
            if free > 0
            else f"All {seen.config.judges:,} sequences have a judge. "
        )
        + "Further judges are reserves and take over open trials."
    )
    local_judges.show_while_inviting()
    st.text_input(
        "Dashboard address for judges", value=_home(),
        key=f"{PAGE}.invite.base",
        help="localhost works on this computer only; judges elsewhere need a reachable address.",
    )  # fmt: skip
    with st.form(f"{PAGE}.invite.{seen.name}", border=False):
        left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
        left.number_input("Judges", 1, 1000, max(1, free), key=f"{PAGE}.invite.many")
        middle.number_input("Links valid for (days)", 1, 365, int(DAYS), key=f"{PAGE}.invite.days")
        right.text_input("Note", key=f"{PAGE}.invite.note",
                         help="For your list of judges; not shown to them.")  # fmt: skip
        # Enter and a quick click are two messages of one wish: the second comes from a form that
        # was drawn before the first was carried out, and says so by the number of judges it knew.
        known = len(seen.status.judges) if seen.status else 0
        st.form_submit_button(
            "Invite", type="primary", key=f"{PAGE}.invite.{known}", on_click=guarded,
            args=(_make_links, context.workspace, seen.name, known),
        )  # fmt: skip


def _open_link(context: PageContext, seen: Seen) -> None:
    """Show the form of the one link for all participants of a platform."""
    with st.expander("One link for the participants of a platform"):
        show_note(
            "Platforms send everybody to one address and add a participant id. Who comes by it "
            "gets a sequence of their own; who comes again, with the same id, goes on where they "
            f"were. Ids are read from: {', '.join(PARAMETERS)}. A new link ends the former one."
        )
        with st.form(f"{PAGE}.open.{seen.name}", border=False):
            left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
            left.number_input(
                "Participants at most",
                1,
                1000,
                seen.config.judges,
                key=f"{PAGE}.open.places",
                help="Those beyond the sequences take over what others leave.",
            )
            middle.number_input("Valid for (days)", 1, 365, int(DAYS), key=f"{PAGE}.open.days")
            right.text_input(
                "Parameter the platform adds",
                "PROLIFIC_PID={{%PROLIFIC_PID%}}",
                key=f"{PAGE}.open.parameter",
                help="As the platform writes it; leave it out where it adds the id by itself.",
            )
            # As above: the second message of one wish says how many links its form knew.
            known = seen.status.open_links if seen.status else 0
            st.form_submit_button(
                "Make the link", key=f"{PAGE}.open.{known}", on_click=guarded,
                args=(_make_open_link, context.workspace, seen.name, known),
            )  # fmt: skip


def _make_open_link(workspace: Workspace, name: str, known: int) -> None:
    """Make the open link, unless another was made since `known` of them were shown."""
    asked = {key: url_state.now(f"{PAGE}.open.{key}")
             for key in ("places", "days", "parameter")}  # fmt: skip
    base = url_state.now(f"{PAGE}.invite.base")
    _check_address(base)
    service = cache.begun_service(workspace)
    service.take_in(workspace, name)
    if service.status(name).open_links != known:
        raise StudyError(
            "a link for participants was made while this form was open; this click made none",
            todo="use the link above; make another if that one is to end",
        )
    made = service.open_link(name, int(asked["places"]), days=asked["days"])
    url = made.url(base.strip(), asked["parameter"].strip())
    _add_links(name, [("open link", "all participants", url)])


def _participants(context: PageContext, seen: Seen) -> None:
    """Show the download of who took part, with minutes and completion codes, for paying.

    The list is made on the click: each time it is made is a line in the audit log.
    """
    service = cache.begun_service(context.workspace)
    show_note(
        "The list of participants has id, state, minutes at work and completion code of everybody, "
        "and none of their answers."
    )
    download(
        PAGE, "Participants (CSV)", f"{seen.name}-participants.csv", "text/csv",
        lambda source: csv_text(service.participants(seen.name), source), key="participants",
    )  # fmt: skip


def _make_links(workspace: Workspace, name: str, known: int) -> None:
    """Invite the judges asked for, unless others were invited since `known` of them were shown."""
    asked = {key: url_state.now(f"{PAGE}.invite.{key}")
             for key in ("many", "days", "note", "base")}  # fmt: skip
    _check_address(asked["base"])
    service = cache.begun_service(workspace)
    service.take_in(workspace, name)
    if len(service.status(name).judges) != known:
        raise StudyError(
            "judges were added while this form was open; this click invited nobody",
            todo="look at the list; invite again if more are wanted",
        )
    made = service.invite(name, int(asked["many"]), days=asked["days"], note=asked["note"].strip())
    remember(name, made, asked["base"])
    st.session_state[f"{PAGE}.invite.many"] = 1  # whoever invites again rarely wants as many


def _check_address(base: str) -> None:
    """Raise `StudyError` where judges at this address could open the owner's pages."""
    if st.session_state.get(f"{PAGE}.invite.alone"):
        return
    if open_to_local_judges(base, access.sign_in_ways()):
        raise local_judges_error()


def _home() -> str:
    """Return the address at which the owner reached the dashboard."""
    found = urlsplit(str(st.context.url or ""))
    return f"{found.scheme}://{found.netloc}" if found.scheme and found.netloc else HOME


def _table(status: StudyStatus) -> None:
    rows = pd.DataFrame([judge_row(judge) for judge in status.judges])
    empty = [name for name in ("note", "participant") if not rows[name].astype(bool).any()]
    data_grid(
        rows.drop(columns=empty),
        key=f"{PAGE}.judges",
        alt="Table: judges with their progress",
        column_config={
            "number": st.column_config.TextColumn("Sequence", width="small"),
            "state": st.column_config.TextColumn("State", width="small"),
            "done": st.column_config.NumberColumn("Answered", format="%d", width="small"),
            "places": st.column_config.NumberColumn("Planned", format="%d", width="small"),
            "extra": st.column_config.NumberColumn(
                "Taken over", help="Answers to trials assigned to other judges.",
                format="%d", width="small"),
            "seen": st.column_config.DatetimeColumn("Last seen", format="D MMM, HH:mm"),
            "expires": st.column_config.DatetimeColumn("Link valid until", format="D MMM YYYY"),
            "note": st.column_config.TextColumn("Note"),
            "participant": st.column_config.TextColumn("Participant id"),
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
        "participant": judge.participant,
        "judge": judge.judge_id,
    }


def _end(context: PageContext, seen: Seen) -> None:
    """Show the buttons that close and unblind the study; both are permanent and need a
    confirmation."""
    if seen.stage == RUNNING:
        missing = seen.status.places - seen.status.filled
        # Keys, so that the one that was open is not taken for the other, which stands where it did.
        kind = "secondary" if missing else "primary"
        with st.popover("Close the study", type=kind, key=f"{PAGE}.closing"):
            st.markdown(
                f"**{missing:,} of {seen.status.places:,} judgments are missing.** "
                if missing
                else "**All judgments are collected.** "
            )
            st.markdown("After closing, no more answers are accepted. This cannot be undone.")
            st.button("Close permanently", type="primary", key=f"{PAGE}.close", on_click=guarded,
                      args=(_close, context.workspace, seen.name))  # fmt: skip
    elif seen.stage == CLOSED:
        with st.popover("Unblind", type="primary", key=f"{PAGE}.unblinding"):
            st.markdown(
                "**Unblinding joins sources to answers.** It is recorded permanently in the "
                "audit log. The analysis was planned and frozen beforehand."
            )
            st.button(
                "Unblind permanently",
                type="primary",
                key=f"{PAGE}.unblind",
                on_click=guarded,
                args=(_unblind, context.workspace, seen.name),
            )
    elif seen.stage == UNBLINDED:
        show_note("The study is closed and unblinded; see Results.")


def _close(workspace: Workspace, name: str) -> None:
    cache.begun_service(workspace).close(name)


def _unblind(workspace: Workspace, name: str) -> None:
    cache.begun_service(workspace).unblind(name)
    url_state.put(PAGE, {"part": None})
