"""The comparison of label distributions for people: one table, its sentences, and the same as
Markdown and HTML.

The page and the command line draw the same rows (`DistributionReport.rows`) and print the same
sentences, so that no number stands in two roundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from capo_core.distributions.compare import (
    ENTROPY_CORRELATION,
    HIGHER_IS_CLOSER,
    JS_DIVERGENCE,
    JSD,
    KL,
    MANHATTAN,
    SHAPE,
    TVD,
    WASSERSTEIN,
    measure_title,
)
from capo_core.distributions.findings import NearestFinding, findings_of, nearest_source
from capo_core.distributions.judgments import UNIFORM, Judgments
from capo_core.distributions.ranking import ASIDE, FLOOR, SOURCE, Ranking
from capo_core.distributions.wording import (
    aside_statements,
    called,
    coverage_statements,
    digits,
    in_words,
    listed,
    measured,
    nearest_statement,
    source_name,
)
from capo_core.export_formats import html_foot, html_head, markdown_section
from capo_core.formatting import UNDEFINED, Statement, capitalised, number, p_value
from capo_core.provenance import Provenance
from capo_core.stats.significance import FEWEST, SIGNIFICANCE_LEVEL
from capo_core.templates import render

# The columns of a table, the distances that are most used first.
SHOWN = (JSD, TVD, KL, WASSERSTEIN, SHAPE, ENTROPY_CORRELATION, MANHATTAN, JS_DIVERGENCE)
_LEGEND = (
    "Means over items with 95 % confidence intervals. ↓ lower is closer, ↑ higher is closer. "
    "{bold} significantly closest (Holm-adjusted over all pairs of sources), and significantly "
    "closer than both baselines. JS distance is the square root of the Jensen–Shannon divergence "
    "(natural logarithm)."
)


@dataclass(frozen=True)
class TableRow:
    """A source in the table of distances.

    Attributes:
        role: SOURCE (ranked), FLOOR or ASIDE (not ranked).
        cells: measure → value with its interval; UNDEFINED where there is none.
        bold: measures in which it is significantly closest.
    """

    source: str
    title: str
    role: str
    cells: dict[str, str]
    n: int
    bold: frozenset[str]


@dataclass(frozen=True)
class DistributionReport:
    """A ranking with its findings, in the measure of the headline."""

    judgments: Judgments = field(repr=False)
    ranking: Ranking = field(repr=False)
    measure: str = JSD

    @cached_property
    def findings(self) -> dict[str, NearestFinding]:
        """The findings in all measures."""
        return findings_of(self.ranking)

    @cached_property
    def finding(self) -> NearestFinding:
        return nearest_source(self.ranking, self.measure)

    @property
    def headline(self) -> Statement:
        return nearest_statement(self.finding)

    @property
    def remarks(self) -> list[Statement]:
        """Statements on the comparison set, on what these items can show, on what is not ranked,
        on items left out, on distance correlations that are no relation, and on KL."""
        found = [*aside_statements(self.finding), *coverage_statements(self.ranking)]
        least = detectable_statement(self.ranking, self.measure)
        found = ([least] if least is not None else []) + found
        more = (shape_statement(self.ranking), kl_statement(self.ranking, self.judgments))
        return found + [one for one in more if one is not None]

    @property
    def measures(self) -> list[str]:
        """The measures of the table: Manhattan is twice TVD, and is shown only beside
        Wasserstein.
        """
        there = set(self.ranking.measures)
        found = [name for name in SHOWN if name in there]
        return found if WASSERSTEIN in there else [name for name in found if name != MANHATTAN]

    @property
    def legend(self) -> str:
        """The note below the table; says where nothing in it is bold."""
        bold = any(each.bold for each in self.findings.values())
        return _LEGEND.format(bold="Bold:" if bold else "Nothing is in bold: no source is")

    def rows(self) -> list[TableRow]:
        """Return the rows of the table: ranked sources closest first, baselines, the others."""
        ranking = self.ranking
        names = [*ranking.closest_first(self.measure), *self.finding.undefined, *ranking.floors]
        names += [one.source for one in ranking.aside]
        roles = dict(zip(ranking.table["source"], ranking.table["role"], strict=True))
        sizes = dict(zip(ranking.table["source"], ranking.table["n"], strict=True))
        by_key = {(row.source, row.measure): row for row in ranking.table.itertuples()}
        found = []
        for name in names:
            cells = {}
            for measure in self.measures:
                row = by_key[name, measure]
                cells[measure] = _cell(row) if row.value == row.value else UNDEFINED
            bold = frozenset(m for m, each in self.findings.items() if each.bold == name)
            title = source_name(name) + (" (baseline)" if roles[name] == FLOOR else "")
            found.append(TableRow(name, title, roles[name], cells, int(sizes[name]), bold))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking and all findings for JSON, each with its sentence."""
        findings = self.findings or {self.measure: self.finding}
        return {
            "measure": self.measure,
            "headline": in_words(self.headline),
            "remarks": [in_words(each) for each in self.remarks],
            "ranking": self.ranking.to_dict(),
            "findings": [
                {
                    **each.to_dict(),
                    "text": in_words(nearest_statement(each)),
                    "statement": nearest_statement(each).to_dict(),
                }
                for each in findings.values()
            ],
        }

    def notes(self) -> list[str]:
        """Return why single values are what they are, sources with the same note together."""
        rows = self.ranking.table
        rows = rows[(rows["note"] != "") & (rows["role"] != ASIDE)]
        return [
            f"{capitalised(measure_title(measure))} of {listed(part['source'])} is {text}."
            for (measure, text), part in rows.groupby(["measure", "note"], sort=False)
        ]


def _cell(row) -> str:
    return measured(row.value, row.low, row.high, int(row.n)).text


def header(measure: str) -> str:
    """Return a measure's column header: "JS distance ↓"."""
    arrow = "↑" if measure in HIGHER_IS_CLOSER else "↓"
    return f"{capitalised(measure_title(measure))} {arrow}"


def difference_texts(row) -> tuple[str, str, str, str]:
    """Return a difference with its interval, its adjusted p-value, what is closer, and the smallest
    detectable difference."""
    closer = "not significant" if row.nearer == "undecided" else source_name(row.nearer)
    return _cell(row), p_value(row.p_holm), closer, number(row.detectable, digits(int(row.n)))


def detectable_statement(ranking: Ranking, measure: str) -> Statement | None:
    """Return what differences between two ranked sources these items detect in a measure; None
    without two sources."""
    rows = ranking.differences
    rows = rows[(rows["measure"] == measure) & ~rows["against"].isin(ranking.floors)]
    known = rows["detectable"].dropna()
    if not len(known):
        return None
    places = digits(ranking.n)
    low, high = float(known.min()), float(known.max())
    span = f"{{low:number {places}}}"
    if number(low, places) != number(high, places):
        span += f" to {{high:number {places}}}"
    return Statement(
        "detectable",
        "A true difference between two sources of "
        + span
        + " ({measure}) is found with 80 % power on {n:count item} ({pairs:count pair}); a "
        "difference that is not significant says nothing about smaller ones.",
        {"low": low, "high": high, "measure": measure_title(measure), "n": ranking.n,
         "pairs": len(rows)},
    )  # fmt: skip


def shape_statement(ranking: Ranking) -> Statement | None:
    """Return which sources have a distance correlation with an interval above 0 that is not
    significantly above that of a constant source; None where there is none."""
    named = [
        source
        for source in ranking.ranked
        if (row := ranking.row(source, SHAPE)) is not None and row.low > 0
        and (apart := ranking.difference(source, UNIFORM, SHAPE)) is not None
        and apart.p_holm > SIGNIFICANCE_LEVEL
    ]  # fmt: skip
    if not named:
        return None
    return Statement(
        "shape",
        "{measure} of unrelated distributions is above 0 too: tested for independence, that of "
        "{names} is not significantly above 0.",
        {"measure": measure_title(SHAPE), "names": listed(named)},
    )


def kl_statement(ranking: Ranking, judgments: Judgments) -> Statement | None:
    """Return a warning where zeros, not judgments, decide the KL; None elsewhere."""
    clip = ranking.config.clip
    rows = ranking.table[ranking.table["measure"] == KL].dropna(subset=["value"])
    floor = rows.loc[rows["source"] == UNIFORM, "value"]
    silent = {
        name
        for name in rows.loc[rows["role"] == SOURCE, "source"]
        if (judgments.source(name).shares <= clip).any()
    }
    ruled = rows[rows["source"].isin(silent)]
    if not len(floor) or not (ruled["value"] > floor.iloc[0]).any():
        return None
    return Statement(
        "KL",
        "KL is dominated by labels that a source never uses (clipped at {clip:g}); prefer JS "
        "distance or TVD here.",
        {"clip": clip},
    )


def methods_paragraph(report: DistributionReport, fingerprints: dict[str, str]) -> str:
    """Return the methods paragraph for a paper."""
    ranking, config = report.ranking, report.ranking.config
    prints = "; ".join(f"{key} {value[:16]}" for key, value in fingerprints.items())
    against = called(ranking.against)
    left = (
        " One annotator was left out at a time: an annotator was compared with the labels of the "
        "others, every other source with the same sets of labels, averaged."
        if ranking.leaves_out
        else ""
    )
    aside = [one.source for one in ranking.aside]
    not_ranked = f" Not ranked: {listed(aside)}." if aside else ""
    return (
        f"Label distributions of {', '.join(map(called, ranking.ranked))} were compared with "
        f"{against} on the {ranking.n:,} items of {ranking.name} ({prints}) that all of them "
        f"have, item by item, and averaged.{left}{not_ranked} Measures: Kullback–Leibler "
        f"divergence KL(reference ‖ source) in nats (shares clipped at {config.clip:g} and "
        "renormalised), Jensen–Shannon distance (square root of the divergence, natural logarithm; "
        "Endres & Schindelin, 2003), total variation distance, Manhattan distance and, on ordinal "
        "scales, Wasserstein-1 in points of the scale; the correlation of entropies over items; "
        "and the distance correlation of the two [items × labels] tables (Székely et al., 2007). "
        "Baselines are the uniform distribution and the reference’s mean distribution over these "
        "items. Intervals are 95 %, by a Bayesian bootstrap over items (Rubin, 1981; "
        f"{config.draws:,} draws, seed {config.seed}). Differences are paired by item and tested "
        "by sign-flip permutation (measures of whole tables: by the bootstrap), p-values adjusted "
        "by Holm’s method over all pairs of sources, and over all sources against each baseline; "
        f"with fewer than {FEWEST} items nothing counts as significant. The smallest detectable "
        "difference is at 80 % power at the first step of Holm’s method, by the standard error of "
        "the paired differences."
    )


def title(report: DistributionReport, provenance: Provenance) -> str:
    """Return the report's title; of simulated data it says so."""
    return provenance.titled(f"Label distributions: {report.ranking.name}")


def to_markdown(report: DistributionReport, provenance: Provenance) -> str:
    """Return the report as Markdown."""
    headline = provenance.marked(in_words(report.headline))
    lines = [f"# {_plain(title(report, provenance))}", "", _plain(headline), ""]
    lines += [f"{_plain(in_words(each))}\n" for each in report.remarks]
    names = ["Source", *map(header, report.measures), "n"]
    body = []
    for row in report.rows():
        cells = [f"**{row.cells[m]}**" if m in row.bold else row.cells[m] for m in report.measures]
        role = ", not ranked" if row.role == ASIDE else ""
        body.append([_plain(row.title) + role, *cells, f"{row.n:,}"])
    lines += [*_markdown_table(names, body), "", report.legend, ""]
    lines += [f"{_plain(note)}\n" for note in report.notes()]
    pairs = _differences(report)
    if pairs:
        heads = ["First", "Second", "Difference", "p (Holm)", "Closer", "Detectable", "n"]
        lines += [f"## Differences in {measure_title(report.measure)}", ""]
        lines += [*_markdown_table(heads, [[_plain(cell) for cell in row] for row in pairs]), ""]
    lines += ["## Methods", "", _plain(_methods(report, provenance)), ""]
    lines += markdown_section(provenance)
    return "\n".join(lines)


def to_html(report: DistributionReport, provenance: Provenance) -> str:
    """Return the report as one HTML page that loads nothing."""
    return render(
        "distributions/report.html.j2",
        title=title(report, provenance),
        head=html_head(provenance),
        foot=html_foot(provenance),
        headline=provenance.marked(in_words(report.headline)),
        remarks=[in_words(each) for each in report.remarks],
        measures=report.measures,
        header=header,
        rows=report.rows(),
        aside=ASIDE,
        floor=FLOOR,
        legend=report.legend,
        notes=report.notes(),
        measure=measure_title(report.measure),
        differences=_differences(report),
        methods=_methods(report, provenance),
    )


def _methods(report: DistributionReport, provenance: Provenance) -> str:
    prints = {"items’ fingerprint": report.judgments.fingerprint}
    return f"{provenance.caution} {methods_paragraph(report, prints)}".strip()


def _differences(report: DistributionReport) -> list[list[str]]:
    rows = report.ranking.differences
    found = []
    for row in rows[rows["measure"] == report.measure].itertuples():
        value, p, closer, least = difference_texts(row)
        names = source_name(row.source), source_name(row.against)
        found.append([*names, value, p, closer, least, f"{row.n:,}"])
    return found


def _markdown_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>#|$!"})


def _plain(text: str) -> str:
    """Return a text as Markdown shows it, on one line."""
    return " ".join(text.split()).translate(_SPECIAL)
