"""`python -m capo_core …`: everything the dashboard does, from the command line.

A command's file is imported when the command is called: `--help` needs only the lines below.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from capo_core.errors import plain_error


class CommandEntry(NamedTuple):
    """A command of the first level, or a group of commands.

    Attributes:
        module: file in this folder.
        mount: function there that adds the command to an app.
        help: first sentence of the command's own help; a test holds both equal.
    """

    module: str
    mount: str
    help: str


# In the order of the work, as `--help` lists them.
COMMANDS: Mapping[str, CommandEntry] = MappingProxyType({
    "app": CommandEntry(
        "start", "mount", "Start the dashboard on this computer (http://localhost:8501); Ctrl+C "
        "stops it.",
    ),
    "demo": CommandEntry(
        "experiments", "mount", "Run the full pipeline on the shipped data with the embedded base "
        "model; print the scores.",
    ),
    "data": CommandEntry("data", "mount", "Import, inspect, export and simulate datasets."),
    "annotators": CommandEntry(
        "stability", "mount", "Describe each annotator: label use, distinctive phrases and style "
        "features.",
    ),
    "stability": CommandEntry(
        "stability", "mount", "Measure how identifiable the annotators are, from one explanation "
        "and from several.",
    ),
    "authors": CommandEntry(
        "authors", "mount", "Attribute explanations to the annotator under whose own adapter they "
        "are likeliest.",
    ),
    "calibrate": CommandEntry(
        "stability", "mount", "Check the measures on simulated annotators whose style has a known "
        "strength.",
    ),
    "figures": CommandEntry(
        "figures", "mount", "Draw the charts of a report for a paper: PDF, SVG or PNG, caption "
        "(TXT) and data (CSV).",
    ),
    "pairs": CommandEntry(
        "train", "mount_pairs", "The annotator's responses against those of all others: what CAPO "
        "learns from.",
    ),
    "profile": CommandEntry(
        "generate", "mount_profiles", "Value profiles: descriptions of annotators, generated from "
        "their training responses.",
    ),
    "train": CommandEntry(
        "train", "mount", "Fine-tune an adapter that answers as an annotator would."
    ),
    "generate": CommandEntry(
        "generate", "mount", "Generate answers in annotators' places; run the same command again "
        "to resume.",
    ),
    "evaluate": CommandEntry(
        "evaluate", "mount", "Score methods against their target annotators, with floor, ceiling "
        "and chance.",
    ),
    "judge": CommandEntry(
        "evaluate", "mount_llm_judge", "Attribute texts of people and methods by an LLM judge; "
        "run it again to resume.",
    ),
    "retention": CommandEntry(
        "retention", "mount", "Measure retention along the adapter strength; run it again "
        "to resume.",
    ),
    "experiment": CommandEntry(
        "experiments", "mount", "All methods for all annotators, as runs that depend on one "
        "another.",
    ),
    "runs": CommandEntry(
        "runs", "mount", "List, stop, resume, repeat and delete runs (training, generation, "
        "evaluation).",
    ),
    "queue": CommandEntry(
        "runs", "mount", "Start the runs that may start, and list queued and running ones.",
    ),
    "distributions": CommandEntry(
        "distributions", "mount", "Label distributions of people and models.",
    ),
    "benchmark": CommandEntry(
        "benchmark", "mount", "Boards of the field: published rows, and ours by the same scoring "
        "rules.",
    ),
    "study": CommandEntry(
        "study_design", "mount", "Blind studies: judges attribute and compare texts without "
        "knowing their source.",
    ),
    "export": CommandEntry(
        "export", "mount", "Export a dataset with its results: the annotator atlas, and the map of "
        "explanations.",
    ),
    "models": CommandEntry(
        "models", "mount", "Base models: list, get from the package index or the hub, import, "
        "merge, remove.",
    ),
    "base": CommandEntry(
        "embedded_base", "mount", "The embedded base model, and small base models from your own "
        "text.",
    ),
})  # fmt: skip


class LazyCommands(TyperGroup):
    """The group of `COMMANDS`, each imported when it is called."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = dict.fromkeys(COMMANDS)  # whose names Typer suggests after a typing error

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def load_command(name: str) -> Any:
    """Import the file of a command of `COMMANDS` and return the command."""
    entry = COMMANDS[name]
    parent = typer.Typer(rich_markup_mode=None)
    getattr(import_module(f"{__name__}.{entry.module}"), entry.mount)(parent)
    return typer.main.get_group(parent).commands[name]


app = typer.Typer(
    cls=LazyCommands,
    help="CAPO Lab: human label variation as signal. Everything lives under CAPO_WORKSPACE "
    "(default ./workspace).",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.callback()(lambda: None)  # so that Typer makes a group of it, though it lists no command yet


def main() -> None:
    """CommandEntry of `capo` and of `python -m capo_core`."""
    try:
        app()
    except (ImportError, OSError, MemoryError) as raised:
        # A command's file is imported outside the command, which prints its errors itself.
        error = plain_error(raised)
        if error is None:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
