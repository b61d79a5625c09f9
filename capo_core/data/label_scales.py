"""Label scales: inferred from the data if none is given, and mapping of labels onto them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from capo_core.data.alike import same_name, same_text
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.mangled import check_mangled, without_thousands
from capo_core.data.rejected_rows import quoted
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import count, name_list
from capo_core.task import NLI, PARAPHRASE, LabelScale, Task, label_value

# Missing values as programs write them; not "None" and "NA", which may be labels.
MISSING = frozenset({"", "nan", "NaN", "<NA>", "#N/A", "null", "NULL"})
_DASHES = frozenset({"-", "--", "–", "—"})  # beside words no labels, as SNLI's "-"
# Words for no answer; beside numbers they are no labels, beside words they may be.
_NO_NUMBER = frozenset({"n/a", "N/A", "na", "NA", "n.a.", "none", "None", "-", "--", "–", "."})
_WHOLE = re.compile(r"[+\-−–]?\d{1,9}(?:[.,٫]0+)?")
_DECIMAL = re.compile(r"[+\-−–]?(?:\d{1,9}(?:[.,٫]\d{1,20})?|[.,٫]\d{1,20})(?=\s*[%٪]?$)")
# What a program's arithmetic leaves behind it: 0.30000000000000004 is 0.3.
_DECIMALS = Decimal("1e-10")
# A step of a scale with its words: "1 - strongly disagree", "5 (very)", "(2) rather not".
_STEP = re.compile(
    r"([+\-−–]?\d{1,4})(?:\s*[-–—:.)=]\s*|\s+\(?)(?=[^\W\d])|\(([+\-−–]?\d{1,4})\)\s*(?=[^\W\d])"
)
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
    """Return the ordinal scale written as "low:high", or "low:high:step" (half points).

    >>> ordinal_scale("0:1.5:0.5").labels
    ('0', '0.5', '1', '1.5')

    Raises:
        ConfigError: it is neither, or has more than 1,000 labels.
    """
    parts = [decimal_number(part.strip()) or "" for part in text.split(":")]
    numbers = [Decimal(part) for part in parts] if all(parts) else []
    low, high, step = [*numbers, Decimal(1), Decimal(1), Decimal(1)][:3]
    steps = (high - low) / step if len(numbers) in (2, 3) and step > 0 else Decimal(0)
    if not 0 < steps <= _GAP or steps != steps.to_integral_value():
        raise ConfigError(
            f"the range {text!r} is not understood",
            expected="low:high, two whole numbers, the lower one first, such as -5:5; or with a "
            "step, such as 0:10:0.5",
        )
    return LabelScale(
        tuple(_written(low + number * step) for number in range(int(steps) + 1)), ordinal=True
    )


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
    return str(int(re.split("[.,٫]", text.replace("−", "-").replace("–", "-"))[0]))


def decimal_number(text: str) -> str | None:
    """Return "+3", "3.50", ",5", "15 %" as "3", "3.5", "0.5", "15"; None if it is no number.

    At most ten decimals count, so that 0.1 + 0.2 of a program is the 0.3 of another.

    >>> decimal_number("3,50"), decimal_number("−1.0"), decimal_number("1e3")
    ('3.5', '-1', None)
    >>> decimal_number("0.30000000000000004"), decimal_number("0.16666666666666666")
    ('0.3', '0.1666666667')
    """
    match = _DECIMAL.match(text)
    if not match:
        return None
    number = Decimal(re.sub("[,٫]", ".", re.sub("[−–]", "-", match[0])))
    return _written(number.quantize(_DECIMALS))


def step_number(text: str) -> str | None:
    """Return the number that a step of a scale with words begins with; None if there is none.

    >>> step_number("1 - strongly disagree"), step_number("(2) rather not"), step_number("3rd")
    ('1', '2', None)
    """
    match = _STEP.match(text)
    return decimal_number(match[1] or match[2]) if match else None


def _written(number: Decimal) -> str:
    text = f"{number.normalize():f}"
    return "0" if text == "-0" else text


def resolve_labels(
    found: Mapping[str, int] | Sequence[str],
    task: Task | None,
    roles: tuple[str, str],
    where: str,
    limits: ImportLimits = LIMITS,
) -> ResolvedLabels:
    """Return the task with its scale, and the scale's label for each label found.

    Args:
        found: the different labels, stripped, none of them missing; with their frequency, by which
            a spelling is chosen where two differ by case, spaces or Unicode form only.
        task: as given by the user; None to infer it.
        roles: names of the texts in the file ("premise", "hypothesis"), "" if unknown.

    Raises:
        DataError: too many different labels for a scale.
    """
    frequency = dict(found) if isinstance(found, Mapping) else dict.fromkeys(found, 1)
    found = list(frequency)
    if task is not None:
        return _onto(found, task, given=True)
    check_mangled(found, where)
    if all(any(map(str.isalnum, label)) for label in found if label not in _DASHES):
        found = [label for label in found if label not in _DASHES] or found
        frequency = {label: frequency[label] for label in found}
    numbers = {label: decimal_number(label) for label in found if label not in _NO_NUMBER}
    inferred = _infer(found, roles)
    if inferred is not None:
        resolved = _onto(found, inferred, given=False)
        note = f"the labels are those of {inferred.name}"
        return replace(resolved, notes=(note, *resolved.notes))
    if numbers and not any(numbers.values()):
        numbers = _ratings(list(numbers)) or numbers
    if numbers and all(numbers.values()):
        _check_count(set(numbers.values()), where, limits)
        return _found_numbers(numbers, roles)
    spelling = joined_spellings(frequency)
    labels = sorted(set(spelling.values()), key=lambda label: (label.casefold(), label))
    if len(labels) > limits.labels:
        raise DataError(
            f"there are {len(labels):,} different labels, such as {quoted(found[0])}",
            where=where,
            expected=f"at most {limits.labels}",
            todo="choose the column that holds the label, or give the label scale",
            option="--map label=COLUMN",
        )
    steps = {label: step_number(label) for label in labels}
    if stepped := len(labels) > 1 and all(steps.values()) and _different(steps.values()):
        labels.sort(key=lambda label: label_value(steps[label]))
    scale = LabelScale(tuple(labels) or ("",))
    order = "by their numbers; if these are the steps of a scale, give its range" if stepped else (
        "alphabetical; give the labels to set the order"
    )  # fmt: skip
    notes = [f"the label scale was inferred: nominal, {name_list(scale.labels, most=30)} ({order})"]
    if any(numbers.values()):
        notes.append(
            "some labels are numbers and some are words: check that they belong to one scale"
        )
    notes += _joined_note(spelling)
    return ResolvedLabels(_task(scale, roles), spelling, tuple(notes))


_OF = re.compile(r"(\d{1,3})\s*(?:/|out of|of|von|sur|de)\s*(\d{1,3})", re.IGNORECASE)
_STARS = re.compile("([★⭐*]{1,10})[☆]*")


def _ratings(labels: Sequence[str]) -> dict[str, str]:
    """Return label → number of ratings of one scale written as "3/5" or "★★★☆☆"; {} for others.

    >>> _ratings(["3/5", "1/5"]), _ratings(["★★", "★"]), _ratings(["1/2", "3/4"])
    ({'3/5': '3', '1/5': '1'}, {'★★': '2', '★': '1'}, {})
    """
    of = [_OF.fullmatch(label) for label in labels]
    if all(of) and len({match[2] for match in of if match}) == 1:
        return {label: str(int(match[1])) for label, match in zip(labels, of, strict=True) if match}
    stars = [_STARS.fullmatch(label) for label in labels]
    if all(stars):
        return {label: str(len(m[1])) for label, m in zip(labels, stars, strict=True) if m}
    return {}


def _different(values: Iterable[str]) -> bool:
    found = list(values)
    return len(set(found)) == len(found)


def _check_count(numbers: set[str], where: str, limits: ImportLimits) -> None:
    if len(numbers) <= limits.labels:
        return
    ordered = sorted(numbers, key=label_value)
    raise DataError(
        f"the labels are {len(numbers):,} different numbers, from {ordered[0]} to {ordered[-1]}",
        where=where,
        expected=f"at most {limits.labels}",
        todo="choose the column that holds the label; or round the numbers in the file, to a few "
        "steps",
        option="--map label=COLUMN",
    )


def joined_spellings(frequency: Mapping[str, int]) -> dict[str, str]:
    """Return label → the one spelling of all that differ by case, spaces or Unicode form only.

    The most frequent one; of equally frequent ones that in small letters, then the first in
    alphabetical order.
    """
    alike: dict[str, list[str]] = {}
    for label in frequency:
        alike.setdefault(same_text(label), []).append(label)
    chosen = {
        key: min(labels, key=lambda one: (-frequency[one], *_plainness(one), one))
        for key, labels in alike.items()
    }
    return {label: chosen[same_text(label)] for label in frequency}


def _plainness(label: str) -> tuple[bool, int]:
    """Return what makes a spelling worse than another: odd spaces or letters, then capitals."""
    tidy = " ".join(same_name(label).split())
    return label != tidy, sum(letter.isupper() for letter in label)


def _joined_note(spelling: Mapping[str, str]) -> list[str]:
    changed = [f"{quoted(a)} → {quoted(b)}" for a, b in spelling.items() if a != b]
    if not changed:
        return []
    return [
        "labels that differ by case, spaces or Unicode form only are joined: "
        f"{name_list(changed)} (give the labels to keep them apart)"
    ]


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
    values = sorted({label_value(number) for number in numbers.values()})
    # Of 0, 2, 3 and 1000000 nobody can tell the steps between: the scale is what was found.
    whole = all(isinstance(value, int) for value in values) and values[-1] - values[0] <= _GAP
    if whole:
        scale = LabelScale.between(values[0], values[-1])
    else:
        written = sorted(set(numbers.values()), key=label_value)
        scale = LabelScale(tuple(written), ordinal=True)
    notes = [
        f"the label scale was inferred: {_range(values)}; give the range if it is wider"
        if whole
        else f"the label scale was inferred: ordinal, the numbers {name_list(scale.labels)} as "
        "found; give range and step if there are more (such as 0:10:0.5)"
    ]
    if values == [0, 1, 2]:
        notes.append("if 0, 1, 2 mean entailment, neutral, contradiction, give the task nli")
    rewritten = sum(raw != number for raw, number in numbers.items())
    if rewritten:
        raw, number = next(pair for pair in numbers.items() if pair[0] != pair[1])
        notes.append(
            f"{count(rewritten, 'label')} rewritten as numbers (such as {raw} as {number})"
        )
    return ResolvedLabels(_task(scale, roles), dict(numbers), tuple(notes))


def _range(values: Sequence[int | float]) -> str:
    if values[0] == values[-1]:
        return f"ordinal, all labels are {values[0]}"
    return f"ordinal, {values[0]} to {values[-1]} as found"


def _task(scale: LabelScale, roles: tuple[str, str]) -> Task:
    return Task("annotation", scale, role_a=roles[0] or "text", role_b=roles[1])


def _onto(found: Sequence[str], task: Task, *, given: bool) -> ResolvedLabels:
    labels = task.scale.labels
    folded: dict[str, list[str]] = {}
    for label in labels:
        folded.setdefault(same_text(label), []).append(label)
    table, notes = {}, []
    synonyms = _nli_synonyms(found, task, given)
    for label in found:
        number = None
        if task.scale.ordinal:
            whole = without_thousands(label)  # "1,000" of a scale up to 3,000
            number = whole if whole in labels else decimal_number(label) or step_number(label)
        alike = folded.get(same_text(label), [])
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
