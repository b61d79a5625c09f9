"""Columns whose names say one thing and whose values another: asked about before they are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from capo_core.data.column_names import is_nested, names_quality, normalised_name
from capo_core.data.column_values import are_sentences, candidates, filled_cells
from capo_core.data.rejected_rows import quoted, quoted_list
from capo_core.errors import DataError

_LEAST = 4  # items with several annotators, below which values may agree by chance
# Columns that say which item it is, beside the one that was taken for it.
_WHICH = re.compile(
    r"(^|_)(ids?|uid|nr|no|number|index|idx|turn|seg|segment|sent|sentence|utterance|system|"
    r"model|source|src|target|tgt|translation|summary|response|conversation|prompt)(_|$)"
)
# Ends of names that tell one person's rounds apart; of the second, only after a person's name.
_ROUND = re.compile(
    r"(?:(?P<who>.+?)_)?(?:pre|post|before|after|(?:round|wave|session|time|phase|pass)_?\d)"
    r"|(?:(?:pre|post|before|after|round_?\d))_(?P<last>.+)"
    r"|(?P<person>.+)_(?:t|r)_?\d"
)


def check_are_annotators(people: Mapping[str, str], where: str) -> None:
    """Check that what stands in the annotators' place of column names is no round and no quality.

    Args:
        people: annotator → column.

    Raises:
        DataError: the names are those of one person's rounds ("anna_pre", "anna_post"), or of
            qualities that items are rated by ("fluency", "adequacy").
    """
    if rated := [who for who in people if names_quality(who) and who.casefold() != "joy"]:
        column = people[rated[0]]
        raise DataError(
            f"{quoted_list(rated)} in the place of annotators may be qualities that the items are "
            "rated by: these are answers to different questions",
            where=where,
            expected="the labels of one question, and columns that say who gave them",
            todo="choose one quality for the label and say whose ratings these are; if they are "
            "annotators, choose the column of each",
            option=f'--map "label={column}" --annotator NAME, or --map "label:{rated[0]}={column}" '
            "and so on",
        )
    rounds: dict[str, list[str]] = {}
    for who in people:
        if found := _ROUND.fullmatch(normalised_name(who)):
            rounds.setdefault(next(filter(None, found.groups()), ""), []).append(who)
    if sum(map(len, rounds.values())) < len(people) or max(map(len, rounds.values())) < 2:
        return
    first = " ".join(f'"label:{who or "NAME"}={people[each[0]]}"' for who, each in rounds.items())
    raise DataError(
        f"{quoted_list(people)} in the place of annotators may be several rounds of the same "
        "people",
        where=where,
        expected="one label of each annotator for an item",
        todo="choose the columns of one round; if they are different people, choose the column of "
        "each",
        option=f"--map {first}",
    )


def check_label_of_item(
    label: str, item: str, annotator: str, frame: pd.DataFrame, used: Iterable[str], where: str
) -> None:
    """Check that the label is not one of the item while annotators' answers are beside it.

    It is taken for the item's where all annotators of every item have the same value, and another
    column of a few values differs among them and is not one of themselves, as their gender is.

    Raises:
        DataError: it looks so.
    """
    by_item = frame.groupby(item, sort=False)
    several = by_item[annotator].nunique()
    shared = several[several > 1].index
    if len(shared) < _LEAST or (by_item[label].nunique() > 1).any():
        return
    rows = frame[frame[item].isin(shared)]
    answers = [
        name
        for name in candidates(frame, "label", set(used))
        if (rows.groupby(item)[name].nunique() > 1).mean() > 0.2
        and (frame.groupby(annotator)[name].nunique() > 1).mean() > 0.2
    ]
    if answers:
        found = name_with_samples(answers, frame)
        column = answers[0] if len(answers) == 1 else "COLUMN"
        raise DataError(
            f"{label!r} is the same for all annotators of each item, as a label of the item is, "
            f"and these columns differ among them: {found}",
            where=where,
            expected="a column with each annotator's own label",
            todo="choose the label",
            option=f'--map "label={column}", or --map "label={label}"',
        )


def check_identifies_items(
    item: str, annotator: str, frame: pd.DataFrame, used: Iterable[str], where: str
) -> None:
    """Check that the column of the items is not that of documents, questions or systems alone.

    It is where annotators have several rows for one of its values, and columns named or written
    like identifiers or texts tell these rows apart, with values that other annotators have too.

    Raises:
        DataError: it looks so.
    """
    pair = [item, annotator]
    sizes = frame.groupby(pair, sort=False)[item].transform("size")
    if (sizes > 1).mean() < 0.3:
        return
    rows = frame[sizes > 1]
    taken = set(used)
    apart = [
        name
        for name in map(str, frame.columns)
        if name not in taken and _says_which(name, frame) and _tells_apart(name, rows, pair)
    ]
    if apart:
        joined = "+".join([item, *_enough(apart, rows, pair)])
        raise DataError(
            f"{item!r} does not identify the items: annotators have several rows for one, which "
            f"differ by {quoted_list(apart)}",
            where=where,
            expected="a column that is another one for each item",
            todo="choose the columns that identify an item together, joined by a plus sign; or "
            "none, and equal texts are one item. If the rows are several labels of one item, "
            "choose the column that was taken",
            option=f'--map "item_id={joined}", or --map item_id=, or --map "item_id={item}"',
        )


def _enough(apart: list[str], rows: pd.DataFrame, pair: list[str]) -> list[str]:
    """Return the first of these columns, short ones, with which no two rows are of one item."""
    short = [name for name in apart if not (is_nested(rows[name]) or _long(name, rows))]
    for n in range(1, len(short)):
        if not rows.duplicated([*pair, *short[:n]]).any():
            return short[:n]
    return short or apart[:1]


def _long(name: str, rows: pd.DataFrame) -> bool:
    return are_sentences(filled_cells(rows[name]))


def _says_which(name: str, frame: pd.DataFrame) -> bool:
    named = _WHICH.search(normalised_name(name))
    return bool(named) and (is_nested(frame[name]) or bool(filled_cells(frame[name])))


def _tells_apart(name: str, rows: pd.DataFrame, pair: list[str]) -> bool:
    """Return whether a column differs in most of such rows, as it does for other annotators."""
    cells = rows.groupby(pair, sort=False)[name]
    whole = (cells.nunique() > 1).mean() > 0.8
    people = rows.groupby([pair[0], name], sort=False)[pair[1]].nunique()
    return bool(whole) and (people > 1).mean() > 0.5


def name_with_samples(names: list[str], frame: pd.DataFrame, most: int = 6) -> str:
    """Return columns with a value of each, in words."""
    shown = [
        f"{quoted(name, 40)} (such as {quoted(filled_cells(frame[name])[0], 30)})"
        for name in names[:most]
    ]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
