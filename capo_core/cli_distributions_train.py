"""`python -m capo_core distributions train`: classifiers on label distributions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from capo_core.cli_distributions_models import AsJson, Data, Labels, Queued, do_run
from capo_core.cli_support import ManyValues, console, plain_errors
from capo_core.errors import ConfigError
from capo_core.workspace import Workspace, write_json


def mount(app: typer.Typer) -> None:
    """Add the command of this file to the group `distributions`."""
    app.command("train", cls=ManyValues)(train)


@plain_errors
def train(
    file: Annotated[list[Path] | None, typer.Option("--file", help="What to learn from.")] = None,
    dataset: Data = None,
    development: Annotated[
        str, typer.Option(help="Chooses the epoch: a file, or a dataset's name.")
    ] = "",
    test: Annotated[
        list[str] | None, typer.Option(help="Scored: files or datasets; any number.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Sources to learn from.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="Estimates to learn from.")] = None,
    against: Annotated[str, typer.Option(help="The source that is right in the others.")] = "crowd",
    encoder: Annotated[str, typer.Option(help="minilm, a folder, or a hub name.")] = "minilm",
    seeds: Annotated[list[int] | None, typer.Option(help="Trainings of each source.")] = None,
    reading: Annotated[
        str,
        typer.Option(
            help="together: the whole encoder learns; apart: a head on each text's vector. "
            "Otherwise apart for minilm, together for others."
        ),
    ] = "",
    epochs: Annotated[
        int, typer.Option(help="Passes over the items; 0: 20 apart, 5 together.")
    ] = 0,
    batch_size: Annotated[int, typer.Option(help="Items a step.")] = 16,
    learning_rate: Annotated[
        float, typer.Option(help="Highest rate; 0: 1e-4 apart, 5e-5 together.")
    ] = 0.0,
    max_length: Annotated[int, typer.Option(help="together: tokens of an item at most.")] = 128,
    select: Annotated[str, typer.Option(help="Epoch kept: weighted F1, KL or last.")] = "KL",
    labels: Labels = None,
    queue: Queued = False,
    out: Annotated[Path | None, typer.Option(help="Write the result to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on label distributions; which source is the best signal?"""
    from capo_core.cli_distributions import judgments_of
    from capo_core.distributions import kept
    from capo_core.distributions.softlabel import DEVELOPMENT, TEST
    from capo_core.distributions.softlabel_config import SoftLabelConfig

    workspace = Workspace.default()
    found = judgments_of(file, dataset, labels)
    if run:
        found = kept.with_runs(found, run, workspace)
    if not development:
        raise ConfigError("there is no development set", todo="name one (--development)")
    config = SoftLabelConfig(
        encoder=encoder, reading=reading, sources=tuple(source or [against]),
        seeds=tuple(seeds or (0, 1, 2)), epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, max_length=max_length, select=select, against=against,
    )  # fmt: skip
    named = {DEVELOPMENT: development}
    for number, name in enumerate(test or ()):
        named[TEST if not number else f"{TEST} {Path(name).stem}"] = name
    sets = {}
    for name, place in named.items():
        is_file = Path(place).suffix in (".json", ".jsonl")
        one = judgments_of([Path(place)] if is_file else None, None if is_file else place, labels)
        sets[name] = kept.keep(one, workspace)
    settings = {
        "dataset": found.name,
        "judgments": kept.keep(found, workspace),
        "sets": sets,
        "config": config.to_dict(),
    }
    result = do_run("softlabel", settings, workspace, queue=queue, as_json=as_json)
    if result is None:
        return
    if out is not None:
        write_json(out, result)
    if not as_json:
        _show_training(result)


def _show_training(result: dict[str, Any]) -> None:
    table = Table("set", "learned from", box=None, title=f"Classifiers on {result['dataset']}")
    measures = list(dict.fromkeys(row["measure"] for row in result["scores"]))
    for measure in measures:
        table.add_column(measure, justify="right")
    table.add_column("n", justify="right")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in result["scores"]:
        rows.setdefault((row["set"], row["source"]), {})[row["measure"]] = row
    for (name, source), by in rows.items():
        cells = [f"{by[m]['value']:.3f} [{by[m]['low']:.3f}–{by[m]['high']:.3f}]" for m in measures]
        table.add_row(name, source, *cells, str(by[measures[0]]["n"]))
    console.print(table, markup=False)
    _show_differences(result["differences"])
    least = ", ".join(f"{v:.3f} ({k})" for k, v in result["least_cross_entropy"].items())
    console.print(
        f"\nAgainst {result['settings']['against']}; intervals {result['interval']}. Cross-entropy "
        f"can at best be the crowd's own entropy: {least}.",
        markup=False,
    )
    console.print(f"run {result['run']}", markup=False, soft_wrap=True)


def _show_differences(rows: list[dict[str, Any]]) -> None:
    """On the sets that chose no epoch, where there are any; cross-entropy differs as KL does."""
    shown = [row for row in rows if row["measure"] != "cross-entropy"]
    shown = [row for row in shown if row["set"] != "development"] or shown
    table = Table("set", "learned from", "minus", box=None, title="\nDifferences")
    for measure in dict.fromkeys(row["measure"] for row in shown):
        table.add_column(measure, justify="right", no_wrap=True)
    pairs: dict[tuple[str, str, str], list[str]] = {}
    for row in shown:
        pairs.setdefault((row["set"], row["source"], row["against"]), []).append(
            f"{row['value']:+.3f} [{row['low']:+.3f} to {row['high']:+.3f}]"
        )
    for key, cells in pairs.items():
        table.add_row(*key, *cells)
    console.print(table, markup=False)
