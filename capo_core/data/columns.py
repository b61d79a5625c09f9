"""Mapping of a table's columns to roles: guessed from names, corrected by the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import pandas as pd

from capo_core.data.rejected_rows import quoted_list
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import listed

# Usual names of a role's column, best first; compared in lower case, with "_" for all else.
_NAMES = {
    "item_id": """item_id item itemid uid pair_id pairid example_id sample_id instance_id
        question_id sentence_id text_id doc_id task_id guid task idx""",
    "annotator_id": """annotator_id annotator annotatorid worker_id worker workerid rater_id rater
        coder_id coder labeler labeller judge_id judge participant_id participant user_id user
        author""",
    "label": """label labels answer annotation judgment judgement rating score choice class verdict
        stance sentiment category""",
    "explanation": """explanation explanations reason reasons rationale rationales justification
        comment comments free_text why""",
    "text_a": """text_a premise context text1 text_1 sentence1 sentence_1 question1 question_1
        question_a sent1 sentence_a s1 q1 text sentence tweet
        headline title review utterance document passage post input""",
    "text_b": """text_b hypothesis statement text2 text_2 sentence2 sentence_2 question2 question_2
        question_b sent2 sentence_b s2 q2 claim reply response""",
    "valid": "valid is_valid validity makes_sense",
    "split": "split subset partition",
    "annotation_id": "annotation_id annotationid answer_id response_id",
}
SYNONYMS = {role: tuple(names.split()) for role, names in _NAMES.items()}
ROLES = tuple(SYNONYMS)
_PER_ANNOTATOR = ("label", "explanation", "valid")
# Name of a wide table's column that is an annotator's name and holds the label.
_BARE = re.compile(r"(?:ann|annotator|rater|worker|coder|judge|a|r)_?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class AnnotatorColumns:
    """One annotator's columns in a wide table; "" for a missing one."""

    annotator_id: str
    label: str = ""
    explanation: str = ""
    valid: str = ""


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
            for role in _PER_ANNOTATOR:
                if getattr(one, role):
                    found[f"{role} of {one.annotator_id}"] = getattr(one, role)
        return found

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
        if not equals or role not in ROLES or (colon and role not in _PER_ANNOTATOR):
            raise ConfigError(
                f"the column mapping {pair!r} is not understood",
                expected=f"role=column, with a role of {', '.join(ROLES)}; or in wide form "
                "label:ANNOTATOR=column (also explanation, valid)",
            )
        target, key = (wide.setdefault(annotator, {}), role) if colon else (roles, role)
        if key in target:
            raise ConfigError(f"two columns are given for the role {left!r}")
        target[key] = column.strip()
    annotators = tuple(AnnotatorColumns(name, **columns) for name, columns in wide.items())
    return ColumnMapping(**roles, annotators=annotators)


def normalised_name(name: str) -> str:
    """Return a column name for comparison: "Question 1" → "question_1", "aB" → "a_b"."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^\w]+|_+", "_", name.lower()).strip("_")


def recognised(names: Sequence[str]) -> int:
    """Return the number of these names that are synonyms of a role."""
    known = {synonym for synonyms in SYNONYMS.values() for synonym in synonyms} | {"id"}
    return len(known & {normalised_name(name) for name in names})


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
    by_name = {}
    for name in names:
        if name not in taken:
            by_name.setdefault(normalised_name(name), name)
    found: dict[str, str] = {}
    for role, synonyms in SYNONYMS.items():
        if getattr(given, role) is None:
            fitting = (by_name[each] for each in synonyms if each in by_name)
            if role == "label":
                fitting = (column for column in fitting if not _nested(frame[column]))
            column = next(fitting, "")
            found[role] = column
            by_name = {key: name for key, name in by_name.items() if name != column}
    result = replace(given, **found)
    if not result.annotator_id and not given.annotators:
        wide = _wide(frame, taken | {c for r, c in found.items() if r not in _PER_ANNOTATOR})
        if len(wide) > (1 if result.label else 0):
            result = replace(result, annotators=wide)
    if result.wide:
        kept = {each: getattr(given, each) or "" for each in ("label", "explanation", "valid")}
        result = replace(result, annotator_id="", annotation_id="", **kept)
    return _place_id(result, frame, by_name.get("id", ""), given)


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


def _nested(values: pd.Series) -> bool:
    """Return whether these cells hold JSON lists or objects, which are no labels."""
    filled = [text for text in values.head(200).tolist() if text.strip()]
    return bool(filled) and all(text.lstrip()[0] in "[{" for text in filled)


def _wide(frame: pd.DataFrame, taken: set[str]) -> tuple[AnnotatorColumns, ...]:
    """Return the annotators of a wide table, by names such as "label_A1" or "A1 reason"."""
    names = [str(name) for name in frame.columns if not _nested(frame[name])]
    found: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}  # the annotator's name as the columns write it
    for name in names:
        if name in taken:
            continue
        role, annotator = _role_and_annotator(name)
        if role:
            spelled.setdefault(normalised_name(annotator), annotator)
            found.setdefault(normalised_name(annotator), {}).setdefault(role, name)
    for name in names:
        key = normalised_name(name)
        if name in taken or "label" in found.get(key, {}):
            continue
        if key in found or _BARE.fullmatch(key):
            spelled[key] = name.strip()
            found.setdefault(key, {})["label"] = name
    return tuple(
        AnnotatorColumns(spelled[key], **columns)
        for key, columns in found.items()
        if "label" in columns
    )


def _role_and_annotator(name: str) -> tuple[str, str]:
    stripped = name.strip()
    for role in _PER_ANNOTATOR:
        for synonym in sorted(SYNONYMS[role], key=len, reverse=True):
            word = synonym.replace("_", r"[\W_]?")
            for pattern in (
                rf"{word}[\W_]+(?P<who>.+)",
                rf"{word}(?P<who>\d+)",
                rf"(?P<who>.+?)[\W_]+{word}",
            ):
                match = re.fullmatch(pattern, stripped, re.IGNORECASE)
                if match and (who := match["who"].strip(" _-.:()[]")):
                    return role, who
    return "", ""


def require_roles(mapping: ColumnMapping, frame: pd.DataFrame, where: str) -> None:
    """Check that the mapping has the roles that are needed, and no column twice.

    Raises:
        DataError: a role is missing. ConfigError: a column has two roles.
    """
    lacking = []
    if mapping.wide:
        lacking += [f"label of {one.annotator_id}" for one in mapping.annotators if not one.label]
    else:
        lacking += [role for role in ("annotator_id", "label") if not getattr(mapping, role)]
    if not mapping.text_a and not mapping.item_id:
        lacking.append("text_a")
    if lacking:
        raise DataError(
            f"no column was found for {listed(lacking)}",
            where=where,
            expected="a table with one row per annotation (columns item_id, annotator_id, label, "
            "explanation, text_a, text_b), or one row per item (columns such as label_A1, "
            f"explanation_A1); found the columns {quoted_list(frame.columns)}",
            todo=f"choose the column for {lacking[0]}",
            option=f"--map {lacking[0].split()[0]}=COLUMN",
        )
    twice = list(mapping.columns().values())
    repeated = sorted({column for column in twice if twice.count(column) > 1})
    if repeated:
        raise ConfigError(
            f"the column {quoted_list(repeated)} has two roles",
            where=where,
            todo="choose another column for one of them",
        )
