"""The configuration of an experiment (saved as its experiment.json), and presets of it.

The presets take minutes on an ordinary computer, or are those of the paper on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import count
from capo_core.imitation.generation.requests import SCORED_CHOICES, GenerateConfig
from capo_core.imitation.models.registry import EMBEDDED_NAME
from capo_core.imitation.prompting.prompts import METHOD_NAMES, METHODS, TRAINED, USUAL_METHODS
from capo_core.imitation.training.config import (
    PLAIN,
    CapoConfig,
    SftConfig,
    check_strength,
    usual_capo,
)
from capo_core.runs.actions import with_changes
from capo_core.runs.request import EXECUTORS
from capo_core.settings import as_json, normalised, setting, settings
from capo_core.workspace import content_hash, safe_name

OPTIONAL_STAGES = ("retention", "judge")
# Methods whose adapters tell authors by likelihood, the better ones first.
AUTHOR_METHODS = ("sft_long", "sft")


@settings("Experiment")
class ExperimentConfig:
    """Configuration of an experiment: all methods for all targets on one dataset.

    The settings of each stage are JSON objects with the names of its own configuration; a missing
    setting has that stage's default.
    """

    dataset: str = setting(title="Dataset", description="A dataset of the catalog.")
    fingerprint: str = setting(
        "",
        "Fingerprint",
        "The content the dataset must have when the runs start; empty accepts any.",
    )
    targets: tuple[str, ...] = setting((), "Annotators", "The annotators to imitate.")
    methods: tuple[str, ...] = setting(
        USUAL_METHODS, "Methods", "The methods to run.", choices=METHOD_NAMES
    )
    base: str = setting(
        "embedded",
        "Base model",
        "'embedded', a model of the workspace (see: models list), a folder, or a name on the "
        "Hugging Face hub.",
    )
    allow_embedded: bool = setting(
        False,
        "Allow the embedded base model",
        "Use the embedded base model on data it was not made for.",
    )
    server: str = setting(
        "", "Server model", "A server's model for prompting; trained methods use the base model."
    )
    seeds: tuple[int, ...] = setting(
        (0,), "Seeds", "Random seeds; each one repeats all trainings and generations.", ge=0
    )
    sft: Mapping[str, Any] = setting(
        title="SFT", description="Settings of `SftConfig`.", default_factory=dict
    )
    capo: Mapping[str, Any] = setting(
        title="CAPO", description="Settings of `CapoConfig`.", default_factory=dict
    )
    profile: Mapping[str, Any] = setting(
        title="Value profile", description="Settings of `ProfileConfig`.", default_factory=dict
    )
    generate: Mapping[str, Any] = setting(
        title="Generation", description="Settings of `GenerateConfig`.", default_factory=dict
    )
    evaluate: Mapping[str, Any] = setting(
        title="Evaluation", description="Settings of `TableConfig`.", default_factory=dict
    )
    likelihood: bool = setting(
        False,
        "Likelihood attribution",
        "Also attribute texts by their likelihood under each annotator's own SFT adapter of the "
        "first seed: of SFT trained as long as CAPO where that is among the methods, since an "
        "adapter finds its own texts likely. All annotators must be imitated; a preset's is left "
        "out where they are not.",
    )
    retention: Mapping[str, Any] | None = setting(
        None,
        "Retention",
        "Settings of `RetentionConfig`, and `text` (a file of general text).",
        empty="not measured",
    )
    judge: Mapping[str, Any] | None = setting(
        None,
        "LLM judge",
        "Settings of `LlmJudgeConfig`, and `server` or `base` (the model that judges).",
        empty="no LLM judge",
    )
    name: str = setting("", "Name", "A name for people.")
    executor: str = setting(
        "local", "Executor", "local (processes of this machine) or slurm.", choices=EXECUTORS
    )

    def __post_init__(self) -> None:
        for name, right, expected in (
            ("targets", self.targets, "one annotator or more"),
            ("targets", len(set(self.targets)) == len(self.targets), "each annotator once"),
            ("methods", self.methods, f"some of {', '.join(METHOD_NAMES)}"),
            ("methods", len(set(self.methods)) == len(self.methods), "each method once"),
            ("seeds", self.seeds, "one whole number of 0 or more, or several"),
            ("seeds", len(set(self.seeds)) == len(self.seeds), "each seed once"),
            ("base", self.base or self.server, "a base model, or a server's model"),
            ("base", self.base or not self.trained, "a base model on this machine, to train on"),
            (
                "likelihood",
                not self.likelihood or self.author_method,
                "off, or sft or sft_long among the methods",
            ),
        ):
            if not right:
                raise _wrong(name, getattr(self, name), expected)
        safe_name(self.dataset)
        for stage in ("sft", "capo", "profile", "generate", "evaluate", *OPTIONAL_STAGES):
            if stage not in OPTIONAL_STAGES or getattr(self, stage) is not None:
                self._check_stage(stage)
        if "capo" in self.methods and self.capo_config(0).calibrate:
            check_strength(self.sft_config(0).lora.kind)

    @property
    def trained(self) -> tuple[str, ...]:
        """The selected methods that train adapters."""
        return tuple(method for method in self.methods if method in TRAINED)

    @property
    def experiment_id(self) -> str:
        """The name of its folder: the same configuration is the same experiment."""
        raw = self.to_dict()
        stages = {
            name: normalised(cls, raw[name]) for name, cls in _stage_classes().items()
            if raw.get(name) is not None
        }  # fmt: skip
        return self._name_of(raw | stages)

    @property
    def former_id(self) -> str:
        """The name it had in builds that told 0 from 0.0; most often the same."""
        return self._name_of(self.to_dict())

    def _name_of(self, raw: dict[str, Any]) -> str:
        return safe_name(f"{self.dataset[:40]}-{content_hash(raw)[:8]}")

    @property
    def title(self) -> str:
        methods, annotators = count(len(self.methods), "method"), len(self.targets)
        return self.name or f"{methods} × {count(annotators, 'annotator')}"

    @property
    def author_method(self) -> str:
        """The method whose adapters tell authors by likelihood; "" where there is none."""
        return next((each for each in AUTHOR_METHODS if each in self.methods), "")

    def sft_config(self, seed: int) -> SftConfig:
        return SftConfig.from_dict({**self.sft, "seed": seed})

    def capo_config(self, seed: int) -> CapoConfig:
        return CapoConfig.from_dict({**self.capo, "seed": seed})

    def trainings(self, method: str, seed: int) -> tuple[SftConfig, CapoConfig | None]:
        """Return the trainings that lead to the adapter of `method`: SFT, and CAPO or None."""
        sft, capo = self.sft_config(seed), self.capo_config(seed)
        if method == "sft_long":
            # As many optimiser steps as SFT and CAPO together: both see every item once an epoch.
            sft = replace(sft, epochs=sft.epochs + capo.epochs)
        if method == "sft_shuffled":
            sft = replace(sft, shuffled=True)
        if method == "capo_plain":
            capo = replace(capo, **PLAIN)
        return sft, capo if METHODS[method].stage == "capo" else None

    def generate_config(self, method: str, seed: int) -> GenerateConfig:
        """Return the settings of a method's answers.

        Without the label prior where a server or the embedded base model writes the label itself:
        there are no probabilities that it could correct.
        """
        config = GenerateConfig(**{**self.generate, "method": method, "seed": seed})
        asks_server = bool(self.server) and not config.trained
        embedded = self.base == EMBEDDED_NAME and config.label_choice == "auto"
        return replace(config, label_prior="none") if asks_server or embedded else config

    def to_dict(self) -> dict[str, Any]:
        """Return the experiment as JSON writes it."""
        # An optional stage that is left out is not named, nor a permission that is not given, so
        # that experiments from before there were these keep their name.
        return {
            name: value
            for name, value in as_json(self).items()
            if (name not in OPTIONAL_STAGES or value is not None)
            and (name not in ("allow_embedded", "likelihood") or value)
        }

    @classmethod
    def from_dict(cls, raw: Any) -> ExperimentConfig:
        """Return the experiment from `to_dict`; `ConfigError` at anything else."""
        if not isinstance(raw, dict) or "dataset" not in raw:
            raise ConfigError("an experiment names a dataset", expected="an object with 'dataset'")
        return cls(**raw)

    def with_changes(self, **changes: Any) -> ExperimentConfig:
        return replace(self, **changes)

    def with_settings(self, changes: Mapping[str, Any]) -> ExperimentConfig:
        """Return the experiment with other settings at dotted names: {"sft.epochs": 3}.

        Naming a setting of retention or of the LLM judge adds that measurement where there was
        none;
        `{"retention": {}}` adds it with its defaults.

        Raises:
            RunError: there is no such setting.
            ConfigError: a value is out of its range.
        """
        raw = self.to_dict()
        for stage in OPTIONAL_STAGES:
            if any(name.partition(".")[0] == stage for name in changes):
                raw.setdefault(stage, {})
        return ExperimentConfig.from_dict(with_changes(raw, changes))

    def _check_labels(self, config: GenerateConfig) -> None:
        """Raise `ConfigError` where a server is to choose labels by their probabilities."""
        asked = self.server and set(self.methods) - set(TRAINED)
        if asked and config.label_choice in SCORED_CHOICES:
            raise ConfigError(
                f"{config.label_choice!r} cannot be used: servers give no probabilities of labels",
                where="experiment, generate.label_choice",
                expected="'auto' or 'generated' where a server answers prompts",
            )

    def _check_stage(self, stage: str) -> None:
        """Build the stage's configuration, so that a wrong setting shows before hours go by."""
        raw = dict(getattr(self, stage))
        try:
            if stage == "sft":
                self.sft_config(0)
            elif stage == "capo":
                self.capo_config(0)
            elif stage == "generate":
                self._check_labels(self.generate_config(self.methods[0], 0))
            elif stage == "profile":
                from capo_core.imitation.prompting.value_profiles import ProfileConfig

                ProfileConfig(**raw)
            elif stage in OPTIONAL_STAGES:
                self._check_optional(stage, raw)
            elif raw:
                from capo_core.evaluation.table import TableConfig

                if unknown := sorted(set(raw) - {one.name for one in fields(TableConfig)}):
                    raise ConfigError(f"there is no setting {unknown[0]!r} in an evaluation")
                TableConfig.from_dict({**TableConfig().to_dict(), **raw})
        except CapoError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"the settings of {stage} cannot be used ({error})", where="experiment"
            ) from None

    def _check_optional(self, stage: str, raw: dict[str, Any]) -> None:
        from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
        from capo_core.evaluation.retention import RetentionConfig

        if stage == "retention":
            raw.pop("text", None)
            RetentionConfig(**raw)
            return
        if bool(raw.pop("server", "")) == bool(raw.pop("base", "")):
            raise ConfigError(
                "no model is named as the LLM judge",
                where="experiment, judge",
                expected="the name of a server's model, or a base on this machine; one of both",
            )
        LlmJudgeConfig(**raw)


def _stage_classes() -> dict[str, type]:
    """Stage → its settings class; an evaluation has no settings with fractions."""
    from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
    from capo_core.evaluation.retention import RetentionConfig
    from capo_core.imitation.prompting.value_profiles import ProfileConfig

    return {
        "sft": SftConfig, "capo": CapoConfig, "profile": ProfileConfig,
        "generate": GenerateConfig, "retention": RetentionConfig, "judge": LlmJudgeConfig,
    }  # fmt: skip


def _wrong(name: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"{value!r} cannot be used", where=f"experiment, {name}", expected=expected)


DEMO_DATASET = "demo-nli"


@dataclass(frozen=True)
class ExperimentPreset:
    """Settings to start the form of an experiment with.

    Attributes:
        label, help: for a person; `help` tells the hardware it needs and the time it takes.
        settings: of an `ExperimentConfig`, without dataset and targets.
    """

    label: str
    help: str
    settings: dict


_PAPER = {
    "methods": list(USUAL_METHODS),
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
    # One profile for all seeds, from the examples of the paper's seed; 50 examples in context too,
    # or as many as fit.
    "profile": {"examples": 50, "max_new_tokens": 400, "seed": 42},
    "generate": {"examples": 50, "samples": 3, "max_new_tokens": 256},
}

# Set for the reasons in docs/methods-imitation.md; only the strength is chosen on validation items.
_PEOPLE_SFT = {"max_tokens": 512, "sample_every": 32}
_PEOPLE_CAPO = {
    "max_tokens": 512,
    "sample_every": 32,
    "epochs": 2,
    "contrast": "explanation",
    "calibrate": True,
}

PRESETS: dict[str, ExperimentPreset] = {
    "minutes": ExperimentPreset(
        "minutes on this CPU",
        "The embedded base model, all methods: about ten minutes for four annotators on two cores.",
        {
            "base": "embedded",
            "methods": list(USUAL_METHODS),
            "seeds": [0],
            # Probed after every epoch, so that one sees the annotator's style arrive.
            "sft": {"max_tokens": 512, "sample_every": 17, "probe_items": 12},
            "capo": {"max_tokens": 512, "sample_every": 17, "probe_items": 12},
            "profile": {"examples": 12, "max_new_tokens": 120},
            "generate": {"examples": 4, "max_new_tokens": 64},
        },
    ),
    "real": ExperimentPreset(
        "SmolLM2 on this CPU",
        "A real language model for data of your own: zero-shot, SFT, and CAPO with its strength "
        "chosen on validation items. 15 to 45 minutes on two cores for an annotator with 250 "
        "training items.",
        {
            "base": "smollm2",
            "methods": ["zero_shot", "sft", "capo"],
            "seeds": [0],
            "sft": _PEOPLE_SFT,
            "capo": _PEOPLE_CAPO,
            "generate": {"max_new_tokens": 96},
        },
    ),
    "people": ExperimentPreset(
        "People (SmolLM2, controls, three seeds)",
        "All methods and controls, three seeds: hours on two cores; it can be stopped and resumed.",
        {
            "base": "smollm2",
            "methods": list(METHOD_NAMES),
            "seeds": [0, 1, 2],
            "sft": _PEOPLE_SFT,
            "capo": {**_PEOPLE_CAPO, "calibrate_label_prior": "annotator"},
            "profile": {"examples": 50},
            "generate": {"examples": 50, "max_new_tokens": 96, "label_prior": "annotator"},
            "likelihood": True,
        },
    ),
    "paper-qwen": ExperimentPreset(
        "paper (Qwen3-4B, GPU)",
        "Three seeds, one adapter for each annotator: a GPU of 24 GB or more, and hours.",
        {**_PAPER, "base": "Qwen/Qwen3-4B"},
    ),
    "paper-llama": ExperimentPreset(
        "paper (Llama-3.2-3B, GPU)",
        "Three seeds, one adapter for each annotator: a GPU of 24 GB or more, and hours.",
        {**_PAPER, "base": "meta-llama/Llama-3.2-3B-Instruct"},
    ),
}


def from_preset(
    preset: str,
    dataset: str,
    targets: tuple[str, ...],
    *,
    annotators: Sequence[str] = (),
    **changes,
) -> ExperimentConfig:
    """Return an experiment with a preset's settings; `changes` replace whole ones.

    Likelihood attribution that the preset brings, and `changes` do not name, is left out where it
    cannot be had: without SFT among the methods, or of some annotators only.

    Args:
        annotators: all of the dataset; empty asks nothing of `targets`.

    Raises:
        ConfigError: there is no such preset, or a change is wrong.
    """
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset {preset!r}", expected=f"one of {', '.join(PRESETS)}")
    settings = {**preset_settings(preset, changes.get("base", "")), **changes}
    if "likelihood" not in changes and (
        not set(AUTHOR_METHODS) & set(settings["methods"]) or not set(annotators) <= set(targets)
    ):
        settings.pop("likelihood", None)
    return ExperimentConfig.from_dict({"dataset": dataset, "targets": targets, **settings})


def preset_settings(preset: str, base: str = "") -> dict[str, Any]:
    """Return a preset's settings, on another base model where one is named.

    A preset of the embedded base model has CAPO's plain form; another base gets what is usual on it
    (see `usual_capo`).
    """
    settings = dict(PRESETS[preset].settings)
    if base and base != settings["base"]:
        if settings["base"] == EMBEDDED_NAME:
            kind = settings["sft"].get("lora", {}).get("kind", "lora")
            settings["capo"] = {**settings["capo"], **usual_capo(base, adapter=kind)}
        settings["base"] = base
    return settings


def demo_config(annotators: tuple[str, ...], *, quick: bool = False) -> ExperimentConfig:
    """Return the demonstration on the shipped data; `quick`: one annotator instead of all."""
    targets = annotators[:1] if quick else annotators
    name = "Demo, one annotator" if quick else "Demo"
    return from_preset("minutes", DEMO_DATASET, targets, name=name)
