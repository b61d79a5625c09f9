"""Preferences without annotators, as in HelpSteer3: recognised, and refused with the reason.

Each record has two responses and `individual_preference`, a list of scores with reasons. Nobody
is named, and the place in the list is not a person: the annotators cannot be told apart.
"""

from __future__ import annotations

from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError


def matches(source: ImportSource) -> bool:
    """Return whether the records hold preferences between responses and no annotator."""
    for record in source.sample:
        given = record.get("individual_preference")
        if isinstance(given, str) and "score" in given:
            return True
        if isinstance(given, list) and given and isinstance(given[0], dict):
            return not any("annotator" in key or "worker" in key for key in given[0])
    return False


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Raise the reason why these preferences are no annotations.

    Raises:
        DataError: always.
    """
    raise DataError(
        "the ratings in individual_preference name no annotators: they cannot be assigned to "
        "people, and the place in the list is not a person",
        where=source.name,
        expected="an annotator for each rating",
    )


FORMAT = Format(
    name="preferences",
    title="Preferences without annotators",
    description="JSON Lines such as HelpSteer3's preferences; refused, because nobody is named",
    read=read,
    matches=matches,
    sign="'individual_preference' with scores and no annotators",
)
