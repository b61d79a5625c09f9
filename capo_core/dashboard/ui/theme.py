"""Colours, markers and titles that are the same on every page, and the style sheet of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.prompting.prompts import method_name as method_name
from capo_core.stability.controls import control_title
from capo_core.templates import style
from capo_core.text.reductions import REDUCTIONS, reduction_title
from capo_core.text.representations import representation_title

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
# Of cells, from none to all, and of human texts, on light and on dark ground.
CELLS, CELLS_DARK = ("#F3F6F9", "#2F6FB0"), ("#1E252B", "#4A94C4")
_HUMAN, _HUMAN_DARK = "#20262C", "#E6E9ED"
# What a colour of dark ground is on white.
ON_WHITE = dict(zip((*CELLS_DARK, _HUMAN_DARK), (*CELLS, _HUMAN), strict=True))


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


def reduction_name(name: str) -> str:
    """Return the title of a reduction or of its control; an unknown name as words."""
    return _titled(reduction_title(name), name)


def representation_name(name: str) -> str:
    """Return the title of a representation; an unknown name as words."""
    return _titled(representation_title(name), name)


def control_name(name: str) -> str:
    """Return the title of a control; an unknown name as words."""
    return _titled(control_title(name), name)


def _titled(title: str, name: str) -> str:
    return plain(name) if title == name else title


def human_look(*, dark: bool) -> Look:
    """Return the look of human texts beside methods: the colour of text in either theme."""
    return Look(_HUMAN_DARK if dark else _HUMAN, "star-diamond", "solid")


def cell_colors(*, dark: bool) -> list[list]:
    """Return Plotly's colour scale of a matrix's cells.

    It begins with the page's own ground, so that an empty cell is quiet on either theme.
    """
    none, all_ = CELLS_DARK if dark else CELLS
    return [[0, none], [1, all_]]


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


def plain(name: str) -> str:
    """Return an identifier as words: "same_label" → "Same label"."""
    return name.replace("_", " ").strip().capitalize()


CSS = style("dashboard/ui/page.css")
