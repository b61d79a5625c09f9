"""The settings that an experiment's form shows, and where.

Titles, descriptions, ranges and defaults are those of the settings classes themselves
(`capo_core.settings`), so that the form, the command line and the docs agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
from capo_core.evaluation.retention import RetentionConfig
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.value_profiles import ProfileConfig
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.settings import setting_field


@dataclass(frozen=True)
class Setting:
    """One field of a form.

    Attributes:
        path: where its value is in the form's draft: "sft.lora.rank".
        label, help: text on the form; `help` is one sentence or two.
        kind: "whole", "number", "switch" or "choice".
        default: of its stage's settings class; None stands for what `empty` says.
        low, high, step: of numbers.
        options: of a choice.
        empty: meaning of an empty field, where that is allowed.
    """

    path: str
    label: str
    help: str
    kind: str = "whole"
    default: Any = None
    low: float = 0
    high: float | None = None
    step: float = 1
    options: Sequence[str] = ()
    empty: str = ""


_WHOLE_STEP, _NUMBER_STEP = 1, 0.05


def from_class(config: type, name: str, prefix: str = "", label: str = "") -> Setting:
    """Return the form's field for the setting `name` of a settings class.

    Args:
        prefix: where the class's settings are in the draft: "sft."; empty for the draft itself.
        label: instead of the setting's title, where a form shows two settings of one title.
    """
    about = setting_field(config, name)
    low, high = about.usual or (about.low, about.high)
    return Setting(
        prefix + name,
        label or about.title,
        f"{about.description} Configuration key: `{prefix}{name}`.",
        about.kind,
        about.default,
        0 if low is None else low,
        high,
        about.step or (_WHOLE_STEP if about.kind == "whole" else _NUMBER_STEP),
        about.choices,
        about.empty,
    )


_STAGES: dict[str, type] = {
    "sft": SftConfig,
    "capo": CapoConfig,
    "generate": GenerateConfig,
    "profile": ProfileConfig,
    "retention": RetentionConfig,
    "judge": LlmJudgeConfig,
}


def _fields(stage: str, *names: str, **labels: str) -> tuple[Setting, ...]:
    return tuple(
        from_class(_STAGES[stage], name, f"{stage}.", labels.get(name, "")) for name in names
    )


# Shown at once.
MAIN = (
    *_fields("sft", "epochs", epochs="SFT epochs"),
    *_fields("capo", "epochs", "beta", epochs="CAPO epochs", beta="CAPO beta (β)"),
    *_fields("generate", "examples", "samples"),
)

_TRAINING = (
    "learning_rate", "items_per_step", "accumulation", "max_tokens", "precision", "schedule",
    "warmup_share", "weight_decay", "max_grad_norm", "patience", "validate_every",
    "checkpoint_every", "sample_every", "samples", "probe_items", "label_choice",
    "gradient_checkpointing", "quantise",
)  # fmt: skip

# Title of a fold → its settings.
FOLDED: dict[str, tuple[Setting, ...]] = {
    "SFT": _fields(
        "sft", "lora.kind", "lora.rank", "lora.alpha", "lora.dropout", "shared", *_TRAINING
    ),
    "CAPO": _fields(
        "capo", "loss", "nll", "length_norm", "label_smoothing", "per", "engine",
        "pairs.weights", "pairs.same_label", "pairs.near_duplicate", "pairs.max_rejected",
        *_TRAINING,
    ),
    "Prompting and generation": (
        *_fields(
            "generate", "split", "items", "how", "label_choice", "label_prior",
            "prompt", "temperature", "top_p", "max_new_tokens",
        ),
        *_fields(
            "profile", "examples", "max_new_tokens", "tries",
            max_new_tokens="Max new tokens (profile)", tries="Max attempts (profile)",
        ),
    ),
}  # fmt: skip

# Settings of the measurements that may be left out.
RETENTION = _fields("retention", "items", "split", "passages", "max_new_tokens")
JUDGE = _fields("judge", "trials", "cards", "k", "max_new_tokens")
