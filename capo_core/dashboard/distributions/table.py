"""The table of distances, and the differences between sources."""

from __future__ import annotations

import itertools

import pandas as pd
import streamlit as st

from capo_core.dashboard.distributions import cache
from capo_core.dashboard.distributions.item_data import ITEM_MEASURES
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import (
    called,
    in_words,
    listed,
    nearest,
    of_coverage,
    of_kl,
    sentences,
    source_name,
)
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import Field, section_heading, show_note, table
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.distributions.compare import (
    ENTROPY_CORRELATION,
    HIGHER_IS_CLOSER,
    JSD,
    KL,
    MANHATTAN,
    SHAPE,
    TVD,
    WASSERSTEIN,
)
from capo_core.distributions.judgments import UNIFORM
from capo_core.formatting import number, short, with_interval

_ORDER = (JSD, TVD, KL, WASSERSTEIN, SHAPE, ENTROPY_CORRELATION, MANHATTAN)
_MARK = "mark"  # the column that tells which source is in the pictures
_WIDTHS = {KL: 146, ENTROPY_CORRELATION: 136}
_QUIET = "color: #8A8F94"


def show(chosen: Chosen) -> None:
    """Show each source by each measure, closest first and the floor last."""
    section_heading(
        markdown(f"Distance from {called(chosen.against)}"), DISTRIBUTIONS_HELP["intervals"]
    )
    if chosen.table.empty:
        for statement in of_coverage(chosen.coverage, chosen.against):
            show_note(in_words(statement))
        return
    measures = _measures(chosen)
    sources = nearest(chosen.table, chosen.measure)
    rest = list(dict.fromkeys(chosen.table["source"]))
    sources += [name for name in rest if name not in sources]  # the floor, and the undefined
    _draw(chosen, _grid(chosen, sources, measures), sources, measures)
    show_note(
        "Means over items with 95 % confidence intervals. ↓ lower is closer, ↑ "
        "higher is closer. ● is shown in the figures below; click a row to show "
        "another source."
    )
    coverage = of_coverage(chosen.coverage, chosen.against)
    items = [*sentences(chosen.reading.notes), *map(in_words, coverage)]
    zeros = of_kl(chosen.table, chosen.config.clip, _silent(chosen))
    values = [*([in_words(zeros)] if zeros else []), *_notes(chosen.table)]
    for told in (items, values):
        if any(told):
            show_note(" ".join(text for text in told if text))


def _measures(chosen: Chosen) -> list[str]:
    """Return the measures shown: Manhattan is twice TVD, and is shown only beside Wasserstein."""
    there = set(chosen.table["measure"])
    names = [name for name in _ORDER if name in there]
    return names if WASSERSTEIN in there else [name for name in names if name != MANHATTAN]


def _silent(chosen: Chosen) -> set[str]:
    """Return the sources that give some label of an item no more than the clip."""
    sources = map(chosen.reading.judgments.source, chosen.shown)
    return {one.name for one in sources if (one.shares <= chosen.config.clip).any()}


def _grid(chosen: Chosen, sources: list[str], measures: list[str]) -> pd.DataFrame:
    cells = {(row.source, row.measure): row for row in chosen.table.itertuples()}
    rows = []
    for name in sources:
        own = [cells[name, measure] for measure in measures]
        title = short(source_name(name), 60)
        rows.append(
            {
                _MARK: "●" if name == chosen.focus else "",
                "source": f"{title} (floor)" if name == UNIFORM else title,
                **{one.measure: _cell(one) for one in own},
                "n": _sortable(f"{int(own[0].n):,}", 7),
            }
        )
    return pd.DataFrame(rows)


def _cell(row) -> str:
    """Return a value with its interval; a negative value that is zero but for the arithmetic is
    zero."""
    value, low, high = (round(part, 2) + 0.0 for part in (row.value, row.low, row.high))
    return _sortable(number(value), 5) + with_interval(value, low, high).removeprefix(number(value))


def _sortable(figure: str, width: int) -> str:
    """Pad texts with digit-wide spaces, so that a column of texts sorts by its numbers."""
    return figure.rjust(width, "\u2007")


def _draw(chosen: Chosen, grid: pd.DataFrame, sources: list[str], measures: list[str]) -> None:
    def dress(column: pd.Series) -> list[str]:
        if column.name == "source":
            # The colour as a ground: as ink it is too faint for words on one of the themes.
            return [f"background-color: {chosen.looks[name].color}40" for name in sources]
        weight = "font-weight: bold" if column.name == chosen.measure else ""
        return [_QUIET if name == UNIFORM else weight for name in sources]

    longest = max(map(len, grid["source"]))
    config = {
        _MARK: st.column_config.TextColumn(
            "", help="● is shown in the figures.", pinned=True, alignment="center", width=30
        ),
        "source": st.column_config.TextColumn("", pinned=True, width=270 if longest > 26 else 200),
    }
    for name in measures:
        config[name] = st.column_config.TextColumn(
            _header(name),
            help=DISTRIBUTIONS_HELP[name],
            alignment="right",
            width=_WIDTHS.get(name, 120),
        )
    config["n"] = st.column_config.TextColumn(
        "n", help="Items of both sides.", alignment="right", width=58
    )
    # Another key for another choice: else what was clicked stays picked out, and is another
    # source's as soon as the rows stand in another order.
    place = f"{PAGE}.distances.{chosen.reading.names.index(chosen.focus)}.{chosen.measure}"
    st.dataframe(
        grid.style.apply(dress, axis=0),
        hide_index=True,
        column_config=config,
        key=place,
        on_select=lambda: _clicked(place, sources),
        selection_mode="single-cell",
        alt="Distance of each source by each measure, with intervals",
    )


def _header(measure: str) -> str:
    return f"{measure[:1].upper()}{measure[1:]} {'↑' if measure in HIGHER_IS_CLOSER else '↓'}"


def _clicked(place: str, sources: list[str]) -> None:
    """Show the clicked source and measure in the charts.

    The mark's column means nothing: a click on a header picks the first cell of the table out.
    """
    cells = url_state.now(place).selection.cells
    if not cells or cells[0][1] == _MARK:
        return
    row, measure = cells[0]
    query: dict[str, str | None] = {"focus": sources[row], "item": None}
    if measure in ITEM_MEASURES:
        query["measure"] = measure
    url_state.put(PAGE, query)


def _notes(rows: pd.DataFrame) -> list[str]:
    """Return the notes on single values, sources with the same note together."""
    told = rows[rows["note"] != ""]
    said = []
    for (measure, text), part in told.groupby(["measure", "note"], sort=False):
        who = listed(part["source"])
        said.append(f"{_header(measure).rstrip(' ↑↓')} of {who} is {text}.")
    return said


def differences(chosen: Chosen) -> None:
    """Every two sources on the items of both, in one measure."""
    section_heading("Paired differences between sources", DISTRIBUTIONS_HELP["differences"])
    there = list(dict.fromkeys(chosen.table["source"]))
    if len(there) < 2:
        show_note("Only one source to compare; choose more under Sources.")
        return
    known = _measures(chosen)
    measure = url_state.choice(
        st.segmented_control,
        "Measure",
        known,
        page=PAGE,
        key="apart",
        default=chosen.measure,
        label_visibility="collapsed",
    )
    rows = pd.concat(
        [_pair(chosen, one, other, measure) for one, other in itertools.combinations(there, 2)],
        ignore_index=True,
    )
    decided = int((rows["nearer"] != "undecided").sum())
    show_note(
        f"Of {len(rows)} pairs, {decided} {'is' if decided == 1 else 'are'} significant. "
        f"The difference is the first’s {measure} minus the second’s; {_better(measure)} is closer "
        f"to {called(chosen.against)}."
    )
    table(
        rows.assign(
            source=rows["source"].map(source_name),
            against=rows["against"].map(source_name),
            nearer=rows["nearer"].map(source_name),
        ),
        {
            "source": Field("First", width="medium"),
            "against": Field("Second", width="medium"),
            "value": Field("Difference", DISTRIBUTIONS_HELP["differences"], 3),
            "low": Field("from", "Lower end of the 95 % interval.", 3),
            "high": Field("to", "Upper end of the 95 % interval.", 3),
            "nearer": Field("Closer", "Undecided where the interval contains 0.", width="medium"),
            "n": Field("Items", "Items of both sources.", 0),
        },
        key=f"{PAGE}.differences",
        file_name=f"{chosen.file_stem}-differences-{measure}",
    )


def _pair(chosen: Chosen, one: str, other: str, measure: str) -> pd.DataFrame:
    if measure in ITEM_MEASURES:
        return cache.paired(chosen.reading, chosen.config, one, other, measure)
    rows = cache.apart(chosen.reading, chosen.config, one, other)
    return rows[rows["measure"] == measure]


def _better(measure: str) -> str:
    return "higher" if measure in HIGHER_IS_CLOSER else "lower"
