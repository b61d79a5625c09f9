"""Saving an answer and taking it back: new rows and one stamp, nothing overwritten."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, insert, select, update

from capo_core.errors import StudyError
from capo_core.study import audit, places, views
from capo_core.study.models import assignments, claims, feedback, judgments, studies
from capo_core.study.standing import Judge
from capo_core.study.tables import CONFIDENCES, MAIN, PRACTICE
from capo_core.study.views import Given, Trial

LONGEST_REASON = 2000
CLOSED = "this study is closed and takes no more answers; what you answered before is saved"


@dataclass(frozen=True)
class Feedback:
    """On a practice trial, after the answer: was it right, what was, and one sentence."""

    right: bool
    answer: str
    note: str


@dataclass(frozen=True)
class Saved:
    """An answer is on disk.

    Attributes:
        again: it was there before, from an earlier attempt.
        feedback: for practice trials, else None.
    """

    trial_id: str
    at: datetime
    again: bool
    feedback: Feedback | None


def checked(given: Given) -> Given:
    """`given` as it can be stored; raises `StudyError` where it is out of bounds."""
    if given.confidence not in CONFIDENCES:
        raise StudyError(
            f"{given.confidence!r} is no confidence", expected="'1' (a guess) to '4' (certain)"
        )
    if len(given.reason) > LONGEST_REASON:
        raise StudyError(
            f"the reason has {len(given.reason):,} characters",
            expected=f"at most {LONGEST_REASON:,}",
            todo="shorten it; nothing was saved yet",
        )
    return Given(given.answer, given.confidence, _clean(given.reason))


def save(
    connection: Connection,
    judge: Judge,
    trial_id: str,
    given: Given,
    shown_at: datetime | None,
    at: datetime,
) -> Saved:
    """Save one answer, or find that it is saved; raises `StudyError` as `JudgeDesk.answer` says."""
    _only_while_open(connection, judge)
    claim = claim_of(connection, judge, trial_id)
    trial = views.load(connection, judge.study_id, trial_id, claim.order)
    answer, side = trial.stored(given.answer)
    stored = Given(answer, given.confidence, given.reason)
    history = _history(connection, judge, trial_id)
    standing = next((row for row in history if row.withdrawn is None), None)
    if standing is not None:
        if Given(standing.answer, standing.confidence, standing.reason) != stored:
            raise StudyError(
                "this trial has another answer already, which is saved",
                todo="to change your last answer, take it back first; else go on",
            )
        said = feedback_on(connection, judge, trial, standing.answer)
        return Saved(trial_id, standing.answered, True, said)
    connection.execute(
        insert(judgments).values(
            study_id=judge.study_id,
            judge_id=judge.judge_id,
            trial_id=trial_id,
            phase=trial.phase,
            judge_slot=claim.judge_slot,
            place=_place(connection, judge, trial, claim.judge_slot),
            displayed=claim.order,
            answer=answer,
            side=side,
            confidence=given.confidence,
            reason=given.reason,
            shown=min(at, max(claim.shown, shown_at or claim.shown)),
            answered=at,
        )
    )
    event = "change" if history else "answer"
    audit.note(connection, at, judge.study_id, judge.judge_id, event, trial_id=trial_id)
    return Saved(trial_id, at, False, feedback_on(connection, judge, trial, answer))


def take_back(connection: Connection, judge: Judge, at: datetime) -> str:
    """Withdraw the last answer; its trial. Raises `StudyError` as `JudgeDesk.undo` says."""
    _only_while_open(connection, judge)
    last = connection.execute(
        select(judgments)
        .where(judgments.c.study_id == judge.study_id, judgments.c.judge_id == judge.judge_id)
        .order_by(judgments.c.judgment_id.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        raise StudyError("there is no answer yet that could be taken back")
    if last.phase == PRACTICE:
        raise StudyError(
            "a practice answer is not taken back: you have seen the right one", todo="go on"
        )
    if last.withdrawn is not None:
        return last.trial_id
    connection.execute(
        update(judgments).where(judgments.c.judgment_id == last.judgment_id).values(withdrawn=at)
    )
    connection.execute(
        update(claims)
        .where(_of(claims, judge, last.trial_id))
        .values(shown=at, until=at + timedelta(minutes=judge.terms.claim_minutes))
    )
    audit.note(connection, at, judge.study_id, judge.judge_id, "undo", trial_id=last.trial_id)
    return last.trial_id


def _only_while_open(connection: Connection, judge: Judge) -> None:
    """Raises unless the study is open; it cannot be closed until this transaction is over."""
    closed = connection.execute(
        select(studies.c.closed)
        .where(studies.c.study_id == judge.study_id)
        .with_for_update(read=True)
    ).scalar_one()
    if closed is not None:
        raise StudyError(CLOSED)


def claim_of(connection: Connection, judge: Judge, trial_id: str):
    """Through which sequence the judge was shown the trial, since when, in which order."""
    row = connection.execute(
        select(claims.c.judge_slot, claims.c.shown, assignments.c.order)
        .join(
            assignments,
            and_(
                assignments.c.study_id == claims.c.study_id,
                assignments.c.judge_slot == claims.c.judge_slot,
                assignments.c.trial_id == claims.c.trial_id,
            ),
        )
        .where(_of(claims, judge, trial_id))
    ).one_or_none()
    if row is None:
        raise StudyError("this trial was not shown to you", todo="load the page again")
    return row


def _history(connection: Connection, judge: Judge, trial_id: str):
    query = select(judgments).where(_of(judgments, judge, trial_id))
    return connection.execute(query.order_by(judgments.c.judgment_id)).all()


def _place(connection: Connection, judge: Judge, trial: Trial, judge_slot: str) -> str:
    """The place that the answer fills: none in practice, none where somebody else filled it."""
    if trial.phase != MAIN:
        return ""
    filled = connection.execute(
        select(judgments.c.judge_id).where(
            judgments.c.study_id == judge.study_id,
            judgments.c.trial_id == trial.trial_id,
            judgments.c.place == judge_slot,
            places.standing(),
        )
    ).first()
    return "" if filled else judge_slot


def feedback_on(connection: Connection, judge: Judge, trial: Trial, answer: str) -> Feedback | None:
    if trial.phase != PRACTICE:
        return None
    row = connection.execute(
        select(feedback.c.answer, feedback.c.note).where(
            feedback.c.study_id == judge.study_id, feedback.c.trial_id == trial.trial_id
        )
    ).one_or_none()
    return row and Feedback(answer == row.answer, trial.on_screen(row.answer), row.note)


def _of(table, judge: Judge, trial_id: str):
    return and_(
        table.c.study_id == judge.study_id,
        table.c.judge_id == judge.judge_id,
        table.c.trial_id == trial_id,
    )


def _clean(reason: str) -> str:
    """Without what a database or a file cannot hold: control characters, halves of characters."""
    lines = reason.replace("\r\n", "\n")
    kept = (c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip()
