"""`python -m capo_core judge`: a language model says who wrote a text."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from capo_core.cli_models import (
    AsJson,
    Base,
    BatchTokens,
    Concurrency,
    Longest,
    Name,
    PerMinute,
    Precision,
    Seed,
    Server,
    Timeout,
    backend_of,
    changed,
    refuse,
)
from capo_core.cli_support import ManyValues, console, plain_errors, print_json, shown_progress
from capo_core.data.catalog import Catalog
from capo_core.workspace import Workspace


def mount(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command("judge", cls=ManyValues)(judge)


@plain_errors
def judge(
    dataset: Name,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Finished generations, by name; none: only people's texts are judged."),
    ] = None,
    base: Base = None,
    server: Server = None,
    guess: Annotated[
        bool, typer.Option("--guess", help="No model: a judge that guesses, to try the way.")
    ] = False,
    split: Annotated[str, typer.Option(help="Where no runs are named: the part judged.")] = "test",
    cards: Annotated[int | None, typer.Option(help="Texts on each annotator's card.")] = None,
    k: Annotated[int | None, typer.Option("--k", help="Texts judged together.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Questions for each annotator and source; 0: all.")
    ] = None,
    seed: Seed = None,
    max_new_tokens: Longest = None,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = 16384,
    concurrency: Concurrency = 4,
    per_minute: PerMinute = 0.0,
    timeout_s: Timeout = 120.0,
    as_json: AsJson = False,
) -> None:
    """Ask a model who wrote people's and methods' texts; the same command again goes on."""
    from capo_core.evaluation.judge import load
    from capo_core.evaluation.judge_design import JudgeConfig
    from capo_core.evaluation.judge_join import KEPT
    from capo_core.imitation.run_folder import RunFolder
    from capo_core.jobs import judge_run, submission
    from capo_core.jobs.foreground import foreground
    from capo_core.jobs.request import Request

    config = changed(
        JudgeConfig(), cards=cards, k=k, trials=trials, seed=seed, max_new_tokens=max_new_tokens
    )
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    if guess:
        refuse(base or server, "--guess", "a guess needs no model", "leave one of them out")
        who: dict[str, Any] = {"guess": True}
        backend = judge_run.guesser()
    else:
        asking = {"concurrency": concurrency, "per_minute": per_minute, "timeout_s": timeout_s}
        backend = backend_of(base, server, precision, batch_tokens, asking)
        who = {"server": server} if server else {"base": base or "embedded"}
    settings = {
        "dataset": data.name,
        "fingerprint": data.fingerprint,
        "runs": list(run or ()),
        **({} if run else {"split": split}),
        **who,
        **({} if precision == "auto" else {"precision": precision}),
        "config": config.to_dict(),
    }
    folder = RunFolder(workspace.runs / submission.name_of(Request("judge", settings)))
    if not folder.done:
        with (
            shown_progress(quiet=as_json) as shown,
            foreground(
                workspace, folder, kind="judge", settings=settings, progress=shown
            ) as progress,
        ):
            judge_run.judge_runs(data, settings, backend, workspace, folder, progress)
    found = load(folder.path / KEPT)
    if as_json:
        print_json({"run": folder.run_id, "folder": str(folder.path), **found.to_dict()})
        return
    _show(found)
    console.print(f"run {folder.run_id}", markup=False, soft_wrap=True)


def _show(found: Any) -> None:
    from rich.table import Table

    from capo_core.evaluation.table import ALL

    console.print(found.sentence, markup=False)
    table = Table("source", "given to the target", "trials", "not read", "chance", box=None)
    for row in found.table[found.table["target"] == ALL].itertuples():
        shown = f"{row.value:.2f} [{row.low:.2f}–{row.high:.2f}]"
        table.add_row(row.source, shown, str(row.n), str(row.unread), f"{row.chance:.2f}")
    console.print(table, markup=False)
    console.print("Means over annotators, intervals 95 %.", markup=False)
