"""What judges of a study may know of it, and the limits they work under."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from capo_core.errors import ConfigError
from capo_core.task import Task

if TYPE_CHECKING:  # judges' pages import this module, and have no use for designs
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
