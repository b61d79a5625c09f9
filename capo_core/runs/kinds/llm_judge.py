"""The attribution of finished generations by an LLM judge, as a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable, RunError, Stopped
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder, disk_errors, find_run, stopping
from capo_core.runs.checks import Settings, judge_config
from capo_core.runs.dependencies import SkippedInput, remaining_inputs, skipped_inputs
from capo_core.runs.kinds.inputs import backend_of, load_dataset
from capo_core.workspace import Workspace, write_json

if TYPE_CHECKING:
    from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig, LlmTrial
    from capo_core.evaluation.streams import Stream


def guessing_judge():
    """Return the judge that guesses, a chance baseline that needs no model."""
    from capo_core.evaluation.llm_judge.trials import random_answer
    from capo_core.imitation.backends.fake import FakeBackend

    return FakeBackend(random_answer, name="a guesser")


def judge_runs(
    dataset: Dataset,
    settings: Mapping[str, Any],
    backend: Any,
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
    skipped: Sequence[SkippedInput] = (),
) -> str:
    """Let `backend` judge people's held-out texts and the generations `settings["runs"]`.

    Each verdict is on disk (outputs.jsonl) before the next is used; an interrupted run resumes
    with the missing ones. Writes judged.json (`LlmJudgeResult`), then result.json.

    Args:
        skipped: skipped generations without a result; the result lists them.

    Raises:
        DataError, RunError: the generations are not of this data, or not finished; see
            `llm_judge.trials.plan_trials`.
        BackendUnavailable: the model is not available any more; the verdicts so far are saved.
        Stopped: on request; the verdicts so far are saved.
    """
    from capo_core.evaluation.llm_judge.judge import LlmJudgeResult, summarise_answers
    from capo_core.evaluation.llm_judge.results import RESULT_FILE
    from capo_core.evaluation.llm_judge.trials import plan_trials

    config = judge_config(settings)
    runs = list(settings["runs"])
    names = remaining_inputs(runs, skipped, folder.run_id)
    items, streams = _streams(dataset, [find_run(workspace, name) for name in names],
                              settings.get("split", "test"))  # fmt: skip
    folder.claim(
        {
            "stage": "judge",
            "target": "all",
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "judge": {"name": backend.name, "fingerprint": backend.fingerprint},
            "runs": runs,
            "settings": config.to_dict(),
        }
    )
    with folder.lock():
        folder.forget_stop()
        trials = plan_trials(dataset, streams, config)
        answers = _ask_missing(trials, streams, items, backend, config, folder, progress)
        result: LlmJudgeResult = summarise_answers(dataset, items, backend, config, answers)
        with disk_errors(folder.path):
            write_json(folder.path / RESULT_FILE, result.to_dict())
        folder.finish(
            {
                "runs": names,
                "trials": len(trials),
                "sentence": result.sentence,
                "missing": [each.to_dict() for each in skipped],
            }
        )
    return result.sentence


def _ask_missing(
    trials: Sequence[LlmTrial],
    streams: Sequence[Stream],
    items: tuple[str, ...],
    backend: Any,
    config: LlmJudgeConfig,
    folder: RunFolder,
    progress: Progress,
) -> list[dict]:
    """Return the answers to all trials, in their order; those on disk are not asked for again."""
    from capo_core.evaluation.llm_judge.judge import ask_llm_judge
    from capo_core.imitation.generation.outputs import OutputLines

    lines = OutputLines(folder.path)
    done = {row["output_id"] for row in lines.read()}
    if strange := done - {trial.key for trial in trials}:
        raise RunError(
            f"there are {len(strange)} answers without a question",
            where=str(folder.path),
            todo="move the folder away, and run the judge again",
        )
    folder.log("begin", trials=len(trials), kept=len(done))
    watched = stopping(folder, progress)
    try:
        with lines.writing() as file:
            for row in ask_llm_judge(
                trials, streams, items, backend, config, done=done, progress=watched
            ):
                file.add({"output_id": row["key"], **row})
    except (Stopped, BackendUnavailable) as error:
        saved = len(lines.read())
        raise type(error)(
            f"{error.what.rstrip('.')}; {saved} of {len(trials)} answers are saved",
            where=error.where or str(folder.path),
            expected=error.expected,
            todo=(f"{error.todo.rstrip('.')}; then " if error.todo else "")
            + "give the same command again: it asks only for what is missing",
        ) from error
    rows = {row["key"]: row for row in lines.read()}
    return [rows[trial.key] for trial in trials]


def _streams(
    dataset: Dataset, runs: Sequence[RunFolder], split: str
) -> tuple[tuple[str, ...], list[Stream]]:
    """Return the items and the texts to be judged: people's own, and each run under its name.

    Under its name rather than its method's, so that the questions about a run do not depend on
    the runs judged beside it.
    """
    from capo_core.evaluation import streams as evaluation_streams
    from capo_core.evaluation.streams import HUMAN, held_out_items, human_streams

    items = None
    streams = []
    if runs:
        found, split = evaluation_streams.run_outputs(dataset, runs)
        named = [replace(one, source=one.where, replicate="") for one in found]
        items, streams = evaluation_streams.method_streams(dataset, named, split)
    items = items or held_out_items(dataset, split)
    people = [each for each in human_streams(dataset, items) if each.source == HUMAN]
    return items, [*people, *streams]


def judge(settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Let a model judge the finished generations (see `judge_runs`)."""
    dataset = load_dataset(settings, workspace)
    skipped = skipped_inputs(workspace, settings["runs"])
    remaining_inputs(settings["runs"], skipped, folder.run_id)  # before the model is read
    progress("reading the model", 0.0)
    backend = guessing_judge() if settings.get("guess") else backend_of(settings)
    return judge_runs(dataset, settings, backend, workspace, folder, progress, skipped)
