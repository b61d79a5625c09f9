"""One answer in full: the prompt as the model read it, what it wrote, and the tokens of both."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from capo_core.dashboard.app.cache import HASH_FUNCS
from capo_core.dashboard.ui.components import show_note
from capo_core.dataset import Dataset
from capo_core.formatting import count, percent
from capo_core.runs.answer_details import AnswerDetails, answer_details
from capo_core.runs.run import Run
from capo_core.templates import render
from capo_core.workspace import Workspace

MOST_TOKENS = 4000  # drawn of one text


def show(
    workspace: Workspace, run: Run, dataset: Dataset, target: str, item_id: str, sample: str
) -> None:
    """Show the answer; its prompt is built again now.

    Raises:
        RunError: the run has no such answer.
    """
    found = _details(workspace, run.folder.name, dataset, target, item_id, sample)
    ended = {"stop": "ended by itself", "length": "cut at the limit", "error": "not answered"}
    show_note(
        f"Prompt: {count(found.prompt_count, 'token')}; output: "
        f"{count(found.output_count, 'token')}, {ended.get(found.finish, found.finish)}."
        + (f" {found.note}" if found.note else "")
    )
    if found.label_probabilities:
        shares = ", ".join(f"{name} {percent(p)}" for name, p in found.label_probabilities.items())
        show_note(f"The label was chosen by its probability: {shares}.")
    if found.prompt:
        st.caption("Prompt, as the model read it")
        st.code(found.prompt, language=None, wrap_lines=True, height=260)
    st.caption("Raw output")
    st.code(found.raw or "(nothing)", language=None, wrap_lines=True)
    for title, tokens in (
        ("Tokens of the output", found.output_tokens),
        ("Tokens of the prompt", found.prompt_tokens),
    ):
        if tokens:
            st.caption(f"{title} ({len(tokens):,})")
            st.html(tokens_html(tokens))


@st.cache_resource(max_entries=64, show_spinner="Building the prompt …", hash_funcs=HASH_FUNCS)
def _details(
    workspace: Workspace, run_id: str, dataset: Dataset, target: str, item_id: str, sample: str
) -> AnswerDetails:
    return answer_details(workspace, Run(workspace.runs / run_id), dataset, target, item_id, sample)


def tokens_html(tokens: Sequence[str]) -> str:
    """Return tokens side by side as HTML; spaces and line breaks are visible."""
    shown = [text.replace(" ", "·").replace("\n", "↵").replace("\t", "⇥") for text in tokens]
    return render(
        "dashboard/ui/tokens.html.j2",
        tokens=shown[:MOST_TOKENS],
        breaks=[text.endswith("\n") for text in tokens[:MOST_TOKENS]],
        more=max(0, len(shown) - MOST_TOKENS),
    )
