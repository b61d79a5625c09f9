"""Numbers and identifiers that a spreadsheet has changed: refused, since nobody can tell them back.

A spreadsheet makes dates of steps such as 1-2, and of long identifiers 1.23457E+18.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from capo_core.data.rejected_rows import quoted
from capo_core.errors import DataError

_THOUSANDS = re.compile(r"[+\-−–]?[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}")
_DECIMAL_COMMA = re.compile(r"[+\-−–]?(?:0|\d{4,})?,\d+|[+\-−–]?\d+,(?:\d{1,2}|\d{4,})")
_MONTHS = """jan feb mar apr may jun jul aug sep sept oct nov dec mrz mär mai okt dez janv févr mars
    avr juin juil août déc ene abr ago dic gen mag giu lug set ott fev out dez янв фев мар апр май
    июн июл авг сен окт ноя дек"""
_MONTH = rf"(?:{'|'.join(_MONTHS.split())})\.?"
# A date as a spreadsheet makes it of "1-2" or "3/4".
_MADE_DATE = re.compile(
    rf"(?:\d{{1,2}}-|\d\d\. ?){_MONTH}(?:[\- ]\d{{2,4}})?|{_MONTH}-\d{{2}}"
    r"|\d{1,2}月\d{1,2}日",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ][\d:.]+)?|\d{1,2}([/.])\d{1,2}\1\d{2,4}(?:[T ][\d:.]+)?"
)
_LOST_DIGITS = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,3}", re.IGNORECASE)


def without_thousands(text: str) -> str:
    """Return "1,000" as "1000"; "" for a text that is no number with commas between thousands.

    >>> without_thousands("12,500"), without_thousands("2,5"), without_thousands("0,125")
    ('12500', '', '')
    """
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else ""


def check_mangled(labels: Sequence[str], where: str) -> None:
    """Raise `DataError` for labels that are dates, or thousands written with a comma.

    "1,000" may be a thousand or one; it is one where another label has a comma for decimals ("2,5",
    "0,125").
    """
    dates = [label for label in labels if _MADE_DATE.fullmatch(label)]
    if not dates and labels and all(_DATE.fullmatch(label) for label in labels):
        dates = list(labels)
    if dates:
        raise DataError(
            f"there are dates among the labels, such as {quoted(dates[0])}",
            where=where,
            expected="labels as the annotators gave them",
            todo="if the labels were steps such as 1-2, a spreadsheet has made dates of them: take "
            "the file from before, or read the column as text there; if they are dates, give them "
            "as the labels; or choose the column that holds the label",
            option="--labels a,b,c, or --map label=COLUMN",
        )
    thousands = [label for label in labels if without_thousands(label)]
    if thousands and not any(_DECIMAL_COMMA.fullmatch(label) for label in labels):
        raise DataError(
            f"the label {quoted(thousands[0])} may be {without_thousands(thousands[0])}, or a "
            "number with decimals",
            where=where,
            expected="numbers without commas between thousands",
            todo="write them without commas in the file; or give the range of the scale",
            option="--ordinal low:high:step",
        )


def check_identifiers(work: pd.DataFrame, where: str) -> None:
    """Raise `DataError` where items or annotators have identifiers such as 1.23457E+18.

    Their last digits are lost, so that several items or annotators may have the same.
    """
    for column, what in (("item_id", "items"), ("annotator_id", "annotators")):
        lost = next((text for text in work[column].tolist() if _LOST_DIGITS.fullmatch(text)), "")
        if not lost:
            continue
        items = column == "item_id"
        other = "choose another column for the item, or none, so that equal texts are one item"
        raise DataError(
            f"values of {column} such as {lost} have lost their last digits in a spreadsheet: "
            f"several {what} may have the same",
            where=where,
            expected="identifiers with all their digits",
            todo="take the file from before, or read the column as text in the spreadsheet"
            f"{f'; or {other}' if items else ''}",
            option="--map item_id=COLUMN, or --map item_id=" if items else "",
        )
