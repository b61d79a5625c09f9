"""Trainings as runs of a workspace: found again by what is asked, gone on with, or begun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.imitation.capo import capo_asked, train_capo
from capo_core.imitation.config import CapoConfig, SftConfig
from capo_core.imitation.material import pairs_of
from capo_core.imitation.preferences import read
from capo_core.imitation.run_folder import RunFolder, run_for
from capo_core.imitation.sampling import Scorer
from capo_core.imitation.sft import sft_asked, train_sft
from capo_core.imitation.stage import targets_of
from capo_core.progress import Progress, part_of, silent
from capo_core.workspace import Workspace


def sft_run(
    workspace: Workspace,
    dataset: Dataset,
    target: str,
    config: SftConfig,
    base_name: str,
    *,
    progress: Progress = silent,
    scorer: Scorer | None = None,
) -> RunFolder:
    """The finished SFT run for what is asked; trained now where it is not there yet.

    Raises:
        As `sft.train_sft`.
    """
    folder = run_for(workspace, sft_asked(dataset, target, config, base_name))
    if not folder.done:
        train_sft(dataset, target, config, base_name, folder, progress=progress, scorer=scorer)
    return folder


def capo_run(
    workspace: Workspace,
    dataset: Dataset,
    target: str,
    config: CapoConfig,
    sft: RunFolder | SftConfig,
    base_name: str,
    *,
    progress: Progress = silent,
    scorer: Scorer | None = None,
    preferences: Path | None = None,
) -> RunFolder:
    """The finished CAPO run for what is asked; trained now where it is not there yet.

    Args:
        sft: the finished SFT run to begin with; or the settings of one, which is found or trained
            first on `base_name`.
        preferences: a file of pairs to train on instead of the dataset's own.

    Raises:
        As `capo.train_capo`; DataError: the file of pairs cannot be read.
    """
    if preferences is not None and not config.preferences:
        config = replace(config, preferences=read(preferences).sha256)
    if isinstance(sft, SftConfig):
        check_contrasts(dataset, target, config, preferences)
        before = part_of(progress, 0.0, 0.4)
        sft = sft_run(workspace, dataset, target, sft, base_name, progress=before, scorer=scorer)
        progress = part_of(progress, 0.4, 1.0)
    folder = run_for(workspace, capo_asked(dataset, target, config, sft))
    if not folder.done:
        cache = workspace.cache / "reference"
        train_capo(
            dataset, target, config, sft, folder, cache=cache, progress=progress, scorer=scorer,
            preferences=preferences,
        )  # fmt: skip
    return folder


def check_contrasts(
    dataset: Dataset, target: str, config: CapoConfig, preferences: Path | None = None
) -> None:
    """Look whether there is anything to contrast, before the SFT adapter is trained.

    Raises:
        ConfigError: there is not, or there are too few training items.
        DataError: an item of the validation or test part is among the training pairs.
    """
    targets = targets_of(dataset, target, config)
    if preferences is not None:
        read(preferences).of(target)
        return
    for each in targets:
        pairs_of(dataset, each, config)
