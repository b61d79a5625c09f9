"""The state of a page in its URL, so that a view can be shared and bookmarked.

Every choice is a text in the query. Session memory only bridges the change of pages, where
Streamlit empties the query. Widgets are controlled: before each run they get their value from the
state, and their callback writes it, so that the two cannot diverge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from capo_core.errors import CapoError

_MEMORY = "view"
DATASET = "dataset"

# Keys of the address that name something in the data or the workspace → what that is called. A link
# to one that is not here says so, and nothing else is shown in its place.
NAMED = {
    DATASET: "dataset",
    "who": "annotator",
    "than": "annotator",
    "annotator": "annotator",
    "target": "annotator",
    "as": "annotator",
    "given": "annotator",
    "item": "item",
    "label": "label",
    "method": "method",
    "of": "comparison",
    "runs": "run",
    "run": "run",
    "pick": "run",
    "training": "training",
    "report": "report",
    "study": "study",
    "judge": "judge",
    "slot": "judge sequence",
    "trial": "trial",
    "source": "source",
    "against": "source",
    "focus": "source",
    "shown": "source",
    "swap": "source",
    "files": "file",
}
# The other keys are views and settings: one that is unknown has its default.
SETTINGS = frozenset({
    "track", "at",
    "view", "part", "behind", "planned", "p", "po", "q", "find", "state", "kind", "all", "figure",
    "on", "set", "look", "alone", "measure", "clip", "apart", "like", "swapped", "agree", "order",
    "try", "luck", "likeness", "strength", "attentive", "skill", "left", "doubt", "careless",
    "place", "leak", "rule", "confident", "votes", "mu", "crowd", "counting", "family", "seen",
    "grey", "rep", "red", "k", "outcome", "phrase", "differ", "manner", "list", "overlap", "doc",
    "ladder", "experiment", "group",
    "raw", "by", "author_items", "author_texts", "transfer", "transfer_measure",
})  # fmt: skip


class NotHereError(CapoError):
    """An address names something, under `key`, that is not in the workspace or the dataset."""

    def __init__(self, what: str, *, key: str, todo: str) -> None:
        super().__init__(what, todo=todo)
        self.key = key


def require(key: str, known: Collection[str], *, place: str = "", todo: str = "") -> str:
    """Return what the address names under `key`; "" where it names nothing.

    Args:
        key: one of `NAMED`.
        known: all there are of its kind, whether or not they can be chosen now.
        place: where it was looked for; by default the dataset.

    Raises:
        NotHereError: it names something else.
    """
    return require_each(key, [get(key)], known, place=place, todo=todo)[0]


def require_each(
    key: str, asked: Sequence[str], known: Collection[str], *, place: str = "", todo: str = ""
) -> list[str]:
    """Return `asked`, all that the address names under `key`, empty texts too.

    Raises:
        NotHereError: one is not among `known`.
    """
    for one in asked:
        if one and one not in known:
            kind = NAMED[key]
            raise NotHereError(
                f"{kind} {one!r} is not in {place or get(DATASET) or WORKSPACE}",
                key=key,
                todo=todo or f"choose another {kind}",
            )
    return list(asked)


WORKSPACE = "this workspace"


def begin(page: str) -> None:
    """Synchronise the address and the memory of `page`.

    An address with a dataset is complete: missing keys have their defaults. One without comes from
    the navigation, and the last view of the page is restored.
    """
    query = st.query_params.to_dict()
    if DATASET in query:
        memory = _memory()
        for place in [place for place in memory if place.startswith(f"{page}.")]:
            del memory[place]
        memory.update(
            {key if key == DATASET else f"{page}.{key}": value for key, value in query.items()}
        )
    elif found := remembered(page):
        st.query_params.update(found)  # at once: each writing is a step in the history


def start_anew(dataset: str) -> None:
    """Forget the views of all pages, and show this page for another dataset."""
    memory = _memory()
    memory.clear()
    memory[DATASET] = dataset
    st.query_params.from_dict({DATASET: dataset})


def get(key: str, default: str = "") -> str:
    """Return the text of `key` in the address."""
    return st.query_params.get(key, default)


def address(page: str, **query: str) -> str:
    """Return the address of another page on the same dataset, for links in HTML."""
    return f"{page}?{urlencode({DATASET: get(DATASET), **query})}"


def _memory() -> dict[str, str]:
    """Return the memory: `page.key` → text, and the dataset's name."""
    return session_dict(_MEMORY)


def remembered(page: str) -> dict[str, str]:
    """Return the query of the last view of `page`."""
    start = f"{page}."
    found = {key.removeprefix(start): v for key, v in _memory().items() if key.startswith(start)}
    dataset = _memory().get(DATASET)
    return {DATASET: dataset, **found} if dataset else found


def put(page: str, values: Mapping[str, str | None]) -> None:
    """Set keys of the address; None or "" removes a key."""
    memory, query = _memory(), st.query_params.to_dict()
    for key, value in values.items():
        place = key if key == DATASET else f"{page}.{key}"
        if value in (None, ""):
            memory.pop(place, None)
            query.pop(key, None)
        else:
            memory[place] = query[key] = value
    st.query_params.from_dict(query)  # at once: each writing is a step in the history


def choice(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    *,
    page: str,
    key: str,
    default: str | None = None,
    clears: Sequence[str] = (),
    known: Collection[str] | None = None,
    where: str = "",
    **settings: Any,
) -> str:
    """Show a widget for one of `options` (selectbox, radio, …), tied to the address.

    Args:
        key: one of `NAMED` or `SETTINGS`.
        default: the choice if the address has none, or a setting that is unknown; by default the
            first option.
        clears: keys to remove from the address when this choice changes, such as a page number.
        known: all there are of what `key` names, by default `options`.
        where: where that was looked for; by default the dataset.

    Raises:
        NotHereError: the address names something that is not known; the widget is shown, with
            nothing chosen in it.
    """
    fallback = default if default in options else options[0]
    asked = get(key)
    value = asked if asked in options else fallback
    there = key not in NAMED or not asked or asked in (options if known is None else known)
    place = f"{page}.{key}.widget"
    st.session_state[place] = value if there or asked in options else None

    def changed() -> None:
        chosen = now(place)
        # A segmented control can be deselected; that is ignored.
        put(page, {key: chosen if chosen is not None else value, **dict.fromkeys(clears)})

    if widget is st.segmented_control:
        settings = {"required": there, **settings}
    elif not there:
        settings = {**settings, "index": None}
    widget(label, options, key=place, on_change=changed, **settings)
    if not there:
        require(key, options, place=where)
    return value


def view(page: str, names: Mapping[str, str], clears: Sequence[str] = ()) -> str:
    """Show the choice of a page's views, and return the open one.

    Args:
        names: key → title of each view.
        clears: keys that belong to one view only, removed when another is opened.
    """
    return choice(
        st.segmented_control,
        "View",
        list(names),
        page=page,
        key="view",
        clears=clears,
        format_func=names.__getitem__,
        label_visibility="collapsed",
    )


def now(place: str) -> Any:
    """Return the value of the widget with the key `place`, for its callback.

    Reading `st.session_state[place]` yields to a pending rerun: the callback would end there, and
    its change would be lost. Reading a copy of the state does not.
    """
    return st.session_state.to_dict()[place]


def session_dict(name: str) -> dict[str, Any]:
    """Return the dictionary `name` of the session, to be changed in place.

    For callbacks: neither reading nor changing it yields to a pending rerun, as in `now`.
    """
    found = st.session_state.to_dict().get(name)
    if found is None:
        found = st.session_state[name] = {}
    return found


def typed(place: str, value: Any) -> dict[str, Any]:
    """Return key and value of an input box, so that fast typing is not lost.

    Unlike choices, such a box does not get its value in every run: on a slow machine, the value of
    an earlier run would overwrite what was typed since. The value is its default; it is set only
    where the box has another.
    """
    if place in st.session_state and st.session_state[place] != value:
        st.session_state[place] = value
    return {"key": place, "value": value}


def text(label: str, *, page: str, key: str, clears: Sequence[str] = (), **settings: Any) -> str:
    """Show a text box tied to the address, and return its text."""
    place = f"{page}.{key}.widget"

    def changed() -> None:
        put(page, {key: now(place).strip(), **dict.fromkeys(clears)})

    st.text_input(label, **typed(place, get(key)), on_change=changed, **settings)
    return get(key)


def toggle(
    label: str, *, page: str, key: str, on: bool = False, clears: Sequence[str] = (), **settings
) -> bool:
    """Show a switch tied to the address ("1", "0", or no key for the default `on`)."""
    place = f"{page}.{key}.widget"
    value = {"1": True, "0": False}.get(get(key), on)
    st.session_state[place] = value

    def changed() -> None:
        chosen = now(place)
        put(page, {key: None if chosen == on else str(int(chosen)), **dict.fromkeys(clears)})

    st.toggle(label, key=place, on_change=changed, **settings)
    return value


def number(key: str, default: int, low: int, high: int) -> int:
    """Return a whole number from the address, limited to low…high."""
    raw = get(key)
    value = int(raw) if raw.isdecimal() and len(raw) < 10 else default
    return max(low, min(high, value))
