"""Loading a frozen study into the database: once, whole, and unchanged from then on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, insert, select

from capo_core import schema
from capo_core.errors import DataError, StudyError
from capo_core.formatting import quoted_names
from capo_core.study.judging.judge import Terms
from capo_core.study.store import audit, models
from capo_core.study.store.sealed import sealed_sources
from capo_core.study.tables import MAIN, SEALED, SHOWN, from_cell
from capo_core.study.trial_kinds import TRIAL_KINDS, check_kinds

STORED = {table.name: getattr(models, table.name) for table in SHOWN} | {
    SEALED.name: sealed_sources
}
MOST_CARDS = 26  # a judge sees letters


def load(
    connection: Connection,
    study_id: str,
    frames: Mapping[str, pd.DataFrame],
    frozen_hash: str,
    terms: Terms,
    at: datetime,
) -> bool:
    """Load the frames of a frozen study, by the names of their tables; False if it was there.

    Raises:
        DataError: a frame breaks its table or contradicts another.
        StudyError: a study of this name, with other contents, is there already.
    """
    found = connection.execute(
        select(models.studies.c.frozen_hash).where(models.studies.c.study_id == study_id)
    ).scalar_one_or_none()
    if found == frozen_hash:
        return False
    if found is not None:
        raise StudyError(
            f"a study {study_id!r} with other contents is in the database",
            expected=f"the hash {found[:12]}…; this one has {frozen_hash[:12]}…",
            todo="give the new study another name: a frozen one cannot be exchanged",
        )
    checked = {table.name: _checked(frames, table, study_id) for table in (*SHOWN, SEALED)}
    _check_references(checked, study_id)
    connection.execute(
        insert(models.studies).values(
            study_id=study_id, terms=terms.to_json(), frozen_hash=frozen_hash, created=at
        )
    )
    for name, table in STORED.items():
        rows = [{"study_id": study_id, **row} for row in checked[name].to_dict("records")]
        if rows:
            connection.execute(insert(table), rows)
    counts = {name: len(frame) for name, frame in checked.items()}
    audit.note(connection, at, study_id, audit.OWNER, "create", hash=frozen_hash, rows=counts)
    return True


def _checked(
    frames: Mapping[str, pd.DataFrame], table: schema.Table, study_id: str
) -> pd.DataFrame:
    if table.name not in frames:
        raise DataError(f"the table {table.name} is missing", where=f"study {study_id}")
    frame = schema.check(frames[table.name], table, source=f"study {study_id}").copy()
    for column in table.columns:
        if column.kind == "count":
            frame[column.name] = [int(value) for value in frame[column.name]]
            continue
        bad = [not _storable(value) for value in frame[column.name]]
        if any(bad):
            raise DataError(
                "a text holds a null character or half of one that has two parts",
                where=f"study {study_id}, table {table.name}, row {bad.index(True) + 1}, "
                f"column '{column.name}'",
                todo="take it out of the data; no database keeps it",
            )
    return frame.astype(object)


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _check_references(frames: Mapping[str, pd.DataFrame], study_id: str) -> None:
    """Check that everything a judge's page will look up is there."""
    check_kinds(frames["trials"]["kind"], where=f"study {study_id}, table trials")
    texts = set(frames["texts"]["text_id"])
    cards = set(frames["cards"]["annotator_id"])
    trials = frames["trials"].set_index("trial_id")
    shown = {trial: from_cell(cell) for trial, cell in trials["text_ids"].items()}
    _need(texts, {text for ids in shown.values() for text in ids}, "texts", study_id)
    assignments = frames["assignments"]
    _need(set(trials.index), set(assignments["trial_id"]), "trials", study_id)
    if not (assignments["trial_id"].map(trials["phase"]) == MAIN).any():
        raise DataError("no judge has a trial to answer", where=f"study {study_id}")
    for row in assignments.itertuples(index=False):
        order = from_cell(row.order)
        _need(cards, set(order["cards"]), "cards", study_id)
        kind, count = trials.at[row.trial_id, "kind"], len(shown[row.trial_id])
        if sorted(order["slots"]) != list(range(count)):
            raise DataError(
                f"the order of {row.judge_slot}, trial {row.trial_id}, shows slots "
                f"{order['slots']} of {count}",
                where=f"study {study_id}, table assignments",
            )
        if TRIAL_KINDS[kind].lettered and not 1 <= len(order["cards"]) <= MOST_CARDS:
            raise DataError(
                f"a trial of {kind} shows {len(order['cards'])} cards",
                where=f"study {study_id}, table assignments",
                expected=f"1 to {MOST_CARDS}, one letter each",
            )


def _need(there: set[str], wanted: set[str], table: str, study_id: str) -> None:
    missing = sorted(wanted - there)
    if missing:
        raise DataError(
            f"{quoted_names(missing, 3)} {'are' if len(missing) > 1 else 'is'} not in the table",
            where=f"study {study_id}, table {table}",
        )
