"""`python -m capo_core runs …` and `queue`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from capo_core.cli.support import ManyValues, console, plain_errors, print_json
from capo_core.errors import CapoError, ConfigError
from capo_core.formatting import elapsed, listed, number, percent
from capo_core.json_text import json_text
from capo_core.workspace import Workspace


def as_dict(run: Any, status: Any) -> dict:
    """Return a run and its status as JSON, for `--json`."""
    from capo_core.runs import queue
    from capo_core.runs import run as runs_run

    about = {
        "run": run.run_id,
        "folder": str(run.folder),
        "state": status.state,
        "message": status.text,
        "share": status.share,
        "seconds": round(status.duration_s(), 2),
        "left_s": status.left_s(),
        "silent_s": round(runs_run.silence_s(status), 1),
        "peak_bytes": status.peak_bytes,
        "gpu_peak_bytes": status.gpu_peak_bytes,
    }
    if status.state != runs_run.BROKEN:
        try:
            request = run.request
        except CapoError:  # started without a request
            return about
        about |= {"kind": request.kind, "after": list(request.waits_for), "queued": request.queued}
        if status.state == "queued" and not status.pid:
            about["message"] = queue.reason_for_waiting(run) or status.text
    return about


def lines_of(about: dict) -> list[str]:
    """Return the lines that `runs show` prints."""
    from capo_core.formatting import size

    lines = [f"{about['run']} ({about.get('kind', 'unknown kind')})"]
    lines.append(f"  {about['state']}: {about['message']}")
    if about["state"] in ("stopped", "lost", "failed"):
        lines.append(f"  {about['goes_on']} (runs resume)")
    if about["seconds"]:
        lines.append(f"  computed for {elapsed(about['seconds'])}")
    if about["peak_bytes"]:
        lines.append(f"  peak memory {size(about['peak_bytes'])}")
    if about["gpu_peak_bytes"]:
        lines.append(f"  peak GPU memory {size(about['gpu_peak_bytes'])}")
    if about["estimate"]:
        lines += [f"  estimate: {sentence}" for sentence in about["estimate"].get("sentences", [])]
    if about["notes"]:
        lines.append(f"  notes: {about['notes'].strip()}")
    lines.append(f"  folder {about['folder']}")
    for title in ("settings", "result"):
        if about[title]:
            text = json_text(about[title])
            lines += [f"  {title}:", *(f"    {line}" for line in text.splitlines())]
    return lines


def print_runs(found: list, results: Mapping[str, Any] | None = None) -> None:
    """Print runs with their status as a table.

    Args:
        results: of the runs by their names, instead of progress and message; those that no run
            has get no column.
    """
    table = Table(box=None)
    table.add_column("run", no_wrap=True)
    state = ("compute time", "submitted") if results else ("progress", "compute time", "submitted")
    for heading in ("status", *state):
        table.add_column(heading, no_wrap=results is not None)
    own = {run.run_id: vars(results[run.run_id]) for run, _ in found} if results else {}
    names = [name for name in _RESULTS if name != "minutes"
             and any(each[name] is not None for each in own.values())]  # fmt: skip
    for name in names:
        table.add_column(_RESULTS[name][0], justify="right")
    if results is None:
        table.add_column("message")
    for run, status in found:
        about = as_dict(run, status)
        submitted = about.get("queued")
        table.add_row(
            run.run_id,
            status.state,
            *(() if results else (f"{status.share:.0%}",)),
            elapsed(about["seconds"]),
            datetime.fromtimestamp(submitted).strftime("%m-%d %H:%M") if submitted else "",
            *(_cells(own[run.run_id], names) if own else ()),
            *((about["message"],) if results is None else ()),
        )
    console.print(table, markup=False)


def changes_of(texts: Sequence[str]) -> dict[str, Any]:
    """Return `name=value` texts as a dictionary; values are parsed as JSON where they are JSON."""
    found = {}
    for text in texts:
        name, equals, raw = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{text!r} is not a setting", expected="name=value", where="--set")
        try:
            found[name] = json.loads(raw)
        except ValueError:
            found[name] = raw
    return found


runs_app = typer.Typer(
    help="List, stop, resume, repeat and delete runs (training, generation, evaluation).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SORTED = ("label_accuracy", "attribution", "validation_loss", "minutes", "peak_gb", "n")
Name = Annotated[str, typer.Argument(help="Name of the run (see: runs list).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
LOOK_S = 0.5


def mount(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.add_typer(runs_app, name="runs")
    app.command("queue")(queue_)


@runs_app.command("list")
@plain_errors
def list_(
    state: Annotated[
        str | None, typer.Option(help="Only runs with this status, for instance failed.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only runs on this dataset.")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only runs of this experiment (see: experiment list).")
    ] = None,
    by_experiment: Annotated[
        bool,
        typer.Option("--by-experiment", help="One line for each experiment and method."),
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            help=f"Show results, and sort by one, the highest first: {listed(SORTED, 'or')}."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List all runs, the last submitted first."""
    from capo_core.runs import queue, results
    from capo_core.runs import run as runs_run
    from capo_core.runs.status import ENDED, LIVE
    from capo_core.runs.summary import summarise_run

    if sort not in (None, *SORTED):
        raise ConfigError(
            f"there is no result {sort!r}", where="--sort", expected=f"one of {listed(SORTED)}"
        )
    states = (*LIVE, *ENDED, runs_run.BROKEN)
    if state not in (None, *states):
        raise ConfigError(
            f"there is no status {state!r}", where="--state", expected=f"one of {listed(states)}"
        )
    workspace = Workspace.default()
    queue.advance(workspace)
    every = [summarise_run(run) for run in reversed(runs_run.all_runs(workspace))]
    came = results.results_of(every)
    found = [
        seen
        for seen in every
        if state in (None, seen.state)
        and dataset in (None, seen.dataset)
        and experiment in (None, seen.experiment)
    ]
    if not found and not as_json:
        console.print("No run is like this." if every else "There are no runs yet.")
        return
    if by_experiment:
        groups = results.by_experiment(found, came)
        groups = _sorted(groups, sort, lambda group: group[sort])
        if as_json:
            print_json(groups)
        else:
            _print_groups(groups)
        return
    found = _sorted(found, sort, lambda seen: getattr(came[seen.run_id], str(sort)))
    if as_json:
        print_json([{**as_dict(seen.run, seen.status), "results": asdict(came[seen.run_id])}
                    for seen in found])  # fmt: skip
        return
    print_runs([(seen.run, seen.status) for seen in found], came if sort else None)


def _sorted(rows: list, name: str | None, value: Callable[[Any], float | None]) -> list:
    """Return rows with the highest value first and those without one last."""
    if name is None:
        return rows
    return sorted(rows, key=lambda row: -float("inf") if value(row) is None else value(row),
                  reverse=True)  # fmt: skip


# Titles of results in lists, and how each is written.
_RESULTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "label_accuracy": ("label acc.", percent),
    "attribution": ("attributed", percent),
    "human": ("target's own", percent),
    "validation_loss": ("val. loss", lambda value: number(value, 3)),
    "minutes": ("minutes", lambda value: number(value, 1)),
    "peak_gb": ("peak GB", lambda value: number(value, 1)),
}


def _cells(values: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return ["" if values[name] is None else _RESULTS[name][1](values[name]) for name in names]


def _print_groups(groups: list[dict[str, Any]]) -> None:
    table = Table(box=None)
    for heading in ("experiment", "method", "base model"):
        table.add_column(heading)
    for heading in ("runs", "n", *(title for title, _ in _RESULTS.values())):
        table.add_column(heading, justify="right")
    for row in groups:
        n = "" if row["n"] is None else f"{row['n']:,}"
        table.add_row(
            row["experiment"] or "none", row["method"], row["base"],
            f"{row['succeeded']} of {row['runs']}", n, *_cells(row, tuple(_RESULTS)),
        )  # fmt: skip
    console.print(table, markup=False)


@runs_app.command("show")
@plain_errors
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a run: settings, status, result and resources used."""
    from capo_core.runs import actions
    from capo_core.runs import run as runs_run

    run = runs_run.find_run(Workspace.default(), name)
    status = run.status()
    about = as_dict(run, status)
    about["notes"] = run.notes
    about["goes_on"] = actions.resume_point(run).words
    about["estimate"] = run.estimate
    try:
        about["settings"] = run.request.settings
    except CapoError:
        about["settings"] = None
    about["result"] = run.files.result if run.files.done else None
    if as_json:
        print_json(about)
        return
    for line in lines_of(about):
        console.print(line, markup=False, soft_wrap=True)


@runs_app.command("log")
@plain_errors
def log(
    name: Name,
    lines: Annotated[int, typer.Option(help="Number of lines from the end (0 = all).", min=0)] = 50,
) -> None:
    """Show the output of the run's process."""
    from capo_core.runs import run as runs_run

    text = runs_run.find_run(Workspace.default(), name).log.splitlines()
    for line in text[-lines:] if lines else text:
        console.print(line, markup=False, soft_wrap=True, highlight=False)


@runs_app.command("answer")
@plain_errors
def answer(
    name: Name,
    item: Annotated[str, typer.Option(help="The item that was answered.")],
    annotator: Annotated[
        str | None, typer.Option(help="The imitated annotator, where there are several.")
    ] = None,
    sample: Annotated[int, typer.Option(help="Number of the answer to the item, from 0.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show one answer of a generation: prompt, raw output and tokens."""
    from capo_core.data.catalog import Catalog
    from capo_core.runs import run as runs_run
    from capo_core.runs.answer_details import answer_details

    workspace = Workspace.default()
    run = runs_run.find_run(workspace, name)
    config = run.files.config
    targets = [str(each) for each in config.get("targets", [])]
    if annotator is None and len(targets) != 1:
        raise ConfigError(
            "the run imitates several annotators", where="--annotator",
            expected=f"one of {listed(targets)}",
        )  # fmt: skip
    dataset = Catalog(workspace).load(str((config.get("dataset") or {}).get("name", "")))
    found = answer_details(workspace, run, dataset, annotator or targets[0], item, str(sample))
    if as_json:
        print_json(found.to_dict())
        return
    for title, text in (
        (f"Prompt ({found.prompt_count:,} tokens)", found.prompt),
        (f"Raw output ({found.output_count:,} tokens, {found.finish})", found.raw),
        ("Tokens of the output", " | ".join(map(repr, found.output_tokens))),
        ("Tokens of the prompt", " | ".join(map(repr, found.prompt_tokens))),
    ):
        if text:
            console.print(f"{title}\n{text}\n", markup=False, soft_wrap=True, highlight=False)
    if found.note:
        console.print(found.note, markup=False, soft_wrap=True)


@runs_app.command("stop")
@plain_errors
def stop(
    name: Name,
    now: Annotated[bool, typer.Option("--now", help="Stop immediately, without saving.")] = False,
) -> None:
    """Save and stop a run; a queued run is removed from the queue."""
    from capo_core.runs import actions

    console.print(f"{name}: {actions.stop(Workspace.default(), name, now=now)}", markup=False)


@runs_app.command("resume")
@plain_errors
def resume(name: Name) -> None:
    """Resume a run that was stopped, lost or failed."""
    from capo_core.runs import actions

    console.print(f"{name} {actions.resume(Workspace.default(), name).words}", markup=False)


@runs_app.command("again", cls=ManyValues)
@plain_errors
def again(
    name: Name,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting and its new value, for instance config.epochs=3."),
    ] = None,
) -> None:
    """Repeat a run with other settings, as a new run."""
    from capo_core.runs import actions

    run = actions.repeat(Workspace.default(), name, changes_of(set_ or []))
    console.print(f"{run.run_id}: {run.status().state}", markup=False)


@runs_app.command("delete")
@plain_errors
def delete(name: Name) -> None:
    """Move a run to the workspace's trash folder."""
    from capo_core.runs import actions

    console.print(f"moved to {actions.delete(Workspace.default(), name)}", markup=False)


@runs_app.command("restore")
@plain_errors
def restore(
    name: Annotated[str, typer.Argument(help="Name of the folder in the trash.")],
) -> None:
    """Restore a run from the trash folder."""
    from capo_core.runs import actions

    console.print(f"{actions.restore(Workspace.default(), name).run_id} is restored", markup=False)


@runs_app.command("notes")
@plain_errors
def notes(
    name: Name,
    text: Annotated[str | None, typer.Argument(help="The new notes; '' deletes them.")] = None,
) -> None:
    """Show or replace the notes on a run."""
    from capo_core.runs import actions
    from capo_core.runs import run as runs_run

    workspace = Workspace.default()
    if text is not None:
        actions.write_notes(workspace, name, text)
    console.print(runs_run.find_run(workspace, name).notes or "No notes.", markup=False)


@plain_errors
def queue_(
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until no run is left to start.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the runs that may start, and list queued and running ones."""
    from capo_core.runs import queue
    from capo_core.runs import run as runs_run

    workspace = Workspace.default()
    queue.advance(workspace)
    while wait and any(_moves(run) for run in runs_run.all_runs(workspace)):
        time.sleep(LOOK_S)
        queue.advance(workspace)
    found = [(run, run.status()) for run in runs_run.all_runs(workspace)]
    found = [(run, status) for run, status in found if status.live]
    if as_json:
        print_json([as_dict(run, status) for run, status in found])
    elif found:
        print_runs(found)
    else:
        console.print("No run is queued or running.")


def _moves(run: Any) -> bool:
    """Return whether the run will change without any further command."""
    from capo_core.runs import queue

    status = run.status()
    if status.state == "queued" and not status.pid and not status.slurm:
        return not queue.reason_for_waiting(run)
    return status.live
