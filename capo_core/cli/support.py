"""What all commands share: errors without traces, JSON on stdout, options with many values."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from typer.core import TyperCommand

from capo_core.errors import CapoError, Stopped
from capo_core.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])
ERROR_CODE = 2
FILE_WIDTH = 140

# Results, for people. A pipe or a file has no width; tables there must not be cut to 80 columns.
console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else FILE_WIDTH)
errors_console = Console(stderr=True)  # progress and errors


def plain_errors(command: Command) -> Command:
    """A command whose `CapoError`s are printed on stderr, without a trace, with exit code 2."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        with plainly():
            return command(*args, **kwargs)

    return wrapped


@contextmanager
def plainly() -> Iterator[None]:
    """The same for a block of code."""
    try:
        yield
    except CapoError as error:
        text = f"error: {error}".encode("utf-8", "backslashreplace").decode("utf-8")
        print(text, file=sys.stderr)
        raise typer.Exit(ERROR_CODE) from None


def print_json(value: Any) -> None:
    """`value` as JSON on stdout, and nothing else; NaN is refused."""
    # Escaped to ASCII, so that no terminal encoding and no broken character can stop it.
    print(json.dumps(value, indent=2, allow_nan=False))


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr as a `Progress`; nothing where `quiet`, or no one is looking."""
    if quiet or not errors_console.is_terminal:
        yield lambda what, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns, console=errors_console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@contextmanager
def stoppable(progress: Progress) -> Iterator[Progress]:
    """A progress that raises `Stopped` once the process is asked to end (Ctrl-C, SIGTERM).

    So what was done is kept before it ends. A second Ctrl-C ends it at once.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    def checked(what: str, share: float) -> None:
        progress(what, share)
        if asked:
            raise Stopped("stopped, as asked", todo="give the same command again to go on")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield checked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ManyValues(TyperCommand):
    """A command whose repeatable options take several values in a row.

    `--pool 1 2 4` is read as `--pool 1 --pool 2 --pool 4`. Values end at the next option; after a
    first value of the form `role=column` only further ones of that form are taken, so that
    `--map label=answer votes.csv` leaves the path alone.
    """

    def parse_args(self, ctx, args):
        options = [param for param in self.params if getattr(param, "multiple", False)]
        repeatable = {name for option in options for name in option.opts}
        return super().parse_args(ctx, spread(args, repeatable))


def spread(args: list[str], repeatable: set[str]) -> list[str]:
    """`args` with the name of a repeatable option put before each of its further values."""
    result: list[str] = []
    option, first = "", ""
    for position, arg in enumerate(args):
        if arg == "--":
            return result + args[position:]
        if arg.startswith("-") and not _number(arg):
            option, first = (arg if arg in repeatable else ""), ""
            result.append(arg)
        elif option and not first:
            first = arg
            result.append(arg)
        elif option and _number(first) == _number(arg) and ("=" in first) == ("=" in arg):
            result += [option, arg]
        else:
            option = ""
            result.append(arg)
    return result


def _number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
