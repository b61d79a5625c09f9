"""The settings that an experiment's form shows, and where.

Titles, descriptions, ranges and defaults are those of the settings classes themselves
(`capo_core.settings`), so that the form, the command line and the docs agree.
"""

from __future__ import annotations

from capo_core.dashboard.ui.forms import Setting, from_class
from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
from capo_core.evaluation.retention import RetentionConfig
from capo_core.evaluation.table import TableConfig
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.value_profiles import ProfileConfig
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.runs.experiments.config import ExperimentConfig

_STAGES: dict[str, type] = {
    "sft": SftConfig,
    "capo": CapoConfig,
    "generate": GenerateConfig,
    "profile": ProfileConfig,
    "evaluate": TableConfig,
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
    "learning_rate", "items_per_step", "accumulation", "batch_tokens", "shuffle", "max_tokens",
    "precision", "schedule", "warmup_share", "weight_decay", "max_grad_norm", "patience",
    "validate_every", "checkpoint_every", "sample_every", "samples", "probe_items", "label_choice",
    "gradient_checkpointing", "quantise",
)  # fmt: skip

# Title of a fold → its settings.
FOLDED: dict[str, tuple[Setting, ...]] = {
    "SFT": _fields(
        "sft", "lora.kind", "lora.rank", "lora.alpha", "lora.dropout", "shared", *_TRAINING
    ),
    "CAPO": _fields(
        "capo", "contrast", "calibrate", "calibrate_label_prior", "loss", "nll", "anchor",
        "length_norm", "ld_alpha",
        "label_smoothing", "per", "engine",
        "pairs.weights", "pairs.same_label", "pairs.near_duplicate", "pairs.max_rejected",
        *_TRAINING,
    ),
    "Prompting and generation": (
        *_fields(
            "generate", "split", "items", "how", "label_choice", "label_prior",
            "prompt", "temperature", "top_p", "max_new_tokens", "batch_tokens",
        ),
        *_fields(
            "profile", "examples", "max_new_tokens", "tries",
            max_new_tokens="Max new tokens (profile)", tries="Max attempts (profile)",
        ),
    ),
}  # fmt: skip

# Settings of the measurements that may be left out.
LIKELIHOOD = (from_class(ExperimentConfig, "likelihood", label="Attribute texts by likelihood"),)
EVALUATION = _fields("evaluate", "margin", "alpha_margin", "annotator_kind", "duplicate")
RETENTION = _fields("retention", "items", "split", "passages", "max_new_tokens")
JUDGE = _fields("judge", "trials", "cards", "k", "max_new_tokens")
