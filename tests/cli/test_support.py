"""The parts that all commands share: options and commands go on under their former name."""

import io
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from capo_core.cli import COMMANDS, app, load_command, support
from capo_core.cli.support import ManyValues, renamed, renamed_commands


@pytest.fixture
def small():
    """An app with a command `draw`, formerly `paint`, whose options were renamed."""
    made = typer.Typer(cls=renamed_commands({"paint": "draw"}))

    @made.command(cls=ManyValues)
    @renamed("--colour", "--hue", "--shiny", "--gloss", "--no-shiny", "--no-gloss")
    def draw(paths: list[str], hue: list[str] = ["red"], gloss: bool = True) -> None:  # noqa: B006
        print(f"{paths} {hue} {gloss}")

    @made.command()
    def wash() -> None:
        print("clean")

    return made


@pytest.mark.parametrize(
    ("args", "printed", "notes"),
    [
        (["draw", "a", "--hue", "red", "blue", "--no-gloss"], "['a'] ['red', 'blue'] False", []),
        (["draw", "a", "--colour", "red", "blue"], "['a'] ['red', 'blue'] True", ["--hue"]),
        (["draw", "a", "--colour=blue"], "['a'] ['blue'] True", ["--hue"]),
        (["draw", "a", "--no-shiny", "--colour=x"], "['a'] ['x'] False", ["--no-gloss", "--hue"]),
        (["draw", "--", "--colour"], "['--colour'] ['red'] True", []),
        (["paint", "a", "--colour", "x"], "['a'] ['x'] True", ["draw", "--hue"]),
        (["wash"], "clean", []),
    ],
)  # fmt: skip
def test_former_names_work_with_a_note_on_stderr(small, args, printed, notes):
    done = CliRunner().invoke(small, args)
    assert (done.exit_code, done.stdout.strip()) == (0, printed), done.output
    lines = done.stderr.splitlines()
    assert len(lines) == len(notes)
    for line, present in zip(lines, notes, strict=True):
        assert line.startswith("note: ") and f"is now {present};" in line


def test_help_lists_present_names_only(small):
    listed = CliRunner().invoke(small, ["draw", "--help"]).output
    assert "--hue" in listed and "--colour" not in listed and "--shiny" not in listed
    listed = CliRunner().invoke(small, ["--help"]).output
    assert "draw" in listed and "paint" not in listed


def test_names_come_in_pairs_of_options():
    with pytest.raises(ValueError, match="pairs"):
        renamed("--old")
    with pytest.raises(ValueError, match="pairs"):
        renamed("old", "new")


def commands(group, path=()):
    """All commands and groups below `group`, with the names that lead to them."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def test_the_help_lists_each_command_by_its_own_first_sentence():
    for name, entry in COMMANDS.items():
        own = " ".join(load_command(name).help.split("\n\n")[0].split())
        assert entry.help == own, name


def test_the_help_imports_no_command():
    """It is read often, and the measures behind the commands take a second to import."""
    code = (
        "import sys; from capo_core.cli import app; app(['--help'], standalone_mode=False);"
        "print([name for name in ('numpy', 'pandas', 'scipy', 'pydantic', 'capo_core.simulation')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *printed, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert all(any(f" {name} " in line for line in printed) for name in COMMANDS)


def test_an_unknown_command_is_refused_with_the_nearest():
    done = CliRunner().invoke(app, ["evaluat"])
    assert done.exit_code == 2 and "evaluate" in done.output


def test_every_renamed_option_and_command_leads_to_one_that_exists():
    """A command that forgets `cls=ManyValues` would ignore its former names without a word."""
    root = typer.main.get_command(app)
    for path, command in [((), root), *commands(root)]:
        former = getattr(command.callback, "renamed_options", {})
        if former:
            assert isinstance(command, ManyValues), path
        present = {
            name for param in command.params for name in (*param.opts, *param.secondary_opts)
        }
        for old, new in former.items():
            assert new in present and old not in present, (path, old, new)
        for old, new in getattr(command, "renamed_commands", {}).items():
            assert new in command.commands and old not in command.commands, (path, old, new)


def test_steps_of_minutes_have_a_time_left(monkeypatch):
    now, made, bar = [0.0], [], support.Bar

    def clocked(*columns, **settings):
        made.append(bar(*columns, get_time=lambda: now[0], auto_refresh=False, **settings))
        return made[-1]

    monkeypatch.setattr(support, "Bar", clocked)
    terminal = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(support, "errors_console", terminal)
    with support.progress_bar() as progress:
        for step in range(5):
            progress(f"step {step} of 10", step / 10)
            now[0] += 90.0
        assert made[0].tasks[0].time_remaining == pytest.approx(540, abs=1)
