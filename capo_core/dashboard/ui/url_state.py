"""What a page shows, kept in its address, so that a view can be sent to a colleague.

Every choice is a text in the URL's query. Session memory only bridges the way from page to page,
where Streamlit empties the query. Widgets are controlled: before each run they get the value of
the state, and their callback writes the state; so there is one truth and no drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

_MEMORY = "view"
DATASET = "dataset"


def begin(page: str) -> None:
    """Make the address and the memory of `page` agree.

    An address that names a dataset is complete: what it leaves out has its default. One that does
    not comes from the navigation, and the last view of the page is brought back.
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
    """Forget what all pages showed, and show `page` for another dataset."""
    memory = _memory()
    memory.clear()
    memory[DATASET] = dataset
    st.query_params.from_dict({DATASET: dataset})


def get(key: str, default: str = "") -> str:
    """The text under `key` in the address."""
    return st.query_params.get(key, default)


def _memory() -> dict[str, str]:
    """`page.key` → text, and the dataset's name."""
    return session_dict(_MEMORY)


def remembered(page: str) -> dict[str, str]:
    """The query that brings `page` back as it was last seen."""
    start = f"{page}."
    found = {key.removeprefix(start): v for key, v in _memory().items() if key.startswith(start)}
    dataset = _memory().get(DATASET)
    return {DATASET: dataset, **found} if dataset else found


def put(page: str, values: Mapping[str, str | None]) -> None:
    """Set what the address says under some keys; None or "" takes a key out."""
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
    """A widget for one of `options` (selectbox, segmented_control, radio), tied to the address.

    Args:
        default: the choice where the address says nothing or what is not on offer; else the first.
        clears: keys to take out of the address when this choice changes (a page number, say).
    """
    fallback = default if default in options else options[0]
    value = get(key)
    value = value if value in options else fallback
    place = f"{page}.{key}.widget"
    st.session_state[place] = value

    def changed() -> None:
        chosen = now(place)
        # A segmented control can be clicked empty; that means nothing here.
        put(page, {key: chosen if chosen is not None else value, **dict.fromkeys(clears)})

    if widget is st.segmented_control:
        settings = {"required": True, **settings}
    widget(label, options, key=place, on_change=changed, **settings)
    return value


def view(page: str, names: Mapping[str, str]) -> str:
    """Which of a page's views is open; `names` are their keys and titles."""
    return choice(
        st.segmented_control,
        "View",
        list(names),
        page=page,
        key="view",
        format_func=names.__getitem__,
        label_visibility="collapsed",
    )


def now(place: str) -> Any:
    """What stands in the widget under the key `place`, for its callback.

    Reading `st.session_state[place]` gives way to a click or a key that came meanwhile: the
    callback would end there, and what it was to keep would be lost. A copy of the state does not.
    """
    return st.session_state.to_dict()[place]


def session_dict(name: str) -> dict[str, Any]:
    """What a browser's session remembers under `name`, to be changed in place.

    For callbacks: neither reading nor changing it gives way to a click, as in `now`.
    """
    found = st.session_state.to_dict().get(name)
    if found is None:
        found = st.session_state[name] = {}
    return found


def typed(place: str, value: Any) -> dict[str, Any]:
    """Key and value of a box one types into, so that what is typed fast stays.

    Such a box is not given its value in every run, as choices are: on a slow machine the value of
    a run before would come after what was typed since, and overwrite it. The value is its default,
    with which the browser begins; it is set only where the box has another.
    """
    if place in st.session_state and st.session_state[place] != value:
        st.session_state[place] = value
    return {"key": place, "value": value}


def text(label: str, *, page: str, key: str, clears: Sequence[str] = (), **settings: Any) -> str:
    """A text box tied to the address."""
    place = f"{page}.{key}.widget"

    def changed() -> None:
        put(page, {key: now(place).strip(), **dict.fromkeys(clears)})

    st.text_input(label, **typed(place, get(key)), on_change=changed, **settings)
    return get(key)


def toggle(
    label: str, *, page: str, key: str, on: bool = False, clears: Sequence[str] = (), **settings
) -> bool:
    """A switch tied to the address: "1" or "0", or nothing where it stands as it begins, `on`."""
    place = f"{page}.{key}.widget"
    value = {"1": True, "0": False}.get(get(key), on)
    st.session_state[place] = value

    def changed() -> None:
        chosen = now(place)
        put(page, {key: None if chosen == on else str(int(chosen)), **dict.fromkeys(clears)})

    st.toggle(label, key=place, on_change=changed, **settings)
    return value


def number(key: str, default: int, low: int, high: int) -> int:
    """A whole number from the address, brought into low…high."""
    raw = get(key)
    value = int(raw) if raw.isdecimal() and len(raw) < 10 else default
    return max(low, min(high, value))
