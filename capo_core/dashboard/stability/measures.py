"""The measures beside the ladder: variance, reliability, separation and bits, agreement."""

from __future__ import annotations

import pandas as pd

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.stability import calibration, charts
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


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Representations and reductions by their names for the screen."""
    changes = {}
    if "representation" in frame:
        changes["representation"] = frame["representation"].map(representation_name)
    if "reduction" in frame:
        changes["reduction"] = frame["reduction"].map(reduction_name)
    return frame.assign(**changes)


def _told(report, topic: str) -> None:
    """The report's own sentences on a topic."""
    said = [statement.text for statement in report.statements if statement.topic == topic]
    if said:
        show_headline(*said)


def variance(context: PageContext, report, representation: str) -> None:
    rows = report.variance.to_frame()
    section_heading("What the differences between explanations come from", HELP["variance"])
    _told(report, "variance")
    if rows.empty:
        show_note("Too few items have all annotators; the shares cannot be computed.")
        return
    here = rows[rows["representation"] == representation]
    if not here.empty:
        show_figure(
            charts.variance(here, [reduction_name(name) for name in here["reduction"]]),
            key="stability.variance",
            file_name=f"{context.entry.name}-variance-{representation}",
            alt="Shares of item, annotator and the rest in the variance, per reduction",
        )
    table(
        _named(rows),
        {
            "representation": Field("Seen as"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "item": Field("Item", "Share of the item.", 3),
            "annotator": Field("Annotator", "Share of the annotator.", 3),
            "annotator_low": Field("from", "Lower end of the annotator's 95 % interval.", 3),
            "annotator_high": Field("to", "Upper end of the annotator's 95 % interval.", 3),
            "residual": Field("The rest", "What neither explains.", 3),
            "n_items": Field("Items", "Items with all annotators.", 0),
        },
        key="stability.variance.table",
        file_name=f"{context.entry.name}-variance",
    )


def reliability(context: PageContext, report, representation: str) -> None:
    rows = report.reliability.to_frame()
    known = rows[rows["representation"] == representation] if len(rows) else rows
    known = known[known["self"].notna()] if len(known) else known
    if known.empty:
        section_heading(
            "Does an annotator's profile come back on other items?", HELP["reliability"]
        )
        show_note("There are too few items to compare halves.")
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
                    alt="Correlation of an annotator's two profiles, by explanations in a half",
                )
    table(
        _named(rows),
        _fields(
            rows,
            {
                "representation": Field("Seen as"),
                "reduction": Field("Reduction", HELP["reduction"]),
                "n": Field("In each half", "Explanations of an annotator.", 0),
                "self": Field("Same annotator", HELP["reliability"], 2),
                "low": Field("from", "Lower end of the 95 % interval.", 2),
                "high": Field("to", "Upper end of the 95 % interval.", 2),
                "others": Field("Different", "Correlation of two annotators' profiles.", 2),
                "shuffled": Field("Shuffled", "With annotators exchanged within items.", 2),
                "identified": Field(
                    "Found again",
                    "Share of annotators whose profile is closest to their own other half. "
                    "Higher is better; chance is one over the number of annotators.",
                    2,
                ),
                "n_items": Field("Items", None, 0),
                "note": Field("Note"),
            },
        ),
        key="stability.reliability.table",
        file_name=f"{context.entry.name}-reliability",
    )


def information(context: PageContext, report, representation: str) -> None:
    section_heading("Does manner show without being learned?", HELP["auc"])
    _told(report, "unsupervised")
    rows = report.unsupervised.to_frame()
    if not rows.empty:
        here = rows[rows["representation"] == representation]
        show_figure(
            charts.separation(here if not here.empty else rows),
            key="stability.auc",
            file_name=f"{context.entry.name}-separation-{representation}",
            alt="Separation of same from different annotators, by explanations pooled",
        )
        table(
            _named(rows),
            {
                "representation": Field("Seen as"),
                "reduction": Field("Reduction", HELP["reduction"]),
                "k": Field("Pooled", HELP["k"], 0),
                "auc": Field("AUC", HELP["auc"], 2),
                "low": Field("from", "Lower end of the 95 % interval.", 2),
                "high": Field("to", "Upper end of the 95 % interval.", 2),
                "n_items": Field("Items", None, 0),
            },
            key="stability.auc.table",
            file_name=f"{context.entry.name}-separation",
        )
    section_heading("How much does one explanation tell, and how many are enough?", HELP["bits"])
    _told(report, "information")
    table(
        _named(report.information.to_frame()),
        {
            "representation": Field("Seen as"),
            "reduction": Field("Reduction", HELP["reduction"]),
            "bits": Field("Bits in one", HELP["bits"], 2),
            "low": Field("from", "Lower end of the 95 % interval.", 2),
            "high": Field("to", "Upper end of the 95 % interval.", 2),
            "k90": Field("Enough for 90 %", HELP["k90"], 1),
            "n_items": Field("Items", None, 0),
        },
        key="stability.information.table",
        file_name=f"{context.entry.name}-information",
    )


def agreement(context: PageContext, report, representation: str) -> None:
    section_heading("How far do the annotators give the same labels?", HELP["agreement"])
    _told(report, "agreement")
    rows = report.agreement.to_frame()
    rows = rows.assign(measure=rows["measure"].map(_MEASURES).fillna(rows["measure"]))
    table(
        rows,
        _fields(
            rows,
            {
                "measure": Field("Measure", HELP["agreement"]),
                "annotator_a": Field("Annotator"),
                "annotator_b": Field("and"),
                "value": Field("Agreement", HELP["kappa"], 2),
                "low": Field("from", "Lower end of the 95 % interval.", 2),
                "high": Field("to", "Upper end of the 95 % interval.", 2),
                "raw_agreement": Field(
                    "Same label", "Share of common items with the same label; higher is more.", 2
                ),
                "n_items": Field("Common items", None, 0),
                "note": Field("Note"),
            },
        ),
        key="stability.agreement.table",
        file_name=f"{context.entry.name}-agreement",
    )


def _fields(rows: pd.DataFrame, wanted: dict[str, Field]) -> dict[str, Field]:
    """The wanted columns that say something: there, and not empty in every row."""
    return {
        name: field
        for name, field in wanted.items()
        if name in rows and not (rows[name].isna() | (rows[name].astype(str) == "")).all()
    }


_MEASURES = {
    "krippendorff_alpha": "Krippendorff's alpha",
    "cohen_kappa": "Cohen's kappa",
    "raw_agreement": "Same label",
}
SECTIONS = {
    "variance": variance,
    "reliability": reliability,
    "information": information,
    "agreement": agreement,
    "calibration": calibration.show,
}
