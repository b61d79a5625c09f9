"""Retention (catastrophic forgetting) by adapter strength: the finished measurements, the request
for one, and the charts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.compare import cache
from capo_core.dashboard.compare.selection import PAGE, CompareSelection
from capo_core.dashboard.ui import job_progress, url_state
from capo_core.dashboard.ui.charts import blank, chance_line, percent_axis, share_texts, whiskers
from capo_core.dashboard.ui.components import (
    Field,
    is_dark,
    section_heading,
    show_errors,
    show_figure,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.theme import NEUTRAL, Look, human_look, looks, method_name
from capo_core.data.catalog import Entry
from capo_core.errors import CapoError
from capo_core.evaluation.retention import (
    GENERAL,
    IMITATION,
    LABELS,
    MEANING,
    OTHER_TASK,
    OTHERS,
    OWN,
    Retention,
    RetentionConfig,
)
from capo_core.evaluation.retention_plane import RetentionPlane, retention_plane
from capo_core.formatting import percent, percent_interval, with_interval
from capo_core.imitation.prompting.prompts import TRAINED
from capo_core.run_folder import RunFolder
from capo_core.runs import queue, submit
from capo_core.runs import run as runs_run
from capo_core.runs.comparisons import RunComparison
from capo_core.runs.kinds.retention import training_title, with_parameters
from capo_core.runs.run import Run
from capo_core.workspace import Workspace, safe_name


@dataclass(frozen=True)
class Training:
    """A training whose adapter answered: its run, its method and its target."""

    run_id: str
    method: str
    target: str

    @property
    def key(self) -> str:
        return f"{self.run_id}/{self.target}"


def trainings(workspace: Workspace, comparison: RunComparison, target: str = "") -> list[Training]:
    """The trainings behind a comparison, CAPO before SFT, each once.

    Args:
        target: for this annotator only; "" for all.
    """
    found = {}
    for name in comparison.runs:
        try:
            asked = RunFolder(workspace.runs / name).config
            method = str(asked["settings"]["method"])
            adapters = {who: str(one["run"]) for who, one in asked.get("adapters", {}).items()}
        except (CapoError, KeyError, TypeError, AttributeError):
            continue  # a broken run has no adapters that could be named
        for who, run_id in adapters.items():
            if method in TRAINED and target in ("", who):
                training = Training(run_id, method, who)
                found[training.key] = training
    return sorted(found.values(), key=lambda one: -TRAINED.index(one.method))


def measurement(workspace: Workspace, training: Training) -> Run | None:
    """Return the finished retention run of a training, else the last one requested; None without
    any."""
    found = []
    for run in runs_run.all_runs(workspace):
        try:
            request = run.request
        except CapoError:
            continue
        asked = (request.settings.get("run"), request.settings.get("target"))
        if request.kind == "retention" and asked == (training.run_id, training.target):
            found.append((run.files.done, request.queued, run))
    return max(found, key=lambda one: one[:2])[2] if found else None


def measured(workspace: Workspace, entry: Entry, target: str) -> dict[str, Run]:
    """Return the finished retention runs of a target's trainings by the name of the training.

    The latest of each training; of all trainings in the workspace, whatever they are compared with.
    """
    found: dict[str, tuple[float, Run]] = {}
    for run in runs_run.all_runs(workspace):
        try:
            request = run.request
        except CapoError:
            continue
        asked = request.settings
        same = (asked.get("dataset"), asked.get("target")) == (entry.name, target)
        if request.kind != "retention" or not same or not run.files.done:
            continue
        name = str(asked.get("run"))
        if name not in found or found[name][0] < request.queued:
            found[name] = (request.queued, run)
    return {name: found[name][1] for name in sorted(found)}


def measure(workspace: Workspace, entry: Entry, training: Training) -> Run:
    """Request a retention run, with the settings of an experiment that includes one."""
    return submit.submit(
        workspace,
        "retention",
        {
            "dataset": entry.name,
            "fingerprint": entry.fingerprint,
            "target": training.target,
            "run": training.run_id,
            "config": RetentionConfig().to_dict(),
        },
    )


_GAINED = {IMITATION: "attributed to the target", LABELS: "majority label"}
_KEPT = {
    OWN: "the target's responses",
    OTHERS: "others' responses",
    GENERAL: "general text",
    OTHER_TASK: "another task's responses",
}
_LOOKS = {
    LABELS: Look(NEUTRAL, "circle-open", "dot"),
    OTHERS: Look("#C98A1B", "square", "dash"),
    GENERAL: Look("#2A9D8F", "diamond", "dot"),
    OTHER_TASK: Look("#8E6BBF", "triangle-up", "dashdot"),
}


@figure_kind("retention-gained", "What an adapter learned")
def gained(found: Retention, human: Look) -> go.Figure:
    """Chart of the share of explanations attributed to the target and of majority labels, by
    strength.

    Args:
        human: the look of the target's own texts, whose share is the ceiling.
    """
    figure = _way(found)
    for measure, called in _GAINED.items():
        rows = found.curve(measure)
        look = _LOOKS.get(measure, human)
        texts = share_texts(rows["value"], rows["low"], rows["high"])
        _line(figure, rows, called, look, rows["value"], rows["low"], rows["high"], texts)
    ceiling, chance = (found.line(IMITATION, name) for name in ("ceiling", "chance"))
    if ceiling is not None:
        figure.add_hline(
            ceiling["value"],
            line={"color": human.color, "width": 1.2},
            annotation_text="the target's own texts",
            annotation_position="top left",
            annotation_font={"color": NEUTRAL, "size": 12},
        )
    if chance is not None:
        rows = found.curve(IMITATION).assign(chance=chance["value"])
        chance_line(figure, rows, vertical=False)
    figure.update_yaxes(**percent_axis("share of answers") | {"range": [0, 1.08]})
    return figure


@figure_kind("retention-kept", "What an adapter kept")
def kept(found: Retention, human: Look) -> go.Figure:
    """Line chart of perplexity relative to the base model, by kind of text; 1 is equal."""
    figure = _way(found)
    for measure, called in _KEPT.items():
        rows = found.curve(measure)
        if rows.empty:
            continue
        look = _LOOKS.get(measure, human)
        ends = [rows[name] for name in ("change", "change_low", "change_high")]
        texts = [
            f"{with_interval(*each)} times the base model's" for each in zip(*ends, strict=True)
        ]
        _line(figure, rows, called, look, *ends, texts)
    figure.add_hline(1.0, line={"color": NEUTRAL, "width": 1.4, "dash": "dash"})
    figure.update_yaxes(
        type="log", title="perplexity relative to the base model", tickformat=".2~f"
    )
    return figure


def _way(found: Retention) -> go.Figure:
    """Return the empty chart of adapter strength from the base model over SFT to CAPO, with its
    best corner marked."""
    figure = blank(380, legend=True)
    strengths = found.config.strengths
    ends = {0.0: "base", 1.0: "SFT", 2.0: "CAPO"}
    places = [*strengths, *(1 + s for s in strengths[1:])]
    places = [at for at in places if at <= found.points["at"].max()]
    figure.update_xaxes(
        tickvals=places,
        ticktext=[ends.get(at, f"{at % 1:g}") for at in places],
        title="adapter strength",
        showgrid=False,
    )
    if found.best is not None:
        figure.add_vline(
            found.best.at,
            line={"color": NEUTRAL, "width": 1.4, "dash": "dot"},
            annotation_text="best",
            annotation_position="bottom right",
            annotation_font={"color": NEUTRAL, "size": 12},
        )
    return figure


def _line(figure, rows, called, look, value, low, high, texts: list[str]) -> None:
    figure.add_scatter(
        x=rows["at"],
        y=value,
        error_y=whiskers(value, low, high, look.color),
        mode="lines+markers",
        name=called,
        line={"color": look.color, "dash": look.dash, "width": 2.2},
        marker={"symbol": look.symbol, "size": 9, "color": look.color},
        customdata=list(zip(texts, rows["n"], strict=True)),
        hovertemplate="%{customdata[0]}, n = %{customdata[1]:,}<extra>%{fullData.name}</extra>",
    )


@figure_kind("retention-plane", "Learning against forgetting")
def plane_figure(found: RetentionPlane) -> go.Figure:
    """Chart of attribution by what is kept of the base, one path a training, its best point
    ringed."""
    figure = blank(420, legend=True)
    paths = looks(list(dict.fromkeys(found.points["training"])))
    for name, rows in found.points.groupby("training", sort=False):
        look = paths[name]
        texts = [
            f"{percent(row.attribution)} "
            f"{percent_interval(row.attribution_low, row.attribution_high)} attributed, "
            f"{with_interval(row.kept, row.kept_low, row.kept_high)} of the base kept, strength "
            f"{row.strength:g} of {row.stage.upper()}"
            + (f", {row.parameters:,} trainable parameters" if row.parameters else "")
            for row in rows.itertuples()
        ]
        figure.add_scatter(
            x=rows["kept"],
            y=rows["attribution"],
            error_x=whiskers(rows["kept"], rows["kept_low"], rows["kept_high"], look.color),
            error_y=whiskers(
                rows["attribution"], rows["attribution_low"], rows["attribution_high"], look.color
            ),
            mode="lines+markers",
            name=name,
            line={"color": look.color, "dash": look.dash, "width": 2.0},
            marker={
                "symbol": look.symbol,
                "color": look.color,
                "size": [15 if best else 8 for best in rows["best"]],
            },
            customdata=texts,
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
        )
    if math.isfinite(found.ceiling):
        figure.add_hline(
            found.ceiling,
            line={"color": NEUTRAL, "width": 1.2},
            annotation_text="the target's own texts",
            annotation_position="top left",
            annotation_font={"color": NEUTRAL, "size": 12},
        )
    figure.update_xaxes(title=f"kept: {found.measure}, base / point", tickformat=".2~f")
    figure.update_yaxes(**percent_axis("attributed to the target") | {"range": [0, 1.08]})
    return figure


def _beside(context: PageContext, target: str) -> None:
    """Show all measured trainings of the target in one plane, where there are several."""
    runs = measured(context.workspace, context.entry, target)
    if len(runs) < 2:
        return
    section_heading(
        "Learning against forgetting",
        "Each path is a training, from the base model along its adapter's strength; up is more "
        "like the target, right is more of the base kept. Large points: each one's best balance.",
    )
    titles = {
        name: training_title(RunFolder(context.workspace.runs / safe_name(name))) for name in runs
    }
    chosen = st.multiselect(
        "Trainings",
        list(runs),
        default=list(runs)[-_MOST_PATHS:],
        max_selections=_MOST_PATHS,
        key=f"{PAGE}.plane.{target}",
        format_func=titles.__getitem__,
    )
    if not chosen:
        return
    with show_errors():
        plane = retention_plane(
            {
                titles[name]: with_parameters(cache.retention(runs[name].folder), context.workspace)
                for name in chosen
            }
        )
        show_figure(
            plane_figure(plane),
            key=f"{PAGE}.plane",
            file_name=f"{context.entry.name}-{target}-learning-and-forgetting",
            alt="Attribution to the target by what is kept of the base model, for each training",
        )
        for text in (plane.statement.text, *plane.remarks):
            show_note(text)


_MOST_PATHS = 6
_HELP = (
    "The adapter scaled from 0 (base model) to 1, and interpolated from the SFT "
    "to the CAPO adapter. Learning: attribution to the target rises. Forgetting: "
    "perplexity of general text, of other annotators' responses and of another task's rises."
)


def show(context: PageContext, chosen: CompareSelection) -> None:
    """Show the curves of one training, or the button to measure it."""
    section_heading("Retention (catastrophic forgetting)", _HELP)
    every = [one.key for one in trainings(context.workspace, chosen.comparison, "")]
    url_state.require("training", every, place="this comparison")
    found = trainings(context.workspace, chosen.comparison, chosen.target)
    if not found:
        show_note("No method here trains an adapter, so forgetting does not apply.")
        return
    by_key = {training.key: training for training in found}
    training = by_key[
        url_state.choice(
            st.selectbox, "Training", list(by_key), page=PAGE, key="training", width=320,
            known=every,
            format_func=lambda key: f"{method_name(by_key[key].method)} for {by_key[key].target}",
        )
    ]  # fmt: skip
    run = measurement(context.workspace, training)
    if run is not None and run.files.done:
        _curve(cache.retention(run.folder), training)
        _beside(context, training.target)
    elif run is not None and run.status().live:
        queue.advance(context.workspace)
        job_progress.watch(run)
    else:
        if run is not None:
            job_progress.show_outcome(run)
        _ask(context, training)


def _ask(context: PageContext, training: Training) -> None:
    with st.container(border=True):
        st.markdown(
            "**Retention of this training has not been measured yet.** The base model "
            "and the adapter at several strengths answer held-out items; this takes some "
            "minutes with the embedded base model, in the background."
        )
        st.button(
            "Measure retention",
            key="compare.retention",
            type="primary",
            on_click=guarded,
            args=(measure, context.workspace, context.entry, training),
        )


def _curve(found: Retention, training: Training) -> None:
    show_note(found.sentence)
    human = human_look(dark=is_dark())
    name = f"{found.dataset}-{training.method}-{training.target}"
    with side_by_side("retention", [1, 1]) as (left, right):
        with left:
            show_figure(
                gained(found, human),
                key=f"{PAGE}.gained",
                file_name=f"{name}-gained",
                alt="Attribution and label accuracy by adapter strength",
            )
        with right:
            show_figure(
                kept(found, human),
                key=f"{PAGE}.kept",
                file_name=f"{name}-kept",
                alt=(
                    "Perplexity of the target's and others' responses, general text and another "
                    "task's responses relative to the base model"
                ),
            )
    texts = f" {found.texts}" if found.texts else ""
    show_note(
        f"{found.n_items:,} {found.config.split} items, the same at every strength.{texts} "
        f"{MEANING[IMITATION]}"
    )
    with st.expander("All values"):
        table(
            found.points,
            {
                "stage": Field("Stage"),
                "strength": Field("Strength", None, 2),
                "measure": Field("Measure", width="medium"),
                "value": Field("Value", None, 3),
                "low": Field("from", "Lower end of the 95 % interval.", 3),
                "high": Field("to", "Upper end of the 95 % interval.", 3),
                "n": Field("n", None, 0),
                "change": Field("Relative to base", "Ratio for perplexities, else difference.", 3),
                "change_low": Field("from ", "Lower end of the 95 % interval.", 3),
                "change_high": Field("to ", "Upper end of the 95 % interval.", 3),
            },
            key=f"{PAGE}.retention.figures",
            file_name=f"{name}-retention",
        )
