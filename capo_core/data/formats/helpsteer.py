"""Preferences without annotators: recognised, and refused with the reason.

As in HelpSteer3, and in files of chosen and rejected answers for training (TRL, LLaMA-Factory).

A record of HelpSteer3 has two responses and `individual_preference`, a list of scores with
reasons. Nobody is named, and the place in the list is not a person: the annotators cannot be told
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError


def matches(source: ImportSource) -> bool:
    """Return whether the records hold preferences between responses and no annotator."""
    if _are_pairs(source):
        return True
    for record in source.sample:
        given = record.get("individual_preference")
        if isinstance(given, str) and "score" in given:
            return True
        if isinstance(given, list) and given and isinstance(given[0], dict):
            return not any("annotator" in key or "worker" in key for key in given[0])
    return False


def _are_pairs(source: ImportSource) -> bool:
    """Return whether the records are chosen and rejected answers, by nobody."""
    return bool(source.sample) and all(
        {"chosen", "rejected"} <= set(record) and not _named(record) for record in source.sample
    )


def _named(record: Mapping[str, Any]) -> bool:
    return bool(set(map(normalised_name, record)) & set(SYNONYMS["annotator_id"]))


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Raise the reason why these preferences are no annotations.

    Raises:
        DataError: always.
    """
    if _are_pairs(source):
        raise DataError(
            "chosen and rejected answers name no annotators: they are preferences to train on, "
            "not annotations",
            where=source.name,
            expected="an annotator for each label",
            todo="train on them instead of importing them",
            option="train capo --preferences FILE",
        )
    raise DataError(
        "the ratings in individual_preference name no annotators: they cannot be assigned to "
        "people, and the place in the list is not a person",
        where=source.name,
        expected="an annotator for each rating",
    )


FORMAT = Format(
    name="preferences",
    title="Preferences without annotators",
    description="HelpSteer3's preferences, and chosen and rejected answers as of TRL and "
    "LLaMA-Factory; refused, because nobody is named",
    read=read,
    matches=matches,
    sign="'individual_preference' with scores, or 'chosen' and 'rejected', and no annotators",
)
