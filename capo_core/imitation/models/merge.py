"""Merging: a base model with a run's adapter added to its weights, as a model of its own."""

from __future__ import annotations

import torch

from capo_core.errors import ConfigError, RunError
from capo_core.imitation.models.adapters import load_adapter
from capo_core.imitation.models.base_files import base_title, find_base_model
from capo_core.imitation.models.base_model import load_base_model, quiet_transformers
from capo_core.imitation.models.errors import memory_errors
from capo_core.imitation.models.obtain import entry_of
from capo_core.imitation.models.workspace_models import (
    MERGED,
    ModelEntry,
    Origin,
    check_new_name,
    new_model,
    now,
    parameters_of,
    versions,
    writing_model,
)
from capo_core.imitation.prompting.prompts import TRAINING_STAGES
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder
from capo_core.workspace import Workspace

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def merge_run(
    run: RunFolder,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    name: str = "",
    dtype: str = "fp32",
    replace: bool = False,
) -> ModelEntry:
    """Save a run's base model with its adapter merged in, W + alpha / rank · B A.

    Args:
        run: a finished training.
        name: of the new model; the run's where empty.
        dtype: number format of the saved weights: "fp32" (the same log-probabilities to rounding)
            or "bf16" (half the size; an adapter's change may be smaller than its rounding).
        replace: put it in the place of a model of that name.

    Returns: the model's entry in the list.

    Raises:
        RunError: the run is no finished training, or the disk is full.
        ConfigError: name or format cannot be used, or the base model is not there or another one.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"the number format is {dtype!r}", expected=" or ".join(DTYPES))
    config = run.config
    if config.get("stage") not in TRAINING_STAGES:
        raise RunError(
            f"the run is of the stage {config.get('stage')!r}: it has no adapter",
            where=run.run_id,
            expected="a run of train sft or train capo",
        )
    if not run.done or not run.adapter.is_dir():
        raise RunError("the run is not finished", where=run.run_id, todo="let it finish")
    name = name or run.run_id
    check_new_name(workspace, name, replace=replace)
    base_name = config["base"]["name"]
    needed = parameters_of(find_base_model(base_name)) * DTYPES[dtype].itemsize
    progress("reading the base model", 0.0)
    with memory_errors(str(run.path)), torch.no_grad():
        base = load_base_model(base_name, precision="fp32", device="cpu")
        model = load_adapter(base, run.adapter)
        progress("merging", 0.5)
        merged = model.merge_and_unload().to(DTYPES[dtype])
    stage, target = config["stage"].upper(), config["target"]
    with (
        writing_model(workspace, name),
        new_model(workspace, name, needed=needed, replace=replace) as folder,
    ):
        progress("writing the model", 0.6)
        with quiet_transformers():
            merged.save_pretrained(folder, safe_serialization=True)
            base.tokenizer.save_pretrained(folder)
        before = Origin.read(base.folder)
        Origin(
            MERGED,
            f"{base_title(base_name)} with the {stage} adapter of {target}",
            source={
                "run": run.run_id,
                "base": base_title(base_name),
                "base_fingerprint": base.fingerprint,
                "dataset": config["dataset"]["name"],
            },
            licence=before.licence if before else "",
            parameters=base.parameters,
            quantised=before.quantised if before else "",
            dtype=str(DTYPES[dtype]).removeprefix("torch."),
            converted_with=versions(),
            notes=(
                f"Answers as annotator {target} of {config['dataset']['name']} would."
                if target != "all"
                else f"Answers as the annotator of {config['dataset']['name']} who is named in the "
                "prompt would.",
                *(before.notes if before else ()),
            ),
            made=now(),
        ).write(folder)
    progress(f"{name} is ready", 1.0)
    return entry_of(workspace, name)
