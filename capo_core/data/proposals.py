"""Values and proposals for the columns of the import form, before anything is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from capo_core.data.column_names import is_aggregate, normalised_name
from capo_core.data.column_values import SAMPLED, are_labels, are_sentences, filled_cells
from capo_core.data.columns import AnnotatorColumns, ColumnMapping
from capo_core.dataset import Dataset
from capo_core.formatting import count, percent

_PREFIX = re.compile(r"\s*(?P<who>[^:|/–—]{1,30}?)\s*(?:[:|/]|\s[-–—])\s*(?P<rest>\S.*)")
_NUMBERS = ("nr", "no", "number", "nummer", "num", "row", "zeile")  # of a table's items


def sample_values(cells: pd.Series, most: int = 3, characters: int = 28) -> str:
    """Return the first different values of a column and how many there are, for beside a field.

    >>> sample_values(pd.Series(["yes", "no", "", "yes"]))
    'yes · no (2 values, 1 empty)'
    """
    stripped = [text.strip() for text in cells.head(SAMPLED).tolist()]
    values = list(dict.fromkeys(text for text in stripped if text))
    if not values:
        return "empty"
    most = 1 if len(values[0]) > characters else most  # sentences begin alike
    shown = [
        value if len(value) <= characters else f"{value[: characters - 1].rstrip()}…"
        for value in (" ".join(each.split()) for each in values[:most])
    ]
    about = [count(len(values), "value")]
    if empty := stripped.count(""):
        about.append(f"{empty:,} empty")
    if len(cells) > SAMPLED:
        about.append(f"of the first {SAMPLED:,} rows")
    more = " …" if len(values) > most and not shown[-1].endswith("…") else ""
    return f"{' · '.join(shown)}{more} ({', '.join(about)})"


def prefixed_columns(frame: pd.DataFrame, taken: set[str]) -> tuple[AnnotatorColumns, ...]:
    """Return the annotators of columns such as "P1: Urteil" and "P1: Kommentar", by their values.

    At least two prefixes must have the same columns, one with few different values (the label) and
    at most one with sentences (the explanation); () if the table is not of this kind.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in map(str, frame.columns):
        match = _PREFIX.fullmatch(name) if name not in taken else None
        if match:
            groups.setdefault(match["who"], {})[match["rest"].strip().casefold()] = name
    if len(groups) < 2:
        return ()
    common = set.intersection(*(set(columns) for columns in groups.values()))
    cells = {
        rest: [text for columns in groups.values() for text in filled_cells(frame[columns[rest]])]
        for rest in common
    }
    labels = [rest for rest in common if are_labels(cells[rest])]
    texts = [rest for rest in common if are_sentences(cells[rest])]
    if len(labels) != 1 or len(texts) > 1:
        return ()
    return tuple(
        AnnotatorColumns(who, columns[labels[0]], columns[texts[0]] if texts else "")
        for who, columns in groups.items()
    )


def with_proposed_columns(guessed: ColumnMapping, frame: pd.DataFrame) -> ColumnMapping:
    """Return a mapping with columns proposed by their values for roles that no name fits.

    Of a long table the label (few values) and the explanation (sentences that repeat less than
    items do), of any table the text (sentences), of a wide one the number of the item; each only if
    one column alone can be it.
    """

    def proposed(fits: Callable[[list[str]], bool]) -> str:
        taken = set(mapping.columns().values())
        names = [str(name) for name in frame.columns if name not in taken]
        fitting = [
            name for name in names if fits(filled_cells(frame[name])) and not is_aggregate(name)
        ]
        return fitting[0] if len(fitting) == 1 else ""

    mapping = guessed
    if not mapping.wide and mapping.annotator_id and not mapping.label:
        mapping = replace(mapping, label=proposed(are_labels))
    if not mapping.wide and mapping.label and mapping.text_a and not mapping.explanation:
        mapping = replace(mapping, explanation=proposed(are_sentences))
    if not mapping.text_a:
        mapping = replace(mapping, text_a=proposed(are_sentences))
    if mapping.wide and not mapping.item_id:
        numbers = [
            str(name)
            for name in frame.columns
            if normalised_name(str(name)) in _NUMBERS and frame[name].is_unique
        ]
        mapping = replace(mapping, item_id=numbers[0] if len(numbers) == 1 else "")
    return mapping


def consequences(dataset: Dataset) -> list[str]:
    """Return what a dataset cannot be used for, in sentences; [] if nothing stands in the way."""
    if not len(dataset.annotations):
        return []  # crowd counts alone: the import says so itself
    told = []
    texts = [text.strip() for text in dataset.annotations["explanation"].tolist()]
    given = sum(map(bool, texts))
    if not dataset.explained:
        told.append(
            "No explanations: stability and imitation will not work. Label use, the agreement of "
            "two annotators and label distributions will."
        )
    elif given < len(texts):
        without = len(texts) - given
        told.append(
            f"{without:,} of {count(len(texts), 'annotation')} ({percent(without / len(texts))}) "
            f"{'has' if without == 1 else 'have'} no explanation; stability and imitation use the "
            "others."
        )
    if len(dataset.annotators) == 1:
        told.append("One annotator: there is nobody to compare with, so stability and CAPO will "
                    "not work.")  # fmt: skip
    elif dataset.annotations.groupby("item_id")["annotator_id"].nunique().max() == 1:
        told.append(
            "No item has two annotators: agreement cannot be computed, CAPO has no pairs, and "
            "annotator and item cannot be told apart."
        )
    if len(dataset.items) == 1:
        told.append("One item: nothing can be held out, so stability and imitation will not work.")
    return told + _without_texts(dataset.items)


def _without_texts(items: pd.DataFrame) -> Sequence[str]:
    if (items["text_a"] == items["item_id"]).all():
        return ["No texts: the identifier stands in place of each item's text, so that a model "
                "sees no item."]  # fmt: skip
    return []
