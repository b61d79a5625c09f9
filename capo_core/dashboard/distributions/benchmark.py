"""Benchmark: the board of LeWiDi-2025 that a dataset belongs to, published rows and ours."""

from __future__ import annotations

import shlex
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded, page_link
from capo_core.dashboard.distributions import PAGE
from capo_core.dashboard.ui import job_progress, url_state
from capo_core.dashboard.ui.charts import blank, whiskers
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_error,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.exports import begin, current, download
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import markdown, plotly
from capo_core.dashboard.ui.theme import NEUTRAL, OKABE_ITO
from capo_core.errors import CapoError
from capo_core.export_formats import csv_text
from capo_core.formatting import capitalised, count, listed
from capo_core.imitation.prompting.prompts import method_name
from capo_core.leaderboards import report, store
from capo_core.leaderboards.board import Leaderboard
from capo_core.leaderboards.boards import BOARDS, CONTENT, TASKS, TRACKS, Board
from capo_core.leaderboards.find import board_of
from capo_core.runs import submit
from capo_core.runs.experiments.board_methods import methods_of
from capo_core.runs.run import Run

_HELP = (
    "Published rows are a block of their own: they have no interval, and their table does not say "
    "which of them read the annotators' explanations."
)

_TITLES = dict(zip(report.HEADER, ("Row", "Task B", "Task A", "n"), strict=True))
_HELPS = {
    "task B": "=: no significant difference from the lowest row of ours (Holm-adjusted).",
    "task A": "–: no score of this task is at hand for a published row.",
    "n": "Test items, and (annotator, item) cells.",
}


def show(context: PageContext) -> None:
    """Show the board of the page's dataset on the chosen track, or how to get one."""
    section_heading("LeWiDi-2025: published rows and ours", _HELP)
    dataset = cache.dataset(context.workspace, context.entry)
    board = board_of(dataset)
    if board is None:
        _no_board(context)
        return
    track = url_state.choice(
        st.segmented_control, "Track", list(board.tracks), page=PAGE, key="track",
        format_func=lambda name: f"{capitalised(name)}: {TRACKS[name]}",
        label_visibility="collapsed",
    )  # fmt: skip
    try:
        result = store.load(context.workspace, board.name, track)
    except CapoError as error:
        show_error(error)
        result = None
    if result is not None and (why := report.outdated(result, dataset)):
        show_note(f"{why}; compute it anew.")
        result = None
    _computation(context, board, track, again=result is not None)
    if result is None:
        return
    page = current()
    begin(result.provenance.dated())
    _board(result)
    begin(page)


def _no_board(context: PageContext) -> None:
    """Show which datasets have a board, and how to get one of them."""
    titles = listed([board.title for board in BOARDS.values()])
    show_note(
        f"{context.entry.name} is none of the datasets of the shared task LeWiDi-2025 ({titles}) "
        "with its test part, so there is no board to compare with. These commands download one of "
        "them with all its parts; choose it as the dataset then. Files of the task that you have "
        "already are imported together."
    )
    commands = [f"python -m capo_core data fetch lewidi-{name}" for name in BOARDS]
    st.code("\n".join(commands), language="bash")
    page_link(context, "data", "Import a dataset", view="import")


def settings(context: PageContext, board: Board, track: str) -> dict:
    """Return the settings of a run of kind "leaderboard"."""
    return {
        "dataset": context.entry.name,
        "fingerprint": context.entry.fingerprint,
        "board": board.name,
        "track": track,
    }


def _computation(context: PageContext, board: Board, track: str, *, again: bool) -> None:
    """Show the run that computes the board, or the button that starts one."""
    wanted = settings(context, board, track)
    run: Run | None = submit.find_begun(context.workspace, "leaderboard", wanted)
    if run is not None and run.status().live:
        job_progress.watch(run)
        return
    if run is not None:
        job_progress.show_outcome(run)
    st.button(
        "Compute again" if again else "Compute our rows",
        key=f"{PAGE}.board",
        type="secondary" if again else "primary",
        on_click=guarded,
        args=(submit.begin, context.workspace, "leaderboard", wanted),
    )
    if not again:
        show_note(
            "Trains every row on the training and development parts and predicts the test part; "
            "some minutes, in the background. Finished generations of this dataset become rows."
        )
        st.code(
            f"python -m capo_core benchmark lewidi --dataset {board.name} --data "
            f"{shlex.quote(context.entry.name)} --track {track}",
            language="bash",
        )
    _imitations(context, board, track)


def _imitations(context: PageContext, board: Board, track: str) -> None:
    """Say how prompting, SFT and CAPO get a row, in one command."""
    if track != CONTENT:
        show_note(
            "Prompting, SFT and CAPO do not read the annotators' explanations of the test items: "
            f"their rows stand on the track “{CONTENT}”."
        )
        return
    methods = methods_of(board)
    show_note(
        f"Rows of {listed([method_name(one) for one in methods])}: the command below trains and "
        "generates for every annotator on the board's own split, and scores the labels. It takes "
        "long, can be stopped, and resumes when it is repeated; an experiment begun on Fine-tune "
        "that answers this dataset's test part becomes rows in the same way."
        + (
            ""
            if board.explained
            else f" {board.title} has no explanations to learn from; zero-shot prompts say nothing "
            "of the annotator, so that each item is answered once, for all annotators."
        )
    )
    st.code(
        f"python -m capo_core benchmark lewidi --dataset {board.name} --data "
        f"{shlex.quote(context.entry.name)} --method {' '.join(methods)} --base smollm2",
        language="bash",
    )


def _board(result: Leaderboard) -> None:
    show_headline(result.headline())
    with side_by_side("board", [1, 1]) as places:
        for place, task in zip(places, TASKS, strict=True):
            with place:
                section_heading(TASKS[task])
                show_note(
                    f"{capitalised(result.spec.scored_by[task])}; lower is better. Filled: no "
                    "significant difference from the lowest row of ours (Holm-adjusted)."
                )
                show_figure(
                    chart(result, task),
                    key=f"{PAGE}.board.{task}",
                    file_name=f"lewidi-{result.board}-{result.track}-{task}",
                    alt=f"{result.title}. {TASKS[task]}: score of each row, ours with 95 % "
                    f"intervals over {count(result.parts['test'], 'test item')}",
                )
    for title, rows, key in (
        (f"Ours, track {result.track} ({TRACKS[result.track]})", result.ours, "ours"),
        ("Published", result.published, "published"),
    ):
        st.markdown(f"**{markdown(title)}**")
        frame = pd.DataFrame([report.cells(row) for row in rows], columns=list(report.HEADER))
        frame["note"] = [row.note or row.source for row in rows]
        fields = {name: Field(_TITLES[name], help=_HELPS.get(name)) for name in report.HEADER}
        fields["note"] = Field("Source" if key == "published" else "Chosen, left out")
        if key == "published":
            fields.pop("n")
        table(
            frame, fields, key=f"{PAGE}.board.{key}",
            file_name=f"lewidi-{result.board}-{result.track}-{key}",
        )  # fmt: skip
    for text in (report.measures(result), *report.reproduction(result), *result.notes):
        show_note(text)
    _export(result)


def _export(result: Leaderboard) -> None:
    name = f"lewidi-{result.board}-{result.track}"
    frame = pd.concat([result.table(task) for task in TASKS])
    with st.container(horizontal=True):
        download(PAGE, "Board (Markdown)", f"{name}.md", "text/markdown",
                 partial(report.to_markdown, result))  # fmt: skip
        download(PAGE, "Board (LaTeX)", f"{name}.tex", "application/x-tex",
                 partial(report.to_latex, result))  # fmt: skip
        download(PAGE, "Board (CSV)", f"{name}.csv", "text/csv",
                 partial(csv_text, frame))  # fmt: skip


@figure_kind("board", "Board of LeWiDi-2025")
def chart(result: Leaderboard, task: str) -> go.Figure:
    """Return the rows of one task as points: ours with intervals, and published ones below a line,
    as diamonds without."""
    ours = sorted(
        (row for row in result.ours if task in row.scores),
        key=lambda row: row.scores[task]["value"],
    )
    published = sorted(
        (row for row in result.published if task in row.scores),
        key=lambda row: row.scores[task]["value"],
    )
    names = [row.title for row in (*ours, *published)]
    figure = blank(max(170, 90 + 30 * len(names)), legend=True)
    score = pd.Series([row.scores[task]["value"] for row in ours], dtype=float)
    low, high = (
        pd.Series([row.scores[task][end] for row in ours], dtype=float) for end in ("low", "high")
    )
    place = list(range(len(names)))
    figure.add_scatter(
        x=score, y=place[: len(ours)], mode="markers", name="ours",
        error_x=whiskers(score, low.fillna(score), high.fillna(score), OKABE_ITO[0]),
        marker={"color": OKABE_ITO[0], "size": 9,
                "symbol": ["circle" if row.tied.get(task) else "circle-open" for row in ours]},
        customdata=[(row.shown(task), f"{row.n:,}", plotly(row.title, 60)) for row in ours],
        hovertemplate="%{customdata[2]}: %{customdata[0]}, %{customdata[1]} items<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[row.scores[task]["value"] for row in published], y=place[len(ours) :],
        mode="markers", name="published",
        marker={"color": OKABE_ITO[1], "size": 10, "symbol": "diamond"},
        customdata=[
            (row.shown(task), plotly(row.source, 60), plotly(row.title, 60)) for row in published
        ],
        hovertemplate="%{customdata[2]}: %{customdata[0]} (%{customdata[1]})<extra></extra>",
    )  # fmt: skip
    if published:
        figure.add_hline(len(ours) - 0.5, line={"color": NEUTRAL, "width": 1})
    most = max([*high.fillna(score), *(row.scores[task]["value"] for row in published)])
    figure.update_yaxes(
        tickvals=place,
        ticktext=[plotly(name, 44) for name in names],
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_xaxes(range=[0, most * 1.05], title=f"{TASKS[task].split(',')[0]} (0 = perfect)")
    return figure
