"""Runs of the imitation: trainings, generations and value profiles.

The computations are imported inside the functions: a list of runs needs none of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import RunError
from capo_core.formatting import count, name_list, readable_answers
from capo_core.imitation.training.config import CapoConfig, SftConfig, TrainConfig
from capo_core.progress import Progress, part_of, silent
from capo_core.run_folder import RunFolder, disk_errors, run_for
from capo_core.runs.checks import Settings, generate_config, profile_config, training_config
from capo_core.runs.kinds.inputs import backend_of, load_dataset
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace, write_json

FILE = "profiles.json"


def write_profiles(
    dataset: Dataset,
    targets: Sequence[str],
    config: Any,
    backend: Any,
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
) -> str:
    """Write the value profile of each target, or use the saved one with the same settings.

    profiles.json has them by annotator, and so has the workspace's store of profiles. Finished
    profiles stay when the run is stopped.

    Raises:
        RunError: the model wrote no profile in the required form for one of them.
        ConfigError, BackendUnavailable: see `profile.write_profile`.
    """
    from capo_core.imitation.prompting.value_profiles import find_saved, save_profile, write_profile

    folder.claim(
        {
            "stage": "profile",
            "targets": list(targets),
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "base": {"name": backend.name, "fingerprint": backend.fingerprint},
            "settings": asdict(config),
        }
    )
    with folder.lock():
        folder.forget_stop()
        written = {}
        for number, target in enumerate(targets):
            part = part_of(progress, number / len(targets), (number + 1) / len(targets))
            part(f"annotator {target}", 0.0)
            found = find_saved(dataset, target, backend, config, workspace)
            if found is None:
                found = write_profile(dataset, target, backend, config, progress=part)
                with disk_errors(folder.path):
                    save_profile(found, workspace)
            written[target] = found
            folder.log("profile", target=target, text=found.text, problem=found.problem)
        with disk_errors(folder.path):
            write_json(
                folder.path / FILE, {name: found.to_dict() for name, found in written.items()}
            )
        failed = [name for name, found in written.items() if not found.text]
        if failed:
            raise RunError(
                f"{backend.name} wrote no profile in form for {name_list(failed)}",
                todo="try another seed or model, or write one yourself (profile edit), and resume",
            )
        folder.finish({"profiles": {name: found.text for name, found in written.items()}})
    return f"{count(len(written), 'profile')} written"


def texts_of(run: RunFolder, targets: Sequence[str]) -> dict[str, str]:
    """Return the profile of each target from a finished run.

    Raises:
        RunError: the run is not finished, or has no profile for one of them.
    """
    if not run.done:
        raise RunError("the run that writes the profiles is not finished", where=run.run_id)
    try:
        written = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        return {target: written[target]["text"] for target in targets}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "the run does not have a profile for every target", where=run.run_id
        ) from error


def sft_request(dataset: Dataset, target: str, config: SftConfig, base: str) -> RunRequest:
    """Return the request for an SFT run, as the queue and `run_training` take it.

    Args:
        target: an annotator, or "all" where `config.shared`.
        base: the base model (see `imitation.models.base_files.find_base_model`).
    """
    return _request("train_sft", dataset, target, config, base=base)


def capo_request(dataset: Dataset, target: str, config: CapoConfig, sft: RunFolder) -> RunRequest:
    """Return the request for a CAPO run that starts from the adapter of the SFT run `sft`."""
    return _request("train_capo", dataset, target, config, sft=sft.run_id)


def _request(
    kind: str, dataset: Dataset, target: str, config: TrainConfig, **start: str
) -> RunRequest:
    data = {"dataset": dataset.name, "fingerprint": dataset.fingerprint}
    return RunRequest(kind, {**data, "target": target, **start, "config": config.to_dict()})


def run_training(
    request: RunRequest,
    workspace: Workspace,
    folder: RunFolder | None = None,
    progress: Progress = silent,
    *,
    dataset: Dataset | None = None,
    preferences: Path | None = None,
    allow_embedded: bool = True,
) -> RunFolder:
    """Return the finished training for `request`; start or resume it if necessary.

    Both the queue's worker and the command line call this function.

    Args:
        request: of kind "train_sft" or "train_capo".
        folder: the run's folder in the queue, whose worker keeps the status. Without it the
            folder is named by the request's content, and the status is kept here, so that the
            run is listed like those of the queue.
        dataset: the request's dataset where the caller has loaded it already.
        allow_embedded: whether a new run may train the embedded base model on data that it was
            not made for.
        preferences: the file of pairs whose hash the settings name; without it the run's own copy.

    Raises:
        As `imitation.training.sft.train_sft` and `imitation.training.capo.train_capo`.
        RunError: another process is working on the run.
    """
    from capo_core.evaluation.calibration import HumanYardstick
    from capo_core.evaluation.training_probe import probe_for
    from capo_core.imitation.embedded_base.suitability import check_suitable
    from capo_core.imitation.training.capo import capo_run_config, train_capo
    from capo_core.imitation.training.distributed import Processes
    from capo_core.imitation.training.sft import sft_run_config, train_sft
    from capo_core.runs.foreground import foreground
    from capo_core.text.embeddings import Embedder

    settings, config = request.settings, training_config(request.kind, request.settings)
    dataset = dataset or load_dataset(settings, workspace)
    sft = RunFolder(workspace.runs / settings.get("sft", ""))
    status = nullcontext(progress)
    if folder is None:
        if request.kind == "train_sft":
            run_config = sft_run_config(dataset, settings["target"], config, settings["base"])
        else:
            run_config = capo_run_config(dataset, settings["target"], config, sft)
        folder = run_for(workspace, run_config)
        if folder.done:
            return folder
        if request.kind == "train_sft" and not folder.path.exists():
            check_suitable(dataset, settings["base"], allow_embedded=allow_embedded)
        if Processes.start().main:
            status = foreground(
                workspace, folder, kind=request.kind, settings=settings, progress=progress
            )
    with status as told:
        shared = {"progress": told, "scorer": probe_for(dataset, config)}
        if request.kind == "train_sft":
            train_sft(dataset, settings["target"], config, settings["base"], folder, **shared)
        else:
            cache = workspace.cache / "reference"
            yardstick = None
            if config.calibrate:
                yardstick = HumanYardstick(dataset, settings["target"], Embedder(workspace.cache))
            train_capo(dataset, settings["target"], config, sft, folder, cache=cache,
                       preferences=preferences, yardstick=yardstick, **shared)  # fmt: skip
    return folder


def train(
    kind: str, settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Train as a run of the queue; return the outcome in one sentence."""
    result = run_training(RunRequest(kind, dict(settings)), workspace, folder, progress).result
    loss = result["validation_loss"]
    measured = "" if loss is None else f", validation loss {loss:.3f}"
    strength = result.get("calibration", {}).get("strength")
    chosen = "" if strength is None else f", strength {strength:g} of SFT to CAPO"
    return f"trained in {result['steps']} steps{measured}{chosen}"


def generate_answers(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Generate the responses of the targets (see `imitation.generation`)."""
    from capo_core.imitation.generation.generate import generate
    from capo_core.imitation.generation.trained_adapters import check_same_base, collect_adapters
    from capo_core.imitation.prompting.prompts import METHODS

    dataset, config = load_dataset(settings, workspace), generate_config(settings)
    targets = settings["targets"]
    adapters, texts, embed = {}, {}, None
    progress("reading the model", 0.0)
    backend = backend_of(_as_begun(settings, folder))
    if config.trained:
        runs = [RunFolder(workspace.runs / name) for name in settings["adapters"]]
        found = collect_adapters(runs, config.method, targets, dataset)
        check_same_base(found, backend.fingerprint, backend.name)
        adapters, config = found.adapters, found.config_for(config)
    if config.method == "profile":
        source = RunFolder(workspace.runs / settings["profiles"])
        texts = texts_of(source, targets)
    if METHODS[config.method].examples and config.how == "nearest":
        from capo_core.text.embeddings import Embedder

        embed = Embedder(workspace.cache)
    frame = generate(
        dataset, targets, config, backend, folder,
        adapters=adapters, profiles=texts, embed=embed, progress=progress,
    )  # fmt: skip
    readable = int((frame["parsed"] == "true").sum())
    return readable_answers(readable, len(frame))


def _as_begun(settings: Settings, folder: RunFolder) -> Settings:
    """Return the settings with the number type that a generation began with, where it is resumed
    (see `stage.same_precision`)."""
    from capo_core.imitation.models.base_model import precision_of

    if settings.get("precision", "auto") != "auto" or not (folder.path / "config.json").exists():
        return settings
    known = precision_of(str(folder.config.get("base", {}).get("precision")))
    return {**settings, "precision": known} if known else settings


def generate_profiles(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Write the value profiles of the targets (see `write_profiles`)."""
    dataset = load_dataset(settings, workspace)
    progress("reading the model", 0.0)
    config, backend = profile_config(settings), backend_of(settings)
    return write_profiles(
        dataset, settings["targets"], config, backend, workspace, folder, progress
    )
