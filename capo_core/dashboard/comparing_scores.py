"""The score table of a report: which measures, what stands in each cell, who is clearly best."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from capo_core.dashboard.theme import REDUCTIONS, REPRESENTATIONS, method_name
from capo_core.evaluation.measures import JUDGE, Measure, measure
from capo_core.evaluation.narrate import statements
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.imitation.prompts import METHODS

FAMILIES = {
    "main": "At a glance",
    "attribution": "Imitation",
    "judge": "Judged by a model",
    "labels": "Labels",
    "soft": "Label distributions",
    "explanations": "Explanations",
    "style": "Style",
    "diversity": "Diversity",
}
DIRECTION = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "1": "Nearer to 1 is better.",
    "as the human": "Nearer to the target's own texts is better.",
}
_MAIN = ("label accuracy", "label error", "ROUGE-L", "embedding similarity", "style distance")
CHANCE = "guess"
ROWS = {
    HUMAN: "The target's own (ceiling)",
    OTHER: "Another annotator (floor)",
    CHANCE: "A guess (chance)",
}


@dataclass(frozen=True)
class Column:
    """One column of the table: a measure, at one number of texts judged together (0: none)."""

    name: str
    k: int

    @property
    def about(self) -> Measure:
        return measure(self.name)

    @property
    def key(self) -> str:
        return f"{self.name}@{self.k}"

    @property
    def header(self) -> str:
        kind, _, view = self.name.partition(" (")
        texts = "1 text" if self.k == 1 else f"{self.k} texts"
        if self.about.family == "attribution":
            return {"attribution": "Given to target", "probability": "Probability"}[kind] + (
                f", {texts}"
            )
        if self.about.family == JUDGE:
            return f"By {view.rstrip(')')}, {texts}"
        return self.name[:1].upper() + self.name[1:]

    @property
    def help(self) -> str:
        about = self.about
        said = [about.meaning, DIRECTION[about.better]]
        for name, text in (("Floor", about.floor), ("Ceiling", about.ceiling)):
            said.append(f"{name}: {text}.")
        said.append(f"Chance: {about.chance}.")
        return " ".join(said)


def views(report: EvaluationReport) -> dict[str, str]:
    """Attribution measures of the report → what the classifier sees, in words."""
    return {
        view.name: f"{REPRESENTATIONS.get(view.representation, view.representation)}, "
        + REDUCTIONS.get(view.reduction, (view.reduction,))[0].lower()
        for view in report.config.views
    }


def families(report: EvaluationReport) -> dict[str, str]:
    """The families the report has, with their titles; at a glance first."""
    there = {"main", *report.scores["family"]}
    return {name: title for name, title in FAMILIES.items() if name in there}


def columns(report: EvaluationReport, family: str, view: str) -> list[Column]:
    """The columns of a family; of attribution, those of one view."""
    table = report.scores
    known = table.drop_duplicates(["measure", "k"])[["measure", "k", "family"]]
    probability = view.replace("attribution", "probability", 1)
    if family == "main":
        filled = table[table["value"].notna() & (table["measure"] == view)]
        pools = sorted(filled["k"].unique())
        first = [Column(view, int(k)) for k in dict.fromkeys(pools[:1] + pools[-1:])]
        names = set(known["measure"])
        judged = known[known["family"] == JUDGE]
        first += [Column(row.measure, int(row.k)) for row in judged.itertuples()]
        return [*first, *(Column(name, 0) for name in _MAIN if name in names)]
    rows = known[known["family"] == family]
    if family == "attribution":
        rows = rows[rows["measure"].isin([view, probability])]
    return [Column(row.measure, int(row.k)) for row in rows.itertuples()]


def cell(row: pd.Series | None, digits: int) -> str:
    """ "0.62 [0.55–0.69]"; a dash where the measure is undefined."""
    if row is None or pd.isna(row["value"]):
        return "—"
    value, low, high = (_number(row[name], digits) for name in ("value", "low", "high"))
    return f"{value} [{low}–{high}]"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def grid(report: EvaluationReport, wanted: list[Column], target: str) -> pd.DataFrame:
    """Cells as they are shown: one row a method, then ceiling, floor, chance and n.

    Index: source names, `HUMAN`, `OTHER`, `CHANCE`, "n"; columns: `Column.key`.
    """
    made = {}
    for column in wanted:
        digits = column.about.decimals
        rows = {
            source: report.row(source, column.name, column.k, target)
            for source in (*report.method_names, HUMAN, OTHER)
        }
        cells = {source: cell(row, digits) for source, row in rows.items()}
        some = next((row for row in rows.values() if row is not None), None)
        chance = float("nan") if some is None else some["chance"]
        cells[CHANCE] = "—" if pd.isna(chance) else _number(chance, digits)
        cells["n"] = _counts([row for name, row in rows.items() if name in report.method_names])
        made[column.key] = cells
    return pd.DataFrame(made)


def _counts(rows: list) -> str:
    counts = [int(row["n"]) for row in rows if row is not None and pd.notna(row["value"])]
    if not counts:
        return "—"
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def clearly_best(report: EvaluationReport, column: Column, target: str) -> str:
    """The method that is better than every other beyond doubt (Holm-adjusted); "" for none."""
    names = report.method_names
    if len(names) < 2:
        return ""
    rows = report.differences
    rows = rows[
        (rows["measure"] == column.name) & (rows["k"] == column.k) & (rows["target"] == target)
    ]
    won: dict[str, set[str]] = {name: set() for name in names}
    for row in rows.itertuples():
        if row.source not in won or row.against not in won:
            continue
        if row.verdict == "better":
            won[row.source].add(row.against)
        elif row.verdict == "worse":
            won[row.against].add(row.source)
    return next((name for name, over in won.items() if len(over) == len(names) - 1), "")


def sentences(report: EvaluationReport, target: str) -> list[tuple[str, str]]:
    """(topic, what the report says), the most important first; of one annotator where one is meant.

    A sentence on one annotator is made anew, from that annotator's rows alone.
    """
    said = report.statements
    if target != ALL:
        parts = {}
        for name in ("scores", "differences", "confusion", "caricatures"):
            table = getattr(report, name)
            rows = table[table["target"] == target]
            # The sentences speak of the row called `ALL`.
            alone = name in ("scores", "differences")
            parts[name] = rows.assign(target=ALL) if alone else rows
        made = statements(
            **parts, sources=report.sources, config=report.config, judges=report.judges,
            missing=report.missing,
        )  # fmt: skip
        said = tuple(one for one in made if one.topic != "unread")
    return [(one.topic, named(one.topic, one.text, report.method_names)) for one in said]


def named(topic: str, text: str, sources: Iterable[str]) -> str:
    """A sentence on this topic with its methods called as everywhere on the screen.

    What is missing is among no report's methods, and its reasons are words of others: only what
    stands where a method is named is one (see `jobs.missing.said`).
    """
    if topic != "missing":
        return with_names(text, sources)
    where = rf"(?<=[:;] )({'|'.join(METHODS)})(?=(, seed \d+)? \()"
    return re.sub(where, lambda found: method_name(found[0]), text)


def with_names(text: str, sources: Iterable[str]) -> str:
    """Methods called as everywhere on the screen."""
    for source in sorted(sources, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(source)}(?!\w)", method_name(source), text)
    return text[:1].upper() + text[1:]
