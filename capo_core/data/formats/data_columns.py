"""Rows of a tool's table, in which the columns that were shown are told from the answers."""

from __future__ import annotations

from dataclasses import replace

from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import ToolAnswer, labels_of
from capo_core.data.readers.encoding import cell_text

_SHOWN = {*SYNONYMS["text_a"], *SYNONYMS["text_b"], *SYNONYMS["item_id"], *SYNONYMS["split"]}
_ANSWERED = {*SYNONYMS["label"], *SYNONYMS["explanation"]}


def data_and_answers(answers: list[ToolAnswer]) -> list[ToolAnswer]:
    """Return rows whose `given` holds all columns with what was shown moved to `texts`.

    What was shown is the same in all rows of an item, so a column that differs within an item is
    an answer. A column that never differs was shown if its name says so, or if it differs from
    item to item as texts do; else it is an answer that all agree on.
    """
    names = list(dict.fromkeys(name for each in answers for name in each.given))
    first: dict[tuple[str, str], object] = {}
    differing, values = set(), {name: set() for name in names}
    for answer in answers:
        for name, value in answer.given.items():
            seen = first.setdefault((answer.item, name), value)
            if seen != value and answer.item:
                differing.add(name)
            values[name].add(cell_text(value))
    items = len({answer.item for answer in answers})
    shown = {
        name
        for name in names
        if name not in differing and _was_shown(name, values[name], items, answers)
    }
    return [
        replace(
            answer,
            texts={k: cell_text(v) for k, v in answer.given.items() if k in shown},
            given={k: v for k, v in answer.given.items() if k not in shown},
        )
        for answer in answers
    ]


def _was_shown(name: str, values: set[str], items: int, answers: list[ToolAnswer]) -> bool:
    key = normalised_name(name)
    if key in _ANSWERED:
        return False
    if key in _SHOWN:
        return True
    if any(not isinstance(each.given.get(name, ""), str) for each in answers):
        return False
    words = sum(len(value.split()) for value in values) / max(len(values), 1)
    return len(values) > 0.5 * items and (words > 2 or len(values) > 20) and any(
        labels_of(value)[0] for value in values
    )  # fmt: skip
