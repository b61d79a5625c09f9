"""`python -m capo_core …`: everything the dashboard does, from the command line."""

from __future__ import annotations

import typer

from capo_core.cli import (
    app as app_command,
)
from capo_core.cli import (
    distributions,
    embedded_base,
    evaluate,
    experiments,
    generate,
    runs,
    stability,
    study_design,
    train,
)
from capo_core.cli.data import data_app

app = typer.Typer(
    help="CAPO Lab: human label variation as signal. Everything lives under CAPO_WORKSPACE "
    "(default ./workspace).",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(data_app, name="data")
for mount in (
    app_command.mount,
    stability.mount,
    train.mount_pairs,
    train.mount,
    generate.mount,
    evaluate.mount,
    evaluate.mount_llm_judge,
    evaluate.mount_retention,
    runs.mount,
    experiments.mount,
    study_design.mount,
    embedded_base.mount,
    distributions.mount,
):
    mount(app)


def main() -> None:
    """Entry of `capo` and of `python -m capo_core`."""
    app()
