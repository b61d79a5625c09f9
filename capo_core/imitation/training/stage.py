"""The parts around the loop that SFT and CAPO share: run configuration, resuming, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from peft import PeftModel
from torch import Tensor

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, RunError
from capo_core.imitation.models.adapter_kinds import kind_of
from capo_core.imitation.models.adapters import NAME as ADAPTER
from capo_core.imitation.models.adapters import (
    adapter_card,
    adapter_weights,
    sample_prompt,
    save_adapter,
)
from capo_core.imitation.models.base_files import (
    base_model_fingerprint,
    base_title,
    find_base_model,
)
from capo_core.imitation.models.base_model import LoadedBaseModel, precision_of
from capo_core.imitation.models.side_by_side import SideBySide
from capo_core.imitation.prompting import responses as prompting_responses
from capo_core.imitation.training.checkpoint import Checkpoint, load_checkpoint, remove_checkpoint
from capo_core.imitation.training.config import TrainConfig
from capo_core.imitation.training.distributed import Processes
from capo_core.imitation.training.examples import ALL, ExampleSet, TokenLimits, sampled_items
from capo_core.imitation.training.loop import TrainingLoop
from capo_core.imitation.training.micro_batches import check_room, tokens_that_fit
from capo_core.imitation.training.objective import Objective, TrainingExample
from capo_core.imitation.training.samples import ProbeScorer, Sampler
from capo_core.progress import Progress
from capo_core.provenance import NAME, UNKNOWN, Provenance
from capo_core.run_folder import RunFolder


@dataclass(frozen=True)
class TrainResult:
    """The result of a training, as in the run's result.json.

    Attributes:
        steps, planned_steps: optimiser steps done; fewer than planned where validation was no
            better for too long (`ended_early`).
        kept_step: the step of the saved adapter.
        validation_loss, figures: of that adapter on the validation split; None and empty without
            one.
        loss: of the last training step.
        training_items, validation_items, responses, cut, skipped: see `ExampleSet`.
        calibration: how far the adapter is on the way from SFT to CAPO, and what that was chosen
            by (see `calibration.Choice`); empty for the trained adapter itself.
        tokens: positions the model computed in training steps.
        seconds: of the loop, over all sessions, without loading.
    """

    run_id: str
    stage: str
    target: str
    steps: int
    planned_steps: int
    ended_early: bool
    kept_step: int
    loss: float | None
    validation_loss: float | None
    engine: str
    seconds: float
    tokens: int
    training_items: int
    validation_items: int
    responses: int
    cut: int
    figures: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: RunFolder) -> TrainResult:
        """Return the result of a finished run; raise `RunError` if it is not finished."""
        return cls(**folder.result)


@dataclass(frozen=True)
class Stage:
    """A training stage, ready to start.

    Attributes:
        run_config: content of the run's config.json.
        engine_note: the scoring engine and the reason; see `choose.EngineChoice`.
        sample_prompt: a prompt as the model reads it, for the adapter's card.
        provenance: of the training data, for the same.
    """

    run_config: dict[str, Any]
    base: LoadedBaseModel
    model: PeftModel
    objective: Objective
    training: ExampleSet
    validation: ExampleSet | None
    examples: tuple[Sequence[TrainingExample], Sequence[TrainingExample]]
    limits: TokenLimits
    engine_note: dict[str, Any]
    sample_prompt: str = ""
    provenance: Provenance = field(default_factory=lambda: Provenance("", "", UNKNOWN))

    def with_card_facts(self, dataset: Dataset, prompt: str, result: TrainResult) -> Stage:
        """Return the stage with what its adapter's card says of data, base model and prompt."""
        about = Provenance.of(
            dataset,
            models=(base_title(self.run_config["base"]["name"]),),
            seeds=(self.run_config["settings"]["seed"],),
            n=(("training item", result.training_items),
               ("validation item", result.validation_items)),
            details=(("run", result.run_id),),
        )  # fmt: skip
        return replace(self, sample_prompt=prompt, provenance=about)


def run_config(
    stage: str, dataset: Dataset, target: str, config: TrainConfig, base_name: str
) -> dict[str, Any]:
    """Return a run's config.json, from which its name is made.

    Raises:
        ConfigError: there is no such base, or it cannot be used.
        BackendUnavailable: the hub cannot be reached.
    """
    return {
        "stage": stage,
        "target": ALL if config.shared else target,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "split": dataset.split_fingerprint,
        },
        "base": {
            "name": base_name,
            "fingerprint": base_model_fingerprint(find_base_model(base_name)),
        },
        "settings": config.to_dict(),
    }


def check_scorer(config: TrainConfig, scorer: ProbeScorer | None) -> None:
    """Raise `ConfigError` if a probe is requested without a scorer."""
    if config.probe_items and scorer is None:
        raise ConfigError(
            f"probe_items is {config.probe_items}, and there is nothing to score a probe by",
            todo="give a scorer (see evaluation/probe.py), or set probe_items to 0",
        )


def targets_of(dataset: Dataset, target: str, config: TrainConfig) -> list[str]:
    """Return the annotators to train on; raise `ConfigError` if one has too few responses."""
    if config.shared:
        return list(dataset.annotators)
    prompting_responses.history(dataset, target)
    return [target]


def limits_of(base: LoadedBaseModel, config: TrainConfig) -> TokenLimits:
    """Return the token limits on this base model: no longer than its context."""
    longest = base.longest or config.max_tokens
    return TokenLimits(base.tokenizer, min(config.max_tokens, longest), config.shared)


def batch_tokens_of(base: LoadedBaseModel, config: TrainConfig) -> int:
    """Return how many positions are computed at once: as set, or as the base model allows."""
    if config.batch_tokens is not None:
        return config.batch_tokens
    return tokens_that_fit(base.model.config, base.model.dtype, base.model.device)


def prepare_run(folder: RunFolder, processes: Processes) -> Checkpoint | None:
    """Truncate the events to the point of resuming, and return the checkpoint.

    Steps after the last checkpoint are repeated, and would be recorded twice.
    """
    checkpoint = load_checkpoint(folder)
    if processes.main:
        folder.cut_events(checkpoint.counters.events_size if checkpoint else 0)
        folder.forget_stop()
        step = checkpoint.counters.step if checkpoint else 0
        if checkpoint:  # the line on it was written after the file, and is cut off
            folder.log("checkpoint", step=step)
        folder.log("resumed" if checkpoint else "started", step=step, processes=processes.count)
    processes.wait()
    return checkpoint


def same_precision(config: TrainConfig, folder: RunFolder) -> TrainConfig:
    """Return the settings with the number type that a run began with, where it is resumed.

    "auto" measures the machine, and may measure otherwise while others work on it; the rest of a
    training must be computed as its beginning was.
    """
    began = folder.events("engine") if config.precision == "auto" else []
    known = precision_of(str(began[0].get("precision"))) if began else ""
    return replace(config, precision=known) if known else config


def has_validation(dataset: Dataset) -> bool:
    """Return whether there is a validation split."""
    return "validation" in prompting_responses.parts(dataset)


def train_stage(
    stage: Stage,
    dataset: Dataset,
    targets: Sequence[str],
    config: TrainConfig,
    folder: RunFolder,
    processes: Processes,
    checkpoint: Checkpoint | None,
    progress: Progress,
    scorer: ProbeScorer | None = None,
    calibrator: Calibrator | None = None,
) -> TrainResult:
    """Train, and write adapter, model card and result.

    Args:
        scorer: of the answers to `config.probe_items` items.
        calibrator: makes the adapter of the run from the trained one; None keeps that.

    Raises:
        Stopped, RunError: see `Training.run`.
    """
    base, training = stage.base, stage.training
    config = replace(config, learning_rate=config.rate_for(base.parameters))
    batch_tokens = batch_tokens_of(base, config)
    if processes.main:
        precision = str(base.model.dtype).removeprefix("torch.")
        folder.log("engine", **stage.engine_note, precision=precision, batch_tokens=batch_tokens)
        _log_examples(folder, training, stage.limits.max_tokens, config)
    loop = TrainingLoop(
        stage.model,
        stage.objective,
        *stage.examples,
        config,
        folder,
        processes,
        _sampler(dataset, base, targets, config, scorer),
        checkpoint,
        batch_tokens=batch_tokens,
    )
    if base.model.device.type == "cpu":
        _check_room(loop, base, config, folder)
    loop.run(progress)
    if calibrator is not None:
        loop.save()  # if interrupted from here on, no step is repeated
    result = _result_of(stage, loop, folder)
    prompt = sample_prompt(dataset.task, base.tokenizer, shared=config.shared)
    stage = stage.with_card_facts(dataset, prompt, result)

    def finish() -> TrainResult:
        weights = {name: each.detach().cpu() for name, each in adapter_weights(stage.model).items()}
        if calibrator is not None:
            return _finish(folder, calibrator(stage, weights, result))
        save_stage(stage, folder.adapter, weights, result)
        return _finish(folder, result)

    result = processes.on_main(finish)
    progress(f"{result.stage} of {result.target} done", 1.0)
    return result


def _check_room(
    loop: TrainingLoop, base: LoadedBaseModel, config: TrainConfig, folder: RunFolder
) -> None:
    """Compute one micro-batch at a time where there is no room for two; no room for one is an error
    (see `micro_batches.check_room`)."""

    def check() -> None:
        check_room(
            base.model.config,
            base.model.dtype,
            loop.rows,
            loop.batch_tokens,
            loop.shared,
            lanes=loop.side.lanes,
            checkpointing=config.gradient_checkpointing,
            where=str(folder.path),
        )

    try:
        check()
    except RunError:
        if loop.side.lanes == 1:
            raise
        loop.side = SideBySide(loop.model, 1)
        check()


def _sampler(
    dataset: Dataset,
    base: LoadedBaseModel,
    targets: Sequence[str],
    config: TrainConfig,
    scorer: ProbeScorer | None,
) -> Sampler:
    """Return what answers the sampled items and the probe items while the model is trained."""
    asked, probe = (
        sampled_items(dataset, targets, count) for count in (config.samples, config.probe_items)
    )
    return Sampler(dataset, base, asked, config.shared, config.label_choice, probe, scorer)


def _result_of(stage: Stage, loop: TrainingLoop, folder: RunFolder) -> TrainResult:
    """Return the result of a loop that has run to its end."""
    training, counters = stage.training, loop.counters
    return TrainResult(
        run_id=folder.run_id,
        stage=stage.run_config["stage"],
        target=stage.run_config["target"],
        steps=counters.step,
        planned_steps=loop.steps,
        ended_early=counters.step < loop.steps,
        kept_step=counters.step if counters.best_step is None else counters.best_step,
        loss=counters.loss,
        validation_loss=counters.best_loss,
        engine=stage.engine_note["engine"],
        seconds=round(loop.seconds, 2),
        tokens=counters.tokens,
        training_items=len(training),
        validation_items=len(stage.examples[1]),
        responses=training.responses,
        cut=training.cut,
        figures=counters.figures,
        skipped=training.skipped,
    )


# Makes the run's adapter from the trained weights, and returns the result with `calibration`.
Calibrator = Callable[[Stage, dict[str, Tensor], TrainResult], TrainResult]


def save_stage(
    stage: Stage,
    folder: Path,
    weights: dict[str, Tensor],
    result: TrainResult,
    *,
    ranks: int = 1,
) -> None:
    """Write the adapter with `weights` to `folder`; see `adapters.save_adapter`."""
    origin = {
        "run": result.run_id,
        "dataset": stage.run_config["dataset"],
        "target": result.target,
        NAME: stage.provenance.to_dict(),
    }
    if result.calibration:
        origin["strength"] = result.calibration["strength"]
    card = adapter_card(
        stage.run_config,
        asdict(result),
        stage.provenance,
        stage.sample_prompt,
        kind_of(stage.model.peft_config[ADAPTER]),
        str(stage.base.model.dtype).removeprefix("torch."),
    )
    save_adapter(folder, stage.model, weights, stage.base, origin, card, ranks=ranks)


def _finish(folder: RunFolder, result: TrainResult) -> TrainResult:
    folder.log("finished", step=result.steps, kept_step=result.kept_step)
    folder.finish(asdict(result))
    remove_checkpoint(folder)
    return result


def _log_examples(folder: RunFolder, training: ExampleSet, limit: int, config: TrainConfig) -> None:
    folder.log("note", note="training items", count=len(training))
    for reason, count in training.skipped.items():
        folder.log("note", note=f"left out: {reason}", count=count)
    if training.cut:
        folder.log("note", note=f"responses cut to {limit} tokens", count=training.cut)
    if limit < config.max_tokens:
        folder.log("note", note="tokens the base model reads at most", count=limit)


def check_same(what: str, expected: str, found: str) -> None:
    """Raise `ConfigError` unless the SFT run and this one agree in `what`."""
    if expected != found:
        raise ConfigError(
            f"the SFT run is of another {what} ({found})",
            expected=f"an SFT run of {expected}",
            todo="name another SFT run, or none: then a fitting one is found or trained",
        )
