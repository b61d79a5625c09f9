"""The design of a study: its balance, a preview of single trials as a judge sees them, without
sources, and its settings.
"""

from __future__ import annotations

import shlex

import pandas as pd
import streamlit as st
from markupsafe import Markup

from capo_core.dashboard.app.page import PageContext, guarded
from capo_core.dashboard.judging import text as judging_text
from capo_core.dashboard.judging import trial_html
from capo_core.dashboard.studies import PAGE, cache, new_study, study_form
from capo_core.dashboard.studies.background import waiting
from capo_core.dashboard.studies.compute import example, slots
from capo_core.dashboard.studies.data import DRAFT, Seen
from capo_core.dashboard.studies.labels import HELP, PURPOSES, kind_title
from capo_core.dashboard.studies.plan import plan, power_light
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    control_row,
    section_heading,
    show_headline,
    show_note,
    table,
)
from capo_core.dashboard.ui.exports import save_settings
from capo_core.formatting import count, duration
from capo_core.json_text import json_text
from capo_core.study.design import draft as design_draft
from capo_core.study.design import planner
from capo_core.study.design.balance_report import BalanceReport, CountRange
from capo_core.study.design.draft import Draft
from capo_core.study.judging.judge import Terms
from capo_core.study.judging.trial_views import TrialView
from capo_core.study.source_names import inside, source_name
from capo_core.study.trial_kinds import TRIAL_KINDS
from capo_core.templates import render


def show_example(draft: Draft, terms: Terms) -> None:
    """Show a trial as a judge will see it."""
    section_heading("Trial preview")
    names = slots(draft)
    with control_row("studies-example", [2, 2, 3]) as places:
        with places[0]:
            slot = url_state.choice(
                st.selectbox,
                "Judge sequence",
                names,
                page=PAGE,
                key="slot",
                clears=("place",),
                where="this study",
            )
        many = int((draft.assignments["judge_slot"] == slot).sum())
        place = url_state.number("place", 1, 1, many)
        with places[1]:
            key = f"{PAGE}.place.widget"
            st.number_input(
                f"Trial, of {many}", 1, many, **url_state.typed(key, place),
                on_change=lambda: url_state.put(PAGE, {"place": str(url_state.now(key))}),
            )  # fmt: skip
    st.html(drawn(example(draft, slot, place), terms, f"{place} of {many}"))
    show_note(
        "The judge's page shows the same texts in the same order, with keyboard "
        "control, progress and pause. It never contains the sources."
    )


def drawn(view: TrialView, terms: Terms, where: str) -> str:
    """Return the trial as HTML, every text escaped."""
    answers = ", ".join(judging_text.answer_name(view, each) for each in view.answers)
    return render(
        "dashboard/studies/trial.html.j2",
        practice=view.practice,
        where=where,
        question=judging_text.question(view),
        answers=answers,
        texts=Markup(trial_html.texts_html(view, terms)),
        cards=Markup(trial_html.cards_html(view.cards, terms)),
    )


def show(context: PageContext, seen: Seen) -> None:
    """Show a draft: its size, power, balance and texts."""
    draft = cache.draft(context.workspace, seen.name)
    balance = cache.balance(context.workspace, seen.name)
    median, most = planner.minutes_of(draft)
    usual, slowest = duration(60 * median), duration(60 * most)
    show_headline(
        f"{count(balance.trials, 'main trial')} with {count(balance.texts, 'text')} for "
        f"{count(balance.judges, 'judge')}; a judge needs about {usual}"
        + (f", the slowest {slowest}." if slowest != usual else ".")
    )
    new_study.show_scope(draft)
    for each in draft.notes:
        show_note(each)
    _power(context, seen)
    section_heading("Balance", HELP["balance"])
    table(
        balance_table(balance, seen.config.reference),
        {
            "what": Field("Count"),
            "least": Field("Least", "Over judges or trials."),
            "most": Field("Most"),
            "words": Field("Notes", width="large"),
        },
        key=f"{PAGE}.balance",
        file_name=f"{seen.name}-balance",
        height="content",
    )
    _left_out(draft, seen)
    data = cache.dataset(context.workspace, seen.config.dataset)
    show_example(draft, Terms.of(seen.config, data.task))
    _settings(seen)
    with st.container(horizontal=True):
        st.button(
            "Copy to a new study",
            key=f"{PAGE}.again",
            on_click=guarded,
            args=(_again, context, seen),
            help="Copies the settings into the form of a new study; this study is not changed.",
        )
        if seen.stage == DRAFT:
            st.caption("To replace a draft, create one with the same name.")


def _power(context: PageContext, seen: Seen) -> None:
    """Show the power of the design."""
    found = cache.preview_of(context.workspace, seen.name)
    plans = study_form.plans_of(context.workspace, seen.name)
    if plans is None:
        waiting("Simulating studies of this design …")
        return
    with st.container(horizontal=True):
        power_light(plans)
    plan(context.workspace, found, plans)


def balance_table(balance: BalanceReport, reference: str = "") -> pd.DataFrame:
    """Columns what, least, most, words.

    Args:
        reference: of the design; it is in every comparison, the other sources are in a part.
    """
    rows = []

    def add(what: str, spread: CountRange, words: str) -> None:
        rows.append((what, spread.least, spread.most, words))

    for purpose, spread in balance.per_judge.items():
        add(f"{PURPOSES[purpose]}: trials of a judge", spread, _equal(spread, "for every judge"))
    for kind, spread in balance.per_source.items():
        words = _equal(spread, "for every judge and source")
        if reference and TRIAL_KINDS[kind].paired and not spread.equal:
            words = f"the most: {inside(reference)}, in every comparison"
        add(f"{kind_title(kind)} Each source, for a judge", spread, words)
    add("Trials per target annotator and judge", balance.per_target,
        _equal(balance.per_target, "for every judge and annotator"))  # fmt: skip
    add("Judges per main trial", balance.per_trial, _equal(balance.per_trial, "for every trial"))
    add(
        "First/second imbalance",
        CountRange(0, balance.left),
        "one source of a pair more often shown first; 0 or 1 is balanced",
    )
    add("Items repeated for a judge", CountRange(balance.items_twice, balance.items_twice),
        "excluding repeats; should be 0")  # fmt: skip
    if balance.repeat_gap is not None:
        fewest = CountRange(balance.repeat_gap, balance.repeat_gap)
        add("Trials between a trial and its repeat", fewest, "minimum")
    return pd.DataFrame(rows, columns=["what", "least", "most", "words"])


def _equal(spread: CountRange, whom: str) -> str:
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
    with st.expander("Settings, planned analysis and command"):
        show_note(f"Planned analysis: {config.planned_analysis}")
        told = [
            inside(name) + (f" ({', '.join(runs)})" if name in config.methods else "")
            for name, runs in config.sources.items()
        ]
        show_note(f"Sources: {'; '.join(told)}.")
        name = f"{seen.name}.json"
        words = ["python", "-m", "capo_core", "study", "create", seen.name, "--config", name]
        st.code(shlex.join(words), language="bash", wrap_lines=True)
        text = json_text(config.to_dict())
        save_settings(f"Save as {name}", name, text, key=f"{PAGE}.design.save")
        st.code(text, language="json")


def _again(context: PageContext, seen: Seen) -> None:
    name = study_form.free_name(seen.config.dataset, design_draft.names(context.workspace))
    study_form.replace(context.workspace, study_form.from_config(seen.config, name))
    url_state.put(PAGE, {"view": "new", url_state.DATASET: seen.config.dataset})
