"""CAPO: an SFT adapter goes on learning from the contrast with what others wrote.

The SFT adapter is both the beginning and the frozen reference. The reference's log-probabilities
are computed before the first step and kept; so one adapter in memory is enough.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import RunError
from capo_core.imitation.adapters import (
    adapter_fingerprint,
    load_adapter,
    ready_to_train,
    without_dropout,
)
from capo_core.imitation.config import CapoConfig
from capo_core.imitation.engines import choose_engine, longest_sample
from capo_core.imitation.faults import memory_errors
from capo_core.imitation.material import Material, capo_material
from capo_core.imitation.model import load_base
from capo_core.imitation.objective import Case, Contrastive
from capo_core.imitation.preferences import keep, kept, log_pairs, preference_material
from capo_core.imitation.processes import Processes
from capo_core.imitation.reference import reference_scores
from capo_core.imitation.run_folder import RunFolder
from capo_core.imitation.sampling import Scorer
from capo_core.imitation.stage import (
    Stage,
    TrainResult,
    asked_of,
    begin,
    check_same,
    check_scorer,
    has_validation,
    limits_of,
    targets_of,
    train_stage,
)
from capo_core.progress import Progress, part_of, silent


def capo_asked(dataset: Dataset, target: str, config: CapoConfig, sft: RunFolder) -> dict[str, Any]:
    """What the run's config.json says: `stage.asked_of` and which SFT adapter it begins with.

    Raises:
        RunError: the SFT run is not finished.
        ConfigError: it is of another dataset, split, annotator or base than this one.
    """
    before = sft.config
    if not sft.done:
        raise RunError(
            "the SFT run is not finished", where=str(sft.path), todo="let it go on to its end"
        )
    asked = asked_of("capo", dataset, target, config, before["base"]["name"])
    check_same("stage", "sft", before["stage"])
    check_same("annotator", asked["target"], before["target"])
    for what in ("fingerprint", "split"):
        name = {"fingerprint": "dataset, or it has changed since,", "split": "split"}[what]
        check_same(name, asked["dataset"][what][:12], before["dataset"][what][:12])
    check_same("base", asked["base"]["fingerprint"][:12], before["base"]["fingerprint"][:12])
    return {**asked, "sft": {"run": sft.run_id, "adapter": adapter_fingerprint(sft.adapter)}}


def train_capo(
    dataset: Dataset,
    target: str,
    config: CapoConfig,
    sft: RunFolder,
    folder: RunFolder,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    scorer: Scorer | None = None,
    preferences: Path | None = None,
) -> TrainResult:
    """Train `target`'s adapter from the finished run `sft`, or go on, or find that it is done.

    Args:
        cache: folder for the reference's log-probabilities, which runs of other settings can
            use too; None keeps them in the run.
        scorer: of probes while training, where the settings ask for them (`probe_items`).
        preferences: the file of which `config.preferences` is the hash. The run keeps a copy, and
            goes on with that where no file is given.

    Raises:
        ConfigError, RunError, Stopped: as `sft.train_sft`; also where `sft` does not fit.
        RunError: the pairs were changed since, or are not there.
    """
    check_scorer(config, scorer)
    targets = targets_of(dataset, target, config)
    processes = Processes.start()
    asked = processes.on_main(lambda: capo_asked(dataset, target, config, sft))
    with processes.hold(folder):
        processes.on_main(lambda: folder.claim(asked))
        if processes.on_main(lambda: folder.done):
            return TrainResult.of(folder)
        if preferences is not None:
            processes.on_main(lambda: keep(preferences, folder, config.preferences))
        given = kept(folder, config.preferences) if config.preferences else None
        checkpoint = begin(folder, processes)
        if given is not None and processes.main:
            log_pairs(given.of(target), dataset, folder)
        with memory_errors(str(folder.path)):
            progress("reading the base model", 0.0)
            stage = _stage(
                asked,
                dataset,
                targets,
                config,
                sft,
                given,
                cache or folder.path / "reference",
                processes,
                part_of(progress, 0.02, 0.1),
            )
            return train_stage(
                stage,
                dataset,
                targets,
                config,
                folder,
                processes,
                checkpoint,
                part_of(progress, 0.1, 1.0),
                scorer,
            )


def _stage(asked, dataset, targets, config, sft, given, cache, processes, progress) -> Stage:
    base = load_base(
        asked["base"]["name"],
        precision=config.precision,
        quantise=config.quantise,
        device=str(processes.device),
    )
    limits = limits_of(base, config)
    if given is None:
        training = capo_material(dataset, targets, config, limits)
    else:
        training = preference_material(given, targets[0], limits)
    validation = None
    if has_validation(dataset):
        validation = capo_material(dataset, targets, config, limits, split="validation")
    model = load_adapter(base, sft.adapter, trainable=True)
    ready_to_train(model, config)
    without_dropout(model)
    sample = longest_sample([contrast.rendered for contrast in training.contrasts])
    choice = choose_engine(model, sample, config.engine)
    key = {
        "base": base.fingerprint,
        "adapter": asked["sft"]["adapter"],
        "quantised": str(config.quantise),
    }

    def scored(part: Material | None) -> list[Case]:
        if part is None or not part.contrasts:
            return []
        return [
            Case(contrast, reference)
            for contrast, reference in zip(
                part.contrasts,
                reference_scores(
                    model,
                    choice.engine,
                    [contrast.rendered for contrast in part.contrasts],
                    cache_folder=cache,
                    key=key,
                    pad_id=base.pad_id,
                    items_per_batch=max(1, config.items_per_step // config.accumulation),
                    progress=progress,
                ),
                strict=True,
            )
        ]

    def compute() -> None:
        scored(training)
        scored(validation)

    processes.on_main(compute)  # the others read what it kept
    worst = choice.worst_difference_nats
    return Stage(
        asked,
        base,
        model,
        Contrastive(choice.engine, base.pad_id, config),
        training,
        validation,
        (scored(training), scored(validation)),
        limits,
        {
            "engine": choice.engine.name,
            "asked": choice.asked,
            "reason": choice.reason,
            "worst_difference_nats": worst if math.isfinite(worst) else None,
        },
    )
