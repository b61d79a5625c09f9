"""How far a judge is, from what is on disk."""

from __future__ import annotations

from datetime import datetime
from statistics import median

from sqlalchemy import Connection, and_, func, select

from capo_core.study import places
from capo_core.study.models import assignments, judgments, trials
from capo_core.study.standing import Judge, Progress
from capo_core.study.tables import MAIN, PRACTICE

FEWEST = 3  # answers before a median says anything


def progress_of(connection: Connection, judge: Judge, at: datetime) -> Progress:
    """Done, total and minutes left; all of the main trials but for the practice counts."""
    answered = connection.execute(
        select(judgments.c.phase, judgments.c.shown, judgments.c.answered).where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            places.standing(),
        )
    ).all()
    seconds = [(row.answered - row.shown).total_seconds() for row in answered if row.phase == MAIN]
    open_places = places.own(connection, judge, at) if judge.judge_slot else []
    if judge.takes_over:
        open_places += places.others(connection, judge, at)
    left = len(places.within_cap(open_places, judge, len(answered)))
    return Progress(
        done=len(seconds),
        total=len(seconds) + left,
        minutes_left=median(seconds) * left / 60 if len(seconds) >= FEWEST else None,
        practice_done=sum(row.phase == PRACTICE for row in answered),
        practice_total=_practice_total(connection, judge),
    )


def _practice_total(connection: Connection, judge: Judge) -> int:
    both = and_(
        trials.c.study_id == assignments.c.study_id, trials.c.trial_id == assignments.c.trial_id
    )
    return connection.execute(
        select(func.count())
        .select_from(assignments.join(trials, both))
        .where(
            assignments.c.study_id == judge.study_id,
            assignments.c.judge_slot == places.practice_slot(judge),
            trials.c.phase == PRACTICE,
        )
    ).scalar_one()
