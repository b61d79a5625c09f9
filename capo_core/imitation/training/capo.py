"""CAPO: preference training from an SFT adapter, against the responses of other annotators.

The SFT adapter is both the start and the frozen reference. The reference's log-probabilities are
computed before the first step and stored on disk, so that one adapter in memory is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, RunError
from capo_core.imitation.models.adapters import (
    adapter_fingerprint,
    load_adapter,
    ready_to_train,
    without_dropout,
)
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.models.errors import memory_errors
from capo_core.imitation.models.side_by_side import SideBySide
from capo_core.imitation.models.tensor_file import write_tensors
from capo_core.imitation.pairs.files import (
    load_copy,
    log_pairs,
    preference_examples,
    read_preferences,
    save_copy,
)
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.calibration import StrengthCalibrator, Yardstick
from capo_core.imitation.training.config import CapoConfig, check_strength
from capo_core.imitation.training.distributed import Processes
from capo_core.imitation.training.examples import ExampleSet, capo_examples, pairs_of
from capo_core.imitation.training.micro_batches import by_length
from capo_core.imitation.training.objective import (
    Contrastive,
    TrainingExample,
    contrasted,
    contrasted_places,
)
from capo_core.imitation.training.samples import ProbeScorer
from capo_core.imitation.training.scoring.base import Engine, ScoreTable, inner_model, scoring
from capo_core.imitation.training.scoring.choose import choose_engine, longest_sample
from capo_core.imitation.training.stage import (
    Stage,
    TrainResult,
    batch_tokens_of,
    check_same,
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
from capo_core.workspace import atomic_file, content_hash

FORMAT = 1  # raised when the same key would mean other numbers


def reference_scores(
    model,
    engine: Engine,
    renders: Sequence[Rendered],
    *,
    cache_folder: Path,
    key: Mapping[str, str],
    pad_id: int,
    part: str = "response",
    by_token: bool = False,
    batch_tokens: int = 4096,
    progress: Progress = silent,
) -> list[Tensor]:
    """Return log pi_ref of every response, one tensor [R_i] per item, float32 on the CPU.

    The caller activates the reference's adapter; the model's mode is preserved.

    Args:
        key: fingerprints of everything that `model` is, for instance of base, adapter and
            precision. Token ids and the engine's name are added to it.
        part: the part of each response that is scored, one of `config.CONTRASTS`.
        by_token: log pi_ref of each token of that part instead, response after response.
        batch_tokens: positions computed at once; affects memory, not results (up to rounding).

    Raises:
        Stopped: from `progress`; nothing is saved.
    """
    if part != "response":
        key = {**key, "part": part}
    if by_token:
        key = {**key, "of": "token"}
    path = Path(cache_folder) / f"reference-{_key(model, engine, renders, key)}.safetensors"
    counts = [reference_values(item, part, by_token) for item in renders]
    kept = _read(path, sum(counts))
    if kept is None:
        what = part, by_token
        kept = _compute(model, engine, renders, pad_id, what, batch_tokens, progress)
        with atomic_file(path) as file:
            write_tensors(file, {"log_probs": kept})
    return list(kept.split(counts))


def reference_values(item: Rendered, part: str, by_token: bool) -> int:
    """Number of an item's values: its responses, or all tokens of their part."""
    if not by_token:
        return len(item.responses)
    heads = item.heads if item.heads and part == "explanation" else (0,) * len(item.responses)
    return sum(
        max(0, len(response) - head) for response, head in zip(item.responses, heads, strict=True)
    )


def _compute(model, engine, renders, pad_id, what, batch_tokens, progress) -> Tensor:
    contrast, by_token = what
    found: dict[int, Tensor] = {}
    with scoring(inner_model(model)):
        shared = engine.shared_tokens(model, renders) if renders else 0
        rows = [engine.row_lengths(item) for item in renders]
        parts = by_length(rows, batch_tokens, shared)

        def score(model, part: Sequence[int]) -> ScoreTable:
            return engine.score(model, [renders[index] for index in part], pad_id=pad_id)

        def look() -> None:
            progress("scoring the reference", len(found) / len(renders))

        with closing(SideBySide(model).results(score, parts, look)) as scored:
            for part, table in zip(parts, scored, strict=True):
                sizes = [reference_values(renders[index], *what) for index in part]
                log_probs, tokens = contrasted(table, contrast)
                if by_token:
                    places = contrasted_places(table, contrast)
                    inside = torch.arange(places.shape[1], device=places.device) < tokens[:, None]
                    log_probs = places[inside]
                log_probs = log_probs.float().cpu()
                found.update(zip(part, log_probs.split(sizes), strict=True))
    progress("scoring the reference", 1.0)
    return torch.cat([found[index] for index in range(len(renders))])


def _key(model, engine: Engine, renders: Sequence[Rendered], key: Mapping[str, str]) -> str:
    tokens = [[item.prompt, item.responses] for item in renders]
    return content_hash(FORMAT, dict(key), str(inner_model(model).dtype), engine.name, tokens)


def _read(path: Path, count: int) -> Tensor | None:
    """Return the stored values; None if they are missing or damaged."""
    try:
        kept = load(path.read_bytes())["log_probs"]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None
    return kept if kept.shape == (count,) and bool(torch.isfinite(kept).all()) else None


def capo_run_config(
    dataset: Dataset, target: str, config: CapoConfig, sft: RunFolder
) -> dict[str, Any]:
    """Return the run's config.json: `stage.run_config` and the SFT adapter it starts from.

    Raises:
        RunError: the SFT run is not finished.
        ConfigError: it is of another dataset, split, annotator or base than this one.
    """
    before = sft.config
    if not sft.done:
        raise RunError("the SFT run is not finished", where=str(sft.path), todo="let it finish")
    described = run_config("capo", dataset, target, config, before["base"]["name"])
    check_same("stage", "sft", before["stage"])
    check_same("annotator", described["target"], before["target"])
    for what in ("fingerprint", "split"):
        name = {"fingerprint": "dataset, or it has changed since,", "split": "split"}[what]
        check_same(name, described["dataset"][what][:12], before["dataset"][what][:12])
    check_same("base", described["base"]["fingerprint"][:12], before["base"]["fingerprint"][:12])
    return {**described, "sft": {"run": sft.run_id, "adapter": adapter_fingerprint(sft.adapter)}}


def train_capo(
    dataset: Dataset,
    target: str,
    config: CapoConfig,
    sft: RunFolder,
    folder: RunFolder,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    scorer: ProbeScorer | None = None,
    preferences: Path | None = None,
    yardstick: Yardstick | None = None,
) -> TrainResult:
    """Train `target`'s adapter from the finished run `sft`: start, resume, or find it finished.

    Args:
        cache: folder for the reference's log-probabilities, which runs of other settings can
            use too; None stores them in the run.
        scorer: of probes during training, if set (`probe_items`).
        preferences: the file of which `config.preferences` is the hash. The run has a copy, which
            is used if this is None.
        yardstick: judge of answers to validation items, if `config.calibrate`.

    Raises:
        ConfigError, RunError, Stopped: as `sft.train_sft`; also where `sft` does not fit.
        RunError: the pairs are modified or missing.
    """
    check_scorer(config, scorer)
    _check_yardstick(config, yardstick)
    if config.calibrate:
        check_strength(sft.config["settings"]["lora"].get("kind", "lora"))
    targets = targets_of(dataset, target, config)
    processes = Processes.start()
    run_config = processes.on_main(lambda: capo_run_config(dataset, target, config, sft))
    with processes.hold(folder):
        processes.on_main(lambda: folder.claim(run_config))
        if processes.on_main(lambda: folder.done):
            return TrainResult.of(folder)
        if preferences is not None:
            processes.on_main(lambda: save_copy(preferences, folder, config.preferences))
        given = load_copy(folder, config.preferences) if config.preferences else None
        checkpoint = prepare_run(folder, processes)
        config = processes.on_main(lambda: same_precision(config, folder))
        if given is not None and processes.main:
            log_pairs(given.of(target), dataset, folder)
        with memory_errors(str(folder.path), checkpointing=config.gradient_checkpointing):
            progress("reading the base model", 0.0)
            stage = _stage(
                run_config,
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
                part_of(progress, 0.1, 0.8 if config.calibrate else 1.0),
                scorer,
                None
                if yardstick is None
                else StrengthCalibrator(
                    dataset, sft.adapter, folder, yardstick, part_of(progress, 0.8, 1.0)
                ),
            )


def _check_yardstick(config: CapoConfig, yardstick: Yardstick | None) -> None:
    """Raise `ConfigError` if a calibration is requested without a yardstick."""
    if config.calibrate and yardstick is None:
        raise ConfigError(
            "calibrate is on, and there is nothing to choose a strength by",
            todo="give a yardstick (see evaluation/calibration.py), or switch calibrate off",
        )


def _stage(run_config, dataset, targets, config, sft, given, cache, processes, progress) -> Stage:
    base = load_base_model(
        run_config["base"]["name"],
        precision=config.precision,
        quantise=config.quantise,
        device=str(processes.device),
    )
    limits = limits_of(base, config)
    if given is None:
        training = capo_examples(dataset, targets, config, limits)
    else:
        training = preference_examples(given, targets[0], limits)
    validation = None
    if has_validation(dataset):
        validation = capo_examples(dataset, targets, config, limits, split="validation")
    model = load_adapter(base, sft.adapter, trainable=True)
    ready_to_train(model, config)
    without_dropout(model)
    sample = longest_sample([contrast.rendered for contrast in training.contrasts])
    choice = choose_engine(model, sample, config.engine)
    key = {
        "base": base.fingerprint,
        "adapter": run_config["sft"]["adapter"],
        "quantised": str(config.quantise),
    }

    batch_tokens = batch_tokens_of(base, config)

    def scored(part: ExampleSet | None) -> list[TrainingExample]:
        if part is None or not part.contrasts:
            return []
        return [
            TrainingExample(contrast, reference)
            for contrast, reference in zip(
                part.contrasts,
                reference_scores(
                    model,
                    choice.engine,
                    [contrast.rendered for contrast in part.contrasts],
                    cache_folder=cache,
                    key=key,
                    pad_id=base.pad_id,
                    part=config.contrast,
                    by_token=config.ld_alpha < 1,
                    batch_tokens=batch_tokens,
                    progress=progress,
                ),
                strict=True,
            )
        ]

    def compute() -> None:
        scored(training)
        scored(validation)

    processes.on_main(compute)  # the others read what it kept
    return Stage(
        run_config,
        base,
        model,
        Contrastive(choice.engine, base.pad_id, config),
        training,
        validation,
        (scored(training), scored(validation)),
        limits,
        choice.note,
    )


def check_contrasts(
    dataset: Dataset, target: str, config: CapoConfig, preferences: Path | None = None
) -> None:
    """Check that there is anything to contrast, before the SFT adapter is trained.

    Raises:
        ConfigError: there is not, or there are too few training items.
        DataError: an item of the validation or test part is among the training pairs.
    """
    targets = targets_of(dataset, target, config)
    if preferences is not None:
        read_preferences(preferences).of(target)
        return
    for each in targets:
        pairs_of(dataset, each, config)
