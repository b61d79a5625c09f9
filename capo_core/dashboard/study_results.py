"""The results of a study in sentences and in tables with readable words; without Streamlit."""

from __future__ import annotations

import math

import pandas as pd

from capo_core.dashboard.run_words import listed
from capo_core.dashboard.study_words import KINDS, answer_name, inside, source_name
from capo_core.dashboard.words import count, p_value, percent
from capo_core.errors import ConfigError
from capo_core.study import draft_files, freeze
from capo_core.study.accuracy import AS_WRONG
from capo_core.study.analysis import Settings, StudyAnalysis, analyse
from capo_core.study.belief import Belief
from capo_core.study.study_report import Facts, StudyReport
from capo_core.study.tables import HUMAN
from capo_core.workspace import Workspace


def report(workspace: Workspace, name: str, judgments: pd.DataFrame, mu: str = "") -> StudyReport:
    """The analysis of a study's answers with the facts of its design.

    Args:
        mu: see `beliefs`.

    Raises:
        StudyError: the study on disk is not what was frozen. ConfigError: `mu` says nothing.
    """
    frozen = freeze.verify(workspace, name)
    draft = draft_files.load(workspace, name)
    facts = Facts(
        frozen_hash=frozen.hash,
        frozen=frozen.frozen,
        seed=draft.config.seed,
        invited=draft.assignments["judge_slot"].nunique(),
        planned=draft.config.planned_analysis,
        leaks=tuple(sorted(frozen.leaks.items())),
    )
    annotators = tuple(sorted(draft.cards["annotator_id"]))
    return StudyReport(analyse(judgments, annotators, Settings(beliefs=beliefs(mu))), facts)


def beliefs(text: str) -> tuple[Belief, ...]:
    """Beliefs of μ from "human:sft=0.8, human:capo=0.6/40"; the number after / is how many
    comparisons the belief is worth (exact without it).

    Raises:
        ConfigError: it is written otherwise.
    """
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        names, _, number = part.partition("=")
        stronger, _, weaker = names.partition(":")
        mu, _, strength = number.partition("/")
        try:
            found.append(Belief(stronger.strip(), weaker.strip(), float(mu), float(strength or 0)))
        except ValueError:
            raise ConfigError(
                f"found {part!r}", where="what is known beforehand", expected="human:sft=0.8"
            ) from None
    return tuple(found)


def sentences(found: StudyAnalysis) -> list[str]:
    """What a reader should take away, from the numbers, each with its n and interval."""
    return [*_named(found), *_preferred(found), *_alike(found)]


def _named(found: StudyAnalysis) -> list[str]:
    rows = found.accuracy[found.accuracy["counting"] == AS_WRONG]
    if rows.empty:
        return []
    chance = percent(float(rows["chance"].iloc[0]))
    told = [f"{inside(row.source)} in {_share(row)}" for row in rows.itertuples(index=False)]
    said = f"Judges named the right annotator for {listed(told, 99)}; chance is {chance}."
    beyond = [row for row in rows.itertuples(index=False) if row.low > row.chance]
    if not beyond:
        return [said, "For no source can this be told from guessing."]
    return [said]


def _preferred(found: StudyAnalysis) -> list[str]:
    said = []
    for row in found.wins.itertuples(index=False):
        first, second = row.source_a, row.source_b
        value, low, high = row.share_a, row.low, row.high
        if value < 0.5:
            first, second, value, low, high = second, first, 1 - value, 1 - high, 1 - low
        words = (
            f"{source_name(first)} were preferred to {inside(second)} in {percent(value)}"
            f"{_between(low, high)} of {count(row.n, 'judgment')}"
        )
        told = not math.isnan(low) and low > 0.5
        said.append(f"{words}." if told else f"{words}: that cannot be told from no difference.")
    return said


def _alike(found: StudyAnalysis) -> list[str]:
    told = [
        f"{inside(row.source)} {row.mean:.2f}"
        + ("" if math.isnan(row.low) else f" [{row.low:.2f}, {row.high:.2f}]")
        + f" ({count(row.n, 'rating')})"
        for row in found.reasoning.itertuples(index=False)
    ]
    return [f"Does it reason alike, from 1 to 5? {listed(told, 99)}."] if told else []


def _share(row) -> str:
    return f"{percent(row.value)}{_between(row.low, row.high)} of {count(row.n, 'judgment')}"


def _between(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" [{100 * low:.0f}, {100 * high:.0f}]"


def in_words(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The frame for the screen: sources in `columns` by their names, p in words, no empty notes."""
    shown = frame.assign(**{name: frame[name].map(source_name) for name in columns})
    if "p_value" in shown:
        shown["p_value"] = shown["p_value"].map(p_value)
    empty = "note" in shown and not shown["note"].astype(bool).any()
    return shown.drop(columns="note") if empty else shown


def ceiling(rows: pd.DataFrame) -> float:
    """The accuracy of the people's own texts; NaN where they are no source."""
    own = rows.loc[rows["source"] == HUMAN, "value"]
    return float(own.iloc[0]) if len(own) else math.nan


def verdict(row) -> str:
    """What can be said of a judge's attentiveness: number and interval, or why there is none."""
    if row.verdict:
        return f"{row.verdict} ({row.why})" if row.why else row.verdict
    return f"{row.attentiveness:.2f} [{row.low:.2f}, {row.high:.2f}]"


def raw_and_weighted(found: StudyAnalysis) -> pd.DataFrame:
    """Raw results and results weighted by judge quality: what, raw, weighted, n, note."""
    rows = []
    for row in found.consensus.itertuples(index=False):
        rows.append(
            (f"{source_name(row.source)}: right annotator", row.raw_right, row.raw_low,
             row.raw_high, row.weighted_right, row.weighted_low, row.weighted_high,
             count(row.n_trials, "trial"), row.note)
        )  # fmt: skip
    if found.quality is not None:
        for row in found.quality.preferences.itertuples(index=False):
            rows.append(
                (f"{source_name(row.source_a)} preferred to {inside(row.source_b)}",
                 row.raw_share_a, row.raw_low, row.raw_high, row.weighted_share_a,
                 row.weighted_low, row.weighted_high, count(row.n_votes, "vote"), row.note)
            )  # fmt: skip
    names = ("what", "raw", "raw_low", "raw_high", "weighted", "weighted_low", "weighted_high",
             "rests_on", "note")  # fmt: skip
    return pd.DataFrame(rows, columns=list(names))


def sections(found: StudyAnalysis) -> list[tuple[str, pd.DataFrame]]:
    """Every table of an analysis with its title; empty ones left out."""
    quality, best = found.quality, found.preference
    none = pd.DataFrame()
    made = [
        ("Judgments", found.counts),
        ("Who wrote this? Share named rightly", found.accuracy),
        ("Differences between sources", found.differences),
        ("Who is taken for whom", found.confusion.assign(
            answer=found.confusion["answer"].map(answer_name))),
        ("Single judgments, majority, and weighted vote", found.consensus),
        ("Mixed-effects model", found.mixed.effects),
        ("Comparisons", found.wins),
        ("Strengths (Bradley-Terry with ties)", best.strengths if best else none),
        ("Pairs by that model", best.pairs if best else none),
        ("Preferences, raw and weighted", quality.preferences if quality else none),
        ("Is the reasoning theirs?", found.reasoning),
        ("Agreement between judges", found.agreement),
        ("Judges: attentiveness", quality.judges if quality else none),
        ("Judges: conduct", found.conduct),
        ("Time", found.times),
        ("Effect of length", found.length),
    ]  # fmt: skip
    return [(title, frame) for title, frame in made if len(frame)]


def kind_name(kind: str) -> str:
    return KINDS.get(kind, kind)
