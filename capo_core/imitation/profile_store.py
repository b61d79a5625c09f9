"""Profiles in the workspace: `profiles/<dataset fingerprint>/<name>.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.imitation.backends.base import Backend
from capo_core.imitation.profile import Profile, ProfileConfig
from capo_core.schema import listed
from capo_core.workspace import Workspace, write_json


def save(profile: Profile, workspace: Workspace) -> Path:
    """Keep the profile, in place of one with the same annotator, model and settings."""
    path = _folder(profile.fingerprint, workspace) / f"{profile.name}.json"
    write_json(path, profile.to_dict())
    return path


def profiles(dataset: Dataset, workspace: Workspace, annotator: str = "") -> list[Profile]:
    """All profiles of the dataset's annotators, or of one, the newest first.

    Raises:
        DataError: a file is damaged.
    """
    found = []
    for path in sorted(_folder(dataset.fingerprint, workspace).glob("*.json")):
        try:
            profile = Profile.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                "the profile cannot be read",
                where=str(path),
                todo="move the file away, and write the profile again",
            ) from error
        if annotator in ("", profile.annotator):
            found.append(profile)
    return sorted(found, key=lambda profile: profile.made, reverse=True)


def kept_like(
    dataset: Dataset, annotator: str, backend: Backend, config: ProfileConfig, workspace: Workspace
) -> Profile | None:
    """The usable profile that was written with the same model and settings, edited or not."""
    for profile in profiles(dataset, workspace, annotator):
        same = (profile.model_fingerprint, profile.settings) == (
            backend.fingerprint,
            asdict(config),
        )
        if same and profile.text:
            return profile
    return None


def the_profile(
    dataset: Dataset, annotator: str, workspace: Workspace, *, model: str = ""
) -> Profile:
    """The one profile of `annotator`, by the model of this name where one is given.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = profiles(dataset, workspace, annotator)
    fitting = [profile for profile in found if model in ("", profile.model)]
    if len(fitting) == 1:
        return fitting[0]
    by = f" by {model!r}" if model else ""
    if not fitting:
        raise ConfigError(
            f"there is no profile of annotator {annotator!r}{by}",
            where=dataset.name,
            expected=_models(found) if found else None,
            todo=f"write one: python -m capo_core profile write --dataset {dataset.name} "
            f"--annotator {annotator}",
        )
    raise ConfigError(
        f"there are {len(fitting)} profiles of annotator {annotator!r}{by}: "
        + "; ".join(f"{each.name} by {each.model}, {each.made}" for each in fitting),
        where=dataset.name,
        todo="name the model (--by), or take the others out of "
        f"{_folder(dataset.fingerprint, workspace)}",
    )


def _folder(fingerprint: str, workspace: Workspace) -> Path:
    return workspace.root / "profiles" / fingerprint[:16]


def _models(found: Sequence[Profile]) -> str:
    return f"a profile by {listed(dict.fromkeys(profile.model for profile in found))}"
