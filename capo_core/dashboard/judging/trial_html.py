"""The judge's half of a kind of trial, how its texts and answers are named; and all HTML.

What comes from data is escaped by the templates. Nothing in the HTML names a text: no identifier,
no file, no class that differs from text to text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import CardView, TrialView
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, COMPARISON, REASONING, TIE
from capo_core.templates import render

MOST_COLUMNS = 4  # people beside each other; with more, each has a card


@dataclass(frozen=True)
class TrialDisplay:
    """Names on the judge's page, for one kind of trial.

    Attributes:
        text_names: of the texts judged, in the order of the screen; () for none.
        reference_name: of the text that is not judged.
        answer_names: answer → its button; answers that are not named are their own name.
        order: the answers as they stand on the screen; () for the kind's own order.
        hint: one sentence below the answers.
    """

    text_names: tuple[str, ...] = ()
    reference_name: str = "For reference"
    answer_names: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    hint: str = ""


# Trial kind → its names; a kind without an entry has those of `TrialDisplay`.
DISPLAYS: dict[str, TrialDisplay] = {
    ATTRIBUTION: TrialDisplay(answer_names={CANNOT_TELL: "Cannot tell"}),
    COMPARISON: TrialDisplay(
        text_names=("First", "Second"),
        answer_names={"left": "First", "right": "Second", TIE: "No difference"},
        order=("left", TIE, "right"),
        hint="Their order is random.",
    ),
    REASONING: TrialDisplay(
        text_names=("To judge",),
        reference_name="The other one",
        answer_names={
            "1": "Not at all", "2": "A little", "3": "Partly", "4": "Mostly", "5": "Entirely",
        },
    ),
}  # fmt: skip


def display_of(kind: str) -> TrialDisplay:
    """Return the names of a kind of trial."""
    return DISPLAYS.get(kind) or TrialDisplay()


def style_html() -> str:
    """Return the page's style sheet as an element."""
    return render("dashboard/judging/style.html.j2")


def texts_html(view: TrialView, terms: Terms) -> str:
    """Return what is judged: items with their explanations, in the order of the screen."""
    display = display_of(view.kind)
    names = display.text_names or ("",) * len(view.texts)
    shown = list(zip(names, view.texts, strict=True))
    if view.reference is not None:
        shown.append((display.reference_name, view.reference))
    items = {(text.text_a, text.text_b) for _, text in shown}
    return render(
        "dashboard/judging/texts.html.j2",
        shown=shown,
        terms=terms,
        one_item=len(shown) > 1 and len(items) == 1,
    )


def cards_html(cards: Sequence[CardView], terms: Terms) -> str:
    """Return the reference cards; empty where the trial has none.

    Where all people answered the same items, a wide window has them beside each other under each
    item, so that all are seen at once; a narrow one has a card for each.
    """
    if not cards:
        return ""
    items = [[(text.text_a, text.text_b) for text in card.examples] for card in cards]
    together = 1 < len(cards) <= MOST_COLUMNS and all(each == items[0] for each in items)
    rows = list(zip(*(card.examples for card in cards), strict=True)) if together else []
    return render(
        "dashboard/judging/cards.html.j2", cards=cards, terms=terms, together=together, rows=rows
    )


def progress_html(words: str, share: float) -> str:
    """Return the progress in words and as a bar."""
    width = round(100 * min(1.0, max(0.0, share)))
    return render("dashboard/judging/progress.html.j2", words=words, width=width)
