"""Transfer: a team of imitated annotators against the crowd, at home and on other data."""

from __future__ import annotations

from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, page_link
from capo_core.dashboard.distributions import PAGE
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.charts import blank, whiskers
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import begin, current, download
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.text import plotly
from capo_core.dashboard.ui.theme import OKABE_ITO
from capo_core.dataset import Dataset
from capo_core.distributions import transfer_store
from capo_core.distributions.compare import measure_title
from capo_core.distributions.transfer_report import (
    AWAY,
    HOME,
    MEASURES,
    NOTE,
    TEAM,
    Transfer,
    item_table,
    to_markdown,
)
from capo_core.distributions.transfer_report import table as text_table
from capo_core.errors import CapoError
from capo_core.export_formats import csv_text
from capo_core.formatting import capitalised, count, listed, natural_key, with_interval
from capo_core.imitation.generation.trained_adapters import serves_all
from capo_core.imitation.prompting.prompts import TRAINING_STAGES
from capo_core.provenance import kind_of
from capo_core.run_folder import list_runs

_MOST_RUNS = 12  # in the command that is shown
_HELP = (
    "Adapters that imitate annotators of this dataset estimate the labels of other items as a "
    "team. What the team says there is worth something only where it is nearer to a crowd than "
    "what is known without reading an item; at home the same is measured on held-out items."
)


def show(context: PageContext) -> None:
    """Show a saved result, or how to get one."""
    section_heading("Imitated crowd: a team on other data", _HELP)
    results = transfer_store.saved(context.workspace, context.entry.fingerprint)
    if not results:
        _how_to_get_one(context)
        return
    titles = [_title(one) for one in results]
    number = 0
    if len(results) > 1:
        chosen = url_state.choice(
            st.selectbox, "Other data", [str(n) for n in range(len(results))], page=PAGE,
            key="transfer", format_func=lambda n: titles[int(n)],
        )  # fmt: skip
        number = int(chosen)
    measure = url_state.choice(
        st.segmented_control, "Distance", list(MEASURES), page=PAGE, key="transfer_measure",
        format_func=measure_title, label_visibility="collapsed",
    )  # fmt: skip
    page = current()
    begin(results[number].provenance.dated())
    _result(results[number], measure, seen=kind_of(context.entry.simulated))
    begin(page)


def _title(result: Transfer) -> str:
    """Return what tells a result from the others of the same dataset."""
    parts = [count(len(result.members), "annotator"), result.model]
    if result.settings:
        prior, *limits = result.settings_in_words()
        parts += [f"label prior {prior}", *(text for text in limits if not text.endswith("all"))]
    return f"{result.away} ({', '.join(parts)})"


def _how_to_get_one(context: PageContext) -> None:
    """Show what is measured, what it takes, and the command with the trainings that are here."""
    data = cache.dataset(context.workspace, context.entry)
    with st.container(border=True):
        st.markdown(
            "**Not computed for this dataset yet.** Models that imitate this dataset's annotators "
            "label other items, and their mean is compared with what many people say there: does "
            "a team of a few imitated annotators stand in for a crowd?"
        )
        if data.crowd is None or not len(data.crowd):
            show_note(
                f"{data.name} has no crowd (label distributions of many people), so that a team of "
                "its annotators cannot be measured at home. It takes a dataset that has one beside "
                "its annotators, as VariErr (data fetch varierr) and the demo have."
            )
            page_link(context, "guide", "How it is measured", doc="methods-distributions")
            return
        trainings = _trainings(context, data)
        show_note(
            "It needs a finished SFT or CAPO training of its own for each of two annotators or "
            f"more, on one base (here: {count(len(trainings), 'annotator')}), and other data of "
            "the same task with label distributions of many people: a file, or a dataset of this "
            "workspace (--dataset NAME). Of data without a crowd it shows what the team says of "
            "each item, and nothing is checked there."
        )
        named = list(trainings.values())[:_MOST_RUNS]
        runs = " ".join(named) if len(named) > 1 else "RUN RUN …"
        st.code(
            f"python -m capo_core distributions transfer --adapter {runs} --file OTHER.json",
            language="bash", wrap_lines=True,
        )  # fmt: skip
        with st.container(horizontal=True):
            page_link(context, "finetune", "Train imitations", view="new")
            page_link(context, "guide", "How it is measured", doc="methods-distributions")


def _trainings(context: PageContext, data: Dataset) -> dict[str, str]:
    """Return annotator → the newest finished training of their own on this dataset and split, of
    the base that most of them have; of several such bases, of the one used last."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for run in list_runs(context.workspace):
        try:
            config = run.config
            about, settings = config["dataset"], config["settings"]
            own = (data.fingerprint, data.split_fingerprint) == (
                about["fingerprint"], about["split"],
            )  # fmt: skip
            if not own or config["stage"] not in TRAINING_STAGES or not run.done:
                continue
            if serves_all(run) or settings.get("shuffled"):  # nobody's own
                continue
            ended = (run.path / "result.json").stat().st_mtime_ns
            base = str(config["base"]["fingerprint"])
            found.setdefault(base, []).append((ended, str(config["target"]), run.path.name))
        except (CapoError, OSError, KeyError, TypeError, AttributeError):
            continue  # a broken run is reported where runs are listed
    if not found:
        return {}
    most = max(found.values(), key=lambda runs: (len({who for _, who, _ in runs}), max(runs)[0]))
    newest = {who: name for _, who, name in sorted(most)}
    return {who: newest[who] for who in sorted(newest, key=natural_key)}


def _result(result: Transfer, measure: str, seen: str) -> None:
    """Show a result; whose its data are, where that is not what the page says of its dataset."""
    first, *rest = result.statements(measure)
    source = result.provenance
    show_headline(first if source.data == seen else source.marked(first))
    if source.data != seen and source.caution:
        show_note(f"Home: {result.home_data}. Away: {result.away_data}. {source.caution}")
    for text in rest:
        show_note(text)
    show_figure(
        chart(result, measure),
        key=f"{PAGE}.transfer",
        file_name=f"{result.home}-transfer-{measure}",
        alt=f"{measure_title(measure)} of each source to the crowd, "
        f"{listed(list(result.measured))}, with 95 % intervals over items",
        title=f"{measure_title(measure)} to the crowd: lower is nearer",
    )
    names, rows = text_table(result, measure)
    keys = ("source", "home", "away", "change")
    table(
        pd.DataFrame(rows, columns=list(keys)),
        dict(zip(keys, (Field(capitalised(name)) for name in names), strict=True)),
        key=f"{PAGE}.transfer.table",
        file_name=f"{result.home}-transfer-{measure}",
    )
    show_note(NOTE)
    with st.container(horizontal=True):
        download(PAGE, "Transfer (Markdown)", f"{result.home}-transfer.md", "text/markdown",
                 partial(to_markdown, result))  # fmt: skip
        if result.said:
            download(PAGE, "What the team says of each item (CSV)",
                     f"{result.home}-transfer-items.csv", "text/csv",
                     partial(csv_text, item_table(result)))  # fmt: skip


@figure_kind("transfer", "Imitated crowd: home and away")
def chart(result: Transfer, measure: str) -> go.Figure:
    """Return each source's distance to the crowd at home and away, with intervals."""
    rows = result.rows[result.rows["measure"] == measure]
    names = list(dict.fromkeys(rows["source"]))
    figure = blank(110 + 34 * len(names), legend=True)
    for place, title, color, symbol, shift in (
        (HOME, f"home: {result.home}", OKABE_ITO[0], "circle", -0.13),
        (AWAY, f"away: {result.away}", OKABE_ITO[1], "diamond", 0.13),
    ):
        own = rows[rows["place"] == place]
        if own.empty:  # no crowd to compare with
            continue
        figure.add_scatter(
            x=own["value"],
            y=[names.index(name) + shift for name in own["source"]],
            error_x=whiskers(own["value"], own["low"], own["high"], color),
            mode="markers",
            name=plotly(title, 40),
            marker={
                "color": color,
                "symbol": symbol,
                "size": [13 if name == TEAM else 9 for name in own["source"]],
            },
            customdata=[
                (plotly(row.source, 60), with_interval(row.value, row.low, row.high, 3), row.n)
                for row in own.itertuples()
            ],
            hovertemplate="%{customdata[0]}: %{customdata[1]}, %{customdata[2]:,} items"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[plotly(capitalised(name), 34) for name in names],
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_xaxes(title=f"{measure_title(measure)} to the crowd", rangemode="tozero")
    return figure
