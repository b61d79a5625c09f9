"""The profiles of some annotators, as one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import RunError
from capo_core.imitation.run_folder import RunFolder, disk_errors
from capo_core.progress import Progress, part_of
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
    from capo_core.imitation.profile import write_profile
    from capo_core.imitation.profile_store import kept_like, save

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
