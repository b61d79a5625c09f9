"""Supervised fine-tuning of an adapter on one annotator's responses (or on those of all)."""

from __future__ import annotations

from typing import Any

from capo_core.dataset import Dataset
from capo_core.imitation.models.adapters import new_adapter, ready_to_train
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.models.errors import memory_errors
from capo_core.imitation.training.config import SftConfig
from capo_core.imitation.training.distributed import Processes
from capo_core.imitation.training.examples import sft_examples, shuffle_annotators
from capo_core.imitation.training.objective import Supervised, TrainingExample
from capo_core.imitation.training.samples import ProbeScorer
from capo_core.imitation.training.scoring.choose import choose_engine, longest_sample
from capo_core.imitation.training.stage import (
    Stage,
    TrainResult,
    check_scorer,
    has_validation,
    limits_of,
    prepare_run,
    run_config,
    same_precision,
    targets_of,
    train_stage,
)
from capo_core.progress import Progress, part_of, silent
from capo_core.run_folder import RunFolder


def sft_run_config(
    dataset: Dataset, target: str, config: SftConfig, base_name: str
) -> dict[str, Any]:
    """Return the run's config.json (see `stage.run_config`)."""
    return run_config("sft", dataset, target, config, base_name)


def train_sft(
    dataset: Dataset,
    target: str,
    config: SftConfig,
    base_name: str,
    folder: RunFolder,
    *,
    progress: Progress = silent,
    scorer: ProbeScorer | None = None,
) -> TrainResult:
    """Train `target`'s adapter: start, resume, or find it finished.

    The loss is the mean over all response tokens of −log p(token | prompt, tokens before).

    Args:
        scorer: of probes during training, if set (`probe_items`).

    Raises:
        ConfigError: the annotator, the data or the base model is unsuitable.
        RunError: the folder is another run's or in use, memory or disk space is too small, or
            numbers are not finite. Saved checkpoints remain.
        Stopped: on request; the progress is saved.
    """
    check_scorer(config, scorer)
    targets = targets_of(dataset, target, config)
    processes = Processes.start()
    run_config = processes.on_main(lambda: sft_run_config(dataset, target, config, base_name))
    with processes.hold(folder):
        processes.on_main(lambda: folder.claim(run_config))
        if processes.on_main(lambda: folder.done):
            return TrainResult.of(folder)
        checkpoint = prepare_run(folder, processes)
        config = processes.on_main(lambda: same_precision(config, folder))
        with memory_errors(str(folder.path), checkpointing=config.gradient_checkpointing):
            progress("reading the base model", 0.0)
            stage = _stage(run_config, dataset, targets, config, base_name, processes)
            return train_stage(
                stage,
                dataset,
                targets,
                config,
                folder,
                processes,
                checkpoint,
                part_of(progress, 0.02, 1.0),
                scorer,
            )


def _stage(run_config, dataset, targets, config, base_name, processes) -> Stage:
    base = load_base_model(
        base_name,
        precision=config.precision,
        quantise=config.quantise,
        device=str(processes.device),
    )
    limits = limits_of(base, config)
    if config.shuffled:
        dataset = shuffle_annotators(dataset, config.seed)
    training = sft_examples(dataset, targets, limits)
    validation = None
    if has_validation(dataset):
        validation = sft_examples(dataset, targets, limits, split="validation")
    model = new_adapter(base, config.lora, config.seed)
    ready_to_train(model, config)
    sample = longest_sample([contrast.rendered for contrast in training.contrasts])
    choice = choose_engine(model, sample, "group")
    return Stage(
        run_config,
        base,
        model,
        Supervised(choice.engine, base.pad_id),
        training,
        validation,
        tuple(
            [TrainingExample(contrast) for contrast in part.contrasts] if part else []
            for part in (training, validation)
        ),
        limits,
        choice.note,
    )
