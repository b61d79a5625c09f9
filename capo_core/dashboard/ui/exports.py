"""Downloads: the one button of all pages, with the provenance that every file carries.

The frame of a page sets the provenance of what it shows (`begin`); a page that knows more of it,
such as the models and seeds of a comparison, adds that (`describe`) before its tables, charts and
exports. The content of a file is made on a click.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs

from capo_core.dashboard.ui import print_figure
from capo_core.dashboard.ui.figure_data import figure_data
from capo_core.dashboard.ui.text import escape, plotly
from capo_core.export_formats import csv_text, for_excel, html_head, json_document
from capo_core.provenance import UNKNOWN, Provenance

_PLACE = "export.provenance"
_EXCEL = "export.csv_for_excel"
_BARE = "export.bare_figures"


def begin(provenance: Provenance) -> None:
    """Set the provenance of all exports of the page."""
    st.session_state[_PLACE] = provenance


def csv_for_excel() -> bool:
    """Return whether CSV files begin with a byte-order mark: as chosen, else on Windows."""
    agent = st.context.headers.get("User-Agent") or ""
    return st.session_state.get(_EXCEL, "Windows" in agent)


def choose_csv_for_excel() -> None:
    """Show the choice whether all CSV files of this session are for Excel."""

    def keep() -> None:
        st.session_state[_EXCEL] = st.session_state[f"{_EXCEL}.widget"]

    st.session_state[f"{_EXCEL}.widget"] = csv_for_excel()
    st.checkbox(
        "CSV for Excel",
        key=f"{_EXCEL}.widget",
        on_change=keep,
        help="Begins CSV files of all pages with a byte-order mark, without which Excel misreads "
        "letters such as é or 你. On by default where the browser runs on Windows.",
    )


def describe(**changes: Any) -> Provenance:
    """Add to the provenance of the exports that follow on the page (see `Provenance.but`)."""
    begin(current().but(**changes))
    return current()


@contextmanager
def counting(n: Sequence[tuple[str, int]]) -> Iterator[None]:
    """Let the exports inside count what they show; the page's numbers where `n` is empty."""
    before = current()
    if n:
        describe(n=tuple(n))
    yield
    begin(before)


def current() -> Provenance:
    """Return the provenance of the page's exports."""
    return st.session_state.get(_PLACE) or Provenance("", "", UNKNOWN)


def download(
    page: str,
    label: str,
    file: str,
    mime: str,
    make: Callable[[Provenance], str | bytes],
    *,
    key: str = "",
) -> None:
    """Show a button that downloads a file.

    Args:
        page: name of the page; with `key`, or the file's name, the key of the button.
        make: returns the content, from the provenance that it is to carry; broken characters in a
            text are escaped.
    """
    _button(label, file, mime, make, key=f"{page}.export.{key or file}")


def save_settings(label: str, file: str, text: str, *, key: str) -> None:
    """Show a button that saves settings, to be read again by the same form or command.

    They are what a computation begins with, not what came out of it: they have no provenance.
    """
    _button(label, file, "application/json", lambda provenance: text, key=key)


def _button(
    label: str, file: str, mime: str, make: Callable[[Provenance], str | bytes], *, key: str
) -> None:
    provenance = current()  # of now: the content is made later, beside the page
    marked = mime == "text/csv" and csv_for_excel()

    def content() -> bytes:
        made = make(provenance)
        if marked:
            made = for_excel(made if isinstance(made, str) else made.decode("utf-8"))
        return made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")

    st.download_button(
        label,
        content,
        file_name=file,
        mime=mime,
        key=key,
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def download_table(
    frame: pd.DataFrame, *, key: str, file_name: str, label: str = "Table (CSV)"
) -> None:
    """Show a button that downloads a table as CSV."""
    _button(label, f"{file_name}.csv", "text/csv", partial(csv_text, frame), key=key)


def report_json(report: Any, provenance: Provenance) -> str:
    """Return a report's `to_dict` as indented JSON."""
    return json_document(report.to_dict(), provenance)


# Names of a paper's figure files and what they are good for.
_KINDS = {"pdf": "PDF", "svg": "SVG", "png": "PNG"}


def export_figure(figure: go.Figure, *, key: str, file_name: str, title: str, caption: str) -> None:
    """Show the export menu of a figure: for print, its data, and as a page that answers the mouse.

    Args:
        title: stands above the figure for print. caption: stands below it, with the provenance.
    """
    with st.popover("Export", icon=":material/download:", type="tertiary", key=f"{key}.menu"):
        bare = _choose_bare(key)
        stem = f"{file_name}{print_figure.BARE if bare else ''}"
        for width, inches in print_figure.WIDTHS.items():
            st.caption(f"Figure, {width} wide ({inches * 2.54:.1f} cm)")
            with st.container(horizontal=True):
                for kind, called in _KINDS.items():
                    short = width.split()[0]
                    _button(
                        called, f"{stem}-{short}-column{'s' * (short != 'one')}.{kind}",
                        print_figure.MIME_TYPES[kind],
                        partial(_printed, figure, kind, width, title, caption, bare),
                        key=f"{key}.{kind}.{short}",
                    )  # fmt: skip
        st.caption("Caption")
        st.text(print_figure.caption_of(title, caption, current()))
        with st.container(horizontal=True):
            _button(
                "Caption (TXT)", f"{file_name}-caption.txt", "text/plain",
                partial(print_figure.caption_file, title, caption), key=f"{key}.caption",
            )  # fmt: skip
            _button(
                "Data (CSV)", f"{file_name}-data.csv", "text/csv",
                lambda provenance: csv_text(figure_data(figure), provenance), key=f"{key}.data",
            )  # fmt: skip
            _button(
                "Interactive page (HTML)", f"{file_name}.html", "text/html",
                partial(figure_page, figure, file_name, title=title, caption=caption),
                key=f"{key}.html",
            )  # fmt: skip


def _choose_bare(key: str) -> bool:
    """Show the choice of what stands in figures for print, and return it; one for all charts."""

    def keep() -> None:
        st.session_state[_BARE] = not st.session_state[widget]

    widget = f"{key}.inside"
    st.session_state[widget] = not st.session_state.get(_BARE, False)
    st.checkbox(
        "Title and provenance in the figure",
        key=widget,
        on_change=keep,
        help="Without them a figure is as papers want it. They stand in the caption (TXT) and in "
        "the file's metadata either way. Applies to PDF, SVG and PNG of all charts.",
    )
    return bool(st.session_state.get(_BARE, False))


def _printed(
    figure: go.Figure, kind: str, width: str, title: str, caption: str, bare: bool,
    provenance: Provenance,
) -> bytes:  # fmt: skip
    return print_figure.printed(
        figure, kind, width, title=title, caption=caption, provenance=provenance, bare=bare
    )


# Configuration of every chart: no button that uploads it, no address to upload it to.
NO_CLOUD = {"displaylogo": False, "plotlyServerURL": ""}
NO_BUTTONS = ("toImage", "sendChartToCloud", "sendDataToCloud")
# Addresses in the plotting library's code: of maps and of its maker's service. None is used.
_ADDRESS = re.compile(r"https?://(?!www\.w3\.org)[^\s\"'`()<>\\]*")


_LINE, _LETTERS = 13, 110  # height in pixels, and letters, of a line below a figure
_APART = 18  # pixels between them: the title of an axis is higher than the margin of most charts
# Below the figure: buttons that save what it shows, its provenance included.
_SAVE = """
const shown = document.getElementById('{plot_id}');
for (const kind of ['svg', 'png']) {
  const button = document.createElement('button');
  button.textContent = 'Save ' + kind.toUpperCase();
  button.onclick = () => Plotly.downloadImage(shown, {
    format: kind, filename: FILE, width: shown.offsetWidth, height: shown.offsetHeight,
    scale: kind === 'png' ? 3 : 1,
  });
  shown.parentNode.appendChild(button);
}
"""


def figure_page(
    figure: go.Figure,
    file_name: str,
    provenance: Provenance,
    *,
    title: str = "",
    caption: str = "",
) -> str:
    """Return a figure as a self-contained HTML page that works offline and saves SVG and PNG.

    Title and caption stand around the figure. The provenance stands in small type below it, and
    is a part of what is saved.
    """
    lines = textwrap.wrap(provenance.line, _LETTERS)
    page = go.Figure(figure).update_layout(template="plotly_white", meta=provenance.to_dict())
    height, margin = page.layout.height or 450, page.layout.margin.b or 80
    below = _LINE * len(lines) + 12
    page.update_layout(
        height=height + _APART + below,
        margin_b=margin + _APART + below,
        title={
            "text": "<br>".join(plotly(line, len(line)) for line in lines),
            "font": {"size": 9, "color": "#6B7280"},
            "x": 0.0, "xanchor": "left", "xref": "container", "pad": {"l": 6},
            # Plotly hangs several lines from their first one.
            "y": below / (height + _APART + below), "yanchor": "top", "yref": "container",
            "automargin": False,
        },
    )  # fmt: skip
    html = page.to_html(
        include_plotlyjs=True,
        config={"displaylogo": False, "modeBarButtonsToRemove": list(NO_BUTTONS)},
        post_script=_SAVE.replace("FILE", repr(file_name)),
    )
    library = get_plotlyjs()
    html = html.replace(library, _ADDRESS.sub("", library), 1)
    named = escape(provenance.titled(title or file_name))
    html = html.replace("<head>", f"<head><title>{named}</title>{html_head(provenance)}", 1)
    if not title:
        return html
    said = escape(print_figure.caption_of(title, caption, provenance))
    style = "font-family: sans-serif; margin: 16px 8px"
    html = html.replace("<body>", f'<body><h1 style="{style}; font-size: 18px">{named}</h1>', 1)
    head, end, rest = html.rpartition("</body>")
    return f'{head}<p style="{style}; font-size: 13px">{said}</p>{end}{rest}'
