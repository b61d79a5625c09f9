"""One preference pair of a file, as `pairs export` and `study export-pairs` write them.

JSONL, one pair a line: `prompt`, `chosen` and `rejected`; also, where they are known, `item_id`,
`target_annotator` (or `target_annotator_id`) and `weight` (above 0; 1 where it is not given).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from capo_core.errors import DataError
from capo_core.imitation.render import PLAIN_END

EXPECTED = "a JSON object with the texts prompt, chosen and rejected"


@dataclass(frozen=True)
class Row:
    """One pair; `prompt` is without the line after which an answer begins."""

    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0
    item_id: str = ""
    target: str = ""


def row_of(line: bytes, where: str) -> Row:
    """The pair of a line; `DataError` with `where` and what was expected."""
    try:
        raw = json.loads(line.decode("utf-8"), parse_int=float)  # of endless digits: infinite
    except (ValueError, RecursionError):
        raise DataError("this is not JSON", where=where, expected=EXPECTED) from None
    if not isinstance(raw, dict):
        raise DataError("this is not a JSON object", where=where, expected=EXPECTED)
    prompt, chosen, rejected = (
        _text(raw, name, where) for name in ("prompt", "chosen", "rejected")
    )
    if chosen == rejected:
        raise DataError("chosen and rejected are the same", where=where, expected="two texts")
    target = "target_annotator" if "target_annotator" in raw else "target_annotator_id"
    item_id, target = (
        _text(raw, name, where) if raw.get(name) not in (None, "") else ""
        for name in ("item_id", target)
    )
    weight = raw.get("weight", 1.0)
    if not (isinstance(weight, float) and math.isfinite(weight) and weight > 0):
        raise DataError(f"the weight is {weight!r}", where=where, expected="a number above 0")
    return Row(prompt.removesuffix(PLAIN_END), chosen, rejected, weight, item_id, target)


def _text(raw: dict[str, Any], name: str, where: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{name} is {'not there' if value is None else 'no text'}", where=where,
                        expected=EXPECTED)  # fmt: skip
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # half a letter: no tokens
        raise DataError(f"{name} is not valid Unicode", where=where, expected=EXPECTED)
    return value
