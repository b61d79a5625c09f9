"""Parts of a page: headline, headings, columns, tables, figures, errors, scrolling to details."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from pandas.io.formats.style import Styler

from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.exports import (
    NO_BUTTONS,
    NO_CLOUD,
    counting,
    download_table,
    export_figure,
)
from capo_core.dashboard.ui.figure_kinds import kind_of
from capo_core.dashboard.ui.text import escape, markdown
from capo_core.dashboard.ui.theme import row_ink
from capo_core.errors import CapoError, plain_error
from capo_core.formatting import number, number_interval, percent_interval
from capo_core.templates import render

# What a chart without zooming needs no buttons for.
_TOOLS_OFF = ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "zoom2d", "pan2d"]


@contextmanager
def show_errors() -> Iterator[None]:
    """Show an error raised inside (see `errors.plain_error`), and continue after the block.

    A `url_state.NotHereError` goes on to the page: what follows the block would be of something
    else than the address names.
    """
    try:
        yield
    except url_state.NotHereError:
        raise
    except Exception as raised:
        error = plain_error(raised)
        if error is None:
            raise
        show_error(error)


def show_not_here(page: str, error: url_state.NotHereError) -> None:
    """Show that what the address names is not here, and how to go on."""
    with st.container(border=True):
        st.warning(f"**{markdown(_sentence(error.what))}** {markdown(_sentence(error.todo))}")
        st.button(
            "Continue without it",
            key=f"{page}.not_here",
            on_click=url_state.put,
            args=(page, {error.key: None}),
        )


def show_error(error: CapoError) -> None:
    """Show an error: what happened and where, what was expected, what to do."""
    head = _sentence(error.what)
    if error.where:  # a file's name keeps its letters
        head = f"{error.where}: {_sentence(error.what, capital=False)}"
    lines = [f"**{markdown(head)}**"]
    if error.expected:
        lines.append(f"Expected: {markdown(_sentence(error.expected, capital=False))}")
    if error.todo:
        lines.append(f"What to do: {markdown(_sentence(error.todo, capital=False))}")
    st.error("\n\n".join(lines))


def _sentence(text: str, *, capital: bool = True) -> str:
    text = text.rstrip(".") + "."
    return text[0].upper() + text[1:] if capital else text


def show_headline(*sentences: str) -> None:
    """Show the main result in sentences, under the title."""
    st.html(
        "".join(f'<p class="capo-headline">{_unbroken(sentence)}</p>' for sentence in sentences)
    )


def is_dark() -> bool:
    """Return whether the dark theme is on, for colours that depend on it."""
    return st.context.theme.type == "dark"


def section_heading(text: str, help_: str | None = None) -> None:
    """Show a section's heading, with the "?" of its measure."""
    st.header(text, anchor=False, help=help_)


def show_note(text: str) -> None:
    """Show a line of explanation in small type; plain text."""
    st.html(f'<p class="capo-note">{_unbroken(text)}</p>')


def show_key_numbers(numbers: Sequence[tuple[str, str]]) -> None:
    """Show (name, value) pairs in a row, the values in large type."""
    st.html(render("dashboard/ui/key_numbers.html.j2", numbers=numbers))


def _unbroken(text: str) -> str:
    """Return `text` escaped, without line breaks between a number and its percent sign."""
    return escape(re.sub(r"(\d) %", "\\1\u00a0%", text))


@contextmanager
def side_by_side(key: str, widths: Sequence[int], gap: str = "large") -> Iterator[list]:
    """Yield columns that are stacked in a narrow window."""
    with st.container(key=f"capo-pair-{key}"):
        yield st.columns(widths, gap=gap)


@contextmanager
def control_row(key: str, widths: Sequence[int]) -> Iterator[list]:
    """Yield the columns of a row of controls, wrapped in a narrow window."""
    with st.container(key=f"capo-row-{key}"):
        yield st.columns(widths, vertical_alignment="bottom")


MISSING = "—"  # in a table, where there is no value
_MANY_COLUMNS = 7  # as many fit side by side in a window of 1440; in narrower ones, drawn smaller


def data_grid(
    frame: pd.DataFrame | Styler,
    *,
    key: str,
    alt: str,
    on_row: Callable[[int], None] | None = None,
    **settings: Any,
) -> list[int]:
    """Show a frame as a sortable grid without its index; the one place that draws such grids.

    Returns the numbers of the ticked rows, in a grid whose rows can be ticked. A grid of many
    columns is drawn smaller in a narrow window (`page.css`); words in pinned columns have the ink
    of all others.

    Args:
        alt: what is in it, for those who cannot see it.
        on_row: called with the number of the row of `frame` that was clicked, in any cell or at its
            box.
        settings: further ones of `st.dataframe`.
    """
    ticked = on_row is None and "on_select" in settings
    if on_row is not None:

        def clicked() -> None:
            chosen = url_state.now(key).selection
            rows = [row for row, _ in chosen.cells] or list(chosen.rows)
            if rows and rows[0] < len(getattr(frame, "index", ())):
                on_row(rows[0])

        settings |= {"on_select": clicked, "selection_mode": ("single-row", "single-cell")}
    settings = {"hide_index": True, "width": "stretch", "placeholder": MISSING, **settings}
    order = settings.get("column_order")
    columns = [name for name in frame.columns if order is None or name in order]
    if isinstance(frame, pd.DataFrame):
        frame = _inked(
            frame if order is None else frame[columns], settings.get("column_config") or {}
        )
    many = len(columns) >= _MANY_COLUMNS
    place = st.container(key=f"capo-wide-{key}") if many else nullcontext()
    with place:
        shown = st.dataframe(frame, key=key, alt=alt, **settings)
    return list(shown.selection.rows) if ticked else []


def _inked(frame: pd.DataFrame, config: Mapping[str, Any]) -> pd.DataFrame | Styler:
    """Return a frame whose pinned columns are not fainter than the others."""
    # The settings of a column may be its header alone.
    dicts = {name: each for name, each in config.items() if isinstance(each, dict)}
    pinned = [name for name in frame.columns if dicts.get(name, {}).get("pinned")]
    if not pinned:
        return frame
    ink = row_ink(dark=is_dark(), pinned=True)
    words = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.style.format(na_rep=MISSING, subset=words).map(lambda _: ink, subset=pinned)


@dataclass(frozen=True)
class Field:
    """One column of a table on the screen.

    Attributes:
        header, help: its header, and the "?" of it.
        digits: decimals of a number; None for text. Whole numbers get thousands separators.
        width: "small", "medium", "large" or pixels; by default that of the longest text.
        percent: the number is a share (0 to 1), shown in percent.
        digits_from: instead of `digits`, the column that has the decimals of each row, so that a
            quantity has the decimals that it has everywhere.
        text: instead of `digits`, a function from the number to its text, as `formatting.p_value`.
        ends: with `text` or `digits_from`, the columns that have the ends of each row's interval,
            which then stands behind the number.
        interval: with `ends` and `text`, a function from them to a text; by default of shares.
    """

    header: str
    help: str | None = None
    digits: int | None = None
    width: str | int | None = None
    percent: bool = False
    digits_from: str = ""
    text: Callable[[float], str] | None = None
    ends: tuple[str, str] | None = None
    interval: Callable[[float, float], str] = percent_interval

    @property
    def numeric(self) -> bool:
        """Return whether the column holds numbers."""
        return self.digits is not None or bool(self.digits_from) or self.text is not None

    @property
    def number_format(self) -> str | None:
        """Streamlit's format of the number."""
        if self.digits is None:
            return None
        if self.percent:
            return f"%.{self.digits}f %%"
        return f"%.{self.digits}f" if self.digits else "localized"


def table(
    frame: pd.DataFrame,
    fields: Mapping[str, Field],
    *,
    key: str,
    file_name: str,
    height: int | str = "auto",
    download: bool = True,
    on_row: Callable[[int], None] | None = None,
) -> None:
    """Show the columns named in `fields`, sortable; all of `frame` downloads as CSV.

    Args:
        on_row: called with the number of the row of `frame` that was clicked, in any cell or at its
            box.
    """
    shown = frame.loc[:, [name for name in fields if name in frame.columns]]
    shares = [name for name in shown.columns if fields[name].percent]
    shown = shown.copy()
    for name in shares:
        shown[name] = 100 * shown[name].astype(float)
    config = {}
    for name in shown.columns:
        field = fields[name]
        if field.digits is not None and pd.api.types.is_float_dtype(shown[name]):
            # No "-0.00": what is shown as zero has no sign.
            nought = shown[name].abs() < 0.5 * 10.0**-field.digits
            shown[name] = shown[name].mask(nought, 0.0)
        if not field.numeric:
            config[name] = st.column_config.Column(field.header, help=field.help, width=field.width)
        else:
            config[name] = st.column_config.NumberColumn(
                field.header, help=field.help, width=field.width, format=field.number_format
            )
    data_grid(
        _with_texts(shown, frame, fields), key=key, alt=_table_name(file_name), on_row=on_row,
        height=height, column_config=config,
    )  # fmt: skip
    if download:
        helpers = {field.digits_from for field in fields.values()}
        whole = frame.drop(columns=[name for name in helpers if name])
        download_table(whole, key=f"{key}.csv", file_name=file_name)


def _table_name(file_name: str) -> str:
    """Return a name of a table for those who cannot see it."""
    return f"Table: {file_name.replace('-', ' ').replace('_', ' ')}"


def _with_texts(
    shown: pd.DataFrame, frame: pd.DataFrame, fields: Mapping[str, Field]
) -> pd.DataFrame | Styler:
    """Return the table with the texts of numbers that no format of a whole column gives."""
    shown = shown.reset_index(drop=True)
    texts = {
        name: _with_intervals(shown[name], frame, fields[name])
        for name in shown.columns
        if fields[name].ends is not None
    }
    for name, found in texts.items():
        shown[name] = list(found)
    styler = None
    for name in shown.columns:
        field = fields[name]
        if name in texts:
            styler = (styler or shown.style).format(
                texts[name].__getitem__, subset=[name], na_rep=MISSING
            )
        elif field.text is not None:
            styler = (styler or shown.style).format(field.text, subset=[name], na_rep=MISSING)
        elif field.digits_from:
            decimals = frame[field.digits_from].reset_index(drop=True)
            for digits, rows in decimals.groupby(decimals):
                styler = (styler or shown.style).format(
                    lambda value, digits=int(digits): number(value, digits),
                    subset=(rows.index, [name]),
                    na_rep=MISSING,
                )
    return shown if styler is None else styler


def show_figure(
    figure: go.Figure,
    *,
    key: str,
    file_name: str,
    alt: str,
    title: str = "",
    intervals: str = "",
    n: Sequence[tuple[str, int]] = (),
    on_select: Callable[[], None] | None = None,
) -> None:
    """Show a figure with its export menu: for print, as a page, and its data.

    Its own toolbar saves nothing: such a file would not say where it comes from.

    Args:
        alt: what is drawn, for those who cannot see it; the caption of the exported figure.
        title: the result, above the exported figure; by default `alt`.
        intervals: what the whiskers are, for the caption; "" where there are none.
        n: (noun in the singular, number) of what is drawn; by default that of the page.

    Raises:
        ValueError: the figure is of no registered kind (see `figure_kinds`).
    """
    kind_of(figure)
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        on_select=on_select or "ignore",
        selection_mode="points",
        config={**NO_CLOUD, "modeBarButtonsToRemove": [*_TOOLS_OFF, *NO_BUTTONS]},
    )
    said = [alt if title and title != alt else "", intervals]
    caption = " ".join(f"{part.rstrip('.')}." for part in said if part)
    with counting(n):
        export_figure(figure, key=key, file_name=file_name, title=title or alt, caption=caption)


def warn_of_other_item(asked: str, shown: str) -> None:
    """Show that the item in the address does not pass the filters, so that another is open."""
    if asked and asked != shown:
        st.warning(
            f"Item {markdown(asked)} is not among those shown here; {markdown(shown)} is open."
        )


def _with_intervals(values: pd.Series, frame: pd.DataFrame, field: Field) -> dict[float, str]:
    """Return value → its text with the interval, in the order of the rows.

    Equal values are told apart by some 10⁻¹², since their intervals may differ: a format of each
    row by itself takes seconds in a long table.
    """
    values = values.astype(float)
    digits = frame[field.digits_from] if field.digits_from else [0] * len(frame)
    again = values.groupby(values).cumcount() * 1e-12 * values.abs().clip(lower=1)
    ends = (frame[end] for end in field.ends)
    return {
        apart: f"{field.text(value)} {field.interval(low, high)}".rstrip()
        if field.text
        else f"{number(value, int(n))} {number_interval(low, high, int(n))}".rstrip()
        for apart, value, low, high, n in zip(values + again, values, *ends, digits, strict=True)
    }


_DETAILS = "capo-details"
_SCROLLS = "scrolls"  # page → number of scrolls so far; `page.now` while one is requested


def request_scroll(page: str) -> None:
    """Request a scroll to the details on the next rerun (click callback)."""
    scrolls = url_state.session_dict(_SCROLLS)
    scrolls[page] = scrolls.get(page, 0) + 1
    scrolls[f"{page}.now"] = True


def details_anchor():
    """Return the container of the details, which `scroll_to_details` scrolls to; one a page."""
    return st.container(key=_DETAILS)


def scroll_to_details(page: str, key: str = _DETAILS) -> None:
    """Scroll to the details, or to the container of another key, if a callback requested it."""
    scrolls = url_state.session_dict(_SCROLLS)
    if scrolls.pop(f"{page}.now", False):
        _scroll(key, scrolls[page], "start")


def scroll_into_view(key: str) -> None:
    """Scroll to the container of a key, in this run."""
    scrolls = url_state.session_dict(_SCROLLS)
    scrolls[key] = scrolls.get(key, 0) + 1
    _scroll(key, scrolls[key], "center")


def _scroll(key: str, times: int, block: str) -> None:
    # The count makes every script a new one: the same one would not run again.
    st.html(
        f"<script>/* {times} */ document.querySelector('.st-key-{key}')"
        f"?.scrollIntoView({{behavior: 'smooth', block: '{block}'}})</script>",
        unsafe_allow_javascript=True,
    )
