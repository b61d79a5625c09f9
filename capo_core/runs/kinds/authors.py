"""Attribution of explanations by likelihood under the annotators' own adapters, as a run."""

from __future__ import annotations

from capo_core.formatting import count
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings
from capo_core.runs.kinds.inputs import load_dataset
from capo_core.workspace import Workspace


def attribute(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Attribute a dataset's explanations, and save the result in the workspace.

    Raises:
        ConfigError: an annotator has no finished SFT run.
        DataError: the dataset has changed since the run was requested.
    """
    from capo_core.evaluation.authors import store
    from capo_core.evaluation.authors.result import HELD_OUT, AuthorsConfig
    from capo_core.evaluation.authors.run import compute_authors

    dataset = load_dataset(settings, workspace)
    result = compute_authors(
        workspace, dataset, AuthorsConfig.from_dict(settings["config"]),
        runs=settings["runs"], answers=settings["answers"],
        progress=part_of(progress, 0.02, 0.98),
    )  # fmt: skip
    store.save(result, workspace)
    return f"authors told on {count(result.items[HELD_OUT], 'item')} that no adapter was trained on"
