"""Mapping of a table's columns to roles: guessed from names, corrected by the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import pandas as pd

from capo_core.data.column_names import (
    PER_ANNOTATOR,
    ROLES,
    SYNONYMS,
    WideNames,
    alike_columns,
    explains_label,
    is_aggregate,
    is_nested,
    is_place,
    names_annotator,
    normalised_name,
    recognised,
    repeated_annotators,
    wide_names,
)
from capo_core.data.column_values import (
    are_labels,
    are_numbers,
    are_passages,
    are_sentences,
    candidates,
    filled_cells,
)
from capo_core.data.count_columns import counts_like, shares_like
from capo_core.data.doubtful_columns import (
    check_are_annotators,
    check_identifies_items,
    check_label_of_item,
    name_with_samples,
)
from capo_core.data.notes import Note
from capo_core.data.rejected_rows import quoted, quoted_list
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import MOST_NAMES, listed, name_list


@dataclass(frozen=True)
class AnnotatorColumns:
    """One annotator's columns in a wide table; "" for a missing one.

    `id_column` says who this annotator is in each row, where it is not always the same person.
    """

    annotator_id: str
    label: str = ""
    explanation: str = ""
    valid: str = ""
    id_column: str = ""


@dataclass(frozen=True)
class ColumnMapping:
    """Roles → column names. None: to be guessed; "": there is no such column.

    Long form has one row per annotation and needs `annotator_id` and `label`; wide form has one row
    per item and needs `annotators`, each with a label column.
    """

    item_id: str | None = None
    annotator_id: str | None = None
    label: str | None = None
    explanation: str | None = None
    text_a: str | None = None
    text_b: str | None = None
    valid: str | None = None
    split: str | None = None
    annotation_id: str | None = None
    annotators: tuple[AnnotatorColumns, ...] = ()

    @property
    def wide(self) -> bool:
        return bool(self.annotators)

    def columns(self) -> dict[str, str]:
        """Return role → column for all roles that have one ("label of Ann1" in wide form)."""
        found = {role: getattr(self, role) for role in ROLES if getattr(self, role)}
        for one in self.annotators:
            for role in PER_ANNOTATOR:
                if getattr(one, role):
                    found[f"{role} of {one.annotator_id}"] = getattr(one, role)
            if one.id_column:
                found[f"annotator_id of {one.annotator_id}"] = one.id_column
        return found

    @property
    def shared_label(self) -> str:
        """The one label column of all annotators of an item, who have explanations of their own."""
        labels = {one.label for one in self.annotators}
        shared = len(self.annotators) > 1 and len(labels) == 1
        own = all(one.explanation for one in self.annotators)
        return labels.pop() if shared and own else ""

    def to_dict(self) -> dict:
        roles = {role: getattr(self, role) for role in ROLES}
        wide = [{f.name: getattr(one, f.name) for f in fields(one)} for one in self.annotators]
        return roles | {"annotators": wide}

    @classmethod
    def from_dict(cls, raw: dict) -> ColumnMapping:
        wide = tuple(AnnotatorColumns(**one) for one in raw["annotators"])
        return cls(**(raw | {"annotators": wide}))


def parse_mapping(pairs: Iterable[str]) -> ColumnMapping:
    """Return the mapping written as `["label=answer", "explanation:Ann1=why 1"]`.

    `role=` means that there is no such column; `role:annotator=column` (label, explanation, valid)
    describes a wide table.

    Raises:
        ConfigError: no "=", an unknown role, or a role given twice.
    """
    roles: dict[str, str] = {}
    wide: dict[str, dict[str, str]] = {}
    for pair in pairs:
        left, equals, column = pair.partition("=")
        role, colon, annotator = left.strip().partition(":")
        if (
            not equals
            or role not in ROLES
            or (colon and role not in (*PER_ANNOTATOR, "annotator_id"))
        ):
            raise ConfigError(
                f"the column mapping {pair!r} is not understood",
                expected=f"role=column, with a role of {', '.join(ROLES)}; or in wide form "
                "label:ANNOTATOR=column (also explanation, valid, annotator_id)",
            )
        target, key = (wide.setdefault(annotator, {}), role) if colon else (roles, role)
        if key in target:
            raise ConfigError(f"two columns are given for the role {left!r}")
        target["id_column" if colon and role == "annotator_id" else key] = column.strip()
    annotators = tuple(AnnotatorColumns(name, **columns) for name, columns in wide.items())
    return ColumnMapping(**roles, annotators=annotators)


def guess_mapping(frame: pd.DataFrame, given: ColumnMapping | None = None) -> ColumnMapping:
    """Return the complete mapping of a table: `given`, and the rest guessed from the names.

    No role of the result is None: one that cannot be found is "" (see `require_roles`).

    Raises:
        ConfigError: `given` names a column that is not there.
    """
    given = given or ColumnMapping()
    names = [str(name) for name in frame.columns]
    for role, column in given.columns().items():
        if column not in names:
            raise ConfigError(
                f"the column {column!r}, chosen for {role}, is not in the file",
                expected=f"one of {quoted_list(names)}",
            )
    taken = set(given.columns().values())
    several = not taken and repeated_annotators(names)  # annotator, label, annotator (2), …
    by_name = {}
    for name in names:
        if name not in taken and not (several and _comes_again(name, names)):
            by_name.setdefault(normalised_name(name), name)
    found: dict[str, str] = {}
    blank: dict[str, str] = {}  # columns without a filled cell: only where nothing else fits
    for role, synonyms in SYNONYMS.items():
        if getattr(given, role) is None:
            fitting = [by_name[each] for each in synonyms if each in by_name]
            fitting = [column for column in fitting if _may_be(role, frame[column])]
            column = next((column for column in fitting if _is_filled(frame[column])), "")
            blank[role] = "" if column or not fitting else fitting[0]
            if role == "annotator_id" and not column and not several:
                alike = [name for name in by_name.values() if names_annotator(name)]
                column = alike[0] if len(alike) == 1 else ""
            if role == "explanation" and not given.annotators:
                column = _in_words(column, found.get("label") or given.label or "", names, frame)
            else:
                column = column or blank[role]
            found[role] = column
            by_name = {key: name for key, name in by_name.items() if name != column}
    if found.get("text_b") and "text_a" in found and found["text_a"] == blank["text_a"]:
        found |= {"text_a": found["text_b"], "text_b": ""}  # the only text, of whatever name
    result = replace(given, **found)
    if found.get("annotator_id") and _may_have_written(found["annotator_id"], result, frame):
        result = replace(result, annotator_id="")
    if not result.annotator_id and not given.annotators:
        shared = {column for role, column in found.items() if role not in PER_ANNOTATOR}
        result = replace(result, annotators=_wide(frame, taken | shared, result, given))
    elif not result.explanation and given.explanation is None and not given.annotators:
        used = set(result.columns().values())
        numbered = wide_names(frame, used).unlabelled
        if len(numbered) == 1:  # e-SNLI's training part: Explanation_1 by the row's annotator
            result = replace(result, explanation=next(iter(numbered.values())))
        elif not numbered:
            own = [n for n in names if n not in used and explains_label(n, result.label or "")]
            own = [name for name in own if _is_filled(frame[name])]
            result = replace(result, explanation=own[0] if len(own) == 1 else "")
        if not result.explanation:
            result = replace(result, explanation=blank["explanation"])
    if result.wide:
        kept = {each: getattr(given, each) or "" for each in ("label", "explanation", "valid")}
        result = replace(result, annotator_id="", annotation_id="", **kept)
    return _place_id(result, frame, by_name.get("id", ""), given)


def _may_be(role: str, cells: pd.Series) -> bool:
    """Return whether cells can be what the column's name says; of other roles, always."""
    if role == "label":
        return not is_nested(cells)
    if role == "annotator_id":  # such as the user's turn in a dialogue
        return not are_passages(filled_cells(cells))
    return role != "text_b" or not are_numbers(filled_cells(cells))


def _is_filled(cells: pd.Series) -> bool:
    return any(text.strip() for text in cells.tolist())


def _in_words(column: str, label: str, names: Sequence[str], frame: pd.DataFrame) -> str:
    """Return the column of explanations: of a few categories beside sentences, the sentences."""
    if not column or not are_labels(filled_cells(frame[column])):
        return column
    words = [
        name
        for name in names
        if name != column
        and explains_label(name, label)
        and are_sentences(filled_cells(frame[name]))
    ]
    return words[0] if len(words) == 1 else column


def _comes_again(name: str, names: Sequence[str]) -> bool:
    return f"{name} (2)" in names or bool(re.fullmatch(r".* \(\d+\)", name))


def _wide(
    frame: pd.DataFrame, taken: set[str], result: ColumnMapping, given: ColumnMapping
) -> tuple[AnnotatorColumns, ...]:
    """Return the annotators that a wide table has by its names; () if it is not wide.

    Where they have explanations and no labels, they share the item's label. A single column that
    may be an annotator's label needs an explanation beside it, or a name such as "rater 1".
    """
    found = wide_names(frame, taken)
    if any(names_annotator(name) for name in map(str, frame.columns) if name not in taken):
        return ()  # one of these says who it was in each row
    labelled = found.labelled
    if labelled and not given.label:
        single = len(labelled) == 1 and (
            result.label
            or not any("explanation" in roles or is_place(who) for who, roles in labelled.items())
        )
        if not single:
            return tuple(_annotator(who, **roles) for who, roles in labelled.items())
    label = given.label or ("" if labelled else result.label or found.shared_label())
    several = len(found.unlabelled) > 1
    if label and several and not (labelled and not given.label):
        return tuple(
            _annotator(who, label=label, explanation=column)
            for who, column in found.unlabelled.items()
        )
    return ()


def _annotator(who: str, annotator_id: str = "", **roles: str) -> AnnotatorColumns:
    return AnnotatorColumns(who, **roles, id_column=annotator_id)


def _place_id(
    result: ColumnMapping, frame: pd.DataFrame, column: str, given: ColumnMapping
) -> ColumnMapping:
    """Use a bare column "id" for items, or for annotations if every row has its own."""
    if not column or column in result.columns().values():
        return result
    own = not result.wide and frame[column].is_unique and len(frame) > 1
    if not result.item_id and given.item_id is None and not (own and result.text_a):
        return replace(result, item_id=column)
    if own and not result.annotation_id and given.annotation_id is None:
        return replace(result, annotation_id=column)
    return result


def lacking_roles(mapping: ColumnMapping) -> list[str]:
    """Return the roles that are needed and have no column; "text_a" stands for it or an item_id."""
    if mapping.wide:
        lacking = [f"label of {one.annotator_id}" for one in mapping.annotators if not one.label]
    else:
        lacking = [role for role in ("annotator_id", "label") if not getattr(mapping, role)]
    return lacking if mapping.text_a or mapping.item_id else [*lacking, "text_a"]


def require_roles(
    mapping: ColumnMapping,
    frame: pd.DataFrame,
    where: str,
    given: ColumnMapping | None = None,
) -> None:
    """Check that the mapping has the roles that are needed, and no column twice.

    Args:
        given: the user's part of it; what was said to be absent is not asked about.

    Raises:
        DataError: a role is missing, or columns with explanations have no role. ConfigError: a
            column has two roles.
    """
    if lacking := lacking_roles(mapping):
        if lacking == ["annotator_id"]:
            _check_writer(mapping, frame, where)
        raise _lacking(lacking, mapping, frame, where)
    check_meaning(mapping, frame, where, given or ColumnMapping())
    columns = list(mapping.columns().values())
    if mapping.shared_label:
        columns = list(dict.fromkeys(columns))
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise ConfigError(
            f"the column {quoted_list(repeated)} has two roles",
            where=where,
            todo="choose another column for one of them",
        )
    if (
        not mapping.wide
        and not mapping.explanation
        and (given or ColumnMapping()).explanation is None
    ):
        left = wide_names(frame, set(columns)).unlabelled
        if left:
            raise DataError(
                f"the columns {quoted_list(left.values())} hold explanations, and the table has "
                f"one annotator in each row ({mapping.annotator_id!r})",
                where=where,
                expected="one explanation of one annotator in each row",
                todo="choose the column with the explanation, or none",
                option="--map explanation=COLUMN, or --map explanation=",
            )


def check_meaning(
    mapping: ColumnMapping, frame: pd.DataFrame, where: str, given: ColumnMapping
) -> None:
    """Check that label and item, where their names alone say it, are what they are taken for.

    Raises:
        DataError: their values say otherwise.
    """
    used = mapping.columns().values()
    item = mapping.item_id or mapping.text_a
    if not mapping.wide and not (mapping.annotator_id and mapping.label):
        return  # one annotator of all rows
    if mapping.wide and not given.annotators:
        check_are_annotators(
            {one.annotator_id: one.label or one.explanation for one in mapping.annotators}, where
        )
    if given.item_id is None and mapping.item_id and not mapping.wide:
        check_identifies_items(mapping.item_id, mapping.annotator_id, frame, used, where)
    if given.label is None:
        _check_one_question(mapping, frame, where)
        if not mapping.wide and item:
            check_label_of_item(mapping.label, item, mapping.annotator_id, frame, used, where)


def _questions(mapping: ColumnMapping, frame: pd.DataFrame) -> str:
    """Return the column by which each annotator has several rows for each item; "" for none.

    Every one has the same few values of it, as of a question or of a trait that is rated.
    """
    item = mapping.item_id or mapping.text_a
    if mapping.wide or not mapping.annotator_id or not item:
        return ""
    cells = frame.groupby([item, mapping.annotator_id], sort=False)
    sizes = cells.size()
    if len(sizes) < 2 or sizes.min() < 2 or sizes.min() != sizes.max():
        return ""
    size = int(sizes.min())
    used = mapping.columns().values()
    for name in map(str, frame.columns):
        values = frame[name]
        if name not in used and values.nunique() == size and (cells[name].nunique() == size).all():
            return name
    return ""


def _check_one_question(mapping: ColumnMapping, frame: pd.DataFrame, where: str) -> None:
    """Check that the rows do not answer several questions, whose labels would be mixed.

    Raises:
        DataError: they do.
    """
    if column := _questions(mapping, frame):
        values = list(dict.fromkeys(filled_cells(frame[column])))
        raise DataError(
            f"each annotator has {len(values)} rows for each item, by {column!r} "
            f"({name_list([quoted(value, 40) for value in values], most=6)}): their labels are "
            "answers to different questions",
            where=where,
            expected="the answers to one question",
            todo="keep the rows of one question in the file; if they are labels of one question, "
            "choose the label yourself",
            option=f"--map label={mapping.label}",
        )


def _may_have_written(name: str, mapping: ColumnMapping, frame: pd.DataFrame) -> bool:
    """Return whether a column named "user" or "author" may be who wrote the text.

    It is the annotator where several of them are beside one text; else nothing says which.
    """
    item = mapping.text_a or mapping.item_id
    if not item or normalised_name(name) not in _WHO_WROTE:
        return False
    people = frame.groupby(item)[name].nunique()
    return len(people) > 1 and people.max() == 1


def _check_writer(mapping: ColumnMapping, frame: pd.DataFrame, where: str) -> None:
    """Check that no column was left out because it may be who wrote the text.

    Raises:
        DataError: one was, and no other names the annotators.
    """
    used = mapping.columns().values()
    for name in map(str, frame.columns):
        if name not in used and _may_have_written(name, mapping, frame):
            raise DataError(
                f"{name!r} may be who wrote the text: each text has one only",
                where=where,
                expected="a column that says who gave the label",
                todo="choose it as the annotator if it is, or another column; or say whose labels "
                "these are",
                option=f"--map annotator_id={name}, or --map annotator_id=COLUMN, or --annotator "
                "NAME",
            )


def _lacking(
    lacking: list[str], mapping: ColumnMapping, frame: pd.DataFrame, where: str
) -> DataError:
    """Return the error for missing roles; it asks about what the file has instead."""
    names = wide_names(frame, set(mapping.columns().values()))
    explanations = [*names.unlabelled.values()] or [mapping.explanation] * bool(mapping.explanation)
    labels = [mapping.label] * bool(mapping.label) or [*names.aggregates]
    if lacking == ["annotator_id"] and explanations and mapping.label:
        return DataError(
            f"the file has explanations ({quoted_list(explanations)}) and a label "
            f"({mapping.label!r}), and no column that says who wrote them",
            where=where,
            expected="a column with the annotator of each row, or a column for each annotator",
            todo="choose the column with the annotator; if all rows are by one person, name the "
            "person with both columns",
            option="--map annotator_id=COLUMN, or --map label:NAME="
            f"{mapping.label} explanation:NAME={explanations[0]}",
        )
    single = [roles["label"] for roles in names.labelled.values()]
    hints = []
    if names.aggregates:
        hints.append(f"not annotators by their names: {quoted_list(names.aggregates)}")
    if len(single) == 1 and not mapping.annotator_id:
        hints.append(f"one column alone looks like an annotator's label: {quoted_list(single)}")
    alike = [] if single or mapping.annotator_id else alike_columns(frame, names.aggregates)
    if alike:
        hints.append(f"columns with the same few values: {quoted_list(alike)}")
    if explanations and not mapping.explanation:
        hints.append(f"explanations: {quoted_list(explanations)}")
    counts = [] if single or mapping.annotator_id or labels else counts_like(
        frame.head(2000).to_dict("records")
    )  # fmt: skip
    if counts:
        hints.append(
            f"whole numbers of the same sum in every row: {quoted_list(counts)}, which may be "
            "counts per label, of nobody's own annotations"
        )
    shares = [] if mapping.annotator_id else shares_like(frame.head(2000).to_dict("records"))
    if shares:
        return DataError(
            f"no column names annotators, and {quoted_list(shares)} are shares of people per label",
            where=where,
            expected="an annotator for each label",
            todo="compare the file's shares as label distributions",
            option="distributions compare --file FILE",
        )
    possible, written = _possible(lacking, mapping, frame)
    hints += possible if not alike else []
    if _no_header(frame):
        hints.append("the first row looks like data: a header with the columns' names is needed")
    nested = [str(name) for name in frame.columns if is_nested(frame[name])]
    if nested and not mapping.label:
        hints.append(
            f"nested objects of no known format: {quoted_list(nested)} (write one row per "
            "annotation, or choose another format)"
        )
    numbers = [] if mapping.label else [name for name in nested if _holds_numbers(frame[name])]
    option, todo = f"--map {written}", f"choose the column for {listed(lacking)}"
    if nested and not possible and not alike and not mapping.label:  # no column can be chosen
        todo = "write a table with one row per annotation, or choose the format that the file is in"
        option = "--format NAME"
    if numbers:
        hints.append(
            f"objects of names with numbers, {quoted_list(numbers)}: people per label, annotators "
            "with their ratings, or ratings of several qualities"
        )
        option = (
            "--format crowd-counts if these are numbers of people for each label, --format lists "
            "if these are annotators with their labels"
        )
    if alike:
        pairs = [f'"label:{name}={name}"' for name in alike[:MOST_NAMES]]
        option += f"; if these are the annotators: --map {' '.join(pairs)}"
    elif lacking[0] == "annotator_id" and (single or labels):
        option += f", or --map label:NAME={(single or labels)[0]}"
    if counts:
        option += "; if these are counts per label: --format crowd-counts"
    elif lacking[0] == "label" and len(_switches(mapping, frame)) > 1:
        option += "; if each column of 0 and 1 is a label, given where it is 1: --format one-hot"
    return DataError(
        f"no column was found for {listed(lacking)}",
        where=where,
        expected="a table with one row per annotation (columns item_id, annotator_id, label, "
        "explanation, text_a, text_b), or one row per item (columns such as label_A1, "
        f"explanation_A1); found the columns {quoted_list(frame.columns)}"
        + "".join(f"; {hint}" for hint in hints),
        todo=todo,
        option=option,
    )


def _holds_numbers(cells: pd.Series) -> bool:
    """Return whether cells hold objects of names with numbers."""
    texts = filled_cells(cells)
    return bool(texts) and all(
        re.fullmatch(r'\{(?:\s*"[^"]*":\s*-?[\d.]+\s*,?)+\}', t) for t in texts
    )


def _switches(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return the columns that may be labels and hold nothing but 0 and 1."""
    names = candidates(frame, "label", set(mapping.columns().values()))
    return [name for name in names if set(filled_cells(frame[name])) <= {"0", "1", "0.0", "1.0"}]


# Names that the writer of a post has, too.
_WHO_WROTE = {"author", "user", "user_id", "username", "user_name"}
_ROLE_NAMES = {
    "label": "label",
    "explanation": "explanation",
    "annotator_id": "annotator",
    "item_id": "item",
    "text_a": "text",
    "text_b": "second text",
}
_ROLE_WORDS = {"annotator_id": "the annotator", "label": "the label", "text_a": "the text"}


def _possible(
    lacking: Sequence[str], mapping: ColumnMapping, frame: pd.DataFrame
) -> tuple[list[str], str]:
    """Return hints on columns that may have the lacking roles, and what to write after `--map`."""
    taken = set(mapping.columns().values())
    hints, written = [], []
    for role in lacking:
        role = role.split()[0]
        named = [name for name in map(str, frame.columns) if names_annotator(name)]
        but = {mapping.text_a, mapping.text_b} if role == "label" else set()
        found = candidates(frame, role, taken - but)
        if role == "annotator_id" and len(named) > 1:
            found = named
        column = found[0] if len(found) == 1 else "COLUMN"
        written.append(f'"{role}={column}"' if " " in column else f"{role}={column}")
        taken |= set(found) if len(found) == 1 else set()
        if found:
            shown = name_with_samples(found, frame, MOST_NAMES)
            hints.append(f"may be {_ROLE_WORDS[role]}: {shown}")
    return hints, " ".join(written)


def _no_header(frame: pd.DataFrame) -> bool:
    """Return whether the names look like a row of data: a number, and a sentence or a repeat."""
    names = [str(name).strip() for name in frame.columns]
    if recognised(names) or len(names) < 2:
        return False
    numbers = any(re.fullmatch(r"[+-]?\d+(?:\.\d+)?", name) for name in names)
    repeats = any(
        name in cells
        for name in names
        if (cells := filled_cells(frame[name])) and not are_sentences(cells)
    )
    return repeats or (numbers and are_sentences(names))


def column_notes(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return a note on which column was taken for what, and one on those that were not read.

    Those that `unused_columns` names are left to it.

    None for a table whose columns all have the roles' own names.
    """
    used = {*mapping.columns().values(), *_aggregates(mapping, frame), *_unlabelled(mapping, frame)}
    unread = [str(name) for name in frame.columns if name not in used and _tells(name, frame)]
    notes = []
    roles = {role: name for role in _ROLE_NAMES if (name := getattr(mapping, role))}
    if any(role != normalised_name(name) for role, name in roles.items()) or mapping.wide:
        words = [f"{_ROLE_NAMES[role]}: {quoted(name, 60)}" for role, name in roles.items()]
        if mapping.wide:
            people = [
                f"{one.annotator_id} ({', '.join(filter(None, (one.label, one.explanation)))})"
                for one in mapping.annotators
            ]
            words.append(f"annotators: {name_list(people)}")
        notes.append("; ".join(words))
    if unread:
        notes.append(f"columns not read: {quoted_list(unread)}")
    return notes


def _tells(name: str, frame: pd.DataFrame) -> bool:
    """Return whether a column has a name and a value, so that its reader may miss it."""
    unnamed = re.fullmatch(r"column \d+|Unnamed: \d+|index", str(name))
    return not unnamed and any(text.strip() for text in frame[name].tolist())


def unused_columns(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return notes on columns that look like an annotator's and are not, and on shared labels."""
    notes = []
    if not mapping.wide:
        return notes
    if shared := mapping.shared_label:
        notes.append(
            f"the annotators {quoted_list(one.annotator_id for one in mapping.annotators)} share "
            f"the item's one label (column {shared!r}); they are places in the row, and may be "
            "other people on another item"
        )
    elif numbered := _named_by_columns(mapping):
        notes.append(
            f"the annotators {quoted_list(numbered)} are named by their columns alone: if these "
            "are places in the row, and other people on another item (as in SNLI and MNLI), "
            "comparisons of annotators mean nothing"
        )
    if aggregates := _aggregates(mapping, frame):
        notes.append(
            Note(
                "no annotators, but aggregates or metadata by their names or values: "
                f"{quoted_list(aggregates)}; left out",
                "if one is an annotator: --map label:NAME=COLUMN for each annotator",
            )
        )
    if unlabelled := _unlabelled(mapping, frame):
        notes.append(
            f"explanations of annotators without a label: {quoted_list(unlabelled)}; left out"
        )
    return notes


def _named_by_columns(mapping: ColumnMapping) -> list[str]:
    """Return the annotators where all are called 1, 2, … or "rater 1" by their columns alone."""
    names = [one.annotator_id for one in mapping.annotators]
    named = any(one.id_column for one in mapping.annotators)
    return names if len(names) > 1 and not named and all(map(is_place, names)) else []


def _aggregates(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return the columns of a wide table that look like labels and belong to no annotator."""
    used = set(mapping.columns().values())
    found = _names_of(mapping, frame).aggregates if mapping.wide else ()
    rest = _item_labels(mapping, frame, used) if mapping.wide else []
    return list(dict.fromkeys([*(name for name in found if name not in used), *rest]))


def _unlabelled(mapping: ColumnMapping, frame: pd.DataFrame) -> list[str]:
    """Return the explanations of a wide table whose annotators have no label."""
    used = set(mapping.columns().values())
    found = _names_of(mapping, frame).unlabelled.values() if mapping.wide else ()
    return [column for column in found if column not in used]


def _names_of(mapping: ColumnMapping, frame: pd.DataFrame) -> WideNames:
    return wide_names(frame, {getattr(mapping, role) for role in ROLES} - {""})


def _item_labels(mapping: ColumnMapping, frame: pd.DataFrame, used: set[str]) -> list[str]:
    """Return the columns with a label of the item as a whole, which no annotator has.

    Such as "label" beside "label_A", or "gold" with none but the annotators' labels in it.
    """
    synonyms = {*SYNONYMS["label"], "hard_label", "soft_label"}
    rest = [str(name) for name in frame.columns if name not in used]
    given = {
        text.strip() for one in mapping.annotators for text in frame[one.label].tolist()
    }  # fmt: skip
    return [
        name
        for name in rest
        if normalised_name(name) in synonyms
        or (is_aggregate(name) and {text.strip() for text in frame[name].tolist()} <= given | {""})
    ]


def check_one_annotator(mapping: ColumnMapping, frame: pd.DataFrame, where: str) -> None:
    """Check that the annotator's cells name one each.

    Raises:
        DataError: they hold lists or objects, which would become one annotator of a strange name.
    """
    if mapping.wide:
        return
    filled = [text.strip() for text in frame[mapping.annotator_id].tolist() if text.strip()]
    lists = [text for text in filled if text[0] in "[{" and text[-1] in "]}"]
    if lists and len(lists) > 0.5 * len(filled):
        raise DataError(
            f"the column {mapping.annotator_id!r} holds lists of annotators, such as "
            f"{quoted(lists[0])}",
            where=where,
            expected="one annotator in each row",
            todo="write one row for each annotator, or choose the format that the file is in",
            option="--format",
        )
