"""`python -m capo_core retention`: the capabilities that a base model keeps after fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.generate import AsJson, BatchTokens, Name, Precision
from capo_core.cli.options import changed, with_options
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    print_results,
    progress_bar,
)
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.evaluation.retention import Retention, RetentionConfig
from capo_core.formatting import with_interval
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.evaluation.retention_plane import RetentionPlane
    from capo_core.run_folder import RunFolder


def mount(app: typer.Typer) -> None:
    """Add the command `retention` to `app`."""
    app.command("retention", cls=ManyValues)(retention)


@plain_errors
@with_options(RetentionConfig)
def retention(
    dataset: Name,
    given: dict[str, Any],
    run: Annotated[
        list[str],
        typer.Option(
            help="Name of a finished training run (sft or capo); of several, which are of one "
            "annotator, also what each learnt beside what it kept."
        ),
    ],
    annotator: Annotated[
        str | None, typer.Option(help="Target annotator; required if the run was trained on all.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="General text: a .txt file or a table. Default: for the embedded base model "
            "unseen simulated annotators, for others the prose of this project's guide."
        ),
    ] = None,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    as_json: AsJson = False,
) -> None:
    """Measure retention along the adapter strength; run it again to resume."""
    from capo_core.evaluation.retention import load
    from capo_core.evaluation.retention_plane import retention_plane
    from capo_core.run_folder import find_run
    from capo_core.runs.kinds.retention import training_title, with_parameters

    config = changed(RetentionConfig(), given)
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    folders = {}
    for name in dict.fromkeys(run):
        settings: dict[str, Any] = {
            "dataset": data.name,
            "fingerprint": data.fingerprint,
            "target": annotator or str(find_run(workspace, name).config.get("target", "")),
            "run": name,
            **({"text": str(text.resolve())} if text else {}),
            **({} if precision == "auto" else {"precision": precision}),
            **({} if batch_tokens == BATCH_TOKENS else {"batch_tokens": batch_tokens}),
            "config": config.to_dict(),
        }
        folders[name] = _measured(workspace, data, settings, quiet=as_json)
    found = {
        name: with_parameters(load(folder.path), workspace) for name, folder in folders.items()
    }
    source = Provenance.of(data)
    shown = [
        {"run": folder.run_id, "folder": str(folder.path), **found[name].to_dict()}
        for name, folder in folders.items()
    ]
    if len(found) == 1:
        if as_json:
            print_json(shown[0])
            return
        (name,) = found
        _show_retention(found[name], source)
        console.print(f"run {folders[name].run_id}", markup=False, soft_wrap=True)
        return
    titles = {name: training_title(find_run(workspace, name)) for name in found}
    plane = retention_plane({titles[name]: one for name, one in found.items()})
    if as_json:
        print_json({"measurements": shown, "plane": plane.to_dict()})
        return
    for name, folder in folders.items():
        _show_retention(found[name], source)
        console.print(f"run {folder.run_id}\n", markup=False, soft_wrap=True)
    _show_plane(plane, source)


def _measured(
    workspace: Workspace, data: Dataset, settings: dict[str, Any], *, quiet: bool
) -> RunFolder:
    """Return the folder of a finished retention run, measured now where it is not."""
    from capo_core.run_folder import RunFolder
    from capo_core.runs import submit
    from capo_core.runs.foreground import foreground
    from capo_core.runs.kinds import retention as kinds_retention
    from capo_core.runs.request import RunRequest

    folder = RunFolder(workspace.runs / submit.run_name(RunRequest("retention", settings)))
    if not folder.done:
        with (
            progress_bar(quiet=quiet) as shown,
            foreground(
                workspace, folder, kind="retention", settings=settings, progress=shown
            ) as progress,
        ):
            kinds_retention.measure_retention(data, settings, workspace, folder, progress)
    return folder


def _show_plane(plane: RetentionPlane, source: Provenance) -> None:
    columns = ("training", "stage", "strength", "attributed", "kept of the base", "parameters")
    table = Table(*columns, box=None, title=source.titled("Learnt and kept"))
    for row in plane.points.itertuples():
        table.add_row(
            row.training,
            row.stage,
            f"{row.strength:g}{' *' if row.best else ''}",
            with_interval(row.attribution, row.attribution_low, row.attribution_high),
            with_interval(row.kept, row.kept_low, row.kept_high),
            f"{row.parameters:,}" if row.parameters else "",
        )
    console.print(table, markup=False)
    console.print(f"kept: {plane.measure}, base / point; * best point.", markup=False)
    print_results(source, plane.statement.text, *plane.remarks)


def _show_retention(found: Retention, source: Provenance) -> None:
    print_results(source, found.sentence)
    measures = list(dict.fromkeys(found.points["measure"]))
    title = source.titled(f"Retention, annotator {found.target}")
    table = Table("", "strength", *measures, box=None, title=title)
    for at, rows in found.points.groupby("at", sort=True):
        cells = rows.set_index("measure")
        shown = [
            f"{cells.at[name, 'value']:.2f}\n{cells.at[name, 'low']:.2f}–"
            f"{cells.at[name, 'high']:.2f}"
            for name in measures
        ]
        best = " *" if found.best and found.best.at == at else ""
        table.add_row(rows["stage"].iloc[0], f"{rows['strength'].iloc[0]:g}{best}", *shown)
    console.print(table, markup=False)
    counts = found.points.groupby("measure", sort=False)["n"].first()
    named = ", ".join(f"{name} n = {count}" for name, count in counts.items())
    console.print(
        f"{found.n_items} {found.config.split} items, 95 % intervals, {named}"
        + ("; * best point." if found.best else "."),
        markup=False,
    )
    if found.texts:
        console.print(found.texts, markup=False, soft_wrap=True)
