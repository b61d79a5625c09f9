"""Downloads: the one button of all pages, with the provenance that every file carries.

The frame of a page sets the provenance of what it shows (`begin`); a page that knows more of it,
such as the models and seeds of a comparison, adds that (`describe`) before its tables, charts and
exports. The content of a file is made on a click.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.ui.text import escape, plotly
from capo_core.export_formats import csv_text, html_head, json_document
from capo_core.provenance import UNKNOWN, Provenance

_PLACE = "export.provenance"


def begin(provenance: Provenance) -> None:
    """Set the provenance of all exports of the page."""
    st.session_state[_PLACE] = provenance


def describe(**changes: Any) -> Provenance:
    """Add to the provenance of the exports that follow on the page (see `Provenance.but`)."""
    begin(current().but(**changes))
    return current()


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

    def content() -> bytes:
        made = make(provenance)
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


def download_figure(figure: go.Figure, *, key: str, file_name: str) -> None:
    """Show a button that downloads a figure as a self-contained HTML page."""
    _button(
        "Figure (HTML, saves SVG and PNG)", f"{file_name}.html", "text/html",
        partial(figure_page, figure, file_name), key=key,
    )  # fmt: skip


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


def figure_page(figure: go.Figure, file_name: str, provenance: Provenance) -> str:
    """Return a figure as a self-contained HTML page that works offline and saves SVG and PNG.

    The provenance stands in small type below the figure, and is a part of what is saved.
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
        config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage"]},
        post_script=_SAVE.replace("FILE", repr(file_name)),
    )
    title = escape(provenance.titled(file_name))
    return html.replace("<head>", f"<head><title>{title}</title>{html_head(provenance)}", 1)
