"""The commands that build and measure a small base model: `python -m capo_core base …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.options import with_options
from capo_core.cli.support import console, plain_errors, print_json, progress_bar
from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.shipped import EMBEDDED_BASE

base_app = typer.Typer(
    help="The embedded base model, and small base models from your own text.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Option(help="Folder of the base model.")]


def mount(app: typer.Typer) -> None:
    """Add the command group `base` to `app`."""
    app.add_typer(base_app, name="base")


@base_app.command("build")
@plain_errors
@with_options(EmbeddedBaseConfig, only=("steps", "seed"))
def build_command(
    given: dict[str, Any],
    out: Folder = EMBEDDED_BASE,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Train on this text (.txt) or table instead; needs --out."),
    ] = None,
    with_tasks: Annotated[
        bool,
        typer.Option("--with-tasks", help="With --corpus: also train on the tasks' formats."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Build a base model; run the same command again to resume."""
    from capo_core.errors import ConfigError

    if corpus is not None and out == EMBEDDED_BASE:
        raise ConfigError(
            "a base of your own must not replace the embedded one", todo="name a folder with --out"
        )
    from capo_core.imitation.embedded_base.build import build
    from capo_core.imitation.embedded_base.corpus import read_corpus

    config = EmbeddedBaseConfig(**given)
    with progress_bar(quiet=as_json) as progress:
        about = build(
            config,
            out,
            corpus=read_corpus(corpus) if corpus else None,
            with_tasks=with_tasks,
            progress=progress,
        )
    _show(about, out, as_json)


@base_app.command("measure")
@plain_errors
def measure_command(
    out: Folder = EMBEDDED_BASE,
    answers: Annotated[
        int, typer.Option(min=1, help="Answers per task, format and temperature.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Measure a base model on held-out annotators, and add the figures to its model card."""
    from capo_core.imitation.embedded_base.model_card import add_quality, read_about
    from capo_core.imitation.embedded_base.quality import measure_folder

    with progress_bar(quiet=as_json) as progress:
        add_quality(out, measure_folder(out, answers, progress))
    _show(read_about(out), out, as_json)


@base_app.command("show")
@plain_errors
def show_command(
    out: Folder = EMBEDDED_BASE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Show how a base model was built, and its figures."""
    from capo_core.imitation.embedded_base.model_card import read_about

    _show(read_about(out), out, as_json)


def _show(about: dict, out: Path, as_json: bool) -> None:
    from capo_core.imitation.embedded_base import model_card

    if as_json:
        print_json(about)
        return
    console.print(
        f"{out}: {about['parameters'] / 1e6:.1f} million parameters, {about['tokens']:,} tokens "
        f"in {about['seconds'] / 60:.0f} min ({about['tokens_per_s']:,} a second)\n"
        f"made by: {model_card.command(about)}\n",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for headings, rows in (
        (model_card.LOSS_HEADINGS, model_card.figure_rows(about)),
        (model_card.QUALITY_HEADINGS, model_card.quality_rows(about)),
    ):
        if rows:
            table = Table(*headings, box=None)
            for row in rows:
                table.add_row(*row)
            console.print(table, markup=False)
