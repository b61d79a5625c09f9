"""The item browser: an item's texts, every source's distribution, and why people said so."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from capo_core.dashboard import (
    charts_distributions_more,
    distributing_items,
    distribution_html,
    search,
    state,
)
from capo_core.dashboard.browser import Answer, answers_html, item_html
from capo_core.dashboard.components import control_row, note, picture
from capo_core.dashboard.distributing_items import AGREEMENT, ORDERS, Wanted
from capo_core.dashboard.distributing_looks import source_name
from capo_core.dashboard.distributing_places import steps
from capo_core.dashboard.distributing_words import called
from capo_core.dashboard.distribution_html import Card
from capo_core.dashboard.theme import looks
from capo_core.dashboard.view_distributions_choice import PAGE, Chosen
from capo_core.dashboard.words import count, escape, markdown, number, short
from capo_core.distributions.from_dataset import HUMANS

KEYS = ("item", "q", "label", "agree", "order")
_MOVED = ("item",)


@dataclass(frozen=True)
class Items:
    """The items that pass the filters, in their order, and the open one ("" where none passes)."""

    found: list[str]
    open: str


def order(chosen: Chosen) -> Items:
    """What the address asks for; the pictures above the filters need it before they are drawn."""
    labels = chosen.reading.judgments.task.scale.labels
    wanted = Wanted(
        state.get("q"),
        state.get("label") if state.get("label") in labels else "",
        state.get("agree") if state.get("agree") in AGREEMENT else "",
        state.get("order") if state.get("order") in ORDERS else "far",
    )
    judgments = chosen.reading.judgments
    frame = distributing_items.on_items(
        judgments.source(chosen.against), judgments.source(chosen.focus), chosen.of_focus()
    )
    found = distributing_items.found(judgments, frame, wanted, chosen.measure)
    asked = state.get("item")
    return Items(found, asked if asked in found else (found[0] if found else ""))


def show(chosen: Chosen, items: Items) -> None:
    """Filters in a row, then the open item."""
    _controls(chosen)
    if not items.found:
        note("No item passes this filter.")
        st.button(
            "Show all items", key=f"{PAGE}.items.clear", on_click=state.put,
            args=(PAGE, dict.fromkeys(("q", "label", "agree", *_MOVED))),
        )  # fmt: skip
        return
    _walk(items)
    _item(chosen, items.open)


def _controls(chosen: Chosen) -> None:
    with control_row("items", [3, 2, 2, 2]) as columns:
        _filters(chosen, columns)


def _filters(chosen: Chosen, columns: list) -> None:
    against, focus = markdown(called(chosen.against)), markdown(called(chosen.focus))
    with columns[0]:
        state.text(
            "Words", page=PAGE, key="q", clears=_MOVED, placeholder="a word or phrase",
            help="In the item's texts, or in an explanation of it.",
        )  # fmt: skip
    with columns[1]:
        state.choice(
            st.selectbox, "Most frequent label", ["", *chosen.reading.judgments.task.scale.labels],
            page=PAGE, key="label", clears=_MOVED, format_func=lambda name: name or "any label",
            help=f"By {against}.",
        )  # fmt: skip
    with columns[2]:
        state.choice(
            st.selectbox, "The two sources", list(AGREEMENT), page=PAGE, key="agree",
            clears=_MOVED, format_func=AGREEMENT.__getitem__,
            help=f"Whether {focus} has the same most frequent label as {against}; of equally "
            "frequent ones, one is enough.",
        )  # fmt: skip
    with columns[3]:
        state.choice(
            st.selectbox, "Order", list(ORDERS), page=PAGE, key="order", clears=_MOVED,
            format_func=ORDERS.__getitem__,
            help=f"Distance: {chosen.measure} of {focus}. Disputed: entropy of {against}.",
        )  # fmt: skip


def _walk(items: Items) -> None:
    found, place = items.found, items.found.index(items.open)
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, by in (("Previous", -1), ("Next", 1), ("Random", None)):
            st.button(name, key=f"{PAGE}.items.{name}", on_click=_step, args=(found, by))
        st.html(
            f'<p class="capo-note">{place + 1:,} of {count(len(found), "item")}: '
            f"<b>{escape(short(items.open, 60))}</b></p>"
        )


def _step(found: list[str], by: int | None) -> None:
    """From the item that is open now, which after quick clicks is not the one last drawn.

    Args:
        by: how many places on; None for a random item other than the open one.
    """
    place = found.index(state.get("item")) if state.get("item") in found else 0
    if by is None:
        by = random.SystemRandom().randrange(1, len(found)) if len(found) > 1 else 0
    state.put(PAGE, {"item": found[(place + by) % len(found)]})


def _item(chosen: Chosen, item_id: str) -> None:
    judgments = chosen.reading.judgments
    row = judgments.items.set_index("item_id").loc[item_id]
    task = judgments.task
    st.html(distribution_html.STYLE)
    st.html(item_html(task, row["text_a"], row["text_b"], state.get("q")))
    cards = [_card(chosen, name, item_id) for name in (chosen.against, *chosen.shown)]
    st.html(distribution_html.cards_html(cards, task.scale.labels, ordinal=task.scale.ordinal))
    if task.scale.ordinal:
        _steps(chosen, item_id)
    _explanations(chosen, item_id)


def _card(chosen: Chosen, name: str, item_id: str) -> Card:
    source = chosen.reading.judgments.source(name)
    title, look = source_name(name), chosen.looks[name]
    if item_id not in source.item_ids:
        return Card(title, look, "", None)
    place = source.item_ids.index(item_id)
    people, told = source.people[place], []
    if people == people:  # NaN where it is not known
        told.append(count(int(people), "answer"))
    if name == chosen.against:
        told.append("the measure")
    else:
        told.append(_distance(chosen.per_item, name, item_id, chosen.measure))
    return Card(title, look, "; ".join(part for part in told if part), source.shares[place])


def _distance(per_item: pd.DataFrame, name: str, item_id: str, measure: str) -> str:
    if per_item.empty:
        return ""
    rows = per_item[(per_item["source"] == name) & (per_item["item_id"] == item_id)]
    return f"{measure} {number(float(rows[measure].iloc[0]))}" if len(rows) else ""


def _steps(chosen: Chosen, item_id: str) -> None:
    said = []
    for name in (chosen.against, *chosen.shown):
        source = chosen.reading.judgments.source(name)
        if item_id in source.item_ids:
            shares = steps(source.shares[source.item_ids.index(item_id)])
            said.append((source_name(name), chosen.looks[name], shares, shares, shares))
    picture(
        charts_distributions_more.cumulated(
            chosen.reading.judgments.task.scale, said, source_name(chosen.against)
        ),
        key=f"{PAGE}.steps",
        file_name=f"{chosen.file_stem}-item",
        alt="Share of answers at each point of the scale or below, by source",
    )


def _explanations(chosen: Chosen, item_id: str) -> None:
    """The annotators' answers, then what models wrote about the item."""
    said = chosen.reading.judgments.explanations
    said = said[said["item_id"] == item_id]
    own = search.answers(chosen.dataset, item_id) if chosen.dataset is not None else []
    phrase = state.get("q")
    if own:
        st.html('<p class="capo-chosen-from">What the annotators said, and why</p>')
        st.html(answers_html(own, looks(chosen.dataset.annotators), phrase=phrase))
        said = said[said["source"] != HUMANS]
    for source, rows in said.groupby("source", sort=False):
        title = "Explanations by people" if source == HUMANS else f"Explanations: {source}"
        st.html(f'<p class="capo-chosen-from">{escape(short(title, 120))}</p>')
        look = chosen.looks.get(source)
        shown = [Answer(_number(row), row.label, row.explanation) for row in rows.itertuples()]
        found = {answer.annotator_id: look for answer in shown} if look else {}
        st.html(answers_html(shown, found, phrase=phrase))
    if not own and said.empty:
        note("Nobody explained a label of this item here.")


def _number(row) -> str:
    return f"Explanation {int(row.position) + 1}"
