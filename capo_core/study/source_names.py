"""Names of sources in sentences: of results, of reports and on pages."""

from __future__ import annotations

from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.study.tables import HUMAN, OTHER_HUMAN

PEOPLES_TEXTS = {
    HUMAN: "The target's own texts",
    OTHER_HUMAN: "Another annotator's texts",
}


def source_name(source: str) -> str:
    """Return "The target's own texts" for "human", "Zero-shot-2" for "zero_shot-2".

    Sources of one method on several bases are numbered, see `dashboard.studies.new_study`.
    """
    if source in PEOPLES_TEXTS:
        return PEOPLES_TEXTS[source]
    for mark in (" ", "-"):
        head, found, rest = source.partition(mark)
        if head in METHOD_TITLES:
            return METHOD_TITLES[head] + found + rest
    return source


def inside(source: str) -> str:
    """Return a source's name as it stands in the middle of a sentence."""
    name = source_name(source)
    return name[0].lower() + name[1:] if source in PEOPLES_TEXTS else name


def pair_name(first: str, second: str) -> str:
    """Return "The target's own texts against SFT"."""
    return f"{source_name(first)} against {inside(second)}"
