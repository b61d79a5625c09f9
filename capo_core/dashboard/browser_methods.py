"""Answers of methods beside those of people, as HTML; everything from the data is escaped here.

What differs from the target's own explanation is underlined: words outside of the longest common
sequence, as ROUGE-L counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from capo_core.dashboard.browser import LONGEST
from capo_core.dashboard.theme import Look
from capo_core.dashboard.words import escape
from capo_core.text.tokens import input_spans, spans

STYLE = """<style>
.capo-differs { text-decoration: underline dotted 2px; text-underline-offset: 0.22em;
  text-decoration-color: var(--who, currentColor); }
.capo-told { font-size: 0.85rem; margin: 0.3rem 0 0 0; opacity: 0.78; }
.capo-told b { font-weight: 600; }
.capo-raw { font-family: ui-monospace, monospace; font-size: 0.85rem; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0.2rem 0 0 0; opacity: 0.85; }
.capo-group { font-size: 0.85rem; opacity: 0.7; margin: 0.2rem 0 0 0; }
.capo-target { background: color-mix(in srgb, currentColor 5%, transparent);
  padding-top: 0.4rem; padding-bottom: 0.5rem; border-left-width: 5px; }
</style>"""


@dataclass(frozen=True)
class Shown:
    """One answer as it is shown.

    Attributes:
        who: a person or a method.
        look: their colour.
        told: what else is to be said of it, in words.
        raw: what the model wrote, where it could not be read; "" otherwise.
        target: whether it is the target's own.
    """

    who: str
    look: Look
    label: str
    explanation: str
    told: str = ""
    raw: str = ""
    target: bool = False


def different(text: str, targets: Sequence[str]) -> list[tuple[int, int]]:
    """Places of the words of `text` that the nearest of the target's texts has not, in order."""
    mine = [span for span in spans(text) if span.is_word]
    best: set[int] = set()
    for target in targets:
        theirs = [span.token for span in spans(target) if span.is_word]
        matcher = SequenceMatcher(None, [span.token for span in mine], theirs, autojunk=False)
        common = {
            block.a + step for block in matcher.get_matching_blocks() for step in range(block.size)
        }
        best = max(best, common, key=len)
    return [(span.start, span.end) for i, span in enumerate(mine) if i not in best]


def set_text(text: str, inputs: Sequence[str] = (), targets: Sequence[str] = ()) -> str:
    """`text` as HTML: words of `inputs` greyed, those that none of `targets` has underlined.

    Args:
        inputs, targets: empty for no greying and no underlining.
    """
    cut = len(text) > LONGEST
    text = text[:LONGEST]
    grey = [(span.start, span.end) for span in input_spans(text, *inputs)] if inputs else []
    apart = different(text, targets) if targets else []
    edges = sorted({0, len(text), *(edge for pair in [*grey, *apart] for edge in pair)})
    parts = []
    for start, end in pairwise(edges):
        piece = escape(text[start:end])
        names = [
            name
            for name, places in (("capo-input", grey), ("capo-differs", apart))
            if any(a <= start and end <= b for a, b in places)
        ]
        parts.append(f'<span class="{" ".join(names)}">{piece}</span>' if names else piece)
    if cut:
        parts.append(' <span class="capo-label">… (cut here; the download has the whole)</span>')
    return "".join(parts)


def answers_html(
    shown: Sequence[Shown], *, inputs: Sequence[str] = (), targets: Sequence[str] = ()
) -> str:
    """Answers side by side, each beside the colour of who gave it."""
    return f'<div class="capo-answers">{"".join(_one(one, inputs, targets) for one in shown)}</div>'


def _one(one: Shown, inputs: Sequence[str], targets: Sequence[str]) -> str:
    label = f' <span class="capo-label">{escape(one.label)}</span>' if one.label else ""
    if one.explanation.strip():
        text = set_text(one.explanation, inputs, () if one.target else targets)
    else:
        text = '<span class="capo-label">no explanation</span>'
    told = f'<p class="capo-told">{escape(one.told)}</p>' if one.told else ""
    raw = ""
    if one.raw:
        written = one.raw[:LONGEST] + (" …" if len(one.raw) > LONGEST else "")
        raw = (
            '<p class="capo-told">What the model wrote:</p>'
            f'<p class="capo-raw" dir="auto">{escape(written)}</p>'
        )
    kind = " capo-target" if one.target else ""
    return (
        f'<div class="capo-answer{kind}" style="--who:{one.look.color}"><p class="capo-head">'
        f"<b>{escape(one.who)}</b>{label}</p>"
        f'<p class="capo-text" dir="auto">{text}</p>{raw}{told}</div>'
    )
