"""The command that trains classifiers on label distributions.

python -m capo_core distributions train
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.judgments import (
    AsJson,
    Data,
    Labels,
    Queued,
    do_run,
    judgments_of,
    provenance_of,
)
from capo_core.cli.options import with_options
from capo_core.cli.result_file import check_ending
from capo_core.cli.support import ManyValues, console, plain_errors
from capo_core.data.joining import SUFFIXES
from capo_core.distributions.compare import CROWD
from capo_core.distributions.soft_label_data import SoftLabelConfig
from capo_core.errors import ConfigError
from capo_core.export_formats import with_provenance
from capo_core.formatting import (
    interval,
    number,
    signed,
    with_interval,
)
from capo_core.provenance import Provenance
from capo_core.workspace import Workspace, write_json


def mount_soft_labels(app: typer.Typer) -> None:
    """Add the command `train` to the group `distributions`."""
    app.command("train", cls=ManyValues)(train)


@plain_errors
@with_options(
    SoftLabelConfig, names={"sources": "source"}, defaults={"sources": "the reference (--against)"}
)
def train(
    given: dict[str, Any],
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="JSON files of the training set.")
    ] = None,
    dataset: Data = None,
    development: Annotated[
        str, typer.Option(help="Development set, for selecting the epoch: a file or a dataset.")
    ] = "",
    test: Annotated[list[str] | None, typer.Option(help="Test sets: files or datasets.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="Finished estimates to train on.")] = None,
    labels: Labels = None,
    queue: Queued = False,
    out: Annotated[Path | None, typer.Option(help="Output file of the result (JSON).")] = None,
    as_json: AsJson = False,
) -> None:
    """Train classifiers on label distributions, and compare the sources as training signals."""
    from capo_core.distributions import store
    from capo_core.distributions.soft_labels import DEVELOPMENT, TEST

    check_ending(out, (".json",), bare=True)
    if queue and out is not None:
        raise ConfigError(
            "a queued run has no result yet",
            expected="no --out",
            todo="give the same command again without --queue when the run is done",
            option="--queue",
        )
    workspace = Workspace.default()
    found = judgments_of(file, dataset, labels)
    if run:
        found = store.with_runs(found, run, workspace)
    if not development:
        raise ConfigError("there is no development set", todo="provide one (--development)")
    # Not `changed`: what the encoder decides is decided when the settings are made.
    config = SoftLabelConfig(**{"sources": (given.get("against", CROWD),), **given})
    named = {DEVELOPMENT: development}
    for nth, name in enumerate(test or ()):
        named[TEST if not nth else f"{TEST} {Path(name).stem}"] = name
    sets = {}
    for name, place in named.items():
        is_file = Path(place).suffix.lower() in SUFFIXES
        one = judgments_of([Path(place)] if is_file else None, None if is_file else place, labels)
        sets[name] = store.save(one, workspace)
    settings = {
        "dataset": found.name,
        "judgments": store.save(found, workspace),
        "sets": sets,
        "config": config.to_dict(),
    }
    result = do_run("softlabel", settings, workspace, queue=queue, as_json=as_json)
    if result is None:
        return
    source = provenance_of(found, dataset, file, run)
    if out is not None:
        seeds = {"seeds": tuple(config.seeds)} if hasattr(config, "seeds") else {}
        write_json(out, with_provenance(result, source.but(models=(config.encoder,), **seeds)))
    if not as_json:
        _show_training(result, source)


def _show_training(result: dict[str, Any], source: Provenance) -> None:
    title = source.titled(f"Classifiers on {result['dataset']}")
    table = Table("set", "trained on", box=None, title=title)
    measures = list(dict.fromkeys(row["measure"] for row in result["scores"]))
    for measure in measures:
        table.add_column(measure, justify="right")
    table.add_column("n", justify="right")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in result["scores"]:
        rows.setdefault((row["set"], row["source"]), {})[row["measure"]] = row
    for (name, source), by in rows.items():
        cells = [with_interval(*(by[m][k] for k in ("value", "low", "high")), 3) for m in measures]
        table.add_row(name, source, *cells, f"{by[measures[0]]['n']:,}")
    console.print(table, markup=False)
    _show_differences(result["differences"], source)
    least = ", ".join(f"{number(v, 3)} ({k})" for k, v in result["least_cross_entropy"].items())
    console.print(
        f"\nAgainst {result['settings']['against']}; intervals {result['interval']}. Cross-entropy "
        f"is at least the crowd's own entropy: {least}.",
        markup=False,
    )
    console.print(f"run {result['run']}", markup=False, soft_wrap=True)


def _show_differences(rows: list[dict[str, Any]], source: Provenance) -> None:
    """Print differences on sets not used for selecting the epoch, if any; without cross-entropy,
    whose differences equal those of KL.
    """
    shown = [row for row in rows if row["measure"] != "cross-entropy"]
    shown = [row for row in shown if row["set"] != "development"] or shown
    title = source.titled("Differences")
    table = Table("set", "trained on", "minus", box=None, title=f"\n{title}")
    for measure in dict.fromkeys(row["measure"] for row in shown):
        table.add_column(measure, justify="right", no_wrap=True)
    pairs: dict[tuple[str, str, str], list[str]] = {}
    for row in shown:
        pairs.setdefault((row["set"], row["source"], row["against"]), []).append(
            f"{signed(row['value'], 3)} {interval(row['low'], row['high'], signed, 3)}".rstrip()
        )
    for key, cells in pairs.items():
        table.add_row(*key, *cells)
    console.print(table, markup=False)
