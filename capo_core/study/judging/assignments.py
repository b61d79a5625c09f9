"""The assignments of a study that are open to a judge, and the claims that reserve them.

An *assignment* is a trial in a planned sequence ("J01"). A judge fills the assignments of their own
sequence in order. A judge who has been away for longer than the study's `claim_minutes` leaves the
open ones to others: to reserves, and to those who take over after finishing their own. Coming back,
the judge finds again what nobody else has filled. Claims only steer; that no assignment is filled
twice is a unique index, and an answer that comes too late for its assignment is stored beside it,
not refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from capo_core.study.judging.judge import Judge, JudgeProgress
from capo_core.study.store.models import (
    assignments,
    claims,
    judges,
    judgments,
    of_trial,
    studies,
    texts,
    trials,
)
from capo_core.study.store.rate_limits import inserting
from capo_core.study.tables import MAIN, PRACTICE, from_cell


@dataclass(frozen=True)
class Assignment:
    """One planned judgment, with the order in which this judge sees its cards and slots (JSON)."""

    judge_slot: str
    position: int
    trial_id: str
    order: str
    text_ids: tuple[str, ...]


def practice_assignments(connection: Connection, judge: Judge) -> list[Assignment]:
    """Return unanswered practice trials, of the judge's own sequence or the first one."""
    query = _unanswered(judge, PRACTICE).where(assignments.c.judge_slot == practice_slot(judge))
    return _assignments(connection, query)


def practice_slot(judge: Judge):
    """Return whose practice trials the judge gets: a value, or a query for the first sequence."""
    if judge.judge_slot:
        return judge.judge_slot
    return (
        select(func.min(assignments.c.judge_slot))
        .where(assignments.c.study_id == judge.study_id)
        .scalar_subquery()
    )


def own_assignments(connection: Connection, judge: Judge, at: datetime) -> list[Assignment]:
    """Return the open main assignments of the judge's own sequence, in order."""
    query = _open(judge, at).where(assignments.c.judge_slot == judge.judge_slot)
    return _assignments(connection, query)


def takeover_assignments(connection: Connection, judge: Judge, at: datetime) -> list[Assignment]:
    """Return open main assignments of absent judges that this judge may take over.

    Those of a sequence already begun come first, so that what was planned for one person is split
    among as few as possible. No item is shown twice, except where one sequence plans it.
    """
    left = at - timedelta(minutes=judge.terms.claim_minutes)
    query = _open(judge, at).where(
        assignments.c.judge_slot != judge.judge_slot,
        or_(
            ~exists().where(
                judges.c.study_id == assignments.c.study_id,
                judges.c.judge_slot == assignments.c.judge_slot,
                judges.c.revoked.is_(None),
                func.coalesce(judges.c.last_seen, judges.c.invited) > left,
            ),
            exists().where(  # taken over before, and its judge is back since
                claims.c.study_id == assignments.c.study_id,
                claims.c.judge_slot == assignments.c.judge_slot,
                claims.c.trial_id == assignments.c.trial_id,
                claims.c.judge_id == judge.judge_id,
                claims.c.until > at,
            ),
        ),
    )
    candidates = _assignments(connection, query)
    if not candidates:
        return []
    of_study = select(texts.c.text_id, texts.c.item_id).where(texts.c.study_id == judge.study_id)
    item_of = {row.text_id: row.item_id for row in connection.execute(of_study)}
    seen: dict[str, set[str]] = {}  # items by the sequence through which they were seen
    shown = select(claims.c.judge_slot, trials.c.text_ids).join(trials, of_trial(claims))
    mine = shown.where(claims.c.judge_id == judge.judge_id, trials.c.phase == MAIN)
    for slot, cell in connection.execute(mine):
        seen.setdefault(slot, set()).update(item_of[text] for text in from_cell(cell))

    def repeats(assignment: Assignment) -> bool:
        elsewhere = set().union(
            *(items for slot, items in seen.items() if slot != assignment.judge_slot)
        )
        return any(item_of[text] in elsewhere for text in assignment.text_ids)

    fitting = [assignment for assignment in candidates if not repeats(assignment)]
    return sorted(
        fitting, key=lambda assignment: (assignment.judge_slot not in seen, assignment.judge_slot)
    )


def within_cap(candidates: list[Assignment], judge: Judge, answered: int) -> list[Assignment]:
    """Return as many of `candidates` as the cap leaves to a judge with so many answers."""
    return candidates[: max(0, judge.terms.cap - answered)] if judge.terms.cap else candidates


def lock_for_taking_over(connection: Connection, judge: Judge) -> None:
    """Let one judge at a time look for assignments to take over (SQLite has one writer anyway)."""
    connection.execute(
        select(studies.c.study_id)
        .where(studies.c.study_id == judge.study_id)
        .with_for_update(key_share=True)
    )


def claim(connection: Connection, judge: Judge, assignment: Assignment, at: datetime) -> datetime:
    """Reserve an assignment for the judge; return since when the trial has been shown."""
    until = at + timedelta(minutes=judge.terms.claim_minutes)
    held = and_(
        claims.c.study_id == judge.study_id,
        claims.c.judge_id == judge.judge_id,
        claims.c.trial_id == assignment.trial_id,
    )
    earlier = connection.execute(select(claims.c.shown, claims.c.until).where(held)).one_or_none()
    shown = earlier.shown if earlier and earlier.until > at else at
    values = {"judge_slot": assignment.judge_slot, "shown": shown, "until": until}
    added = inserting(connection)(claims).values(
        study_id=judge.study_id, judge_id=judge.judge_id, trial_id=assignment.trial_id, **values
    )
    connection.execute(
        added.on_conflict_do_update(
            index_elements=[claims.c.study_id, claims.c.judge_id, claims.c.trial_id], set_=values
        )
    )
    return shown


def not_withdrawn():
    """Return the condition that a judgment has not been withdrawn."""
    return judgments.c.withdrawn.is_(None)


def _unanswered(judge: Judge, phase: str) -> Select:
    """Return the query for assignments of `phase` that this judge has not answered, in order."""
    return (
        select(
            assignments.c.judge_slot,
            assignments.c.position,
            assignments.c.trial_id,
            assignments.c.order,
            trials.c.text_ids,
        )
        .join(trials, of_trial(assignments))
        .where(
            assignments.c.study_id == judge.study_id,
            trials.c.phase == phase,
            ~exists().where(
                judgments.c.study_id == assignments.c.study_id,
                judgments.c.trial_id == assignments.c.trial_id,
                judgments.c.judge_id == judge.judge_id,
                not_withdrawn(),
            ),
        )
        .order_by(assignments.c.judge_slot, assignments.c.position)
    )


def _open(judge: Judge, at: datetime) -> Select:
    """Return the query for main assignments that nobody has filled and nobody else has claimed."""
    return _unanswered(judge, MAIN).where(
        ~exists().where(
            judgments.c.study_id == assignments.c.study_id,
            judgments.c.trial_id == assignments.c.trial_id,
            judgments.c.place == assignments.c.judge_slot,
            not_withdrawn(),
        ),
        ~exists().where(
            claims.c.study_id == assignments.c.study_id,
            claims.c.trial_id == assignments.c.trial_id,
            claims.c.judge_slot == assignments.c.judge_slot,
            claims.c.judge_id != judge.judge_id,
            claims.c.until > at,
            exists().where(judges.c.judge_id == claims.c.judge_id, judges.c.revoked.is_(None)),
        ),
    )


def _assignments(connection: Connection, query: Select) -> list[Assignment]:
    return [
        Assignment(
            row.judge_slot, row.position, row.trial_id, row.order, tuple(from_cell(row.text_ids))
        )
        for row in connection.execute(query)
    ]


FEWEST = 3  # answers before a median says anything


def progress_of(connection: Connection, judge: Judge, at: datetime) -> JudgeProgress:
    """Return done, total and minutes left, of main trials; practice is counted apart."""
    answered = connection.execute(
        select(judgments.c.phase, judgments.c.shown, judgments.c.answered, trials.c.kind)
        .join(trials, of_trial(judgments))
        .where(
            judgments.c.study_id == judge.study_id,
            judgments.c.judge_id == judge.judge_id,
            not_withdrawn(),
        )
    ).all()
    seconds = [(row.answered - row.shown).total_seconds() for row in answered if row.phase == MAIN]
    open_places = own_assignments(connection, judge, at) if judge.judge_slot else []
    if judge.takes_over:
        open_places += takeover_assignments(connection, judge, at)
    left = len(within_cap(open_places, judge, len(answered)))
    return JudgeProgress(
        done=len(seconds),
        total=len(seconds) + left,
        minutes_left=median(seconds) * left / 60 if len(seconds) >= FEWEST else None,
        practice_done=sum(row.phase == PRACTICE for row in answered),
        practice_total=_practice_total(connection, judge),
        of_kind=Counter(row.kind for row in answered),
    )


def _practice_total(connection: Connection, judge: Judge) -> int:
    return connection.execute(
        select(func.count())
        .select_from(assignments.join(trials, of_trial(assignments)))
        .where(
            assignments.c.study_id == judge.study_id,
            assignments.c.judge_slot == practice_slot(judge),
            trials.c.phase == PRACTICE,
        )
    ).scalar_one()
