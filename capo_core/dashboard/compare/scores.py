"""The score table of a report: one row per method, one column per measure.

Its measures, cells and significant differences; a click on a cell leads to the answers behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from capo_core.dashboard.compare.selection import PAGE, CompareSelection, open_answers
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    data_grid,
    is_dark,
    section_heading,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import download_table
from capo_core.dashboard.ui.theme import (
    method_looks,
    method_name,
    reduction_name,
    representation_name,
    row_ink,
)
from capo_core.evaluation.cells import BOLD, NO_BOLD, NO_VALUE, score_cells
from capo_core.evaluation.claims import clearly_nearest
from capo_core.evaluation.measures.registry import (
    DIRECTIONS,
    FAMILIES,
    HIGHER,
    LIKE_HUMAN,
    LOWER,
    ONE,
    Measure,
    families_by_interest,
    find_measure,
)
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.formatting import capitalised, listed, p_value

ROWS = {
    HUMAN: "Target's own (ceiling)",
    OTHER: "Another annotator (floor)",
    # What is reached without reading an item is not the same for each family.
    **{family.chance_name: capitalised(family.chance_name) for family in FAMILIES.values()},
}


@dataclass(frozen=True)
class Column:
    """One column of the table: a measure, at a number of pooled texts (0: none)."""

    name: str
    k: int

    @property
    def about(self) -> Measure:
        return find_measure(self.name)

    @property
    def key(self) -> str:
        return f"{self.name}@{self.k}"

    def header(self, width: int) -> str:
        """Return the header; the short one where the long one does not fit so many pixels."""
        title = self.about.header(self.k)
        return self.about.header(self.k, short=_LETTER * len(title) + _EDGES > width)

    @property
    def help(self) -> str:
        about = self.about
        said = [about.meaning, capitalised(DIRECTIONS[about.better]) + "."]
        for name, text in (("Floor", about.floor), ("Ceiling", about.ceiling)):
            said.append(f"{name}: {text}.")
        said.append(f"{capitalised(about.of.chance_name)}: {about.chance}.")
        return " ".join(said)


def views(report: EvaluationReport) -> dict[str, str]:
    """Attribution measures of the report → the input of their classifier, in words."""
    return {
        view.name: f"{representation_name(view.representation)}, "
        + reduction_name(view.reduction).lower()
        for view in report.config.views
    }


def families(report: EvaluationReport) -> dict[str, str]:
    """Return the measure families of the report with their titles; the overview first.

    A family by which no method has a score is left out, as label distributions are where not
    every annotator is imitated.
    """
    rows = report.scores
    rows = rows[rows["value"].notna() & rows["source"].isin(report.method_names)]
    there = set(rows["family"])
    found = {family.name: family.title for family in families_by_interest()}
    return {"main": "Overview", **{n: title for n, title in found.items() if n in there}}


BY_CLASSIFIER = ("main", "attribution")  # families whose columns are of one classifier


def columns(report: EvaluationReport, family: str, view: str) -> list[Column]:
    """Return the columns of a family; of attribution, those of one classifier."""
    table = report.scores
    known = table.drop_duplicates(["measure", "k"])[["measure", "k", "family"]]
    if family == "main":
        filled = table[table["value"].notna() & (table["measure"] == view)]
        pools = sorted(filled["k"].unique())
        first = [Column(view, int(k)) for k in dict.fromkeys(pools[:1] + pools[-1:])]
        about = {name: find_measure(name) for name in dict.fromkeys(known["measure"])}
        rows = [
            Column(row.measure, int(row.k))
            for row in known.itertuples()
            if about[row.measure].headline and not about[row.measure].of.pooled
        ]
        rows.sort(key=lambda column: not column.about.of.attribution)
        return [*first, *rows]
    rows = known[known["family"] == family]
    if FAMILIES[family].pooled:
        seen = find_measure(view).variant if view else ""
        rows = rows[[find_measure(name).variant == seen for name in rows["measure"]]]
    return [Column(row.measure, int(row.k)) for row in rows.itertuples()]


def score_grid(report: EvaluationReport, wanted: list[Column], target: str) -> pd.DataFrame:
    """Return the formatted cells: one row per method, then ceiling, floor, chance and n.

    Index: source names, `HUMAN`, `OTHER`, each `chance_name` of the families, "n"; columns:
    `Column.key`.
    """
    made = {}
    of_chance = list(dict.fromkeys(column.about.of.chance_name for column in wanted))
    for column in wanted:
        cells = score_cells(report, column.name, column.k, target)
        values = {name: text for name, text in cells.values.items() if name != GUESS}
        own = column.about.of.chance_name
        chances = {n: cells.values[GUESS] if n == own else NO_VALUE for n in of_chance}
        made[column.key] = {**values, **chances, "n": cells.n}
    grid = pd.DataFrame(made)
    empty = [name for name in of_chance if (grid.loc[name] == NO_VALUE).all()]
    return grid.drop(index=empty)


_HELP = (
    "Scores with 95 % confidence intervals over items. Ceiling: the target's own "
    "held-out answers. Floor: another annotator's answers scored as if they were "
    "the target's."
)
DETECTABLE = (
    "Smallest true difference that these items and answers could show with 80 % power, after the "
    "correction. An undecided comparison says nothing about smaller ones."
)
_ROOM, _NAMES = 1000, 172  # pixels: of the page in such a window, of the rows' names
_LETTER, _EDGES = 5.8, 18  # pixels: of a letter in a header, of what stands around its text


def target_of(chosen: CompareSelection) -> str:
    """Return the report's name of the selected target."""
    report = chosen.report
    if chosen.target:
        return chosen.target
    return ALL if report is not None else ""


def show(chosen: CompareSelection) -> str:
    """The table of the family that was chosen; the attribution measure that it and the pictures
    show ("" where the report has none)."""
    report, target = chosen.report, target_of(chosen)
    section_heading("Scores", _HELP)
    titles = families(report)
    family = url_state.choice(
        st.segmented_control,
        "Measures",
        list(titles),
        page=PAGE,
        key="family",
        format_func=titles.__getitem__,
        label_visibility="collapsed",
    )
    view = _view(report, shown=family in BY_CLASSIFIER)
    wanted = columns(report, family, view)
    if family == "soft" and target != ALL:
        show_note("Label distributions need all annotators together: choose “all” under Annotator.")
        return view
    grid = score_grid(report, wanted, target)
    best = {column.key: clearly_nearest(report, column.name, column.k, target) for column in wanted}
    _draw(report, grid, wanted, best)
    show_note(
        f"{BOLD} Click a cell to read the answers behind it."
        if any(best.values())
        else f"{NO_BOLD} Click a cell to read the answers behind it."
    )
    return view


def _view(report: EvaluationReport, *, shown: bool) -> str:
    """Return the attribution classifier; with its choice, where there are several.

    Args:
        shown: whether this tab has scores by it.
    """
    there = set(report.scores["measure"])
    known = {name: text for name, text in views(report).items() if name in there}
    if len(known) < 2 or not shown:
        chosen = url_state.get("seen")
        return chosen if chosen in known else next(iter(known), "")
    return url_state.choice(
        st.selectbox,
        "Attribution classifier",
        list(known),
        page=PAGE,
        key="seen",
        width=320,
        format_func=known.__getitem__,
        help="The classifier is trained only on the annotators' own training "
        "explanations. Word n-grams and embeddings capture different information; "
        "input words may be masked.",
    )


def _draw(
    report: EvaluationReport, grid: pd.DataFrame, wanted: list[Column], best: dict[str, str]
) -> None:
    looks = method_looks(report.method_names)
    names = {**{name: method_name(name) for name in report.method_names}, **ROWS, "n": "n"}
    shown = grid.reset_index(names="source")
    sources = list(shown["source"])
    shown["source"] = [names[source] for source in sources]

    dark = is_dark()
    ink, quiet = row_ink(dark=dark, pinned=True), row_ink(dark=dark)

    def dress(column: pd.Series) -> list[str]:
        styles = []
        for source in sources:
            if column.name == "source":
                look = looks.get(source)
                # The colour as a ground: as ink it is too faint for words on one of the themes.
                styles.append(f"background-color: {look.color}40; {ink}" if look else ink)
            elif source not in (*looks, HUMAN, OTHER):
                styles.append(quiet)
            else:
                styles.append("font-weight: bold" if best.get(column.name) == source else "")
        return styles

    config = {"source": st.column_config.TextColumn("", pinned=True, width=_NAMES)}
    # All side by side in a window of 1440, so long as a value has room with its interval.
    width = max(118, min(150, (_ROOM - _NAMES) // max(1, len(wanted))))
    for column in wanted:
        config[column.key] = st.column_config.TextColumn(
            column.header(width), help=column.help, alignment="right", width=width
        )
    data_grid(
        shown.style.apply(dress, axis=0),
        column_config=config,
        key=f"{PAGE}.scores",
        on_select=lambda: _clicked(sources, wanted),
        selection_mode="single-cell",
        alt="Scores of each method by measure, with ceiling, floor and chance",
    )


def _clicked(sources: list[str], wanted: list[Column]) -> None:
    """Open the answers behind a clicked score.

    The names mean nothing: a click on a header, to sort, picks the first cell of the table out.
    """
    cells = url_state.now(f"{PAGE}.scores").selection.cells
    if not cells or cells[0][1] == "source":
        return
    row, key = cells[0]
    column = next((one for one in wanted if one.key == key), None)
    method = sources[row] if sources[row] not in (*ROWS, "n") else ""
    family = column.about.family if column else ""
    order = "" if family in ("labels", "soft") else "worst"
    outcome = "wrong" if family in ("labels", "soft") and method else ""
    open_answers(method, order=order, outcome=outcome)


_ARROWS = {HIGHER: "↑", LOWER: "↓", ONE: "→ 1", LIKE_HUMAN: "→ human"}
_MEASURE = Field(
    "Measure",
    "↑ higher is better, ↓ lower is better, → 1 closer to 1 is better, → human closer to the "
    "human's value is better.",
    width=205,
)
_SOURCES = ("source", "against")
_TEXTS = Field(
    "Texts", "Explanations pooled per attribution; 0 for measures of single answers.", 0, 48
)
_SPREAD = {
    "seed_spread": Field(
        "SD over seeds", "Standard deviation over seeds and samples.", digits_from="decimals"
    )
}


def numbers(chosen: CompareSelection, view: str) -> None:
    """Every score, then every paired difference, as tables.

    Args:
        view: the attribution measure whose classifier is shown; files have all of them.
    """
    report, target = chosen.report, target_of(chosen)
    section_heading("All scores", _HELP)
    several = views(report)
    if len(several) > 1 and view in several:
        words = several[view]
        show_note(
            f"Attribution in these tables is by the classifier chosen above ({words[0].lower()}"
            f"{words[1:]}); their files have all {len(several)} classifiers."
        )
    rows = report.scores[report.scores["target"] == target]
    _table(
        rows,
        view,
        {
            "title": _MEASURE,
            "source": Field("Source", width=150),
            "k": _TEXTS,
            "value": Field("Value", "With its 95 % interval.", digits_from="decimals",
                           ends=("low", "high")),
            "n": Field("n", "Answers, or groups of answers.", 0),
            "floor": Field(
                "Floor",
                "Another annotator's answers, scored as the target's.",
                digits_from="decimals",
            ),
            "ceiling": Field(
                "Ceiling", "The target's own held-out answers.", digits_from="decimals"
            ),
            "chance": Field(
                "Chance",
                "Without reading the item; for labels, the most frequent label.",
                digits_from="decimals",
            ),
            **(_SPREAD if rows["seed_spread"].notna().any() else {}),
        },
        key="numbers",
        file_name=f"{report.dataset}-scores",
    )  # fmt: skip
    for note in _notes(rows):
        show_note(note)
    distances(chosen, view)
    section_heading(
        "All paired differences",
        "First minus second source on the same items. p-values are Holm-adjusted "
        "over all pairs within a measure.",
    )
    rows = report.differences[report.differences["target"] == target]
    _table(
        rows,
        view,
        {
            "title": _MEASURE,
            "k": _TEXTS,
            "source": Field("First"),
            "against": Field("Second"),
            "value": Field("Difference", "First minus second, with its 95 % interval.",
                           digits_from="decimals", ends=("low", "high")),
            "p_holm": Field("p (Holm)", None, text=p_value, width=70),
            "verdict": Field("Verdict", width=80),
            "n": Field("n", None, 0, width=44),
            "detectable": Field("Detectable", DETECTABLE, digits_from="decimals", width=84),
        },
        key="differences",
        file_name=f"{report.dataset}-differences",
    )  # fmt: skip


def distances(chosen: CompareSelection, view: str) -> None:
    """Show the distance of each method from the human reference, for all measures of imitation."""
    report, target = chosen.report, target_of(chosen)
    rows = report.human_distance.distances
    rows = rows[rows["target"] == target]
    if rows.empty:
        return
    section_heading(
        "Distance from the human",
        "How far each method's attribution is from that of the target's own held-out texts. Beyond "
        "it (overshoot), texts are more typical than the human's. Over several annotators: the "
        "mean of their absolute differences.",
    )
    _table(
        rows,
        view,
        {
            "title": _MEASURE,
            "k": _TEXTS,
            "source": Field("Method"),
            "value": Field("Value", None, digits_from="decimals"),
            "human": Field("Human", "The targets' own held-out texts.", digits_from="decimals"),
            "gap": Field("Difference", "Method minus human, with its 95 % interval.",
                         digits_from="decimals", ends=("gap_low", "gap_high")),
            "distance": Field(
                "Distance",
                "Mean over annotators of the absolute difference.",
                digits_from="decimals",
            ),
            "level": Field("Level", width=165),
        },
        key="distances",
        file_name=f"{report.dataset}-distances",
    )  # fmt: skip


def _table(
    rows: pd.DataFrame, view: str, fields: Mapping[str, Field], *, key: str, file_name: str
) -> None:
    """Show rows of measures, of attribution those by one classifier; the file has all rows."""
    called = {name: [_called(source) for source in rows[name]] for name in _SOURCES if name in rows}
    rows = rows.assign(**called)
    measures = {name: find_measure(name) for name in rows["measure"].unique()}
    variant = find_measure(view).variant if view else ""
    here = [name for name, one in measures.items() if not one.of.pooled or one.variant == variant]
    shown = rows[rows["measure"].isin(here)]
    titles = {name: f"{one.screen_title()} {_ARROWS[one.better]}" for name, one in measures.items()}
    shown = shown.assign(
        title=shown["measure"].map(titles),
        decimals=shown["measure"].map({name: one.decimals for name, one in measures.items()}),
    )
    table(shown, fields, key=f"{PAGE}.{key}", file_name=file_name, download=False)
    download_table(rows, key=f"{PAGE}.{key}.csv", file_name=file_name)


def _notes(rows: pd.DataFrame) -> list[str]:
    """Return what is to be known of scores, such as why they are undefined, with the measures."""
    found = []
    for note, same in rows[rows["note"].fillna("") != ""].groupby("note", sort=False):
        titles = [find_measure(name).screen_title() for name in same["measure"].unique()]
        found.append(f"{listed(list(dict.fromkeys(titles)))}: {note}.")
    return found


def _called(source: str) -> str:
    return {**ROWS, GUESS: "Chance or most frequent label"}.get(source) or method_name(source)
