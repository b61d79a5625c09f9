"""The work of each kind of run: one function a kind, called by workers and by foreground commands.

A function takes the settings of a request (see `checks`), the workspace, the run's folder and a
`Progress`, and returns one sentence about the outcome. `request.KINDS` has the names and labels of
the kinds. The computations are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import Settings, check
from capo_core.runs.kinds import (
    authors,
    base_models,
    distributions,
    dummy,
    evaluation,
    leaderboard,
    llm_judge,
    preflight,
    retention,
    stability,
    training,
)
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace

Work = Callable[[Settings, Workspace, RunFolder, Progress], str]

WORK: dict[str, Work] = {
    "train_sft": partial(training.train, "train_sft"),
    "train_capo": partial(training.train, "train_capo"),
    "profile": training.generate_profiles,
    "generate": training.generate_answers,
    "evaluate": evaluation.evaluate,
    "judge": llm_judge.judge,
    "retention": retention.measure_forgetting,
    "estimate": distributions.estimate,
    "softlabel": distributions.soft_labels,
    "stability": stability.measure_stability,
    "calibration": stability.measure_calibration,
    "authors": authors.attribute,
    "leaderboard": leaderboard.score_board,
    "model": base_models.get_base_model,
    "preflight": preflight.check_run,
    "dummy": dummy.work_through_steps,
}


def execute(
    request: RunRequest, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Execute the request in this process and return a one-sentence summary.

    Raises:
        CapoError: the request will not do (see `checks.check`), or the work failed.
    """
    check(request)
    return WORK[request.kind](request.settings, workspace, folder, progress)
