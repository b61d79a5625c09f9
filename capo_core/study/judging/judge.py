"""What judges of a study may know of it, and the limits they work under.

Who a judge is and where in the study, as the judge's path sees it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Row

from capo_core.errors import ConfigError
from capo_core.task import Task

if TYPE_CHECKING:
    from capo_core.study.config import StudyConfig


@dataclass(frozen=True)
class Terms:
    """Stored beside the study, and all that the judge's path knows of its design.

    The study's own name is not among it: names like "CAPO against SFT" tell what is hidden.

    Attributes:
        title: what judges see as the study's name.
        consent, instructions: shown before the first trial; empty for the page's own words.
        role_a, role_b: what the item's texts are called; role_b is empty where there is one.
        question: what the annotators were asked, in one sentence.
        labels: the labels of the task, in order.
        ask_reason: is a reason asked for?
        claim_minutes: how long a judge may be away before open places may go to another.
        cap: most trials one judge may answer, practice included; 0: no limit.

    Raises:
        ConfigError: a value is out of range.
    """

    title: str = "Reading explanations"
    consent: str = ""
    instructions: str = ""
    role_a: str = "text"
    role_b: str = ""
    question: str = ""
    labels: tuple[str, ...] = ()
    ask_reason: bool = False
    claim_minutes: float = 30.0
    cap: int = 0

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise ConfigError("the title that judges see is empty")
        if not 0 < self.claim_minutes <= 60 * 24 * 30:
            raise ConfigError(
                f"claim_minutes is {self.claim_minutes:g}",
                expected="more than 0 and at most 43,200 minutes (30 days)",
            )
        if self.cap < 0:
            raise ConfigError(f"cap is {self.cap}", expected="0 (no limit) or more")

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Terms:
        raw = json.loads(text)
        return cls(**{**raw, "labels": tuple(raw["labels"])})

    @classmethod
    def of(cls, config: StudyConfig, task: Task) -> Terms:
        """What a design and its dataset's task say to judges."""
        return cls(
            consent=config.consent,
            instructions=config.instructions,
            role_a=task.role_a,
            role_b=task.role_b,
            question=task.instruction,
            labels=task.scale.labels,
            ask_reason=config.ask_reason,
            claim_minutes=float(config.claim_minutes),
            cap=config.cap,
        )


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
class JudgeProgress:
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
