"""The parts that all commands share: errors without traces, JSON on stdout, progress on stderr,
options with several values, and options and commands that go on under their former name."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from typer.core import TyperCommand, TyperGroup

from capo_core.errors import Stopped, plain_error
from capo_core.json_text import json_text
from capo_core.progress import Progress
from capo_core.provenance import Provenance

Command = TypeVar("Command", bound=Callable[..., Any])
Value = TypeVar("Value")
ERROR_CODE = 2
FILE_WIDTH = 140
MOST_SHOWN = 20  # annotators printed by a command, each with a line or a paragraph

# Results, for people. A pipe or a file has no width; tables there must not be cut to 80 columns.
console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else FILE_WIDTH)
errors_console = Console(stderr=True)  # progress and errors


def plain_errors(command: Command) -> Command:
    """Decorate a command so that its errors end it as `print_errors` does."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        with print_errors():
            return command(*args, **kwargs)

    return wrapped


@contextmanager
def print_errors() -> Iterator[None]:
    """Print an error of the block on stderr, without a trace, and exit with code 2.

    Only what `errors.plain_error` has no words for is passed on: a defect.
    """
    try:
        yield
    except Exception as raised:
        error = plain_error(raised)
        if error is None:
            raise
        hint = f" Option: {error.option}" if error.option else ""
        text = f"error: {error}{hint}".encode("utf-8", "backslashreplace").decode("utf-8")
        print(text, file=sys.stderr)
        raise typer.Exit(ERROR_CODE) from None


def print_results(source: Provenance, *sentences: str, end: str = "\n") -> None:
    """Print sentences of results, each with what is simulated in front, as exports have them.

    All results of commands go through here; the titles of their tables through `source.titled`.
    """
    for sentence in sentences:
        console.print(source.marked(sentence), markup=False, end=end)


def print_json(value: Any) -> None:
    """Print `value` as JSON on stdout, and nothing else; what is not finite is null."""
    # Escaped to ASCII, so that no terminal encoding and no broken character can stop it.
    print(json_text(value, ascii_only=True))


def first_of(values: Sequence[Value], most: int = MOST_SHOWN) -> tuple[Sequence[Value], str]:
    """Return the first `most` values and the line on the others, which is empty without others.

    Every command that prints a line, a row or a paragraph for each annotator uses it, so that a
    dataset of 600 annotators does not fill the screen; `--json` is never cut.

    >>> first_of("abcde", most=3)
    ('abc', '2 more (--json has all)')
    """
    hidden = len(values) - most
    return values[:most], f"{hidden:,} more (--json has all)" if hidden > 0 else ""


_SPEED_S = 900.0  # seconds over which the speed is taken for the time left


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """Yield a `Progress` that draws a bar on stderr; nothing is drawn if `quiet` or redirected."""
    if quiet or not errors_console.is_terminal:
        yield lambda what, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    # Rich takes the speed of the last half minute, in which a slow training has no step.
    with Bar(
        *columns, console=errors_console, transient=True, speed_estimate_period=_SPEED_S
    ) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@contextmanager
def stoppable(progress: Progress) -> Iterator[Progress]:
    """Yield a progress that raises `Stopped` once the process receives Ctrl-C or SIGTERM.

    So results are saved before the process ends. A second Ctrl-C ends it at once.
    """
    signals: list[int] = []

    def remember(number: int, frame: object) -> None:
        signals.append(number)
        signal.signal(number, before[number])

    def checked(what: str, share: float) -> None:
        progress(what, share)
        if signals:
            raise Stopped("stopped by the user", todo="run the same command again to resume")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, remember)
    try:
        yield checked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


AllowEmbedded = Annotated[
    bool,
    typer.Option(
        "--allow-embedded", help="Use the embedded base model on data it was not made for."
    ),
]
BASE_HELP = (
    "Base model: 'embedded', a model of the workspace (see: models list), a folder, or a name on "
    "the hub."
)


class ManyValues(TyperCommand):
    """A command whose repeatable options take several values, and whose renamed options still work.

    `--pool 1 2 4` is read as `--pool 1 --pool 2 --pool 4` (see `repeat_names`). A former name
    registered with `renamed` is read as the present one, with a note on stderr.
    """

    def parse_args(self, ctx, args):
        former = getattr(self.callback, "renamed_options", {})
        options = [param for param in self.params if getattr(param, "multiple", False)]
        repeatable = {name for option in options for name in option.opts}
        return super().parse_args(ctx, repeat_names(present_names(args, former), repeatable))


def repeat_names(args: list[str], repeatable: set[str]) -> list[str]:
    """Return `args` with the name of a repeatable option before each of its further values.

    Values end at the next option; after a first value of the form `role=column` only further ones
    of that form are taken, so that `--map label=answer votes.csv` leaves the path alone.
    """
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


def renamed(*names: str) -> Callable[[Command], Command]:
    """Decorate a command so that options work under their former name, with a note on stderr.

        @app.command(cls=ManyValues)
        @renamed("--manner", "--style")
        def simulate(style: float = 1.0): ...

    Args:
        names: former and present name in turn. A flag with a negative has two such pairs:
            `"--old", "--new", "--no-old", "--no-new"`.

    Raises:
        ValueError: the names do not come in pairs of options.
    """
    if len(names) % 2 or not all(name.startswith("--") for name in names):
        raise ValueError(f"pairs of options such as '--old', '--new' are needed, not {names}")
    former = dict(zip(names[::2], names[1::2], strict=True))

    def mark(command: Command) -> Command:
        command.renamed_options = {**getattr(command, "renamed_options", {}), **former}
        return command

    return mark


def present_names(args: list[str], former: dict[str, str]) -> list[str]:
    """Return `args` with `--old` and `--old=value` under the option's present name."""
    result: list[str] = []
    for position, arg in enumerate(args):
        if arg == "--":
            return result + args[position:]
        name, equals, value = arg.partition("=")
        if name in former:
            note_renamed(name, former[name])
            arg = f"{former[name]}{equals}{value}"
        result.append(arg)
    return result


def renamed_commands(former: dict[str, str]) -> type[TyperGroup]:
    """Return the class of a group whose commands also run under their former name.

        app = typer.Typer(cls=renamed_commands({"again": "retry"}))

    The help lists the present names only; a former one prints a note on stderr.
    """

    class RenamedCommands(TyperGroup):
        renamed_commands = former

        def get_command(self, ctx, cmd_name):
            if cmd_name in former and cmd_name not in self.commands:
                note_renamed(cmd_name, former[cmd_name])
                cmd_name = former[cmd_name]
            return super().get_command(ctx, cmd_name)

    return RenamedCommands


def note_renamed(former: str, present: str) -> None:
    """Print on stderr that `former` is called `present` now; also for the values of an option."""
    print(f"note: {former} is now {present}; the former name still works", file=sys.stderr)
