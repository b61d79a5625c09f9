"""The command that lets imitated annotators judge another dataset, and measures what transfers.

python -m capo_core distributions transfer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.estimates import adapter_model, estimate_defaults, estimate_settings
from capo_core.cli.judgments import (
    AsJson,
    BatchTokens,
    Data,
    Files,
    Labels,
    Precision,
    do_run,
    judgments_of,
)
from capo_core.cli.options import changed
from capo_core.cli.result_file import check_ending, write_and_print, write_result
from capo_core.cli.support import AllowEmbedded, ManyValues, console, plain_errors, print_results
from capo_core.distributions.estimate import EstimateConfig
from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.generation.label_prior import LABEL_PRIORS
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments
    from capo_core.distributions.transfer_report import Transfer
    from capo_core.run_folder import RunFolder

ENDINGS = (".json", ".csv", ".md")


def mount_transfer(app: typer.Typer) -> None:
    """Add the command `transfer` to the group `distributions`."""
    app.command("transfer", cls=ManyValues)(transfer)


@plain_errors
def transfer(
    adapter: Annotated[
        list[str],
        typer.Option(
            help="Finished trainings (runs), one for each imitated annotator of the team."
        ),
    ],
    file: Files = None,
    dataset: Data = None,
    labels: Labels = None,
    items: Annotated[
        int, typer.Option(help="Only the first items of the other data (0 = all).", min=0)
    ] = 0,
    home_items: Annotated[
        int,
        typer.Option(help="Only the first items of the adapters' dataset (0 = all).", min=0),
    ] = 0,
    label_prior: Annotated[
        str, typer.Option(help=f"Correction of label scores: {', '.join(LABEL_PRIORS)}.")
    ] = "annotator",
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    allow_embedded: AllowEmbedded = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help=f"Output file: {', '.join(ENDINGS)}. What the team says of each item and label is "
            "written beside it, as NAME-items.csv."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let imitated annotators judge other data (--file, --dataset) as a team; measure transfer.

    Where the other data have no crowd, what the team says of each item is a statement, and nothing
    is checked there.
    """
    from capo_core.data.catalog import Catalog
    from capo_core.distributions import transfer_store
    from capo_core.distributions.sources import dataset_judgments
    from capo_core.distributions.transfer import (
        check_transfer,
        measure_transfer,
        training_distribution,
    )
    from capo_core.run_folder import find_run, made_by

    check_ending(out, ENDINGS)
    if 1 in (items, home_items):
        raise ConfigError(
            "one item is too few", expected="0 (all), or two items or more",
            option="--items" if items == 1 else "--home-items",
        )  # fmt: skip
    workspace = Workspace.default()
    if not file and not dataset:
        raise ConfigError("no other data is named", todo="add --file FILE or --dataset NAME")
    team, base = _team([find_run(workspace, name) for name in dict.fromkeys(adapter)], workspace)
    members = {who: run.run_id for who, run in team.items()}
    data = Catalog(workspace).load(next(iter(team.values())).config["dataset"]["name"])
    home = dataset_judgments(data)
    own = data.task.scale.labels
    away = judgments_of(file, dataset, labels or (None if dataset else list(own)), bare=True)
    if not dataset and away.task.scale == home.task.scale:  # a file does not say its task
        away = replace(away, task=home.task)
    # All that can be refused is refused before the estimates, which may take hours.
    check_transfer(home, away, list(members))
    training = training_distribution(data, list(members))
    asked = {
        who: [
            (found, _settings(
                found, name, who, base, most, label_prior, workspace,
                allow_embedded=allow_embedded, precision=precision, batch_tokens=batch_tokens,
            ))
            for found, most in ((home, home_items), (away, items))
        ]
        for who, name in members.items()
    }  # fmt: skip
    estimates = {
        who: tuple(_estimated(*one, workspace, as_json=as_json) for one in places)
        for who, places in asked.items()
    }
    result = measure_transfer(
        home, away, estimates, training, data, model=Path(base).name, members=members,
        seeds=made_by(team.values())["seeds"],
        settings={"label_prior": label_prior, "home_items": home_items, "items": items},
    )  # fmt: skip
    transfer_store.save(result, workspace)
    write_and_print(result, out, write=write, show=show, as_json=as_json)
    if out is not None and not as_json:
        console.print(f"written: {items_file(out)}", markup=False, soft_wrap=True)


def _team(runs: Sequence[RunFolder], workspace: Workspace) -> tuple[dict[str, RunFolder], str]:
    """Return annotator → training, and the base of all.

    Raises:
        ConfigError: an adapter serves all annotators, two imitate the same one, or they are of
            different datasets or bases.
    """
    from capo_core.imitation.generation.trained_adapters import serves_all
    from capo_core.imitation.prompting.prompts import TRAINING_STAGES

    team: dict[str, RunFolder] = {}
    base = ""
    for run in runs:
        if run.config.get("stage") in TRAINING_STAGES and serves_all(run):
            raise ConfigError(
                f"the adapter of {run.run_id} serves all annotators",
                expected="an adapter of its own for each annotator of the team",
                todo="train each annotator apart (train sft --annotator NAME)",
                option="--adapter",
            )
        base, who = adapter_model(run.run_id, None, "", workspace)
        if who in team:
            raise ConfigError(
                f"two adapters imitate annotator {who!r}: {team[who].run_id} and {run.run_id}",
                todo="name one for each annotator",
                option="--adapter",
            )
        team[who] = run
    _check_alike(
        [(run.config["dataset"]["name"], run.config["dataset"]["fingerprint"]) for run in runs],
        "the adapters were trained on different datasets", "annotators of one dataset",
    )  # fmt: skip
    _check_alike(
        [(Path(run.config["base"]["name"]).name, run.config["base"]["fingerprint"])
         for run in runs],
        "the adapters are on different bases", "one base",
    )  # fmt: skip
    return team, base


def _check_alike(found: Sequence[tuple[str, str]], what: str, wanted: str) -> None:
    """Raise `ConfigError` where (name, fingerprint) differ."""
    different = list(dict.fromkeys(found))
    if len(different) > 1:
        alike = len({name for name, _ in different}) < len(different)
        names = [f"{name} ({mark[:8]})" if alike else name for name, mark in different]
        raise ConfigError(
            f"{what}: {', '.join(names)}", todo=f"name adapters of {wanted}", option="--adapter"
        )


def _settings(
    found: Judgments, adapter: str, annotator: str, base: str, items: int, label_prior: str,
    workspace: Workspace, *, allow_embedded: bool, precision: str, batch_tokens: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the settings of an adapter's estimate of judgments, checked."""
    from capo_core.runs.kinds.distributions import check_estimate

    given = {"label_prior": label_prior, "items": items, "options": "words"}
    config = changed(
        EstimateConfig(), {**estimate_defaults("logits", base, adapter, given), **given}
    )
    settings = estimate_settings(
        found, config, workspace, by="logits", base=base, adapter=adapter, annotator=annotator,
        precision=precision, batch_tokens=batch_tokens, allow_embedded=allow_embedded,
    )  # fmt: skip
    check_estimate(found, settings)
    return settings


def _estimated(
    found: Judgments, settings: dict[str, Any], workspace: Workspace, *, as_json: bool
) -> Any:
    """Return an adapter's estimate of judgments; a finished run of it is not computed again."""
    from capo_core.distributions import store
    from capo_core.run_folder import find_run

    result = do_run("estimate", settings, workspace, queue=False, as_json=as_json, part=True)
    return store.load_estimate(find_run(workspace, result["run"]), found)


def write(result: Transfer, out: Path) -> None:
    """Write a result in the format of the file's ending, and what the team says beside it."""
    from capo_core.distributions.transfer_report import item_table, to_markdown

    write_result(result, out, result.rows, {".md": to_markdown})
    write_result(result, items_file(out), item_table(result), {})


def items_file(out: Path) -> Path:
    """Return the file of what the team says of each item, beside the one of the result."""
    return out.with_name(f"{out.stem}-items.csv")


def show(result: Transfer) -> None:
    """Print what came out, and the distances of each source at home and away."""
    from capo_core.distributions.transfer_report import NOTE, table

    source = result.provenance
    print_results(source, *result.statements(), end="\n\n")
    names, rows = table(result)
    title = source.titled(f"Imitated crowd: {result.home} to {result.away}")
    shown = Table(names[0], box=None, title=title, title_justify="left")
    for name in names[1:]:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown, markup=False)
    console.print(f"\n{NOTE}", markup=False)
