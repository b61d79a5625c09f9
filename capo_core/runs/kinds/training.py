"""Runs that imitate: trainings, the answers of models, and the profiles that some are given.

The computations are imported inside the functions: whoever lists runs needs none of them.

The profiles of some annotators, as one run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, RunError
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.runs.kinds.inputs import Settings, backend_of, load_dataset
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
    """Write the profile of each of `targets`, or take the one that is kept with these settings.

    profiles.json holds them by annotator; the workspace's profiles have them, too. What is
    written is kept when the run is stopped.

    Raises:
        RunError: the model kept to the form for nobody, or not for one of them.
        ConfigError, BackendUnavailable: see `profile.write_profile`.
    """
    from capo_core.imitation.prompting.value_profiles import kept_like, save, write_profile

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
            found = kept_like(dataset, target, backend, config, workspace)
            if found is None:
                found = write_profile(dataset, target, backend, config, progress=part)
                with disk_errors(folder.path):
                    save(found, workspace)
            written[target] = found
            folder.log("profile", target=target, text=found.text, problem=found.problem)
        with disk_errors(folder.path):
            write_json(
                folder.path / FILE, {name: found.to_dict() for name, found in written.items()}
            )
        failed = [name for name, found in written.items() if not found.text]
        if failed:
            raise RunError(
                f"{backend.name} wrote no profile in form for {', '.join(failed)}",
                todo="try another seed or model, or write one yourself (profile edit), and resume",
            )
        folder.finish({"profiles": {name: found.text for name, found in written.items()}})
    return f"{len(written)} profile{'s' if len(written) != 1 else ''} written"


def texts_of(run: RunFolder, targets: Sequence[str]) -> dict[str, str]:
    """Each target's profile, as the run wrote it.

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
            "the run has no profile for every annotator asked for", where=run.run_id
        ) from error


def do_sft(settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Train on the target's own answers; see `imitation.sft`."""
    from capo_core.evaluation.training_probe import probe_for
    from capo_core.imitation.training.sft import train_sft

    dataset = load_dataset(settings, workspace)
    config = sft_config(settings)
    return _trained(
        train_sft(dataset, settings["target"], config, settings["base"], folder,
                  progress=progress, scorer=probe_for(dataset, config))
    )  # fmt: skip


def do_capo(settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Train against other annotators' answers, from a finished SFT; see `imitation.capo`."""
    from capo_core.evaluation.training_probe import probe_for
    from capo_core.imitation.training.capo import train_capo

    dataset = load_dataset(settings, workspace)
    sft = RunFolder(workspace.runs / settings["sft"])
    cache = workspace.cache / "reference"
    config = capo_config(settings)
    return _trained(
        train_capo(dataset, settings["target"], config, sft, folder, cache=cache,
                   progress=progress, scorer=probe_for(dataset, config))
    )  # fmt: skip


def _trained(result) -> str:
    loss = (
        "" if result.validation_loss is None else f", validation loss {result.validation_loss:.3f}"
    )
    return f"trained in {result.steps} steps{loss}"


def do_generate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Ask for the targets' answers; see `imitation.generate`."""
    from capo_core.imitation.generation.generate import generate
    from capo_core.imitation.generation.trained_adapters import check_base, trained

    dataset, config = load_dataset(settings, workspace), generate_config(settings)
    targets = settings["targets"]
    adapters, texts, embed = {}, {}, None
    progress("reading the model", 0.0)
    backend = backend_of(settings)
    if config.trained:
        runs = [RunFolder(workspace.runs / name) for name in settings["adapters"]]
        found = trained(runs, config.method, targets, dataset)
        check_base(found, backend.fingerprint, backend.name)
        adapters, config = found.adapters, replace(config, named=found.named)
    if config.method == "profile":
        source = RunFolder(workspace.runs / settings["profiles"])
        texts = texts_of(source, targets)
    if config.method == "icl" and config.how == "nearest":
        from capo_core.text.embeddings import Embedder

        embed = Embedder(workspace.cache)
    frame = generate(
        dataset, targets, config, backend, folder,
        adapters=adapters, profiles=texts, embed=embed, progress=progress,
    )  # fmt: skip
    readable = int((frame["parsed"] == "true").sum())
    return f"{len(frame)} answers, {readable} of them readable"


def do_profile(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Write the targets' profiles; see `profile_run`."""
    dataset = load_dataset(settings, workspace)
    progress("reading the model", 0.0)
    config, backend = profile_config(settings), backend_of(settings)
    return write_profiles(
        dataset, settings["targets"], config, backend, workspace, folder, progress
    )


def sft_config(settings: Settings):
    """The `SftConfig` of a run's settings."""
    from capo_core.imitation.training.config import SftConfig

    return SftConfig.from_dict(settings["config"])


def capo_config(settings: Settings):
    """The `CapoConfig` of a run's settings."""
    from capo_core.imitation.training.config import CapoConfig

    return CapoConfig.from_dict(settings["config"])


def generate_config(settings: Settings):
    """The `GenerateConfig` of a run's settings; `ConfigError` where what it needs is not named."""
    from capo_core.imitation.generation.requests import GenerateConfig

    config = GenerateConfig(**settings["config"])
    if config.trained and not settings.get("adapters"):
        raise ConfigError(f"{config.method} needs the adapters of finished trainings")
    if config.method == "profile" and not settings.get("profiles"):
        raise ConfigError("the method profile needs a run that wrote the profiles")
    if not settings.get("base") and not settings.get("server"):
        raise ConfigError("no model is named", expected="a base, or a server's model")
    return config


def profile_config(settings: Settings):
    """The `ProfileConfig` of a run's settings."""
    from capo_core.imitation.prompting.value_profiles import ProfileConfig

    return ProfileConfig(**settings["config"])
