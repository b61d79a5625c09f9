"""Pseudonyms in place of the annotators' names, from the import on.

Every export, atlas and study file names annotators as the dataset does. So names are replaced in
one place, before a dataset is made of the file: A1, A2, … in the order in which annotators first
occur (an alphabetical order would tell those who know the names which is whose). The key is kept
in the workspace, in the dataset's folder, and in nothing that is exported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd

from capo_core.data.alike import same_name, same_text
from capo_core.data.notes import Note
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.encoding import map_text
from capo_core.formatting import count, name_list

KEY_FILE = "pseudonyms.csv"  # in the folder of a dataset
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
LIKE_EMAIL = "e-mail address"  # in the note by which pages find it


def email_note(annotators: Iterable[str]) -> Note | None:
    """Return the note that annotators look like e-mail addresses; None if none does.

    >>> email_note(["ann@lab.example", "ben"])
    '1 of 2 annotators looks like an e-mail address: every export, atlas and study file names them'
    """
    names = list(annotators)
    found = sum(bool(_EMAIL.fullmatch(name.strip())) for name in names)
    if not found:
        return None
    looks = f"looks like an {LIKE_EMAIL}" if found == 1 else f"look like {LIKE_EMAIL}es"
    return Note(
        f"{found:,} of {count(len(names), 'annotator')} {looks}: "
        "every export, atlas and study file names them",
        "--pseudonyms imports them as A1, A2, …",
    )


def _person(name: str) -> str:
    """Return what is the same in all spellings that the import joins as one annotator."""
    return same_name(name)


def pseudonyms_of(names: Iterable[str]) -> dict[str, str]:
    """Return name → pseudonym, in the order of the names; "" has none.

    >>> pseudonyms_of(["zoe@lab.example", "ann@lab.example", " zoe@lab.example", ""])
    {'zoe@lab.example': 'A1', 'ann@lab.example': 'A2', ' zoe@lab.example': 'A1'}
    """
    people = dict.fromkeys(_person(name) for name in names if _person(name))
    number = {person: f"A{place}" for place, person in enumerate(people, 1)}
    return {name: number[_person(name)] for name in dict.fromkeys(names) if _person(name)}


def with_pseudonyms(raw: RawAnnotations, names: Mapping[str, str]) -> RawAnnotations:
    """Return the annotations by pseudonym, with a note of those that may be one person.

    The mapping of a table with columns for each annotator is left out: it holds their names.
    """
    frame = raw.frame.assign(
        annotator_id=map_text(raw.frame["annotator_id"], lambda name: names.get(name, "")),
        annotation_id=map_text(raw.frame["annotation_id"], Hidden(names)),
    )
    alike: dict[str, set[str]] = {}
    for name, pseudonym in names.items():
        alike.setdefault(same_text(name), set()).add(pseudonym)
    twins = [" and ".join(sorted(each)) for each in alike.values() if len(each) > 1]
    notes = raw.notes
    if twins:
        notes = (*notes, "annotators whose names differ by case or spaces only are kept apart: "
                 f"{name_list(twins, most=6)}")  # fmt: skip
    mapping = None if raw.mapping is None or raw.mapping.wide else raw.mapping
    return replace(raw, frame=frame, notes=notes, mapping=mapping)


_CUT = 24  # characters by which a longer name is known where a message has shortened it


class Hidden:
    """A function that returns a text with pseudonyms in place of annotators' names.

    Names of less than three characters occur in ordinary words and are left.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {name.strip()[:_CUT]: pseudonym for name, pseudonym in names.items()}
        self._names |= {name.strip(): pseudonym for name, pseudonym in names.items()}
        known = sorted((name for name in self._names if len(name) > 2), key=len, reverse=True)
        patterns = [
            re.escape(name) if len(name) != _CUT else rf"{re.escape(name)}[^\s'\",;:()]*"
            for name in known
        ]
        # Not inside a word: "ann" is no part of "annotator"; but "label_ann" has it.
        self._found = re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])")
        self._any = bool(known)

    def __call__(self, text: str) -> str:
        if not self._any:
            return text
        return self._found.sub(self._pseudonym, text)

    def _pseudonym(self, match: re.Match) -> str:
        return self._names.get(match[0]) or self._names[match[0][:_CUT]]


def key_table(names: Mapping[str, str]) -> pd.DataFrame:
    """Return the key: pseudonym and annotator, as written in the file."""
    rows = [(pseudonym, name.strip()) for name, pseudonym in names.items()]
    return pd.DataFrame(rows, columns=["pseudonym", "annotator"]).drop_duplicates(ignore_index=True)
