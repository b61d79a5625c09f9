"""`capo app`: start the dashboard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import capo_core
from capo_core import demo_results
from capo_core.errors import plain_error
from capo_core.study.owner.access import JUDGES_ONLY
from capo_core.workspace import Workspace

SCRIPT = Path(capo_core.__file__).parent / "dashboard" / "start" / "app.py"


def mount(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("app")(start)


def start(
    port: Annotated[int, typer.Option(help="Port of the dashboard.", min=1, max=65535)] = 8501,
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not open a browser window.")
    ] = False,
    judges_only: Annotated[
        bool,
        typer.Option(
            "--judges-only",
            help="Serve judges' links alone; nobody is the owner. For a computer that judges "
            "share: stop the owner's dashboard first.",
        ),
    ] = False,
    demo: Annotated[
        bool,
        typer.Option(
            help="Put the demo's shipped results (reports, experiment, study of simulated judges) "
            "into a workspace that never had them."
        ),
    ] = True,
) -> None:
    """Start the dashboard on this computer (http://localhost:8501); Ctrl+C stops it.

    It listens on this computer only; STREAMLIT_SERVER_ADDRESS and CAPO_OWNER_PASSWORD open it to
    others.
    """
    if judges_only:
        os.environ[JUDGES_ONLY] = "1"
    checked = subprocess.run([sys.executable, "-m", "capo_core.dashboard.app.binding"], check=False)
    if checked.returncode:
        raise typer.Exit(checked.returncode)
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), f"--server.port={port}"]
    if headless:
        command.append("--server.headless=true")
    workspace, demo = Workspace.default(), demo and not judges_only
    if demo:
        _with_errors(demo_results.install, workspace)  # a moment, so that the first page has them
    server = subprocess.Popen(command)
    # Ctrl+C reaches both processes; what stops this one alone (kill, a service manager) must not
    # leave the server behind, with its port taken.
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        if demo:
            _with_errors(demo_results.install_study, workspace)  # while the server starts
        raise typer.Exit(server.wait())
    except KeyboardInterrupt:
        server.wait()
        raise typer.Exit(0) from None
    finally:
        server.terminate()  # nothing, where it has ended


def _with_errors(install: Callable[[Workspace], tuple[str, ...]], workspace: Workspace) -> None:
    """Install results of the demo and say which; the dashboard starts all the same where it
    fails."""
    try:
        new = install(workspace)
    except Exception as raised:
        error = plain_error(raised)
        if error is None:
            raise
        print(error, file=sys.stderr)
        return
    if new:
        print(f"Results of the demo installed: {demo_results.titles(new)}.", flush=True)
