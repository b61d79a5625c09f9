"""The parts every page is made of: the frame, errors, empty states, tables, pictures, help."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard import house, services, state
from capo_core.dashboard.styles import CSS
from capo_core.dashboard.words import escape, markdown
from capo_core.data.catalog import Entry
from capo_core.data.exporting import csv_text
from capo_core.errors import CapoError
from capo_core.workspace import Workspace

# What a chart without zooming needs no buttons for.
_TOOLS_OFF = ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "zoom2d", "pan2d"]


@dataclass(frozen=True)
class Frame:
    """What a page stands in: its name, the workspace, the datasets, and the chosen one if any."""

    page: str
    workspace: Workspace
    entries: tuple[Entry, ...]
    entry: Entry | None


def open_page(page: str, question: str, keys: Sequence[str] = ()) -> Frame:
    """Begin `page`: its title, the choice of the dataset in the sidebar, what must be said of it.

    Args:
        question: the title, the question the page answers.
        keys: the query keys of the page, besides the dataset.
    """
    house.come_in_by_the_door()
    st.html(CSS)
    state.begin(page, keys)
    workspace = Workspace.default()
    entries = tuple(services.entries(workspace))
    entry = _choose_dataset(page, entries, keys)
    if entry is not None and entry.simulated:
        st.html(
            '<p class="capo-simulated"><strong>Simulated data.</strong> No person wrote these '
            "explanations; they show how the tool works, not what people do.</p>"
        )
    st.title(question, anchor=False)
    return Frame(page, workspace, entries, entry)


def _choose_dataset(page: str, entries: Sequence[Entry], keys: Sequence[str]) -> Entry | None:
    with st.sidebar:
        if not entries:
            st.caption("No dataset yet.")
            return None
        known = {entry.name: entry for entry in entries}
        asked = state.get(state.DATASET)
        place = f"{page}.dataset.widget"
        name = asked if asked in known else services.first_choice(known)
        st.session_state[place] = name

        def changed() -> None:
            # Another dataset has other annotators and items: the rest of the view starts anew.
            cleared = dict.fromkeys(keys)
            state.put(page, {**cleared, state.DATASET: st.session_state[place]})

        st.selectbox(
            "Dataset",
            list(known),
            key=place,
            on_change=changed,
            help="Every page shows this dataset. Bring your own on the Data page.",
        )
        if asked != name:
            state.put(page, {state.DATASET: name})
        if asked and asked not in known:
            st.warning(f"There is no dataset named {markdown(asked)} here. This is {name}.")
        entry = known[name]
        st.caption(markdown(services.summary(entry)))
        return entry


@contextmanager
def speaking() -> Iterator[None]:
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


def says(*sentences: str) -> None:
    """What these data say, under a title, in the size it deserves."""
    st.html("".join(f'<p class="capo-says">{_set(sentence)}</p>' for sentence in sentences))


def is_dark() -> bool:
    """Whether the reader has the dark theme on; for the rare colour that must know it."""
    return st.context.theme.type == "dark"


def heading(text: str, help_: str | None = None) -> None:
    """A section's heading, with the "?" of its measure."""
    st.subheader(text, anchor=False, help=help_)


def note(text: str) -> None:
    """A quiet line of explanation; plain text."""
    st.html(f'<p class="capo-note">{_set(text)}</p>')


def _set(text: str) -> str:
    """Escaped, and with no line break between a number and its percent sign."""
    return escape(re.sub(r"(\d) %", "\\1\u00a0%", text))


@contextmanager
def side_by_side(key: str, widths: Sequence[int]) -> Iterator[list]:
    """Columns that stand under each other where the window is narrow."""
    with st.container(key=f"capo-pair-{key}"):
        yield st.columns(widths, gap="large")


@contextmanager
def control_row(key: str, widths: Sequence[int]) -> Iterator[list]:
    """A row of controls above a picture; two by two where the window is narrow."""
    with st.container(key=f"capo-row-{key}"):
        yield st.columns(widths, vertical_alignment="bottom")


def link(frame: Frame, page: str, label: str, **query: str) -> None:
    """A link to another page of the house which keeps the dataset."""
    chosen = {state.DATASET: frame.entry.name} if frame.entry else {}
    house.page_link(page, label, {**chosen, **query})


def nothing_yet(frame: Frame) -> bool:
    """True, and said with the way out, where there is no dataset to show."""
    if frame.entry is not None:
        return False
    with st.container(border=True):
        st.markdown("**There is no dataset here yet.** Bring a table of labels with explanations.")
        link(frame, "data", "Import a dataset")
    return True


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


def picture(
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
