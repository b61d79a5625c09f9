"""`python -m capo_core stability | annotators | calibrate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from capo_core.cli.support import ManyValues, console, plain_errors, print_json, progress_bar
from capo_core.data.catalog import Catalog
from capo_core.stability import store
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.workspace import Workspace, write_json

Name = Annotated[str, typer.Argument(help="A dataset of the catalog (see: data list).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Out = Annotated[Path | None, typer.Option(help="Write the whole result to this file, as JSON.")]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command("stability", cls=ManyValues)(stability)
    app.command("annotators")(annotators)
    app.command("calibrate", cls=ManyValues)(calibrate)


@plain_errors
def stability(
    name: Name,
    representation: Annotated[
        list[str] | None, typer.Option(help="embedding, words, characters, stylometry")
    ] = None,
    reduction: Annotated[
        list[str] | None,
        typer.Option(help="none, mask_input, residual, subspace, style_only"),
    ] = None,
    pool: Annotated[list[int] | None, typer.Option(help="Explanations judged together.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Partitions into folds, averaged.")] = None,
    folds: Annotated[int | None, typer.Option(help="Folds of a cross-validation.")] = None,
    permutations: Annotated[int | None, typer.Option(help="Shuffles of the null.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Keep case and final periods.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The dashboard's quick look.")] = False,
    model: Annotated[str | None, typer.Option(help="A sentence-transformers model.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute even if it is kept.")] = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """How much of an annotator can be told from one explanation, and from several together?"""
    wished = {
        "representations": tuple(representation) if representation else None,
        "reductions": tuple(reduction) if reduction else None,
        "pool": tuple(pool) if pool else None,
        "seeds": seeds,
        "folds": folds,
        "permutations": permutations,
        "seed": seed,
        "raw": raw or None,
        "embedding_model": model,
    }
    start = QUICK if quick else StabilityConfig()
    config = replace(start, **{key: value for key, value in wished.items() if value is not None})
    workspace = Workspace.default()
    dataset = Catalog(workspace).load(name)
    report = None if again else store.load(dataset.fingerprint, config, workspace)
    if report is None:
        from capo_core.stability.report import compute_report

        with progress_bar(quiet=as_json) as progress:
            report, evidence = compute_report(
                dataset, config, cache=workspace.cache, progress=progress
            )
        store.save(report, evidence, workspace)
    if out is not None:
        write_json(out, report.to_dict())
    if as_json:
        print_json(report.to_dict())
        return
    _print_report(report)
    if out is not None:
        console.print(f"The whole report: {out}", markup=False)


def _print_report(report) -> None:
    if report.simulated:
        console.print("Simulated data: no human wrote these explanations.\n")
    for statement in report.statements:
        console.print(statement.text, markup=False)
        console.print()
    ladder = report.ladder.to_frame()
    ks = sorted(ladder["k"].unique())
    table = Table("representation", "reduction", box=None, title="Accuracy at k explanations")
    for k in ks:
        table.add_column(f"k = {k}", justify="right")
    controls = report.controls.to_frame()
    fixed = controls[controls["control"].isin(["label", "length", "input", "others_mean"])]
    fixed = fixed.assign(representation=fixed["control"], reduction="(control)")
    for frame in (ladder, fixed):
        for (rep, red), rows in frame.groupby(["representation", "reduction"], sort=False):
            cells = {row.k: f"{row.accuracy:.2f} [{row.low:.2f}–{row.high:.2f}]"
                     for row in rows.itertuples()}  # fmt: skip
            table.add_row(rep, red, *(cells.get(k, "too few") for k in ks))
    console.print(table, markup=False)
    if len(ladder):
        console.print(
            f"\nChance {ladder['chance'].iloc[0]:.2f}; intervals 95 %, over "
            f"{int(ladder['n_items'].max())} items; {report.config.permutations} permutations.",
            markup=False,
        )


@plain_errors
def annotators(name: Name, as_json: AsJson = False) -> None:
    """What distinguishes each annotator: a card for each."""
    from capo_core.stability.annotator_profiles import annotator_profiles

    dataset = Catalog(Workspace.default()).load(name)
    made = annotator_profiles(dataset)
    if as_json:
        print_json(
            {
                "dataset": dataset.name,
                "fingerprint": dataset.fingerprint,
                "annotators": [card.to_dict() for card in made],
            }
        )
        return
    for card in made:
        console.rule(f"Annotator {card.annotator_id}", align="left")
        for sentence in card.interpretation:
            console.print(sentence, markup=False)
        for cue in card.cues:
            console.print(
                f"  {cue.text}: {cue.own:.2f} against {cue.others:.2f} {cue.unit}", markup=False
            )
        console.print()


@plain_errors
def calibrate(
    task: Annotated[str, typer.Option(help="nli or paraphrase")] = "nli",
    items: Annotated[int, typer.Option(help="Items of each simulated dataset.")] = 200,
    manner: Annotated[
        list[float] | None, typer.Option(help="Planted strengths; 0 is the null.")
    ] = None,
    datasets: Annotated[int, typer.Option(help="Datasets for each strength.")] = 3,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Does the method find what was planted, and nothing where nothing was?"""
    from capo_core.stability.calibration import CalibrationConfig, calibrate

    config = CalibrationConfig(
        task=task,
        items=items,
        strengths=tuple(manner) if manner else CalibrationConfig().strengths,
        datasets=datasets,
        seed=seed,
    )
    workspace = Workspace.default()
    result = store.load_calibration(config, workspace)
    if result is None:
        with progress_bar(quiet=as_json) as progress:
            result = calibrate(config, cache=workspace.cache, progress=progress)
        store.save_calibration(result, workspace)
    if out is not None:
        write_json(out, result.to_dict())
    if as_json:
        print_json(result.to_dict())
        return
    table = Table("planted manner", "view", box=None, title="Planted against found")
    for heading in ("k", "accuracy, mean", "interval covers chance", "p ≤ .05"):
        table.add_column(heading, justify="right")
    for row in result.summary.itertuples():
        table.add_row(
            f"{row.manner:g}", f"{row.representation}, {row.reduction}", str(row.k),
            f"{row.accuracy:.3f}", f"{row.covered} of {row.n}", f"{row.significant} of {row.n}",
        )  # fmt: skip
    console.print(table, markup=False)
