"""The frame of every page: title, dataset selection and links in the sidebar, shown errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from capo_core.dashboard.app import access, cache, datasets, focus, sign_in
from capo_core.dashboard.app.pages import Page, pages
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import show_error, show_errors, show_not_here, show_note
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.dashboard.ui.theme import CSS
from capo_core.data.catalog import Entry
from capo_core.data.crowd_counts import NO_ANNOTATORS
from capo_core.data.formats.esnli import PLACES
from capo_core.dataset import Dataset
from capo_core.errors import plain_error
from capo_core.workspace import Workspace

_FAILED = "failed callback"
_VIEW = ("view", "study", "run", "doc")  # what a page shows another content for
# Below 1,000 pixels the sidebar would take a third of the page: it is folded when a tab is opened,
# and stays as the user sets it from then on. Streamlit's own limit, 768 pixels, cannot be set.
_fold = st.components.v2.component(
    "fold",
    js="""
export default function () {
  if (window.capoFolded) return;
  window.capoFolded = true;
  const fold = (left) => {
    const button = document.querySelector('[data-testid="stSidebarCollapseButton"] button');
    if (button) button.click();
    else if (left) setTimeout(fold, 50, left - 1);
  };
  if (window.innerWidth < 1000 && window.innerWidth > 768) fold(400);
}
""",
)


@dataclass(frozen=True)
class PageContext:
    """The open page, the workspace, its datasets, and the selected dataset if there is one.

    Attributes:
        missing: the dataset in the address that is not in the workspace; "" for none.
    """

    page: Page
    workspace: Workspace
    entries: tuple[Entry, ...]
    entry: Entry | None
    missing: str = ""


def run(page: Page) -> None:
    """Draw `page`: the frame, then its content."""
    context = open_page(page)
    if page.needs_dataset and no_dataset(context):
        return
    if page.needs_annotators and no_annotators(context):
        return
    if page.needs_annotators:
        _annotators_are_places(context)
    try:
        with show_errors():
            page.show(context)
    except url_state.NotHereError as error:  # no error of the page: what was asked for is elsewhere
        show_not_here(page, error)


def open_page(page: Page) -> PageContext:
    """Draw the frame of `page`: sidebar with links and dataset selection, then the title."""
    if not access.is_owner():  # checked again behind the navigation
        sign_in.show()
        st.stop()
    st.html(CSS)
    _fold(key="capo-fold")
    url_state.begin(page)
    focus.follow(page, " ".join(map(url_state.get, _VIEW)))
    workspace = Workspace.default()
    entries = tuple(datasets.entries(workspace))
    with st.sidebar:
        st.html('<p class="capo-name">CAPO Lab</p>')
        links = st.container(key="capo-links", gap="xsmall")
        st.divider()
        entry = _choose_dataset(page, entries)
        access.keep_signed_in()
        _sign_out()
    exports.begin(datasets.provenance(entry))
    with links:  # filled last, since they carry the selected dataset
        for name, other in pages().items():
            link_to(name, other.title, url_state.remembered(name), width="stretch")
    # An import is about other data than the chosen dataset.
    elsewhere = page == "data" and url_state.get("view") in ("import", "all")
    if entry is not None and entry.simulated and not elsewhere:
        st.html(
            f'<p class="capo-simulated"><strong>{escape(entry.name)} is simulated data.</strong> '
            "These explanations were not written by people; they show how the tool works, not how "
            "people annotate.</p>"
        )
    st.title(page.title, anchor=False)
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        show_error(failed)
    missing = "" if entry is not None else url_state.get(url_state.DATASET)
    context = PageContext(page, workspace, entries, entry, missing)
    if missing:
        _missing_dataset(context)
    return context


def _missing_dataset(context: PageContext) -> None:
    """Show that the dataset in the address is not here, and the ways on."""
    st.warning(
        f"**Dataset “{markdown(context.missing)}” is not in this workspace.** The link is from "
        "another workspace, or the dataset was removed. Choose one of yours in the sidebar"
        + (", or import it." if context.page.needs_dataset else ", or import it below.")
    )
    if context.page.needs_dataset:
        link_to("data", "Import a dataset", {"view": "import"})


def _annotators_are_places(context: PageContext) -> None:
    """Show where the annotators are places of explanations: they compare like people otherwise."""
    if context.entry.problem or not cache.annotators_are_places(context.workspace, context.entry):
        return
    st.warning(PLACES[0].upper() + PLACES[1:] + ".")


def _sign_out() -> None:
    """Show the sign-out of OIDC; a sign-in by password ends with its tab."""
    if access.signed_in_by_oidc():
        show_note(f"Signed in as {st.user.get('email')}.")
        st.button("Sign out", key="frame.sign_out", type="tertiary", on_click=st.logout)


def _choose_dataset(page: Page, entries: Sequence[Entry]) -> Entry | None:
    if not entries:
        st.caption("No dataset yet")
        return None
    known = {entry.name: entry for entry in entries}
    asked = url_state.get(url_state.DATASET)
    place = f"{page}.dataset.widget"
    name = asked or datasets.first_choice(known)
    st.session_state[place] = name if name in known else None

    def changed() -> None:
        # Another dataset has other annotators and items: all pages start with their defaults.
        url_state.start_anew(url_state.now(place))

    st.selectbox(
        "Dataset",
        list(known),
        key=place,
        on_change=changed,
        help="All pages show this dataset. Import your own on the page Data.",
        index=0 if name in known else None,
        placeholder="Choose a dataset",
    )
    if name not in known:
        return None
    if asked != name:
        url_state.put(page, {url_state.DATASET: name})
    entry = known[name]
    st.set_page_config(page_title=f"{page.title} · {name} · CAPO Lab")
    st.caption(markdown(datasets.summary(entry)))
    return entry


def guarded(act: Callable[..., Any], *args: Any) -> None:
    """Call `act(*args)` in a button's callback; show its error (see `errors.plain_error`) on the
    next run of the page."""
    try:
        act(*args)
    except Exception as raised:
        error = plain_error(raised)
        if error is None:
            raise
        st.session_state[_FAILED] = error


def registered(name: str) -> st.Page:
    """Return the page `name` for Streamlit's navigation."""
    known = pages()
    page = known[name]
    first = name == next(iter(known))
    return st.Page(partial(run, page), title=page.title, url_path=name, default=first)


def link_to(name: str, label: str, query: dict[str, str], width: str = "content") -> None:
    """Draw a link to a page; plain text where the page is not registered."""
    try:
        st.page_link(registered(name), label=label, query_params=query, width=width)
    except StreamlitAPIException:
        st.caption(label)


def page_link(context: PageContext, page: str, label: str, **query: str) -> None:
    """Draw a link to another page that keeps the dataset."""
    chosen = {url_state.DATASET: context.entry.name} if context.entry else {}
    link_to(page, label, {**chosen, **query})


def no_explanations(context: PageContext, dataset: Dataset) -> bool:
    """Return whether the dataset has labels alone; if so, say where these can be looked at."""
    if dataset.explained:
        return False
    with st.container(border=True):
        st.markdown(
            f"**{markdown(dataset.name)} has no explanations**, and annotators are told apart by "
            "their explanations, so there is nothing to compute here. Labels can be compared."
        )
        with st.container(horizontal=True):
            page_link(context, "annotators", "Label use of each annotator", view="one")
            page_link(context, "annotators", "Agreement of two annotators", view="two")
            page_link(context, "distributions", "Label distributions")
    return True


def no_annotators(context: PageContext) -> bool:
    """Return whether the dataset holds crowd counts alone; if so, say what can be done with it."""
    entry = context.entry
    if entry is None or entry.annotations or entry.problem:
        return False
    with st.container(border=True):
        st.markdown(f"**{markdown(entry.name)} has no annotators.** {NO_ANNOTATORS}.")
        page_link(context, "distributions", "Label distributions")
    return True


def no_dataset(context: PageContext) -> bool:
    """Return whether there is no dataset; if so, show a link to the import."""
    if context.entry is not None:
        return False
    if context.missing:
        return True
    with st.container(border=True):
        st.markdown("**No dataset yet.** Import a table of labels with explanations.")
        page_link(context, "data", "Import a dataset", view="import")
    return True
