"""The option `--fetch` of commands that train: download first what is not in the workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from capo_core.cli.support import progress_bar
from capo_core.workspace import Workspace

Fetch = Annotated[
    bool,
    typer.Option(
        "--fetch",
        help="Download first what is not in the workspace: a published dataset (see: data fetch), "
        "and a base model of the list that needs no acceptance of terms (see: models list).",
    ),
]


def fetch_missing(
    workspace: Workspace, *, dataset: str = "", base: str = "", quiet: bool = False
) -> None:
    """Download a published dataset and a base model of the registry where they are not there.

    Any other name is left to those who load it: they say what is missing.

    Args:
        dataset, base: their names; "" for none.
        quiet: draw no progress.

    Raises:
        CapoError: as `download.load_or_fetch` and `obtain.get_model`.
    """
    with progress_bar(quiet) as progress:
        if dataset:
            from capo_core.data.download import load_or_fetch

            load_or_fetch(dataset, workspace, progress)
        if base:
            from capo_core.imitation.models.obtain import get_missing

            get_missing(base, workspace, progress)
