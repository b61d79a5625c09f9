"""Parsing of a label from the few words that should contain it; ambiguous text has none.

A label counts only where the words begin with it, and no other label is in the same clause:
"neutral", "**Neutral** (undetermined)", "neutral because …", "+3", "−3" and "3.0" are labels;
"not neutral", "neutral or contradiction", "non-entailment", "3/5", "3.5" and "3 to 4" are none.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

from capo_core.task import NLI, LabelScale, label_value
from capo_core.text.tokens import WORD_CHARACTER

NO_LABEL = "no label"
OFF_SCALE = "label off the scale"
TWO_LABELS = "two labels"

# Other forms of the three NLI labels that leave no doubt; the last two only as the whole answer,
# since they are ordinary words of an explanation.
_NLI_FORMS = {
    "entailed": "entailment",
    "entails": "entailment",
    "undetermined": "neutral",
    "contradictory": "contradiction",
    "contradicts": "contradiction",
    "contradicted": "contradiction",
}
_NLI_WHOLE = {"true": "entailment", "false": "contradiction"}

DECORATION = " \t\n*_`\"'“”‘’«»[]<>(){}#"
_NUMERIC = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,6})?")
_REASON = r"(?:because|since|as|given)\b"
# What may follow a label: nothing, a mark, or a reason.
_AFTER = re.compile(rf"[\s*_`\"'“”‘’»\]>)}}]*(?:$|[.,;:!?(\[|/]|[–—-](?=\s)|{_REASON})", re.I)
_CLAUSE_END = re.compile(rf"[.!?](?=\s)|\b{_REASON}", re.I)
_SEPARATORS = " \t.,;:!?|–—-" + "*_`\"'”’»])>}"
_BRACKETED = re.compile(r"[\s*_`\"'”’»]*[(\[][^()\[\]]*[)\]]")


@dataclass(frozen=True)
class LabelReading:
    """A label, or the problem that prevented its parsing; `rest` is the text after the label."""

    label: str = ""
    problem: str = ""
    rest: str = ""


class LabelReader(ABC):
    """Parser of the labels of one scale."""

    @abstractmethod
    def starts(self, text: str) -> tuple[str, str, str] | None:
        """Return label (or ""), problem (or "") and the rest, where `text` begins with a label."""

    @abstractmethod
    def mentioned(self, text: str) -> set[str]:
        """Return the labels that occur anywhere in `text`."""

    @abstractmethod
    def names_all(self, text: str) -> bool:
        """Return whether `text` is the question ("entailment, neutral or contradiction"), not an
        answer.
        """

    def read(self, text: str) -> LabelReading:
        """Return the label that `text` begins with, ignoring decoration."""
        bare = text.lstrip(DECORATION)
        if not bare:
            return LabelReading(problem=NO_LABEL)
        # A label may itself begin with what decorates others.
        start = self.starts(text.strip()) or self.starts(bare)
        if start is None:
            return LabelReading(problem=self._doubt(bare))
        label, problem, after = start
        if problem or not _AFTER.match(after):
            return LabelReading(problem=problem or self._doubt(bare))
        end = _CLAUSE_END.search(after)
        if self.mentioned(after[: end.start()] if end else after) - {label}:
            return LabelReading(problem=TWO_LABELS)
        bracketed = _BRACKETED.match(after)
        rest = after[bracketed.end() :] if bracketed else after
        return LabelReading(label, rest=rest.lstrip(_SEPARATORS))

    def _doubt(self, text: str) -> str:
        return TWO_LABELS if len(self.mentioned(text)) > 1 else OFF_SCALE

    def alone(self, line: str) -> LabelReading | None:
        """Return the label that a line begins with, if unambiguous; else None.

        A word must be the line, or be followed by a mark; a number or a letter ("1. Both ask …",
        "A. …") must be the line, or be followed by a reason.
        """
        found = self.read(line)
        if not found.label:
            return None
        reason = re.match(_REASON, found.rest, re.I)
        return found if is_word(found.label) or reason or not found.rest else None


def is_word(label: str) -> bool:
    """Return whether the label differs from a list number and from a single letter."""
    return len(label) > 1 and not label.lstrip("+-−–")[:1].isdigit()


class WordReader(LabelReader):
    """Labels that are words; case does not matter unless two labels differ in nothing else."""

    def __init__(self, scale: LabelScale) -> None:
        forms = {label: label for label in scale.labels if label.strip()}
        self._labels = set(forms)
        self._whole: dict[str, str] = {}
        if {label.casefold() for label in scale.labels} == set(NLI.scale.labels):
            own = {label.casefold(): label for label in scale.labels}
            forms |= {form: own[label] for form, label in _NLI_FORMS.items()}
            self._whole = {form: own[label] for form, label in _NLI_WHOLE.items()}
        # The longest first: "somewhat similar" is not "similar".
        self._forms = sorted(forms.items(), key=lambda form: -len(form[0]))
        folded = [form.casefold() for form in forms]
        parts = [_form_pattern(form, folded.count(form.casefold()) > 1) for form, _ in self._forms]
        self._pattern = re.compile("|".join(f"({part})" for part in parts) or r"(?!)")

    def starts(self, text):
        match = self._pattern.match(text)
        if match:
            return self._label(match), "", text[match.end() :]
        whole = self._whole.get(text.strip(_SEPARATORS).casefold())
        return (whole, "", "") if whole else None

    def mentioned(self, text):
        return {self._label(match) for match in self._pattern.finditer(text)}

    def names_all(self, text):
        return len(self._labels) > 1 and self.mentioned(text) == self._labels

    def _label(self, match: re.Match) -> str:
        return self._forms[match.lastindex - 1][1]


def _form_pattern(form: str, exact_case: bool) -> str:
    """Return a regular expression for a label that does not match inside words or numbers."""
    words = r"\s+".join(re.escape(word) for word in form.split())
    letter = WORD_CHARACTER  # a combining mark continues a word
    before = rf"(?<!{letter})(?<![+−–-])" if re.match(letter, form) else ""
    after = rf"(?![-−–]?{letter}|['’]{letter})" if re.search(rf"{letter}$", form) else ""
    if form[-1].isdigit():
        after += r"(?!\s*(?:/|out of\b|of\b)\s*\d|[.,]\d|\s*%)"
    return f"{before}{words}{after}" if exact_case else f"(?i:{before}{words}{after})"


class NumberReader(LabelReader):
    """Labels that are numbers; written with a sign or as 3.0 they are the same."""

    _NUMBER = re.compile(r"([+\-−–]?)([0-9]{1,9})(?:[.,]([0-9]+))?(?![\w%])")
    _ANYWHERE = re.compile(r"(?<![\w.,])[+\-−–]?[0-9]+")
    _DECIMAL_ANYWHERE = re.compile(r"(?<![\w.,])[+\-−–]?[0-9]+(?:[.,][0-9]{1,3})?")
    _OTHER_SCALE = re.compile(r"\s*(?:/|out of\b|of\b|%)\s*", re.I)

    def __init__(self, scale: LabelScale) -> None:
        self._of_value: dict[int | float, list[str]] = {}
        for label in scale.labels:
            self._of_value.setdefault(label_value(label), []).append(label)
        self._whole = all(isinstance(value, int) for value in self._of_value)
        low, high = (re.escape(str(value)) for value in self._ends())
        self._scale = re.compile(rf"{low}\s*(?:to|through|and|[-–—]|\.\.+|…)\s*\+?{high}(?!\d)")

    def _ends(self) -> tuple[int | float, int | float]:
        return min(self._of_value), max(self._of_value)

    def starts(self, text):
        match = self._NUMBER.match(text)
        if not match:
            return None
        sign, whole, decimals = match.groups()
        after = text[match.end() :]
        if self._OTHER_SCALE.match(after):
            return "", OFF_SCALE, after
        value = int(whole)
        # "3.0" is a 3; "3,000" may be another number.
        if (decimals or "0") not in ("0", "00"):
            if self._whole:
                return "", OFF_SCALE, after
            value = float(f"{whole}.{decimals}")
        labels = self._of_value.get(-value if sign and sign != "+" else value, [])
        if not labels:
            return "", OFF_SCALE, after
        if len(labels) > 1:  # "3" and "+3" are two labels of this scale
            labels = [label for label in labels if label == match.group()]
        return (labels[0], "", after) if labels else ("", TWO_LABELS, after)

    def mentioned(self, text):
        # Named by the text itself: any number beside the answer is a doubt, on the scale or not.
        text = self._scale.sub(" ", text.replace("−", "-"))
        anywhere = self._ANYWHERE if self._whole else self._DECIMAL_ANYWHERE
        found = (match.group().replace("–", "-") for match in anywhere.finditer(text))
        return {self._named(number) for number in found}

    def _named(self, number: str) -> str:
        if len(number) >= 10:  # no label of a scale, and maybe too long to be a number at all
            return number
        labels = self._of_value.get(label_value(number.replace(",", ".")), [])
        return labels[0] if len(labels) == 1 else number

    def names_all(self, text):
        asked = "whole number" if self._whole else "number out of"
        return asked in text.casefold()


@lru_cache(maxsize=8)
def reader_of(scale: LabelScale) -> LabelReader:
    """Return the reader for a scale: numbers if all its labels are numbers, else words."""
    numbers = all(_NUMERIC.fullmatch(label) for label in scale.labels)
    return NumberReader(scale) if numbers else WordReader(scale)
