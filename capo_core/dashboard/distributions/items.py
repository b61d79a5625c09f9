"""The item view of Distributions: an item's texts, every source's distribution and the
explanations, as escaped HTML.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from capo_core.dashboard.distributions import charts, item_data
from capo_core.dashboard.distributions.item_data import AGREEMENT, ORDERS, Wanted, steps
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.ui import item_html as ui_item_html
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    control_row,
    show_figure,
    show_note,
    warn_of_other_item,
)
from capo_core.dashboard.ui.item_html import Answer, annotators_html, answers_html, item_html
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.dashboard.ui.theme import Look, looks
from capo_core.distributions.compare import measure_title
from capo_core.distributions.sources import HUMANS
from capo_core.distributions.wording import called, source_name
from capo_core.formatting import count, number, percent, short
from capo_core.templates import render

STYLE = """<style>
.capo-dists { display: grid; gap: 0.9rem 1.4rem; margin: 0.2rem 0 0.8rem 0;
  grid-template-columns: repeat(auto-fill, minmax(14.5rem, 1fr)); }
.capo-dist { min-width: 0; border-left: 3px solid var(--who); padding-left: 0.8rem; }
.capo-dist .capo-head { font-size: 0.88rem; margin: 0; overflow-wrap: anywhere; }
.capo-dist .capo-head b { font-weight: 600; }
.capo-dist .capo-sub { font-size: 0.82rem; opacity: 0.7; margin: 0 0 0.35rem 0; }
.capo-bars { display: grid; grid-template-columns: minmax(3rem, 7.2rem) 1fr 2.9rem; gap: 0.15rem
  0.5rem; align-items: center; font-size: 0.85rem; }
.capo-bars span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.capo-bars b { font-weight: 400; text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.capo-bars i, .capo-cols i { background: color-mix(in srgb, currentColor 7%, transparent);
  border-radius: 2px; }
.capo-bars i { display: block; height: 0.72rem; }
.capo-bars i::before, .capo-cols i::before { content: ""; display: block; border-radius: 2px;
  background: var(--who); }
.capo-bars i::before { height: 100%; width: var(--share); }
.capo-cols { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr);
  gap: 0.15rem; font-size: 0.78rem; font-variant-numeric: tabular-nums; }
.capo-cols div { text-align: center; min-width: 0; overflow: hidden; }
.capo-cols i { display: flex; flex-direction: column; justify-content: flex-end; height: 4.6rem; }
.capo-cols i::before { height: var(--share); }
.capo-cols span { opacity: 0.75; }
.capo-none { font-size: 0.85rem; opacity: 0.7; margin: 0; }
.capo-chosen-from { font-size: 0.88rem; opacity: 0.72; margin: 0.2rem 0 0.4rem 0; }
</style>"""


@dataclass(frozen=True)
class Card:
    """The distribution of one source on one item.

    Attributes:
        name: for the screen.
        told: what stands below the name: of how many answers, and how far off.
        shares: in the order of the labels; None where the source has nothing on the item.
    """

    name: str
    look: Look
    told: str
    shares: Sequence[float] | None


def cards_html(cards: Sequence[Card], labels: Sequence[str], *, ordinal: bool) -> str:
    """The cards beside each other: bars for labels, columns for the points of a scale."""
    return render(
        "dashboard/distributions/cards.html.j2",
        cards=[
            (card, None if card.shares is None else _with_widths(labels, card.shares))
            for card in cards
        ],
        ordinal=ordinal,
        short=short,
        percent=percent,
    )


def _with_widths(labels: Sequence[str], shares: Sequence[float]) -> list[tuple[str, float, str]]:
    return [(label, share, _width(share)) for label, share in zip(labels, shares, strict=True)]


def _width(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, float(share))):.1f}%"


_MOVED = ("item",)


@dataclass(frozen=True)
class Items:
    """The items that pass the filters, in their order, and the open one ("" where none passes)."""

    found: list[str]
    open: str


def order(chosen: Chosen) -> Items:
    """Return the order in the address; the charts above the filters need it first."""
    labels = chosen.reading.judgments.task.scale.labels
    wanted = Wanted(
        url_state.get("q"),
        url_state.require("label", labels),
        url_state.get("agree") if url_state.get("agree") in AGREEMENT else "",
        url_state.get("order") if url_state.get("order") in ORDERS else "far",
    )
    judgments = chosen.reading.judgments
    frame = item_data.on_items(
        judgments.source(chosen.against), judgments.source(chosen.focus), chosen.of_focus()
    )
    found = item_data.found(judgments, frame, wanted, chosen.measure)
    asked = url_state.require("item", set(judgments.items["item_id"]))
    if asked in found:
        return Items(found, asked)
    return Items(found, item_data.fullest(found, [judgments.source(n) for n in chosen.shown]))


def show(chosen: Chosen, items: Items) -> None:
    """Show the filters in a row, then the open item."""
    _controls(chosen)
    if not items.found:
        show_note("No items match the filters.")
        st.button(
            "Show all items", key=f"{PAGE}.items.clear", on_click=url_state.put,
            args=(PAGE, dict.fromkeys(("q", "label", "agree", *_MOVED))),
        )  # fmt: skip
        return
    _walk(items)
    warn_of_other_item(url_state.get("item"), items.open)
    _item(chosen, items.open)


def _controls(chosen: Chosen) -> None:
    with control_row("items", [3, 2, 2, 2]) as columns:
        _filters(chosen, columns)


def _filters(chosen: Chosen, columns: list) -> None:
    against, focus = markdown(called(chosen.against)), markdown(called(chosen.focus))
    with columns[0]:
        url_state.text(
            "Words", page=PAGE, key="q", clears=_MOVED, placeholder="a word or phrase",
            help="Searches the item's texts and its explanations.",
        )  # fmt: skip
    with columns[1]:
        url_state.choice(
            st.selectbox, "Most frequent label", ["", *chosen.reading.judgments.task.scale.labels],
            page=PAGE, key="label", clears=_MOVED, format_func=lambda name: name or "any label",
            help=f"According to {against}.",
        )  # fmt: skip
    with columns[2]:
        url_state.choice(
            st.selectbox, "Agreement", list(AGREEMENT), page=PAGE, key="agree",
            clears=_MOVED, format_func=AGREEMENT.__getitem__,
            help=f"Whether {focus} has the same most frequent label as {against}; "
            "one of several tied labels is enough.",
        )  # fmt: skip
    with columns[3]:
        url_state.choice(
            st.selectbox, "Order", list(ORDERS), page=PAGE, key="order", clears=_MOVED,
            format_func=ORDERS.__getitem__,
            help=f"Distance: {measure_title(chosen.measure)} of {focus}. Disputed: entropy of "
                 f"{against}.",
        )  # fmt: skip


def _walk(items: Items) -> None:
    found, place = items.found, items.found.index(items.open)
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, by in (("Previous", -1), ("Next", 1), ("Random", None)):
            st.button(
                name, key=f"{PAGE}.items.{name}", on_click=_step, args=(found, items.open, by)
            )
        st.html(
            f'<p class="capo-note">{place + 1:,} of {count(len(found), "item")}: '
            f"<b>{escape(short(items.open, 60))}</b></p>"
        )


def _step(found: list[str], drawn: str, by: int | None) -> None:
    """Move from the item that is open now, which after quick clicks is not the one last drawn.

    Args:
        drawn: the open item where the address names none.
        by: how many places on; None for a random item other than the open one.
    """
    now = url_state.get("item")
    place = found.index(now if now in found else drawn)
    if by is None:
        by = random.SystemRandom().randrange(1, len(found)) if len(found) > 1 else 0
    url_state.put(PAGE, {"item": found[(place + by) % len(found)]})


def _item(chosen: Chosen, item_id: str) -> None:
    judgments = chosen.reading.judgments
    row = judgments.items.set_index("item_id").loc[item_id]
    task = judgments.task
    st.html(STYLE)
    st.html(item_html(task, row["text_a"], row["text_b"], url_state.get("q")))
    far = _distances(chosen.per_item, item_id, chosen.measure)
    cards = [_card(chosen, name, item_id, far) for name in (chosen.against, *chosen.shown)]
    st.html(cards_html(cards, task.scale.labels, ordinal=task.scale.ordinal))
    if task.scale.ordinal:
        _steps(chosen, item_id)
    _explanations(chosen, item_id)


def _card(chosen: Chosen, name: str, item_id: str, far: Mapping[str, float]) -> Card:
    source = chosen.reading.judgments.source(name)
    title, look = source_name(name), chosen.looks[name]
    if item_id not in source.item_ids:
        return Card(title, look, "", None)
    place = source.item_ids.index(item_id)
    people, told = source.people[place], []
    if people == people:  # NaN where it is not known
        told.append(count(int(people), "answer"))
    if name == chosen.against:
        told.append("reference")
    elif name in far:
        told.append(f"{measure_title(chosen.measure)} {number(far[name])}")
    return Card(title, look, "; ".join(part for part in told if part), source.shares[place])


def _distances(per_item: pd.DataFrame, item_id: str, measure: str) -> dict[str, float]:
    """Return source → its distance on an item, of those that have it."""
    if per_item.empty:
        return {}
    rows = per_item[per_item["item_id"] == item_id]
    return dict(zip(rows["source"], rows[measure].astype(float), strict=True))


def _steps(chosen: Chosen, item_id: str) -> None:
    said = []
    for name in (chosen.against, *chosen.shown):
        source = chosen.reading.judgments.source(name)
        if item_id in source.item_ids:
            shares = steps(source.shares[source.item_ids.index(item_id)])
            said.append((source_name(name), chosen.looks[name], shares, shares, shares))
    show_figure(
        charts.cumulated(chosen.reading.judgments.task.scale, said, source_name(chosen.against)),
        key=f"{PAGE}.steps",
        file_name=f"{chosen.file_stem}-item",
        alt="Share of answers at each point of the scale or below, by source",
    )


def _explanations(chosen: Chosen, item_id: str) -> None:
    """Show the annotators' answers, then the explanations by models."""
    said = chosen.reading.judgments.explanations
    said = said[said["item_id"] == item_id]
    own = ui_item_html.answers(chosen.dataset, item_id) if chosen.dataset is not None else []
    phrase = url_state.get("q")
    if own:
        st.html('<p class="capo-chosen-from">Labels and explanations of the annotators</p>')
        st.html(annotators_html(own, looks(chosen.dataset.annotators), phrase=phrase))
        said = said[said["source"] != HUMANS]
    for source, rows in said.groupby("source", sort=False):
        title = "Human explanations" if source == HUMANS else f"Explanations: {source_name(source)}"
        st.html(f'<p class="capo-chosen-from">{escape(short(title, 120))}</p>')
        look = chosen.looks.get(source)
        one = len(rows) == 1
        shown = [
            Answer("Explanation" if one else _number(row), row.label, row.explanation)
            for row in rows.itertuples()
        ]
        found = {answer.annotator_id: look for answer in shown} if look else {}
        st.html(answers_html(shown, found, phrase=phrase))
    if not own and said.empty:
        show_note("No explanations for this item.")


def _number(row) -> str:
    return f"Explanation {int(row.position) + 1}"
