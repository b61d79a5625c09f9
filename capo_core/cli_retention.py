"""`python -m capo_core retention`: what a training made its base forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from capo_core.cli_models import AsJson, BatchTokens, Longest, Name, Precision, Seed, changed
from capo_core.cli_support import ManyValues, console, plain_errors, print_json, shown_progress
from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace


def mount(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("retention", cls=ManyValues)(retention)


@plain_errors
def retention(
    dataset: Name,
    run: Annotated[str, typer.Option(help="A finished training, by name: sft or capo.")],
    annotator: Annotated[
        str | None, typer.Option(help="Whom it imitates; needed where it serves all annotators.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(help="General text: a .txt file, or a table. The embedded base needs none."),
    ] = None,
    strengths: Annotated[
        list[float] | None, typer.Option(help="Strengths of each adapter, from 0 to 1.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="validation or test.")] = None,
    items: Annotated[int | None, typer.Option(help="So many items, drawn; 0: all.")] = None,
    passages: Annotated[int | None, typer.Option(help="Passages of general text.")] = None,
    seed: Seed = None,
    max_new_tokens: Longest = None,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = 16384,
    as_json: AsJson = False,
) -> None:
    """Measure base, adapter and what lies between; the same command again goes on."""
    from capo_core.evaluation.retention import RetentionConfig, load
    from capo_core.imitation.run_folder import RunFolder, find_run
    from capo_core.jobs import retention_run, submission
    from capo_core.jobs.foreground import foreground
    from capo_core.jobs.request import Request

    config = changed(
        RetentionConfig(), strengths=tuple(strengths) if strengths else None, split=split,
        items=items, passages=passages, seed=seed, max_new_tokens=max_new_tokens,
    )  # fmt: skip
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    settings: dict[str, Any] = {
        "dataset": data.name,
        "fingerprint": data.fingerprint,
        "target": annotator or str(find_run(workspace, run).config.get("target", "")),
        "run": run,
        **({"text": str(text.resolve())} if text else {}),
        **({} if precision == "auto" else {"precision": precision}),
        **({} if batch_tokens == 16384 else {"batch_tokens": batch_tokens}),
        "config": config.to_dict(),
    }
    folder = RunFolder(workspace.runs / submission.name_of(Request("retention", settings)))
    if not folder.done:
        with (
            shown_progress(quiet=as_json) as shown,
            foreground(
                workspace, folder, kind="retention", settings=settings, progress=shown
            ) as progress,
        ):
            retention_run.measure_retention(data, settings, workspace, folder, progress)
    found = load(folder.path)
    if as_json:
        print_json({"run": folder.run_id, "folder": str(folder.path), **found.to_dict()})
        return
    _show(found)
    console.print(f"run {folder.run_id}", markup=False, soft_wrap=True)


def _show(found: Any) -> None:
    from rich.table import Table

    console.print(found.sentence, markup=False)
    measures = list(dict.fromkeys(found.points["measure"]))
    table = Table("", "strength", *measures, box=None)
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
        f"{found.n_items} {found.config.split} items, intervals 95 %, {named}"
        + ("; * the best point." if found.best else "."),
        markup=False,
    )
