"""Who a judge is and where in the study, as the judge's path sees it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row

from capo_core.study.terms import Terms


@dataclass(frozen=True)
class Judge:
    """The holder of a link.

    Attributes:
        judge_slot: the planned sequence that is this judge's own; empty for a reserve, who takes
            over places that others left open.
        goes_on: done with the own places, and willing to take over open ones.
        closed: has the study been closed?
    """

    judge_id: str
    study_id: str
    judge_slot: str
    consented: bool
    paused: bool
    goes_on: bool
    closed: bool
    completion_code: str
    terms: Terms

    @property
    def takes_over(self) -> bool:
        return self.goes_on or not self.judge_slot


def judge_of(row: Row) -> Judge:
    """The judge in a row of `judges` joined with its study."""
    return Judge(
        judge_id=row.judge_id,
        study_id=row.study_id,
        judge_slot=row.judge_slot,
        consented=row.consented is not None,
        paused=row.paused is not None,
        goes_on=row.goes_on is not None,
        closed=row.closed is not None,
        completion_code=row.completion_code,
        terms=Terms.from_json(row.terms),
    )


@dataclass(frozen=True)
class Progress:
    """How far a judge is.

    Attributes:
        done, total: main trials answered, and all this judge is to answer; `total` changes where
            places were taken over.
        minutes_left: from the judge's own median time for a main trial; None before 3 answers.
        practice_done, practice_total: the same for practice trials.
    """

    done: int
    total: int
    minutes_left: float | None
    practice_done: int
    practice_total: int

    @property
    def answered(self) -> int:
        return self.done + self.practice_done

    def __iter__(self):
        """`done, total, minutes_left = progress` works."""
        return iter((self.done, self.total, self.minutes_left))
