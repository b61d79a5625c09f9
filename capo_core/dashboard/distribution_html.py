"""Distributions of one item side by side, as HTML; everything from the data is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.dashboard.theme import Look
from capo_core.dashboard.words import escape, percent, short

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
    """What one source says of one item.

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
    return (
        f'<div class="capo-dists">{"".join(_card(card, labels, ordinal) for card in cards)}</div>'
    )


def _card(card: Card, labels: Sequence[str], ordinal: bool) -> str:
    if card.shares is None:
        body = '<p class="capo-none">says nothing of this item</p>'
    else:
        body = (_columns if ordinal else _bars)(card.shares, labels)
    return (
        f'<div class="capo-dist" style="--who:{card.look.color}">'
        f'<p class="capo-head"><b>{escape(short(card.name, 90))}</b></p>'
        f'<p class="capo-sub">{escape(card.told) or "&nbsp;"}</p>{body}</div>'
    )


def _bars(shares: Sequence[float], labels: Sequence[str]) -> str:
    rows = (
        f'<span dir="auto" title="{escape(label)}">{escape(short(label, 40))}</span>'
        f'<i style="--share:{_width(share)}"></i><b>{percent(share)}</b>'
        for label, share in zip(labels, shares, strict=True)
    )
    return f'<div class="capo-bars">{"".join(rows)}</div>'


def _columns(shares: Sequence[float], labels: Sequence[str]) -> str:
    columns = (
        f'<div title="{escape(label)}: {percent(share)}">'
        f'<i style="--share:{_width(share)}"></i><span>{escape(short(label, 4))}</span></div>'
        for label, share in zip(labels, shares, strict=True)
    )
    return f'<div class="capo-cols">{"".join(columns)}</div>'


def _width(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, float(share))):.1f}%"
