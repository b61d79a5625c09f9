"""The selection of the page Distributions: files, reference, sources, distance and clip, with the
comparison they give.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache, datasets
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.distributions import PAGE, data
from capo_core.dashboard.distributions import cache as distributions_cache
from capo_core.dashboard.distributions.data import Reading
from capo_core.dashboard.distributions.item_data import ITEM_MEASURES
from capo_core.dashboard.distributions.summary import source_looks
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import control_row, is_dark, show_error, show_note
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.theme import Look
from capo_core.dataset import Dataset
from capo_core.distributions.compare import WASSERSTEIN, CompareConfig, measure_title
from capo_core.distributions.judgments import UNIFORM
from capo_core.distributions.report import DistributionReport
from capo_core.distributions.wording import source_name
from capo_core.errors import CapoError, DataError
from capo_core.formatting import count, short
from capo_core.json_text import json_line

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments


_TAKEN = f"{PAGE}.files.taken"  # how often files were taken; names the uploader, to empty it
_WRONG = f"{PAGE}.files.wrong"  # what was wrong with files, to be said once


def menu(context: PageContext) -> tuple[tuple[str, ...], bool]:
    """Show the choice of files in an expander; return the ids of the open ones, and whether they
    are used without the dataset.

    Raises:
        NotHereError: a file of the address is not stored here.
    """
    opened, missing = data.opened(
        context.workspace, url_state.get("files").split(","), distributions_cache.opened_file
    )
    title = "Files" if not opened else f"Files: {count(len(opened), 'open', 'open')}"
    alone = False
    with st.popover(title, width="stretch"):
        show_note(
            "A JSON file with one object per item: its texts, label shares or counts in "
            "label order, and explanations with their labels (for example "
            "NLI_explanations.json); or a table with a column of shares or counts for each "
            "label. Items are matched by their texts, across files and with the dataset."
        )
        _open(context, list(opened))
        if opened:
            alone = _chosen(opened, context)
    url_state.require_each(
        "files", missing, (), place=url_state.WORKSPACE, todo="open it again under Files"
    )
    return tuple(opened), alone


def _open(context: PageContext, already: list[str]) -> None:
    """Show the form to upload files."""
    taken = st.session_state.get(_TAKEN, 0)
    with st.form(f"{PAGE}.files.form", border=False):
        st.file_uploader(
            "Files",
            type=["json", "jsonl", "csv", "tsv", "xlsx", "parquet"],
            accept_multiple_files=True,
            key=f"{PAGE}.files.{taken}",
            label_visibility="collapsed",
        )
        st.text_input(
            "Labels, in the order of the file",
            key=f"{PAGE}.files.labels",
            placeholder="entailment, neutral, contradiction",
            help="Comma-separated. Empty: labels of the dataset, else of NLI.",
        )
        st.form_submit_button(
            "Load files",
            key=f"{PAGE}.files.read",
            type="primary",
            on_click=_take,
            args=(context, already),
        )
    for error in st.session_state.pop(_WRONG, []):
        show_error(error)


def _take(context: PageContext, already: list[str]) -> None:
    """Read the uploaded files; errors of a file are shown, and the others are opened."""
    taken = st.session_state.get(_TAKEN, 0)
    files = url_state.now(f"{PAGE}.files.{taken}") or []
    labels = data.labels_of(url_state.now(f"{PAGE}.files.labels"))
    found = list(already)
    wrong = [] if files else [DataError("no file was chosen", todo="choose one first")]
    for file in files:
        try:
            path = datasets.save_uploads(context.workspace, [(file.name, file.getvalue())])
            name = data.take_in(context.workspace, path, labels, _own_labels(context))
        except CapoError as error:
            wrong.append(error)
            continue
        found += [name] if name not in found else []
    st.session_state[_WRONG] = wrong
    if found != already:  # else the address stays, and only what went wrong is said
        st.session_state[_TAKEN] = taken + 1
        url_state.put(PAGE, {"files": ",".join(found), **dict.fromkeys(_MOVED)})


def _own_labels(context: PageContext) -> tuple[str, ...]:
    from capo_core.dashboard.app import cache

    return cache.dataset(context.workspace, context.entry).task.scale.labels


def _chosen(opened: dict[str, Judgments], context: PageContext) -> bool:
    for name, one in opened.items():
        left = [other for other in opened if other != name]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{one.name}: {count(len(one.items), 'item')}")
            st.button(
                "Close",
                key=f"{PAGE}.files.close.{name}",
                type="tertiary",
                on_click=url_state.put,
                args=(PAGE, {"files": ",".join(left), **dict.fromkeys(_MOVED)}),
            )
    return url_state.toggle(
        f"Without {context.entry.name}",
        page=PAGE,
        key="alone",
        clears=_MOVED,
        help="Use only the files, also for items of the dataset.",
    )


_MOVED = ("item", "against", "focus", "shown")


_CLIPS = ("1e-10", "1e-06", "0.001", "0.01")


@dataclass(frozen=True)
class Chosen:
    """The selection that the page shows.

    Attributes:
        against: the source that the others are measured by.
        shown: the others, as chosen.
        focus: the one of them that is set beside the measure in the pictures.
        measure: one of `ITEM_MEASURES`.
        dataset: None where files are shown without it.
        report: the ranking of the sources shown, with its findings.
        looks: of all sources there are.
    """

    reading: Reading
    dataset: Dataset | None
    against: str
    shown: tuple[str, ...]
    focus: str
    measure: str
    config: CompareConfig
    report: DistributionReport
    looks: dict[str, Look]

    @property
    def file_stem(self) -> str:
        """Return the beginning of the names of downloads."""
        return self.reading.judgments.name

    @property
    def key(self) -> tuple[str, ...]:
        """Name all that is selected, for what is kept in memory."""
        return (self.reading.key, repr(self.config), repr(self.shown), self.focus, self.measure)

    @property
    def per_item(self) -> pd.DataFrame:
        """Return the distances of single items; see `Ranking.per_item`."""
        return self.report.ranking.per_item

    def of_focus(self) -> pd.DataFrame:
        """`per_item` of the source in the charts."""
        rows = self.per_item
        return rows[rows["source"] == self.focus] if len(rows) else rows


def current(context: PageContext) -> Chosen | None:
    """Return the comparison to show, below its controls; None where there is nothing to compare."""
    with control_row("distributions", [2, 2, 2, 2, 2]) as columns:
        with columns[4]:
            files, alone = menu(context)
        reading = distributions_cache.reading(context.workspace, context.entry, files, alone=alone)
        names = reading.names
        if len(names) < 2:
            return None
        with columns[0]:
            against = url_state.choice(
                st.selectbox, "Reference", names, page=PAGE, key="against",
                default=data.default_against(names), clears=("item", "focus"),
                format_func=_title, help=DISTRIBUTIONS_HELP["against"],
            )  # fmt: skip
        with columns[3]:
            shown, clip = _sources(names, against)
        config = CompareConfig(against, float(clip))
        with columns[1]:
            focus = url_state.choice(
                st.selectbox,
                "Compare with",
                shown,
                page=PAGE,
                key="focus",
                default=_first(
                    shown, distributions_cache.ranking(reading, config, tuple(shown)).per_item
                ),
                clears=("item",),
                known=names,
                format_func=_title,
                help=DISTRIBUTIONS_HELP["focus"],
            )
        ordinal = reading.judgments.task.scale.ordinal
        with columns[2]:
            measure = url_state.choice(
                st.selectbox, "Distance",
                [name for name in ITEM_MEASURES if ordinal or name != WASSERSTEIN],
                page=PAGE, key="measure", format_func=measure_title,
                help=DISTRIBUTIONS_HELP["measure"],
            )  # fmt: skip
    dataset = cache.dataset(context.workspace, context.entry) if reading.dataset else None
    return _compared(reading, dataset, shown, focus, measure, config)


def _title(name: str) -> str:
    return short(source_name(name), 60)


def _first(shown: list[str], per_item: pd.DataFrame) -> str:
    """Return the source shown in the charts by default: one other than uniform, with distances."""
    others = [name for name in shown if name != UNIFORM] or shown
    there = set(per_item["source"]) if len(per_item) else set()
    return next((name for name in others if name in there), others[0])


def _sources(names: list[str], against: str) -> tuple[list[str], str]:
    """Show the choice of the sources and of the clip, in an expander."""
    others = [name for name in names if name != against]
    default = data.default_shown(names, against)
    asked = url_state.require_each("shown", _read(url_state.get("shown")), names)
    shown = [name for name in asked if name in others] or default
    with st.popover(f"Sources: {len(shown)} of {len(others)}", width="stretch"):
        show_note("Distributions compared with the reference. By default the first eight: not "
                  "single annotators, nor imitations of whom a team is there.")  # fmt: skip
        place = f"{PAGE}.shown.widget"
        # Set only where the box has another, as in `state.typed`: set in every run, it would undo
        # what was taken out meanwhile by quick clicks.
        if place in st.session_state and st.session_state[place] != shown:
            st.session_state[place] = shown

        def changed() -> None:
            chosen = url_state.now(place)
            kept = [name for name in others if name in chosen]
            url_state.put(PAGE, {"shown": json_line(kept) if kept and kept != default else None})

        st.multiselect(
            "Sources", others, shown, key=place, on_change=changed, format_func=_title,
            help="Empty restores the default.",
        )  # fmt: skip
        clip = url_state.choice(
            st.selectbox, "Clip probabilities at (KL only)", list(_CLIPS), page=PAGE, key="clip",
            help=DISTRIBUTIONS_HELP["clip"],
        )  # fmt: skip
    return shown, clip


def _read(raw: str) -> list[str]:
    """Return the sources named in the address; empty without any."""
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
    return Chosen(
        reading, dataset, config.against, tuple(shown), focus, measure, config,
        distributions_cache.report(reading, config, tuple(shown), measure),
        source_looks(reading.names, dataset.annotators if dataset else (), dark=is_dark()),
    )  # fmt: skip
