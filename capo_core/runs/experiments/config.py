"""What an experiment is made of; saved as its experiment.json.

Settings to begin with: minutes on an ordinary computer, and those of the paper on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from capo_core.errors import CapoError, ConfigError
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.prompts import METHODS, TRAINED
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.runs.actions import with_changes
from capo_core.runs.request import EXECUTORS
from capo_core.workspace import content_hash, safe_name

OPTIONAL_STAGES = ("retention", "judge")


@dataclass(frozen=True)
class ExperimentConfig:
    """All methods for all targets on one dataset.

    The settings of each stage are JSON objects with the names of its own configuration; what is
    left out has that stage's default.
    """

    # A dataset of the catalog, and what it must still be when the runs begin ("": as it is then).
    dataset: str
    fingerprint: str = ""
    # Who is imitated.
    targets: tuple[str, ...] = ()
    # Out of `prompts.METHODS`: zero_shot, icl, profile, sft, capo.
    methods: tuple[str, ...] = METHODS
    # The model: "embedded", a folder, or a name on the hub; for prompting it may be a server's.
    base: str = "embedded"
    server: str = ""
    # Of training and of the answers; each seed is a repetition of everything.
    seeds: tuple[int, ...] = (0,)
    # Settings of `SftConfig`, `CapoConfig`, `ProfileConfig`, `GenerateConfig`, `TableConfig`.
    sft: Mapping[str, Any] = field(default_factory=dict)
    capo: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    generate: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    # Settings of `RetentionConfig`, and `text` (a file of general text): what the trainings made
    # the base forget. Settings of `JudgeConfig`, and `server` or `base`: the model that judges who
    # wrote the answers. None leaves it out.
    retention: Mapping[str, Any] | None = None
    judge: Mapping[str, Any] | None = None
    # For a person.
    name: str = ""
    # Where the runs work: "local" or "slurm".
    executor: str = "local"

    def __post_init__(self) -> None:
        for name in ("targets", "methods", "seeds"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple):
                raise _wrong(name, value, "a list")
            object.__setattr__(self, name, tuple(value))
        strange = [each for each in self.methods if each not in METHODS]
        seeds = all(type(each) is int and each >= 0 for each in self.seeds)
        texts = ("dataset", "fingerprint", "base", "server", "name")
        for name, right, expected in (
            *((each, isinstance(getattr(self, each), str), "a text") for each in texts),
            ("targets", self.targets, "one annotator or more"),
            ("targets", len(set(self.targets)) == len(self.targets), "each annotator once"),
            ("methods", self.methods and not strange, f"some of {', '.join(METHODS)}"),
            ("methods", len(set(self.methods)) == len(self.methods), "each method once"),
            ("seeds", self.seeds and seeds, "one whole number of 0 or more, or several"),
            ("seeds", len(set(self.seeds)) == len(self.seeds), "each seed once"),
            ("base", self.base or self.server, "a base, or a server's model"),
            ("base", self.base or not self.trained, "a base on this machine, to train on"),
            ("executor", self.executor in EXECUTORS, f"one of {', '.join(EXECUTORS)}"),
        ):
            if not right:
                raise _wrong(name, getattr(self, name), expected)
        safe_name(self.dataset)
        for stage in ("sft", "capo", "profile", "generate", "evaluate", *OPTIONAL_STAGES):
            if stage not in OPTIONAL_STAGES or getattr(self, stage) is not None:
                self._check_stage(stage)

    @property
    def trained(self) -> tuple[str, ...]:
        """The methods that train adapters."""
        return tuple(method for method in self.methods if method in TRAINED)

    @property
    def experiment_id(self) -> str:
        """Of its folder: the same configuration is the same experiment."""
        return safe_name(f"{self.dataset[:40]}-{content_hash(self.to_dict())[:8]}")

    @property
    def title(self) -> str:
        return self.name or f"{len(self.methods)} methods for {len(self.targets)} annotators"

    def sft_config(self, seed: int) -> SftConfig:
        return SftConfig.from_dict({**self.sft, "seed": seed})

    def capo_config(self, seed: int) -> CapoConfig:
        return CapoConfig.from_dict({**self.capo, "seed": seed})

    def generate_config(self, method: str, seed: int) -> GenerateConfig:
        return GenerateConfig(**{**self.generate, "method": method, "seed": seed})

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        plain = asdict(self)
        # What is left out is not named, so that experiments from before it was there keep theirs.
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in plain.items()
            if name not in OPTIONAL_STAGES or value is not None
        }

    @classmethod
    def from_dict(cls, raw: Any) -> ExperimentConfig:
        """The experiment again from `to_dict`; `ConfigError` where something else stands there."""
        if not isinstance(raw, dict) or "dataset" not in raw:
            raise ConfigError("an experiment names a dataset", expected="an object with 'dataset'")
        unknown = sorted(set(raw) - {each.name for each in fields(cls)})
        if unknown:
            raise ConfigError(f"there is no setting {unknown[0]!r} in an experiment")
        return cls(**raw)

    def with_changes(self, **changes: Any) -> ExperimentConfig:
        return replace(self, **changes)

    def with_settings(self, changes: Mapping[str, Any]) -> ExperimentConfig:
        """The experiment with other settings at dotted names: {"sft.epochs": 3}.

        To name a setting of retention or of the judge adds that measurement where there was none;
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

    def _check_stage(self, stage: str) -> None:
        """Make the stage's configuration once, so that a wrong setting shows before hours go by."""
        raw = getattr(self, stage)
        if not isinstance(raw, Mapping):
            raise _wrong(stage, raw, "an object of settings")
        object.__setattr__(self, stage, dict(raw))
        try:
            if stage == "sft":
                self.sft_config(0)
            elif stage == "capo":
                self.capo_config(0)
            elif stage == "generate":
                self.generate_config(self.methods[0], 0)
            elif stage == "profile":
                from capo_core.imitation.prompting.value_profiles import ProfileConfig

                ProfileConfig(**raw)
            elif stage in OPTIONAL_STAGES:
                self._check_extra(stage, dict(raw))
            elif unknown := sorted(set(raw) - {"views", "pool", "families", "seed"}):
                raise ConfigError(f"there is no setting {unknown[0]!r} in an evaluation")
        except CapoError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"the settings of {stage} cannot be used ({error})", where="experiment"
            ) from None

    def _check_extra(self, stage: str, raw: dict[str, Any]) -> None:
        from capo_core.evaluation.llm_judge.trials import JudgeConfig
        from capo_core.evaluation.retention import RetentionConfig

        if stage == "retention":
            raw.pop("text", None)
            RetentionConfig(**raw)
            return
        if bool(raw.pop("server", "")) == bool(raw.pop("base", "")):
            raise ConfigError(
                "it is not said who judges",
                where="experiment, judge",
                expected="the name of a server's model, or a base on this machine; one of both",
            )
        JudgeConfig(**raw)


def _wrong(name: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"{value!r} cannot be used", where=f"experiment, {name}", expected=expected)


DEMO_DATASET = "demo-nli"


@dataclass(frozen=True)
class ExperimentPreset:
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

PRESETS: dict[str, ExperimentPreset] = {
    "minutes": ExperimentPreset(
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


def from_preset(preset: str, dataset: str, targets: tuple[str, ...], **changes) -> ExperimentConfig:
    """An experiment with a preset's settings; `changes` replace whole ones.

    Raises:
        ConfigError: there is no such preset, or a change is wrong.
    """
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset {preset!r}", expected=f"one of {', '.join(PRESETS)}")
    settings = {**PRESETS[preset].settings, **changes}
    return ExperimentConfig.from_dict({"dataset": dataset, "targets": targets, **settings})


def demo_config(annotators: tuple[str, ...], *, quick: bool = False) -> ExperimentConfig:
    """The demonstration on the shipped data; quick: one annotator instead of all."""
    targets = annotators[:1] if quick else annotators
    name = "Demo, one annotator" if quick else "Demo"
    return from_preset("minutes", DEMO_DATASET, targets, name=name)
