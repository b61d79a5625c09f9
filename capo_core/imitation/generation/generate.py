"""Generation of answers in annotators' places, resumable after every answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable, ConfigError, RunError, Stopped
from capo_core.imitation.backends.base import Backend, Reply
from capo_core.imitation.generation.label_prior import LabelPrior
from capo_core.imitation.generation.outputs import (
    OutputLines,
    output_row,
    output_summary,
    read_table,
    to_frame,
    write_table,
)
from capo_core.imitation.generation.requests import (
    TOO_LONG,
    GenerateConfig,
    OutputRequest,
    answer_style,
    dataset_identity,
    decoding_of,
    measured_prior,
    output_requests,
)
from capo_core.imitation.prompting.examples import Embed, ExamplePool
from capo_core.imitation.prompting.prompts import Example, PromptItem
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder, disk_errors, run_id
from capo_core.workspace import Workspace, content_hash, read_saved, write_json

STAGE = "generate"


def generate(
    dataset: Dataset,
    targets: Sequence[str],
    config: GenerateConfig,
    backend: Backend,
    folder: RunFolder,
    *,
    adapters: Mapping[str, Path] | None = None,
    profiles: Mapping[str, str] | None = None,
    embed: Embed | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Generate the answers of `targets` to the items of a split; returns schema `OUTPUTS`.

    Each answer is on disk (outputs.jsonl) before the next. An interrupted run resumes with the
    missing answers, which are those of an uninterrupted one (from a server: as far as it honours
    seeds). The table (outputs.parquet) and the counts (result.json) are written at the end; a
    finished run is only loaded.

    Args:
        adapters: for sft and capo, the folder of each target's adapter.
        profiles: for the method profile, the text for each target.
        embed: for the nearest examples; None takes the embedded sentence embeddings.
        progress: may raise `Stopped`; so does a file named stop in the run's folder.

    Raises:
        ConfigError: the settings, targets, adapters and profiles do not fit together.
        RunError: the folder belongs to another run, or is in use by another process.
        BackendUnavailable: the model is not available any more; the answers so far are saved.
        Stopped: on request; the answers so far are saved.
    """
    adapters, profiles = dict(adapters or {}), dict(profiles or {})
    if config.trained and not backend.adapters:
        raise ConfigError(
            f"{backend.name} cannot take an adapter",
            where=f"method {config.method}",
            todo="use a model on this machine (--base)",
        )
    folder.claim(generation_run_config(dataset, targets, config, backend, adapters, profiles))
    if folder.done:
        return read_table(folder.path)
    with folder.lock():
        folder.forget_stop()
        given = {
            "adapters": {target: str(path) for target, path in adapters.items()},
            "profiles": profiles,
            "choose": _chooser(dataset, config, embed),
        }
        priors = _label_priors(dataset, targets, config, backend, folder, given, progress)
        wanted = output_requests(
            dataset, targets, config, backend, run_id=folder.run_id, priors=priors, **given
        )
        start, kept = time.monotonic(), _count_saved(folder, wanted)
        folder.log("begin", outputs=len(wanted), kept=kept)
        try:
            _answer(dataset, wanted, config, backend, folder, progress)
        except (Stopped, BackendUnavailable) as error:
            there = _count_saved(folder, wanted)
            folder.log("stopped", outputs=len(wanted), kept=there, why=error.what)
            raise _with_resume_hint(error, there, len(wanted), folder) from error
        rows = {row["output_id"]: row for row in OutputLines(folder.path).read()}
        rows = [rows[asked.request.key] for asked in wanted]
        frame = to_frame(rows, source=folder.run_id)
        write_table(frame, folder.path)
        result = {
            **output_summary(rows, config),
            **answer_style(config, backend).identity,
            "kept": kept,
            "seconds": round(time.monotonic() - start, 2),
        }
        folder.log("end", **result)
        folder.finish(result)
    return frame


def generation_run_config(
    dataset: Dataset,
    targets: Sequence[str],
    config: GenerateConfig,
    backend: Backend,
    adapters: Mapping[str, Path],
    profiles: Mapping[str, str],
) -> dict[str, Any]:
    """Return what identifies a generation; saved as its config.json."""
    found = {}
    if config.trained:
        from capo_core.imitation.models.adapters import adapter_fingerprint  # loads torch

        found = {
            target: {"run": path.parent.name, "fingerprint": adapter_fingerprint(path)}
            for target, path in adapters.items()
            if target in targets
        }
    everyone = len(targets) > 1 and set(targets) == set(dataset.annotators)
    return {
        "stage": STAGE,
        "target": "all" if everyone else "+".join(targets),
        "targets": list(targets),
        "dataset": dataset_identity(dataset),
        "base": {"name": backend.name, "fingerprint": backend.fingerprint, **backend.details},
        "adapters": found,
        "profiles": {
            target: content_hash(text) for target, text in profiles.items() if target in targets
        },
        # Those of a batch are among what `base` says of the backend.
        "settings": {name: value for name, value in config.to_dict().items()
                     if name != "batch_tokens"},
        **answer_style(config, backend).identity,
    }  # fmt: skip


def generation_folder(workspace: Workspace, asked: Mapping[str, Any]) -> RunFolder:
    """Return the run folder for a configuration (see `generation_run_config`)."""
    who = f"{asked['settings']['method']}_{asked['target']}"
    return RunFolder(workspace.runs / run_id(asked["dataset"]["name"], STAGE, who, dict(asked)))


def begun_precision(workspace: Workspace, asked: Mapping[str, Any]) -> str:
    """Return the precision in which a generation of this configuration was begun, where it is
    another one than asked ("bf16" or "fp32"); "" where there is none.

    What "auto" takes is measured, and a busy machine may measure otherwise than before.
    """
    from capo_core.imitation.models.base_model import PRECISIONS  # loads torch

    if generation_folder(workspace, asked).path.exists():
        return ""
    for dtype, precision in PRECISIONS.items():
        other = {**asked, "base": {**asked["base"], "precision": dtype}}
        if generation_folder(workspace, other).path.exists():
            return precision
    return ""


CALIBRATION = "calibration.json"


def _label_priors(
    dataset: Dataset,
    targets: Sequence[str],
    config: GenerateConfig,
    backend: Backend,
    folder: RunFolder,
    given: Mapping[str, Any],
    progress: Progress,
) -> dict[str, LabelPrior]:
    """Return the correction of each target's label probabilities, computed once for a run.

    Saved as calibration.json, so that a resumed run goes on with the same one.
    """
    if config.label_prior == "none":
        return {}
    path, found = folder.path / CALIBRATION, {}
    if path.exists():
        return read_saved(
            path,
            lambda saved: {target: LabelPrior.from_dict(saved[target]) for target in targets},
            "the label prior of this run",
            "delete the file and resume the run: the prior is computed again",
        )
    for target in targets:
        found[target] = measured_prior(dataset, target, config, backend, progress=progress, **given)
    with disk_errors(path):
        write_json(path, {target: asdict(each) for target, each in found.items()})
    return found


def _answer(
    dataset: Dataset,
    wanted: Sequence[OutputRequest],
    config: GenerateConfig,
    backend: Backend,
    folder: RunFolder,
    progress: Progress,
) -> None:
    """Request the missing answers and write each one as it arrives."""
    lines = OutputLines(folder.path)
    done = {row["output_id"] for row in lines.read()}

    def watched(what: str, share: float) -> None:
        if folder.stop_asked:
            raise Stopped("a stop of the run was requested")
        progress(what, share)

    with lines.writing() as file:
        for asked in wanted:
            if asked.excess and asked.request.key not in done:
                reply = Reply("", finish="error", error=TOO_LONG)
                file.add(output_row(dataset, asked, reply, config, folder.run_id))
        of = {asked.request.key: asked for asked in wanted if not asked.excess}
        requests = [asked.request for asked in of.values()]
        decoding = decoding_of(dataset, config)
        for request, reply in backend.complete(requests, decoding, done=done, progress=watched):
            file.add(output_row(dataset, of[request.key], reply, config, folder.run_id))


def _count_saved(folder: RunFolder, wanted: Sequence[OutputRequest]) -> int:
    """Return the number of saved answers; `RunError` if one of them was never requested."""
    keys = {asked.request.key for asked in wanted}
    rows = OutputLines(folder.path).read()
    strange = [row["output_id"] for row in rows if row["output_id"] not in keys]
    if strange:
        raise RunError(
            f"there are {len(strange)} outputs that this run never requested",
            where=str(folder.path),
            todo="move the folder away, and generate again",
        )
    return len(rows)


def _chooser(
    dataset: Dataset, config: GenerateConfig, embed: Embed | None
) -> Callable[[str, PromptItem], Sequence[Example]]:
    """Return a function that selects in-context examples by target and item."""
    if config.how == "nearest" and embed is None:
        from capo_core.text.embeddings import Embedder

        embed = Embedder()

    @cache
    def pool(target: str) -> ExamplePool:
        return ExamplePool(dataset, target, how=config.how, seed=config.seed, embed=embed)

    return lambda target, item: pool(target).choose(config.examples, item)


def _with_resume_hint(
    error: Stopped | BackendUnavailable, kept: int, wanted: int, folder: RunFolder
) -> Stopped | BackendUnavailable:
    """Return the same error with the number of saved answers and how to resume."""
    then = "run the same command again: it requests only what is missing"
    if isinstance(error, BackendUnavailable) and error.todo:
        then = f"{error.todo.rstrip('.')}; then {then}"
    return type(error)(
        f"{error.what.rstrip('.')}; {kept} of {wanted} answers are saved",
        where=error.where or str(folder.path),
        expected=error.expected,
        todo=then,
    )
