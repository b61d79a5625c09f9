"""Attribution by likelihood from what a workspace holds: SFT runs, and finished generations."""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.dataset import Dataset
from capo_core.evaluation.authors.adapters import adapter_sets
from capo_core.evaluation.authors.compute import attribute_authors
from capo_core.evaluation.authors.result import AuthorAttribution, AuthorsConfig
from capo_core.evaluation.streams import run_outputs
from capo_core.progress import Progress, silent
from capo_core.run_folder import find_run
from capo_core.workspace import Workspace


def compute_authors(
    workspace: Workspace,
    dataset: Dataset,
    config: AuthorsConfig | None = None,
    *,
    runs: Sequence[str] = (),
    answers: Sequence[str] = (),
    progress: Progress = silent,
) -> AuthorAttribution:
    """Return the attribution of a dataset's explanations by the adapters of its SFT runs.

    Args:
        runs: names of SFT runs, one for each annotator; by default the newest of every split.
        answers: names of finished generations on test items of the dataset's own split.

    Raises:
        ConfigError: an annotator has no SFT run, or there are answers and the runs are of another
            split than theirs.
        RunError, DataError: a named run is of other data, or not finished.
    """
    sets = adapter_sets(workspace, dataset, runs)
    outputs = run_outputs(dataset, [find_run(workspace, name) for name in answers])[0]
    return attribute_authors(workspace, dataset, sets, outputs, config, progress=progress)
