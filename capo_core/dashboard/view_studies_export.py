"""What can be taken along from a study that was unblinded; each taking is in the audit log."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, state, study_commands, study_html
from capo_core.dashboard.components import control_row, heading, note, speaking
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.study_seen import Seen
from capo_core.dashboard.view_studies_wait import waiting
from capo_core.dashboard.words import count
from capo_core.study.exporting import as_text
from capo_core.study.preference_pairs import RULES, Filter
from capo_core.study.study_report import StudyReport, to_latex, to_markdown

PAGE = "studies"
_RULES = {
    "quality": "Surely better, by weighted votes",
    "majority": "By majority",
    "none": "Every vote",
}


def show(frame: Frame, seen: Seen) -> None:
    report = cache_studies.report(
        frame.workspace, seen.name, str(seen.status.unblinded), state.get("mu")
    )
    if report is None:
        waiting("Computing the planned analysis …")
        return
    name = seen.name
    heading("Report")
    with st.container(horizontal=True):
        for label, kind, mime, make in (
            ("Report (HTML, stands alone)", "html", "text/html", study_html.to_html),
            ("Report (Markdown)", "md", "text/markdown", to_markdown),
            ("Methods (LaTeX)", "tex", "text/plain", to_latex),
            ("Everything (JSON)", "json", "application/json", _whole),
        ):
            _download(label, f"{name}-report.{kind}", mime, lambda make=make: make(report))
    heading("Judgments")
    service = cache_studies.begun_service(frame.workspace)
    practice = st.toggle("With practice trials", key=f"{PAGE}.export.practice")
    with st.container(horizontal=True):
        for kind, mime in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
            _download(
                f"Judgments ({kind.upper()})", f"{name}-judgments.{kind}", mime,
                lambda kind=kind: as_text(service.export_judgments(name, practice=practice), kind),
            )  # fmt: skip
        _download("Every answer ever given (CSV)", f"{name}-history.csv", "text/csv",
                  lambda: as_text(service.export_history(name), "csv"))  # fmt: skip
    note("One row a judgment: what was shown in which order, what was answered, the true source.")
    with speaking():
        _pairs(frame, seen, report)


def _pairs(frame: Frame, seen: Seen, report: StudyReport) -> None:
    """Preference pairs to train on, by the filter that was chosen."""
    heading("Preference pairs", "Text pairs that judges compared, as prompt, chosen and rejected, "
            "to train on. A stricter filter leaves fewer pairs, and more right ones.")  # fmt: skip
    if report.analysis.quality is None:
        note("Nobody compared two texts in this study, so there are no pairs.")
        return
    with control_row("studies-pairs", [3, 2]) as (left, right):
        with left:
            rule = state.choice(
                st.selectbox, "Which", list(RULES), page=PAGE, key="rule",
                format_func=_RULES.__getitem__,
            )  # fmt: skip
        with right:
            least = state.number("confident", 90, 51, 100)
            if rule == "quality":
                _least(least)
    pairs = _made(frame, seen, report, Filter(rule, least / 100))
    told = "kept where the better text is at least this probable; " if rule == "quality" else ""
    note(
        f"{count(len(pairs), 'pair')}; {told}ties, checks and repeats make none. Their items are "
        f"from the {seen.config.split} part: a run that trains on them must not be scored on it."
    )
    if len(pairs):
        lines = pairs.to_dict("records")
        _download(
            "Preference pairs (JSONL)", f"{seen.name}-pairs.jsonl", "application/jsonl",
            lambda: "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines),
        )  # fmt: skip
        _train(seen, pairs, Filter(rule, least / 100))


def _train(seen: Seen, pairs: pd.DataFrame, chosen_by: Filter) -> None:
    """How a training begins from these pairs."""
    targets = sorted(set(pairs["target_annotator_id"]))
    note("To train CAPO on them, on the computer that the dashboard runs on:")
    st.code(
        study_commands.train_on_pairs(
            seen.name, seen.config.dataset, targets, chosen_by, state.get("mu")
        ),
        language="bash",
        wrap_lines=True,
    )
    note("The run is then among the runs of the page Fine-tune.")


def _least(value: int) -> None:
    place = f"{PAGE}.confident.widget"
    st.number_input(
        "Probably better, at least %", 51, 100, **state.typed(place, value),
        on_change=lambda: state.put(PAGE, {"confident": str(state.now(place))}),
    )  # fmt: skip


def _made(frame: Frame, seen: Seen, report: StudyReport, chosen_by: Filter) -> pd.DataFrame:
    from capo_core.study.pairs_from_study import pairs_of

    judgments = cache_studies.judgments(frame.workspace, seen.name, str(seen.status.unblinded))
    dataset = cache_studies.dataset(frame.workspace, seen.config.dataset)
    draft = cache_studies.draft(frame.workspace, seen.name)
    return pairs_of(draft, dataset, judgments, report.analysis.quality, chosen_by)


def _whole(report: StudyReport) -> str:
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False)


def _download(label: str, file: str, mime: str, make: Callable[[], str]) -> None:
    st.download_button(
        label,
        lambda: make().encode("utf-8", "backslashreplace"),
        file_name=file,
        mime=mime,
        key=f"{PAGE}.export.{file}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )
