"""Every setting of a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capo_core.errors import ConfigError

FORMATS = ("zero_shot", "named", "in_context", "with_profile", "ask_for_profile")
# The short ones are in every step; of the others each step draws one.
SHORT = FORMATS[:2]


@dataclass(frozen=True)
class EmbeddedBaseConfig:
    """What is built, and how.

    Raises:
        ConfigError: a value is out of range.
    """

    # Everything random follows from it.
    seed: int = 7
    # Optimiser steps; each reads about `step_tokens` tokens.
    steps: int = 3000
    # Tokens the network reads in a step, half of them in short prompts of both tasks, half in
    # another format.
    step_tokens: int = 1536
    # Simulated annotators; drawn anew for every row.
    annotators: int = 3000
    # How strongly they differ; one number each, uniform between these (1 = like real people).
    manner: tuple[float, float] = (0.8, 1.6)
    content: tuple[float, float] = (0.8, 1.2)
    label_bias: tuple[float, float] = (0.8, 1.4)
    # Which other format a step takes: shares, summing to 1.
    shares: Mapping[str, float] = field(
        default_factory=lambda: {"in_context": 0.65, "with_profile": 0.27, "ask_for_profile": 0.08}
    )
    # Share of the short rows whose prompt names an annotator.
    named: float = 0.2
    # A label's tokens count this much, the explanation's count 1: the label is one token among
    # forty, and the one that is scored.
    label_weight: float = 4.0
    # Tokens of the items' second texts count this much: they repeat words of the first, which is
    # what copying is learned from.
    prompt_weight: float = 0.3
    # Shape. The vocabulary is byte-level BPE.
    vocabulary: int = 4096
    hidden: int = 192
    layers: int = 5
    heads: int = 6
    intermediate: int = 512
    positions: int = 4096
    # AdamW with linear warm-up and a cosine to a twentieth.
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    # Samples the vocabulary is learned from, for each task.
    tokenizer_samples: int = 8000
    # Steps between two checkpoints, and between two lines of the log.
    checkpoint_every: int = 200
    log_every: int = 20
    # Held-out rows for each task and format.
    validation_rows: int = 48
    # On shared cores two threads wait for each other more than they help.
    threads: int = 1

    def __post_init__(self) -> None:
        for name, low in (
            ("seed", 0), ("steps", 1), ("step_tokens", 64), ("annotators", 1), ("vocabulary", 300),
            ("hidden", 8), ("layers", 1), ("heads", 1), ("intermediate", 8), ("positions", 512),
            ("warmup_steps", 0), ("tokenizer_samples", 1), ("checkpoint_every", 1),
            ("log_every", 1), ("validation_rows", 1), ("threads", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise ConfigError(
                    f"{name} is {value!r}", where="base build", expected=f"a whole number ≥ {low}"
                )
        for name in ("learning_rate", "max_grad_norm", "label_weight", "prompt_weight"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", expected="more than 0")
        if self.hidden % (2 * self.heads):
            raise ConfigError(
                f"{self.hidden} hidden units cannot be shared by {self.heads} heads",
                expected="heads that divide half of hidden",
            )
        known = set(FORMATS) - set(SHORT)
        if set(self.shares) - known or abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ConfigError(
                f"shares is {dict(self.shares)}",
                expected=f"shares of {sorted(known)} that sum to 1",
            )
