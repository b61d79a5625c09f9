"""Every setting of a classifier trained on label distributions; saved with the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from capo_core.distributions.encoder_files import MINILM
from capo_core.errors import ConfigError

WEIGHTED_F1, KL, LAST = "weighted F1", "KL", "last"
SELECTION = (WEIGHTED_F1, KL, LAST)
TOGETHER, APART = "together", "apart"
# Measured on the 341 items of `NLI_explanations.json`, see docs/methods-distributions.md: a head
# alone needs more passes and a higher rate than a whole encoder, which overfits after two.
EPOCHS = {TOGETHER: 5, APART: 20}
LEARNING_RATES = {TOGETHER: 5e-5, APART: 1e-4}


@dataclass(frozen=True)
class SoftLabelConfig:
    """How an encoder learns to give label distributions.

    What is left at "" or 0 is set by the encoder when the settings are made, so that what is saved
    with a run has the values used.
    """

    # "minilm" (ships along), a folder, or a name on the hub (bert-base-uncased, roberta-base).
    encoder: str = MINILM
    # together: both texts in one sequence, and the whole encoder learns. apart: each text's
    # sentence vector as the encoder gives it, and only a head on both learns. "": apart for
    # "minilm", which was made to give vectors of single sentences, together for others.
    reading: str = ""
    # Sources of the training items to learn from, each in runs of its own.
    sources: tuple[str, ...] = ("crowd",)
    # Each source is learned once with each seed: of the new head, and of the order of items.
    seeds: tuple[int, ...] = (0, 1, 2)
    # Passes over the training items; 0: `EPOCHS` of the reading.
    epochs: int = 0
    batch_size: int = 16
    # The highest rate; 0: `LEARNING_RATES` of the reading.
    learning_rate: float = 0.0
    # Share of steps in which the rate rises to `learning_rate`; then it falls linearly to 0.
    warmup: float = 0.1
    weight_decay: float = 0.01
    # together: tokens of both texts at most; the longer text is cut first, and how many were cut
    # is said. (apart: each text is cut where the encoder cuts it.)
    max_length: int = 128
    # Which epoch's classifier is kept: the best on the development set by weighted F1 or KL
    # against `against` there, or the last one.
    select: str = KL
    # The source of the development and test sets that everything is scored against.
    against: str = "crowd"

    def __post_init__(self) -> None:
        reading = self.reading or (APART if self.encoder == MINILM else TOGETHER)
        object.__setattr__(self, "reading", reading)
        if reading in EPOCHS:
            object.__setattr__(self, "epochs", self.epochs or EPOCHS[reading])
            object.__setattr__(self, "learning_rate", self.learning_rate or LEARNING_RATES[reading])
        for name, holds, expected in (
            ("encoder", bool(self.encoder), "'minilm', a folder, or a name on the hub"),
            ("reading", self.reading in EPOCHS, f"one of {', '.join(EPOCHS)}"),
            ("sources", len(set(self.sources)) == len(self.sources) > 0, "names, each once"),
            ("seeds", len(set(self.seeds)) == len(self.seeds) > 0
             and all(seed >= 0 for seed in self.seeds), "whole numbers of 0 or more, each once"),
            ("epochs", 1 <= self.epochs <= 200, "a whole number from 1 to 200"),
            ("batch_size", 1 <= self.batch_size <= 1024, "a whole number from 1 to 1024"),
            ("learning_rate", 0 < self.learning_rate <= 0.1, "a number above 0, up to 0.1"),
            ("warmup", 0 <= self.warmup < 1, "a share from 0, below 1"),
            ("weight_decay", 0 <= self.weight_decay <= 1, "a number from 0 to 1"),
            ("max_length", 8 <= self.max_length <= 4096, "a whole number from 8 to 4096"),
            ("select", self.select in SELECTION, f"one of {', '.join(SELECTION)}"),
            ("against", bool(self.against), "a source's name"),
        ):  # fmt: skip
            if not holds:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"SoftLabelConfig, {name}",
                    expected=expected,
                )

    def to_dict(self) -> dict:
        return {**asdict(self), "sources": list(self.sources), "seeds": list(self.seeds)}

    @classmethod
    def from_dict(cls, raw: dict) -> SoftLabelConfig:
        return cls(
            **{**raw, "sources": tuple(raw.get("sources", ("crowd",))),
               "seeds": tuple(raw.get("seeds", (0, 1, 2)))}
        )  # fmt: skip
