"""The progress of a study in counts alone: no answer, no source and no time per source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, Row, func, select

from capo_core.study.judging.judge import Terms
from capo_core.study.store.models import (
    assignments,
    judges,
    judgments,
    links,
    of_trial,
    open_links,
    trials,
)
from capo_core.study.tables import MAIN


@dataclass(frozen=True)
class JudgeStatus:
    """The progress of one judge.

    Attributes:
        state: "invited" (link not opened), "opened", "judging", "paused", "away", "done" (own
            places filled), "revoked".
        done: main trials answered. places: main trials of the own sequence; 0 for a reserve.
        extra: of `done`, those at places of others, or too late for their place.
        expires: of the link in use; None where none is.
        participant: the id of a platform's participant; else "".
    """

    judge_id: str
    judge_slot: str
    note: str
    state: str
    done: int
    places: int
    extra: int
    last_seen: datetime | None
    expires: datetime | None
    participant: str = ""


@dataclass(frozen=True)
class StudyStatus:
    """A study in counts.

    Attributes:
        state: "open", "closed" or "unblinded".
        filled, places: main places with an answer, and all of them.
        by_kind: the same two for each kind of trial.
        open_links: how many open links were made; the newest one holds.
    """

    study_id: str
    state: str
    frozen_hash: str
    created: datetime
    closed: datetime | None
    unblinded: datetime | None
    filled: int
    places: int
    by_kind: dict[str, tuple[int, int]]
    judges: tuple[JudgeStatus, ...]
    open_links: int


def status(connection: Connection, study: Row, at: datetime) -> StudyStatus:
    """Return the counts of the study in a row of `studies`."""
    planned = connection.execute(
        select(assignments.c.judge_slot, trials.c.kind, func.count())
        .join(trials, of_trial(assignments))
        .where(assignments.c.study_id == study.study_id, trials.c.phase == MAIN)
        .group_by(assignments.c.judge_slot, trials.c.kind)
    ).all()
    answered = connection.execute(
        select(judgments.c.judge_id, judgments.c.place, trials.c.kind)
        .join(trials, of_trial(judgments))
        .where(
            judgments.c.study_id == study.study_id,
            judgments.c.phase == MAIN,
            judgments.c.withdrawn.is_(None),
        )
    ).all()
    of_slot, of_kind = Counter(), Counter()
    for slot, kind, count in planned:
        of_slot[slot] += count
        of_kind[kind] += count
    filled = Counter(kind for _, place, kind in answered if place)
    return StudyStatus(
        study_id=study.study_id,
        state="unblinded" if study.unblinded else "closed" if study.closed else "open",
        frozen_hash=study.frozen_hash,
        created=study.created,
        closed=study.closed,
        unblinded=study.unblinded,
        filled=filled.total(),
        places=of_slot.total(),
        by_kind={kind: (filled[kind], count) for kind, count in sorted(of_kind.items())},
        judges=_judges(connection, study, at, of_slot, answered),
        open_links=connection.execute(
            select(func.count())
            .select_from(open_links)
            .where(open_links.c.study_id == study.study_id)
        ).scalar_one(),
    )


def _judges(
    connection: Connection, study: Row, at: datetime, of_slot: Counter, answered: list[Row]
) -> tuple[JudgeStatus, ...]:
    good = (
        select(
            links.c.judge_id,
            func.max(links.c.expires).label("expires"),
            func.max(links.c.opened).label("opened"),
        )
        .where(links.c.revoked.is_(None))
        .group_by(links.c.judge_id)
        .subquery()
    )
    rows = connection.execute(
        select(judges, good.c.expires, good.c.opened)
        .outerjoin(good, good.c.judge_id == judges.c.judge_id)
        .where(judges.c.study_id == study.study_id)
        .order_by(judges.c.invited, judges.c.judge_slot == "", judges.c.judge_slot)
    ).all()
    done = Counter(judge for judge, _, _ in answered)
    extra = Counter()
    slot_of = {row.judge_id: row.judge_slot for row in rows}
    filled = Counter(place for _, place, _ in answered if place)
    for judge, place, _ in answered:
        extra[judge] += place != slot_of[judge] or not place
    gone = at - timedelta(minutes=Terms.from_json(study.terms).claim_minutes)
    return tuple(
        JudgeStatus(
            judge_id=row.judge_id,
            judge_slot=row.judge_slot,
            note=row.note,
            state=_state(row, gone, filled[row.judge_slot] >= of_slot[row.judge_slot]),
            done=done[row.judge_id],
            places=of_slot[row.judge_slot],
            extra=extra[row.judge_id],
            last_seen=row.last_seen,
            expires=row.expires,
            participant=row.participant,
        )
        for row in rows
    )


PARTICIPANTS = (
    "participant",  # a platform's id; empty for judges invited by name
    "judge_id",
    "judge_slot",
    "state",  # see `JudgeStatus`
    "answered",  # main trials
    "planned",
    "complete",  # yes, where all own trials are answered
    "completion_code",
    "began",  # ISO times, UTC: consent, and the last answer
    "last_answer",
    "minutes",  # at trials, practice included, pauses left out; what to pay by
)


def participants(connection: Connection, study: Row, at: datetime) -> pd.DataFrame:
    """Return the frame PARTICIPANTS of a study, a row a judge; nothing of what was answered."""
    found = status(connection, study, at)
    of_study = judgments.c.study_id == study.study_id
    times: dict[str, list[tuple[datetime, datetime]]] = {}
    query = select(judgments.c.judge_id, judgments.c.shown, judgments.c.answered).where(of_study)
    for judge, shown, answered in connection.execute(query):
        times.setdefault(judge, []).append((shown, answered))
    more = {
        row.judge_id: row
        for row in connection.execute(
            select(judges.c.judge_id, judges.c.completion_code, judges.c.consented).where(
                judges.c.study_id == study.study_id
            )
        )
    }
    rows = []
    for judge in found.judges:
        own, about = times.get(judge.judge_id, []), more[judge.judge_id]
        seconds = sum((answered - shown).total_seconds() for shown, answered in own)
        last = max((answered for _, answered in own), default=None)
        rows.append(
            (
                judge.participant, judge.judge_id, judge.judge_slot, judge.state, judge.done,
                judge.places, "yes" if judge.state == "done" else "no", about.completion_code,
                about.consented.isoformat() if about.consented else "",
                last.isoformat() if last else "", round(seconds / 60, 1),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(PARTICIPANTS))


def _state(row: Row, gone: datetime, all_filled: bool) -> str:
    if row.revoked is not None:
        return "revoked"
    if row.last_seen is None:
        return "invited"
    if row.judge_slot and all_filled and not row.goes_on:
        return "done"
    if row.last_seen <= gone:
        return "away"
    if row.paused is not None:
        return "paused"
    return "judging" if row.consented is not None else "opened"
