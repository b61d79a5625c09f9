"""The command that lets imitated annotators judge another dataset, and measures what transfers.

python -m capo_core distributions transfer
"""

from __future__ import annotations

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
    from capo_core.distributions.transfer import Transfer

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
    out: Annotated[Path | None, typer.Option(help=f"Output file: {', '.join(ENDINGS)}.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let imitated annotators judge other data (--file, --dataset) as a team; measure transfer."""
    from capo_core.data.catalog import Catalog
    from capo_core.distributions import transfer_store
    from capo_core.distributions.sources import dataset_judgments
    from capo_core.distributions.transfer import measure_transfer, training_distribution
    from capo_core.run_folder import find_run, made_by

    check_ending(out, ENDINGS)
    workspace = Workspace.default()
    away = judgments_of(file, dataset, labels)
    homes = {find_run(workspace, name).config["dataset"]["name"] for name in adapter}
    if len(homes) > 1:
        raise ConfigError(
            f"the adapters were trained on different datasets: {', '.join(sorted(homes))}",
            todo="name adapters of annotators of one dataset",
            option="--adapter",
        )
    data = Catalog(workspace).load(homes.pop())
    home = dataset_judgments(data)
    estimates: dict[str, tuple] = {}
    members: dict[str, str] = {}
    base = ""
    for name in dict.fromkeys(adapter):
        base, who = adapter_model(name, None, "", workspace)
        if who in members:
            raise ConfigError(
                f"two adapters imitate annotator {who!r}: {members[who]} and {name}",
                todo="name one for each annotator",
                option="--adapter",
            )
        members[who] = name
        estimates[who] = tuple(
            _estimated(
                found, name, who, base, most, label_prior, workspace, as_json=as_json,
                allow_embedded=allow_embedded, precision=precision, batch_tokens=batch_tokens,
            )
            for found, most in ((home, home_items), (away, items))
        )  # fmt: skip
    result = measure_transfer(
        home, away, estimates, training_distribution(data, list(members)), data,
        model=Path(base).name, members=members,
        seeds=made_by(find_run(workspace, name) for name in members.values())["seeds"],
    )  # fmt: skip
    transfer_store.save(result, workspace)
    write_and_print(result, out, write=write, show=show, as_json=as_json)


def _estimated(
    found: Any, adapter: str, annotator: str, base: str, items: int, label_prior: str,
    workspace: Workspace, *, as_json: bool, allow_embedded: bool, precision: str, batch_tokens: int,
) -> Any:  # fmt: skip
    """Return an adapter's estimate of judgments; a finished run of it is not computed again."""
    from capo_core.distributions import store
    from capo_core.run_folder import find_run
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
    result = do_run("estimate", settings, workspace, queue=False, as_json=as_json, part=True)
    return store.load_estimate(find_run(workspace, result["run"]), found)


def write(result: Transfer, out: Path) -> None:
    """Write a result in the format of the file's ending."""
    from capo_core.distributions.transfer import to_markdown

    write_result(result, out, result.rows, {".md": to_markdown})


def show(result: Transfer) -> None:
    """Print what came out, and the distances of each source at home and away."""
    from capo_core.distributions.transfer import NOTE, table

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
