"""`python -m capo_core …`: everything the dashboard does, from the command line."""

from __future__ import annotations

import typer

from capo_core import (
    cli_base,
    cli_distributions,
    cli_evaluate,
    cli_generate,
    cli_judge,
    cli_pairs,
    cli_retention,
    cli_runs,
    cli_stability,
    cli_study,
    cli_train,
)
from capo_core.cli_data import data_app

app = typer.Typer(
    help="CAPO Lab: human label variation as signal. Everything lives under CAPO_WORKSPACE "
    "(default ./workspace).",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(data_app, name="data")
for part in (
    cli_stability,
    cli_pairs,
    cli_train,
    cli_generate,
    cli_evaluate,
    cli_judge,
    cli_retention,
    cli_runs,
    cli_study,
    cli_base,
    cli_distributions,
):
    part.mount(app)


def main() -> None:
    """Entry of `python -m capo_core`."""
    app()
