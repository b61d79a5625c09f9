"""The evaluation of finished generations, as a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.dataset import Dataset
from capo_core.imitation.run_folder import RunFolder, disk_errors, find_run
from capo_core.jobs.missing import Missing, said, some_left
from capo_core.progress import Progress, part_of
from capo_core.workspace import Workspace

REPORT = "report.json"


def config_of(raw: Mapping[str, Any]):
    """The `TableConfig` of a run's settings; families not named are all scored."""
    from capo_core.evaluation.compute import EVERYTHING
    from capo_core.evaluation.table import TableConfig

    return TableConfig.from_dict({**EVERYTHING.to_dict(), **raw})


def evaluate_runs(
    dataset: Dataset,
    settings: Mapping[str, Any],
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
    lacking: Sequence[Missing] = (),
) -> str:
    """Score the generations `settings["runs"]` beside the people's own answers; with them what the
    judges' runs `settings["judges"]` say.

    Writes report.json (an `EvaluationReport`, see `evaluation.report`), then result.json. The
    command `evaluate` gives the same numbers for the same runs.

    Args:
        lacking: those of them that it goes on without; report and result name them.

    Raises:
        RunError, DataError: a run is not finished, or answered other data than the others; all
            generations are lacking.
    """
    from capo_core.evaluation import report as reports
    from capo_core.evaluation import run_outputs
    from capo_core.evaluation.compute import compute_report
    from capo_core.evaluation.judge_join import of_judges

    config = config_of(settings["config"])
    judges = list(settings.get("judges", ()))
    folder.claim(
        {
            "stage": "evaluate",
            "target": "all",
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "runs": list(settings["runs"]),
            # Runs from before there were judges keep what they were asked.
            **({"judges": judges} if judges else {}),
            "settings": config.to_dict(),
        }
    )
    with folder.lock():
        folder.forget_stop()
        names = some_left(settings["runs"], lacking, folder.run_id)
        runs = [find_run(workspace, name) for name in names]
        found, split = run_outputs.of_runs(dataset, runs)
        items, streams = run_outputs.streams_of(dataset, found, split)
        gone = {each.run for each in lacking}
        named = [find_run(workspace, name) for name in judges if name not in gone]
        report = compute_report(
            dataset, items, streams, config, split=split, cache=workspace.cache,
            judges=of_judges(named, found, dataset.fingerprint), missing=said(lacking),
            progress=part_of(progress, 0.02, 0.98),
        )  # fmt: skip
        with disk_errors(folder.path):
            reports.save(report, folder.path / REPORT)
        folder.finish(
            {
                "runs": names,
                "items": len(items),
                "split": split,
                "missing": [each.to_dict() for each in lacking],
            }
        )
    many = f"{len(runs)} run{'s' if len(runs) != 1 else ''} scored on {len(items)} items"
    return f"{many}. {said(lacking)}" if lacking else many
