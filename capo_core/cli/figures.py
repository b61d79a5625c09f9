"""`python -m capo_core figures`: the charts of the pages as files for a paper."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def mount(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("figures")(figures)


def figures(
    report: Annotated[
        Path,
        typer.Argument(help="JSON of a report, by stability … --out or evaluate … --out."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("figures"),
    kind: Annotated[list[str] | None, typer.Option(help="pdf, svg or png; repeatable.")] = None,
    width: Annotated[
        list[str] | None,
        typer.Option(help='"one column" (7.7 cm) or "two columns" (16 cm); repeatable.'),
    ] = None,
    inside: Annotated[
        bool,
        typer.Option(
            "--text-inside/--bare",
            help="Title, caption and provenance in the picture, or in the caption file and the "
            "file's metadata only, as papers want it.",
        ),
    ] = True,
) -> None:
    """Draw the charts of a report for a paper: PDF, SVG or PNG, caption (TXT) and data (CSV)."""
    # The charts belong to the dashboard, which nothing here imports.
    command = [sys.executable, "-m", "capo_core.dashboard.figures", str(report), str(out),
               ",".join(kind or ["pdf"]), ",".join(width or ["one column"]),
               *([] if inside else ["bare"])]  # fmt: skip
    raise typer.Exit(subprocess.run(command, check=False).returncode)
