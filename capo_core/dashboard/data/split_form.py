"""The split of a dataset: chosen at the import, and changed on the page of a dataset."""

from __future__ import annotations

import streamlit as st

from capo_core.dashboard.app import datasets
from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.data import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_error, show_note
from capo_core.dashboard.ui.text import markdown
from capo_core.data.catalog import Catalog, runs_of_split
from capo_core.data.splits import Shares, parse_shares, split_sizes
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import count

_RESPLIT = "data.resplit"
_KEEP, _PAPER, _SHARES = "keep", "paper", "shares"
_WAYS = {
    _PAPER: "Random 300/100/100 (as in the CAPO paper)",
    _SHARES: "Random, other shares …",
}


def choose_split(token: str) -> tuple[Shares | None, int]:
    """Show how the items are split, and return (shares, seed); shares None keeps the file's parts.

    Raises:
        ConfigError: the shares that were entered cannot be used.
    """
    return _choose({_KEEP: "As in the file, else random 60/20/20", **_WAYS}, f"import.{token}")


def _choose(ways: dict[str, str], key: str) -> tuple[Shares | None, int]:
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    with left:
        way = st.selectbox(
            "Split: training / validation / test",
            list(ways),
            format_func=ways.__getitem__,
            key=f"{key}.split_way",
            help="As in the file: the column mapped to Split, what the items state, or each "
            "file's own part. A random split keeps items with the same texts together.",
        )
    if way == _KEEP:
        return None, 0
    written = _PAPER
    if way == _SHARES:
        with middle:
            written = st.text_input(
                "Training/validation/test",
                "60/20/20",
                key=f"{key}.shares",
                help="Numbers of items, percentages or shares: their ratio counts.",
            )
    with right:
        seed = st.number_input("Random seed", 0, 2**31 - 1, 0, key=f"{key}.seed")
    return parse_shares(written), int(seed)


def _chosen_now(key: str) -> tuple[Shares, int]:
    """Return the shares and the seed that are in the form now, for a callback: what was typed just
    before the click too.

    Raises:
        ConfigError: the shares cannot be used, or their box was not there yet.
    """
    written = _PAPER
    if url_state.now(f"{key}.split_way") == _SHARES:
        try:
            written = url_state.now(f"{key}.shares")
        except KeyError:
            raise ConfigError(
                "the shares were not on the form yet", todo="look at them, then split"
            ) from None
    return parse_shares(written), int(url_state.now(f"{key}.seed"))


def resplit(context: PageContext, dataset: Dataset) -> None:
    """Show the button that splits a dataset otherwise, with what depends on the split."""
    entry = context.entry
    with st.popover("Re-split …"):
        try:
            _, seed = _choose(_WAYS, _RESPLIT)
        except CapoError as error:
            show_error(error)
            return
        copy, here = f"As a new dataset {entry.name}-seed-{seed}", "This dataset"
        where = st.radio(
            "Save",
            [copy] if entry.shipped else [copy, here],
            key=f"{_RESPLIT}.where",
            help="A built-in dataset keeps its split." if entry.shipped else None,
        )
        used = runs_of_split(context.workspace, dataset)
        show_note(_consequences(in_place=where == here, n=len(used)))
        st.button(
            "Split",
            type="primary",
            key=f"{_RESPLIT}.act",
            on_click=guarded,
            args=(_act, context, here),
        )


def _consequences(*, in_place: bool, n: int) -> str:
    runs = (
        "No run uses the present split."
        if not n
        else f"{count(n, 'run')} of training or generation {'uses' if n == 1 else 'use'} the "
        "present split. " + (
            "After this they can no longer be resumed or compared on this dataset."
            if in_place
            else "They stay with this dataset and are not compared with those of the new one."
        )
    )  # fmt: skip
    return (
        f"{runs} The stability report does not depend on the split; training, generation, "
        "evaluation, studies and classifiers on label distributions do."
    )


def _act(context: PageContext, here: str) -> None:
    """Split as the form says now; `here` is its word for doing so in place."""
    shares, seed = _chosen_now(_RESPLIT)
    in_place = url_state.now(f"{_RESPLIT}.where") == here
    name = context.entry.name
    to = name if in_place else datasets.free_name(
        f"{name}-seed-{seed}", [entry.name for entry in context.entries]
    )  # fmt: skip
    entry, dataset, _ = Catalog(context.workspace).resplit(
        name, shares, seed, to=to, replace=in_place
    )
    st.toast(f"{markdown(entry.name)}: {split_sizes(dataset)}")
    url_state.put(PAGE, {url_state.DATASET: entry.name, "view": "dataset"})
