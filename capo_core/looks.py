"""Colours, markers and dashes of annotators, methods and reductions: the same on every page, in
every figure and in what is exported. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.text.reductions import REDUCTIONS

# Okabe & Ito (2008), colour-blind safe. Their black cannot be seen on dark ground and is a grey
# here; the yellow, faint on white, comes last.
OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A8F94",
    "#C9B800",
)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
DASHES = ("solid", "dash", "dot", "dashdot")
NEUTRAL = "#8A8F94"
FAINT = "rgba(138, 143, 148, 0.28)"
HUMAN_INK, HUMAN_INK_DARK = "#20262C", "#E6E9ED"  # of human texts, on light and on dark ground


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash of an annotator or method, in all charts."""

    color: str
    symbol: str
    dash: str


def looks(annotators: Sequence[str]) -> dict[str, Look]:
    """Return a look per annotator by their order; from the ninth on, dashes and markers change."""
    found = {}
    for position, annotator in enumerate(annotators):
        round_, place = divmod(position, len(OKABE_ITO))
        found[annotator] = Look(
            OKABE_ITO[place],
            SYMBOLS[(place + round_) % len(SYMBOLS)],
            DASHES[round_ % len(DASHES)],
        )
    return found


# Colour, marker and dash of each method: none of these colours is an annotator's.
METHOD_LOOKS = {
    "zero_shot": ("#7D8CA3", "circle", "dot"),
    "icl": ("#3FA39A", "square", "dashdot"),
    "profile": ("#9A9433", "diamond", "dash"),
    "sft": ("#6470DB", "triangle-up", "solid"),
    "capo": ("#CF3A75", "star", "solid"),
}
_MORE_METHODS = ("#A9714B", "#8A62B8", "#5E9A4C", "#B3586B", "#4E8FB0")

# Colour, marker and dash of the reductions, by their place in `text.reductions.REDUCTIONS`: a
# family apart from the annotators'.
_REDUCTION_LOOKS = (
    ("#6B7280", "circle", "solid"),
    ("#2F6FB0", "square", "solid"),
    ("#2A9D8F", "diamond", "dash"),
    ("#9467BD", "triangle-up", "dot"),
    ("#C98A1B", "star", "dashdot"),
    ("#B3586B", "cross", "solid"),
    ("#5E9A4C", "x", "dash"),
    ("#8A62B8", "pentagon", "dot"),
)


def reduction_look(name: str) -> Look:
    """Return the look of a reduction, by its place in the registry; neutral for an unknown one."""
    if name not in REDUCTIONS:
        return Look(NEUTRAL, "circle", "solid")
    return Look(*_REDUCTION_LOOKS[list(REDUCTIONS).index(name) % len(_REDUCTION_LOOKS)])


def human_look(*, dark: bool) -> Look:
    """Return the look of human texts beside methods: the colour of text in either theme."""
    return Look(HUMAN_INK_DARK if dark else HUMAN_INK, "star-diamond", "solid")


def method_looks(sources: Sequence[str]) -> dict[str, Look]:
    """Return a look per method; two models of one method share its colour, not its marker."""
    found: dict[str, Look] = {}
    heads: list[str] = []
    for source in sources:
        head = source.partition(" ")[0]
        again = heads.count(head)
        heads.append(head)
        if head in METHOD_LOOKS:
            color, symbol, dash = METHOD_LOOKS[head]
        else:
            place = len([name for name in found if name.partition(" ")[0] not in METHOD_LOOKS])
            color = _MORE_METHODS[place % len(_MORE_METHODS)]
            symbol, dash = SYMBOLS[place % len(SYMBOLS)], DASHES[place % len(DASHES)]
            again = 0
        if again:
            symbol = SYMBOLS[(SYMBOLS.index(symbol) + again) % len(SYMBOLS)]
            dash = DASHES[again % len(DASHES)]
        found[source] = Look(color, symbol, dash)
    return found
