"""What every page stands in: the dataset chosen in the sidebar, what must be said of it, links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from capo_core.dashboard.app import access, datasets, navigation, sign_in
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import note, show_error
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.dashboard.ui.theme import CSS
from capo_core.data.catalog import Entry
from capo_core.errors import CapoError
from capo_core.workspace import Workspace

_FAILED = "failed callback"


@dataclass(frozen=True)
class Frame:
    """What a page stands in: its name, the workspace, the datasets, and the chosen one if any."""

    page: str
    workspace: Workspace
    entries: tuple[Entry, ...]
    entry: Entry | None


def open_page(page: str, question: str, keys: Sequence[str] = ()) -> Frame:
    """Begin `page`: its title, the choice of the dataset in the sidebar, what must be said of it.

    Args:
        question: the title, the question the page answers.
        keys: the query keys of the page, besides the dataset.
    """
    navigation.come_in_by_the_door()
    if not access.is_owner():  # once more, behind the navigation: a page is never open by accident
        sign_in.show()
        st.stop()
    st.html(CSS)
    url_state.begin(page, keys)
    workspace = Workspace.default()
    entries = tuple(datasets.entries(workspace))
    with st.sidebar:
        st.html('<p class="capo-house">CAPO Lab</p>')
        links = st.container(key="capo-links", gap="xsmall")
        st.divider()
        entry = _choose_dataset(page, entries, keys)
        access.keep_signed_in()
        _sign_out()
    with links:  # now that it is known which dataset they lead to
        for name, (_, title) in navigation.PAGES.items():
            navigation.page_link(name, title, url_state.remembered(name), width="stretch")
    if entry is not None and entry.simulated:
        st.html(
            f'<p class="capo-simulated"><strong>{escape(entry.name)} is simulated data.</strong> '
            "No person wrote these explanations; they show how the tool works, not what people "
            "do.</p>"
        )
    st.title(question, anchor=False)
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        show_error(failed)
    return Frame(page, workspace, entries, entry)


def _sign_out() -> None:
    """The way out, where the owner came in by OIDC; a password's sign-in ends with its tab."""
    if access.signed_in_by_oidc():
        note(f"Signed in as {st.user.get('email')}.")
        st.button("Sign out", key="frame.sign_out", type="tertiary", on_click=st.logout)


def _choose_dataset(page: str, entries: Sequence[Entry], keys: Sequence[str]) -> Entry | None:
    if not entries:
        st.caption("No dataset yet.")
        return None
    known = {entry.name: entry for entry in entries}
    asked = url_state.get(url_state.DATASET)
    place = f"{page}.dataset.widget"
    name = asked if asked in known else datasets.first_choice(known)
    st.session_state[place] = name

    def changed() -> None:
        # Another dataset has other annotators and items: every page's view starts anew.
        url_state.forget()
        url_state.put(page, {**dict.fromkeys(keys), url_state.DATASET: url_state.now(place)})

    st.selectbox(
        "Dataset",
        list(known),
        key=place,
        on_change=changed,
        help="Every page shows this dataset. Bring your own on the Data page.",
    )
    if asked != name:
        url_state.put(page, {url_state.DATASET: name})
    if asked and asked not in known:
        st.warning(f"There is no dataset named {markdown(asked)} here. This is {name}.")
    entry = known[name]
    st.caption(markdown(datasets.summary(entry)))
    return entry


def safely(act: Callable[..., Any], *args: Any) -> None:
    """`act(*args)` for a button's callback; what goes wrong is shown when the page has run."""
    try:
        act(*args)
    except CapoError as error:
        st.session_state[_FAILED] = error


def link(frame: Frame, page: str, label: str, **query: str) -> None:
    """A link to another page of the house which keeps the dataset."""
    chosen = {url_state.DATASET: frame.entry.name} if frame.entry else {}
    navigation.page_link(page, label, {**chosen, **query})


def nothing_yet(frame: Frame) -> bool:
    """True, and said with the way out, where there is no dataset to show."""
    if frame.entry is not None:
        return False
    with st.container(border=True):
        st.markdown("**There is no dataset here yet.** Bring a table of labels with explanations.")
        link(frame, "data", "Import a dataset")
    return True
