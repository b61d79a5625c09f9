"""Export of judgments joined with the sources of their texts; on the owner's path only.

Judgments read back from a file that `study export` or `study simulate-judges` wrote.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, Table, select

from capo_core.errors import ConfigError, DataError, StudyError
from capo_core.export_formats import csv_text, frame_lines, unescape
from capo_core.provenance import NAME, Provenance
from capo_core.schema import check
from capo_core.study.store import models
from capo_core.study.store.sealed import sealed_sources
from capo_core.study.tables import JUDGMENTS, PRACTICE, frame_of, from_cell
from capo_core.study.trial_kinds import trial_kind
from capo_core.text.tokens import count_words


def _rows_of(path: Path) -> list[dict]:
    """Return the rows of a file as they stand; `DataError` where it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8")  # line ends inside a reason stay as they are
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path)) from error
    if path.suffix == ".jsonl":
        return [_object(line, path, k) for k, line in enumerate(text.split("\n"), 1) if line]
    if path.suffix == ".csv":
        return [
            {name: unescape(value or "") for name, value in row.items() if name is not None}
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
    raise DataError("the ending is not known", where=str(path), expected=".csv or .jsonl")


def read_judgments(path: Path) -> pd.DataFrame:
    """Read the table JUDGMENTS from a file.

    Raises:
        DataError: the file is not there, is not CSV or JSONL, or breaks the table's schema.
    """
    rows = _rows_of(path)
    missing = [name for name in JUDGMENTS.names if rows and name not in rows[0]]
    if missing or not rows:
        raise DataError(
            f"the column {missing[0]!r} is missing" if missing else "there is no row",
            where=str(path),
            expected="a file written by study export or study simulate-judges",
        )
    try:
        frame = frame_of(JUDGMENTS, rows)
    except ValueError as error:
        raise DataError(
            f"a number cannot be read ({error})", where=str(path), expected="numbers in columns "
            "words_a, words_b, words, duration_s and changes",
        ) from error  # fmt: skip
    return check(frame, JUDGMENTS, source=path.name)


def judgments_provenance(path: Path) -> Provenance | None:
    """Return where the judgments of a file come from, in their first row; None where nothing says
    it, as in files of earlier builds.

    Raises:
        DataError: as `read_judgments`.
    """
    rows = _rows_of(path)
    return Provenance.from_line(str(rows[0].get(NAME, ""))) if rows else None


def _object(line: str, path: Path, number: int) -> dict:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise DataError("this is no JSON object", where=f"{path}, line {number}")
    return row


FORMATS = ("csv", "jsonl")


def judgments_frame(connection: Connection, study_id: str, *, practice: bool) -> pd.DataFrame:
    """Return the table JUDGMENTS of all answers not withdrawn, by judge and time."""
    texts = {row.text_id: row for row in _rows(connection, models.texts, study_id)}
    trials = {row.trial_id: row for row in _rows(connection, models.trials, study_id)}
    sealed = {(row.trial_id, row.slot): row for row in _rows(connection, sealed_sources, study_id)}
    given = sorted(_rows(connection, models.judgments, study_id), key=lambda row: row.judgment_id)
    taken_back = [row for row in given if row.withdrawn is not None]
    changes = Counter((row.judge_id, row.trial_id) for row in taken_back)
    earlier_s: Counter = Counter()  # time spent before the answer was taken back counts too
    for row in taken_back:
        earlier_s[row.judge_id, row.trial_id] += (row.answered - row.shown).total_seconds()
    rows = []
    for row in given:
        if row.withdrawn is not None or (row.phase == PRACTICE and not practice):
            continue
        trial, first = trials[row.trial_id], sealed.get((row.trial_id, 0))
        if first is None:
            raise StudyError(f"the trial {row.trial_id} has no sealed source", where=study_id)
        ids = from_cell(trial.text_ids)
        words = [count_words(texts[text_id].explanation) for text_id in ids]
        sources = [sealed[row.trial_id, slot].source for slot in range(len(ids))]
        key = (row.judge_id, row.trial_id)
        rows.append(
            {
                "study_id": study_id,
                "judge_id": row.judge_id,
                "trial_id": row.trial_id,
                "kind": trial.kind,
                "purpose": first.purpose,
                "mirror_of": first.mirror_of,
                "item_id": trial.item_id,
                "target_annotator_id": trial.target_annotator_id,
                **trial_kind(trial.kind).describe_texts(sources, words),
                "truth": first.truth,
                "displayed": row.displayed,
                "answer": row.answer,
                "side": row.side,
                "confidence": row.confidence,
                "reason": row.reason,
                "duration_s": earlier_s[key] + (row.answered - row.shown).total_seconds(),
                "answered": row.answered.isoformat(),
                "changes": changes[key],
            }
        )
    rows.sort(key=lambda row: (row["judge_id"], row["answered"]))
    return frame_of(JUDGMENTS, rows)


def history_frame(connection: Connection, study_id: str) -> pd.DataFrame:
    """Return every answer, one row each, in order of time; `withdrawn` is empty if it was not.

    Columns: judge_id, trial_id, phase, judge_slot, place, displayed, answer, side, confidence,
    reason, shown, answered, withdrawn (ISO times, UTC).
    """
    names = [
        column.name
        for column in models.judgments.columns
        if column.name not in ("judgment_id", "study_id")
    ]
    rows = sorted(_rows(connection, models.judgments, study_id), key=lambda row: row.judgment_id)
    return pd.DataFrame([[_text(getattr(row, n)) for n in names] for row in rows], columns=names)


def audit_frame(connection: Connection, study_id: str) -> pd.DataFrame:
    """Return the columns at (ISO time, UTC), actor, event, details (JSON), in order of time."""
    names = ["at", "actor", "event", "details"]
    rows = sorted(_rows(connection, models.audit, study_id), key=lambda row: row.audit_id)
    return pd.DataFrame([[_text(getattr(row, n)) for n in names] for row in rows], columns=names)


def as_text(frame: pd.DataFrame, format: str, provenance: Provenance) -> str:
    """Return an export as "csv" (no cell can act as a formula in a spreadsheet) or "jsonl".

    Raises:
        ConfigError: another format.
    """
    if format not in FORMATS:
        raise ConfigError(f"the format {format!r} is not known", expected=", ".join(FORMATS))
    return (csv_text if format == "csv" else frame_lines)(frame, provenance)


def _rows(connection: Connection, table: Table, study_id: str):
    return connection.execute(select(table).where(table.c.study_id == study_id)).all()


def _text(value: object) -> str:
    return "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
