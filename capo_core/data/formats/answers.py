"""From the answers in a tool's export to annotations: one form for the formats of all tools.

A tool's reader says who answered which questions about which item. What is the label, the
explanation and the text is decided here, in one way for all: by the kind of the question, by its
name, or by the user (`--map label=QUESTION`). Where more than one question could be meant, the
user is asked.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from capo_core.data.columns import SYNONYMS, ColumnMapping, normalised_name
from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.label_sets import one_label
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations, role_name
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted, quoted_list
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.formatting import count
from capo_core.json_text import json_line
from capo_core.provenance import Provenance, any_simulated
from capo_core.task import Task

LABEL, TEXT = "label", "text"  # kinds of questions: a choice or a rating; words of one's own
_ROLES = ("label", "explanation", "text_a", "text_b")
# Questions about the answer itself, which are no label of the item.
_ABOUT = re.compile(
    r"(^|_)(confiden\w*|certain\w*|sure|difficult\w*|time|duration|seconds|email|age|gender)(_|$)"
)
_WORDS_OF_ONES_OWN = re.compile(
    r"(^|_)(why|reason\w*|explain\w*|explanation\w*|rationale\w*|comment\w*|justif\w*"
    r"|what_made_you|what_makes_you|how_did_you_(?:choose|decide)|elaborat\w*|tell_us_more"
    r"|begründ\w*|erklär\w*|erläuter\w*|wieso|weshalb|expliqu\w*|explica\w*|explíqu\w*|spieg\w*"
    r"|toelicht\w*|uzasadni\w*|wyjaśni\w*|объясн\w*|поясн\w*|обосн\w*|açıkla\w*)(_|$)"
)
# In other languages a word or, in scripts without spaces, a part of the header: "请说明理由".
_REASONS = frozenset(
    each for each in SYNONYMS["explanation"]
    if not re.match(r"[ck]omm?ent|free|yorum|комм?ент|コメ|মন্ত|ความ|anmerkung", each)
)  # fmt: skip
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")

_UNSPACED_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")


@dataclass(frozen=True)
class ToolAnswer:
    """One person's answers about one item.

    Attributes:
        row: place in the file. annotator: "" if the file names none.
        item: the item's identifier; "" if only its texts identify it.
        texts: field → text that was shown.
        given: question → what was answered: a text, a number, or a list of these.
        aside: why the answer does not count; "" if it does.
    """

    row: int
    annotator: str
    item: str
    texts: Mapping[str, str]
    given: Mapping[str, Any]
    aside: str = ""
    split: str = ""
    annotation_id: str = ""


@dataclass(frozen=True)
class ToolExport:
    """Content of a tool's file.

    Attributes:
        answers: in the order of the file.
        kinds: question → `LABEL` or `TEXT`, where the file says so; the others are guessed.
        shown: the fields of the two texts, where the file says so; else they are guessed.
        unit: what an answer is called: "answers", "assignments", …
        task: the task, if the file states it. delimiter, sheet: as found.
        provenance: the origin that the file states, where this product wrote it.
    """

    answers: list[ToolAnswer]
    kinds: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unit: str = "annotations"
    shown: tuple[str, ...] = ()
    task: Task | None = None
    delimiter: str = ""
    sheet: str = ""
    provenance: tuple[Provenance, ...] = ()


Reader = Callable[[ImportSource, ReadOptions, RejectedRows], ToolExport]


def tool_format(*, read: Reader, **parts: Any) -> Format:
    """Return the format of a tool, read by `read`; `parts` are the other ones of `Format`."""
    title = parts["title"]

    def read_annotations(
        source: ImportSource, options: ReadOptions, rejected: RejectedRows
    ) -> RawAnnotations:
        export = read(source, options, rejected)
        return annotations_of(export, options, rejected, source.name, title)

    def fields(source: ImportSource, options: ReadOptions) -> dict[str, list[str]]:
        try:
            export = read(source, options, RejectedRows())
        except CapoError:
            return {}
        return fields_of(export)

    return Format(read=read_annotations, fields=fields, **parts)


def fields_of(export: ToolExport) -> dict[str, list[str]]:
    """Return role → the fields of a file that may have it."""
    kinds = _kinds(export)
    texts = _text_fields(export.answers)
    labels = [name for name, kind in kinds.items() if kind == LABEL]
    words = [name for name, kind in kinds.items() if kind == TEXT]
    return {
        "label": labels + words,
        "explanation": words + labels,
        "text_a": texts,
        "text_b": texts,
    }


def annotations_of(
    export: ToolExport,
    options: ReadOptions,
    rejected: RejectedRows,
    where: str,
    title: str,
) -> RawAnnotations:
    """Return one row per label that was given; answers that do not count are rejected.

    Raises:
        DataError: no question is a choice or a rating, or several could be meant; no annotator.
        ConfigError: the mapping names a field that is not there.
    """
    given = options.mapping or ColumnMapping()
    _check_mapping(given, export, where)
    answers, notes = export.answers, list(export.notes)
    counted = [answer for answer in answers if not answer.aside]
    kinds = _kinds(export)
    label = given.label or _label_question(kinds, counted, where, title)
    words = _explanation_question(given.explanation, kinds, label, counted, where)
    text_a, text_b = _texts_shown(given, answers, export.shown, notes)
    unread = [name for name in kinds if name not in (label, words) and not _ABOUT.search(
        normalised_name(name))]  # fmt: skip
    if unread:
        notes.append(f"questions that were not read: {quoted_list(unread)}")
    _note_annotators(counted, options, where, notes)
    items = _item_names(answers, text_a, text_b, notes)
    rows: list[dict] = []
    several = 0
    for answer, item in zip(answers, items, strict=True):
        if answer.aside:
            written = json_line(dict(answer.given))
            rejected.add(answer.row, label, answer.aside, written)
            continue
        labels = labels_of(answer.given.get(label))
        several += len(labels) > 1
        if options.label_sets == "set":
            labels = [one_label(labels)]
        base = {
            "row": answer.row,
            "column": label,
            "item_id": item,
            "annotator_id": answer.annotator or options.annotator,
            "explanation": _words(answer.given.get(words)) if words else "",
            "text_a": answer.texts.get(text_a, "") if text_a else item,
            "text_b": answer.texts.get(text_b, "") if text_b else "",
            "valid": "",
            "split": answer.split,
            "annotation_id": answer.annotation_id if len(labels) == 1 else "",
        }
        rows += [base | {"label": each} for each in labels]
    if several:
        notes.append(_note_on_sets(several, options.label_sets, bool(words)))
    if words:
        notes.append(f"label: {quoted(label)}; explanation: {quoted(words)}")
    elif len(kinds) > 1:
        notes.append(f"label: {quoted(label)}")
    return RawAnnotations(
        pd.DataFrame(rows, columns=RAW_COLUMNS, dtype=object),
        export.unit,
        (role_name(text_a), role_name(text_b)),
        tuple(notes),
        task=export.task,
        origin=f"{title}, from {where}",
        simulated=any_simulated(export.provenance),
        numbered=not any(answer.item for answer in answers),
        delimiter=export.delimiter,
        sheet=export.sheet,
    )


def _note_on_sets(several: int, how: str, words: bool) -> str:
    whole = f"{count(several, 'answer')} with several labels"
    if how == "set":
        return f"{whole}: together they are one label"
    shared = ", with the explanation of the answer" if words else ""
    other = "" if how else " (to make them one label, read label sets as set)"
    return f"{whole}: each label is an annotation{shared}{other}"


def labels_of(value: Any) -> list[str]:
    """Return the labels in an answer, at least one; [""] for a missing one, so it is rejected."""
    values = value if isinstance(value, list | tuple) else [value]
    found = [cell_text(each).strip() for each in values]
    return list(dict.fromkeys(each for each in found if each)) or [""]


def _words(value: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return "\n".join(text for each in values if (text := cell_text(each)).strip())


def _filled(value: Any) -> bool:
    return any(labels_of(value))


def _check_mapping(given: ColumnMapping, export: ToolExport, where: str) -> None:
    if given.annotators:
        raise ConfigError("this format has no columns for annotators", option="--map", where=where)
    questions = list(dict.fromkeys(name for each in export.answers for name in each.given))
    texts = list(dict.fromkeys(name for each in export.answers for name in each.texts))
    for role, name in given.columns().items():
        known = questions if role in ("label", "explanation") else texts
        if role not in _ROLES:
            raise ConfigError(
                f"the role {role} cannot be chosen for this format",
                where=where,
                expected=f"one of {', '.join(_ROLES)}",
                option="--map",
            )
        if name not in known:
            raise ConfigError(
                f"the field {name!r}, chosen for {role}, is not in the file",
                where=where,
                expected=f"one of {quoted_list(known)}",
            )


def _kinds(export: ToolExport) -> dict[str, str]:
    """Return question → kind, of all questions that were answered, in the order of the file."""
    values: dict[str, list[Any]] = {}
    for answer in export.answers:
        for name, value in answer.given.items():
            if _filled(value):
                values.setdefault(name, []).append(value)
    return {name: export.kinds.get(name) or guessed_kind(name, own) for name, own in values.items()}


def guessed_kind(name: str, values: Sequence[Any]) -> str:
    """Return the kind of a question by its name and its answers.

    A question named like an explanation has words of one's own. Lists, numbers and few different
    short answers are choices.
    """
    key = normalised_name(name)
    if key in SYNONYMS["label"]:
        return LABEL
    if key in SYNONYMS["explanation"] or _asks_for_reasons(key):
        return TEXT
    texts = [each for each in values if isinstance(each, str)]
    if len(texts) < len(values):
        return LABEL
    wordy = sum(len(text.split()) > 3 or len(_UNSPACED.findall(text)) > 6 for text in texts)
    different = len(set(texts))
    return TEXT if wordy > 0.3 * len(texts) and different > 0.5 * len(texts) else LABEL


def _asks_for_reasons(key: str) -> bool:
    """Return whether a question's name, normalised, has a word for reasons in it."""
    if _WORDS_OF_ONES_OWN.search(key) or _REASONS & set(key.split("_")):
        return True
    return any(each in key for each in _REASONS if _UNSPACED_WORD.fullmatch(each))


def _label_question(
    kinds: dict[str, str], answers: list[ToolAnswer], where: str, title: str
) -> str:
    names = [name for name, kind in kinds.items() if kind == LABEL]
    about = [name for name in names if _ABOUT.search(normalised_name(name))]
    names = [name for name in names if name not in about] or about
    if len(names) > 1:
        names = _by_synonym("label", names) or names
    if len(names) == 1:
        return names[0]
    if not names:
        raise DataError(
            "no answer is a choice or a rating" if kinds else "no question was answered",
            where=where,
            expected=f"a file of {title} with labels of whole items",
            todo=f"choose the label among {quoted_list(kinds)}" if kinds else None,
            option=f"--map label={next(iter(kinds))}" if kinds else None,
        )
    raise DataError(
        f"{len(names)} questions could be the label: {_with_samples(names, answers)}",
        where=where,
        expected="one label question",
        todo="choose one of them for the label, and import the others under other names",
        option=f"--map label={names[0]}",
    )


def _explanation_question(
    given: str | None,
    kinds: dict[str, str],
    label: str,
    answers: list[ToolAnswer],
    where: str,
) -> str:
    if given is not None:
        return given
    names = [name for name, kind in kinds.items() if kind == TEXT and name != label]
    if len(names) > 1:
        names = _by_synonym("explanation", names) or names
    if len(names) > 1:
        raise DataError(
            f"{len(names)} questions could be the explanation: {_with_samples(names, answers)}",
            where=where,
            expected="one question for the explanation of the label, or none",
            todo="choose one of them, or none",
            option=f"--map explanation={names[0]}, or --map explanation=",
        )
    return names[0] if names else ""


def _by_synonym(role: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if normalised_name(name) in SYNONYMS[role]]


def _with_samples(names: list[str], answers: list[ToolAnswer]) -> str:
    shown = []
    for name in names[:8]:
        values = (each.given.get(name) for each in answers)
        sample = next((labels_of(value)[0] for value in values if _filled(value)), "")
        shown.append(f"{quoted(name, 40)} (such as {quoted(sample, 30)})")
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(shown) + more


def _text_fields(answers: Sequence[ToolAnswer]) -> list[str]:
    """Return the fields that hold a text in some item."""
    found = dict.fromkeys(
        name for each in answers for name, text in each.texts.items() if text.strip()
    )
    return list(found)


def _texts_shown(
    given: ColumnMapping,
    answers: Sequence[ToolAnswer],
    shown: Sequence[str],
    notes: list[str],
) -> tuple[str, str]:
    """Return the fields of the two texts: as given, by their names, else by their content."""
    names = _text_fields(answers)
    by_name = {}
    for name in names:
        by_name.setdefault(normalised_name(name), name)
    found = {}
    for role in ("text_a", "text_b"):
        fitting = (by_name[each] for each in SYNONYMS[role] if each in by_name)
        found[role] = next((name for name in fitting if name not in found.values()), "")
    lengths = {name: _words_in(answers, name) for name in names}
    prose = [name for name in names if lengths[name] >= 2 or len(names) == 1]
    first, second = found["text_a"], found["text_b"]
    if len(shown) == 2 and set(shown) <= set(names):
        found["text_a"] = first = shown[0]
        second = shown[1]
    if not first:
        rest = [name for name in prose if name != second] or [n for n in names if n != second]
        first = rest[0] if rest else second
        second = "" if first == second else second
    if not second and not found["text_a"]:
        rest = [name for name in prose if name != first]
        second = rest[0] if len(rest) == 1 else ""
    first = first if given.text_a is None else given.text_a
    second = second if given.text_b is None else given.text_b
    if first == second:
        second = ""
    left = [name for name in prose if name not in (first, second)]
    if left:
        notes.append(
            f"texts: {quoted_list(filter(None, (first, second)))}; not read: {quoted_list(left)}"
        )
    return first, second


def _words_in(answers: Sequence[ToolAnswer], name: str) -> float:
    """Return the mean number of words in a field of texts; 0 for addresses."""
    texts = [each.texts.get(name, "") for each in answers[:200]]
    if all(re.match(r"\s*(https?|s3|gs)://", text) or not text.strip() for text in texts):
        return 0.0
    spaced = sum(len(text.split()) for text in texts)
    dense = sum(len(text) for text in texts) / 4  # scripts without spaces
    return max(spaced, dense if any(not text.isascii() for text in texts) else 0) / len(texts)


def _note_annotators(
    answers: list[ToolAnswer], options: ReadOptions, where: str, notes: list[str]
) -> None:
    """Note who the annotator of nameless answers is; refuse a file where nobody has a name."""
    nameless = sum(not answer.annotator.strip() for answer in answers)
    if not nameless:
        return
    if options.annotator:
        notes.append(f"{count(nameless, 'answer')} without an annotator: {options.annotator}'s")
    elif nameless == len(answers):
        raise DataError(
            "no answer names its annotator",
            where=where,
            expected="an annotator for each answer",
            todo="say whose answers these are, or take the annotator from the file's name",
            option="--annotator NAME, or --annotator file",
        )


def _item_names(
    answers: Sequence[ToolAnswer], text_a: str, text_b: str, notes: list[str]
) -> list[str]:
    """Return the item of each answer: its identifier, else a number by its texts."""
    if any(answer.item for answer in answers):
        if not text_a:
            notes.append(
                "no text of the items is in the file: their identifiers are used in its place, so "
                "reductions that use the input are meaningless"
            )
        return [answer.item for answer in answers]
    numbers: dict[tuple[str, str], str] = {}
    names = []
    for answer in answers:
        pair = (answer.texts.get(text_a, "").strip(), answer.texts.get(text_b, "").strip())
        names.append(numbers.setdefault(pair, str(len(numbers) + 1)) if pair[0] else "")
    notes.append("nothing identifies the items: equal texts are one item, numbered in order")
    return names


def texts_of(value: Any, path: str = "") -> dict[str, str]:
    """Return field → text of an object; fields inside objects as "outer.inner", lists as lines."""
    found: dict[str, str] = {}
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        name = f"{path}{key}"
        if isinstance(inner, Mapping):
            found |= texts_of(inner, f"{name}.")
        elif isinstance(inner, list):
            found[name] = "\n".join(_turn(each) for each in inner)
        else:
            found[name] = cell_text(inner)
    return found


def _turn(value: Any) -> str:
    """Return a turn of a conversation as "role: text", anything else as text."""
    if isinstance(value, Mapping):
        text = value.get("content", value.get("text"))
        who = value.get("role") or value.get("author") or value.get("speaker")
        if isinstance(text, str):
            return f"{who}: {text}" if isinstance(who, str) else text
    return cell_text(value)


_NUMPY = re.compile(
    r"\[\s*(?:'[^']*'|\"[^\"]*\"|[-+.\w]+)(?:\s+(?:'[^']*'|\"[^\"]*\"|[-+.\w]+))*\s*\]"
)
_ELEMENT = re.compile(r"'([^']*)'|\"([^\"]*)\"|([-+.\w]+)")


def parsed_cell(text: Any) -> Any:
    """Return the list or object that a cell holds, as JSON, Python or NumPy write it.

    Any other value is returned unchanged.

    >>> parsed_cell('["a", "b"]'), parsed_cell("['a', None]"), parsed_cell("[sic, no]")
    (['a', 'b'], ['a', None], '[sic, no]')
    >>> parsed_cell("['a' 'b']"), parsed_cell("[0 1]")
    (['a', 'b'], ['0', '1'])
    """
    if not isinstance(text, str) or text.lstrip()[:1] not in ("[", "{"):
        return text
    stripped = text.strip()
    try:
        found = json.loads(stripped)
    except (ValueError, RecursionError):
        found = None
    if found is None and _NUMPY.fullmatch(stripped) and re.search(r"[\"'\d]", stripped):
        # Before Python: it would take two texts side by side for one.
        return [next(filter(None, match), "") for match in _ELEMENT.findall(stripped)]
    if found is None:
        try:
            found = ast.literal_eval(stripped)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
    return found if isinstance(found, list | dict) else text
