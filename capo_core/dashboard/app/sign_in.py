"""The page of visitors who are not the owner: the sign-in, and links for judges.

It also holds the judges' database connection, which all sessions share.
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
    """Return the judges' engine, shared by all sessions: it reads no answers and no judge's name.

    Raises:
        DataError, BackendUnavailable, ConfigError: see `store.open_store`.
    """
    workspace = Workspace.default()
    return _engine(workspace.root, address(workspace).render_as_string())


@st.cache_resource(max_entries=2, show_spinner=False)
def _engine(root: Path, where: str) -> Engine:
    return open_judge_store(Workspace(root))


_ERROR = "sign_in.error"
_BOX = "sign_in.password"


def show() -> None:
    """Show the page of a stranger, and of a judge at any address but the judging page."""
    st.html(CSS)
    closed = access.why_closed()
    if closed is not None:
        st.title("The dashboard cannot be opened at this address", anchor=False)
        show_error(closed)
        return
    if access.is_judge():
        st.title("This page is not part of judging", anchor=False)
        st.markdown("Open the link you were sent; it leads to your next text.")
        return
    found = access.sign_in_ways()
    if found.judges_only:
        st.title("Open the link you were sent", anchor=False)
        st.markdown("This computer is set up for judges. Each judge has a personal link.")
        return
    st.title("This page is for the study team", anchor=False)
    if found.password:
        _password()
    if found.oidc:
        _oidc()
    if not found.password and not found.oidc:
        st.markdown(
            "It is available only on the computer it runs on. To use it from other computers, the "
            "owner must set a password."
        )
    st.markdown("To judge, open the link you were sent.")


def _oidc() -> None:
    if access.signed_in_by_oidc():
        email = access.verified_email(st.user.to_dict())
        show_note(
            f"You are signed in as {email}, which is not an owner's address."
            if email
            else "You are signed in, but the provider has not verified your e-mail address."
        )
        st.button("Sign out", on_click=st.logout)
        return
    for name in access.providers(st.secrets["auth"]):
        label = "Sign in" if name == access.DEFAULT else f"Sign in with {markdown(name)}"
        st.button(label, on_click=st.login, args=(name,), type="primary")


def _password() -> None:
    if access.restore_sign_in():
        st.rerun()
    with st.form("sign_in", border=False, width=420):
        st.text_input(
            "Owner's password", type="password", key=_BOX, autocomplete="current-password"
        )
        st.form_submit_button("Sign in", on_click=_check_password, type="primary")
    error = st.session_state.pop(_ERROR, None)
    if error is not None:
        show_error(error)


def _check_password() -> None:
    """Check the password; after too many wrong ones, refuse without checking."""
    given = st.session_state.get(_BOX, "")
    try:
        engine, caller = confined_engine(), access.caller()
        read(engine, lambda c: rate_limits.check(c, caller, audit.now()))
        if not access.sign_in(given):
            write(engine, lambda c: rate_limits.count_refusal(c, caller, audit.now()))
            st.session_state[_ERROR] = CapoError("wrong password")
    except CapoError as error:
        st.session_state[_ERROR] = error
