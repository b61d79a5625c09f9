"""Commands of the group `benchmark`: published boards of the field, with our rows beside them.

python -m capo_core benchmark lewidi --dataset paraphrase --track content
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from capo_core.cli.experiments import OF_PRESET, wait_for
from capo_core.cli.fetch import Fetch, fetch_missing
from capo_core.cli.options import with_options
from capo_core.cli.result_file import check_ending, write_and_print, write_result
from capo_core.cli.runs import changes_of
from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_results,
    progress_bar,
)
from capo_core.errors import ConfigError
from capo_core.leaderboards.boards import (
    BOARDS,
    CONTENT,
    TASKS,
    TRACKS,
    Board,
    check_track,
    find_board,
)
from capo_core.runs.experiments.config import PRESETS, ExperimentConfig
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.leaderboards.board import BoardRow, Leaderboard

ENDINGS = (".json", ".csv", ".md", ".tex")

app = typer.Typer(
    help="Boards of the field: published rows, and ours by the same scoring rules.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(parent: typer.Typer) -> None:
    """Add the group `benchmark` to `parent`."""
    app.command("lewidi", cls=ManyValues)(lewidi)
    app.callback()(lambda: None)
    parent.add_typer(app, name="benchmark")


@plain_errors
@with_options(
    ExperimentConfig,
    only=("methods", "base", "allow_embedded", "server", "seeds"),
    names={"methods": "method", "seeds": "run_seed"},
    defaults={"methods": "none; generate nothing", "base": OF_PRESET, "seeds": OF_PRESET},
)
def lewidi(
    given: dict[str, Any],
    dataset: Annotated[str, typer.Option(help=f"Board: {', '.join(BOARDS)}.")],
    track: Annotated[
        str, typer.Option(help=f"What may be read: {', '.join(TRACKS)} (of the test items).")
    ] = CONTENT,
    data: Annotated[
        str, typer.Option(help="Dataset with the board's parts. Default: the only one there is.")
    ] = "",
    system: Annotated[
        list[str] | None, typer.Option(help="Only these rows of ours. Default: all of the track.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Generations to score as rows. Default: all finished ones (content)."),
    ] = None,
    no_runs: Annotated[bool, typer.Option("--no-runs", help="Score no generations.")] = False,
    seed: Annotated[
        list[int] | None, typer.Option(help="Random seeds of the encoder. Default: 0 1 2.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Train again, even where predictions are saved.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help=f"Output file: {', '.join(ENDINGS)}.")] = None,
    annotator: Annotated[
        list[str] | None,
        typer.Option(help="With --method: only these annotators. Default: all of the test part."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help=f"With --method: settings to start from, {', '.join(PRESETS)}.")
    ] = "real",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="With --method: a stage's setting, such as sft.epochs=3."),
    ] = None,
    fetch: Fetch = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Score our rows on a board of LeWiDi-2025 and print them under the published ones.

    With --method, imitations of all annotators are trained and generated first on the board's own
    split, as an experiment that a repeated command resumes, and scored as rows.
    """
    from capo_core.leaderboards import store
    from capo_core.leaderboards.compute import check_generations, compute
    from capo_core.leaderboards.find import datasets_of, source_of
    from capo_core.runs.experiments.store import base_needed

    board = find_board(dataset)
    check_track(board, track)
    check_ending(out, ENDINGS, "a board")
    if run:
        check_generations(track)
    workspace = Workspace.default()
    if fetch:
        wanted = data or ("" if datasets_of(workspace, board) else source_of(board))
        fetch_missing(workspace, dataset=wanted, quiet=as_json)
    if given.get("methods"):
        if run or no_runs:
            raise ConfigError(
                "generations are either made or chosen", todo="--method without --run or --no-runs"
            )
        config = _imitations(
            workspace, board, track, given, data=data, systems=system or (), preset=preset,
            annotators=annotator or (), changes=set_ or (),
        )  # fmt: skip
        if fetch:
            fetch_missing(workspace, base=base_needed(config), quiet=as_json)
        _generate(workspace, config, as_json)
    elif given or annotator or set_:
        raise ConfigError(
            "settings of imitations are given, and no method", todo="--method zero_shot sft"
        )
    with progress_bar(quiet=as_json) as progress:
        result = compute(
            workspace, board, track, data=data, systems=system or (), runs=run or None,
            with_runs=not no_runs, seeds=tuple(seed or (0, 1, 2)), again=again, progress=progress,
        )  # fmt: skip
    # On the other track generations have no row, so that nothing is left out.
    some = bool(system or run) or (no_runs and track == CONTENT)
    if not some:
        store.save(result, workspace)
    write_and_print(result, out, write=_write, show=show, as_json=as_json)
    if some and not as_json:
        console.print("Not all rows of the track: the saved board stays as it is.", markup=False)


def _imitations(
    workspace: Workspace,
    board: Board,
    track: str,
    given: dict[str, Any],
    *,
    data: str,
    systems: Sequence[str],
    preset: str,
    annotators: Sequence[str],
    changes: Sequence[str],
) -> ExperimentConfig:
    """Return the experiment that imitates a board's annotators on the board's own split."""
    from capo_core.leaderboards.board import chosen_systems
    from capo_core.leaderboards.cells import board_task
    from capo_core.leaderboards.find import find_dataset
    from capo_core.runs.experiments.board_methods import board_experiment

    chosen_systems(board, track, systems)  # a wrong name shows before hours go by
    task = board_task(find_dataset(workspace, board, data), board)
    return board_experiment(
        task, track, preset=preset, annotators=annotators, changes=changes_of(changes), **given
    )


def _generate(workspace: Workspace, config: ExperimentConfig, as_json: bool) -> None:
    """Run the experiment, or what is left of it, to its end.

    Raises:
        RunError: none of its generations succeeded.
    """
    from capo_core.errors import RunError
    from capo_core.runs.experiments import store

    experiment = store.start(workspace, config)
    now = wait_for(experiment, quiet=as_json)
    runs = zip(experiment.members, experiment.runs(), strict=True)
    wanted = [run for one, run in runs if one.kind == "generate"]
    done = [run for run in wanted if run is not None and run.files.done]
    if not done:
        raise RunError(
            f"no generation is finished: {now.message}",
            where=experiment.experiment_id,
            todo="inspect the runs (runs list, runs show), then repeat the command",
        )
    if len(done) < len(wanted) and not as_json:
        console.print(f"Not everything succeeded: {now.message}", markup=False, soft_wrap=True)


def _write(result: Leaderboard, out: Path) -> None:
    import pandas as pd

    from capo_core.leaderboards import report

    table = pd.concat([result.table(task) for task in TASKS])
    write_result(result, out, table, {".md": report.to_markdown, ".tex": report.to_latex})


def show(result: Leaderboard) -> None:
    """Print a board: the published rows, ours in a table of their own, and what limits both."""
    from capo_core.leaderboards import report

    print_results(result.provenance, result.headline())
    names, ours = report.HEADER, result.provenance.titled(f"Ours: {result.title}")
    for title, rows in (("Published", result.published), (ours, result.ours)):
        table = Table(names[0], box=None, title=f"\n{title}", title_justify="left")
        for name in names[1:]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*(Text(cell) for cell in report.cells(row)))
        console.print(table, markup=False)
    console.print(f"\n{report.measures(result)}", markup=False)
    for text in (*report.reproduction(result), *result.notes, *map(_note, result.ours)):
        if text:
            console.print(text, markup=False)


def _note(row: BoardRow) -> str:
    return f"{row.title}: {row.note}" if row.note else ""
