"""Numbers, counts, durations and lists as text, and statements that carry their parts.

The one place where a share becomes "62 %" and a count "1,933 items"; pages, reports, command line
and exports all read it, so that a quantity is never printed in two roundings.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

PERCENT = "\u00a0%"  # with a space that does not break
UNDEFINED = "undefined"
MINUS = "\u2212"
FEW = 20  # cases up to which a share is given as a count
MOST_NAMES = 12  # of annotators, items, columns, labels or runs in one message
MOST_DECIMALS = 4  # of an end of an interval that excludes 0
NO_WIDTH = "[no width]"  # an interval whose ends are the same: of values that are all alike
_MORE_DECIMALS = 2  # that the ends of an interval may have, to be told apart


def short(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def capitalised(text: str) -> str:
    """Return `text` with a capital first letter; the others are left as they are."""
    return text[:1].upper() + text[1:]


def natural_key(name: str) -> tuple:
    """Return the sort key of a name in natural order: runs of digits count as numbers.

    >>> sorted(["Ann10", "Ann2", "ann1", "11", "9", "B"], key=natural_key)
    ['9', '11', 'ann1', 'Ann2', 'Ann10', 'B']
    """
    parts = []
    for place, part in enumerate(re.split(r"(\d+)", str(name))):
        if place % 2:  # compared by length, then by digits: no limit to how long it may be
            digits = "".join(str(int(digit)) for digit in part).lstrip("0")
            parts.append((0, len(digits), digits))
        elif part:
            parts.append((1, 0, part.casefold()))
    return tuple(parts), str(name)


def natural_order(names: Iterable[str]) -> list[str]:
    """Return names of annotators as every list, table, chart and select has them: Ann2 before
    Ann10, numbers before words."""
    return sorted(names, key=natural_key)


def number(value: float | None, digits: int = 2) -> str:
    """Return `value` with `digits` decimals and a real minus sign; "undefined" for NaN or None.

    What rounds to nothing has no sign: "0.00".
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", MINUS)


def signed(value: float | None, digits: int = 2) -> str:
    """Return `value` with its sign: "+0.04", "−0.02"; "0.00" where it rounds to nothing."""
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{value:+.{digits}f}"
    return text[1:] if not float(text) else text.replace("-", MINUS)


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share (0 to 1) as "63 %", never rounded to a certainty that was not measured.

    What would round to 0 or 100 without being it is "under 1 %" or "over 99 %" (with `digits`:
    "under 0.1 %", "over 99.9 %").
    """
    if share is None or math.isnan(share):
        return UNDEFINED
    share = round(float(share), 12)  # what is 1 but for the arithmetic is 1
    text, step = _in_hundredths(share, digits), 10.0**-digits
    if float(text) == 100 and share < 1:
        return f"over {100 - step:.{digits}f}{PERCENT}"
    if float(text) == 0 and share > 0:
        return f"under {step:.{digits}f}{PERCENT}"
    return f"{text}{PERCENT}".replace("-", MINUS)


def rate(share: float | None) -> str:
    """Return a share that may be rare, "12 %", "0.5 %": of under 1 % with one decimal."""
    known = share is not None and not math.isnan(share)
    return percent(share, 1 if known and 0 < share < 0.01 else 0)


def _in_hundredths(value: float, digits: int = 0) -> str:
    """Return 100 times a number, rounded as `number` rounds the number itself: "0.17" and "17"."""
    return f"{Decimal(f'{value:.{digits + 2}f}').scaleb(2):.{digits}f}"


def points(difference: float | None, digits: int = 0) -> str:
    """Return a difference of two shares in percentage points: "12 points", "1 point"."""
    if difference is None or math.isnan(difference):
        return UNDEFINED
    text = _in_hundredths(difference, digits)
    text = text[1:] if not float(text) and text.startswith("-") else text
    return f"{text.replace('-', MINUS)} {'point' if float(text) in (1, -1) else 'points'}"


def decimals_off_zero(value: float, digits: int, most: int) -> int:
    """Return the decimals, from `digits` to `most`, with which `value` is not printed as 0."""
    while value and digits < most and not float(f"{value:.{digits}f}"):
        digits += 1
    return digits


def interval(
    low: float | None, high: float | None, write: Callable[[float, int], str], digits: int = 2,
    *, comma: bool = False,
) -> str:  # fmt: skip
    """Return an interval in brackets; empty where it is not defined.

    All intervals become text here. "[0.33–0.33]" would say nothing, so ends that are printed alike
    have up to two more decimals, "[0.331–0.334]"; where they are still alike, the interval has
    `NO_WIDTH`, which is written in its place.

    Args:
        write: an end with so many decimals, as text.
        comma: "[0.50, 0.54]" instead of "[0.50–0.54]".

    >>> interval(0.331, 0.334, number), interval(0.5, 0.5, number), interval(-0.1, 0.2, number, 1)
    ('[0.331–0.334]', '[no width]', '[−0.1 to 0.2]')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    for more in range(_MORE_DECIMALS + 1):
        ends = [write(end, digits + more) for end in (low, high)]
        if ends[0] != ends[1]:
            return f"[{', '.join(ends) if comma else ends_text(ends)}]"
    return NO_WIDTH


def points_interval(low: float | None, high: float | None) -> str:
    """Return the interval of a difference of shares in points, "[2–10]" or "[−3 to 5]" (see
    `interval`).

    An interval that excludes 0 is not printed with an end of 0: "[0.3–10]".
    """
    apart = low is not None and high is not None and (low > 0 or high < 0)

    def write(end: float, digits: int) -> str:
        digits = decimals_off_zero(end, digits + 2, 4) - 2 if apart else digits
        return points(end, digits).split(" ")[0]

    return interval(low, high, write, 0)


def share_of(value: float | None, n: int, *, single: bool = True) -> str:
    """Return a share of `n` cases: of up to `FEW` as a count, "11 of 12", else in whole percent.

    Args:
        single: whether the share is of these cases themselves, and no mean of several shares.
    """
    if value is None or math.isnan(value) or not (single and 0 < n <= FEW):
        return percent(value)
    hits = value * n
    return f"{hits:.0f} of {n}" if abs(hits - round(hits)) < 1e-6 else percent(value)


def with_interval(value: float, low: float, high: float, digits: int = 2) -> str:
    """Return the number with its 95 % interval, "0.52 [0.50, 0.54]"; without one where there is
    none."""
    return f"{number(value, digits)} {interval(low, high, number, digits, comma=True)}".rstrip()


def percent_interval(low: float, high: float, digits: int = 0) -> str:
    """Return the interval of a share in percent, "[58–66]" (see `interval`).

    0 and 100 have no decimals: "[0–0.4]", "[99.6–100]".
    """

    def write(end: float, digits: int) -> str:
        text = _in_hundredths(end, digits)
        if float(text) in (0, 100):
            return text.lstrip("-").split(".")[0]
        return text.replace("-", MINUS)

    return interval(low, high, write, digits)


def number_interval(
    low: float | None, high: float | None, digits: int = 2, *, apart: bool = False
) -> str:
    """Return the interval of a number, "[0.55–0.69]", "[−0.10 to 0.20]" (see `interval`).

    Args:
        apart: one that excludes 0 has decimals enough not to be printed with an end of 0.
    """
    if apart and low is not None and high is not None and (low > 0 or high < 0):
        digits = decimals_off_zero(min(abs(low), abs(high)), digits, MOST_DECIMALS)
    return interval(low, high, number, digits)


def span(texts: Sequence[str]) -> str:
    """Return "0.12 to 0.40" of the least and the largest as they are written; one if they are the
    same."""
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def ends_text(ends: Sequence[str]) -> str:
    """Return both ends of an interval, as they are written: "0.55–0.69", "−0.10 to 0.20".

    >>> ends_text(["0.00", "0.20"]), ends_text(["−0.10", "0.20"])
    ('0.00–0.20', '−0.10 to 0.20')
    """
    return (" to " if MINUS in "".join(ends) else "–").join(ends)


def p_value(p: float | None) -> str:
    """Return "≤ 0.001", "0.012" or "0.34"; "undefined" for NaN or None."""
    if p is None or math.isnan(p):
        return UNDEFINED
    return "≤ 0.001" if p <= 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_statement(p: float | None) -> str:
    """Return "p = 0.012", "p ≤ 0.001"."""
    text = p_value(p)
    return f"p {text}" if text.startswith("≤") else f"p = {text}"


def count(n: int, one: str, many: str | None = None) -> str:
    """Return "1 item", "1,933 items"; `many` where the plural is not `one` with an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """Return "a few seconds", "40 s", "3 min", "1 h 40 min"; rounded, to be read with "about"."""
    if seconds is None or math.isnan(seconds):
        return UNDEFINED
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def elapsed(seconds: float | None) -> str:
    """Return a measured time exactly enough for a table: "4 s", "12 min", "2.5 h"."""
    if seconds is None or math.isnan(seconds):
        return UNDEFINED
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float) -> str:
    """Return a size in powers of a thousand: "640 kB", "93 MB", "1.2 GB"."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= step:
            value = n_bytes / step
            return f"{value:.1f} {unit}" if value < 10 and unit == "GB" else f"{value:.0f} {unit}"
    return f"{n_bytes:.0f} B"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Return "A", "A and B", "A, B and C"; empty for nothing; many are cut as by `name_list`."""
    if len(parts) > MOST_NAMES:
        return name_list(parts)
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def name_list(names: Iterable[object], most: int = MOST_NAMES) -> str:
    """Return names for a message, cut after `most` with a count of the others; "none" of none.

    Every message that names annotators, items, columns, labels or runs is written with this, so
    that a dataset of 506 annotators does not fill the screen.

    >>> name_list("abcde", most=3), name_list([])
    ('a, b, c and 2 more', 'none')
    """
    named = [str(name) for name in names]
    more = f" and {len(named) - most:,} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more or "none"


def quoted_names(names: Iterable[object], most: int = MOST_NAMES) -> str:
    """Return names in quotes, cut as by `name_list`."""
    return name_list((repr(str(name)) for name in names), most)


@dataclass(frozen=True)
class Named:
    """A name inside a statement, replaced by its title when the statement is rendered.

    Attributes:
        kind: "method", "annotator", "measure", "reduction", …: the registry that has the title.
        key: the name in that registry, or in the data.
    """

    kind: str
    key: str


# Title of a name: (kind, key) → text. The default shows the name as the data have it.
Titles = Callable[[str, str], str]


@dataclass(frozen=True)
class Statement:
    """A sentence, or a few, about one topic, with its values.

    Attributes:
        topic: for instance headline, reduction, label, variance.
        template: the sentence with `{name}` for each value; with a format such as
            `{share:percent}`, `{n:count item}`, `{value:number 2}`, see `FORMATS`.
        values: values of the placeholders: numbers, texts, `Named` names, statements that are a
            part of this one, and lists of them ("A, B and C"; with the format `apart`: "A; B";
            with `listed or`: "A, B or C").

    >>> Statement("headline", "{method} is {gain:points} ahead.",
    ...           {"method": Named("method", "capo"), "gain": 0.12}).text
    'capo is 12 points ahead.'
    """

    topic: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence with names as the data have them."""
        return self.render()

    def render(self, titles: Titles = lambda kind, key: key) -> str:
        """Return the sentence with each name under its title."""
        return _Renderer(titles).vformat(self.template, (), self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return the statement as JSON: its text, and the parts that it can be restored from."""
        values = plain_values(self.values)
        return {"topic": self.topic, "text": self.text, "template": self.template, "values": values}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Statement:
        """Return the statement from `to_dict`; one written as text alone is that text."""
        if "template" not in raw:
            return cls.plain(raw["topic"], raw["text"])
        return cls(raw["topic"], raw["template"], revived_values(raw["values"]))

    @classmethod
    def plain(cls, topic: str, text: str) -> Statement:
        """Return a statement without values; braces in `text` are only braces."""
        return cls(topic, text.replace("{", "{{").replace("}", "}}"))

    def joined(self, *others: Statement | None) -> Statement:
        """Return this statement followed by the others, one space apart; None is left out."""
        template, values = self.template, dict(self.values)
        for index, other in enumerate(each for each in others if each is not None):
            renamed = {name: f"{name}_{index}_" for name in other.values if name in values}
            template += " " + _with_names(other.template, renamed)
            values |= {renamed.get(name, name): value for name, value in other.values.items()}
        return Statement(self.topic, template, values)


# Name of a format in a template → the function; words after the name are its arguments.
FORMATS: dict[str, Callable[..., str]] = {
    "percent": lambda value, digits="0": percent(value, int(digits)),
    "number": lambda value, digits="2": number(value, int(digits)),
    "signed": lambda value, digits="2": signed(value, int(digits)),
    "points": lambda value, digits="0": points(value, int(digits)),
    "count": lambda value, one, many=None: count(value, one, many),
    "duration": duration,
    "p": p_value,
    "rate": rate,
}


def measured(value: float, low: float, high: float, digits: int = 2) -> Statement:
    """Return a number with its 95 % interval as a part of a statement, "0.52 [0.50, 0.54]"; without
    the interval where there is none."""
    template, values = f"{{value:number {digits}}}", {"value": value, "low": low, "high": high}
    ends = interval(low, high, number, digits, comma=True)
    if ends:
        template, values = template + " {interval}", {**values, "interval": ends}
    return Statement("measured", template, values)


class _Renderer(string.Formatter):
    """`str.format` for templates: names get titles, numbers the formats of `FORMATS`."""

    def __init__(self, titles: Titles) -> None:
        self._titles = titles

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Named):
            return self._titles(value.kind, value.key)
        if isinstance(value, Statement):
            return value.render(self._titles)
        if isinstance(value, (list, tuple)):
            if format_spec == "apart":
                return "; ".join(self.format_field(each, "") for each in value)
            if format_spec.startswith("listed "):
                last = format_spec.removeprefix("listed ")
                return listed([self.format_field(each, "") for each in value], last)
            return listed([self.format_field(each, format_spec) for each in value])
        name, *arguments = format_spec.split() or [""]
        if name in FORMATS:
            return FORMATS[name](value, *arguments)
        return super().format_field(value, format_spec)


def _with_names(template: str, renamed: Mapping[str, str]) -> str:
    pieces = []
    for literal, name, spec, _ in string.Formatter().parse(template):
        pieces.append(literal.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            pieces.append("{" + renamed.get(name, name) + (f":{spec}" if spec else "") + "}")
    return "".join(pieces)


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of a statement or finding as JSON; undefined numbers are None."""
    return {name: _plain(value) for name, value in values.items()}


def revived_values(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that `plain_values` serialised."""
    return {name: _revived(value) for name, value in raw.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return {"kind": value.kind, "key": value.key}
    if isinstance(value, Statement):
        return value.to_dict()
    if isinstance(value, Mapping):
        return plain_values(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _revived(value: Any) -> Any:
    if isinstance(value, dict) and "topic" in value:
        return Statement.from_dict(value)
    if isinstance(value, dict):
        if set(value) == {"kind", "key"}:
            return Named(value["kind"], value["key"])
        return revived_values(value)
    return [_revived(each) for each in value] if isinstance(value, list) else value


def readable_answers(readable: int, answers: int) -> str:
    """Return how many answers have a label and an explanation that could be read.

    The one count of it, in a generation's result, on pages and in reports.

    >>> readable_answers(98, 100)
    'readable answers: 98 of 100'
    """
    return f"readable answers: {readable:,} of {answers:,}"
