"""Sections of the stability page: variance, reliability, separability, information, agreement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.stability import authors, calibration, charts
from capo_core.dashboard.ui.components import (
    Field,
    section_heading,
    show_figure,
    show_headline,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.theme import reduction_name, representation_name
from capo_core.formatting import (
    Statement,
    number,
    number_interval,
    percent,
    percent_interval,
)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with the titles of representations and reductions."""
    changes = {}
    if "representation" in frame:
        changes["representation"] = frame["representation"].map(representation_name)
    if "reduction" in frame:
        changes["reduction"] = frame["reduction"].map(reduction_name)
    return frame.assign(**changes)


def _show_statements(statements: Iterable[Statement], topic: str) -> None:
    """Show the sentences on a topic."""
    texts = [statement.text for statement in statements if statement.topic == topic]
    if texts:
        show_headline(*texts)


def variance(
    context: PageContext, report, representation: str, of_view: Sequence[Statement]
) -> None:
    """Show the shares of item, annotator and residual in the variance of explanations."""
    rows = report.variance.to_frame()
    section_heading("Variance components", HELP["variance"])
    _show_statements(of_view, "variance")
    if rows.empty:
        show_note("Too few items have all annotators, so the shares cannot be computed.")
        return
    here = rows[rows["representation"] == representation]
    if not here.empty:
        show_figure(
            charts.variance(here, [reduction_name(name) for name in here["reduction"]]),
            key="stability.variance",
            file_name=f"{context.entry.name}-variance-{representation}",
            alt="Shares of item, annotator and residual in the variance, by reduction",
        )
    table(
        _named(rows),
        {
            "representation": Field("Representation"),
            "reduction": Field("Reduction", HELP["reduction"]),
            **{name: _share_of_variance(rows, name) for name in ("item", "annotator")},
            "residual": Field(
                "Unexplained",
                "Residual: interaction of item and annotator, and noise.",
                1,
                percent=True,
            ),
            "n_items": Field("Items", "Items with all annotators.", 0),
        },
        key="stability.variance.table",
        file_name=f"{context.entry.name}-variance",
    )


def _share_of_variance(rows: pd.DataFrame, name: str) -> Field:
    """Return the field of a share, with its interval where the report has one."""
    ends = (f"{name}_low", f"{name}_high")
    there = set(ends) <= set(rows)
    return Field(
        name.capitalize(),
        f"Share of the {name}" + (", with its 95 % interval." if there else "."),
        text=partial(percent, digits=1),
        ends=ends if there else None,
        interval=partial(percent_interval, digits=1),
    )


def reliability(
    context: PageContext, report, representation: str, of_view: Sequence[Statement]
) -> None:
    """Show the correlation of annotators' profiles between two halves of the items."""
    rows = report.reliability.to_frame()
    known = rows[rows["representation"] == representation] if len(rows) else rows
    known = known[known["self"].notna()] if len(known) else known
    if known.empty:
        section_heading("Split-half reliability", HELP["reliability"])
        show_note("Too few items for two halves.")
        return
    with side_by_side("reliability", [1, 1]) as places:
        for place, (reduction, part) in zip(
            places, known.groupby("reduction", sort=False), strict=False
        ):
            with place:
                section_heading(
                    f"{reduction_name(reduction)}: {charts.reliability_title(part)}",
                    HELP["reliability"],
                )
                show_figure(
                    charts.reliability(part),
                    key=f"stability.reliability.{reduction}",
                    file_name=f"{context.entry.name}-reliability-{representation}-{reduction}",
                    alt="Correlation of an annotator's two profiles, by explanations per half",
                    title=f"{reduction_name(reduction)}: {charts.reliability_title(part)}",
                )
    table(
        _named(rows),
        _fields(
            rows,
            {
                "representation": Field("Representation"),
                "reduction": Field("Reduction", HELP["reduction"]),
                "n": Field("Per half", "Explanations of one annotator in each half.", 0),
                "self": Field("Same annotator", HELP["reliability"], **_WITH_INTERVAL),
                "others": Field("Different ones", "Correlation of two annotators' profiles.", 2),
                "shuffled": Field("Permuted", "With annotators permuted within items.", 2),
                "identified": Field(
                    "Identified",
                    "Re-identification: share of annotators whose profile is closest to their own "
                    "other half. Chance is one over the number of annotators.",
                    0,
                    percent=True,
                ),
                "n_items": Field("Items", None, 0),
                "note": Field("Note"),
            },
        ),
        key="stability.reliability.table",
        file_name=f"{context.entry.name}-reliability",
    )


def information(
    context: PageContext, report, representation: str, of_view: Sequence[Statement]
) -> None:
    """Show the separability without training, and the bits per explanation."""
    section_heading("Unsupervised separability", HELP["auc"])
    _show_statements(of_view, "unsupervised")
    rows = report.unsupervised.to_frame()
    if not rows.empty:
        here = rows[rows["representation"] == representation]
        show_figure(
            charts.separation(here if not here.empty else rows),
            key="stability.auc",
            file_name=f"{context.entry.name}-separation-{representation}",
            alt="AUC of same against different annotators, by explanations pooled",
        )
        table(
            _named(rows),
            {
                "representation": Field("Representation"),
                "reduction": Field("Reduction", HELP["reduction"]),
                "k": Field("k", HELP["k"], 0),
                "auc": Field("AUC", HELP["auc"], **_WITH_INTERVAL),
                "n_items": Field("Items", None, 0),
            },
            key="stability.auc.table",
            file_name=f"{context.entry.name}-separation",
        )
    section_heading("Information per explanation", HELP["bits"])
    _show_statements(report.statements, "information")
    table(
        _named(report.information.to_frame()),
        {
            "representation": Field("Representation"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "bits": Field("Bits per explanation", HELP["bits"], **_WITH_INTERVAL),
            "k90": Field("k for 90 %", HELP["k90"], 1),
            "n_items": Field("Items", None, 0),
        },
        key="stability.information.table",
        file_name=f"{context.entry.name}-information",
    )


def agreement(
    context: PageContext, report, representation: str, of_view: Sequence[Statement]
) -> None:
    """Show the agreement of labels, of all annotators and of each pair."""
    section_heading("Inter-annotator agreement", HELP["agreement"])
    _show_statements(report.statements, "agreement")
    rows = report.agreement.to_frame()
    rows = rows.assign(measure=rows["measure"].map(_MEASURES).fillna(rows["measure"]))
    table(
        rows,
        _fields(
            rows,
            {
                "measure": Field("Measure", HELP["agreement"]),
                "annotator_a": Field("First annotator"),
                "annotator_b": Field("Second annotator"),
                "metric": Field("Metric", "How labels are compared."),
                "value": Field("Agreement", HELP["kappa"], **_WITH_INTERVAL),
                "raw_agreement": Field(
                    "Same label", "Share of common items with the same label.", 0, percent=True
                ),
                "n_items": Field("Common items", None, 0),
                "note": Field("Note"),
            },
        ),
        key="stability.agreement.table",
        file_name=f"{context.entry.name}-agreement",
    )


# Settings of a field whose 95 % interval stands behind its number.
_WITH_INTERVAL = {"text": number, "ends": ("low", "high"), "interval": number_interval}


def _fields(rows: pd.DataFrame, wanted: dict[str, Field]) -> dict[str, Field]:
    """Return the fields whose columns exist and are not empty in every row."""
    return {
        name: field
        for name, field in wanted.items()
        if name in rows and not (rows[name].isna() | (rows[name].astype(str) == "")).all()
    }


_MEASURES = {
    "krippendorff_alpha": "Krippendorff's alpha",
    "cohen_kappa": "Cohen's kappa",
    "raw_agreement": "Raw agreement",
}
# Each gets the page, the report, the representation, and the statements on this one.
SECTIONS = {
    "variance": variance,
    "reliability": reliability,
    "information": information,
    "agreement": agreement,
    "authors": authors.show,
    "calibration": calibration.show,
}
