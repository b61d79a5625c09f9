"""Colours, markers and titles that are the same on every page, and the style sheet of the pages."""

from __future__ import annotations

from capo_core.imitation.prompting.prompts import method_name as method_name
from capo_core.looks import DASHES as DASHES
from capo_core.looks import FAINT as FAINT
from capo_core.looks import HUMAN_INK, HUMAN_INK_DARK
from capo_core.looks import METHOD_LOOKS as METHOD_LOOKS
from capo_core.looks import NEUTRAL as NEUTRAL
from capo_core.looks import OKABE_ITO as OKABE_ITO
from capo_core.looks import SYMBOLS as SYMBOLS
from capo_core.looks import Look as Look
from capo_core.looks import human_look as human_look
from capo_core.looks import looks as looks
from capo_core.looks import method_looks as method_looks
from capo_core.looks import reduction_look as reduction_look
from capo_core.stability.controls import control_title
from capo_core.templates import style
from capo_core.text.reductions import reduction_title
from capo_core.text.representations import representation_title

# Of cells, from none to all, on light and on dark ground.
CELLS, CELLS_DARK = ("#F3F6F9", "#2F6FB0"), ("#1E252B", "#2A73A6")
# What a colour of dark ground is on white.
ON_WHITE = dict(zip((*CELLS_DARK, HUMAN_INK_DARK), (*CELLS, HUMAN_INK), strict=True))


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


def cell_colors(*, dark: bool) -> list[list]:
    """Return Plotly's colour scale of a matrix's cells.

    It begins with the page's own ground, so that an empty cell is quiet on either theme.
    """
    none, all_ = CELLS_DARK if dark else CELLS
    return [[0, none], [1, all_]]


def row_ink(*, dark: bool, pinned: bool = False) -> str:
    """Return the colour of words in a table, as CSS, with a contrast of 4.5 at least.

    Of rows that only stand beside the others: no one grey would do on both themes.

    Args:
        pinned: of names in a pinned column, where Streamlit draws colours more faintly.
    """
    if pinned:
        return f"color: {'#FFFFFF' if dark else '#000000'}"
    return f"color: {'#9AA1A8' if dark else '#676D73'}"


def plain(name: str) -> str:
    """Return an identifier as words: "same_label" → "Same label"."""
    return name.replace("_", " ").strip().capitalize()


CSS = style("dashboard/ui/page.css")
