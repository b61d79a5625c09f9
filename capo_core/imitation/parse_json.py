"""Answers written as JSON: {"label": "neutral", "explanation": "…"}, alone or within prose."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from capo_core.imitation.parse_label import LabelReader
from capo_core.imitation.parse_marks import EXPLANATION_NAMES, LABEL_NAMES
from capo_core.imitation.parse_result import Parsed, settled

_TRIES = 20  # places at which an object may begin


def in_json(text: str, reader: LabelReader) -> Parsed | None:
    """The answer in the JSON objects of `text`; None where no object has a label."""
    members = [
        (str(name).strip().casefold(), value)
        for fields in _objects(text)
        for name, value in fields
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    found = [reader.read(str(value)) for name, value in members if name in LABEL_NAMES]
    if not found:
        return None
    texts = [(name, value) for name, value in members if isinstance(value, str)]
    said = [value for name, value in texts if name in EXPLANATION_NAMES]
    return settled(found, next((text for text in said if text.strip()), ""))


def _objects(text: str) -> list[list[tuple[str, object]]]:
    """The members of all JSON objects in `text`, also of those inside others."""
    objects: list[list[tuple[str, object]]] = []

    def collect(members: list[tuple[str, object]]) -> list[tuple[str, object]]:
        objects.append(members)  # as pairs: a name given twice must not hide a second label
        return members

    decoder = json.JSONDecoder(object_pairs_hook=collect)
    end = 0
    for brace in list(re.finditer(r"\{", text))[:_TRIES]:
        if brace.start() < end:
            continue
        with suppress(ValueError, RecursionError):  # no JSON: an object inside it may be
            end = decoder.raw_decode(text, brace.start())[1]
    return objects
