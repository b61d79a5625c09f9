"""Label scales and annotation tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capo_core.errors import ConfigError


def label_value(label: str) -> int | float:
    """Return the number that a label of an ordinal scale is; `ValueError` if it is none.

    >>> label_value("-3"), label_value("0.5")
    (-3, 0.5)
    """
    try:
        return int(label)
    except ValueError:
        value = float(label)
        if not math.isfinite(value):
            raise ValueError(f"{label!r} is no number") from None
        return value


@dataclass(frozen=True)
class LabelScale:
    """The labels of a task, in order of display.

    `ordinal` scales have numbers as labels (whole ones, or with decimals), with distances between
    them; labels of nominal ones are only equal or different.
    """

    labels: tuple[str, ...]
    ordinal: bool = False

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ConfigError(f"the label scale {list(self.labels)} is empty or repeats a label")
        if self.ordinal:
            try:
                numbers = [label_value(label) for label in self.labels]
            except ValueError:
                raise ConfigError(
                    f"the ordinal scale {list(self.labels)} has labels that are not numbers",
                    todo="use a nominal scale, or map its labels to numbers",
                ) from None
            if numbers != sorted(numbers):
                raise ConfigError(
                    f"the ordinal scale {list(self.labels)} is not in ascending order"
                )

    @classmethod
    def between(cls, low: int, high: int) -> LabelScale:
        """Return the ordinal scale of all whole numbers from `low` to `high`."""
        return cls(tuple(str(value) for value in range(low, high + 1)), ordinal=True)

    @property
    def whole(self) -> bool:
        """Return whether the labels are whole numbers, of which an answer can be any."""
        return self.ordinal and all(isinstance(label_value(label), int) for label in self.labels)

    def number(self, label: str) -> int | float:
        """Return the label's value (ordinal) or its position in display order (nominal)."""
        return label_value(label) if self.ordinal else self.labels.index(label)


@dataclass(frozen=True)
class Task:
    """An annotation task.

    Attributes:
        name: short name, for instance "natural language inference".
        scale: the labels.
        role_a, role_b: names of text_a and text_b; role_b is empty for one-text tasks.
        instruction: the question to the annotators, in one sentence.
    """

    name: str
    scale: LabelScale
    role_a: str = "text"
    role_b: str = ""
    instruction: str = ""

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "labels": list(self.scale.labels),
            "ordinal": self.scale.ordinal,
            "role_a": self.role_a,
            "role_b": self.role_b,
            "instruction": self.instruction,
        }

    @classmethod
    def from_dict(cls, raw: dict) -> Task:
        scale = LabelScale(tuple(raw["labels"]), raw["ordinal"])
        return cls(raw["name"], scale, raw["role_a"], raw["role_b"], raw["instruction"])


NLI = Task(
    name="natural language inference",
    scale=LabelScale(("entailment", "neutral", "contradiction")),
    role_a="premise",
    role_b="hypothesis",
    instruction="Given the premise, is the hypothesis true (entailment), undetermined (neutral) "
    "or false (contradiction)?",
)
PARAPHRASE = Task(
    name="paraphrase judgment",
    scale=LabelScale.between(-5, 5),
    role_a="question 1",
    role_b="question 2",
    instruction="How far do the two questions ask the same, from -5 (not at all) to 5 (exactly)?",
)
