"""What a judge sees next: the next open trial, a pause, or the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from capo_core.study import places, views
from capo_core.study.models import judgments
from capo_core.study.progress_of import progress_of
from capo_core.study.standing import Judge, Progress
from capo_core.study.tables import PRACTICE
from capo_core.study.views import Given, TrialView


@dataclass(frozen=True)
class Pause:
    """The judge paused; `JudgeDesk.resume` goes on."""

    progress: Progress


@dataclass(frozen=True)
class End:
    """Nothing to show now.

    Attributes:
        reason: "done"; "nothing_open": a reserve, and all places are taken at present; "closed":
            the study takes no more answers.
        more: open places of others that the judge may take on by `JudgeDesk.go_on`.
    """

    reason: str
    progress: Progress
    more: int = 0


def show_next(connection: Connection, judge: Judge, at: datetime) -> TrialView | Pause | End:
    """The next trial of a judge who has consented, which is then held for this judge."""
    if judge.closed:
        return End("closed", progress_of(connection, judge, at))
    if judge.takes_over:
        places.lock_for_taking_over(connection, judge)
    progress = progress_of(connection, judge, at)
    if judge.paused:
        return Pause(progress)
    found = places.practice(connection, judge) or _main(connection, judge, at, progress)
    if not found:
        return _end(connection, judge, at, progress)
    shown_at = places.claim(connection, judge, found[0], at)
    trial = views.load(connection, judge.study_id, found[0].trial_id, found[0].order)
    return TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        answers=trial.answers,
        earlier=_earlier(connection, judge, trial),
        shown_at=shown_at,
        progress=progress,
        **views.contents(connection, judge.study_id, trial),
    )


def _main(
    connection: Connection, judge: Judge, at: datetime, progress: Progress
) -> list[places.Place]:
    found = places.own(connection, judge, at) if judge.judge_slot else []
    if not found and judge.takes_over:
        found = places.others(connection, judge, at)
    return places.within_cap(found, judge, progress.answered)


def _end(connection: Connection, judge: Judge, at: datetime, progress: Progress) -> End:
    if not progress.done:
        return End("nothing_open", progress)
    if judge.takes_over:
        return End("done", progress)
    left = places.others(connection, judge, at)
    return End("done", progress, more=len(places.within_cap(left, judge, progress.answered)))


def _earlier(connection: Connection, judge: Judge, trial: views.Trial) -> Given | None:
    """The answer that was taken back, if the trial had one."""
    row = connection.execute(
        select(judgments.c.answer, judgments.c.confidence, judgments.c.reason)
        .where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            judgments.c.trial_id == trial.trial_id,
        )
        .order_by(judgments.c.judgment_id.desc())
        .limit(1)
    ).one_or_none()
    return row and Given(trial.on_screen(row.answer), row.confidence, row.reason)
