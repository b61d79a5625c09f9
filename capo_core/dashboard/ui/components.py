"""The parts a page is made of: sentences, headings, columns, tables, pictures, errors.

The way down a page, from a score or a picture to the texts behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.data.export import csv_text
from capo_core.errors import CapoError

# What a chart without zooming needs no buttons for.
_TOOLS_OFF = ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "zoom2d", "pan2d"]


@contextmanager
def show_errors() -> Iterator[None]:
    """Show a `CapoError` from inside as its sentences, and go on behind it."""
    try:
        yield
    except CapoError as error:
        show_error(error)


def show_error(error: CapoError) -> None:
    """What happened, where, what was expected, what to do."""
    head = f"{error.where}: {error.what}" if error.where else error.what
    lines = [f"**{markdown(_sentence(head))}**"]
    if error.expected:
        lines.append(f"Expected: {markdown(_sentence(error.expected, capital=False))}")
    if error.todo:
        lines.append(f"What to do: {markdown(_sentence(error.todo, capital=False))}")
    st.error("\n\n".join(lines))


def _sentence(text: str, *, capital: bool = True) -> str:
    text = text.rstrip(".") + "."
    return text[0].upper() + text[1:] if capital else text


def show_headline(*sentences: str) -> None:
    """What these data say, under a title, in the size it deserves."""
    st.html("".join(f'<p class="capo-says">{_unbroken(sentence)}</p>' for sentence in sentences))


def is_dark() -> bool:
    """Whether the reader has the dark theme on; for the rare colour that must know it."""
    return st.context.theme.type == "dark"


def section_heading(text: str, help_: str | None = None) -> None:
    """A section's heading, with the "?" of its measure."""
    st.subheader(text, anchor=False, help=help_)


def show_note(text: str) -> None:
    """A quiet line of explanation; plain text."""
    st.html(f'<p class="capo-note">{_unbroken(text)}</p>')


def _unbroken(text: str) -> str:
    """Escaped, and with no line break between a number and its percent sign."""
    return escape(re.sub(r"(\d) %", "\\1\u00a0%", text))


@contextmanager
def side_by_side(key: str, widths: Sequence[int], gap: str = "large") -> Iterator[list]:
    """Columns that stand under each other where the window is narrow."""
    with st.container(key=f"capo-pair-{key}"):
        yield st.columns(widths, gap=gap)


@contextmanager
def control_row(key: str, widths: Sequence[int]) -> Iterator[list]:
    """A row of controls above a picture; two by two where the window is narrow."""
    with st.container(key=f"capo-row-{key}"):
        yield st.columns(widths, vertical_alignment="bottom")


@dataclass(frozen=True)
class Field:
    """One column of a table on the screen: its header, its help, digits where it is a number."""

    header: str
    help: str | None = None
    digits: int | None = None
    width: str | None = None


def table(
    frame: pd.DataFrame,
    fields: Mapping[str, Field],
    *,
    key: str,
    file_name: str,
    height: int | str = "auto",
    download: bool = True,
) -> None:
    """`frame`'s columns named in `fields`, with readable headers, sortable, to download as CSV."""
    shown = frame.loc[:, [name for name in fields if name in frame.columns]]
    config = {}
    for name in shown.columns:
        field = fields[name]
        if field.digits is None:
            config[name] = st.column_config.Column(field.header, help=field.help, width=field.width)
        else:
            config[name] = st.column_config.NumberColumn(
                field.header, help=field.help, width=field.width, format=f"%.{field.digits}f"
            )
    st.dataframe(
        shown, hide_index=True, width="stretch", height=height, column_config=config, key=key
    )
    if download:
        download_table(frame, key=f"{key}.csv", file_name=file_name)


def download_table(
    frame: pd.DataFrame, *, key: str, file_name: str, label: str = "Table (CSV)"
) -> None:
    st.download_button(
        label,
        lambda: csv_text(frame).encode("utf-8"),
        file_name=f"{file_name}.csv",
        mime="text/csv",
        key=key,
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def show_figure(
    figure: go.Figure,
    *,
    key: str,
    file_name: str,
    alt: str,
    on_select: Callable[[], None] | None = None,
) -> None:
    """A figure with its toolbar (SVG) and, under it, the figure as a page of its own.

    The page carries all of Plotly, opens without a network, and saves PNG from its toolbar.
    """
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        on_select=on_select or "ignore",
        selection_mode="points",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": _TOOLS_OFF,
            "toImageButtonOptions": {"format": "svg", "filename": file_name},
        },
    )
    st.download_button(
        "Picture (HTML, saves PNG)",
        lambda: _stand_alone(figure, file_name),
        file_name=f"{file_name}.html",
        mime="text/html",
        key=f"{key}.html",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def _stand_alone(figure: go.Figure, file_name: str) -> bytes:
    page = go.Figure(figure).update_layout(template="plotly_white")
    options = {"format": "png", "filename": file_name, "scale": 3}
    return page.to_html(
        include_plotlyjs=True, config={"displaylogo": False, "toImageButtonOptions": options}
    ).encode("utf-8")


_PLACE = "capo-behind"
_WAY = "leading"  # `page` → how often a reader was led there; `page.now` where one is to be led


def request_scroll(page: str) -> None:
    """To be called by what is clicked: once the page has run, its `place` comes into sight."""
    way = url_state.session_dict(_WAY)
    way[page] = way.get(page, 0) + 1
    way[f"{page}.now"] = True


def details_anchor():
    """The container that a reader is led to; a page has one."""
    return st.container(key=_PLACE)


def scroll_to_details(page: str) -> None:
    """Scroll to `place`, if somebody has just asked for what is there."""
    way = url_state.session_dict(_WAY)
    if not way.pop(f"{page}.now", False):
        return
    # The count makes each script another one: the same again would not be run.
    st.html(
        f"<script>/* {way[page]} */ document.querySelector('.st-key-{_PLACE}')"
        "?.scrollIntoView({behavior: 'smooth', block: 'start'})</script>",
        unsafe_allow_javascript=True,
    )
