"""The item view of Compare: the input, the annotators' answers, and each method's, as escaped HTML.

Words outside the longest common subsequence with the target's own explanation are underlined, as
ROUGE-L counts them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

import pandas as pd
import streamlit as st
from markupsafe import Markup

from capo_core.dashboard.app import cache
from capo_core.dashboard.compare import answers as compare_answers
from capo_core.dashboard.compare import cache as compare_cache
from capo_core.dashboard.compare.answers import ORDERS, OUTCOMES, Answers, Case, CaseFilter
from capo_core.dashboard.compare.selection import PAGE, CompareSelection
from capo_core.dashboard.ui import answer_details, url_state
from capo_core.dashboard.ui.components import show_note, warn_of_other_item
from capo_core.dashboard.ui.item_html import LONGEST, MOST_COLUMNS, item_html
from capo_core.dashboard.ui.text import escape
from capo_core.dashboard.ui.theme import Look, looks, method_looks, method_name
from capo_core.evaluation.measures.attribution import NOBODY
from capo_core.evaluation.streams import HUMAN
from capo_core.formatting import capitalised, count
from capo_core.runs.run import Run
from capo_core.templates import render
from capo_core.text.tokens import input_spans, spans
from capo_core.workspace import Workspace

STYLE = """<style>
.capo-differs { text-decoration: underline dotted 2px; text-underline-offset: 0.22em;
  text-decoration-color: var(--who, currentColor); }
.capo-told { font-size: 0.85rem; margin: 0.3rem 0 0 0; opacity: 0.78; }
.capo-told b { font-weight: 600; }
.capo-raw { font-family: ui-monospace, monospace; font-size: 0.85rem; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0.2rem 0 0 0; opacity: 0.85; }
.capo-group { font-size: 0.85rem; opacity: 0.7; margin: 0.2rem 0 0 0; }
.capo-target { background: color-mix(in srgb, currentColor 5%, transparent);
  padding-top: 0.4rem; padding-bottom: 0.5rem; border-left-width: 5px; }
</style>"""


@dataclass(frozen=True)
class Shown:
    """One answer with its display settings.

    Attributes:
        who: a person or a method.
        look: their colour.
        told: what else is to be said of it, in words.
        raw: what the model wrote, where it could not be read; "" otherwise.
        target: whether it is the target's own.
    """

    who: str
    look: Look
    label: str
    explanation: str
    told: str = ""
    raw: str = ""
    target: bool = False


def different(text: str, targets: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of the words of `text` that its closest target text lacks, in order."""
    mine = [span for span in spans(text) if span.is_word]
    best: set[int] = set()
    for target in targets:
        theirs = [span.token for span in spans(target) if span.is_word]
        matcher = SequenceMatcher(None, [span.token for span in mine], theirs, autojunk=False)
        common = {
            block.a + step for block in matcher.get_matching_blocks() for step in range(block.size)
        }
        best = max(best, common, key=len)
    return [(span.start, span.end) for i, span in enumerate(mine) if i not in best]


def set_text(text: str, inputs: Sequence[str] = (), targets: Sequence[str] = ()) -> str:
    """Return `text` as HTML: words of `inputs` dimmed, words in none of `targets` underlined.

    Args:
        inputs, targets: empty for no greying and no underlining.
    """
    cut = len(text) > LONGEST
    text = text[:LONGEST]
    grey = [(span.start, span.end) for span in input_spans(text, *inputs)] if inputs else []
    apart = different(text, targets) if targets else []
    edges = sorted({0, len(text), *(edge for pair in [*grey, *apart] for edge in pair)})
    parts = []
    for start, end in pairwise(edges):
        piece = escape(text[start:end])
        names = [
            name
            for name, places in (("capo-input", grey), ("capo-differs", apart))
            if any(a <= start and end <= b for a, b in places)
        ]
        parts.append(f'<span class="{" ".join(names)}">{piece}</span>' if names else piece)
    if cut:
        parts.append(' <span class="capo-label">… (cut here; the download has the whole)</span>')
    return "".join(parts)


def answers_html(
    shown: Sequence[Shown], *, inputs: Sequence[str] = (), targets: Sequence[str] = ()
) -> str:
    """Return answers side by side as HTML, each with the colour of its source."""
    return render(
        "dashboard/compare/answers.html.j2",
        answers=[
            (
                one,
                Markup(set_text(one.explanation, inputs, () if one.target else targets))
                if one.explanation.strip()
                else "",
                one.raw[:LONGEST] + (" …" if len(one.raw) > LONGEST else ""),
            )
            for one in shown
        ],
    )


_MOVED = ("item", "as")


def show(chosen: CompareSelection, answers: Answers) -> None:
    """Show the filters in a row, then the open case of those that pass."""
    url_state.require("item", cache.items_by_id(chosen.dataset).index)
    url_state.require("as", chosen.dataset.annotators)
    wanted = _controls(chosen, answers)
    with st.container(horizontal=True, gap="medium"):
        grey = url_state.toggle(
            "Dim words copied from the input",
            page=PAGE,
            key="grey",
            help="Dims words of an explanation that also occur in the item's texts. With "
            "masked input words, the attribution classifier does not see them either.",
        )
        apart = url_state.toggle(
            "Underline words not in the target's explanation",
            page=PAGE,
            key="apart",
            on=True,
            help="Words outside the longest common subsequence with the target's own "
            "explanation of the same item (as in ROUGE-L).",
        )
    own = compare_cache.labels(chosen.dataset)
    found = compare_answers.cases(answers, wanted, own)
    if not found:
        show_note("No answers match the filters.")
        st.button("Show all answers", on_click=_clear, key=f"{PAGE}.clear")
        return
    case = _walk(found)
    st.html(STYLE)
    _case(chosen, answers, case, wanted, grey=grey, apart=apart)
    if url_state.toggle(
        "Show prompts, raw outputs and tokens", page=PAGE, key="raw",
        help="The prompts are built again, as the models read them.",
    ):  # fmt: skip
        _in_full(chosen, answers, case, wanted)


def _controls(chosen: CompareSelection, answers: Answers) -> CaseFilter:
    columns = st.container(key="capo-four-items").columns(4, vertical_alignment="bottom")
    with columns[0]:
        method = url_state.choice(
            st.selectbox, "Method", ["", *answers.sources], page=PAGE, key="method", clears=_MOVED,
            known={*answers.sources, HUMAN}, where="this comparison",
            format_func=lambda name: method_name(name) if name else "any method",
        )  # fmt: skip
    with columns[1]:
        outcome = url_state.choice(
            st.selectbox, "Outcome", list(OUTCOMES), page=PAGE, key="outcome", clears=_MOVED,
            format_func=OUTCOMES.__getitem__,
            help="Attributed to: prediction of a classifier trained only on the annotators' "
                 "own training explanations, with input words masked.",
        )  # fmt: skip
    with columns[2]:
        label = url_state.choice(
            st.selectbox, "The target's label", ["", *chosen.dataset.task.scale.labels],
            page=PAGE, key="label", clears=_MOVED, format_func=lambda name: name or "any label",
        )  # fmt: skip
    with columns[3]:
        order = url_state.choice(
            st.selectbox, "Order", list(ORDERS), page=PAGE, key="order", clears=_MOVED,
            format_func=ORDERS.__getitem__,
            help="Most typical: highest attribution margin for the target. Worst: lowest "
                 "margin, unreadable answers first. Disagreement: most different labels among "
                 "methods, then the largest spread of margins.",
        )  # fmt: skip
    repetition = 1
    names = list(chosen.dataset.annotators)
    given = url_state.require("given", [*names, NOBODY])
    if answers.repetitions > 1 or given:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if answers.repetitions > 1:
                numbers = [str(n + 1) for n in range(answers.repetitions)]
                chosen_one = url_state.choice(
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
                    f"Only answers attributed to {given} ✕",
                    key=f"{PAGE}.given.off",
                    on_click=url_state.put,
                    args=(PAGE, {"given": None}),
                )
    return CaseFilter(chosen.target, label, method, outcome, given, order, repetition)


def _walk(found: list[Case]) -> Case:
    """Show the buttons to the neighbours of the open case, and return the case."""
    asked, imitated = url_state.get("item"), url_state.get("as")
    fitting = [n for n, (item, who) in enumerate(found) if item == asked and imitated in ("", who)]
    place = fitting[0] if fitting else 0
    item, target = found[place]
    warn_of_other_item(asked, item)
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, case in (
            ("Previous", found[place - 1]),
            ("Next", found[(place + 1) % len(found)]),
            ("Random", random.SystemRandom().choice(found)),
        ):
            st.button(
                name,
                key=f"{PAGE}.items.{name}",
                on_click=url_state.put,
                args=(PAGE, {"item": case[0], "as": case[1]}),
            )
        st.html(
            f'<p class="capo-note">{place + 1:,} of {count(len(found), "case")}: item '
            f"<b>{escape(item)}</b>, imitating <b>{escape(target)}</b></p>"
        )
    return item, target


def _case(
    chosen: CompareSelection,
    answers: Answers,
    case: Case,
    wanted: CaseFilter,
    *,
    grey: bool,
    apart: bool,
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
    st.html('<p class="capo-group">Annotators</p>')
    # People differ as they like; what is to be seen is where a method departs from its target.
    people = annotators_shown(dataset.annotators, answers.people, rows, case)
    st.html(answers_html(people, inputs=inputs))
    st.html(f'<p class="capo-group">Methods imitating {escape(target)}</p>')
    st.html(answers_html(_methods(answers, case, wanted), inputs=inputs, targets=texts))


def annotators_shown(
    annotators: Sequence[str], people: pd.DataFrame, rows: pd.DataFrame, case: Case
) -> list[Shown]:
    """Return the target's own answer, then the other annotators' in their fixed order.

    One who did not annotate the item keeps the place, so that from case to case everybody stands in
    the same one; of more than `MOST_COLUMNS` annotators only those who did are shown.

    Args:
        people: item_id, target, given. rows: annotations of the item.
    """
    item_id, target = case
    look = looks(annotators)
    own = people[(people["item_id"] == item_id) & (people["target"] == target)]
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
    for name in annotators:
        if name == target:
            continue
        answered = [
            Shown(name, look[name], row.label, row.explanation)
            for row in rows[rows["annotator_id"] == name].itertuples()
        ]
        if not answered and len(annotators) <= MOST_COLUMNS:
            answered = [Shown(name, look[name], "", "", "did not annotate this item")]
        shown += answered
    return shown


def _methods(answers: Answers, case: Case, wanted: CaseFilter) -> list[Shown]:
    item_id, target = case
    frame = compare_answers.of_repetition(answers, wanted.repetition)
    frame = frame[(frame["item_id"] == item_id) & (frame["target"] == target)]
    look = method_looks(answers.sources)
    shown = []
    for source in answers.sources:
        for row in frame[frame["source"] == source].itertuples():
            if row.parsed == "false":
                told = f"Unreadable: {row.problem or 'no reason noted'}. Counts as wrong."
                raw = row.raw_text or "(nothing)"
            else:
                right = {"true": "target's label", "false": "label differs", "": ""}[row.right]
                told = "; ".join(part for part in (right, _sounds(row.given, target)) if part)
                told, raw = capitalised(told), ""
            shown.append(
                Shown(method_name(source), look[source], row.label, row.explanation, told, raw)
            )
    return shown


def _in_full(chosen: CompareSelection, answers: Answers, case: Case, wanted: CaseFilter) -> None:
    """Show one method's answer to the case with its prompt and tokens."""
    workspace = Workspace.default()
    item_id, target = case
    frame = compare_answers.of_repetition(answers, wanted.repetition)
    frame = frame[(frame["item_id"] == item_id) & (frame["target"] == target)]
    runs = compare_cache.runs_of(workspace, chosen.dataset, chosen.comparison.runs)
    # A method may have answered more than once: all that is shown above can be opened.
    known = {f"{row.source} {row.replicate}": row for row in frame.itertuples()}
    if not known:
        return
    place = f"{PAGE}.full"
    name = st.segmented_control(
        "Answer by", list(known), key=place, default=next(iter(known)), required=True,
        format_func=lambda key: method_name(known[key].source), wrap=True,
    )  # fmt: skip
    row = known.get(name) or next(iter(known.values()))
    replicate, _, sample = row.replicate.rpartition("/")
    run_id = runs.get((row.source, replicate, target))
    if run_id is None:
        show_note("The run of this answer is not here any more.")
        return
    answer_details.show(
        workspace, Run(workspace.runs / run_id), chosen.dataset, target, item_id, sample
    )


def _sounds(given: str, target: str) -> str:
    if given == NOBODY:
        return ""
    return "attributed to the target" if given == target else f"attributed to {given}"


def _clear() -> None:
    url_state.put(PAGE, dict.fromkeys(("method", "outcome", "given", "label", *_MOVED)))
