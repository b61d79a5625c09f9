"""The score table: method by measure, and from each cell to the answers behind it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard import comparing_scores, state
from capo_core.dashboard.comparing_scores import CHANCE, ROWS, Column
from capo_core.dashboard.components import Field, heading, note, table
from capo_core.dashboard.theme import method_looks, method_name
from capo_core.dashboard.view_methods_behind import open_answers
from capo_core.dashboard.view_methods_choice import PAGE, Chosen
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.table import ALL

KEYS = ("family", "seen")
_HELP = (
    "Each score with its 95 % interval over items. The ceiling is what the target's own held-out "
    "answers reach, the floor what another annotator's reach if they are taken for the target's."
)
_QUIET = "color: #8A8F94"


def target_of(chosen: Chosen) -> str:
    """The report's name of who is looked at."""
    report = chosen.report
    if chosen.target:
        return chosen.target
    return ALL if report is not None else ""


def show(chosen: Chosen) -> str:
    """The table of the family that was chosen; the attribution measure that it and the pictures
    show ("" where the report has none)."""
    report, target = chosen.report, target_of(chosen)
    heading("Scores", _HELP)
    titles = comparing_scores.families(report)
    family = state.choice(
        st.segmented_control,
        "Measures",
        list(titles),
        page=PAGE,
        key="family",
        format_func=titles.__getitem__,
        label_visibility="collapsed",
    )
    view = _view(report)
    wanted = comparing_scores.columns(report, family, view)
    if family == "soft" and target != ALL:
        note(
            "Label distributions are of all annotators together; choose all of them to see scores."
        )
        return view
    grid = comparing_scores.grid(report, wanted, target)
    best = {column.key: comparing_scores.clearly_best(report, column, target) for column in wanted}
    _draw(report, grid, wanted, best)
    note(
        "Bold: better than every other method on the same items beyond doubt (paired test, "
        "Holm-adjusted p up to .05). Click a cell to read the answers behind it."
        if any(best.values())
        else "No method is better than every other beyond doubt on the same items (paired tests, "
        "Holm-adjusted). Click a cell to read the answers behind it."
    )
    return view


def _view(report: EvaluationReport) -> str:
    """The choice of what the classifier of imitation sees, where there is one."""
    there = set(report.scores["measure"])
    known = {name: text for name, text in comparing_scores.views(report).items() if name in there}
    if len(known) < 2:
        return next(iter(known), "")
    return state.choice(
        st.selectbox,
        "The classifier sees",
        list(known),
        page=PAGE,
        key="seen",
        width=320,
        format_func=known.__getitem__,
        help="Imitation is judged by a classifier that knows only what people wrote on training "
        "items. Wording and meaning see different things; the words of the item may be masked.",
    )


def _draw(
    report: EvaluationReport, grid: pd.DataFrame, wanted: list[Column], best: dict[str, str]
) -> None:
    looks = method_looks(report.method_names)
    names = {**{name: method_name(name) for name in report.method_names}, **ROWS, "n": "n"}
    shown = grid.reset_index(names="source")
    sources = list(shown["source"])
    shown["source"] = [names[source] for source in sources]

    def dress(column: pd.Series) -> list[str]:
        styles = []
        for source in sources:
            if column.name == "source":
                look = looks.get(source)
                # The colour as a ground: as ink it is too faint for words on one of the themes.
                styles.append(f"background-color: {look.color}40" if look else "")
            elif source in (CHANCE, "n"):
                styles.append(_QUIET)
            else:
                styles.append("font-weight: bold" if best.get(column.name) == source else "")
        return styles

    config = {"source": st.column_config.TextColumn("", pinned=True, width=190)}
    for column in wanted:
        config[column.key] = st.column_config.TextColumn(
            column.header, help=column.help, alignment="right", width=150
        )
    st.dataframe(
        shown.style.apply(dress, axis=0),
        hide_index=True,
        column_config=config,
        key=f"{PAGE}.scores",
        on_select=lambda: _clicked(sources, wanted),
        selection_mode="single-cell",
        alt="Scores of each method by measure, with ceiling, floor and chance",
    )


def _clicked(sources: list[str], wanted: list[Column]) -> None:
    """From a score to the answers behind it.

    The names mean nothing: a click on a header, to sort, picks the first cell of the table out.
    """
    cells = state.now(f"{PAGE}.scores").selection.cells
    if not cells or cells[0][1] == "source":
        return
    row, key = cells[0]
    column = next((one for one in wanted if one.key == key), None)
    method = sources[row] if sources[row] not in (*ROWS, "n") else ""
    family = column.about.family if column else ""
    order = "" if family in ("labels", "soft") else "worst"
    outcome = "wrong" if family in ("labels", "soft") and method else ""
    open_answers(method, order=order, outcome=outcome)


def numbers(chosen: Chosen) -> None:
    """Every score, then every paired difference, as tables."""
    report, target = chosen.report, target_of(chosen)
    heading("Every score", _HELP)
    rows = report.scores[report.scores["target"] == target]
    table(
        rows.assign(source=[_called(name) for name in rows["source"]]),
        {
            "measure": Field("Measure", width="medium"),
            "k": Field("Texts", "Explanations judged together; 0 where it is not of groups.", 0),
            "source": Field("Whose answers"),
            "value": Field("Value", None, 3),
            "low": Field("from", "Lower end of the 95 % interval.", 3),
            "high": Field("to", "Upper end of the 95 % interval.", 3),
            "n": Field("n", "Answers, or groups of answers.", 0),
            "floor": Field("Floor", "Another annotator's answers, taken for the target's.", 3),
            "ceiling": Field("Ceiling", "The target's own held-out answers.", 3),
            "chance": Field("Chance", "A guess that has not read the item.", 3),
            "seed_spread": Field("Over seeds", "Standard deviation over seeds and samples.", 3),
            "better": Field("Better", "Which direction is better."),
            "note": Field("Why undefined", width="medium"),
        },
        key=f"{PAGE}.numbers",
        file_name=f"{report.dataset}-scores",
    )
    heading(
        "Every paired difference",
        "One source minus another on the same items. p is adjusted by Holm's method over all pairs "
        "compared by one measure.",
    )
    rows = report.differences[report.differences["target"] == target]
    table(
        rows.assign(
            source=[_called(name) for name in rows["source"]],
            against=[_called(name) for name in rows["against"]],
        ),
        {
            "measure": Field("Measure", width="medium"),
            "k": Field("Texts", None, 0),
            "source": Field("First"),
            "against": Field("Second"),
            "value": Field("Difference", "First minus second.", 3),
            "low": Field("from", "Lower end of the 95 % interval.", 3),
            "high": Field("to", "Upper end of the 95 % interval.", 3),
            "n": Field("n", None, 0),
            "p_holm": Field("p (Holm)", None, 4),
            "verdict": Field("The first is"),
        },
        key=f"{PAGE}.differences",
        file_name=f"{report.dataset}-differences",
    )


def _called(source: str) -> str:
    return ROWS.get(source) or method_name(source)
