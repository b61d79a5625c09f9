"""A judge and the terms of the study, as the judge's path sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Row

from capo_core.errors import ConfigError
from capo_core.json_text import json_line
from capo_core.settings import setting, settings
from capo_core.task import Task

if TYPE_CHECKING:
    from capo_core.study.config import StudyConfig


@settings("terms")
class Terms:
    """The terms of a study: stored beside it, and all that the judge's path knows of its design.

    The study's own name is not among it: names like "CAPO against SFT" reveal what is hidden.
    """

    title: str = setting("Reading explanations", "Title", "The study's name for judges.")
    consent: str = setting("", "Consent text", "Empty for the page's own.")
    instructions: str = setting("", "Instructions", "Shown before the first trial.")
    role_a: str = setting("text", "First text", "Name of the item's first text.")
    role_b: str = setting("", "Second text", "Name of its second text; empty where there is one.")
    question: str = setting("", "Question", "What the annotators were asked, in one sentence.")
    labels: tuple[str, ...] = setting((), "Labels", "Of the task, in order.")
    ask_reason: bool = setting(False, "Ask for a reason")
    claim_minutes: float = setting(
        30.0, "Reassign after (min)",
        "How long a judge may be away before open trials may go to another.", gt=0, le=43_200,
    )  # fmt: skip
    purpose: str = setting("", "Purpose")
    researcher: str = setting("", "Researcher")
    contact: str = setting("", "Contact")
    data_kept: str = setting("", "What is kept")
    return_address: str = setting("", "Return address")
    cap: int = setting(
        0, "Max trials", "Most trials one judge may answer, practice included; 0: no limit.", ge=0
    )

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise ConfigError("the title that judges see is empty")

    def to_json(self) -> str:
        return json_line(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Terms:
        raw = json.loads(text)
        return cls(**{**raw, "labels": tuple(raw["labels"])})

    @classmethod
    def of(cls, config: StudyConfig, task: Task) -> Terms:
        """Return the terms of a design and its dataset's task."""
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
            purpose=config.purpose,
            researcher=config.researcher,
            contact=config.contact,
            data_kept=config.data_kept,
            return_address=config.return_address,
        )

    def way_back(self, code: str, participant: str) -> str:
        """Return the address that a participant returns to; "" where there is none."""
        parts = {"{code}": code, "{participant}": participant}
        address = self.return_address
        for mark, value in parts.items():
            address = address.replace(mark, quote(value, safe=""))
        return address


@dataclass(frozen=True)
class Judge:
    """The holder of a link.

    Attributes:
        judge_slot: the planned sequence that is this judge's own; empty for a reserve, who takes
            over places that others left open.
        goes_on: done with the own places, and willing to take over open ones.
        closed: has the study been closed?
        participant: the participant id of a platform, from the address of an open link; else "".
    """

    judge_id: str
    study_id: str
    judge_slot: str
    consented: bool
    paused: bool
    goes_on: bool
    closed: bool
    completion_code: str
    participant: str
    terms: Terms

    @property
    def takes_over(self) -> bool:
        return self.goes_on or not self.judge_slot


def judge_of(row: Row) -> Judge:
    """Return the judge in a row of `judges` joined with its study."""
    return Judge(
        judge_id=row.judge_id,
        study_id=row.study_id,
        judge_slot=row.judge_slot,
        consented=row.consented is not None,
        paused=row.paused is not None,
        goes_on=row.goes_on is not None,
        closed=row.closed is not None,
        completion_code=row.completion_code,
        participant=row.participant,
        terms=Terms.from_json(row.terms),
    )


@dataclass(frozen=True)
class JudgeProgress:
    """The progress of a judge.

    Attributes:
        done, total: main trials answered, and all this judge is to answer; `total` changes where
            places were taken over.
        minutes_left: from the judge's own median time for a main trial; None before 3 answers.
        practice_done, practice_total: the same for practice trials.
        of_kind: kind → trials of it that this judge answered, practice included.
    """

    done: int
    total: int
    minutes_left: float | None
    practice_done: int
    practice_total: int
    of_kind: Mapping[str, int] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        return self.done + self.practice_done

    def __iter__(self):
        """Allow `done, total, minutes_left = progress`."""
        return iter((self.done, self.total, self.minutes_left))
