"""The report of a study: everything as JSON, tables as Markdown, and a paragraph on methods."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

import capo_core
from capo_core.evaluation.summary import latex
from capo_core.study.analysis.analysis import StudyAnalysis
from capo_core.study.analysis.attribution import AS_WRONG, LEFT_OUT
from capo_core.study.tables import ATTRIBUTION, COMPARISON, REASONING

DIGITS = 3
NOT_DEFINED = "not defined"
DOES = {
    ATTRIBUTION: "named the annotator who wrote a text, or said that they cannot tell",
    COMPARISON: "said which of two texts is the target annotator's, or called it a tie",
    REASONING: "rated from 1 to 5 whether a text reasons like the target annotator's own",
}


@dataclass(frozen=True)
class StudyFacts:
    """What the analysis cannot know of the study itself; empty or None where it is not known.

    Attributes:
        frozen_hash: of design, texts and planned analysis. frozen: when, ISO time in UTC.
        seed: of the design. invited: judges invited. planned: the planned analysis, in words.
        leaks: kind → texts that showed it when the study was frozen.
    """

    frozen_hash: str = ""
    frozen: str = ""
    seed: int | None = None
    invited: int | None = None
    planned: str = ""
    leaks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class StudyReport:
    """An analysis with the facts of its study."""

    analysis: StudyAnalysis
    facts: StudyFacts

    def to_dict(self) -> dict:
        """For JSON."""
        return {
            "capo_lab": capo_core.__version__,
            "facts": {**asdict(self.facts), "leaks": dict(self.facts.leaks)},
            "methods": methods_paragraph(self),
            "analysis": self.analysis.to_dict(),
        }


def methods_paragraph(report: StudyReport) -> str:
    """How the study was done and analysed, with numbers and seeds, for a paper."""
    a, facts = report.analysis, report.facts
    judges = max(len(a.conduct) - 1, 0)
    parts = [f"{judges} judge{'s' if judges != 1 else ''} who could not see the source of a text"]
    tasks = [
        f"{DOES[row.kind]} ({row.main} judgments, {row.items} items)"
        for row in a.counts.itertuples(index=False)
    ]
    parts[0] += f" {'; '.join(tasks)}."
    checks, mirrors = int(a.counts["check"].sum()), int(a.counts["mirror"].sum())
    parts.append(
        f"{checks} trials with a known answer and {mirrors} mirrored repeats were mixed in; they "
        "do not count in the results. No judge and no judgment was excluded."
    )
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
    parts.append(
        "Intervals are 95 % and clustered by judge and item (Cameron, Gelbach & Miller 2011; "
        "degrees of freedom after Satterthwaite), for shares in Wilson's form."
    )
    kinds = set(a.counts["kind"])
    if ATTRIBUTION in kinds:
        parts.append(
            f"Chance is 1/{len(a.annotators)}; exact binomial tests against it are two-sided. "
            '"Cannot tell" is counted as wrong, and the results without it are given too.'
        )
    if COMPARISON in kinds:
        parts.append(
            "Preferences are summarised by the Bradley-Terry model with ties of Davidson (1970). "
            "Attentiveness of judges was estimated by EM (after Cai & Li 2025), with the better "
            "text of a pair as one latent shared by its judges."
        )
    parts.append(
        f"Agreement is Krippendorff's alpha with a Bayesian bootstrap over trials "
        f"({a.settings.draws} draws, seed {a.settings.seed}). CAPO Lab {capo_core.__version__}."
    )
    return " ".join(parts)


def to_latex(report: StudyReport) -> str:
    """The methods paragraph for LaTeX, every special character escaped."""
    return "\\paragraph{Human judgments.} " + latex(methods_paragraph(report)) + "\n"


def to_markdown(report: StudyReport) -> str:
    """The whole report; texts from data are escaped."""
    a = report.analysis
    lines = [f"# Study {_cell(a.study_id)}", ""]
    if report.facts.frozen_hash:
        lines += [f"Frozen as `{_cell(report.facts.frozen_hash)}`.", ""]
    if report.facts.planned:
        lines += [f"Planned analysis: {_cell(report.facts.planned)}", ""]
    lines += [*(f"- {_cell(sentence)}" for sentence in a.sentences), ""]
    for title, frame, words in _sections(a):
        if len(frame):
            lines += [f"## {title}", "", *([words, ""] if words else []), table(frame), ""]
    if a.preference is not None and a.preference.note:
        lines += [_cell(a.preference.note), ""]
    if a.mixed.note:
        lines += [_cell(a.mixed.note[:1].upper() + a.mixed.note[1:]) + ".", ""]
    if a.quality is not None:
        lines += [*(f"- {_cell(sentence)}" for sentence in a.quality.sentences), ""]
    return "\n".join([*lines, "## Methods", "", _cell(methods_paragraph(report)), ""])


def _sections(a: StudyAnalysis) -> list[tuple[str, pd.DataFrame, str]]:
    empty = pd.DataFrame()
    chance = f"Chance is {1 / len(a.annotators):.3f}. " if a.annotators else ""
    best = a.preference
    quality = a.quality
    return [
        ("Judgments", a.counts, ""),
        ("Who wrote this?", a.accuracy,
         f"{chance}Each source stands twice: {AS_WRONG}; {LEFT_OUT}. Chance as a hit rate with "
         "guesses spread evenly; p from an exact test that takes judgments as independent."),
        ("Differences between sources", a.differences, ""),
        ("Confusion", a.confusion, ""),
        ("Weighted and raw", a.consensus,
         "Single judgments (raw), the majority of a trial's judges, and their vote weighted by "
         "Dawid-Skene."),
        ("Mixed-effects model", a.mixed.effects, "For a typical judge and item."),
        ("Comparisons", a.wins, "share_a counts a tie as half; 0.5 is chance."),
        ("Strengths (Bradley-Terry with ties)", best.strengths if best else empty,
         "Log-odds, mean 0."),
        ("Pairs by the model", best.pairs if best else empty, "Ties left out; 0.5 is chance."),
        ("Preferences, raw and weighted by attentiveness", quality.preferences if quality else
         empty, ""),
        ("Reasoning kept", a.reasoning, "1 (not at all) to 5 (entirely)."),
        ("Agreement", a.agreement, "1 is perfect; 0 as by chance (not so for raw agreement)."),
        ("Judges: attentiveness", quality.judges if quality else empty, ""),
        ("Judges: conduct", a.conduct, "left: 0.5 without bias. Wilson intervals."),
        ("Time", a.times, ""),
        ("Length of texts", a.length, "1 is no effect."),
    ]  # fmt: skip


def table(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    head = "| " + " | ".join(str(name) for name in frame.columns) + " |"
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in
            frame.itertuples(index=False, name=None)]  # fmt: skip
    return "\n".join([head, "|" + " --- |" * len(frame.columns), *rows])


def _cell(value: object) -> str:
    """A value for Markdown: nothing in it can end a cell, begin a tag or make a link."""
    if isinstance(value, float):
        return NOT_DEFINED if math.isnan(value) else f"{value:.{DIGITS}f}"
    text = " ".join(str(value).split())
    for mark in "\\|`<>[]*_#":
        text = text.replace(mark, f"\\{mark}")
    return text
