"""Every setting of an estimate, in one frozen dataclass; saved with the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from capo_core.distributions.normalise import SOFTMAX, TRANSFORMS
from capo_core.distributions.questions import ALL, LETTERS, OPTIONS, ORDERS
from capo_core.errors import ConfigError

SERIAL, PARALLEL = "serial", "parallel"


@dataclass(frozen=True)
class EstimateConfig:
    """What a model is shown, and how its scores become a distribution."""

    # A source of explanations of the data ("humans"); "" shows none.
    explanations: str = ""
    # At most so many of an item's explanations, the first ones; 0 takes all.
    count: int = 0
    # All in one prompt (serial), or each alone and the distributions averaged (parallel).
    how: str = SERIAL
    # serial: how many orders of the explanations are asked, each a rotation of the one before.
    rotations: int = 1
    # Name each explanation's label beside it.
    explicit: bool = False
    # letters (A, B, …), or labels in the form of answers this project's models are trained on.
    options: str = LETTERS
    # Orders of the options: all, rotations (each label at each place once), one.
    orders: str = ALL
    # softmax at `temperature`, or norm; see `normalise`.
    transform: str = SOFTMAX
    temperature: float = 20.0
    # Only the first so many items; 0 takes all.
    items: int = 0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("count", self.count >= 0, "0 for all, or a whole number"),
            ("how", self.how in (SERIAL, PARALLEL), f"{SERIAL} or {PARALLEL}"),
            ("rotations", 1 <= self.rotations <= 24, "a whole number from 1 to 24"),
            ("options", self.options in OPTIONS, f"one of {', '.join(OPTIONS)}"),
            ("orders", self.orders in ORDERS, f"one of {', '.join(ORDERS)}"),
            ("transform", self.transform in TRANSFORMS, f"one of {', '.join(TRANSFORMS)}"),
            ("temperature", 0 < self.temperature <= 1000, "a number above 0, up to 1000"),
            ("items", self.items >= 0, "0 for all, or a whole number"),
        ):
            if not holds:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"EstimateConfig, {name}",
                    expected=expected,
                )

    def to_dict(self) -> dict:
        return asdict(self)

    def label(self, model: str) -> str:
        """A source's name for an estimate with these settings."""
        shown = self.explanations or "no explanations"
        if self.explanations and self.count:
            shown = f"{self.count} of {shown}"
        extra = " with labels" if self.explicit and self.explanations else ""
        how = f", {self.how}" if self.explanations else ""
        scale = f" T={self.temperature:g}" if self.transform == SOFTMAX else ""
        return f"{model}: {shown}{extra}{how}, p_{self.transform}{scale}"
