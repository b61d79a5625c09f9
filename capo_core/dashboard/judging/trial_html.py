"""The styles of the judge's page: texts, cards and buttons in view together, on any window.

Only mixtures of the current text colour are used, as in `styles`.

A trial's texts and cards as HTML; all that comes from data is escaped here, and only here built.

Nothing in it names a text: no identifier, no file, no class that differs from text to text.
"""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.dashboard.ui.text import escape
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import CardView, TextView, TrialView
from capo_core.study.tables import COMPARISON

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


def _item(text: TextView, terms: Terms) -> str:
    rows = [(terms.role_a, text.text_a), (terms.role_b, text.text_b)]
    lines = (
        f'<p dir="auto"><span class="judge-role">{escape(role.capitalize())}</span>'
        f"{escape(words)}</p>"
        for role, words in rows
        if words
    )
    return f'<div class="judge-item">{"".join(lines)}</div>'


def _answer(text: TextView, name: str) -> str:
    head = f"<b>{escape(name)}</b> " if name else ""
    return (
        f'<div class="judge-answer"><p class="judge-head">{head}'
        f'<span class="judge-label">{escape(text.label)}</span></p>'
        f'<p class="judge-words" dir="auto">{escape(text.explanation)}</p></div>'
    )


CSS = """<style>
.stApp .block-container { max-width: 1360px; padding-top: 3.2rem; padding-bottom: 1.2rem; }
.stApp h1 { font-size: 1.5rem; line-height: 1.3; padding: 0 0 0.6rem 0; }
.st-key-judge-tools { margin-top: -0.7rem; }
.judge-far { display: flex; justify-content: space-between; gap: 1rem; font-size: 0.93rem; }
.judge-far span { font-variant-numeric: tabular-nums; }
.judge-saved { opacity: 0.75; }
.judge-line {
  height: 4px; border-radius: 2px; margin-top: 0.35rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 12%, transparent);
}
.judge-line div { height: 100%; background: #3a86b8; }
.judge-item { opacity: 0.78; margin-bottom: 0.4rem; }
.judge-item p {
  margin: 0 0 0.2rem 0; font-size: 0.95rem; line-height: 1.45; overflow-wrap: anywhere;
}
.judge-role { opacity: 0.75; font-size: 0.85em; margin-right: 0.45rem; }
.judge-answer {
  border-left: 3px solid #3a86b8; padding: 0.05rem 0 0.05rem 0.8rem; min-width: 0;
}
.judge-head { margin: 0 0 0.15rem 0; font-size: 0.86rem; }
.judge-label { opacity: 0.75; }
.judge-words { margin: 0; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere; }
.judge-texts .judge-words { font-size: 1.08rem; }
.judge-one + .judge-one { margin-top: 1.1rem; }
.judge-pair {
  display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr));
}
.judge-each { display: grid; gap: 0.8rem; }
.judge-all { display: none; }
.judge-of-2 { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.judge-card, .judge-all {
  background: color-mix(in srgb, currentColor 4%, transparent); border-radius: 6px;
  padding: 0.6rem 0.8rem 0.8rem; min-width: 0;
}
.judge-row { display: grid; gap: 0.8rem; }
.judge-cards h3 { margin: 0 0 0.35rem 0; padding: 0; font-size: 1.05rem; font-weight: 650; }
.judge-cards .judge-item { opacity: 0.7; margin-bottom: 0.25rem; }
.judge-cards .judge-item p { margin: 0; font-size: 0.82rem; line-height: 1.35; }
.judge-cards .judge-answer {
  border-left-width: 2px; border-left-color: color-mix(in srgb, currentColor 25%, transparent);
  padding-left: 0.6rem;
}
.judge-cards .judge-words { font-size: 0.95rem; line-height: 1.45; }
.judge-cards .judge-head { font-size: 0.8rem; margin: 0; }
.judge-example + .judge-example {
  margin-top: 0.6rem; padding-top: 0.6rem;
  border-top: 1px solid color-mix(in srgb, currentColor 10%, transparent);
}
.st-key-judge-desk {
  display: grid !important; align-items: start; gap: 1rem 1.6rem !important;
  grid-template-columns: minmax(0, 5fr) minmax(0, 7fr);
  grid-template-rows: auto 1fr; grid-template-areas: "texts cards" "answer cards";
}
.st-key-judge-desk > :nth-child(1) { grid-area: texts; }
.st-key-judge-desk > :nth-child(2) { grid-area: cards; }
.st-key-judge-desk > :nth-child(3) { grid-area: answer; }
.st-key-judge-desk .judge-texts { max-height: 46vh; overflow: auto; }
.st-key-judge-desk .judge-cards { max-height: calc(100vh - 11rem); overflow: auto; }
.st-key-judge-desk .stButton button { min-height: 2.75rem; }
.st-key-judge-desk:has(.judge-none) {
  grid-template-columns: minmax(0, 50rem); grid-template-areas: "texts" "answer";
}
.st-key-judge-desk > :has(.judge-none) { display: none; }
.st-key-judge-choices > * { flex: 1 1 auto; }
.st-key-judge-sure {
  display: grid !important; grid-template-columns: repeat(4, minmax(0, 1fr));
}
.st-key-judge-sure button { padding-left: 0.4rem; padding-right: 0.4rem; }
.st-key-judge-sure > * { width: 100%; }
.st-key-judge-choices .stButton, .st-key-judge-sure .stButton,
.st-key-judge-choices button, .st-key-judge-sure button { width: 100%; }
@media (min-width: 1100px) {
  .judge-both .judge-each { display: none; }
  .judge-both .judge-all { display: block; }
}
@media (max-width: 1099px) {
  .judge-of-2 { grid-template-columns: minmax(0, 1fr); }
  .st-key-judge-sure { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
@media (max-width: 700px) {
  .stApp .block-container { padding: 3.4rem 0.8rem 0.4rem; }
  .stApp .block-container > .stVerticalBlock { gap: 0.6rem; }
  .st-key-judge-desk {
    display: flex !important; flex-direction: column; gap: 0.6rem !important;
  }
  .st-key-judge-desk > * { width: 100%; }
  .st-key-judge-desk .judge-texts { max-height: 27vh; }
  .st-key-judge-desk .judge-cards { max-height: none; overflow: visible; }
  .st-key-judge-desk .judge-each {
    display: flex; gap: 0.6rem; overflow-x: auto; scroll-snap-type: x mandatory;
  }
  .st-key-judge-desk .judge-card {
    flex: 0 0 86%; max-height: 32vh; overflow-y: auto; scroll-snap-align: start;
  }
  .st-key-judge-desk .judge-of-1 .judge-card { flex-basis: 100%; }
  .st-key-judge-desk [class*="st-key-save-"] { position: sticky; bottom: 0.4rem; z-index: 2; }
  .st-key-judge-desk .stButton button { padding-left: 0.4rem; padding-right: 0.4rem; }
  .st-key-judge-sure { grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.4rem !important; }
  .st-key-judge-sure button { font-size: 0.86rem; }
  .judge-far { font-size: 0.86rem; }
  .judge-texts .judge-words { font-size: 1rem; }
}
</style>"""
