"""Opening files with label distributions, beside the dataset or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from capo_core.dashboard import cache_distributions, distributing_files, services, state
from capo_core.dashboard.components import note, show_error
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.words import count
from capo_core.errors import CapoError, DataError

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments

PAGE = "distributions"
KEYS = ("files", "alone")
_TAKEN = f"{PAGE}.files.taken"  # how often files were taken; names the uploader, to empty it
_WRONG = f"{PAGE}.files.wrong"  # what was wrong with files, to be said once


def menu(frame: Frame) -> tuple[tuple[str, ...], bool]:
    """The choice of files, folded away: ids of those that are open, and whether they stand alone.

    A file of the address that is not kept here is named, and left out.
    """
    opened, missing = distributing_files.opened(
        frame.workspace, state.get("files").split(","), cache_distributions.opened_file
    )
    title = "Files" if not opened else f"Files: {count(len(opened), 'open', 'open')}"
    alone = False
    with st.popover(title, width="stretch"):
        note(
            "A JSON file as makers of such data publish it: one object an item, with its texts, "
            "shares or counts in the order of the labels, and explanations with their labels "
            "(NLI_explanations.json, say). Items are known by their texts, so that files go with "
            "the dataset and with each other."
        )
        _open(frame, list(opened))
        if opened:
            alone = _chosen(opened, frame)
    for name in missing:
        st.warning(f"The file that this address calls {name} is not kept here; open it again.")
    return tuple(opened), alone


def _open(frame: Frame, already: list[str]) -> None:
    """The form that takes files in."""
    taken = st.session_state.get(_TAKEN, 0)
    with st.form(f"{PAGE}.files.form", border=False):
        st.file_uploader(
            "Files",
            type=["json", "jsonl"],
            accept_multiple_files=True,
            key=f"{PAGE}.files.{taken}",
            label_visibility="collapsed",
        )
        st.text_input(
            "Labels, in the order of the file's lists",
            key=f"{PAGE}.files.labels",
            placeholder="entailment, neutral, contradiction",
            help="Separated by commas. Empty: those of the dataset, else those of NLI.",
        )
        st.form_submit_button(
            "Read the files",
            key=f"{PAGE}.files.read",
            type="primary",
            on_click=_take,
            args=(frame, already),
        )
    for error in st.session_state.pop(_WRONG, []):
        show_error(error)


def _take(frame: Frame, already: list[str]) -> None:
    """Read what was uploaded; what is wrong with a file is said, and the others are opened."""
    taken = st.session_state.get(_TAKEN, 0)
    files = state.now(f"{PAGE}.files.{taken}") or []
    labels = distributing_files.labels_of(state.now(f"{PAGE}.files.labels"))
    found = list(already)
    wrong = [] if files else [DataError("no file was chosen", todo="choose one first")]
    for file in files:
        try:
            path = services.keep_uploads(frame.workspace, [(file.name, file.getvalue())])
            name = distributing_files.take_in(frame.workspace, path, labels, _own_labels(frame))
        except CapoError as error:
            wrong.append(error)
            continue
        found += [name] if name not in found else []
    st.session_state[_WRONG] = wrong
    if found != already:  # else the address stays, and only what went wrong is said
        st.session_state[_TAKEN] = taken + 1
        state.put(PAGE, {"files": ",".join(found), **dict.fromkeys(_MOVED)})


def _own_labels(frame: Frame) -> tuple[str, ...]:
    from capo_core.dashboard import cache

    return cache.dataset(frame.workspace, frame.entry).task.scale.labels


def _chosen(opened: dict[str, Judgments], frame: Frame) -> bool:
    for name, one in opened.items():
        left = [other for other in opened if other != name]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{one.name}: {count(len(one.items), 'item')}")
            st.button(
                "Close",
                key=f"{PAGE}.files.close.{name}",
                type="tertiary",
                on_click=state.put,
                args=(PAGE, {"files": ",".join(left), **dict.fromkeys(_MOVED)}),
            )
    return state.toggle(
        f"Without {frame.entry.name}",
        page=PAGE,
        key="alone",
        clears=_MOVED,
        help="Show the files alone, also where their items are the dataset's.",
    )


_MOVED = ("item", "against", "focus", "shown")
