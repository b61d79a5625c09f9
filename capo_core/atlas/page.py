"""The atlas as one self-contained HTML page: no server, no library, nothing from outside.

Its policy (Content-Security-Policy) forbids every connection and every script but its own, whose
hash it names. The page works without the script too, but for the items.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from capo_core.atlas import figures
from capo_core.atlas.browser_data import browser_data, script_json
from capo_core.atlas.content import AtlasContent, AtlasEvaluation, gather
from capo_core.errors import ConfigError
from capo_core.evaluation.cells import BOLD, NO_BOLD
from capo_core.evaluation.export import attribution_figure, averaged_text, main_scores
from capo_core.evaluation.summary import statements, titled
from capo_core.export_formats import html_foot, html_head
from capo_core.formatting import (
    UNDEFINED,
    count,
    number,
    percent,
    percent_interval,
    short,
    with_interval,
)
from capo_core.looks import looks
from capo_core.progress import Progress, silent
from capo_core.provenance import Provenance
from capo_core.stability.annotator_profiles import AnnotatorProfile
from capo_core.study.analysis.report import StudyReport, methods_paragraph, sections
from capo_core.study.source_names import source_name
from capo_core.study.tables import CANNOT_TELL
from capo_core.templates import render
from capo_core.workspace import Workspace, atomic_file

MOST_PROFILES = 100  # annotators with a profile; those with the most annotations
# Tables of a study that name judges stay with its owner.
_OF_JUDGES = ("judge_id", "judge", "judge_slot")


@dataclass(frozen=True)
class AtlasFile:
    """A written atlas: where it is, its size in bytes, and what could not be taken in."""

    path: Path
    size: int
    notes: tuple[str, ...]  # on the page too, but for cautions on studies that still run


def write_atlas(
    workspace: Workspace,
    name: str,
    path: Path,
    *,
    texts: bool = True,
    progress: Progress = silent,
) -> AtlasFile:
    """Write the atlas of a dataset of the catalog; atomic.

    Args:
        texts: False leaves out every text of the data and of models, where the licence of the
            data does not allow to pass them on.

    Raises:
        ConfigError: the file's name does not end in .html.
        DataError: there is no such dataset.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"an atlas is an HTML file, not {path.name!r}", expected="a name.html")
    content = gather(workspace, name, progress)
    progress("Writing", 0.9)
    page = atlas_page(content, texts=texts).encode("utf-8", "backslashreplace")
    with atomic_file(path) as file:
        file.write(page)
    return AtlasFile(path, len(page), (*content.notes, *content.cautions(texts=texts)))


def atlas_page(content: AtlasContent, *, texts: bool = True) -> str:
    """Return the whole page.

    Args:
        texts: see `write_atlas`. Without them, phrases and the statements that quote them are left
            out too.
    """
    dataset = content.dataset
    source = content.provenance.but(details=(("texts", "included" if texts else "left out"),))
    title = f"Annotator atlas: {dataset.name}"
    script = _asset("atlas.js")
    return render(
        "atlas/atlas.html.j2",
        title=source.titled(title),
        head=html_head(source),
        foot=html_foot(source),
        script=Markup(script),
        script_hash=_policy_hash(script),
        data=Markup(script_json(browser_data(content, texts=texts))),
        dataset=dataset,
        texts=texts,
        caution=source.caution,
        source=source.line,
        headline=_headline(content, source),
        numbers=_key_numbers(content),
        contents=_contents(content),
        notes=content.notes,
        profiles=_profiles(content, texts=texts),
        more_annotators=max(0, len(content.profiles) - MOST_PROFILES),
        stability=_stability(content),
        evaluations=[_evaluation(place, one) for place, one in enumerate(content.evaluations)],
        studies=[_study(name, report) for name, report in content.studies.items()],
        dash=figures.DASH,
    )


def _asset(name: str) -> str:
    return files("capo_core.atlas").joinpath("templates", name).read_text(encoding="utf-8")


def _policy_hash(script: str) -> str:
    """Return the script's hash as a Content-Security-Policy names it."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _headline(content: AtlasContent, source: Provenance) -> str:
    if content.stability is not None and content.stability.headline:
        return source.marked(content.stability.headline)
    data = content.dataset
    labels = data.annotations.groupby("item_id")["label"].nunique()
    return source.marked(
        f"{count(len(data.annotators), 'annotator')} gave different labels to "
        f"{int((labels > 1).sum()):,} of {count(len(data.items), 'item')}. The workspace has no "
        "stability report of these data."
    )


def _key_numbers(content: AtlasContent) -> list[tuple[str, str]]:
    data = content.dataset
    written = int((data.annotations["explanation"].str.strip() != "").sum())
    return [
        ("items", f"{len(data.items):,}"),
        ("annotators", f"{len(data.annotators):,}"),
        ("annotations", f"{len(data.annotations):,}"),
        ("explanations", f"{written:,}"),
    ]


def _contents(content: AtlasContent) -> list[tuple[str, str, str]]:
    """Return (view, title, what it has) of each part of the atlas."""
    report = content.stability
    views = 0 if report is None else report.ladder.frame["representation"].nunique()
    answers = sum(len(one.answers) for one in content.evaluations)
    return [
        ("annotators", "Annotators", count(len(content.profiles), "profile")),
        ("items", "Items", f"{_items_text(content)}, side by side"),
        (
            "stability", "Stability",
            f"the ladder by {count(views, 'representation')}, with controls"
            if views else "no report in the workspace",
        ),
        (
            "methods", "Methods",
            f"{count(len(content.evaluations), 'evaluation')}, {count(answers, 'answer')}"
            if content.evaluations else "no finished evaluation in the workspace",
        ),
        (
            "studies", "Studies",
            count(len(content.studies), "unblinded study", "unblinded studies")
            if content.studies else "no unblinded study in the workspace",
        ),
    ]  # fmt: skip


def _items_text(content: AtlasContent) -> str:
    kept, whole = len(content.items), len(content.dataset.items)
    return count(whole, "item") if kept == whole else f"{kept:,} of {count(whole, 'item')}"


def _profiles(content: AtlasContent, *, texts: bool) -> list[dict[str, Any]]:
    look = looks(content.dataset.annotators)
    chosen = {
        one.annotator_id for one in sorted(content.profiles, key=lambda one: -one.n)[:MOST_PROFILES]
    }
    rows = content.dataset.annotations.set_index("annotation_id")
    return [
        _profile(content, one, look[one.annotator_id].color, rows, texts=texts)
        for one in content.profiles
        if one.annotator_id in chosen
    ]


def _profile(
    content: AtlasContent, one: AnnotatorProfile, color: str, rows: pd.DataFrame, *, texts: bool
) -> dict[str, Any]:
    said = [each for each in one.statements if texts or "phrases" not in each.values]
    habits = [cue for cue in one.cues if cue.kind == "habit"]
    phrases = figures.phrase_rates(content.phrases, one.annotator_id, color) if texts else None
    return {
        "name": one.annotator_id,
        "color": color,
        "statements": [each.text for each in said],
        "numbers": one.key_numbers,
        "labels": figures.label_use(one, color),
        "phrases": phrases,
        "without_phrases": one.without_phrases,
        "habits": [
            (cue.text, number(cue.own, 1), number(cue.others, 1), cue.unit,
             with_interval(cue.strength, cue.low, cue.high))
            for cue in habits
        ],
        "examples": [
            (heading, [_example(rows, each) for each in ids])
            for heading, ids in (
                ("Typical explanations", one.typical), ("Atypical explanations", one.atypical)
            )
            if texts and ids
        ],
    }  # fmt: skip


def _example(rows: pd.DataFrame, annotation_id: str) -> dict[str, str]:
    row = rows.loc[annotation_id]
    return {"item": row["item_id"], "label": row["label"], "text": row["explanation"]}


def _stability(content: AtlasContent) -> dict[str, Any] | None:
    report = content.stability
    if report is None or report.ladder.frame.empty:
        return None
    source = report.provenance
    ladder, controls = report.ladder.frame, report.controls.frame
    shown = figures.control_figures(ladder, controls)
    return {
        "statements": [source.marked(one.text) for one in report.statements],
        "ladders": figures.ladders(ladder),
        "controls": shown,
        "pools": sorted({one.k for one in shown}),
        "agreement": _agreement(report.agreement.frame),
        "variance": _variance(report.variance.frame),
        "source": source.line,
    }


_AGREEMENT = {
    "krippendorff_alpha": "Krippendorff's α",
    "fleiss_kappa": "Fleiss' κ",
    "cohen_kappa": "Cohen's κ",
    "raw_agreement": "Raw agreement",
}


def _agreement(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the agreement table as text: measure, annotators, value with interval, items."""
    return [
        (
            _AGREEMENT.get(row.measure, row.measure),
            f"{row.annotator_a} and {row.annotator_b}" if row.annotator_a else "all annotators",
            with_interval(row.value, row.low, row.high), f"{int(row.n_items):,}",
        )
        for row in frame.itertuples()
    ]  # fmt: skip


def _variance(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    wanted = {"representation", "reduction", "item", "annotator", "residual", "n_items"}
    if frame.empty or not wanted <= set(frame.columns):
        return []
    titles = (figures.representation_title, figures.reduction_title)
    return [
        (
            titles[0](row.representation), titles[1](row.reduction),
            f"{percent(row.item, 1)} {_ends(row, 'item')}".strip(),
            f"{percent(row.annotator, 1)} {_ends(row, 'annotator')}".strip(),
            percent(row.residual, 1), f"{int(row.n_items):,}",
        )
        for row in frame.itertuples()
    ]  # fmt: skip


def _ends(row: Any, name: str) -> str:
    low, high = getattr(row, f"{name}_low", None), getattr(row, f"{name}_high", None)
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return ""
    return percent_interval(low, high, 1)


def _evaluation(place: int, one: AtlasEvaluation) -> dict[str, Any]:
    report, source = one.report, one.provenance
    main = main_scores(report)
    return {
        "key": str(place),
        "title": one.title,
        "about": f"{count(report.n_items, f'{report.split} item')}, "
        f"{count(len(report.method_names), 'method')}.",
        "statements": [source.marked(titled(each)) for each in statements(report)],
        "missing": report.missing,
        "figure": attribution_figure(report),
        "columns": main.columns,
        "rows": main.rows,
        "bold": main.bold,
        "bold_text": f"{averaged_text(report)} {BOLD if main.bold else NO_BOLD}",
        "methods_text": report.methods.get("text", ""),
        "source": source.line,
    }


def _study(name: str, report: StudyReport) -> dict[str, Any]:
    source = report.provenance.dated()
    found = report.analysis
    shown = [one for one in sections(found) if not set(_OF_JUDGES) & set(one.table.columns)]
    return {
        "name": name,
        "statements": [source.marked(each) for each in report.results],
        "frozen": report.facts.frozen_hash,
        "when": report.facts.frozen[:10],
        "planned": report.facts.planned,
        "figures": figures.study_figures(found.accuracy, found.wins),
        "tables": [(one.title, one.caption, *_table(_worded(one.table))) for one in shown],
        "methods_text": methods_paragraph(report),
        "source": source.line,
    }


# Column of a study's tables → the words for its values.
_WORDS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("source", "source_a", "source_b"), source_name),
    "answer": lambda value: {CANNOT_TELL: "cannot tell"}.get(value, value),
    "measure": lambda value: _AGREEMENT.get(value, value.replace("_", " ")),
}


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of a study for a reader: names of sources and answers in words, no column of
    empty notes, and of a confusion matrix what occurred."""
    if {"truth", "answer", "count"} <= set(frame.columns):
        frame = frame[frame["count"] > 0]
    if "note" in frame and not frame["note"].astype(bool).any():
        frame = frame.drop(columns="note")
    return frame.assign(
        **{name: frame[name].map(words) for name, words in _WORDS.items() if name in frame}
    )


def _table(frame: pd.DataFrame) -> tuple[list[tuple[str, bool]], list[list[str]]]:
    """Return the head (text, whether numbers) and the cells of a table as text."""
    head = [
        (str(name).replace("_", " "), pd.api.types.is_numeric_dtype(frame[name]))
        for name in frame.columns
    ]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return head, rows


def _cell(value: object) -> str:
    if isinstance(value, float):
        return UNDEFINED if pd.isna(value) else number(value, 3)
    return f"{value:,}" if isinstance(value, int) else short(" ".join(str(value).split()), 300)
