"""Every setting of training, one frozen dataclass a stage; saved with each run.

What is the same for both stages is in `TrainConfig`. Nothing here needs torch.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from capo_core.errors import ConfigError
from capo_core.imitation.pairs.build import PairsConfig

PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("constant", "linear", "cosine")
LOSSES = ("pairwise", "listwise", "nca")
PER = ("pair", "item")
SMALL_BASE = 50_000_000  # parameters below which a base is small
ENGINES = ("auto", "tree", "group", "pairs")


@dataclass(frozen=True)
class LoraSettings:
    """The adapter (Hu et al. 2021, arXiv 2106.09685): ΔW = alpha / rank · B A."""

    # Rows of A and columns of B; 1 or more. Parameters grow in proportion.
    rank: int = 16
    # Strength of the adapter: ΔW is multiplied by alpha / rank.
    alpha: float = 32.0
    # Share of an adapter's inputs set to zero in training, 0 to below 1.
    dropout: float = 0.0
    # Names of the layers adapted, or "all-linear": all linear layers but the output head.
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        _tuple(self, "target_modules")
        _check(self, "rank", self.rank >= 1, "a whole number of 1 or more")
        _check(self, "alpha", _positive(self.alpha), "a number above 0")
        _check(self, "dropout", 0 <= self.dropout < 1, "a number from 0 to below 1")
        _check(self, "target_modules", bool(self.target_modules), '"all-linear", or layer names')


@dataclass(frozen=True)
class TrainConfig:
    """What SFT and CAPO share. An "item" is one item with the responses to it."""

    # Learning rates for small bases (such as the embedded one) and for large ones.
    RATES: ClassVar[tuple[float, float]] = (1e-3, 2e-4)

    # Of everything random: the adapter's beginning, the order of the data, dropout.
    seed: int = 0
    # Passes over the training items.
    epochs: int = 4
    # Peak learning rate of AdamW; None takes one of RATES by the base's size (see `rate_for`).
    learning_rate: float | None = None
    # Items of one optimiser step, over all micro-batches and processes together.
    items_per_step: int = 16
    # Micro-batches into which a process divides its items of a step: less memory, same result.
    accumulation: int = 1
    # The gradient's Euclidean norm is cut to this; 0 leaves it as it is.
    max_grad_norm: float = 1.0
    # Share of all steps in which the learning rate rises from 0 to its peak.
    warmup_share: float = 0.05
    # What it does afterwards: stays constant, or falls to 0 linearly or as a cosine.
    schedule: str = "linear"
    # AdamW's decoupled weight decay (Loshchilov & Hutter 2019), on the adapter's weights.
    weight_decay: float = 0.0
    # The items' order: shuffled anew in each epoch and of like length within a step, or as they
    # stand in the dataset.
    shuffle: bool = True
    # Numbers of the base model: bf16 on a GPU that has it, else fp32 (auto). The adapter is
    # always trained in fp32.
    precision: str = "auto"
    # Compute activations again in the backward pass: less memory, about a third more time.
    gradient_checkpointing: bool = False
    # Load the base in 4 bits (NF4; needs CUDA and the package bitsandbytes).
    quantise: bool = False
    # Longest prompt with one response, in tokens; longer responses are cut and counted.
    max_tokens: int = 1024
    # Optimiser steps between checkpoints.
    checkpoint_every: int = 25
    # Optimiser steps between validations; 0 validates at the end of each epoch.
    validate_every: int = 0
    # Validations in a row without a better loss after which training ends; 0 never ends early.
    patience: int = 2
    # Optimiser steps between samples of generated text, which are also written before the first
    # step and after the last; 0 writes none.
    sample_every: int = 50
    # Validation items for which the samples are written.
    samples: int = 2
    # Validation items whose answers are scored whenever samples are written; 0 scores none.
    probe_items: int = 0
    # One adapter for all annotators, each named in the prompt, instead of one for each.
    shared: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "items_per_step", "accumulation", "checkpoint_every"):
            _check(self, name, getattr(self, name) >= 1, "a whole number of 1 or more")
        for name in ("seed", "validate_every", "patience", "sample_every", "samples",
                     "probe_items"):  # fmt: skip
            _check(self, name, getattr(self, name) >= 0, "a whole number of 0 or more")
        rate = self.learning_rate
        _check(self, "learning_rate", rate is None or _positive(rate), "a number above 0")
        for name in ("max_grad_norm", "weight_decay"):
            _check(self, name, _not_negative(getattr(self, name)), "a number of 0 or more")
        _check(self, "warmup_share", 0 <= self.warmup_share < 1, "a share from 0 to below 1")
        _check(self, "max_tokens", self.max_tokens >= 16, "a whole number of 16 or more")
        _check(self, "schedule", self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}")
        _check(self, "precision", self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}")

    def rate_for(self, parameters: int) -> float:
        """The learning rate for a base of so many parameters."""
        small, large = self.RATES
        default = small if parameters < SMALL_BASE else large
        return default if self.learning_rate is None else self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON writes them.

        `probe_items` only where it is asked for: it changes nothing that is learned, and runs
        from before it was there keep their names.
        """
        plain = _plain(asdict(self))
        if not self.probe_items:
            del plain["probe_items"]
        return plain

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> TrainConfig:
        """The settings again from `to_dict`; `ConfigError` at a name that is not a setting."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise ConfigError(
                f"there is no setting {unknown[0]!r} in {cls.__name__}",
                expected=f"settings out of {', '.join(sorted(known))}",
            )
        return cls(**{name: cls._read(name, value) for name, value in raw.items()})

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        """A setting's value from its JSON form."""
        return value


@dataclass(frozen=True)
class SftConfig(TrainConfig):
    """Supervised fine-tuning: the likelihood of the annotator's own responses, token by token."""

    # The adapter that is trained; CAPO goes on with it.
    lora: LoraSettings = field(default_factory=LoraSettings)

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return LoraSettings(**value) if name == "lora" and isinstance(value, dict) else value


@dataclass(frozen=True)
class CapoConfig(TrainConfig):
    """Preference training from the SFT adapter, which is also the frozen reference."""

    RATES: ClassVar[tuple[float, float]] = (3e-4, 5e-5)

    epochs: int = 3
    # The contrast: pairwise (DPO), listwise (softmax over chosen and rejected) or nca.
    loss: str = "pairwise"
    # How strongly the policy is held to the reference; larger holds tighter.
    beta: float = 0.1
    # Weight of the chosen response's negative log-likelihood per token, against drift; 0 is none.
    nll: float = 0.1
    # Divide each response's log-probability by its tokens (beta must then be much larger).
    length_norm: bool = False
    # Share of pairs taken to be the wrong way round, 0 to below 0.5.
    label_smoothing: float = 0.0
    # What counts alike: each pair, or each chosen response however many pairs it stands in.
    per: str = "pair"
    # How responses are scored: the prompt once for all of them (tree), once for each (group),
    # or each pair alone (pairs); auto takes the tree where it is exact.
    engine: str = "auto"
    # Which responses are contrasted, and how much each pair counts.
    pairs: PairsConfig = field(default_factory=PairsConfig)
    # SHA-256 (hex) of a file of pairs to train on; empty takes the dataset's own.
    preferences: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self, "loss", self.loss in LOSSES, f"one of {', '.join(LOSSES)}")
        _check(self, "beta", _positive(self.beta), "a number above 0")
        _check(self, "nll", _not_negative(self.nll), "a number of 0 or more")
        smooth = 0 <= self.label_smoothing < 0.5
        _check(self, "label_smoothing", smooth, "a share from 0 to below 0.5")
        _check(self, "per", self.per in PER, f"one of {', '.join(PER)}")
        _check(self, "engine", self.engine in ENGINES, f"one of {', '.join(ENGINES)}")
        digest = re.fullmatch("([0-9a-f]{64})?", self.preferences)
        _check(self, "preferences", bool(digest), "the SHA-256 of a file (64 digits), or nothing")
        alone = "one adapter an annotator: the prompts of pairs from a file name nobody"
        _check(self, "shared", not (self.shared and self.preferences), alone)

    def to_dict(self) -> dict[str, Any]:
        """As of every stage; `preferences` only where there are some, for the same reason."""
        plain = super().to_dict()
        if not self.preferences:
            del plain["preferences"]
        return plain

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        return PairsConfig(**value) if name == "pairs" and isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """Tuples as lists, through and through, as JSON gives them back."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _tuple(settings: Any, name: str) -> None:
    value = getattr(settings, name)
    if isinstance(value, list):
        object.__setattr__(settings, name, tuple(value))


def _check(settings: Any, name: str, right: bool, expected: str) -> None:
    if not right:
        raise ConfigError(
            f"{getattr(settings, name)!r} cannot be used",
            where=f"{type(settings).__name__}, {name}",
            expected=expected,
        )


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _not_negative(value: float) -> bool:
    return math.isfinite(value) and value >= 0
