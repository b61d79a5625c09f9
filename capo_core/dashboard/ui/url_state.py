"""The state of a page in its URL, so that a view can be shared and bookmarked.

Every choice is a text in the query. Session memory only bridges the change of pages, where
Streamlit empties the query. Widgets are controlled: before each run they get their value from the
state, and their callback writes it, so that the two cannot diverge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_MEMORY = "view"
DATASET = "dataset"


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


def start_anew(page: str, dataset: str) -> None:
    """Forget the views of all pages, and show `page` for another dataset."""
    memory = _memory()
    memory.clear()
    memory[DATASET] = dataset
    st.query_params.from_dict({DATASET: dataset})


def get(key: str, default: str = "") -> str:
    """Return the text of `key` in the address."""
    return st.query_params.get(key, default)


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
    **settings: Any,
) -> str:
    """Show a widget for one of `options` (selectbox, radio, …), tied to the address.

    Args:
        default: the choice if the address has none or an unknown one; by default the first option.
        clears: keys to remove from the address when this choice changes, such as a page number.
    """
    fallback = default if default in options else options[0]
    value = get(key)
    value = value if value in options else fallback
    place = f"{page}.{key}.widget"
    st.session_state[place] = value

    def changed() -> None:
        chosen = now(place)
        # A segmented control can be deselected; that is ignored.
        put(page, {key: chosen if chosen is not None else value, **dict.fromkeys(clears)})

    if widget is st.segmented_control:
        settings = {"required": True, **settings}
    widget(label, options, key=place, on_change=changed, **settings)
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
