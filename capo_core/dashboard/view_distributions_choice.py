"""What the page Distributions compares: the measure, the sources, the clip; and what that gives."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from capo_core.dashboard import (
    cache,
    cache_distributions,
    distributing,
    state,
    view_distributions_files,
)
from capo_core.dashboard.components import control_row, is_dark, note
from capo_core.dashboard.distributing import Reading
from capo_core.dashboard.distributing_items import ITEM_MEASURES
from capo_core.dashboard.distributing_looks import source_looks, source_name
from capo_core.dashboard.distributing_words import nearest
from capo_core.dashboard.frame import Frame
from capo_core.dashboard.help_distributions import HELP
from capo_core.dashboard.theme import Look
from capo_core.dashboard.words import short
from capo_core.dataset import Dataset
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.judgments import UNIFORM
from capo_core.distributions.measuring import WASSERSTEIN

PAGE = "distributions"
KEYS = ("against", "focus", "measure", "shown", "clip", *view_distributions_files.KEYS)
_CLIPS = ("1e-10", "1e-06", "0.001", "0.01")


@dataclass(frozen=True)
class Chosen:
    """What the page shows.

    Attributes:
        against: the source that the others are measured by.
        shown: the others, as chosen.
        focus: the one of them that is set beside the measure in the pictures.
        measure: one of `ITEM_MEASURES`.
        dataset: None where files are shown without it.
        table, per_item, coverage: of `compare.Comparison`, of all sources shown.
        apart: differences of the nearest source to the next and to the floor, in `measure`.
        looks: of all sources there are.
    """

    reading: Reading
    dataset: Dataset | None
    against: str
    shown: tuple[str, ...]
    focus: str
    measure: str
    config: CompareConfig
    table: pd.DataFrame
    per_item: pd.DataFrame
    coverage: pd.DataFrame
    apart: pd.DataFrame
    looks: dict[str, Look]

    @property
    def file_stem(self) -> str:
        """How files that are downloaded here begin."""
        return self.reading.judgments.name

    def of_focus(self) -> pd.DataFrame:
        """`per_item` of the source in the pictures."""
        rows = self.per_item
        return rows[rows["source"] == self.focus] if len(rows) else rows


def current(frame: Frame) -> Chosen | None:
    """The comparison to show, under its controls; None where there is nothing to compare."""
    with control_row("distributions", [2, 2, 2, 2, 2]) as columns:
        with columns[4]:
            files, alone = view_distributions_files.menu(frame)
        reading = cache_distributions.reading(frame.workspace, frame.entry, files, alone=alone)
        names = reading.names
        if len(names) < 2:
            return None
        with columns[0]:
            against = state.choice(
                st.selectbox, "Measured by", names, page=PAGE, key="against",
                default=distributing.default_against(names), clears=("item", "focus"),
                format_func=_title, help=HELP["against"],
            )  # fmt: skip
        with columns[3]:
            shown, clip = _sources(names, against)
        with columns[1]:
            focus = state.choice(
                st.selectbox, "Beside it", shown, page=PAGE, key="focus",
                default=_first(shown), clears=("item",), format_func=_title, help=HELP["focus"],
            )  # fmt: skip
        ordinal = reading.judgments.task.scale.ordinal
        with columns[2]:
            measure = state.choice(
                st.selectbox, "Distance",
                [name for name in ITEM_MEASURES if ordinal or name != WASSERSTEIN],
                page=PAGE, key="measure", help=HELP["measure"],
            )  # fmt: skip
    dataset = cache.dataset(frame.workspace, frame.entry) if reading.dataset else None
    return _compared(reading, dataset, shown, focus, measure, CompareConfig(against, float(clip)))


def _title(name: str) -> str:
    return short(source_name(name), 60)


def _first(shown: list[str]) -> str:
    """The source in the pictures before anybody has chosen: one that knows something."""
    return next((name for name in shown if name != UNIFORM), shown[0])


def _sources(names: list[str], against: str) -> tuple[list[str], str]:
    """The choice of the sources and of the clip, folded away."""
    others = [name for name in names if name != against]
    default = distributing.default_shown(names, against)
    shown = [name for name in _read(state.get("shown")) if name in others] or default
    with st.popover(f"Sources: {len(shown)} of {len(others)}", width="stretch"):
        note("Whose distributions are set beside the measure. Single annotators and single "
             "imitations are not shown at first.")  # fmt: skip
        place = f"{PAGE}.shown.widget"
        # Set only where the box has another, as in `state.typed`: set in every run, it would undo
        # what was taken out meanwhile by quick clicks.
        if place in st.session_state and st.session_state[place] != shown:
            st.session_state[place] = shown

        def changed() -> None:
            chosen = state.now(place)
            kept = [name for name in others if name in chosen]
            state.put(PAGE, {"shown": json.dumps(kept) if kept and kept != default else None})

        st.multiselect(
            "Sources", others, shown, key=place, on_change=changed, format_func=_title,
            help="None chosen is the choice made at first.",
        )  # fmt: skip
        clip = state.choice(
            st.selectbox, "Least share, for KL only", list(_CLIPS), page=PAGE, key="clip",
            help=HELP["clip"],
        )  # fmt: skip
    return shown, clip


def _read(raw: str) -> list[str]:
    """The sources that an address names; nothing where it names none."""
    try:
        found = json.loads(raw) if raw else []
    except ValueError:
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _compared(
    reading: Reading,
    dataset: Dataset | None,
    shown: list[str],
    focus: str,
    measure: str,
    config: CompareConfig,
) -> Chosen:
    tables, per_item, coverage = [], [], []
    reference = reading.judgments.source(config.against)
    for name in shown:
        source = reading.judgments.source(name)
        if not distributing.in_both(reference, source):
            row = (name, len(source.item_ids), 0, len(source.item_ids), len(reference.item_ids))
            coverage.append(pd.DataFrame([row], columns=_COVERAGE))
            continue
        made = cache_distributions.measured(reading, config, name)
        tables.append(made.table)
        per_item.append(made.per_item)
        coverage.append(made.coverage)
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_TABLE)
    order = nearest(table, measure)
    pairs = [(order[0], order[1])] if len(order) > 1 else []
    if order and UNIFORM in set(table["source"]):
        pairs.append((order[0], UNIFORM))
    apart = [
        cache_distributions.paired(reading, config, one, other, measure) for one, other in pairs
    ]
    return Chosen(
        reading, dataset, config.against, tuple(shown), focus, measure, config, table,
        pd.concat(per_item, ignore_index=True) if per_item else pd.DataFrame(),
        pd.concat(coverage, ignore_index=True),
        pd.concat(apart, ignore_index=True) if apart else pd.DataFrame(columns=_APART),
        source_looks(reading.names, dataset.annotators if dataset else (), dark=is_dark()),
    )  # fmt: skip


_TABLE = ["source", "measure", "value", "low", "high", "n", "note"]
_APART = ["source", "against", "measure", "value", "low", "high", "n", "nearer"]
_COVERAGE = ["source", "items", "both", "only_source", "only_against"]
