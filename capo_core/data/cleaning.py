"""Words that stand for no explanation, and spellings of one annotator's name."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import pandas as pd

from capo_core.data.label_scales import MISSING, same_text
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


def join_annotators(work: pd.DataFrame, notes: list[str]) -> None:
    """Join annotators whose names differ by Unicode form only; name those that differ by case."""
    uses = Counter(work["annotator_id"].tolist())
    uses.pop("", None)
    forms: dict[str, list[str]] = {}
    for name in uses:
        forms.setdefault(unicodedata.normalize("NFKC", name), []).append(name)
    new = {}
    for same in forms.values():
        chosen = min(same, key=lambda name: (-uses[name], len(name), name))
        new |= {name: chosen for name in same if name != chosen}
    if new:
        work["annotator_id"] = map_text(work["annotator_id"], lambda name: new.get(name, name))
        pairs = [f"{quoted(a)} → {quoted(b)}" for a, b in new.items()]
        notes.append(
            f"annotators whose names differ by Unicode form only are joined: {name_list(pairs)}"
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
