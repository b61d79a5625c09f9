"""The section Likeliest author: attribution under the annotators' own adapters, beside classifiers.

Shows what is saved; computed by a run that the reader starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, guarded, page_link
from capo_core.dashboard.stability import PAGE
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.ui import job_progress, url_state
from capo_core.dashboard.ui.charts import blank, chance_line, percent_axis, pool_axis, whiskers
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_error,
    show_figure,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import begin, current, download
from capo_core.dashboard.ui.figure_kinds import figure_kind
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError
from capo_core.evaluation.authors import result as authors
from capo_core.evaluation.authors.result import ALL, HUMAN, LIKELIHOOD, PARTS, AuthorAttribution
from capo_core.formatting import (
    Statement,
    capitalised,
    count,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    short,
)
from capo_core.imitation.prompting.prompts import method_name
from capo_core.leaderboards.find import finished_runs
from capo_core.runs import submit

_HELP = (
    "Each annotator has an adapter that was fine-tuned on their own texts (SFT). A text is "
    "attributed to the annotator under whose adapter it is likeliest, given the item and the "
    "label; only items that no adapter was trained on count. Imitations stand on the same scale."
)
_NAMES = {"held out": "Held out", "test": "Test alone", "train": "Leak test"}


def show(context: PageContext, report, representation: str, of_view: Sequence[Statement]) -> None:
    """Show the saved attribution by likelihood, and the form that computes it."""
    section_heading("Likeliest author under the annotators' own adapters", _HELP)
    dataset = cache.dataset(context.workspace, context.entry)
    try:
        result = stability_cache.authors(context.workspace, dataset)
    except CapoError as error:
        show_error(error)
        result = None
    if result is not None:
        page = current()
        begin(result.provenance.dated())
        _result(context, result)
        begin(page)
    _computation(context, dataset, again=result is not None)


def _computation(context: PageContext, dataset, *, again: bool) -> None:
    """Show the run that computes it, or the form that starts one."""
    name = context.entry.name
    answers = [run.run_id for run in finished_runs(context.workspace, dataset)]
    with st.expander("Compute again", expanded=False) if again else st.container(border=True):
        lacking = False if again else _what_it_needs(context, dataset)
        chosen = st.multiselect(
            "Answers to attribute as well", answers, key="authors.answers",
            help="Finished generations on the test items of this dataset.",
        )  # fmt: skip
        leak = st.toggle(
            "Leak test", key="authors.leak",
            help="Also scores the items that the adapters were trained on: visibly too good, and "
            "no result.",
        )  # fmt: skip
        config = authors.AuthorsConfig(leak_test=leak)
        settings = {
            "dataset": name,
            "fingerprint": context.entry.fingerprint,
            "runs": [],
            "answers": chosen,
            "config": config.to_dict(),
        }
        runs = submit.every_begun(context.workspace, "authors")
        mine = [run for run in runs if run.request.settings.get("dataset") == name]
        if mine and mine[0].status().live:
            job_progress.watch(mine[0])
            return
        if mine and mine[0].status().state != "succeeded":
            job_progress.show_outcome(mine[0])
        st.button(
            "Compute", key="authors.begin", type="secondary" if again or lacking else "primary",
            disabled=lacking,
            on_click=guarded, args=(submit.begin, context.workspace, "authors", settings),
        )  # fmt: skip
        words = ["python -m capo_core authors", name]
        words += [f"--answers {run}" for run in chosen] + (["--leak-test"] if leak else [])
        st.code(" ".join(words) + (" --again" if again else ""), language="bash")


_NAMED = 8  # annotators without a run whose names stand in the sentence


def _what_it_needs(context: PageContext, dataset) -> bool:
    """Show what is measured, what it takes, and how to get it; return whether something lacks."""
    from capo_core.evaluation.authors.adapters import without_adapter  # loads the measures

    lacking = without_adapter(context.workspace, dataset)
    st.markdown(
        "**Not computed for this dataset yet.** Are an annotator's texts likeliest under the "
        "adapter that was fine-tuned on their own? It is a second view of the ladder that also "
        "reads the item and the label."
    )
    need = "It needs one finished SFT run of every annotator, with the same base model and settings"
    if lacking:
        most = lacking[:_NAMED]
        more = f" and {len(lacking) - len(most):,} more" if len(lacking) > len(most) else ""
        show_note(
            f"{need}. Still missing: {count(len(lacking), 'annotator')} of "
            f"{len(dataset.annotators):,} ({', '.join(short(name, 30) for name in most)}{more})."
        )
    else:
        show_note(
            f"{need}; all are there. Each text is read under each adapter (minutes with a language "
            "model of 135 million parameters), in the background."
        )
    with st.container(horizontal=True):
        if lacking:
            page_link(context, "finetune", "Train SFT for every annotator", view="new")
        page_link(context, "guide", "How it is measured", doc="methods")
    return bool(lacking)


def _result(context: PageContext, result: AuthorAttribution) -> None:
    by_topic: dict[str, list[str]] = {}
    for one in result.statements():
        by_topic.setdefault(one.topic, []).append(one.text)
    show_headline(*by_topic.get("headline", ()))
    for topic in ("items", "method", "leak", "note"):
        for text in by_topic.get(topic, ()):
            show_note(text)
    rows = result.rows
    parts = [part for part in PARTS if part in set(rows["part"])]
    part = url_state.choice(
        st.segmented_control, "Items", parts, page=PAGE, key="author_items",
        format_func=lambda name: _NAMES[name], label_visibility="collapsed",
    )  # fmt: skip
    sources = list(dict.fromkeys(rows.loc[rows["part"] == part, "source"]))
    source = HUMAN
    if len(sources) > 1:
        source = url_state.choice(
            st.segmented_control, "Texts by", sources, page=PAGE, key="author_texts",
            format_func=lambda name: "Annotators" if name == HUMAN else markdown(method_name(name)),
        )  # fmt: skip
    shown = result.of(part, source)
    section_heading(
        f"Attribution accuracy by explanations pooled: {PARTS[part]}, "
        f"n = {int(shown['n_items'].max()):,}",
        HELP["k"],
    )
    show_figure(
        chart(shown),
        key=f"{PAGE}.authors",
        file_name=f"{context.entry.name}-likeliest-author-{part.replace(' ', '-')}",
        alt="Attribution accuracy by likelihood and by classifiers, by number of explanations "
        "pooled",
    )
    _table(context, result, part)


@figure_kind("likeliest-author", "Likeliest author")
def chart(rows: pd.DataFrame) -> go.Figure:
    """Return accuracy by k, one line a way to tell authors; likelihood is the thick one.

    Args:
        rows: of one part, source and target (see `AuthorAttribution.of`).
    """
    figure = blank(380, legend=True)
    colors = {LIKELIHOOD: "#C98A1B", "words": "#2F6FB0", "embedding": "#2A9D8F"}
    for (representation, reduction), line in rows.groupby(
        ["representation", "reduction"], sort=False
    ):
        color = colors.get(representation, "#8F979E")
        own, masked = representation == LIKELIHOOD, reduction not in ("", "none")
        figure.add_scatter(
            x=line["k"],
            y=line["accuracy"],
            error_y=whiskers(line["accuracy"], line["low"], line["high"], color),
            mode="lines+markers",
            name=authors.way_title(representation, reduction),
            line={"color": color, "width": 3.2 if own else 2, "dash": "dot" if masked else "solid"},
            marker={
                "size": 11 if own else 8,
                "symbol": "diamond" if own else "circle-open" if masked else "circle",
                "color": color,
            },
            cliponaxis=False,
            customdata=[
                (percent(row.accuracy), percent_interval(row.low, row.high), row.n_groups)
                for row in line.itertuples()
            ],
            hovertemplate="k = %{x}: %{customdata[0]} %{customdata[1]}, %{customdata[2]:,} groups"
            "<extra>%{fullData.name}</extra>",
        )
    chance_line(figure, rows, vertical=False)
    pool_axis(figure, sorted(rows["k"].unique()))
    figure.update_yaxes(**percent_axis("Attribution accuracy"))
    return figure


def _table(context: PageContext, result: AuthorAttribution, part: str) -> None:
    rows = result.rows[result.rows["part"] == part]
    rows = rows.assign(
        way=[
            authors.way_title(*pair)
            for pair in zip(rows["representation"], rows["reduction"], strict=True)
        ],
        source=rows["source"].replace({HUMAN: "annotators"}),
        target=rows["target"].replace({ALL: "all (mean)"}),
    )
    fields = {
        "source": Field("Texts by"),
        "target": Field("Annotator"),
        "way": Field(
            "Attributed by", "Likelihood, or a classifier that learned from the same items."
        ),
        "k": Field("k", HELP["k"], 0),
        "accuracy": Field("Accuracy", HELP["accuracy"], text=percent, ends=("low", "high")),
        "n_items": Field("Items", None, 0),
        "n_texts": Field("Texts", None, 0),
        "n_groups": Field("Groups", None, 0),
    }
    if rows["human"].notna().any():
        fields["human"] = Field(
            "Annotators' own", "Accuracy of the annotators' own texts on these items.", 1,
            percent=True,
        )  # fmt: skip
    table(
        rows, fields, key=f"{PAGE}.authors.table", height=420,
        file_name=f"{context.entry.name}-likeliest-author",
    )  # fmt: skip
    apart = result.differences
    apart = apart[(apart["part"] == part) & (apart["source"] == HUMAN)]
    if len(apart):
        section_heading(
            "Likelihood minus each classifier, on the annotators' texts",
            "Paired by item; p by a sign-flip test, Holm-adjusted over classifiers and k.",
        )
        apart = apart.assign(
            way=[
                authors.way_title(*pair)
                for pair in zip(apart["representation"], apart["reduction"], strict=True)
            ],
            verdict=apart["verdict"].map(capitalised),
        )
        table(
            apart,
            {
                "way": Field("Classifier"),
                "k": Field("k", HELP["k"], 0),
                "value": Field(
                    "Difference",
                    "Above 0: likelihood is higher. With its 95 % interval.",
                    text=points,
                    ends=("low", "high"),
                    interval=points_interval,
                ),
                "p_holm": Field("Adjusted p", HELP["p"], text=p_value),
                "verdict": Field("Verdict", "Higher, lower, or undecided."),
                "n_items": Field("Items", None, 0),
            },
            key=f"{PAGE}.authors.apart",
            file_name=f"{context.entry.name}-likeliest-author-differences",
        )
    name = f"{result.dataset}-likeliest-author"
    with st.container(horizontal=True):
        download(PAGE, "Likeliest author (Markdown)", f"{name}.md", "text/markdown",
                 partial(authors.to_markdown, result))  # fmt: skip
        download(PAGE, "Likeliest author (LaTeX)", f"{name}.tex", "application/x-tex",
                 partial(authors.to_latex, result))  # fmt: skip
