"""Runs that imitate: trainings, the answers of models, and the profiles that some are given.

The computations are imported inside the functions: whoever lists runs needs none of them.
"""

from __future__ import annotations

from dataclasses import replace

from capo_core.errors import ConfigError
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import profile_run
from capo_core.jobs.run_inputs import Settings, backend_of, load_dataset
from capo_core.progress import Progress
from capo_core.workspace import Workspace


def do_sft(settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Train on the target's own answers; see `imitation.sft`."""
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.sft import train_sft

    dataset = load_dataset(settings, workspace)
    config = sft_config(settings)
    return _trained(
        train_sft(dataset, settings["target"], config, settings["base"], folder,
                  progress=progress, scorer=probe_for(dataset, config))
    )  # fmt: skip


def do_capo(settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Train against other annotators' answers, from a finished SFT; see `imitation.capo`."""
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.capo import train_capo

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
    from capo_core.imitation.generate import generate
    from capo_core.imitation.trained import check_base, trained

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
        texts = profile_run.texts_of(source, targets)
    if config.method == "icl" and config.how == "nearest":
        from capo_core.text.embed import Embedder

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
    return profile_run.write_profiles(
        dataset, settings["targets"], config, backend, workspace, folder, progress
    )


def sft_config(settings: Settings):
    """The `SftConfig` of a run's settings."""
    from capo_core.imitation.config import SftConfig

    return SftConfig.from_dict(settings["config"])


def capo_config(settings: Settings):
    """The `CapoConfig` of a run's settings."""
    from capo_core.imitation.config import CapoConfig

    return CapoConfig.from_dict(settings["config"])


def generate_config(settings: Settings):
    """The `GenerateConfig` of a run's settings; `ConfigError` where what it needs is not named."""
    from capo_core.imitation.generate_config import GenerateConfig

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
    from capo_core.imitation.profile import ProfileConfig

    return ProfileConfig(**settings["config"])
