"""What the page of distributions keeps in memory between clicks (see `cache`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.run_folder import list_runs
from capo_core.runs import comparisons
from capo_core.workspace import Workspace, content_hash

if TYPE_CHECKING:  # loading these takes a second, which other pages need not wait
    from capo_core.dashboard.distributions.data import Reading
    from capo_core.distributions.compare import CompareConfig, DistributionComparison
    from capo_core.distributions.judgments import Judgments

_RESULTS = ("estimate.json", "result.json")


def reading(workspace: Workspace, entry: Entry, files: tuple[str, ...], *, alone: bool) -> Reading:
    """Return the items and sources to show; `DataError` where an opened file is missing.

    Args:
        files: ids of kept judgments (`kept.keep`).
    """
    return _reading(
        workspace.root,
        entry.name,
        entry.fingerprint,
        files,
        alone,
        _stamps(workspace),
        _entry=entry,
    )


def _stamps(workspace: Workspace) -> tuple:
    """Return the state of the files that change when a run ends."""
    return tuple(
        (run.run_id, (run.path / name).stat().st_mtime_ns)
        for run in list_runs(workspace)
        for name in _RESULTS
        if (run.path / name).exists()
    )


@st.cache_resource(max_entries=8, show_spinner="Loading distributions …")
def _reading(
    root: Path, name: str, fingerprint: str, files: tuple, alone: bool, stamps: tuple, _entry: Entry
) -> Reading:
    from capo_core.dashboard.distributions import data

    workspace = Workspace(root)
    own = of_dataset(cache.dataset(workspace, _entry))
    opened = [opened_file(workspace, one) for one in files]
    asked, with_own, names, notes = data.put_together(own, opened, alone=alone)
    found, estimates, more = data.with_estimates(asked, workspace)
    notes += more
    if with_own:
        runs = comparisons.finished_generations(workspace, _entry)
        found, more = data.with_answers(found, workspace, runs)
        notes += more
    return data.Reading(
        found,
        asked,
        name if with_own else "",
        tuple(names),
        tuple(estimates),
        (*notes, *found.notes),
        content_hash(name, fingerprint, files, alone, stamps),
    )


def of_dataset(dataset: Dataset) -> Judgments:
    """The sources that a dataset itself holds."""
    return _of_dataset(dataset, dataset.fingerprint, dataset.name)


@st.cache_resource(max_entries=8, show_spinner=False)
def _of_dataset(_dataset: Dataset, fingerprint: str, name: str) -> Judgments:
    from capo_core.distributions import sources

    return sources.dataset_judgments(_dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _opened(root: Path, name: str) -> Judgments:
    from capo_core.distributions import store

    return store.load(name, Workspace(root))


def opened_file(workspace: Workspace, name: str) -> Judgments:
    """Return an opened file by its id."""
    return _opened(workspace.root, name)


def measured(reading: Reading, config: CompareConfig, source: str) -> DistributionComparison:
    """Return the distances of one source from the reference."""
    return _measured(reading.judgments, reading.key, config, source)


@st.cache_resource(max_entries=512, show_spinner="Computing distances …")
def _measured(
    _judgments: Judgments, key: str, config: CompareConfig, source: str
) -> DistributionComparison:
    from capo_core.distributions.compare import compare

    return compare(_judgments, config, sources=[source])


def paired(
    reading: Reading, config: CompareConfig, first: str, second: str, measure: str
) -> pd.DataFrame:
    """`distributing_items.paired` of two sources that have items in common with the measure."""
    return _paired(reading, reading.key, config, first, second, measure)


@st.cache_resource(max_entries=4096, show_spinner=False)
def _paired(
    _reading: Reading, key: str, config: CompareConfig, first: str, second: str, measure: str
) -> pd.DataFrame:
    from capo_core.dashboard.distributions import item_data

    one, other = (measured(_reading, config, name).per_item for name in (first, second))
    return item_data.paired(one, other, measure, config)


def apart(reading: Reading, config: CompareConfig, first: str, second: str) -> pd.DataFrame:
    """`Comparison.differences` of two sources; empty where no item has all three."""
    return _apart(reading.judgments, reading.key, config, first, second)


@st.cache_resource(max_entries=1024, show_spinner="Computing differences …")
def _apart(
    _judgments: Judgments, key: str, config: CompareConfig, first: str, second: str
) -> pd.DataFrame:
    from capo_core.distributions.compare import compare

    return compare(_judgments, config, sources=[first, second]).differences


@st.cache_resource(show_spinner=False)
def computed() -> Recent:
    """Results computed with a progress bar, which a cached function cannot draw."""
    return Recent()


class Recent(dict):
    """A dictionary of at most `MOST` entries that drops its oldest."""

    MOST = 24

    def __setitem__(self, key, value) -> None:
        super().__setitem__(key, value)
        while len(self) > self.MOST:
            self.pop(next(iter(self)), None)
