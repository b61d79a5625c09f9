"""Words that stand for no explanation, and spellings of one annotator's name."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from capo_core.data.alike import bare, joined_forms, same_name, same_text
from capo_core.data.label_scales import MISSING
from capo_core.data.readers.encoding import map_text
from capo_core.data.rejected_rows import quoted
from capo_core.formatting import count, name_list

# What people type where they have no explanation, in small letters without spaces and full stops.
_NO_EXPLANATION = frozenset(
    {"n/a", "na", "none", "nil", "null", "nan", "#n/a", "<na>", "noexplanation", "nocomment"}
    | {"nocomments", "noreason", "notapplicable", "ka", "keineangabe"}
)
_DASHES = re.compile(r"[\s\-‐-―−_~./\\*…·•]*")  # nothing but dashes, dots and the like


def says_nothing(explanation: str) -> bool:
    """Return whether an explanation is empty or a word for none, such as "N/A", "-" or "none".

    >>> says_nothing(" n. a. "), says_nothing("–"), says_nothing("No."), says_nothing("none of it")
    (True, True, False, False)
    """
    stripped = explanation.strip()
    if stripped in MISSING or _DASHES.fullmatch(stripped):
        return True
    if len(stripped) > 20:
        return False
    folded = unicodedata.normalize("NFKC", stripped).casefold()
    return re.sub(r"[\s.!]+", "", folded) in _NO_EXPLANATION


def without_empty_words(explanations: pd.Series, notes: list[str]) -> pd.Series:
    """Return the explanations with "" for those that say nothing; others stay as written."""
    nothing = Counter(
        text.strip() for text in explanations.tolist() if text.strip() and says_nothing(text)
    )
    if nothing:
        listed = [f"{quoted(text)} ({number:,})" for text, number in nothing.most_common()]
        notes.append(
            f"{count(nothing.total(), 'explanation')} that only "
            f"{'says' if nothing.total() == 1 else 'say'} {name_list(listed)}: read as none"
        )
    return map_text(explanations, lambda text: "" if says_nothing(text) else text)


def without_marks(work: pd.DataFrame, columns: Sequence[str], notes: list[str]) -> None:
    """Take white space and invisible marks from the ends of the cells of `columns`."""
    number = 0
    for column in columns:
        before = work[column]
        work[column] = map_text(before, bare)
        pairs = zip(before.tolist(), work[column].tolist(), strict=True)
        number += sum(len(a) != len(b) and a.strip() != b for a, b in pairs)
    if number:
        notes.append(
            f"{count(number, 'label, name or identifier', 'labels, names and identifiers')} with "
            "invisible marks (of writing direction or byte order) at the ends: read without them"
        )


def join_annotators(work: pd.DataFrame, notes: list[str]) -> None:
    """Join annotators whose names a reader cannot tell apart; name those that differ by case."""
    uses = Counter(work["annotator_id"].tolist())
    uses.pop("", None)
    if new := joined_forms(work["annotator_id"].tolist(), same_name):
        work["annotator_id"] = map_text(work["annotator_id"], lambda name: new.get(name, name))
        pairs = [f"{quoted(a)} → {quoted(b)}" for a, b in new.items()]
        notes.append(
            "annotators whose names differ by Unicode form or invisible marks only are joined: "
            f"{name_list(pairs)}"
        )
    alike: dict[str, list[str]] = {}
    for name in uses:
        if name not in new:
            alike.setdefault(same_text(name), []).append(name)
    twins = [" and ".join(map(quoted, sorted(each))) for each in alike.values() if len(each) > 1]
    if twins:
        notes.append(
            f"annotators whose names differ by case or spaces only are kept apart: "
            f"{name_list(twins, most=6)}; if they are one person, write them alike in the file"
        )
