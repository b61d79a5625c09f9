"""A trial's texts and cards as HTML; all that comes from data is escaped here, and only here built.

Nothing in it names a text: no identifier, no file, no class that differs from text to text.
"""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.dashboard.words import escape
from capo_core.study.tables import COMPARISON
from capo_core.study.terms import Terms
from capo_core.study.views import CardView, Shown, TrialView

MOST_COLUMNS = 4  # people beside each other; with more, each has a card


def texts_html(view: TrialView, terms: Terms) -> str:
    """What is judged: items with their explanations, in the order of the screen."""
    if view.kind == COMPARISON:
        names = ("Left", "Right")
    elif view.reference is not None:
        names = ("To judge",)
    else:
        names = ("",) * len(view.texts)
    shown = list(zip(names, view.texts, strict=True))
    if view.reference is not None:
        shown.append(("The other one", view.reference))
    if len(shown) > 1 and len({(text.text_a, text.text_b) for _, text in shown}) == 1:
        answers = "".join(_answer(text, name) for name, text in shown)
        body = f'{_item(shown[0][1], terms)}<div class="judge-pair">{answers}</div>'
    else:
        body = "".join(
            f'<div class="judge-one">{_item(text, terms)}{_answer(text, name)}</div>'
            for name, text in shown
        )
    return f'<div class="judge-texts" tabindex="0" role="region" aria-label="Texts">{body}</div>'


def cards_html(cards: Sequence[CardView], terms: Terms) -> str:
    """The reference cards; empty where the trial has none.

    Where all people answered the same items, a wide window has them beside each other under each
    item, so that all are seen at once; a narrow one has a card for each.
    """
    if not cards:
        return ""
    each = "".join(_card(card, terms) for card in cards)
    found = f'<div class="judge-each judge-of-{min(len(cards), 2)}">{each}</div>'
    items = [[(one.text_a, one.text_b) for one in card.examples] for card in cards]
    together = 1 < len(cards) <= MOST_COLUMNS and all(one == items[0] for one in items)
    if together:
        found += f'<div class="judge-all">{_table(cards, terms)}</div>'
    kind = "judge-cards judge-both" if together else "judge-cards"
    return f'<div class="{kind}" tabindex="0" role="region" aria-label="Cards">{found}</div>'


def _card(card: CardView, terms: Terms) -> str:
    examples = "".join(
        f'<div class="judge-example">{_item(one, terms)}{_answer(one, "")}</div>'
        for one in card.examples
    )
    name = escape(card.letter or "This person")
    return f'<section class="judge-card"><h3>{name}</h3>{examples}</section>'


def _table(cards: Sequence[CardView], terms: Terms) -> str:
    """One row an item, one column a person."""
    columns = f"grid-template-columns: repeat({len(cards)}, minmax(0, 1fr))"
    heads = "".join(f"<h3>{escape(card.letter)}</h3>" for card in cards)
    rows = [f'<div class="judge-row judge-heads" style="{columns}">{heads}</div>']
    for same in zip(*(card.examples for card in cards), strict=True):
        answers = "".join(_answer(one, "") for one in same)
        rows.append(
            f'<div class="judge-example">{_item(same[0], terms)}'
            f'<div class="judge-row" style="{columns}">{answers}</div></div>'
        )
    return "".join(rows)


def progress_html(words: str, share: float, saved: str = "") -> str:
    """How far one is, in words and as a line; what was saved is read out to those who listen."""
    width = round(100 * min(1.0, max(0.0, share)))
    return (
        f'<div class="judge-far"><span>{escape(words)}</span>'
        f'<span class="judge-saved" role="status">{escape(saved)}</span></div>'
        f'<div class="judge-line"><div style="width:{width}%"></div></div>'
    )


def _item(text: Shown, terms: Terms) -> str:
    rows = [(terms.role_a, text.text_a), (terms.role_b, text.text_b)]
    lines = (
        f'<p dir="auto"><span class="judge-role">{escape(role.capitalize())}</span>'
        f"{escape(words)}</p>"
        for role, words in rows
        if words
    )
    return f'<div class="judge-item">{"".join(lines)}</div>'


def _answer(text: Shown, name: str) -> str:
    head = f"<b>{escape(name)}</b> " if name else ""
    return (
        f'<div class="judge-answer"><p class="judge-head">{head}'
        f'<span class="judge-label">{escape(text.label)}</span></p>'
        f'<p class="judge-words" dir="auto">{escape(text.explanation)}</p></div>'
    )
