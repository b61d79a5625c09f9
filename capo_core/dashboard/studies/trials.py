"""The trials of an unblinded study: each with its texts, their sources, and every answer."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.judging import trial_html
from capo_core.dashboard.studies import PAGE, cache
from capo_core.dashboard.studies.data import Seen
from capo_core.dashboard.studies.labels import PURPOSES, kind_title, of_purpose
from capo_core.dashboard.ui import exports, url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    data_grid,
    section_heading,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import download
from capo_core.formatting import count
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import CardView, TextView
from capo_core.study.owner.export import as_text
from capo_core.study.owner.trials import (
    answer_in_words,
    cards_of,
    sources_in_words,
    with_texts,
)
from capo_core.study.provenance import study_provenance
from capo_core.study.source_names import inside, source_name
from capo_core.study.tables import MAIN
from capo_core.study.trial_kinds import trial_kind
from capo_core.templates import render

MOST_ROWS = 9
_PLACES = {"left": "first", "right": "second"}  # of the chosen text, as judges are told
ALL = ""
RIGHT, PARTLY, WRONG = "right", "partly", "wrong"
_OUTCOMES = {
    ALL: "any answers",
    RIGHT: "all judges right",
    PARTLY: "some judges right",
    WRONG: "no judge right",
}


def show(context: PageContext, seen: Seen) -> None:
    """Show the judged trials with filters, and one of them with its texts, sources and answers."""
    key = (context.workspace, seen.name, str(seen.status.unblinded))
    rows, judged, texts = cache.trials(*key), cache.judgments(*key), cache.texts(*key)
    exports.begin(
        study_provenance(
            context.workspace, seen.name, judgments=judged, frozen_hash=seen.frozen_hash
        ).dated()
    )
    url_state.require("trial", set(rows["trial_id"]), place="this study")
    headline = st.container()
    shown = _filtered(rows)
    with headline:
        show_headline(_counted(shown, rows))
    if shown.empty:
        show_note("No trial is like this.")
        return
    chosen = _table(shown)
    with st.container(horizontal=True):
        _files(seen.name, shown, texts)
    task = cache.dataset(context.workspace, seen.config.dataset).task
    cards = cache.draft(context.workspace, seen.name).cards
    _one(shown.set_index("trial_id", drop=False).loc[chosen].to_dict(), texts, judged, cards,
         Terms.of(seen.config, task), seen.name)  # fmt: skip


def _counted(shown: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return how many trials and judgments are in the table, and of what."""
    judged = count(int(shown["judgments"].sum()), "judgment")
    if len(shown) < len(rows):
        return f"{len(shown):,} of {count(len(rows), 'trial')}, with {judged}."
    purposes = [
        of_purpose(number, name)
        for name in PURPOSES
        if (number := int((rows["purpose"] == name).sum()))
    ]
    return (
        f"{count(len(rows), 'trial')} ({', '.join(purposes)}) with {judged}; each with its texts, "
        "their sources and what every judge answered."
    )


def _filtered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that the controls let through, main ones first, and of these the judged."""
    kinds = list(dict.fromkeys(rows["kind"]))
    sources = sorted(set(rows[["source", "source_a", "source_b"]].to_numpy().ravel()) - {""})
    with control_row("studies-trials", [1, 1, 1, 1]) as (first, second, third, fourth):
        with first:
            kind = _choice("Trial kind", [ALL, *kinds], "kind", kind_title)
        with second:
            by = _choice("Source", [ALL, *sources], "by", source_name)
        with third:
            purpose = _choice("Purpose", [ALL, *dict.fromkeys(rows["purpose"])], "group",
                              PURPOSES.__getitem__)  # fmt: skip
        with fourth:
            outcome = _choice("Answered", list(_OUTCOMES), "outcome", _OUTCOMES.__getitem__)
    keep = pd.Series(True, index=rows.index)
    if kind:
        keep &= rows["kind"] == kind
    if by:
        keep &= (rows[["source", "source_a", "source_b"]] == by).any(axis=1)
    if purpose:
        keep &= rows["purpose"] == purpose
    if outcome:
        right, n = rows["right"].fillna(-1), rows["judgments"]
        keep &= {
            RIGHT: (right == n) & (n > 0),
            PARTLY: (right > 0) & (right < n),
            WRONG: right == 0,
        }[outcome]
    found = rows[keep]
    last = (found["purpose"] != MAIN) * 2 + (found["judgments"] == 0)
    return found.iloc[last.argsort(kind="stable")]


def _choice(label: str, options: list[str], key: str, words) -> str:
    return url_state.choice(
        st.selectbox, label, options, page=PAGE, key=key, clears=("trial",),
        format_func=lambda each: words(each) if each or key == "outcome" else "all",
    )  # fmt: skip


def _table(rows: pd.DataFrame) -> str:
    """Show the trials; return the one that is open."""
    names = list(rows["trial_id"])
    asked = url_state.get("trial")
    chosen = asked if asked in names else names[0]
    show_note("Click a row to open the trial below.")
    data_grid(
        pd.DataFrame([_row(row) for row in rows.to_dict("records")]),
        key=f"{PAGE}.trials",
        alt="Table: trials of the study with their sources and answers",
        on_row=lambda row: url_state.put(PAGE, {"trial": names[row]}),
        height="auto" if len(rows) <= MOST_ROWS else 36 * (MOST_ROWS + 1),
        column_config={
            "sources": st.column_config.TextColumn("Source", width=265),
            "target": st.column_config.TextColumn(
                "Target",
                width=65,
                help="Whom the question names; in “Who wrote this?” the right answer.",
            ),
            "right": st.column_config.TextColumn(
                "Right", width=60, help="Judges who gave the right answer, where there is one."
            ),
            "answers": st.column_config.TextColumn("Answers", width=290),
            "item": st.column_config.TextColumn("Item", width=80),
            "asked": st.column_config.TextColumn("Trial kind", width=105),
            "purpose": st.column_config.TextColumn("Purpose", width=105),
        },
    )
    return chosen


def _row(row: dict) -> dict:
    return {
        "sources": sources_in_words(row),
        "target": row["target_annotator_id"] or row["truth"],
        "right": None if pd.isna(row["right"]) else f"{row['right']}/{row['judgments']}",
        "answers": row["answers"] or "not judged",
        "item": row["item_id"],
        "asked": row["kind"].capitalize(),
        "purpose": PURPOSES[row["purpose"]],
    }


def _files(name: str, rows: pd.DataFrame, texts: pd.DataFrame) -> None:
    for label, file, made in (
        ("Trials (CSV)", f"{name}-trials.csv", rows),
        ("Trials with texts (CSV)", f"{name}-trials-texts.csv", None),
    ):
        download(
            PAGE, label, file, "text/csv",
            lambda source, made=made: as_text(
                made if made is not None else with_texts(rows, texts), "csv", source
            ),
        )  # fmt: skip


def _one(
    trial: dict,
    texts: pd.DataFrame,
    judged: pd.DataFrame,
    cards: pd.DataFrame,
    terms: Terms,
    name: str,
) -> None:
    """Show one trial: what stood on the screen, now with sources, and what each judge answered."""
    of_trial = texts[texts["trial_id"] == trial["trial_id"]]
    kind = trial_kind(trial["kind"])
    section_heading(f"Trial {trial['trial_id']}")
    st.html(
        render(
            "dashboard/studies/trial_open.html.j2",
            question=kind.question(len(of_trial) - (kind.reference_slot is not None)),
            facts=_facts(trial),
            shown=[(_writer(row), _view(row)) for row in of_trial.itertuples(index=False)],
            one_item=len(of_trial) > 1 and of_trial["item_id"].nunique() == 1,
            terms=terms,
        )
    )
    _cards(cards_of(trial["kind"], trial["target_annotator_id"], cards), terms)
    rows = judged[judged["trial_id"] == trial["trial_id"]]
    if rows.empty:
        show_note("Nobody has judged this trial.")
        return
    asked, reasons = rows["confidence"].astype(bool).any(), rows["reason"].astype(bool).any()
    answers = rows.assign(
        duration_s=rows["duration_s"].round(),
        said=[answer_in_words(row) for row in rows.to_dict("records")],
        side=rows["side"].map(_PLACES).fillna(""),
        right=["" if not row.truth else "yes" if kind.check_passed(
            pd.Series([row.answer]), pd.Series([row.truth])).iloc[0] else "no"
            for row in rows.itertuples(index=False)],
    )  # fmt: skip
    table(
        answers,
        {
            "judge_id": Field("Judge"),
            "said": Field("Answer", "Of a comparison, the source of the chosen text."),
            **({"right": Field("Right")} if trial["truth"] else {}),
            "side": Field("Place", "Of the chosen text: first is on the left, or above."),
            **({"confidence": Field("Confidence", "1 a guess to 4 certain.")} if asked else {}),
            "duration_s": Field("Seconds", None, 0),
            **({"reason": Field("Reason", width="medium")} if reasons else {}),
        },
        key=f"{PAGE}.trial.answers",
        file_name=f"{name}-{trial['trial_id']}",
        download=False,
    )


def _cards(cards: dict[str, list[list[str]]], terms: Terms) -> None:
    """Show the reference cards of a trial, as judges saw them, now with names."""
    if not cards:
        return
    whose = f"annotator {next(iter(cards))}" if len(cards) == 1 else f"all {len(cards)} annotators"
    shown = [
        CardView(f"Annotator {name}", tuple(TextView(*each) for each in examples))
        for name, examples in cards.items()
    ]
    with st.expander(f"Reference card of {whose}, as judges saw it" if len(cards) == 1
                     else f"Reference cards of {whose}, as judges saw them"):  # fmt: skip
        if len(cards) > 1:
            show_note("Judges saw letters in place of the names, in an order of their own.")
        st.html(f'<div class="capo-trial capo-cards">{trial_html.cards_html(shown, terms)}</div>')


def _facts(trial: dict) -> str:
    parts = [PURPOSES[trial["purpose"]], f"item {trial['item_id']}"]
    if trial["target_annotator_id"]:
        parts.append(f"about annotator {trial['target_annotator_id']}")
    if trial["truth"]:
        sources = {"a": trial["source_a"], "b": trial["source_b"]}
        right = inside(sources[trial["truth"]]) if trial["source_a"] else trial["truth"]
        parts.append(f"right answer: {right}")
    if trial["mirror_of"]:
        parts.append(f"repeats {trial['mirror_of']}")
    return " · ".join(parts)


def _writer(row) -> str:
    """Return the source of a text with who wrote it, or whom it imitates by which run."""
    who = f"imitating {row.annotator_id}, run {row.run_id}" if row.run_id else row.annotator_id
    return f"{source_name(row.source)} ({who})"


def _view(row) -> TextView:
    return TextView(row.text_a, row.text_b, row.label, row.explanation)
