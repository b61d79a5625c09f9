"""One item at a time: the input, the target's answer, the others', and each method's."""

from __future__ import annotations

import random

import pandas as pd
import streamlit as st

from capo_core.dashboard import browser_methods, cache, cache_methods, comparing_cases, state
from capo_core.dashboard.browser import item_html
from capo_core.dashboard.browser_methods import Shown, answers_html
from capo_core.dashboard.comparing_answers import Answers
from capo_core.dashboard.comparing_cases import ORDERS, OUTCOMES, Case, Wanted
from capo_core.dashboard.components import note
from capo_core.dashboard.theme import looks, method_looks, method_name
from capo_core.dashboard.view_methods_choice import PAGE, Chosen
from capo_core.dashboard.words import count, escape
from capo_core.evaluation.confusion import NOBODY

KEYS = ("method", "outcome", "given", "label", "order", "item", "as", "rep", "grey", "apart")
_MOVED = ("item", "as")


def show(chosen: Chosen, answers: Answers) -> None:
    """Filters in a row, then the case that was chosen of those they leave."""
    wanted = _controls(chosen, answers)
    with st.container(horizontal=True, gap="medium"):
        grey = state.toggle(
            "Grey the item's own words",
            page=PAGE,
            key="grey",
            help="Words of an answer that stand in the item's texts too turn grey; what stays is "
            "manner. The classifier of imitation does not see the grey words.",
        )
        apart = state.toggle(
            "Underline what the target did not write",
            page=PAGE,
            key="apart",
            on=True,
            help="Words outside of the longest sequence in common with the target's own "
            "explanation of the same item, as ROUGE-L counts them.",
        )
    own = cache_methods.labels(chosen.dataset)
    found = comparing_cases.cases(answers, wanted, own)
    if not found:
        note("No answer passes this filter.")
        st.button("Show all answers", on_click=_clear, key=f"{PAGE}.clear")
        return
    case = _walk(found)
    st.html(browser_methods.STYLE)
    _case(chosen, answers, case, wanted, grey=grey, apart=apart)


def _controls(chosen: Chosen, answers: Answers) -> Wanted:
    columns = st.container(key="capo-four-items").columns(4, vertical_alignment="bottom")
    with columns[0]:
        method = state.choice(
            st.selectbox, "Method", ["", *answers.sources], page=PAGE, key="method", clears=_MOVED,
            format_func=lambda name: method_name(name) if name else "any method",
        )  # fmt: skip
    with columns[1]:
        outcome = state.choice(
            st.selectbox, "Its answer", list(OUTCOMES), page=PAGE, key="outcome", clears=_MOVED,
            format_func=OUTCOMES.__getitem__,
            help="Sounds like: to whom a classifier of manner, which knows people's training texts "
            "only, gives the explanation.",
        )  # fmt: skip
    with columns[2]:
        label = state.choice(
            st.selectbox, "The target's label", ["", *chosen.dataset.task.scale.labels],
            page=PAGE, key="label", clears=_MOVED, format_func=lambda name: name or "any label",
        )  # fmt: skip
    with columns[3]:
        order = state.choice(
            st.selectbox, "Order", list(ORDERS), page=PAGE, key="order", clears=_MOVED,
            format_func=ORDERS.__getitem__,
            help="Most typical: the classifier is surest that the target wrote it. Worst: least "
            "like the target, unread answers first. Disagreement: methods give the most different "
            "labels, then their manner is furthest apart.",
        )  # fmt: skip
    repetition = 1
    names = list(chosen.dataset.annotators)
    given = state.get("given") if state.get("given") in [*names, NOBODY] else ""
    if answers.repetitions > 1 or given:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if answers.repetitions > 1:
                numbers = [str(n + 1) for n in range(answers.repetitions)]
                chosen_one = state.choice(
                    st.selectbox,
                    "Seed or sample",
                    numbers,
                    page=PAGE,
                    key="rep",
                    width=160,
                    format_func=lambda n: f"{n} of {answers.repetitions}",
                )
                repetition = int(chosen_one)
            if given:
                st.button(
                    f"Only answers given to {given} ✕",
                    key=f"{PAGE}.given.off",
                    on_click=state.put,
                    args=(PAGE, {"given": None}),
                )
    return Wanted(chosen.target, label, method, outcome, given, order, repetition)


def _walk(found: list[Case]) -> Case:
    """Which case is open, with the buttons to its neighbours."""
    asked = (state.get("item"), state.get("as"))
    place = found.index(asked) if asked in found else 0
    item, target = found[place]
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, case in (
            ("Previous", found[place - 1]),
            ("Next", found[(place + 1) % len(found)]),
            ("Random", random.SystemRandom().choice(found)),
        ):
            st.button(
                name,
                key=f"{PAGE}.items.{name}",
                on_click=state.put,
                args=(PAGE, {"item": case[0], "as": case[1]}),
            )
        st.html(
            f'<p class="capo-note">{place + 1:,} of {count(len(found), "case")}: item '
            f"<b>{escape(item)}</b>, in the place of <b>{escape(target)}</b></p>"
        )
    return item, target


def _case(
    chosen: Chosen, answers: Answers, case: Case, wanted: Wanted, *, grey: bool, apart: bool
) -> None:
    item_id, target = case
    dataset = chosen.dataset
    item = cache.items_by_id(dataset).loc[item_id]
    inputs = (item["text_a"], item["text_b"]) if grey else ()
    rows = dataset.annotations
    rows = rows[(rows["item_id"] == item_id) & (rows["valid"] != "false")]
    mine = rows[rows["annotator_id"] == target]
    texts = tuple(text for text in mine["explanation"] if text.strip()) if apart else ()
    st.html(item_html(dataset.task, item["text_a"], item["text_b"]))
    st.html('<p class="capo-group">People</p>')
    # People differ as they like; what is to be seen is where a method departs from its target.
    st.html(answers_html(_people(chosen, answers, rows, case), inputs=inputs))
    st.html(f'<p class="capo-group">Methods, in the place of {escape(target)}</p>')
    st.html(answers_html(_methods(answers, case, wanted), inputs=inputs, targets=texts))


def _people(chosen: Chosen, answers: Answers, rows: pd.DataFrame, case: Case) -> list[Shown]:
    """The target's own answer first, then the others'."""
    item_id, target = case
    look = looks(chosen.dataset.annotators)
    own = answers.people
    own = own[(own["item_id"] == item_id) & (own["target"] == target)]
    shown = []
    for row in rows[rows["annotator_id"] == target].itertuples():
        told = _sounds(own["given"].iloc[0], target) if len(own) else ""
        shown.append(
            Shown(f"{target}, the target", look[target], row.label, row.explanation, told,
                  target=True)
        )  # fmt: skip
    if not shown:
        shown.append(Shown(f"{target}, the target", look[target], "", "",
                           "did not annotate this item", target=True))  # fmt: skip
    for row in rows[rows["annotator_id"] != target].itertuples():
        shown.append(Shown(row.annotator_id, look[row.annotator_id], row.label, row.explanation))
    return shown


def _methods(answers: Answers, case: Case, wanted: Wanted) -> list[Shown]:
    item_id, target = case
    frame = comparing_cases.of_repetition(answers, wanted.repetition)
    frame = frame[(frame["item_id"] == item_id) & (frame["target"] == target)]
    look = method_looks(answers.sources)
    shown = []
    for source in answers.sources:
        for row in frame[frame["source"] == source].itertuples():
            if row.parsed == "false":
                told = f"Could not be read: {row.problem or 'no reason noted'}. Counts as wrong."
                raw = row.raw_text or "(nothing)"
            else:
                right = {"true": "the target's label", "false": "another label", "": ""}[row.right]
                told = "; ".join(part for part in (right, _sounds(row.given, target)) if part)
                told, raw = told[:1].upper() + told[1:], ""
            shown.append(
                Shown(method_name(source), look[source], row.label, row.explanation, told, raw)
            )
    return shown


def _sounds(given: str, target: str) -> str:
    if given == NOBODY:
        return ""
    return "sounds like the target" if given == target else f"sounds like {given}"


def _clear() -> None:
    state.put(PAGE, dict.fromkeys(("method", "outcome", "given", "label", *_MOVED)))
