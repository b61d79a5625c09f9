"""The table of distances, and the differences between sources."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from capo_core.dashboard.distributions import cache
from capo_core.dashboard.distributions.item_data import ITEM_MEASURES
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import sentences
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    data_grid,
    is_dark,
    section_heading,
    show_note,
    table,
)
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import row_ink
from capo_core.distributions.compare import (
    ENTROPY_CORRELATION,
    HIGHER_IS_CLOSER,
    JS_DIVERGENCE,
    JSD,
    KL,
    measure_title,
)
from capo_core.distributions.paired import UNDECIDED
from capo_core.distributions.ranking import SOURCE
from capo_core.distributions.report import TableRow, difference_texts, header
from capo_core.distributions.wording import called, in_words, listed, source_name
from capo_core.formatting import capitalised, count, short

_MOST = 5  # measures that stand side by side
_MARK = "mark"  # the column that tells which source is in the pictures
_WIDTHS = {KL: 146, ENTROPY_CORRELATION: 136}


def show(chosen: Chosen) -> None:
    """Show each source by each measure, closest first, then the baselines and what is not
    ranked."""
    section_heading(
        markdown(f"Distance from {called(chosen.against)}"), DISTRIBUTIONS_HELP["intervals"]
    )
    report = chosen.report
    rows = report.rows()
    if rows:
        _draw(chosen, rows)
        show_note(
            f"{report.legend} Grey: baselines, and sources that are not ranked, on their own "
            "items. ● is shown in the figures below; click a row to show another source."
            f"{_further(chosen)}"
        )
    notes = [*sentences(chosen.reading.notes), *map(in_words, report.remarks)]
    for told in (notes, report.notes()):
        if told:
            show_note(" ".join(told))
    hidden = [name for name in chosen.reading.names if name not in (*chosen.shown, chosen.against)]
    if hidden:
        show_note(f"Not shown: {listed(hidden)}; choose them under Sources.")


def _measures(chosen: Chosen) -> list[str]:
    """Return the columns that fit a window of 1440 pixels, the chosen distance among them; all are
    in the files of the export. JS divergence is the square of JS distance, and stands in its
    place where it is chosen."""
    there = chosen.report.measures
    square = chosen.measure == JS_DIVERGENCE
    found = [name for name in there if name != (JSD if square else JS_DIVERGENCE)]
    found.sort(key=lambda name: name == JS_DIVERGENCE, reverse=True)
    shown = found[:_MOST]
    if chosen.measure in found and chosen.measure not in shown:
        shown[-1] = chosen.measure
    return shown


def _further(chosen: Chosen) -> str:
    """Return where the measures are that the table has no room for; empty where it has all."""
    shown = _measures(chosen)
    rest = [measure_title(name) for name in chosen.report.measures if name not in shown]
    return f" {capitalised(', '.join(rest))}: in the files under Export." if rest else ""


def _grid(chosen: Chosen, rows: list[TableRow]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                _MARK: "●" if row.source == chosen.focus else "",
                "source": short(row.title, 60),
                **{measure: _sortable(cell) for measure, cell in row.cells.items()},
                "n": _sortable(f"{row.n:,}", 7),
            }
            for row in rows
        ]
    )


def _sortable(text: str, width: int = 6) -> str:
    """Pad a text with digit-wide spaces, so that a column of texts sorts by its first numbers."""
    figure, space, rest = text.partition(" ")
    return figure.rjust(width, "\u2007") + space + rest


def _draw(chosen: Chosen, rows: list[TableRow]) -> None:
    measures = _measures(chosen)
    grid = _grid(chosen, rows)[[_MARK, "source", *measures, "n"]]

    dark = is_dark()
    ink, quiet = row_ink(dark=dark, pinned=True), row_ink(dark=dark)

    def dress(column: pd.Series) -> list[str]:
        if column.name == "source":
            # The colour as a ground: as ink it is too faint for words on one of the themes.
            looks = chosen.looks
            return [
                f"background-color: {looks[row.source].color}40; {ink}"
                if row.source in looks
                else ink
                for row in rows
            ]
        return [
            quiet if row.role != SOURCE else "font-weight: bold" if column.name in row.bold else ""
            for row in rows
        ]

    longest = max(map(len, grid["source"]))
    config = {
        _MARK: st.column_config.TextColumn(
            "", help="● is shown in the figures.", pinned=True, alignment="center", width=30
        ),
        "source": st.column_config.TextColumn("", pinned=True, width=270 if longest > 30 else 208),
    }
    for name in measures:
        config[name] = st.column_config.TextColumn(
            header(name),
            help=DISTRIBUTIONS_HELP[name],
            alignment="right",
            width=_WIDTHS.get(name, 128),
        )
    config["n"] = st.column_config.TextColumn(
        "n", help="Items of both sides.", alignment="right", width=58
    )
    # Another key for another choice: else what was clicked stays picked out, and is another
    # source's as soon as the rows stand in another order.
    place = f"{PAGE}.distances.{chosen.reading.names.index(chosen.focus)}.{chosen.measure}"
    data_grid(
        grid.style.apply(dress, axis=0),
        column_config=config,
        key=place,
        on_select=lambda: _clicked(place, [row.source for row in rows], chosen.shown),
        selection_mode="single-cell",
        alt="Distance of each source by each measure, with intervals",
    )


def _clicked(place: str, sources: list[str], shown: Sequence[str]) -> None:
    """Show the clicked source and measure in the charts.

    The mark's column means nothing: a click on a header picks the first cell of the table out.
    """
    cells = url_state.now(place).selection.cells
    if not cells or cells[0][1] == _MARK:
        return
    row, measure = cells[0]
    query: dict[str, str | None] = {}
    if sources[row] in shown:
        query = {"focus": sources[row], "item": None}
    if measure in ITEM_MEASURES:
        query["measure"] = measure
    url_state.put(PAGE, query)


def differences(chosen: Chosen) -> None:
    """Show every two ranked sources and each against the baselines, in one measure; then the
    sources that are not ranked, on the items of each pair."""
    section_heading("Paired differences between sources", DISTRIBUTIONS_HELP["differences"])
    ranking = chosen.report.ranking
    aside = [one.source for one in ranking.aside if one.items]
    if len(ranking.ranked) + len(aside) < 2:
        show_note("Only one source to compare; choose more under Sources.")
        return
    measure = url_state.choice(
        st.segmented_control,
        "Measure",
        chosen.report.measures,
        page=PAGE,
        key="apart",
        default=chosen.measure,
        format_func=lambda name: capitalised(measure_title(name)),
        label_visibility="collapsed",
    )
    rows = ranking.differences
    rows = rows[rows["measure"] == measure]
    pairs = rows[~rows["against"].isin(ranking.floors)]
    decided = int((pairs["nearer"] != UNDECIDED).sum())
    title = measure_title(measure)
    show_note(
        f"Of {count(len(pairs), 'pair')} of ranked sources, {decided} "
        f"{'differs' if decided == 1 else 'differ'} significantly (Holm-adjusted). The difference "
        f"is the first’s {title} minus the second’s; "
        f"{'higher' if measure in HIGHER_IS_CLOSER else 'lower'} is closer to "
        f"{called(chosen.against)}."
    )
    _difference_table(chosen, rows, measure, "differences")
    if aside:
        names = [*ranking.ranked, *aside]
        shown = [
            _alone(chosen, one, other, measure)
            for one, other in itertools.combinations(names, 2)
            if other in aside
        ]
        show_note(
            f"Pairs with sources that are not ranked ({listed(aside)}), each pair on its own items "
            "and without a correction for their number."
        )
        _difference_table(chosen, pd.concat(shown, ignore_index=True), measure, "differences-aside")


def _alone(chosen: Chosen, one: str, other: str, measure: str) -> pd.DataFrame:
    """Return the difference of two sources on the items of both; empty where there are none."""
    rows = cache.pair(chosen.reading, chosen.config, one, other).differences
    return rows[(rows["measure"] == measure) & (rows["source"] == one) & (rows["against"] == other)]


def _difference_table(chosen: Chosen, rows: pd.DataFrame, measure: str, name: str) -> None:
    texts = [difference_texts(row) for row in rows.itertuples()]
    table(
        pd.DataFrame(
            {
                "source": rows["source"].map(source_name),
                "against": rows["against"].map(source_name),
                "difference": [text[0] for text in texts],
                "p_holm": [text[1] for text in texts],
                "nearer": [text[2] for text in texts],
                "detectable": [text[3] for text in texts],
                "n": rows["n"],
            }
        ),
        {
            "source": Field("First", width="medium"),
            "against": Field("Second", width="medium"),
            "difference": Field("Difference", DISTRIBUTIONS_HELP["differences"]),
            "p_holm": Field("p (Holm)", "Adjusted for the number of comparisons."),
            "nearer": Field("Closer", width="medium"),
            "detectable": Field("Detectable", DISTRIBUTIONS_HELP["detectable"]),
            "n": Field("Items", "Items of both sources.", 0),
        },
        key=f"{PAGE}.{name}",
        file_name=f"{chosen.file_stem}-{name}-{measure}",
    )
