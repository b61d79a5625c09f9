"""Results of the page Studies that are cached between reruns, and its access to the database.

Answers with their sources come from here only after a study was unblinded: the service refuses
before, and no page of a judge imports this module.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import streamlit as st

from capo_core.dashboard.app import cache
from capo_core.dashboard.studies.background import Work
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.settings import as_json
from capo_core.study import store
from capo_core.study.design import draft as design_draft
from capo_core.study.owner.service import StudyService
from capo_core.workspace import Workspace, content_hash

if TYPE_CHECKING:
    from capo_core.dashboard.studies.compute import Preview, Trying
    from capo_core.study.analysis.preference_pairs import PairFilter
    from capo_core.study.analysis.report import StudyReport
    from capo_core.study.config import StudyConfig
    from capo_core.study.design.balance_report import BalanceReport
    from capo_core.study.design.draft import Draft
    from capo_core.study.design.leaks import Leak
    from capo_core.study.design.planner import StudyPlan


T = TypeVar("T")
# A workspace in a cache of the database: the studies may lie in a server's.
_DATABASE: dict[type | str, Any] = {
    Workspace: lambda workspace: (str(workspace.root), os.environ.get(store.VARIABLE, "")),
}


@st.cache_resource(show_spinner=False)
def work() -> Work:
    """Return the shared background worker of the page."""
    return Work()


def service(workspace: Workspace) -> StudyService | None:
    """Return the owner's side of the database; None where it does not exist yet.

    Raises:
        CapoError: the database cannot be reached.
    """
    there = os.environ.get(store.VARIABLE) or (workspace.root / store.FILE).exists()
    return begun_service(workspace) if there else None


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_DATABASE)
def begun_service(workspace: Workspace) -> StudyService:
    """Return the owner's side of the database, created if missing. Raises as `open_store`."""
    return StudyService(store.open_store(workspace))


def dataset(workspace: Workspace, name: str) -> Dataset:
    """Return a dataset by its name; `DataError` where it does not exist."""
    return cache.dataset(workspace, Catalog(workspace).entry(name))


def stamp(workspace: Workspace, name: str) -> tuple:
    """Changes whenever a file of the study does."""
    folder = design_draft.folder_of(workspace, name)
    return tuple(
        sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in folder.glob("*.*"))
    )


def of_study(
    spinner: str | bool = False,
) -> Callable[[Callable[[Workspace, str], T]], Callable[[Workspace, str], T]]:
    """Cache a function of a study's files by its workspace and name until one of them changes."""

    def decorate(function: Callable[[Workspace, str], T]) -> Callable[[Workspace, str], T]:
        def read(workspace: Workspace, name: str, stamp: tuple) -> T:
            return function(workspace, name)

        read.__qualname__ = function.__qualname__  # Streamlit tells caches apart by it
        cached = st.cache_resource(
            read, max_entries=8, show_spinner=spinner, hash_funcs=cache.HASH_FUNCS
        )

        @functools.wraps(function)
        def current(workspace: Workspace, name: str) -> T:
            return cached(workspace, name, stamp(workspace, name))

        return current

    return decorate


@of_study("Reading the study …")
def draft(workspace: Workspace, name: str) -> Draft:
    """The study's tables; `StudyError` where they cannot be read. Shared, not to be changed."""
    return design_draft.load(workspace, name)


@of_study()
def parts(workspace: Workspace, name: str) -> dict[str, str]:
    """Hashes of what the page shows of a draft."""
    from capo_core.study.design import freeze

    return freeze.parts_of(design_draft.load(workspace, name))


@of_study()
def balance(workspace: Workspace, name: str) -> BalanceReport:
    """Return how often each source, target and item is drawn."""
    from capo_core.study.design import balance_report

    return balance_report.count_balance(design_draft.load(workspace, name))


@of_study()
def preview_of(workspace: Workspace, name: str) -> Preview:
    """Return a study that was drawn, as `preview` does one that is not."""
    from capo_core.dashboard.studies import compute

    return compute.preview_of(design_draft.load(workspace, name))


def leaks(workspace: Workspace, name: str) -> list[Leak] | None:
    """Return the leaks of a draft; None while they are computed."""

    def look() -> list[Leak]:
        from capo_core.study.design import leaks as looking

        found = design_draft.load(workspace, name)
        return looking.find_leaks(found, Catalog(workspace).load(found.config.dataset))

    return work().ask(("leaks", workspace.root, name, stamp(workspace, name)), look)


def preview(workspace: Workspace, entry, config: StudyConfig) -> Preview | None:
    """Return the design drawn and planned, without files on disk; None while it is drawn."""
    data = cache.dataset(workspace, entry)

    def make() -> Preview:
        from capo_core.dashboard.studies import compute

        return compute.preview(workspace, data, config)

    key = ("preview", workspace.root, entry.fingerprint, content_hash(config.to_dict()))
    return work().ask(key, make)


def plans(found: Preview, annotators: int, assumed: dict[str, float]):
    """Return the power analysis of a preview, a plan a kind; None while computing."""

    def make():
        from capo_core.dashboard.studies import compute

        return compute.planned(found, annotators, assumed)

    key = ("plan", content_hash(found.config.to_dict(), found.words, annotators, assumed))
    return work().ask(key, make)


def judges_needed(workspace: Workspace, found: Preview, plans: tuple[StudyPlan, ...]):
    """Return how many judges a preview needs (`compute.JudgesNeeded`); None while computing."""
    config = found.config
    data = dataset(workspace, config.dataset)

    def make():
        from capo_core.dashboard.studies import compute

        return compute.judges_needed(workspace, data, config, plans)

    numbers = [as_json(each.numbers) for each in plans]
    key = ("judges", workspace.root, data.fingerprint, content_hash(config.to_dict(), numbers))
    return work().ask(key, make)


def consequence(
    workspace: Workspace, entry, config: StudyConfig, annotators: int, assumed: dict[str, float]
):
    """Return minutes and power of a design; None while computing. Raises as `preview`."""
    data = cache.dataset(workspace, entry)

    def make():
        from capo_core.dashboard.studies import compute

        return compute.consequence(workspace, data, config, annotators, assumed)

    key = ("consequence", workspace.root, entry.fingerprint,
           content_hash(config.to_dict(), annotators, assumed))  # fmt: skip
    return work().ask(key, make, patience_s=0.2)


def tried(workspace: Workspace, name: str, trying: Trying) -> StudyReport | None:
    """Return the results of simulated judges; None while computing."""

    def make() -> StudyReport:
        from capo_core.dashboard.studies import compute

        return compute.tried(workspace, design_draft.load(workspace, name), trying)

    return work().ask(("tried", workspace.root, name, stamp(workspace, name), trying), make)


@st.cache_resource(max_entries=4, show_spinner="Reading the answers …", hash_funcs=_DATABASE)
def judgments(workspace: Workspace, name: str, unblinded: str) -> pd.DataFrame:
    """The answers with their sources, after unblinding; noted in the audit log when first read.

    Raises:
        StudyError: the study was not unblinded.
    """
    return begun_service(workspace).export_judgments(name)


@st.cache_resource(max_entries=4, show_spinner="Reading the texts …", hash_funcs=_DATABASE)
def texts(workspace: Workspace, name: str, unblinded: str) -> pd.DataFrame:
    """Texts that each trial showed, with sources (`owner.trials.TRIAL_TEXTS`). As `judgments`."""
    return begun_service(workspace).export_texts(name)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_DATABASE)
def trials(workspace: Workspace, name: str, unblinded: str) -> pd.DataFrame:
    """The trials with what judges answered (`owner.trials.TRIALS_OF_STUDY`). As `judgments`."""
    from capo_core.study.owner.trials import trials_of

    return trials_of(judgments(workspace, name, unblinded), texts(workspace, name, unblinded))


def report(
    workspace: Workspace, name: str, unblinded: str, mu: str, crowd: str = ""
) -> StudyReport | None:
    """The analysis of the answers; None while it is computed.

    Args:
        mu: priors on μ, as `compute.priors` reads them.
        crowd: a further model of attributions (`crowd_models`); "" for none.
    """
    frame = judgments(workspace, name, unblinded)

    def make() -> StudyReport:
        from capo_core.dashboard.studies import compute

        return compute.report(workspace, name, frame, mu, crowd)

    key = ("report", workspace.root, name, stamp(workspace, name), unblinded, len(frame), mu,
           crowd)  # fmt: skip
    return work().ask(key, make)


def pairs(
    workspace: Workspace, name: str, unblinded: str, mu: str, chosen_by: PairFilter
) -> tuple[pd.DataFrame, tuple[str, ...]] | None:
    """The preference pairs of a study, and what was left out; None while they are selected.

    Raises:
        StudyError: by quality, and that is not known.
    """
    frame = judgments(workspace, name, unblinded)
    found = report(workspace, name, unblinded, mu)
    if found is None or found.analysis.quality is None:
        return None
    drawn = draft(workspace, name)
    data = dataset(workspace, drawn.config.dataset)

    def make() -> tuple[pd.DataFrame, tuple[str, ...]]:
        from capo_core.study.analysis.preference_pairs import pairs_of, selection_words

        made = pairs_of(drawn, data, frame, found.analysis.quality, chosen_by)
        return made, selection_words(frame, made, chosen_by)

    key = ("pairs", workspace.root, name, stamp(workspace, name), unblinded, len(frame), mu)
    return work().ask((*key, chosen_by), make)
