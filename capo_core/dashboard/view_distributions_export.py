"""How the distances were computed, folded away, and what can be taken along."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from capo_core.dashboard.components import note
from capo_core.dashboard.distributing_items import long_table
from capo_core.dashboard.distributing_methods import command, methods_paragraph
from capo_core.dashboard.view_distributions_choice import PAGE, Chosen
from capo_core.data.exporting import csv_text


def show(chosen: Chosen) -> None:
    """Downloads in a row; then the methods paragraph and the command."""
    name = chosen.file_stem
    st.subheader("Take it along", anchor=False)
    with st.container(horizontal=True):
        _download("Distances (CSV)", f"{name}-distances.csv", "text/csv",
                  lambda: csv_text(_distances(chosen)))  # fmt: skip
        _download("Item by item (CSV)", f"{name}-distributions.csv", "text/csv",
                  lambda: csv_text(_items(chosen)))  # fmt: skip
        _download("Item by item (JSONL)", f"{name}-distributions.jsonl", "application/jsonl",
                  lambda: _lines(_items(chosen)))  # fmt: skip
        _download("Explanations (JSONL)", f"{name}-explanations.jsonl", "application/jsonl",
                  lambda: _lines(chosen.reading.judgments.explanations))  # fmt: skip
    with st.expander("How it was computed"):
        prints = {"items’ fingerprint": chosen.reading.judgments.fingerprint}
        if chosen.dataset is not None:
            prints["dataset’s"] = chosen.dataset.fingerprint
        note(methods_paragraph(name, chosen.config, chosen.table, prints))
        note("Formulas and their sources are in docs/methods-distributions.md.")
        st.caption("The same table on the command line (files by their place on your disk):")
        st.code(
            command(chosen.reading.dataset, chosen.reading.files, chosen.config,
                    _on_command_line(chosen), _runs(chosen)),
            language="bash", wrap_lines=True,
        )  # fmt: skip


def _on_command_line(chosen: Chosen) -> list[str]:
    """The sources shown that are of the data or of estimates: imitations have runs of their own,
    which the page takes together."""
    there = {source.name for source in chosen.reading.asked.sources}
    there |= {source for _, source in chosen.reading.estimates}
    return [name for name in chosen.shown if name in there]


def _runs(chosen: Chosen) -> list[str]:
    """The estimates, if one of them is compared: all, so that they get the same names."""
    estimates = chosen.reading.estimates
    compared = {chosen.against, *chosen.shown}
    return [run for run, _ in estimates] if any(name in compared for _, name in estimates) else []


def _distances(chosen: Chosen) -> pd.DataFrame:
    """The long table, with the number of items that each side alone has."""
    frame = chosen.table.assign(against=chosen.against, clip=chosen.config.clip)
    return frame.merge(
        chosen.coverage[["source", "only_source", "only_against"]], how="left", on="source"
    )


def _items(chosen: Chosen) -> pd.DataFrame:
    return long_table(chosen.reading.judgments, chosen.per_item)


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


def _lines(frame: pd.DataFrame) -> str:
    return frame.to_json(orient="records", lines=True, force_ascii=False)
