"""Profiles of annotators and their phrases, shared by all sessions.

The modules of the analysis are imported where they are used, since loading them takes seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.cache import HASH_FUNCS, dataset
from capo_core.dashboard.stability.cache import best_report
from capo_core.data.catalog import Entry
from capo_core.dataset import Dataset
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.stability.annotator_profiles import AnnotatorProfile


def profiles(workspace: Workspace, entry: Entry) -> tuple[AnnotatorProfile, ...]:
    """Return the annotators' profiles: the report's if there is one, else computed here."""
    found = best_report(workspace, entry)
    if found is not None and found.profiles:
        return found.profiles
    return _profiles(dataset(workspace, entry))


@st.cache_resource(max_entries=8, show_spinner="Computing the profiles …", hash_funcs=HASH_FUNCS)
def _profiles(data: Dataset) -> tuple[AnnotatorProfile, ...]:
    from capo_core.stability import annotator_profiles

    return tuple(annotator_profiles.annotator_profiles(data))


def phrases(workspace: Workspace, entry: Entry) -> pd.DataFrame:
    """Return the distinctive phrases of each annotator; shared, not to be changed."""
    found = best_report(workspace, entry)
    if found is not None and not found.config.raw:
        return found.distinctive.frame
    return _phrases(dataset(workspace, entry))


@st.cache_resource(max_entries=8, show_spinner="Counting phrases …", hash_funcs=HASH_FUNCS)
def _phrases(data: Dataset) -> pd.DataFrame:
    from capo_core.stability import phrases as stability_phrases

    return stability_phrases.distinctive_phrases(data)


@st.cache_resource(max_entries=64, show_spinner="Comparing phrases …", hash_funcs=HASH_FUNCS)
def phrases_of_two(data: Dataset, first: str, second: str) -> pd.DataFrame:
    """Return the distinctive phrases of two annotators, each compared with the other alone."""
    from capo_core.stability import phrases as stability_phrases

    both = data.annotations["annotator_id"].isin([first, second])
    return stability_phrases.distinctive_phrases(replace(data, annotations=data.annotations[both]))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH_FUNCS)
def agreement_of_two(data: Dataset, first: str, second: str) -> pd.Series:
    """Return the agreement of two annotators with common items, as the stability report has it."""
    from capo_core.stats import agreement

    return agreement.pair_agreement(data, first, second)


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=HASH_FUNCS)
def with_phrase(data: Dataset, phrase: str) -> tuple[str, ...]:
    """Return the annotations that the tables of phrases count for a phrase."""
    from capo_core.stability import phrases as stability_phrases

    return stability_phrases.find_phrase(data, phrase, without_input=True)
