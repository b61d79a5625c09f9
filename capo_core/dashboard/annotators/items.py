"""The items view: all annotations of one item side by side, filtered and paged."""

from __future__ import annotations

import random

import streamlit as st

from capo_core.dashboard.annotators import ladder
from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.ui import item_html as ui_item_html
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import show_note, warn_of_other_item
from capo_core.dashboard.ui.exports import download_table
from capo_core.dashboard.ui.item_html import annotators_html, item_html
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.formatting import count, short

_PER_PAGE = 8
_NEAR = 500
_MOVED = ("item", "p")


def show(context: PageContext, page: str, dataset: Dataset) -> None:
    """Show the filters, then the matching items, one at a time or as a list."""
    url_state.require("item", cache.items_by_id(dataset).index)
    wanted, dim, as_list = _controls(page, dataset)
    found = cache.item_ids(dataset, wanted)
    if not found:
        show_note("No item matches these filters.")
        st.button("Show all items", on_click=_clear, args=(page,), key=f"{page}.items.clear")
        return
    if as_list:
        _list(page, dataset, found, wanted, dim)
    else:
        item_id = _one(page, dataset, found, wanted, dim)
        if dataset.explained and url_state.toggle(
            "Show where these explanations fall on the ladder", page=page, key="ladder"
        ):
            ladder.show(page, context, dataset, item_id)
    passing = ui_item_html.matches(dataset, wanted)
    passing = passing[passing["item_id"].isin(set(found))]
    download_table(passing, key=f"{page}.items.csv", file_name=f"{dataset.name}-explanations")


def _controls(page: str, dataset: Dataset) -> tuple[ui_item_html.Filter, bool, bool]:
    columns = st.columns([3, 2, 2], vertical_alignment="bottom")
    with columns[0]:
        phrase = url_state.text(
            "Search",
            page=page,
            key="q",
            clears=_MOVED,
            placeholder="a word or phrase",
            help="Searches explanations and item texts for whole words, and for parts of words if "
            "no whole word matches.",
        )
    with columns[1]:
        annotator = url_state.choice(
            st.selectbox,
            "Annotator",
            ["", *dataset.annotators],
            page=page,
            key="annotator",
            clears=_MOVED,
            format_func=lambda value: value or "Any",
        )
    with columns[2]:
        label = url_state.choice(
            st.selectbox,
            "Label",
            ["", *dataset.task.scale.labels],
            page=page,
            key="label",
            clears=_MOVED,
            format_func=lambda value: value or "Any",
        )
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        differ = url_state.toggle(
            "Only where labels differ", page=page, key="differ", clears=_MOVED
        )
        _choose_pair(page, dataset)
        dim = url_state.toggle(
            "Dim words copied from the input",
            page=page,
            key="manner",
            help="Dims the words of an explanation that also occur in the item's texts. The "
            "reduction “Input words masked” removes exactly these words.",
        )
        as_list = url_state.toggle("List view", page=page, key="list", clears=("p",))
    pair, labels = _pair(page, dataset)
    return ui_item_html.Filter(phrase, annotator, label, differ, pair, labels), dim, as_list


def _choose_pair(page: str, dataset: Dataset) -> None:
    """Show the choice of two annotators, to see only the items to which they differ."""
    names = list(dataset.annotators)
    if len(names) < 3:  # of two, "labels differ" is the same
        return
    with st.popover("Two annotators …"):
        for key, label in (("first", "First annotator"), ("second", "Second annotator")):
            st.selectbox(label, names, index=None, key=f"{page}.items.pair.{key}")
        st.button(
            "Show where they differ", key=f"{page}.items.pair.choose",
            on_click=_pair_chosen, args=(page,),
        )  # fmt: skip


def _pair_chosen(page: str) -> None:
    first, second = (url_state.now(f"{page}.items.pair.{key}") for key in ("first", "second"))
    if first and second and first != second:
        url_state.put(page, {**dict.fromkeys((*_PAIR, *_MOVED)), "first": first, "second": second})


_PAIR = ("first", "second", "first_label", "second_label")


def _pair(page: str, dataset: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the two annotators whose labels are compared, and their labels; show how to end it."""
    first, second, *labels = (url_state.get(key) for key in _PAIR)
    if not (first and second):
        return (), ()
    unknown = [name for name in (first, second) if name not in dataset.annotators]
    unknown += [label for label in labels if label and label not in dataset.task.scale.labels]
    if unknown:
        show_note(f"“{unknown[0]}” is not in this dataset, so the items of a pair are not shown.")
        return (), ()
    given = tuple(labels) if all(labels) else ()
    one, other = (short(name, 30) for name in (first, second))
    if given:
        told = f"Only where {one} chose {short(given[0], 30)} and {other} {short(given[1], 30)} ✕"
    else:
        told = f"Only where {one} and {other} differ ✕"
    st.button(
        markdown(told),
        key=f"{page}.items.pair",
        on_click=url_state.put,
        args=(page, dict.fromkeys((*_PAIR, *_MOVED))),
        help="Click to show the items of all annotators again.",
    )
    return (first, second), given


def _one(
    page: str, dataset: Dataset, found: list[str], wanted: ui_item_html.Filter, dim: bool
) -> str:
    """Show one item with the buttons to its neighbours; return it."""
    asked = url_state.get("item")
    place = found.index(asked) if asked in found else 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        url_state.choice(
            st.selectbox,
            f"Item {place + 1:,} of {len(found):,}",
            # A list of all would weigh on every click where there are tens of thousands.
            found[max(0, place - _NEAR) : place + _NEAR],
            page=page,
            key="item",
            default=found[place],
            known=cache.items_by_id(dataset).index,
            width=230,
        )
        for name, target in (
            ("Previous", found[place - 1]),
            ("Next", found[(place + 1) % len(found)]),
            ("Random", random.SystemRandom().choice(found)),
        ):
            st.button(
                name,
                key=f"{page}.items.{name}",
                on_click=url_state.put,
                args=(page, {"item": target}),
            )
    warn_of_other_item(asked, found[place])
    _item(dataset, found[place], wanted, dim)
    return found[place]


def _list(
    page: str, dataset: Dataset, found: list[str], wanted: ui_item_html.Filter, dim: bool
) -> None:
    start, end = paging(page, "p", len(found), _PER_PAGE, "item")
    for item_id in found[start:end]:
        _item(dataset, item_id, wanted, dim)


def paging(page: str, key: str, total: int, per_page: int, one: str) -> tuple[int, int]:
    """Show a pager of Previous and Next, and return the range of the page to show.

    Args:
        key: of the page number in the address.
        one: singular of what is counted.
    """
    pages = max(1, -(-total // per_page))
    number = url_state.number(key, 1, 1, pages)
    start, end = (number - 1) * per_page, min(total, number * per_page)
    if pages == 1:
        show_note(count(total, one))
        return start, end
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, target, off in (
            ("Previous", number - 1, number == 1),
            ("Next", number + 1, number == pages),
        ):
            st.button(
                name,
                key=f"{page}.{key}.{name}",
                on_click=url_state.put,
                args=(page, {key: str(target)}),
                disabled=off,
            )
        st.text(f"{start + 1:,}–{end:,} of {count(total, one)}")
    return start, end


def _item(dataset: Dataset, item_id: str, wanted: ui_item_html.Filter, dim: bool) -> None:
    item = cache.items_by_id(dataset).loc[item_id]
    inputs = (item["text_a"], item["text_b"]) if dim else ()
    st.html(item_html(dataset.task, item["text_a"], item["text_b"], wanted.phrase))
    st.html(
        annotators_html(
            ui_item_html.answers(dataset, item_id),
            looks(dataset.annotators),
            inputs=inputs,
            phrase=wanted.phrase,
        )
    )


def _clear(page: str) -> None:
    url_state.put(page, dict.fromkeys(("q", "annotator", "label", "differ", *_PAIR, *_MOVED)))
