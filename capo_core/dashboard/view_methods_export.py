"""How a comparison was computed, folded away, and what can be taken along."""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from capo_core.dashboard.comparing_answers import Answers
from capo_core.dashboard.components import note
from capo_core.dashboard.view_methods_choice import PAGE, Chosen
from capo_core.data.exporting import csv_text


def show(chosen: Chosen, answers: Answers) -> None:
    """Downloads in a row; then the methods paragraph, in words and in LaTeX."""
    report, name = chosen.report, chosen.dataset.name
    st.subheader("Take it along", anchor=False)
    with st.container(horizontal=True):
        if report is not None:
            from capo_core.evaluation import export, html_report

            for label, kind, mime, make in (
                ("Report (HTML, stands alone)", "html", "text/html", html_report.to_html),
                ("Scores (long CSV)", "csv", "text/csv", export.to_csv),
                ("Scores (JSONL)", "jsonl", "application/jsonl", export.to_jsonl),
                ("Whole report (JSON)", "json", "application/json", _whole),
            ):
                _download(label, f"{name}-comparison.{kind}", mime, kind, make, report)
        _download("Answers (CSV)", f"{name}-answers.csv", "text/csv", "answers.csv",
                  csv_text, answers.frame)  # fmt: skip
        _download("Answers (JSONL)", f"{name}-answers.jsonl", "application/jsonl", "answers.jsonl",
                  _lines, answers.frame)  # fmt: skip
    if report is None:
        return
    with st.expander("How it was computed"):
        note(report.methods.get("text", ""))
        note(
            f"Dataset {report.dataset}, fingerprint {report.fingerprint[:16]}; "
            f"{report.n_items:,} {report.split} items. Formulas and their sources are in "
            "docs/methods-imitation.md."
        )
        st.caption("The same paragraph for a paper, in LaTeX:")
        st.code(report.methods.get("latex", ""), language="latex", wrap_lines=True)


def _download(label: str, file: str, mime: str, key: str, make: Callable, what) -> None:
    st.download_button(
        label,
        lambda: make(what).encode("utf-8", "backslashreplace"),
        file_name=file,
        mime=mime,
        key=f"{PAGE}.export.{key}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def _whole(report) -> str:
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False)


def _lines(frame) -> str:
    return frame.to_json(orient="records", lines=True, force_ascii=False)
