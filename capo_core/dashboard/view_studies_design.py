"""The design of a study: how balanced it came out, one trial as a judge sees it, its settings."""

from __future__ import annotations

import json
import shlex

import pandas as pd
import streamlit as st

from capo_core.dashboard import cache_studies, state, study_draft, view_studies_example
from capo_core.dashboard.components import Field, heading, note, says, table
from capo_core.dashboard.frame import Frame, safely
from capo_core.dashboard.study_seen import DRAFT, Seen
from capo_core.dashboard.study_words import HELP, KINDS, PURPOSES, inside, source_name
from capo_core.dashboard.words import count, duration
from capo_core.study import draft_files, planner
from capo_core.study.balance_report import BalanceReport, Spread
from capo_core.study.terms import Terms

PAGE = "studies"


def show(frame: Frame, seen: Seen) -> None:
    draft = cache_studies.draft(frame.workspace, seen.name)
    balance = cache_studies.balance(frame.workspace, seen.name)
    median, most = planner.minutes_of(draft)
    usual, slowest = duration(60 * median), duration(60 * most)
    says(
        f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')} for "
        f"{count(balance.judges, 'judge')}; a judge needs about {usual}"
        + (f", the slowest {slowest}." if slowest != usual else ".")
    )
    for each in draft.notes:
        note(each)
    heading("Balance", HELP["balance"])
    table(
        balance_table(balance),
        {
            "what": Field("What"),
            "least": Field("Least", "Over judges, or over trials."),
            "most": Field("Most"),
            "words": Field("In words", width="large"),
        },
        key=f"{PAGE}.balance",
        file_name=f"{seen.name}-balance",
        height="content",
    )
    _left_out(draft, seen)
    data = cache_studies.dataset(frame.workspace, seen.config.dataset)
    view_studies_example.show(draft, Terms.of(seen.config, data.task))
    _settings(seen)
    with st.container(horizontal=True):
        st.button(
            "Design another like this",
            key=f"{PAGE}.again",
            on_click=safely,
            args=(_again, frame, seen),
            help="Its settings go into the form of a new study; this one stays as it is.",
        )
        if seen.stage == DRAFT:
            st.caption("A draft is replaced by drawing it again under the same name.")


def balance_table(balance: BalanceReport) -> pd.DataFrame:
    """Columns what, least, most, words."""
    rows = []

    def add(what: str, spread: Spread, words: str) -> None:
        rows.append((what, spread.least, spread.most, words))

    for purpose, spread in balance.per_judge.items():
        add(f"{PURPOSES[purpose]}: trials of a judge", spread, _equal(spread, "for every judge"))
    for kind, spread in balance.per_source.items():
        add(f"{KINDS[kind]} Each source, for a judge", spread,
            _equal(spread, "for every judge and source"))  # fmt: skip
    add("Each annotator asked about, for a judge", balance.per_target,
        _equal(balance.per_target, "for every judge and annotator"))  # fmt: skip
    add("Judges of a main trial", balance.per_trial, _equal(balance.per_trial, "for every trial"))
    add(
        "Left more often than right",
        Spread(0, balance.left),
        "how much oftener one source of a pair stands left, for one judge; 0 or 1 is even",
    )
    add("An item met twice by a judge", Spread(balance.items_twice, balance.items_twice),
        "outside of repeats; 0 as it should be")  # fmt: skip
    if balance.repeat_gap is not None:
        add("Trials between a trial and its repeat", Spread(balance.repeat_gap, balance.repeat_gap),
            "the fewest there are")  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "least", "most", "words"])


def _equal(spread: Spread, whom: str) -> str:
    return f"equal {whom}" if spread.equal else f"differs by {spread.most - spread.least}"


def _left_out(draft, seen: Seen) -> None:
    if not draft.left_out:
        return
    with st.expander(f"{count(sum(x.count for x in draft.left_out), 'text')} could not be shown"):
        table(
            pd.DataFrame(
                [(source_name(x.source), x.target, x.reason, x.count) for x in draft.left_out],
                columns=["source", "target", "reason", "count"],
            ),
            {"source": Field("Source"), "target": Field("Annotator"), "reason": Field("Why"),
             "count": Field("Texts")},
            key=f"{PAGE}.leftout",
            file_name=f"{seen.name}-left-out",
        )  # fmt: skip


def _settings(seen: Seen) -> None:
    config = seen.config
    with st.expander("Settings, planned analysis, and the same as a command"):
        note(f"Planned analysis: {config.planned_analysis}")
        told = [
            inside(name) + (f" ({', '.join(runs)})" if name in config.methods else "")
            for name, runs in config.sources.items()
        ]
        note(f"Sources: {'; '.join(told)}.")
        name = f"{seen.name}.json"
        words = ["python", "-m", "capo_core", "study", "create", seen.name, "--config", name]
        st.code(shlex.join(words), language="bash", wrap_lines=True)
        text = json.dumps(config.to_dict(), indent=2, ensure_ascii=False)
        st.download_button(
            f"Save as {name}", text, file_name=name, mime="application/json",
            key=f"{PAGE}.design.save", on_click="ignore", type="tertiary",
            icon=":material/download:",
        )  # fmt: skip
        st.code(text, language="json")


def _again(frame: Frame, seen: Seen) -> None:
    name = study_draft.free_name(seen.config.dataset, draft_files.names(frame.workspace))
    study_draft.keep(frame.workspace, study_draft.from_config(seen.config, name))
    state.put(PAGE, {"view": "new", state.DATASET: seen.config.dataset})
