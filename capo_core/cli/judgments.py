"""The shared parts of the commands of `distributions`: options, judgments they name, runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capo_core.cli.support import BASE_HELP, console, print_json, progress_bar
from capo_core.errors import ConfigError
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", help="JSON files with distributions, of the same items."),
]
Data = Annotated[str | None, typer.Option("--dataset", help="Name of a dataset (see: data list).")]
Labels = Annotated[
    list[str] | None, typer.Option(help="Labels in the file's order. Default: those of NLI.")
]
Base = Annotated[str | None, typer.Option(help=BASE_HELP)]
Server = Annotated[str | None, typer.Option(help="Model of the server at CAPO_SERVER_URL.")]
Precision = Annotated[str, typer.Option(help="Precision: auto, fp32 or bf16.")]
BatchTokens = Annotated[int, typer.Option(help="Tokens per batch; fewer need less memory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Queued = Annotated[bool, typer.Option("--queue", help="Add the run to the queue instead.")]


def judgments_of(
    files: list[Path] | None, dataset: str | None, labels: list[str] | None, *, bare: bool = False
):
    """Return the items and sources named on the command line; with `bare`, also of files with items
    that nobody judged."""
    if not files and not dataset:
        raise ConfigError("no data is named", todo="add --file FILE or --dataset NAME")
    from capo_core.distributions.files import merge_judgments, read_judgments

    read = []
    if dataset:
        from capo_core.data.catalog import Catalog
        from capo_core.distributions.sources import dataset_judgments

        read.append(dataset_judgments(Catalog(Workspace.default()).load(dataset)))
        labels = labels or list(read[0].task.scale.labels)
    read += [read_judgments(path, labels, bare=bare) for path in files or ()]
    found = read[0]
    for other in read[1:]:
        found = merge_judgments(found, other)
    return found


def provenance_of(
    found: Judgments,
    dataset: str | None,
    files: list[Path] | None,
    runs: list[str] | None = None,
    seed: int | None = None,
) -> Provenance:
    """Return the provenance of a result on these judgments."""
    from capo_core.data.catalog import Catalog
    from capo_core.distributions.provenance import judgments_provenance
    from capo_core.run_folder import find_run

    workspace = Workspace.default()
    return judgments_provenance(
        found,
        Catalog(workspace).load(dataset) if dataset else None,
        runs=[find_run(workspace, name) for name in runs or ()],
        files=[path.name for path in files or ()],
        seed=seed,
    )


def do_run(
    kind: str, settings: dict[str, Any], workspace: Workspace, *, queue: bool, as_json: bool,
    part: bool = False,
) -> dict[str, Any] | None:  # fmt: skip
    """Execute a run here and return its result with the run's name; with `queue`, submit it and
    return None.

    Args:
        part: whether the run is a part of what the command does, so that its result is not printed.
    """
    from capo_core.run_folder import RunFolder
    from capo_core.runs import submit
    from capo_core.runs.checks import check
    from capo_core.runs.foreground import foreground
    from capo_core.runs.kinds import execute
    from capo_core.runs.request import RunRequest

    request = RunRequest(kind, settings)
    check(request)
    if queue:
        submitted = submit.submit(workspace, kind, settings)
        if as_json:
            print_json({"run": submitted.run_id})
        else:
            console.print(f"queued: {submitted.run_id}", markup=False)
        return None
    folder = RunFolder(workspace.runs / submit.run_name(request))
    if not folder.done:
        with (
            progress_bar(quiet=as_json) as shown,
            foreground(workspace, folder, kind=kind, settings=settings, progress=shown) as progress,
        ):
            execute(request, workspace, folder, progress)
    result = {**folder.result, "run": folder.run_id}
    if as_json and not part:
        print_json(result)
    return result
