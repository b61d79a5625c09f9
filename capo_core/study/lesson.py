"""What the last practice trial teaches, for as long as the judge has not gone on from it.

It is told when the answer is saved, and again after a refresh or on another device: whether the
judge went on is read off the next trial, which is held for them from the moment it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, and_, exists, select

from capo_core.study import places, views
from capo_core.study.answering import Feedback, claim_of, feedback_on
from capo_core.study.models import claims, judgments
from capo_core.study.progress_of import progress_of
from capo_core.study.standing import Judge
from capo_core.study.tables import PRACTICE
from capo_core.study.views import Given, TrialView


@dataclass(frozen=True)
class Lesson:
    """A practice trial that was answered, with what was given and what was right."""

    view: TrialView
    given: Given
    feedback: Feedback


def pending(connection: Connection, judge: Judge, at: datetime) -> Lesson | None:
    """The lesson of the last answer, where that was practice and no trial was shown since."""
    if judge.closed or judge.paused:
        return None
    last = connection.execute(
        select(judgments)
        .where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            places.standing(),
        )
        .order_by(judgments.c.judgment_id.desc())
        .limit(1)
    ).one_or_none()
    if last is None or last.phase != PRACTICE or _went_on(connection, judge):
        return None
    order = claim_of(connection, judge, last.trial_id).order
    trial = views.load(connection, judge.study_id, last.trial_id, order)
    said = feedback_on(connection, judge, trial, last.answer)
    if said is None:
        return None
    progress = progress_of(connection, judge, at)
    view = TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=True,
        answers=trial.answers,
        earlier=None,
        shown_at=last.shown,
        # As it was when the trial was asked: "Practice 1 of 2" stays the first.
        progress=replace(progress, practice_done=progress.practice_done - 1),
        **views.contents(connection, judge.study_id, trial),
    )
    return Lesson(view, Given(trial.on_screen(last.answer), last.confidence, last.reason), said)


def _went_on(connection: Connection, judge: Judge) -> bool:
    """Is a trial held for the judge that they have not answered?"""
    answered = exists().where(
        and_(
            judgments.c.study_id == claims.c.study_id,
            judgments.c.judge_id == claims.c.judge_id,
            judgments.c.trial_id == claims.c.trial_id,
            places.standing(),
        )
    )
    held = select(claims.c.trial_id).where(
        claims.c.study_id == judge.study_id, claims.c.judge_id == judge.judge_id, ~answered
    )
    return connection.execute(held.limit(1)).first() is not None
