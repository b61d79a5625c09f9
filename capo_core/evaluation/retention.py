"""What a training made a base forget, along the strength of its adapter: a frozen object, kept.

A run "retention" leaves `retention.json` in its folder; `load` reads it. Strength 0 is the base and
1 the trained adapter. Where CAPO began with an SFT adapter the way has two stages:

    at 0 … 1   base → SFT:   W = W_base + s · ΔW_sft
    at 1 … 2   SFT → CAPO:   W = W_base + (1 − s) · ΔW_sft + s · ΔW_capo

(see `imitation.strength`). At each point the same things are measured on the same held-out items.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.attribution import View
from capo_core.stability.intervals import records
from capo_core.workspace import write_json

FORMAT = 1
FILE = "retention.json"
VIEW = View()
GENERAL = "perplexity of general text"
OTHERS = "perplexity of others' responses"
OWN = "perplexity of the target's responses"
LABELS = "label accuracy (majority)"
IMITATION = VIEW.name
# In the order of interest: what is gained, and what is lost.
MEANING = {
    IMITATION: "Share of the model's explanations, one by one, that a classifier gives to the "
    "target; it knows only what people wrote on training items.",
    OWN: "How surprised the model is by each token of what the target wrote on held-out items: "
    "exp of the mean −log p. Lower is better imitation.",
    GENERAL: "The same of general text that has nothing to do with the target. It grows where the "
    "model forgets.",
    OTHERS: "The same of what other annotators wrote on the same held-out items. A model that "
    "writes like the target alone finds them less likely.",
    LABELS: "Share of the model's labels that most annotators gave (where several are as frequent, "
    "any of them): the task itself, whoever is imitated. What cannot be read is wrong.",
}
POINTS = ("stage", "strength", "at", "measure", "value", "low", "high", "n", "change",
          "change_low", "change_high")  # fmt: skip
LINES = ("measure", "line", "value", "low", "high", "n", "meaning")
_NUMBERS = ("strength", "at", "value", "low", "high", "change", "change_low", "change_high")


@dataclass(frozen=True)
class RetentionConfig:
    """How retention is measured.

    Attributes:
        strengths: from 0 to 1, both among them; the same on both stages.
        split: part of the data whose items are answered. To choose a strength by its figures is
            to learn from them, which is why it is not the test part.
        items: so many of them, drawn by the seed; 0 takes all.
        passages: of general text.
        max_new_tokens: of an answer; answers are drawn at temperature 0.
        seed: of the items and of the general text.
    """

    strengths: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    split: str = "validation"
    items: int = 60
    passages: int = 96
    max_new_tokens: int = 96
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strengths", tuple(map(float, self.strengths)))
        ascending = all(a < b for a, b in zip(self.strengths, self.strengths[1:], strict=False))
        for name, right, expected in (
            ("strengths", {0.0, 1.0} <= set(self.strengths) and ascending
             and self.strengths[0] == 0 and self.strengths[-1] == 1, "ascending from 0 to 1"),
            ("split", self.split in ("validation", "test"), "validation or test"),
            ("items", self.items >= 0, "a whole number of 0 or more"),
            ("passages", self.passages >= 1, "a whole number of 1 or more"),
            ("max_new_tokens", 1 <= self.max_new_tokens <= 8192, "a whole number from 1 to 8192"),
            ("seed", self.seed >= 0, "a whole number of 0 or more"),
        ):  # fmt: skip
            if not right:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}", where="retention", expected=expected
                )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "strengths": list(self.strengths)}


@dataclass(frozen=True)
class Best:
    """The point at which imitation and what is kept are both high.

        score = 2 · I · R / (I + R)
        I = (attribution − chance) / (ceiling − chance)      within 0 … 1
        R = perplexity at the base / perplexity at the point  at most 1

    I is the part of the way from a guess to the target's own texts; R is of general text, where
    there is some, else of the others' responses. Their harmonic mean is high only where both are.

    Attributes:
        support: share of bootstrap draws over items and passages in which this point is the best.
    """

    stage: str
    strength: float
    at: float
    score: float
    imitation: float
    kept: float
    support: float


@dataclass(frozen=True)
class Retention:
    """Everything measured along the way.

    Attributes:
        target: who is imitated; `runs`: its trainings, {"sft": run id} or {"sft", "capo"}.
        general: what the general text is, in words; "" where there is none.
        unit_of_kept: the measure that R of the best point is made of.
        points: POINTS, one row a point and measure (`MEANING` has the measures); `change` is
            against the base and paired by item: a ratio for perplexities, else a difference.
        lines: LINES, what stands beside: chance, floor and ceiling of shares.
        best: None where none is defined; `sentence` says why.
    """

    dataset: str
    fingerprint: str
    simulated: bool
    target: str
    base: str
    runs: dict[str, str]
    n_items: int
    general: str
    unit_of_kept: str
    config: RetentionConfig
    points: pd.DataFrame = field(repr=False)
    lines: pd.DataFrame = field(repr=False)
    best: Best | None
    sentence: str

    def curve(self, measure: str) -> pd.DataFrame:
        """The points of one measure, from the base on."""
        return self.points[self.points["measure"] == measure].sort_values("at")

    def line(self, measure: str, line: str) -> pd.Series | None:
        """ "chance", "floor" or "ceiling" of a measure; None where there is none."""
        rows = self.lines[(self.lines["measure"] == measure) & (self.lines["line"] == line)]
        return rows.iloc[0] if len(rows) else None

    def to_dict(self) -> dict[str, Any]:
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            "format": FORMAT,
            **plain,
            "config": self.config.to_dict(),
            "points": records(self.points),
            "lines": records(self.lines),
            "best": asdict(self.best) if self.best else None,
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Retention:
        """What `to_dict` gave.

        Raises:
            DataError: it is of another format.
        """
        if raw.get("format") != FORMAT:
            raise DataError(f"this is no retention of format {FORMAT}", todo="measure it again")
        values = {each.name: raw[each.name] for each in fields(cls)}
        return cls(
            **{
                **values,
                "config": RetentionConfig(**raw["config"]),
                "points": _frame(raw["points"], POINTS),
                "lines": _frame(raw["lines"], LINES),
                "best": Best(**raw["best"]) if raw["best"] else None,
            }
        )


def _frame(rows: list[dict], columns: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    numbers = [name for name in columns if name in _NUMBERS]
    frame[numbers] = frame[numbers].astype(float).replace({None: np.nan})
    return frame


def save(found: Retention, folder: Path) -> None:
    """Write retention.json into a run's folder; whole or not at all."""
    write_json(folder / FILE, found.to_dict())


def load(folder: Path) -> Retention:
    """The retention kept in a run's folder.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    path = folder / FILE
    try:
        return Retention.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"the retention cannot be read ({type(error).__name__})",
            where=str(path),
            todo="measure it again",
        ) from error
