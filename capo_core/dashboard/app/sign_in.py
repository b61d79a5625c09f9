"""What is seen by somebody to whom the house is not open: plain words, and the way in.

The judges' way to the database, opened once for all of them.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from sqlalchemy import Engine

from capo_core.dashboard.app import access
from capo_core.dashboard.ui.components import show_error, show_note
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import CSS
from capo_core.errors import CapoError
from capo_core.study.store import address, audit, open_judge_store, rate_limits, read, write
from capo_core.workspace import Workspace


def confined_engine() -> Engine:
    """The confined engine: it holds no answers and no judge's name, so all sessions may share it.

    Raises:
        DataError, BackendUnavailable, ConfigError: see `store.open_store`.
    """
    workspace = Workspace.default()
    return _engine(workspace.root, address(workspace).render_as_string())


@st.cache_resource(max_entries=2, show_spinner=False)
def _engine(root: Path, where: str) -> Engine:
    return open_judge_store(Workspace(root))


_WRONG = "door.wrong"
_BOX = "door.password"


def show() -> None:
    """The page of a stranger, and of a judge at any other address than the judge's own."""
    st.html(CSS)
    closed = access.why_closed()
    if closed is not None:
        st.title("The dashboard does not open here", anchor=False)
        show_error(closed)
        return
    if access.is_judge():
        st.title("This page is not part of judging", anchor=False)
        st.markdown("Open the link that you were sent: it leads to your next text.")
        return
    st.title("This page is for the people who run the study", anchor=False)
    found = access.sign_in_ways()
    if found.password:
        _password()
    if found.oidc:
        _oidc()
    if not found.password and not found.oidc:
        st.markdown(
            "It is open on the computer that it runs on, at its own address, and nowhere else. "
            "For other computers its owner sets a password."
        )
    st.markdown("To judge, open the link that you were sent.")


def _oidc() -> None:
    if access.signed_in_by_oidc():
        email = access.verified_email(st.user.to_dict())
        show_note(
            f"You are signed in as {email}, who is not one of the owners."
            if email
            else "You are signed in, but the provider does not say that it has verified your "
            "e-mail address."
        )
        st.button("Sign out", on_click=st.logout)
        return
    for name in access.providers(st.secrets["auth"]):
        label = "Sign in" if name == access.DEFAULT else f"Sign in with {markdown(name)}"
        st.button(label, on_click=st.login, args=(name,), type="primary")


def _password() -> None:
    if access.restore_sign_in():
        st.rerun()
    with st.form("door", border=False, width=420):
        st.text_input(
            "Owner's password", type="password", key=_BOX, autocomplete="current-password"
        )
        st.form_submit_button("Open", on_click=_check_password, type="primary")
    error = st.session_state.pop(_WRONG, None)
    if error is not None:
        show_error(error)


def _check_password() -> None:
    """Compare the password; wrong ones are counted, and refused unread after too many."""
    given = st.session_state.get(_BOX, "")
    try:
        engine, caller = confined_engine(), access.caller()
        read(engine, lambda c: rate_limits.check(c, caller, audit.now()))
        if not access.sign_in(given):
            write(engine, lambda c: rate_limits.count_refusal(c, caller, audit.now()))
            st.session_state[_WRONG] = CapoError("this is not the password")
    except CapoError as error:
        st.session_state[_WRONG] = error
