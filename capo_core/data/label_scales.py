"""Label scales: inferred from the data if none is given, and mapping of labels onto them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.rejected_rows import quoted
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import name_list
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task

# Missing values as programs write them; not "None" and "NA", which may be labels.
MISSING = frozenset({"", "nan", "NaN", "<NA>", "#N/A", "null", "NULL"})
_WHOLE = re.compile(r"[+\-−–]?\d{1,9}(?:[.,]0+)?")
_LETTERS = {"e": "entailment", "n": "neutral", "c": "contradiction"}
_NUMBERS = {"0": "entailment", "1": "neutral", "2": "contradiction"}
_NLI_ROLES = {"premise", "context", "hypothesis"}
_GAP = 1000  # an ordinal scale lists every number between its ends up to this many


@dataclass(frozen=True)
class ResolvedLabels:
    """A task, and the label of its scale for each label found.

    Attributes:
        table: found label → label of the scale; one that is missing here is off the scale.
    """

    task: Task
    table: dict[str, str]
    notes: tuple[str, ...] = ()


def ordinal_scale(text: str) -> LabelScale:
    """Return the ordinal scale written as "low:high"; `ConfigError` if it is not."""
    match = re.fullmatch(r"\s*([+-]?\d{1,6})\s*:\s*([+-]?\d{1,6})\s*", text)
    if not match or int(match[1]) >= int(match[2]):
        raise ConfigError(
            f"the range {text!r} is not understood",
            expected="low:high, two whole numbers, the lower one first, such as -5:5",
        )
    return LabelScale.between(int(match[1]), int(match[2]))


def nominal_scale(text: str) -> LabelScale:
    """Return the nominal scale written as "a,b,c", in display order."""
    labels = tuple(part.strip() for part in text.split(","))
    if not all(labels):
        raise ConfigError(f"one of the labels {text!r} is empty", expected="a,b,c")
    return LabelScale(labels)


def whole_number(text: str) -> str | None:
    """Return "+3", "3.0", "−3" as "3", "3", "-3"; None if the text is not a whole number."""
    if not _WHOLE.fullmatch(text):
        return None
    return str(int(re.split("[.,]", text.replace("−", "-").replace("–", "-"))[0]))


def resolve_labels(
    found: Sequence[str],
    task: Task | None,
    roles: tuple[str, str],
    where: str,
    limits: ImportLimits = LIMITS,
) -> ResolvedLabels:
    """Return the task with its scale, and the scale's label for each label found.

    Args:
        found: the different labels, stripped, none of them missing.
        task: as given by the user; None to infer it.
        roles: names of the texts in the file ("premise", "hypothesis"), "" if unknown.

    Raises:
        DataError: too many different labels for a scale.
    """
    if task is not None:
        return _onto(found, task, given=True)
    inferred = _infer(found, roles)
    if inferred is not None:
        resolved = _onto(found, inferred, given=False)
        note = f"the labels are those of {inferred.name}"
        return replace(resolved, notes=(note, *resolved.notes))
    if len(found) > limits.labels:
        raise DataError(
            f"there are {len(found):,} different labels, such as {quoted(found[0])}",
            where=where,
            expected=f"at most {limits.labels}",
            todo="choose the column that holds the label, or give the label scale",
            option="--map label=COLUMN",
        )
    numbers = {label: whole_number(label) for label in found}
    if found and all(numbers.values()):
        return _found_numbers(numbers, roles)
    scale = LabelScale(tuple(sorted(found, key=lambda label: (label.casefold(), label))) or ("",))
    notes = [
        f"the label scale was inferred: nominal, {name_list(scale.labels, most=30)} "
        "(alphabetical; give the labels to set the order)"
    ]
    if any(numbers.values()):
        notes.append(
            "some labels are numbers and some are words: check that they belong to one scale"
        )
    return ResolvedLabels(_task(scale, roles), {label: label for label in found}, tuple(notes))


def _infer(found: Sequence[str], roles: tuple[str, str]) -> Task | None:
    """Return NLI or paraphrase if labels and names of texts leave no doubt, else None."""
    folded = {label.casefold() for label in found}
    texts = {role.casefold().split()[0] for role in roles if role}
    names = set(NLI.scale.labels)
    if folded and folded <= names and (folded - {"neutral"} or texts & _NLI_ROLES):
        return NLI
    if folded and folded <= set(_LETTERS) and (folded == set(_LETTERS) or texts & _NLI_ROLES):
        return NLI
    numbers = {whole_number(label) for label in found}
    if numbers and numbers <= set(PARAPHRASE.scale.labels) and texts == {"question"}:
        return PARAPHRASE if any(number.startswith("-") for number in numbers) else None
    return None


def _found_numbers(numbers: dict[str, str], roles: tuple[str, str]) -> ResolvedLabels:
    values = sorted({int(number) for number in numbers.values()})
    dense = values[-1] - values[0] <= _GAP
    scale = (
        LabelScale.between(values[0], values[-1])
        if dense
        else LabelScale(tuple(map(str, values)), ordinal=True)
    )
    notes = [
        f"the label scale was inferred: ordinal, {values[0]} to {values[-1]} as found; "
        "give the range if it is wider"
    ]
    if values[0] >= 0 and values[-1] <= 2:
        notes.append("if 0, 1, 2 mean entailment, neutral, contradiction, give the task nli")
    rewritten = sum(raw != number for raw, number in numbers.items())
    if rewritten:
        notes.append(f"{rewritten} labels were rewritten as whole numbers (such as 3.0 as 3)")
    return ResolvedLabels(_task(scale, roles), dict(numbers), tuple(notes))


def _task(scale: LabelScale, roles: tuple[str, str]) -> Task:
    return Task("annotation", scale, role_a=roles[0] or "text", role_b=roles[1])


def _onto(found: Sequence[str], task: Task, *, given: bool) -> ResolvedLabels:
    labels = task.scale.labels
    folded: dict[str, list[str]] = {}
    for label in labels:
        folded.setdefault(label.casefold(), []).append(label)
    table, notes = {}, []
    synonyms = _nli_synonyms(found, task, given)
    for label in found:
        number = whole_number(label) if task.scale.ordinal else None
        alike = folded.get(label.casefold(), [])
        if label in labels:
            table[label] = label
        elif number in labels:
            table[label] = number
        elif len(alike) == 1:
            table[label] = alike[0]
        elif label.casefold() in synonyms:
            table[label] = synonyms[label.casefold()]
    changed = [f"{raw} → {label}" for raw, label in table.items() if raw != label]
    if changed:
        more = f" and {len(changed) - 12} more" if len(changed) > 12 else ""
        notes.append(f"label mapping: {', '.join(changed[:12])}{more}")
    return ResolvedLabels(task, table, tuple(notes))


def _nli_synonyms(found: Sequence[str], task: Task, given: bool) -> dict[str, str]:
    """Return e/n/c → label if there is nothing else; 0/1/2 (SNLI's order) only for a given NLI."""
    if task.scale != NLI.scale:
        return {}
    folded = {label.casefold() for label in found}
    if folded <= set(_LETTERS) | set(_LETTERS.values()):
        return _LETTERS
    return _NUMBERS if given and folded <= set(_NUMBERS) else {}
