"""Judges at the owner's own computer: what there has to be before they get links for it.

Without a password everybody at this computer is the owner, and a judge would only have to go to the
first page to see the sources. That is said, with what mends it, where a study is designed and
frozen, not only where its links are refused.
"""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app import access
from capo_core.dashboard.app.page import guarded
from capo_core.dashboard.studies import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.study.owner.access import PASSWORD, SHORTEST_PASSWORD, set_password

OPEN_HERE = (
    "No owner password is set, so everybody at this computer can open these pages and see the "
    "sources. Links for judges at this computer are made once there is one, or while the dashboard "
    "runs for judges alone. Judges at other computers are not concerned."
)
ALONE = "Judges sit at this computer while the dashboard runs for judges alone"
_KEY = f"{PAGE}.owner.password"


def show_before_inviting() -> None:
    """Show, before a study is frozen, what judges at this computer will need; nothing where there
    is a password."""
    if not access.needs_no_sign_in():
        return
    with st.expander("Will judges sit at this computer? Set an owner password first",
                     icon=":material/lock_open:"):  # fmt: skip
        st.markdown(OPEN_HERE)
        _remedies()


def show_while_inviting() -> None:
    """Show the same above the form of invitations, with the choice of a server for judges alone."""
    if not access.needs_no_sign_in():
        return
    st.warning(OPEN_HERE)
    with st.expander("Set an owner password", icon=":material/lock_open:"):
        _remedies()
    st.checkbox(
        ALONE,
        key=f"{PAGE}.invite.alone",
        help="Copy the links, stop this dashboard, and start it by: python -m capo_core app "
        "--judges-only. Nobody can open the owner's pages then.",
    )


def _remedies() -> None:
    with st.form(_KEY + ".form", border=False):
        st.text_input(
            f"Owner password ({SHORTEST_PASSWORD} characters or more)", type="password", key=_KEY,
            autocomplete="new-password",
        )  # fmt: skip
        st.form_submit_button("Set the password", key=_KEY + ".set", on_click=guarded,
                              args=(_set,))  # fmt: skip
    st.caption(
        "It holds until this dashboard is stopped, and other tabs then ask for it. For the next "
        "start, set it beforehand:"
    )
    st.code(f"{PASSWORD}='{SHORTEST_PASSWORD} characters or more' make app", language="bash")
    st.caption("Or, on a computer that only judges use meanwhile:")
    st.code("python -m capo_core app --judges-only", language="bash")


def _set() -> None:
    """Set the password, and keep this tab signed in."""
    given = str(url_state.now(_KEY) or "")
    set_password(given)
    access.sign_in(given)
