"""Profiles of annotators and their phrases, shared by all sessions.

The modules of the analysis are imported where they are used, since loading them takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.cache import HASH_FUNCS, annotations_by_id, dataset
from capo_core.dashboard.stability.cache import best_report
from capo_core.dashboard.ui.item_html import Answer, Tile, same_texts
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


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=HASH_FUNCS)
def phrase_reliability(data: Dataset) -> dict[str, str]:
    """Return annotator → how well the strengths of their phrases come back in another half of the
    items, as a sentence; "" where it is undefined."""
    from capo_core.stability import phrases as stability_phrases

    return {
        row.annotator_id: stability_phrases.reliability_sentence(row)
        for row in stability_phrases.phrase_reliability(data).itertuples()
    }


@st.cache_resource(max_entries=64, show_spinner="Comparing phrases …", hash_funcs=HASH_FUNCS)
def phrases_of_two(data: Dataset, first: str, second: str) -> pd.DataFrame:
    """Return the distinctive phrases of two annotators, each compared with the other alone."""
    from capo_core.stability import phrases as stability_phrases

    both = data.annotations["annotator_id"].isin([first, second])
    return stability_phrases.distinctive_phrases(replace(data, annotations=data.annotations[both]))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH_FUNCS)
def most_common_items(data: Dataset, first: str = "") -> tuple[str, str]:
    """Return the two annotators with the most common items, or `first` and the one with whom it
    has most; see `stats.agreement.most_common_items`."""
    from capo_core.stats import agreement

    return agreement.most_common_items(data, first)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH_FUNCS)
def agreement_of_two(data: Dataset, first: str, second: str) -> pd.Series:
    """Return the agreement of two annotators with common items, as the stability report has it."""
    from capo_core.stats import agreement

    return agreement.pair_agreement(data, first, second)


@dataclass(frozen=True)
class PhraseTexts:
    """The explanations with a phrase, of one annotator or of several.

    Attributes:
        count: their number. of: the number of explanations with or without it.
        tiles: the texts, equal ones together.
    """

    count: int
    of: int
    tiles: tuple[Tile, ...]


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASH_FUNCS)
def texts_with_phrase(data: Dataset, phrase: str, name: str) -> tuple[PhraseTexts, PhraseTexts]:
    """Return the explanations that the tables of phrases count for a phrase: those of an annotator,
    and those of the others."""
    from capo_core.stability import phrases as stability_phrases

    found = stability_phrases.find_phrase(data, phrase, without_input=True)
    rows = annotations_by_id(data).loc[list(found)]
    written = data.annotations.loc[
        data.annotations["explanation"].str.strip() != "", "annotator_id"
    ]
    own, of_own = rows["annotator_id"] == name, int((written == name).sum())
    return (
        PhraseTexts(int(own.sum()), of_own, _tiles(rows[own])),
        PhraseTexts(int((~own).sum()), len(written) - of_own, _tiles(rows[~own])),
    )


def _tiles(rows: pd.DataFrame) -> tuple[Tile, ...]:
    tiles = []
    for same in same_texts(rows):
        first = same.iloc[0]
        answer = Answer(first["annotator_id"], first["label"], first["explanation"])
        tiles.append(Tile(answer, tuple(same["item_id"])))
    return tuple(tiles)
