"""The pre-flight check of another run, as a run of its own."""

from __future__ import annotations

from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings, check
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace


def check_run(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Estimate what the run of `settings["kind"]` with `settings["settings"]` will need.

    The result is saved where `preflight.report.saved_preflight` finds it.

    Raises:
        RunError, ConfigError: the settings of that run are invalid.
    """
    from capo_core.runs.preflight.dry_run import estimate_run
    from capo_core.runs.preflight.report import save_preflight

    request = RunRequest(settings["kind"], dict(settings["settings"]))
    check(request)
    progress("one dry step on the model", 0.1)
    found = estimate_run(workspace, request)
    save_preflight(found, workspace, request.settings)
    return "it can work" if found.possible else "it cannot work as it is"
