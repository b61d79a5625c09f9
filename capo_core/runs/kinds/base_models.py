"""A run that gets a base model into the workspace, so that a page may be closed meanwhile."""

from __future__ import annotations

from capo_core.formatting import size
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings
from capo_core.workspace import Workspace


def get_base_model(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Get the model `settings["name"]` (see `imitation.models.obtain.get_model`).

    Raises:
        CapoError: as `get_model`.
    """
    from capo_core.imitation.models.obtain import INDEX, get_model

    entry = get_model(
        settings["name"],
        workspace,
        progress,
        source=settings.get("source", INDEX),
        accept_terms=settings.get("accept_terms", False),
    )
    return f"{entry.title} is ready ({size(entry.size)})"
