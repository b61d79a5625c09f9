"""Downloads of an unblinded study, each noted in the audit log, and the same as commands.

The HTML report is self-contained: no script, nothing from outside.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.studies import PAGE, cache, compute
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.studies.labels import HELP
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    section_heading,
    show_errors,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import begin, download
from capo_core.export_formats import html_foot, html_head
from capo_core.formatting import count, natural_order, number
from capo_core.study.analysis.latex_report import to_latex
from capo_core.study.analysis.preference_pairs import (
    MAJORITY,
    NONE,
    QUALITY,
    RULES,
    VOTES,
    PairFilter,
    as_jsonl,
)
from capo_core.study.analysis.report import (
    StudyReport,
    methods_paragraph,
    to_json,
    to_markdown,
    with_source_names,
)
from capo_core.study.owner.export import as_text
from capo_core.study.owner.trials import with_texts
from capo_core.templates import render


def to_html(report: StudyReport) -> str:
    """Return the report as one self-contained page; every text is escaped."""
    found, source = report.analysis, report.provenance.dated()
    return render(
        "dashboard/studies/report.html.j2",
        title=source.titled(f"Results of the study {report.title}"),
        name=found.study_id if report.facts.title else "",
        scope=report.scope,
        head=html_head(source),
        foot=html_foot(source),
        facts=report.facts,
        headlines=[source.marked(sentence) for sentence in report.results],
        notes=[source.marked(sentence) for sentence in found.sentences],
        tables=[
            (title, *_cells(with_source_names(frame))) for title, frame in compute.sections(found)
        ],
        quality=found.quality.sentences if found.quality is not None else (),
        methods=methods_paragraph(report),
    )


def _cells(frame: pd.DataFrame) -> tuple[list[tuple[str, bool]], list[list[tuple[str, bool]]]]:
    """Return head and rows of a table: each cell's text, and whether its column holds numbers."""
    numbers = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]
    head = [str(name).replace("_", " ") for name in frame.columns]
    rows = [
        list(zip(map(_cell, row), numbers, strict=True))
        for row in frame.itertuples(index=False, name=None)
    ]
    return list(zip(head, numbers, strict=True)), rows


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value, 3)
    return str(value)


_PROGRAM = ("python", "-m", "capo_core")


def train_on_pairs(
    study: str, dataset: str, targets: Iterable[str], chosen_by: PairFilter, mu: str = ""
) -> str:
    """Two lines: write the study's pairs into a file, and train CAPO on them.

    Args:
        targets: whom the pairs are of.
        mu: priors on μ, as `compute.priors` reads them.
    """
    file = f"{study}-pairs.jsonl"
    pairs = ["study", "export-pairs", study, file, "--rule", chosen_by.rule]
    if chosen_by.rule == QUALITY:
        pairs += ["--confident", f"{chosen_by.confident:g}"]
    elif chosen_by.rule == MAJORITY:
        pairs += ["--min-votes", str(chosen_by.min_votes)]
    for prior in filter(None, ("".join(part.split()) for part in mu.split(","))):
        pairs += ["--mu", prior]
    train = ["train", "capo", "--dataset", dataset, "--annotator", *targets, "--preferences", file]
    return "\n".join(shlex.join([*_PROGRAM, *words]) for words in (pairs, train))


_RULES = {
    MAJORITY: "Majority vote",
    QUALITY: "High-confidence (quality-weighted)",
    NONE: "Every vote",
}


def show(context: PageContext, seen: Seen) -> None:
    """Show the report and the files of a study that can be downloaded."""
    report = cache.report(
        context.workspace,
        seen.name,
        str(seen.status.unblinded),
        url_state.get("mu"),
        url_state.get("crowd"),
    )
    if report is None:
        waiting("Computing the planned analysis …")
        return
    name = seen.name
    begin(report.provenance.dated())
    section_heading("Report")
    with st.container(horizontal=True):
        for label, kind, mime, make in (
            ("Report (self-contained HTML)", "html", "text/html", to_html),
            ("Report (Markdown)", "md", "text/markdown", to_markdown),
            ("Methods (LaTeX)", "tex", "text/plain", to_latex),
            ("All results (JSON)", "json", "application/json", to_json),
        ):
            # The report makes the provenance, for the command line too.
            download(PAGE, label, f"{name}-report.{kind}", mime,
                     lambda source, make=make: make(report))  # fmt: skip
    section_heading("Judgments")
    service = cache.begun_service(context.workspace)
    with st.container(horizontal=True):
        practice = st.toggle("Include practice trials", key=f"{PAGE}.export.practice")
        texts = st.toggle(
            "Include the texts",
            key=f"{PAGE}.export.texts",
            help="Items, labels and explanations as judges saw them. Leave them out where the "
            "dataset's licence does not allow passing them on.",
        )

    def judgments() -> pd.DataFrame:
        found = service.export_judgments(name, practice=practice)
        return with_texts(found, service.export_texts(name)) if texts else found

    with st.container(horizontal=True):
        for kind, mime in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
            download(
                PAGE, f"Judgments ({kind.upper()})", f"{name}-judgments.{kind}", mime,
                lambda source, kind=kind: as_text(judgments(), kind, source),
            )  # fmt: skip
        download(PAGE, "Full answer history (CSV)", f"{name}-history.csv", "text/csv",
                 lambda source: as_text(service.export_history(name), "csv", source))  # fmt: skip
    show_note(
        "One row per judgment, with its answer and true source. Of a comparison, a and b are the "
        "stored texts (source_a, source_b), and “displayed” says in which order they stood. With "
        "the texts, text 1 is a and text 2 is b; the part Trials shows them."
    )
    with show_errors():
        _pairs(context, seen, report)


def _pairs(context: PageContext, seen: Seen, report: StudyReport) -> None:
    """Preference pairs to train on, by the filter that was chosen."""
    section_heading(
        "Preference pairs",
        "Compared text pairs as prompt, chosen and rejected, for preference "
        "training. By majority a pair says how judges voted; weighted by quality, how probable it "
        "is that the chosen text is the better one.",
    )
    if report.analysis.quality is None:
        show_note("This study has no comparisons, so there are no pairs.")
        return
    with control_row("studies-pairs", [3, 2]) as (left, right):
        with left:
            rule = url_state.choice(
                st.selectbox, "Filter", list(RULES), page=PAGE, key="rule",
                format_func=_RULES.__getitem__,
            )  # fmt: skip
        with right:
            confident = url_state.number("confident", 90, 51, 100)
            votes = url_state.number("votes", VOTES, 1, 1000)
            if rule == QUALITY:
                _number_of("confident", "Min. probability, %", confident, 51, 100)
            elif rule == MAJORITY:
                _number_of("votes", "Min. votes", votes, 1, 1000)
    chosen_by = PairFilter(rule, confident / 100, votes)
    made = cache.pairs(
        context.workspace, seen.name, str(seen.status.unblinded), url_state.get("mu"), chosen_by
    )
    if made is None:
        waiting("Selecting pairs …")
        return
    pairs, words = made
    for line in words:
        show_note(line)
    show_note(
        "Votes are those of main trials: ties, attention checks and repeats are none. Items of "
        f"the {seen.config.split} split: a run trained on them must not be evaluated on it."
    )
    if not len(pairs):
        most = seen.config.judgments_per_trial
        if rule == MAJORITY and most < votes:
            show_note(f"A text pair of this design has {count(most, 'vote')} at most.")
            st.button(
                f"Take pairs with {count(most, 'vote')}",
                key=f"{PAGE}.pairs.fewer",
                on_click=url_state.put,
                args=(PAGE, {"votes": str(most)}),
            )
        return
    shown = compute.in_words(pairs, "chosen_source", "rejected_source")
    table(
        shown if rule == QUALITY else shown.drop(columns="confidence"),
        {"item_id": Field("Item"), "target_annotator_id": Field("Target"),
         "chosen_source": Field("Chosen"), "rejected_source": Field("Rejected"),
         "votes_chosen": Field("Votes for it"), "votes_rejected": Field("Votes against"),
         "ties": Field("Ties"), "confidence": Field("Confidence", HELP["pairs"], 2)},
        key=f"{PAGE}.pairs",
        file_name=f"{seen.name}-pairs-votes",
        height=320 if len(pairs) > 8 else "auto",
        download=False,
    )  # fmt: skip
    download(
        PAGE, "Preference pairs (JSONL)", f"{seen.name}-pairs.jsonl", "application/jsonl",
        partial(as_jsonl, pairs),
    )  # fmt: skip
    _train(seen, pairs, chosen_by)


def _train(seen: Seen, pairs: pd.DataFrame, chosen_by: PairFilter) -> None:
    """Show how to train on these pairs."""
    targets = natural_order(set(pairs["target_annotator_id"]))
    show_note("To train CAPO on these pairs, on the machine that runs the dashboard:")
    st.code(
        train_on_pairs(seen.name, seen.config.dataset, targets, chosen_by, url_state.get("mu")),
        language="bash",
        wrap_lines=True,
    )
    show_note("The run then appears on Fine-tune.")


def _number_of(key: str, label: str, value: int, low: int, high: int) -> None:
    place = f"{PAGE}.{key}.widget"
    st.number_input(
        label, low, high, **url_state.typed(place, value),
        on_change=lambda: url_state.put(PAGE, {key: str(url_state.now(place))}),
    )  # fmt: skip
