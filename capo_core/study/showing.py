"""What a judge sees next: the next open trial, a pause, or the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Found:
    """What to show; `place` is where, if it is a trial, which is to be held for the judge."""

    view: TrialView | Pause | End
    place: places.Place | None = None


def find_next(connection: Connection, judge: Judge, at: datetime) -> Found:
    """What a judge who has consented sees next; it reads and changes nothing."""
    progress = progress_of(connection, judge, at)
    if judge.closed:
        return Found(End("closed", progress))
    if judge.paused:
        return Found(Pause(progress))
    found = places.practice(connection, judge) or _main(connection, judge, at, progress)
    if not found:
        return Found(_end(connection, judge, at, progress))
    trial = views.load(connection, judge.study_id, found[0].trial_id, found[0].order)
    view = TrialView(
        trial_id=trial.trial_id,
        kind=trial.kind,
        practice=trial.phase == PRACTICE,
        answers=trial.answers,
        earlier=_earlier(connection, judge, trial),
        shown_at=at,
        progress=progress,
        **views.contents(connection, judge.study_id, trial),
    )
    return Found(view, found[0])


def hold(
    connection: Connection, judge: Judge, found: Found, at: datetime
) -> TrialView | Pause | End:
    """What was found, held for the judge; with the time since when it has been shown."""
    if found.place is None:
        return found.view
    shown_at = places.claim(connection, judge, found.place, at)
    return replace(found.view, shown_at=shown_at)


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
