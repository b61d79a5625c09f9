"""Every setting of a generation, in one frozen dataclass; saved with the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from capo_core.data.splits import PARTS
from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import Decoding
from capo_core.imitation.prompts import METHODS, TRAINED
from capo_core.workspace import content_hash

HOW = ("random", "nearest")


@dataclass(frozen=True)
class GenerateConfig:
    """Which answers are wanted, and how they are drawn."""

    # zero_shot, icl, profile (prompting), sft or capo (with the target's adapter).
    method: str
    # The part of the data whose items are answered.
    split: str = "test"
    # How many of its items, drawn by the seed; 0 takes all.
    items: int = 0
    # Answers to each item, each drawn anew.
    samples: int = 1
    # icl: how many of the target's training responses are shown.
    examples: int = 8
    # icl: the same drawn ones for all items (random), or those to the most similar items (nearest).
    how: str = "random"
    # sft and capo: name the annotator in the prompt; for an adapter that serves all annotators.
    named: bool = False
    # Of everything random; each answer's own seed is made of it, the target, item and sample.
    seed: int = 0
    # See `backends.base.Decoding`.
    temperature: float = 0.7
    top_p: float = 0.95
    max_new_tokens: int = 128

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("method", self.method in METHODS, f"one of {', '.join(METHODS)}"),
            ("split", self.split in PARTS, f"one of {', '.join(PARTS)}"),
            ("items", self.items >= 0, "0 for all, or a whole number"),
            ("samples", 1 <= self.samples <= 1000, "a whole number from 1 to 1000"),
            ("examples", 1 <= self.examples <= 500, "a whole number from 1 to 500"),
            ("how", self.how in HOW, f"one of {', '.join(HOW)}"),
            ("named", not self.named or self.trained, "yes only for sft and capo"),
            ("seed", self.seed >= 0, "a whole number of 0 or more"),
        ):
            if not holds:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"GenerateConfig, {name}",
                    expected=expected,
                )
        Decoding(self.temperature, self.top_p, self.max_new_tokens)

    @property
    def trained(self) -> bool:
        """Does the method need an adapter?"""
        return self.method in TRAINED

    def to_dict(self) -> dict:
        return asdict(self)


def seed_of(seed: int, *what: str) -> int:
    """A seed for one thing, 0 to 2³¹ − 1, the same for the same `seed` and `what` everywhere.

    Methods are not among what answers' seeds are made of: all methods answer an item with the
    same random numbers, which makes their differences less noisy.
    """
    return int(content_hash(seed, *what)[:8], 16) & 0x7FFFFFFF
