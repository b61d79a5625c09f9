"""e-SNLI and LiTEx: items of natural language inference with explanations of one shared label.

e-SNLI (Camburu et al., NeurIPS 2018): CSV with `pairID`, `gold_label`, `Sentence1`, `Sentence2`
and `Explanation_1` … `Explanation_3` (training part: one, with its `WorkerId`); on the Hugging
Face hub `premise`, `hypothesis`, `label` (0, 1, 2) and `explanation_1` …. LiTEx (Hong et al.,
EMNLP 2025) adds the category of an explanation, one explanation in each record.

Explanations are of different people from item to item: 1, 2 and 3 are places, not persons.
"""

from __future__ import annotations

import re
from typing import Any

from capo_core.data.columns import normalised_name
from capo_core.data.formats.answers import LABEL, TEXT, ToolAnswer, ToolExport, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.formatting import count
from capo_core.task import NLI

PLACES = (
    "annotators 1, 2, … are the places of the explanations, with the label of the item: they are "
    "other people from item to item, so that comparisons of annotators mean nothing here"
)
_EXPLANATION = re.compile(r"explanations?_?(\d*)")
_TEXTS = (("sentence1", "premise"), ("sentence2", "hypothesis"))
_LABELS = ("gold_label", "label", "label_gold")
_ITEMS = ("pair_id", "pairid", "uid", "item_id", "id")
_PEOPLE = ("worker_id", "workerid", "annotator_id", "annotator")
_NUMBERS = dict(enumerate(NLI.scale.labels))


def _names(record: dict) -> dict[str, str]:
    return {normalised_name(str(name)): name for name in record}


def _first(names: dict[str, str], wanted: tuple[str, ...]) -> str:
    return next((names[each] for each in wanted if each in names), "")


def _explanations(names: dict[str, str]) -> dict[str, str]:
    """Return place → column of the explanations; the place of the only one is ""."""
    matches = ((_EXPLANATION.fullmatch(key), name) for key, name in names.items())
    return {match[1]: name for match, name in matches if match}


def _is_item(record: dict) -> bool:
    names = _names(record)
    places = _explanations(names)
    texts = all(_first(names, each) for each in _TEXTS)
    if not places or not texts or not _first(names, _LABELS):
        return False
    taxonomy = any("category" in key or "taxonomy" in key for key in names)
    whole = list(places) == [""]
    listed = whole and isinstance(record[places[""]], list)
    own = _first(names, _PEOPLE)
    return (not whole and ("pair_id" in names or "explanation_1" in names)) or (
        whole and not own and (taxonomy or listed or "gold_label" in names)
    )


def matches(source: ImportSource) -> bool:
    """Return whether pairs of sentences with one label and their explanations are in the file."""
    return any(map(_is_item, source.sample))


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return each explanation as the answer of one annotator with the item's label."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    answers: list[ToolAnswer] = []
    seen: dict[str, int] = {}
    bare = 0
    # The columns' own names, which the report gives.
    first = _names(records.rows[0][1]) if records.rows else {}
    column = _first(first, _LABELS) or "label"
    words_of = list(_explanations(first).values()) or ["explanation"]
    words_in = words_of[0] if len(words_of) == 1 else f"{words_of[0]} … {words_of[-1]}"
    # Beside several explanations of an item, one worker's name cannot be that of all.
    several = any(len(_written(record, _names(record))) > 1 for _, record in records.rows)
    unread = ""
    for row, record in records.rows:
        names = _names(record)
        item = cell_text(record.get(_first(names, _ITEMS))).strip() if _first(names, _ITEMS) else ""
        texts = {
            role: cell_text(record.get(_first(names, wanted)))
            for role, wanted in zip(("premise", "hypothesis"), _TEXTS, strict=True)
        }
        label = _label(record.get(_first(names, _LABELS)))
        person_column = _first(names, _PEOPLE)
        person = cell_text(record.get(person_column)).strip()
        if person and several:
            unread, person = person_column, ""
        written = _written(record, names)
        bare += not written
        for place, words in written:
            key = item or texts["premise"] + texts["hypothesis"]
            seen[key] = seen.get(key, 0) + 1
            who = person or place or str(seen[key])
            answers.append(ToolAnswer(row, who, item, texts, {column: label, words_in: words}))
    notes = list(records.notes)
    if bare:
        notes.append(f"{count(bare, 'item')} without an explanation")
    if any(answer.annotator in ("1", "2", "3") for answer in answers):
        notes.append(PLACES)
    if unread:
        notes.append(
            f"{unread!r} is not read: it names one person for several explanations of an item"
        )
    kinds = {column: LABEL, words_in: TEXT}
    return ToolExport(
        answers,
        kinds,
        tuple(notes),
        "explanations",
        task=NLI,
        delimiter=records.delimiter,
        sheet=records.sheet,
    )


def _label(value: Any) -> str:
    """Return the label; the hub's 0, 1, 2 by their names, -1 and "-" (no majority) as missing."""
    text = cell_text(value).strip()
    if text in ("-1", "-"):
        return ""
    return _NUMBERS[int(text)] if text in ("0", "1", "2") else text


def _written(record: dict, names: dict[str, str]) -> list[tuple[str, str]]:
    """Return (place, words) of all explanations of a record."""
    found = []
    for place, column in _explanations(names).items():
        value = record.get(column)
        if isinstance(value, list):
            found += [(str(n), cell_text(each)) for n, each in enumerate(value, 1)]
        else:
            found.append((place, cell_text(value)))
    return [(place, words) for place, words in found if words.strip()]


FORMAT = tool_format(
    name="esnli",
    title="e-SNLI, LiTEx",
    description="CSV, JSON Lines or Parquet of e-SNLI (Camburu et al., 2018) and of LiTEx (Hong et "
    "al., 2025): several explanations of one label",
    sign="premise and hypothesis with one label and 'Explanation_1', 'Explanation_2' …",
    matches=matches,
    read=read,
)
