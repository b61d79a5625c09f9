"""Figures for print: a chart of a page, drawn anew by Matplotlib at the width of a column.

A paper needs vector figures with small type on white ground, at the width of its column; a picture
of the screen is neither. What is drawn is what the Plotly figure holds (see `print_axes`), so that
a chart is described once. No browser is needed.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from capo_core.dashboard.ui.figure_data import plain
from capo_core.dashboard.ui.print_axes import (
    LETTER,
    POINTS,
    SMALL,
    AxesDrawing,
    ChartAxis,
    inches_of,
    legend_entries,
    set_up_axes,
    tick_lines,
    values_along,
)
from capo_core.dashboard.ui.print_text import wrapped
from capo_core.dashboard.ui.typefaces import missing_typefaces, typefaces
from capo_core.formatting import capitalised, count
from capo_core.provenance import PRODUCT, Provenance

# Width in inches of a column and of the text, in the style of the ACL conferences.
WIDTHS = {"one column": 7.7 / 2.54, "two columns": 16.0 / 2.54}
MIME_TYPES = {"pdf": "application/pdf", "svg": "image/svg+xml", "png": "image/png"}
BARE = "-bare"  # in the name of a file without title, caption and provenance
_DPI = 300
_TYPE, _FINE = 8.0, 5.5  # points: title, provenance
_BOLD, _WIDE = 0.62, 0.6  # widths of letters as `LETTER`: of bold text, of names and numbers
_LEAST, _MOST = 0.5, 0.78  # height of a chart without categories, of its width


def printed(
    figure: go.Figure,
    kind: str,
    width: str,
    *,
    title: str,
    caption: str,
    provenance: Provenance,
    bare: bool = False,
) -> bytes:
    """Return a figure as a file for print, light in either theme.

    Args:
        kind: "pdf", "svg" or "png" (300 dots an inch). width: one of `WIDTHS`.
        title: stands above; what is simulated is said there. caption: stands below.
        provenance: stands below in fine type, and in the file's own description.
        bare: leave title, caption and provenance out of the picture, as papers want it; only that
            data are simulated is said. Title and provenance stay in the file's description, and
            all three in `caption_file`.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # What is simulated is never without a word of it, whatever else is left out.
    mark = capitalised(provenance.mark) if provenance.mark else ""
    words = ("", "", mark) if bare else (provenance.titled(title), caption, provenance.line)
    families, missing = typefaces({*"".join(words), *_letters_in(figure.to_plotly_json())})
    settings = {
        "font.family": families,
        "font.size": SMALL,
        "axes.linewidth": 0.6,
        "pdf.fonttype": 42,  # whole letters: what conferences ask for
        "text.parse_math": False,
        "svg.hashsalt": PRODUCT,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the figure says it
        page = _drawn(figure, WIDTHS[width], *words)
        FigureCanvasAgg(page)
        if missing and (lacking := missing & _letters_drawn(page)):
            # Also without title and caption: nobody is to take a box for a letter.
            note = missing_typefaces(lacking)
            page = _drawn(figure, WIDTHS[width], *words[:2], " | ".join(filter(None, (words[2],
                          note))))  # fmt: skip
            FigureCanvasAgg(page)
        out = io.BytesIO()
        page.savefig(out, format=kind, dpi=_DPI, metadata=_metadata(kind, title, provenance))
    return out.getvalue()


def _letters_drawn(page) -> set[str]:
    """Return the letters of all texts on a Matplotlib figure."""
    from matplotlib.text import Text

    page.draw_without_rendering()  # the names of ticks are made by drawing
    return set().union(*(text.get_text() for text in page.findobj(Text) if text.get_visible()))


def _letters_in(part: Any) -> set[str]:
    """Return the letters of all texts in a part of a figure."""
    if isinstance(part, str):
        return set(part)
    if isinstance(part, Mapping):
        part = part.values()
    elif isinstance(part, np.ndarray):
        part = part.ravel() if part.dtype.kind in "OU" else ()
    elif not isinstance(part, list | tuple):
        return set()
    return set().union(*map(_letters_in, part))


def caption_of(title: str, caption: str, provenance: Provenance) -> str:
    """Return the text for below a figure in a paper: result, what is drawn, data and n."""
    counted = ", ".join(count(number, noun) for noun, number in provenance.n)
    data = f"Data: {provenance.dataset}" if provenance.dataset else ""
    said = [provenance.titled(title), caption, "; ".join(filter(None, (data, counted)))]
    return " ".join(f"{part.rstrip('.')}." for part in said if part)


def caption_file(title: str, caption: str, provenance: Provenance) -> str:
    """Return the text file beside a figure: its caption, and the provenance as the last line."""
    return f"{caption_of(title, caption, provenance)}\n\n{provenance.line}\n"


def _metadata(kind: str, title: str, provenance: Provenance) -> dict[str, str | None]:
    """Return the file's description of itself, in the words that its format has for it."""
    maker = f"{PRODUCT} {provenance.version}"
    said = {"Title": provenance.titled(title)}
    if kind == "pdf":
        return said | {"Subject": provenance.line, "Creator": maker, "Producer": maker,
                       "CreationDate": None}  # fmt: skip
    if kind == "svg":
        return said | {"Description": provenance.line, "Creator": maker, "Date": None}
    return said | {"Description": provenance.line, "Software": maker}


def _drawn(figure: go.Figure, width: float, title: str, caption: str, origin: str):
    """Return the Matplotlib figure."""
    from matplotlib.figure import Figure

    traces = [trace for trace in figure.data if not _unseen(trace)]
    x = ChartAxis.of(figure.layout.xaxis, values_along(traces, "x"))
    y = ChartAxis.of(figure.layout.yaxis, values_along(traces, "y"))
    entries = legend_entries(figure, traces)
    above = _lines(title, _TYPE, width, _BOLD)
    said, told = _lines(caption, SMALL, width), _lines(origin, _FINE, width, _WIDE)
    head = inches_of(len(above), _TYPE) + 0.06
    foot = inches_of(len(said), SMALL) + inches_of(len(told), _FINE) + 0.08
    columns = _columns([name for _, name in entries], width)
    legend = inches_of(-(-len(entries) // columns), SMALL * 1.1) + 0.1 if entries else 0.0
    height = head + legend + _plot_height(figure, width, y) + foot

    page = Figure(figsize=(width, height), facecolor="white")
    bottom, top = foot / height, 1 - (head + legend) / height
    page.set_layout_engine("constrained", rect=(0, bottom, 1, top - bottom), h_pad=0.03, w_pad=0.03)
    axes = page.add_subplot()
    _write(page, above, _TYPE, 1 - 0.03 / height, height, weight="bold")
    start = bottom - 0.04 / height
    _write(page, said, SMALL, start, height, color="#333333")
    start -= inches_of(len(said), SMALL) / height
    _write(page, told, _FINE, start, height, color="#6B7280")
    set_up_axes(axes, figure, x, y, width)
    AxesDrawing(axes, figure, x, y, width).draw(traces)
    if entries:
        legend = page.legend(
            [handle for handle, _ in entries], [name for _, name in entries],
            loc="upper left", bbox_to_anchor=(0, 1 - head / height), ncols=columns, frameon=False,
            fontsize=SMALL, borderpad=0.1, borderaxespad=0.2, labelspacing=0.25,
            columnspacing=1.0, handletextpad=0.5, handlelength=1.8,
        )  # fmt: skip
        legend.set_in_layout(False)  # its room is set aside above
    return page


def _unseen(trace: Any) -> bool:
    """Return whether a trace is there for clicks only, or has an axis of its own."""
    marker = getattr(trace, "marker", None)
    return bool(
        getattr(trace, "yaxis", None) == "y2"
        or (trace.type == "scatter" and trace.mode == "markers" and marker.opacity == 0)
    )


def _plot_height(figure: go.Figure, width: float, y: ChartAxis) -> float:
    """Return the height of axes with their ticks and titles, in inches."""
    asked = float(figure.layout.height or 400) * POINTS / 72
    if y.words:  # a row for each name, which may be broken into lines
        lines = sum(len(tick_lines(name, width)) for name in y.names)
        needed = inches_of(lines, SMALL) + 0.08 * len(y.names) + 0.45
        title = plain(y.layout.title.text or "")  # stands along the axis
        needed = max(needed, len(title) * SMALL * LETTER / 72 + 0.45)
        return float(np.clip(asked, needed, 1.3 * needed))
    return float(np.clip(asked, _LEAST * width, _MOST * width))


def _lines(text: str, size: float, width: float, letter: float = LETTER) -> list[str]:
    """Return text in lines as wide as the figure."""
    letters = max(20, int((width - 0.06) * 72 / (size * letter)))
    return wrapped(text, letters)


def _columns(names: Sequence[str], width: float) -> int:
    """Return how many names of a legend stand beside each other."""
    widest = max((len(name) for name in names), default=1) * SMALL * LETTER / 72 + 0.45
    return max(1, min(len(names) or 1, int(width / widest)))


def _write(page, lines: Sequence[str], size: float, top: float, height: float, **look) -> None:
    """Write lines from `top`, a part of the height, downwards."""
    for place, line in enumerate(lines):
        page.text(
            0.03 / page.get_figwidth(), top - inches_of(place, size) / height, line,
            fontsize=size, va="top", ha="left", **look,
        )  # fmt: skip
