"""Objects of the Distributions page that all sessions share between reruns (see `app.cache`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.run_folder import list_runs
from capo_core.runs import comparisons
from capo_core.workspace import Workspace, content_hash

if TYPE_CHECKING:  # loading these takes a second, which other pages need not wait
    from capo_core.dashboard.distributions.data import Reading
    from capo_core.distributions.compare import CompareConfig
    from capo_core.distributions.judgments import Judgments
    from capo_core.distributions.ranking import Ranking
    from capo_core.distributions.report import DistributionReport

_RESULTS = ("estimate.json", "result.json")
_HASH_FUNCS: dict[type | str, Any] = {
    **cache.HASH_FUNCS,
    Dataset: lambda dataset: (dataset.fingerprint, dataset.name),
    "capo_core.dashboard.distributions.data.Reading": lambda reading: reading.key,
}


def reading(workspace: Workspace, entry: Entry, files: tuple[str, ...], *, alone: bool) -> Reading:
    """The items and sources to show; `DataError` where an opened file is not there any more.

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
    """Return a stamp that changes when a run ends."""
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


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_HASH_FUNCS)
def of_dataset(dataset: Dataset) -> Judgments:
    """Return the sources that a dataset itself holds."""
    from capo_core.distributions import sources

    return sources.dataset_judgments(dataset)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=_HASH_FUNCS)
def opened_file(workspace: Workspace, name: str) -> Judgments:
    """Return an opened file, by the id under which it is stored."""
    from capo_core.distributions import store

    return store.load(name, workspace)


@st.cache_resource(max_entries=64, show_spinner="Computing distances …", hash_funcs=_HASH_FUNCS)
def ranking(reading: Reading, config: CompareConfig, sources: tuple[str, ...]) -> Ranking:
    """Return the ranking of some sources; what another choice of them measured is used again."""
    from capo_core.distributions.ranking import rank

    return rank(reading.judgments, config, sources=sources, known=_known(reading))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_HASH_FUNCS)
def report(
    reading: Reading, config: CompareConfig, sources: tuple[str, ...], measure: str
) -> DistributionReport:
    """Return the report of a ranking, which has its findings from then on."""
    from capo_core.distributions.report import DistributionReport

    return DistributionReport(reading.judgments, ranking(reading, config, sources), measure)


@st.cache_resource(max_entries=32, show_spinner=False)
def figure(key: tuple[str, ...], _draw: Callable[[], go.Figure]) -> go.Figure:
    """Return a figure that was drawn before, or draw it: most clicks change something else on the
    page. Shared, not to be changed.

    Args:
        key: all that the figure depends on.
    """
    return _draw()


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_HASH_FUNCS)
def _known(reading: Reading) -> dict:
    """Return what has been measured in a reading, filled by `ranking`."""
    return {}


@st.cache_resource(max_entries=1024, show_spinner="Computing differences …", hash_funcs=_HASH_FUNCS)
def pair(reading: Reading, config: CompareConfig, first: str, second: str) -> Ranking:
    """Return the ranking of two sources alone, on the items of both."""
    from capo_core.distributions.ranking import rank

    config = replace(config, min_share=0.0)
    return rank(reading.judgments, config, sources=[first, second], known=_known(reading))


@st.cache_resource(show_spinner=False)
def computed() -> Recent:
    """Results that are computed with a bar of progress, which a cached function cannot draw."""
    return Recent()


class Recent(dict):
    """A dictionary that forgets its oldest entry beyond `MOST`."""

    MOST = 24

    def __setitem__(self, key, value) -> None:
        super().__setitem__(key, value)
        while len(self) > self.MOST:
            self.pop(next(iter(self)), None)
