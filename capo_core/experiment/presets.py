"""Settings to begin with: minutes on an ordinary computer, and those of the paper on a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.errors import ConfigError
from capo_core.experiment.config import ExperimentConfig
from capo_core.imitation.prompts import METHODS

DEMO_DATASET = "demo-nli"


@dataclass(frozen=True)
class Preset:
    """A beginning for the form of an experiment.

    Attributes:
        label, help: for a person; `help` says what it needs and how long it takes.
        settings: of an `ExperimentConfig`, without dataset and targets.
    """

    label: str
    help: str
    settings: dict


_PAPER = {
    "methods": list(METHODS),
    "seeds": [0, 1, 2],
    # Rates below the embedded base's defaults: larger models learn at smaller steps.
    "sft": {
        "epochs": 5,
        "learning_rate": 2e-4,
        "items_per_step": 16,
        "accumulation": 4,
        "precision": "bf16",
        "gradient_checkpointing": True,
        "max_tokens": 1024,
    },
    "capo": {
        "epochs": 3,
        "learning_rate": 5e-5,
        "items_per_step": 16,
        "accumulation": 8,
        "precision": "bf16",
        "gradient_checkpointing": True,
        "max_tokens": 1024,
    },
    "profile": {"examples": 50, "max_new_tokens": 400},
    "generate": {"examples": 20, "samples": 3, "max_new_tokens": 256},
}

PRESETS: dict[str, Preset] = {
    "minutes": Preset(
        "minutes on this CPU",
        "The embedded base, all methods: about ten minutes for four annotators on two cores.",
        {
            "base": "embedded",
            "methods": list(METHODS),
            "seeds": [0],
            # Looked at after every pass, so that one sees the manner arrive.
            "sft": {"max_tokens": 512, "sample_every": 17, "probe_items": 12},
            "capo": {"max_tokens": 512, "sample_every": 17, "probe_items": 12},
            "profile": {"examples": 12, "max_new_tokens": 120},
            "generate": {"examples": 4, "max_new_tokens": 64},
        },
    ),
    "paper-qwen": Preset(
        "paper (Qwen3-4B, GPU)",
        "Three seeds, one adapter for each annotator: a GPU of 24 GB or more, and hours.",
        {**_PAPER, "base": "Qwen/Qwen3-4B"},
    ),
    "paper-llama": Preset(
        "paper (Llama-3.2-3B, GPU)",
        "Three seeds, one adapter for each annotator: a GPU of 24 GB or more, and hours.",
        {**_PAPER, "base": "meta-llama/Llama-3.2-3B-Instruct"},
    ),
}


def from_preset(preset: str, dataset: str, targets: tuple[str, ...], **changes) -> ExperimentConfig:
    """An experiment with a preset's settings; `changes` replace whole ones.

    Raises:
        ConfigError: there is no such preset, or a change is wrong.
    """
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset {preset!r}", expected=f"one of {', '.join(PRESETS)}")
    settings = {**PRESETS[preset].settings, **changes}
    return ExperimentConfig.from_dict({"dataset": dataset, "targets": targets, **settings})


def demo(annotators: tuple[str, ...], *, quick: bool = False) -> ExperimentConfig:
    """The demonstration on the shipped data; quick: one annotator instead of all."""
    targets = annotators[:1] if quick else annotators
    name = "Demo, one annotator" if quick else "Demo"
    return from_preset("minutes", DEMO_DATASET, targets, name=name)
