"""The report of a study: everything as JSON, tables as Markdown, and a methods paragraph."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import cached_property

import pandas as pd

import capo_core
from capo_core.export_formats import (
    json_document,
    markdown_section,
)
from capo_core.formatting import capitalised, count, listed, points
from capo_core.provenance import UNKNOWN, Provenance
from capo_core.stats.clustered import ALIKE
from capo_core.study.analysis.analysis import StudyAnalysis
from capo_core.study.analysis.findings import (
    ATTRIBUTED,
    EQUAL,
    PREFERRED,
    STYLE,
    UNDEFINED,
    StudyFinding,
    finding_sentences,
    study_findings,
)
from capo_core.study.scope import scope_sentence
from capo_core.study.source_names import source_name
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.study.trial_kinds.base import ReportSection

DIGITS = 3
NOT_DEFINED = "not defined"


@dataclass(frozen=True)
class StudyFacts:
    """Facts of the study that the analysis cannot know; empty or None where they are not known.

    Attributes:
        frozen_hash: of design, texts and planned analysis. frozen: when, ISO time in UTC.
        seed: of the design. invited: judges invited. planned: the planned analysis, in words.
        leaks: kind → texts that showed it when the study was frozen.
        equivalence_margin: of the design, as a share; 0 for none.
        title: of the study; "" where it has none beside its name.
        targets: annotators whose texts are asked about; () for all.
    """

    frozen_hash: str = ""
    frozen: str = ""
    seed: int | None = None
    invited: int | None = None
    planned: str = ""
    leaks: tuple[tuple[str, int], ...] = ()
    equivalence_margin: float = 0.0
    title: str = ""
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyReport:
    """An analysis with the facts of its study, and where its texts and judgments come from."""

    analysis: StudyAnalysis
    facts: StudyFacts
    provenance: Provenance = field(default_factory=lambda: Provenance("", "", UNKNOWN))

    @cached_property
    def findings(self) -> tuple[StudyFinding, ...]:
        """Every claim of the study (`findings.study_findings`)."""
        return study_findings(self.analysis)

    @property
    def results(self) -> list[str]:
        """The findings in sentences, or why there are none; page, report, paragraph and command
        line show these."""
        if not self.analysis.judges:
            return [
                "No judgment counts in the results: only trials with a known answer, mirrored "
                "repeats or practice were answered, so that nothing is said of any source."
            ]
        return finding_sentences(self.findings, frozen=bool(self.facts.frozen_hash))

    @property
    def title(self) -> str:
        """Return the study's title; without one, its name."""
        return self.facts.title or self.analysis.study_id

    @property
    def scope(self) -> str:
        """Return for whom the results hold; "" where the texts are of every annotator."""
        return scope_sentence(self.facts.targets, self.analysis.annotators)

    def to_dict(self) -> dict:
        """Return the report for JSON."""
        return {
            "capo_lab": capo_core.__version__,
            "title": self.title,
            "scope": self.scope,
            "facts": {**asdict(self.facts), "leaks": dict(self.facts.leaks)},
            "methods": methods_paragraph(self),
            "results": self.results,
            "findings": [one.to_dict() for one in self.findings],
            "analysis": self.analysis.to_dict(),
        }


def methods_paragraph(report: StudyReport) -> str:
    """Return how the study was done and analysed, with numbers and seeds, for a paper."""
    a, facts = report.analysis, report.facts
    named = f"In the study “{facts.title}”, " if facts.title else ""
    caution = report.provenance.caution
    counted = a.counts[a.counts["main"] > 0]
    tasks = [
        f"{TRIAL_KINDS[row.kind].task} ({count(row.main, 'judgment')} of "
        f"{count(row.trials, 'trial')} on {count(row.items, 'item')}"
        + (f", by {count(row.judges, 'judge')})" if row.judges != a.judges else ")")
        for row in counted.itertuples(index=False)
    ]
    who = f"{named}{count(a.judges, 'judge')} who could not see the source of a text"
    none = capitalised(f"{named}no judgment counts in a result.")
    parts = [f"{who} {'; '.join(tasks)}." if tasks else none]
    parts.append(report.scope)
    parts.append(_beside(int(a.counts["check"].sum()), int(a.counts["mirror"].sum())))
    if facts.frozen_hash:
        parts.append(
            f"Design, texts and planned analysis were frozen before the first judgment (SHA-256 "
            f"{facts.frozen_hash[:16]}"
            + (f", {facts.frozen}" if facts.frozen else "")
            + (f"; seed {facts.seed}" if facts.seed is not None else "")
            + ")."
        )
    if facts.leaks:
        found = ", ".join(f"{kind}: {n}" for kind, n in facts.leaks)
        parts.append(f"Texts that could give their source away were accepted ({found}).")
    tested = sum(one.claim in EQUAL and one.verdict != UNDEFINED for one in report.findings)
    if facts.equivalence_margin and tested:
        fixed = "fixed before the freeze" if facts.frozen_hash else "of the draft"
        parts.append(
            "Equivalence to the target's own texts was tested by two one-sided tests (Schuirmann "
            f"1987) at 5 % each against a margin of {points(facts.equivalence_margin)}, {fixed}; "
            "their intervals are 90 %."
        )
    elif facts.equivalence_margin:
        parts.append(
            f"The design has an equivalence margin of {points(facts.equivalence_margin)}; nothing "
            "could be tested against it."
        )
    parts += _intervals(report.findings)
    kinds = set(counted["kind"])
    parts += [
        kind.methods(a.annotators, a.results[name])
        for name, kind in TRIAL_KINDS.items()
        if name in kinds
    ]
    agreed = a.agreement[a.agreement["measure"] == "krippendorff_alpha"]
    if agreed["value"].notna().any():
        parts.append(
            "Agreement is Krippendorff's alpha with a Bayesian bootstrap over trials "
            f"({a.settings.draws} draws, seed {a.settings.seed})."
        )
    parts.append(f"CAPO Lab {capo_core.__version__}.")
    return " ".join(filter(None, [caution, *parts]))


def _beside(checks: int, mirrors: int) -> str:
    """Return what was answered beside what counts."""
    asked = [
        f"{count(n, 'judgment')} of {what}"
        for n, what in ((checks, "trials with a known answer"), (mirrors, "mirrored repeats"))
        if n
    ]
    if not asked:
        return (
            "There were no trials with a known answer and no mirrored repeats; practice does not "
            "count. No judge and no judgment was excluded."
        )
    return (
        f"Beside these, {listed(asked)} {'measures' if checks + mirrors == 1 else 'measure'} the "
        "judges; they do not count in the results, nor does practice. No judge and no judgment was "
        "excluded."
    )


def _intervals(findings: tuple[StudyFinding, ...]) -> list[str]:
    """Return how the intervals of this study were computed; only what there is."""
    own = [one for one in findings if one.claim not in (*EQUAL, STYLE)]
    clustered = [one for one in own if one.verdict != UNDEFINED and one.note != ALIKE]
    words = []
    if clustered:
        shares = any(one.claim in (ATTRIBUTED, PREFERRED) for one in clustered)
        words.append(
            "Intervals are 95 % and clustered by judge and item (Cameron, Gelbach & Miller 2011; "
            "degrees of freedom after Satterthwaite)"
            + (", for shares without ties in Wilson's form." if shares else ".")
        )
    if any(one.note == ALIKE and one.verdict != UNDEFINED for one in own):
        words.append(
            "Where all answers are alike nothing tells how judges and items differ: intervals are "
            "then 95 % with judgments taken as independent (Wilson 1927; Newcombe 1998)."
        )
    if any(one.verdict == UNDEFINED for one in own):
        words.append(
            "Results without an interval have too few judges or items for one, or answers that "
            "are all the same."
            if words
            else "No interval could be computed."
        )
    return words


def to_json(report: StudyReport) -> str:
    """Return everything as JSON."""
    return json_document(report.to_dict(), report.provenance.dated())


def to_markdown(report: StudyReport) -> str:
    """Return the whole report as Markdown; texts from data are escaped."""
    a = report.analysis
    source = report.provenance.dated()
    lines = [f"# {source.titled(f'Study {_cell(report.title)}')}", ""]
    if report.facts.title:
        lines += [f"Its name in commands and files: `{_cell(a.study_id)}`.", ""]
    if report.facts.frozen_hash:
        lines += [f"Frozen as `{_cell(report.facts.frozen_hash)}`.", ""]
    if report.facts.planned:
        lines += [f"Planned analysis: {_cell(report.facts.planned)}", ""]
    said = [*report.results, *filter(None, [report.scope])]
    lines += [*(f"- {_cell(source.marked(sentence))}" for sentence in said), ""]
    lines += [*(f"- {_cell(source.marked(sentence))}" for sentence in a.sentences), ""]
    for section in sections(a):
        caption = [section.caption, ""] if section.caption else []
        lines += [f"## {section.title}", "", *caption, table(with_source_names(section.table)), ""]
    remarks = [
        remark
        for name, kind in TRIAL_KINDS.items()
        if (a.counts["kind"] == name).any()
        for remark in kind.remarks(a.results[name])
    ]
    lines += [*(f"- {_cell(remark)}" for remark in remarks), *[""] * bool(remarks)]
    lines += ["## Methods", "", _cell(methods_paragraph(report)), ""]
    return "\n".join([*lines, *markdown_section(source)])


def sections(analysis: StudyAnalysis) -> list[ReportSection]:
    """Return every table of an analysis that has rows, with its title and how to read it."""
    found = [ReportSection("Judgments", analysis.counts)]
    for name, kind in TRIAL_KINDS.items():
        found += kind.sections(analysis.results[name], analysis.annotators)
    found += [
        ReportSection(
            "Inter-judge agreement",
            analysis.agreement,
            "1 is perfect; 0 as by chance (not so for raw agreement).",
        ),
        ReportSection(
            "Judges: behaviour",
            analysis.behaviour,
            "left: share for the text shown first; 0.5 is unbiased. Wilson intervals.",
        ),
        ReportSection("Time per trial", analysis.times),
        ReportSection("Effect of text length", analysis.length, "1 is no effect."),
    ]
    return [section for section in found if len(section.table)]


def with_source_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of a report with the names of sources in the place of their keys."""
    columns = [name for name in ("source", "source_a", "source_b") if name in frame]
    return frame.assign(**{name: frame[name].map(source_name) for name in columns})


def table(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    head = "| " + " | ".join(str(name) for name in frame.columns) + " |"
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in
            frame.itertuples(index=False, name=None)]  # fmt: skip
    return "\n".join([head, "|" + " --- |" * len(frame.columns), *rows])


def _cell(value: object) -> str:
    """Return a value for Markdown: nothing in it can end a cell, begin a tag or make a link."""
    if isinstance(value, float):
        return NOT_DEFINED if math.isnan(value) else f"{value:.{DIGITS}f}"
    text = " ".join(str(value).split())
    for mark in "\\|`<>[]*_#":
        text = text.replace(mark, f"\\{mark}")
    return text
