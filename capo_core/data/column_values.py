"""Kinds of columns by their values: labels, sentences, people. Only to propose and to ask."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from capo_core.data.column_names import is_nested, is_number, names_aggregate, normalised_name

SAMPLED = 2000  # rows looked at
_FEW = 12  # different values that a column of labels has at most
_LONG = 18  # mean number of letters above which cells are sentences
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")  # a sign says as much as three letters
# What studies ask people about themselves.
_PERSONAL = re.compile(
    r"(^|_)(gender|sex|age|race|ethnicity|education|country|nationality|occupation|language|"
    r"religion|politics|phase|turn|round)(_|$)"
)
# Words of columns with answers, who are no people.
_ANSWERS = {"label", "score", "rating", "answer", "annotation", "class", "classification"}
_IDENTIFIES = re.compile(r"(^|_)(ids?|uid|nr|no|number|index|idx)$|^(q|item|text|doc)id$")
_DATE = re.compile(
    r"\d{1,4}[-./年 ]+\d{1,2}[-./月 ]+\d{1,4}日?(?:[T ,]|$)|\d{1,2}:\d\d|\d{9,13}(?:\.\d+)?$"
)


def is_personal(name: str) -> bool:
    """Return whether a column is by its name about the people: "gender", "age_annotators"."""
    return bool(_PERSONAL.search(normalised_name(name)))


def filled_cells(cells: pd.Series) -> list[str]:
    """Return the first cells that are not blank, stripped."""
    return [text.strip() for text in cells.head(SAMPLED).tolist() if text.strip()]


def are_sentences(cells: Sequence[str]) -> bool:
    """Return whether cells hold sentences, by their mean length."""
    return bool(cells) and sum(map(_length, cells)) / len(cells) > _LONG


def _length(text: str) -> int:
    return len(text) + 2 * len(_UNSPACED.findall(text))


def are_passages(cells: Sequence[str]) -> bool:
    """Return whether cells hold texts of several words, so that they name nobody.

    >>> are_passages(["My train was late again.", "Go home, all of you."]), are_passages(["a b"])
    (True, False)
    """
    filled = [text for text in cells if text.strip()]
    words = sum(len(text.split()) for text in filled)
    return words >= 4 * len(filled) > 0 and len(set(filled)) > 1


def are_numbers(cells: Sequence[str]) -> bool:
    """Return whether all cells that are not blank are numbers; False where all are blank."""
    filled = [text.strip() for text in cells if text.strip()]
    return bool(filled) and all(map(is_number, filled))


def are_labels(cells: Sequence[str]) -> bool:
    """Return whether cells hold few different short values."""
    few = len(set(cells)) <= min(_FEW, max(2, len(cells) // 2))
    return bool(cells) and few and not are_sentences(cells)


def are_times(cells: Sequence[str]) -> bool:
    """Return whether cells are points in time, as survey tools write them."""
    return bool(cells) and all(_DATE.match(text) for text in cells)


def candidates(frame: pd.DataFrame, role: str, taken: set[str]) -> list[str]:
    """Return the columns that may have a role by their values, in the order of the file.

    Labels of one value throughout come last, and only beside others.

    Args:
        role: "label" (few values), "annotator_id" (values that come again), or "text_a"
            (sentences); other roles have none.
    """
    found = []
    same = []  # one value throughout: no proposal by itself
    ratings = []  # numbers of many different values, where nothing else may be the label
    for name in map(str, frame.columns):
        if name in taken or re.fullmatch(r"column \d+|Unnamed: \d+", name):
            continue
        cells = filled_cells(frame[name])
        if not cells or is_nested(frame[name]) or are_times(cells):
            continue
        different = len(set(cells))
        if role == "label":
            about = is_personal(name)
            aggregate = names_aggregate(re.sub("(?i)overall", "", name))
            if aggregate or about or _IDENTIFIES.search(normalised_name(name)):
                continue
            if are_labels(cells):
                (found if different > 1 or len(cells) == 1 else same).append(name)
            elif all(map(is_number, cells)):
                ratings.append(name)
        elif role == "annotator_id":
            again = 2 <= different <= max(2, len(cells) // 2)
            answer = _ANSWERS & set(normalised_name(name).split("_"))
            if again and not answer and not are_sentences(cells) and not names_aggregate(name):
                found.append(name)
        elif role == "text_a" and are_sentences(cells):
            found.append(name)
    return [*found, *same] if found else ratings
