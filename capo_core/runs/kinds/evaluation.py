"""The evaluation of finished generations, as a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.dataset import Dataset
from capo_core.formatting import count
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder, disk_errors, find_run
from capo_core.runs import dependencies
from capo_core.runs.checks import Settings, table_config
from capo_core.runs.dependencies import SkippedInput, describe, remaining_inputs, skipped_statement
from capo_core.runs.kinds.inputs import load_dataset
from capo_core.workspace import Workspace

REPORT = "report.json"


def evaluate_runs(
    dataset: Dataset,
    settings: Mapping[str, Any],
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
    skipped: Sequence[SkippedInput] = (),
) -> str:
    """Score the generations `settings["runs"]` beside the annotators' own responses.

    The report includes the results of the LLM judges `settings["judges"]`, and attribution by
    likelihood under the adapters of the SFT runs `settings["authors"]`.

    Writes report.json (an `EvaluationReport`, see `evaluation.report`), then result.json. The
    command `evaluate` gives the same numbers for the same runs.

    Args:
        skipped: skipped runs without a result; report and result list them.

    Raises:
        RunError, DataError: a run is not finished, or has outputs on other data than the others;
            all generations are skipped.
    """
    from capo_core.evaluation import report as reports
    from capo_core.evaluation import streams as evaluation_streams
    from capo_core.evaluation.compute import compute_report
    from capo_core.evaluation.likelihood import author_adapters, written_by
    from capo_core.evaluation.llm_judge.results import load_verdicts
    from capo_core.runs.margins import margins_fixed

    config = table_config(settings)
    judges = list(settings.get("judges", ()))
    authors = list(settings.get("authors", ()))
    folder.claim(
        {
            "stage": "evaluate",
            "target": "all",
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "runs": list(settings["runs"]),
            # Runs from before there were judges keep their configuration.
            **({"judges": judges} if judges else {}),
            **({"authors": authors} if authors else {}),
            "settings": config.to_dict(),
        }
    )
    with folder.lock():
        folder.forget_stop()
        names = remaining_inputs(settings["runs"], skipped, folder.run_id)
        runs = [find_run(workspace, name) for name in names]
        found, split = evaluation_streams.run_outputs(dataset, runs)
        items, streams = evaluation_streams.method_streams(dataset, found, split)
        gone = {each.run for each in skipped}
        named = [find_run(workspace, name) for name in judges if name not in gone]
        adapters = None
        if authors and not gone & set(authors):  # it takes all annotators' adapters
            adapters = author_adapters(dataset, [find_run(workspace, name) for name in authors])
        report = compute_report(
            dataset, items, streams, config, split=split, cache=workspace.cache,
            llm_judges=load_verdicts(named, found, dataset.fingerprint),
            authors=adapters,
            same_training=written_by(found, adapters, workspace) if adapters else (),
            missing=skipped_statement(skipped),
            margins_fixed=margins_fixed(workspace, settings["runs"], config),
            progress=part_of(progress, 0.02, 0.98),
        )  # fmt: skip
        with disk_errors(folder.path):
            reports.save(report, folder.path / REPORT)
        folder.finish(
            {
                "runs": names,
                "items": len(items),
                "split": split,
                "missing": [each.to_dict() for each in skipped],
            }
        )
    many = f"{count(len(runs), 'run')} scored on {count(len(items), 'item')}"
    return f"{many}. {describe(skipped)}" if skipped else many


def evaluate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Score the finished generations (see `evaluate_runs`)."""

    dataset = load_dataset(settings, workspace)
    used = [*settings["runs"], *settings.get("judges", ()), *settings.get("authors", ())]
    skipped = dependencies.skipped_inputs(workspace, used)
    return evaluate_runs(dataset, settings, workspace, folder, progress, skipped)
