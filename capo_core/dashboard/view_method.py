"""How a report was computed, folded away at the end of the page."""

from __future__ import annotations

import json

import streamlit as st

from capo_core.dashboard.components import download_table, note
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.theme import reduction_name, representation_name
from capo_core.dashboard.words import count

_PARTS = ("ladder", "controls", "unsupervised", "information", "variance", "reliability")


def show(frame: Frame, report) -> None:
    config = report.config
    taken = "taken as typed"
    if not config.raw:
        taken = (
            "normalised first: case, quotation marks, outer spaces and the final period are habits "
            "of the keyboard"
        )
    with st.expander("How it was computed"):
        for line in (
            f"Explanations are {taken}.",
            f"Seen as: {', '.join(representation_name(r) for r in config.representations)}. "
            f"Sentence meaning is the model {config.embedding_model}.",
            f"Reductions: {', '.join(reduction_name(r).lower() for r in config.reductions)}; each "
            "is fitted on training folds only.",
            f"A ridge classifier in {config.folds}-fold cross-validation; items that share a text "
            "are never on both sides; annotators count equally; mean over "
            f"{count(config.seeds, 'partition')}.",
            "Pooled: the scores of k explanations of one annotator, on different held-out items, "
            "are added.",
            "Intervals are 95 %, over items. The null shuffles annotators within each item, "
            f"{count(config.permutations, 'time')}, through the whole pipeline with the same "
            "partitions.",
            f"Dataset {report.dataset}, fingerprint {report.fingerprint[:16]}, seed {config.seed}.",
        ):
            note(line)
        with st.container(horizontal=True):
            st.download_button(
                "Whole report (JSON)",
                lambda: json.dumps(report.to_dict(), indent=2, ensure_ascii=False).encode(),
                file_name=f"{report.dataset}-stability.json",
                mime="application/json",
                key="stability.json",
                type="tertiary",
                icon=":material/download:",
                on_click="ignore",
            )
        for part in _PARTS:
            download_table(
                getattr(report, part).to_frame(),
                key=f"stability.all.{part}",
                file_name=f"{frame.entry.name}-{part}",
                label=f"{part.capitalize()} (CSV)",
            )
        note("Formulas and their sources are in docs/methods.md.")
