"""Answers: saved and replaced by new rows, nothing overwritten; feedback on practice trials.

What the last practice trial teaches, for as long as the judge has not gone on from it.

It is told when the answer is saved, and again after a refresh or on another device: whether the
judge went on is read off the next trial, which is held for them from the moment it is shown.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, select, update

from capo_core.errors import StudyError
from capo_core.study.judging import assignments as judging_assignments
from capo_core.study.judging import trial_views
from capo_core.study.judging.assignments import progress_of
from capo_core.study.judging.judge import Judge, JudgeProgress
from capo_core.study.judging.trial_views import AssignedTrial, JudgeAnswer, TrialView
from capo_core.study.store import audit
from capo_core.study.store.models import assignments, claims, feedback, judgments, studies
from capo_core.study.tables import CONFIDENCES, LAYOUTS, MAIN, PRACTICE, as_cell, from_cell

LONGEST_REASON = 2000
CLOSED = "this study is closed and takes no more answers; what you answered before is saved"


@dataclass(frozen=True)
class Feedback:
    """Feedback on a practice answer: whether it was right, the right one, and one sentence."""

    right: bool
    answer: str
    note: str


@dataclass(frozen=True)
class SavedAnswer:
    """The confirmation that an answer is on disk.

    Attributes:
        again: it was there before, from an earlier attempt.
        feedback: for practice trials, else None.
    """

    trial_id: str
    at: datetime
    again: bool
    feedback: Feedback | None


def validated(given: JudgeAnswer) -> JudgeAnswer:
    """Return `given` as it can be stored; raise `StudyError` where it is out of bounds."""
    if given.confidence not in CONFIDENCES:
        raise StudyError(
            f"{given.confidence!r} is not a confidence", expected="'1' (a guess) to '4' (certain)"
        )
    if len(given.reason) > LONGEST_REASON:
        raise StudyError(
            f"the reason has {len(given.reason):,} characters",
            expected=f"at most {LONGEST_REASON:,}",
            todo="shorten it; nothing was saved yet",
        )
    return JudgeAnswer(given.answer, given.confidence, _clean(given.reason))


def save(
    connection: Connection,
    judge: Judge,
    trial_id: str,
    given: JudgeAnswer,
    shown_at: datetime | None,
    at: datetime,
    *,
    replaces: bool = False,
    layout: str = "",
) -> SavedAnswer:
    """Save one answer, or find that it is saved; raises `StudyError` as `JudgeDesk.answer` says."""
    _only_while_open(connection, judge)
    claim = claim_of(connection, judge, trial_id)
    trial = trial_views.load(connection, judge.study_id, trial_id, claim.order)
    answer, side = trial.stored(given.answer)
    stored = JudgeAnswer(answer, given.confidence, given.reason)
    history = _history(connection, judge, trial_id)
    current = next((row for row in history if row.withdrawn is None), None)
    begun = claim.shown
    if current is not None:
        if JudgeAnswer(current.answer, current.confidence, current.reason) == stored:
            feedback = feedback_on(connection, judge, trial, current.answer)
            return SavedAnswer(trial_id, current.answered, True, feedback)
        if not replaces:
            raise StudyError(
                "this trial has another answer already, which is saved",
                todo="to change your last answer, press “Change last answer”; otherwise continue",
            )
        _no_practice(trial.phase)
        if _last(connection, judge).judgment_id != current.judgment_id:
            raise StudyError("only the last answer can be changed", todo="continue")
        # The former answer stands until this very transaction.
        connection.execute(
            update(judgments)
            .where(judgments.c.judgment_id == current.judgment_id)
            .values(withdrawn=at)
        )
        begun = current.answered
    connection.execute(
        insert(judgments).values(
            study_id=judge.study_id,
            judge_id=judge.judge_id,
            trial_id=trial_id,
            phase=trial.phase,
            judge_slot=claim.judge_slot,
            place=_place(connection, judge, trial, claim.judge_slot),
            displayed=_displayed(claim.order, layout),
            answer=answer,
            side=side,
            confidence=given.confidence,
            reason=given.reason,
            shown=min(at, max(begun, shown_at or begun)),
            answered=at,
        )
    )
    event = "change" if history else "answer"
    audit.note(connection, at, judge.study_id, judge.judge_id, event, trial_id=trial_id)
    return SavedAnswer(trial_id, at, False, feedback_on(connection, judge, trial, answer))


def _displayed(order: str, layout: str) -> str:
    """Return the order in which a trial was shown, with how the browser laid out its texts."""
    return as_cell({**from_cell(order), "layout": layout}) if layout in LAYOUTS else order


def last_trial(connection: Connection, judge: Judge, at: datetime) -> TrialView:
    """Return the trial of the last answer, with it; raise `StudyError` as `JudgeDesk.last_trial`.

    Nothing is written: the answer stands until another one is saved.
    """
    if judge.closed:
        raise StudyError(CLOSED)
    last = _last(connection, judge)
    _no_practice(last.phase)
    return _answered_view(connection, judge, last, at, progress_of(connection, judge, at))


def _no_practice(phase: str) -> None:
    if phase == PRACTICE:
        raise StudyError(
            "a practice answer cannot be changed: you have seen the right one", todo="continue"
        )


def _last(connection: Connection, judge: Judge):
    """Return the last answer that stands; raise `StudyError` where there is none."""
    row = _last_or_none(connection, judge)
    if row is None:
        raise StudyError("there is no answer yet that could be changed")
    return row


def _last_or_none(connection: Connection, judge: Judge):
    return connection.execute(
        select(judgments)
        .where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            judging_assignments.not_withdrawn(),
        )
        .order_by(judgments.c.judgment_id.desc())
        .limit(1)
    ).one_or_none()


def _answered_view(
    connection: Connection, judge: Judge, row, at: datetime, progress: JudgeProgress
) -> TrialView:
    """Return the trial of a row of `judgments`, with the answer as `earlier`, shown since `at`."""
    order = claim_of(connection, judge, row.trial_id).order
    trial = trial_views.load(connection, judge.study_id, row.trial_id, order)
    return TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        answers=trial.answers,
        earlier=JudgeAnswer(trial.on_screen(row.answer), row.confidence, row.reason),
        shown_at=at,
        progress=progress,
        **trial_views.contents(connection, judge.study_id, trial),
    )


def _only_while_open(connection: Connection, judge: Judge) -> None:
    """Raise unless the study is open; it cannot be closed until this transaction is over."""
    closed = connection.execute(
        select(studies.c.closed)
        .where(studies.c.study_id == judge.study_id)
        .with_for_update(read=True)
    ).scalar_one()
    if closed is not None:
        raise StudyError(CLOSED)


def claim_of(connection: Connection, judge: Judge, trial_id: str):
    """Return through which sequence the judge got the trial, since when and in which order."""
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
        raise StudyError("this trial was not shown to you", todo="reload the page")
    return row


def _history(connection: Connection, judge: Judge, trial_id: str):
    query = select(judgments).where(_of(judgments, judge, trial_id))
    return connection.execute(query.order_by(judgments.c.judgment_id)).all()


def _place(connection: Connection, judge: Judge, trial: AssignedTrial, judge_slot: str) -> str:
    """Return the slot whose assignment the answer fills: "" in practice, or if another judge filled
    it."""
    if trial.phase != MAIN:
        return ""
    filled = connection.execute(
        select(judgments.c.judge_id).where(
            judgments.c.study_id == judge.study_id,
            judgments.c.trial_id == trial.trial_id,
            judgments.c.place == judge_slot,
            judging_assignments.not_withdrawn(),
        )
    ).first()
    return "" if filled else judge_slot


def feedback_on(
    connection: Connection, judge: Judge, trial: AssignedTrial, answer: str
) -> Feedback | None:
    """Return the feedback on an answer in practice; None in the main part."""
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
    """Return a reason without characters that a database or file cannot hold."""
    lines = reason.replace("\r\n", "\n")
    cleaned = (c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(cleaned).strip()


@dataclass(frozen=True)
class PracticeFeedback:
    """A practice trial that was answered, with the answer given and the feedback."""

    view: TrialView
    given: JudgeAnswer
    feedback: Feedback


def pending_feedback(connection: Connection, judge: Judge, at: datetime) -> PracticeFeedback | None:
    """Return the feedback on the last answer, if that was practice and no trial was shown since."""
    if judge.closed or judge.paused:
        return None
    last = _last_or_none(connection, judge)
    if last is None or last.phase != PRACTICE or _went_on(connection, judge):
        return None
    progress = progress_of(connection, judge, at)
    # As it was when the trial was asked: "Practice 1 of 2" stays the first.
    order = claim_of(connection, judge, last.trial_id).order
    trial = trial_views.load(connection, judge.study_id, last.trial_id, order)
    of_kind = Counter(progress.of_kind) - Counter([trial.kind])
    progress = replace(progress, practice_done=progress.practice_done - 1, of_kind=of_kind)
    view = _answered_view(connection, judge, last, last.shown, progress)
    shown = feedback_on(connection, judge, trial, last.answer)
    if shown is None or view.earlier is None:
        return None
    return PracticeFeedback(replace(view, earlier=None), view.earlier, shown)


def _went_on(connection: Connection, judge: Judge) -> bool:
    """Return whether a trial that the judge has not answered is claimed for them."""
    answered = exists().where(
        and_(
            judgments.c.study_id == claims.c.study_id,
            judgments.c.judge_id == claims.c.judge_id,
            judgments.c.trial_id == claims.c.trial_id,
            judging_assignments.not_withdrawn(),
        )
    )
    held = select(claims.c.trial_id).where(
        claims.c.study_id == judge.study_id, claims.c.judge_id == judge.judge_id, ~answered
    )
    return connection.execute(held.limit(1)).first() is not None
