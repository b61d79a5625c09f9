"""One-hot labels: one row per annotation with a column of 0 and 1 for each label.

As in the raw files of GoEmotions (Demszky et al., ACL 2020), where `rater_id` names the annotator
and `example_very_unclear` marks rows without a label. Columns of which mostly none or several are
1 may be answers to as many yes/no questions: such a table is asked about, not guessed.
"""

from __future__ import annotations

import re
from typing import Any

from capo_core.data.column_values import are_passages
from capo_core.data.columns import SYNONYMS, normalised_name
from capo_core.data.formats.answers import LABEL, TEXT, ToolAnswer, ToolExport, tool_format
from capo_core.data.formats.base import ReadOptions
from capo_core.data.readers.encoding import cell_text
from capo_core.data.readers.records import records_of
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows, quoted_list

_ON, _OFF = {"1", "1.0", "true"}, {"0", "0.0", "false", ""}
_UNCLEAR = re.compile(r"unclear|skip|cannot|invalid|broken")
_FLAG = re.compile(
    r"^(is|has|was)_|valid|check|attention|gold|correct|finished|approved|test|train"
)


def _roles(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return role → column, of those that are no labels; who wrote sentences is no annotator."""
    by_name: dict[str, str] = {}
    for name in rows[0] if rows else ():
        by_name.setdefault(normalised_name(name), name)
    for each in SYNONYMS["annotator_id"]:
        if each in by_name and are_passages([cell_text(row.get(by_name[each])) for row in rows]):
            del by_name[each]
    found = {}
    for role in ("item_id", "annotator_id", "label", "explanation", "text_a", "text_b", "split"):
        known = (*SYNONYMS[role], "id") if role == "item_id" else SYNONYMS[role]
        found[role] = next((by_name[each] for each in known if each in by_name), "")
    return found


def label_columns(rows: list[dict[str, Any]]) -> list[str]:
    """Return the columns that hold nothing but 0 and 1 (or nothing but true and false)."""
    if not rows:
        return []
    names = list(rows[0])
    taken = set(_roles(rows).values())
    numbers, words = [], []
    for name in names:
        key = normalised_name(name)
        if name in taken or _FLAG.search(key) or _UNCLEAR.search(key):
            continue
        values = {cell_text(row.get(name)).strip().casefold() for row in rows}
        if values <= {"0", "1", "0.0", "1.0", ""} and values - {""}:
            numbers.append(name)
        elif values <= {"true", "false", ""} and values - {""}:
            words.append(name)
    return numbers if len(numbers) >= len(words) else words


def matches(source: ImportSource) -> bool:
    """Return whether an annotator, no label, and several columns of 0 and 1 are in the table.

    In at least half of the rows one of them is 1, and of these rows in at least half one alone.
    """
    sample = source.sample
    if not sample:
        return False
    roles = _roles(sample)
    shown = roles["text_a"] or roles["item_id"]
    alone = roles["annotator_id"] and not roles["label"] and shown
    labels = label_columns(sample)
    on = [n for row in sample if (n := sum(_is_on(row.get(name)) for name in labels))]
    mostly_one = len(on) >= 0.5 * len(sample) and on.count(1) >= 0.5 * len(on)
    return bool(alone) and len(labels) > 1 and mostly_one


def _is_on(value: Any) -> bool:
    return cell_text(value).strip().casefold() in _ON


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> ToolExport:
    """Return the labels that are on in each row."""
    records = records_of(source, rejected, options.limits, options.delimiter, options.sheet)
    rows = [record for _, record in records.rows]
    roles = _roles(rows)
    labels = label_columns(rows)
    unclear = [name for name in (rows[0] if rows else ()) if _UNCLEAR.search(normalised_name(name))]
    answers = []
    for row, record in records.rows:
        on = [name for name in labels if _is_on(record.get(name))]
        marks = [name for name in unclear if _is_on(record.get(name))]
        aside = ""
        if not on:
            aside = f"no label is on ({', '.join(marks)})" if marks else "no label is on"
        given = {"label": on}
        if roles["explanation"]:
            given["explanation"] = record.get(roles["explanation"])
        texts = {
            name: cell_text(record.get(name)) for name in (roles["text_a"], roles["text_b"]) if name
        }
        answers.append(
            ToolAnswer(
                row,
                cell_text(record.get(roles["annotator_id"])).strip(),
                cell_text(record.get(roles["item_id"])).strip() if roles["item_id"] else "",
                texts,
                given,
                aside,
                cell_text(record.get(roles["split"])) if roles["split"] else "",
            )
        )
    notes = [*records.notes, f"{len(labels)} columns of 0 and 1 are labels: {quoted_list(labels)}"]
    kinds = {"label": LABEL, "explanation": TEXT}
    return ToolExport(
        answers, kinds, tuple(notes), delimiter=records.delimiter, sheet=records.sheet
    )


FORMAT = tool_format(
    name="one-hot",
    title="One-hot labels",
    description="CSV, JSON Lines, Excel or Parquet with one row per annotation and a column of 0 "
    "and 1 for each label, such as the raw files of GoEmotions",
    sign="an annotator, no label column, and several columns of 0 and 1",
    general=True,
    matches=matches,
    read=read,
)
