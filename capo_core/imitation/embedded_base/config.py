"""Settings of the build of a base model."""

from __future__ import annotations

from collections.abc import Mapping

from capo_core.errors import ConfigError
from capo_core.settings import setting, settings

FORMATS = ("zero_shot", "named", "in_context", "with_profile", "ask_for_profile")
# The short ones are in every step; of the others each step draws one.
SHORT = FORMATS[:2]
SHARES = {"in_context": 0.65, "with_profile": 0.27, "ask_for_profile": 0.08}


@settings("Base model build")
class EmbeddedBaseConfig:
    """Settings of the embedded base model: data, network and training.

    Raises:
        ConfigError: a value is out of range.
    """

    seed: int = setting(7, "Random seed", "Random seed of data and training.", ge=0)
    steps: int = setting(3000, "Steps", "Optimiser steps.", ge=1)
    step_tokens: int = setting(
        1536,
        "Tokens per step",
        "Tokens the network reads in a step, half of them in short prompts of both tasks, half in "
        "another format.",
        ge=64,
    )
    annotators: int = setting(
        3000, "Simulated annotators", "Number of annotators; one is drawn for each row.", ge=1
    )
    # How strongly they differ; one number each, uniform between these (1 = like real people).
    manner: tuple[float, float] = setting(
        (0.8, 1.6), "Style strength", "Range of the strength of their style."
    )
    content: tuple[float, float] = setting(
        (0.8, 1.2), "Content strength", "Range of the strength of what they attend to."
    )
    label_bias: tuple[float, float] = setting(
        (0.8, 1.4), "Label bias", "Range of the strength of their label preferences."
    )
    shares: Mapping[str, float] = setting(
        title="Format shares",
        description="Share of each longer format among the steps; they sum to 1.",
        default_factory=lambda: dict(SHARES),
    )
    named: float = setting(
        0.2, "Named share", "Share of the short rows whose prompt names an annotator."
    )
    # The label is one token among forty, and the one that is scored.
    label_weight: float = setting(
        4.0, "Label weight", "Weight of a label's tokens; those of the explanation have 1.", gt=0
    )
    # They repeat words of the first text, and copying is learned from that.
    prompt_weight: float = setting(
        0.3, "Prompt weight", "Weight of the tokens of the items' second texts.", gt=0
    )
    vocabulary: int = setting(4096, "Vocabulary", "Size of the byte-level BPE vocabulary.", ge=300)
    hidden: int = setting(192, "Hidden size", "Width of the network.", ge=8)
    layers: int = setting(5, "Layers", "Number of layers.", ge=1)
    heads: int = setting(6, "Attention heads", "Number of attention heads.", ge=1)
    intermediate: int = setting(512, "Intermediate size", "Width of the MLP layers.", ge=8)
    positions: int = setting(4096, "Positions", "Longest text in tokens.", ge=512)
    learning_rate: float = setting(
        3e-3, "Learning rate", "Peak of AdamW's rate, which falls as a cosine to a twentieth.", gt=0
    )
    warmup_steps: int = setting(100, "Warm-up steps", "Steps of linear warm-up.", ge=0)
    weight_decay: float = setting(0.1, "Weight decay", "AdamW's weight decay.")
    max_grad_norm: float = setting(
        1.0, "Max gradient norm", "Gradients with a larger norm are clipped to it.", gt=0
    )
    tokenizer_samples: int = setting(
        8000, "Tokenizer samples", "Samples per task that the vocabulary is learned from.", ge=1
    )
    checkpoint_every: int = setting(200, "Checkpoint every (steps)", "", ge=1)
    log_every: int = setting(20, "Log every (steps)", "", ge=1)
    validation_rows: int = setting(
        48, "Validation rows", "Held-out rows per task and format.", ge=1
    )
    # On shared cores two threads wait for each other more than they help.
    threads: int = setting(1, "Threads", "Threads of the computation.", ge=1)

    def __post_init__(self) -> None:
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
