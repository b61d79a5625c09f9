"""The overview of a dataset: what is measured, the path from data to a blind study, the ladder."""

from __future__ import annotations

from functools import partial

import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext, no_explanations, page_link
from capo_core.dashboard.overview import PAGE, steps
from capo_core.dashboard.overview.steps import Step
from capo_core.dashboard.stability import cache as stability_cache
from capo_core.dashboard.stability import charts, jobs, reports
from capo_core.dashboard.ui import job_progress
from capo_core.dashboard.ui.components import (
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
)
from capo_core.dashboard.ui.exports import download
from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import NEUTRAL, OKABE_ITO, reduction_name
from capo_core.dataset import Dataset
from capo_core.formatting import count, percent, percent_interval
from capo_core.provenance import Provenance
from capo_core.stability.claims import headline_points
from capo_core.templates import render
from capo_core.text.representations import REPRESENTATIONS
from capo_core.workspace import Workspace

PURPOSE = (
    "How much do explanations say about who wrote them? In the paper's data one says little, "
    "because most of it is about the item, and sixteen of one annotator, taken together, say much. "
    "CAPO Lab measures this with its controls, trains models that imitate one annotator "
    "(cross-annotator preference optimization, CAPO), and has people judge blind whose text they "
    "read."
)
# Panel of the picture → its title, and what is drawn.
PANELS = {
    "stability": (
        "Stability",
        "One sheet leads to four equally likely annotators, sixteen sheets lead to one of them.",
    ),
    "imitation": (
        "Imitation",
        "Sheets of one annotator go into a model, which writes a new sheet in the same style.",
    ),
    "blind": (
        "Blind test",
        "A human's and a model's sheet with their sources covered; a judge asks whose they are.",
    ),
}
PAPER = ("Chen et al.: Human Label Variation as Stable Signal", "https://arxiv.org/abs/2605.28802")


def show(context: PageContext) -> None:
    """Show what is measured, then the path beside the ladder, then the pages beside the path."""
    entry = context.entry
    report = stability_cache.best_report(context.workspace, entry)
    live = jobs.live_job(context.workspace, entry)
    show_headline(_headline(context, report is not None))
    _purpose(context, report)
    with side_by_side("path", [4, 5]) as (left, right):
        with left:
            section_heading("From data to a blind study")
            for number, step in enumerate(steps.path_steps(context, report, live), start=1):
                _step(context, number, step)
        with right:
            if live is not None:
                job_progress.watch(live)
            if report is not None:
                _ladder(context, report)
            elif live is None and entry.annotators > 1:
                _no_report(context)
    section_heading("Also for this dataset")
    with side_by_side("also", [1, 1]) as columns:
        for column, step in zip(columns, steps.other_steps(context), strict=True):
            with column:
                _step(context, 0, step)
    _offer_atlas(context)


def _purpose(context: PageContext, report) -> None:
    """Show what is measured in two sentences and a picture; folded away for one's own data."""
    points = None if report is None else headline_points(report.ladder.to_frame())
    with st.expander("What is measured", expanded=context.entry.shipped):
        st.markdown(PURPOSE)
        columns = st.columns(len(PANELS), gap="large")  # side by side in narrow windows too
        panels = zip(columns, PANELS.items(), captions(points), strict=True)
        for column, (panel, (title, alt)), caption in panels:
            with column:
                st.image(picture(panel), alt=alt, width="stretch")
                st.html(f'<p class="capo-note"><strong>{title}.</strong> {escape(caption)}</p>')
        with st.container(horizontal=True):
            page_link(context, "guide", "Guide")
            page_link(context, "guide", "Methods and formulas", doc="methods")
            st.page_link(PAPER[1], label=f"Paper: {PAPER[0]}", width="content")


def picture(panel: str) -> str:
    """Return a panel of the picture as SVG, in colours that are seen on light and on dark ground.

    Args:
        panel: a key of `PANELS`.
    """
    return render(
        "dashboard/overview/picture.svg.j2", panel=panel, people=OKABE_ITO[:4], grey=NEUTRAL
    ).strip()


def captions(points) -> tuple[str, str, str]:
    """Return the captions of the picture, with this dataset's accuracies where there is a ladder.

    Args:
        points: the ladder's rows of the smallest and the pooled k (`headline_points`), or None.
    """
    first = "How often one explanation tells its author, and how often several together do."
    if points is not None:
        single, pooled = points
        more = "" if pooled.k == single.k else f", from {int(pooled.k)} in {_share(pooled)}"
        first = (
            f"Here ({reduction_name(single.reduction).lower()}): the right annotator from "
            f"{count(int(single.k), 'explanation')} in {_share(single)}{more} (chance "
            f"{percent(single.chance)}, {count(int(single.n_items), 'item')})."
        )
    return (
        first,
        "A model learns to answer new items as one annotator would.",
        "Judges read texts without their source and say whose they are.",
    )


def _share(point) -> str:
    return f"{percent(point.accuracy)} {percent_interval(point.low, point.high)}".strip()


def _step(context: PageContext, number: int, step: Step) -> None:
    st.html(render("dashboard/overview/step.html.j2", step=step, number=number))
    if not step.action:
        return
    with st.container(key=f"capo-step-{'link' if number else 'beside'}-{step.page}"):
        page_link(context, step.page, step.action, **({"view": step.view} if step.view else {}))


def _no_report(context: PageContext) -> None:
    if no_explanations(context, cache.dataset(context.workspace, context.entry)):
        return
    with st.container(border=True):
        st.markdown(
            "**No stability report yet.** It shows how identifiable the annotators are, and runs "
            "in the background."
        )
        reports.offer(context)


def _headline(context: PageContext, has_report: bool) -> str:
    """Return the dataset in one sentence: its size, its disagreement, and what is next."""
    entry = context.entry
    dataset = cache.dataset(context.workspace, entry)
    text = f"{entry.name}: {count(entry.annotators, 'annotator')}, {count(entry.items, 'item')}"
    if entry.annotators > 1:
        text += f", {disagreement(dataset)}"
    if not dataset.explained:
        return f"{text}. {cache.alpha(dataset)}".rstrip()
    return f"{text}." if has_report else f"{text}; no stability report yet."


def disagreement(dataset: Dataset) -> str:
    """Return on how many of the items that two annotators or more labelled their labels differ.

    Several labels of one annotator on an item are one answer.
    """
    rows = dataset.annotations[["item_id", "annotator_id", "label"]]
    cells = ["item_id", "annotator_id"]
    if rows.duplicated(cells).any():
        rows = rows.drop_duplicates().sort_values("label")
        rows = rows.groupby(cells, as_index=False, sort=False)["label"].agg("\n".join)
    of_item = rows.groupby("item_id")
    shared = of_item.size() > 1
    if not shared.any():
        return "none of them labelled by two annotators"
    differ = int((of_item["label"].nunique()[shared] > 1).sum())
    n = int(shared.sum())
    whole = "them" if n == len(dataset.items) else f"the {n:,} labelled by two annotators or more"
    return f"different labels on {differ:,} of {whole}"


def _ladder(context: PageContext, report) -> None:
    rows = report.ladder.to_frame()
    if rows.empty:
        return
    there = set(rows["representation"])
    first = next((name for name in REPRESENTATIONS if name in there), min(there))
    rows = rows[rows["representation"] == first]
    section_heading(charts.ladder_title(rows))
    show_figure(
        charts.ladder(rows),
        key="overview.ladder",
        file_name=f"{context.entry.name}-ladder",
        alt="Attribution accuracy by number of explanations pooled",
        title=charts.ladder_title(rows),
    )
    show_note(
        "The Stability page has the controls, the other representations, and the explanations "
        "behind every point."
    )


def _offer_atlas(context: PageContext) -> None:
    """Show the two buttons that write the atlas of the chosen dataset; it is made on a click."""
    name = context.entry.name
    section_heading("Annotator atlas")
    show_note(
        "This dataset and its results as one HTML file that opens in any browser without a server "
        "and is searchable, for instance as an attachment to a paper. Its answers show which "
        "method wrote which text: while a study of these data is blind, keep it from the judges."
    )
    with st.container(horizontal=True):
        for label, kind, texts in (
            ("Atlas (HTML)", "atlas", True),
            ("Atlas without texts", "atlas-without-texts", False),
        ):
            make = partial(_atlas, context.workspace, name, texts=texts)
            download(PAGE, label, f"{name}-{kind}.html", "text/html", make)


def _atlas(workspace: Workspace, name: str, provenance: Provenance, *, texts: bool) -> str:
    # The atlas states the provenance of each of its parts itself.
    from capo_core.atlas.content import gather
    from capo_core.atlas.page import atlas_page

    return atlas_page(gather(workspace, name), texts=texts)
