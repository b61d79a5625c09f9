"""`python -m capo_core generate`; with `mount` also `profile` (see `cli_profile.py`)."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

import typer

from capo_core import cli_profile
from capo_core.cli_models import (
    AsJson,
    Base,
    BatchTokens,
    By,
    Concurrency,
    Longest,
    Name,
    PerMinute,
    Precision,
    Seed,
    Server,
    Temperature,
    Timeout,
    TopP,
    Who,
    backend_of,
    changed,
    defaults_of,
    refuse,
    targets_of,
)
from capo_core.cli_support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    shown_progress,
    stoppable,
)
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.generate_config import GenerateConfig
from capo_core.workspace import Workspace


def mount(app: typer.Typer) -> None:
    """Add the commands `generate` and `profile` to `app`."""
    defaults = defaults_of(GenerateConfig("zero_shot"))
    app.command("generate", cls=ManyValues, epilog=defaults)(generate)
    cli_profile.mount(app)


@plain_errors
def generate(
    dataset: Name,
    annotator: Who,
    method: Annotated[str, typer.Option(help="zero_shot, icl, profile, sft or capo.")],
    run: Annotated[
        list[str] | None,
        typer.Option(help="sft, capo: the training runs; else the only one for each annotator."),
    ] = None,
    base: Base = None,
    server: Server = None,
    split: Annotated[str | None, typer.Option(help="train, validation or test.")] = None,
    items: Annotated[int | None, typer.Option(help="So many items, drawn; 0: all.")] = None,
    samples: Annotated[int | None, typer.Option(help="Answers to each item.")] = None,
    examples: Annotated[int | None, typer.Option(help="icl: responses shown.")] = None,
    how: Annotated[str | None, typer.Option(help="icl: random or nearest examples.")] = None,
    by: By = None,
    seed: Seed = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_new_tokens: Longest = None,
    precision: Precision = "auto",
    batch_tokens: BatchTokens = BATCH_TOKENS,
    concurrency: Concurrency = 4,
    per_minute: PerMinute = 0.0,
    timeout_s: Timeout = 120.0,
    as_json: AsJson = False,
) -> None:
    """Answer items as annotators would; the same command again goes on where it was stopped."""
    from capo_core.imitation.base_files import base_fingerprint, find_base
    from capo_core.imitation.generate import asked_for, run_of
    from capo_core.imitation.generate import generate as answer
    from capo_core.imitation.run_folder import find_run
    from capo_core.imitation.trained import check_base, find_trained, trained
    from capo_core.jobs.foreground_runs import shown_to_all

    config = changed(
        GenerateConfig(method),
        split=split, items=items, samples=samples, examples=examples, how=how, seed=seed,
        temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens,
    )  # fmt: skip
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    targets = targets_of(data, annotator)
    found = None
    if config.trained:
        refuse(server, "--server", "a server cannot take an adapter", "leave it out")
        runs = [find_run(workspace, name) for name in run or ()]
        if not runs:
            only = base_fingerprint(find_base(base)) if base else ""
            runs = find_trained(workspace, method, targets, data, fingerprint=only)
        found = trained(runs, method, targets, data)
        config = replace(config, named=found.named)
        base = base or found.base
    else:
        refuse(run, "--run", f"{method} uses no training run", "leave it out")
    settings = {"concurrency": concurrency, "per_minute": per_minute, "timeout_s": timeout_s}
    backend = backend_of(base, server, precision, batch_tokens, settings)
    if found is not None:
        check_base(found, backend.fingerprint, backend.name)
    adapters = found.adapters if found else {}
    texts = _profiles(data, targets, workspace, backend.name, by) if method == "profile" else {}
    folder = run_of(workspace, asked_for(data, targets, config, backend, adapters, texts))
    before = folder.done
    embed = None
    if method == "icl" and config.how == "nearest":
        from capo_core.text.embed import Embedder

        embed = Embedder(workspace.cache)
    request = {
        **({"server": server} if server else {"base": backend.name, "precision": precision,
                                              "batch_tokens": batch_tokens}),
        "targets": targets,
        "config": config.to_dict(),
        **({"adapters": [path.parent.name for path in set(adapters.values())]} if found else {}),
    }  # fmt: skip
    # A profile of the workspace may be edited, and a run that is repeated asks for a run of it.
    kind = "" if texts else "generate"
    with ExitStack() as stack:
        shown = stack.enter_context(shown_progress(quiet=as_json))
        progress = stack.enter_context(stoppable(shown))
        if not before:
            progress = stack.enter_context(
                shown_to_all(workspace, folder, kind, data, request, progress)
            )
        answer(
            data,
            targets,
            config,
            backend,
            folder,
            adapters=adapters,
            profiles=texts,
            embed=embed,
            progress=progress,
        )
    if as_json:
        print_json({"run": folder.run_id, "folder": str(folder.path), **folder.result})
    else:
        _print_result(folder, config, before)


def _profiles(
    data: Dataset, targets: list[str], workspace: Workspace, model: str, by: str | None
) -> dict[str, str]:
    """Each annotator's profile: by the model named, else by the one that answers, else the only
    one there is."""
    from capo_core.imitation.profile import usable_text
    from capo_core.imitation.profile_store import profiles, the_profile

    texts = {}
    for target in targets:
        own = any(each.model == model for each in profiles(data, workspace, target))
        chosen = the_profile(data, target, workspace, model=by or (model if own else ""))
        texts[target] = usable_text(chosen)
    return texts


def _print_result(folder: Any, config: Any, before: bool) -> None:
    result = folder.result
    resumed = f" ({result['kept']} of them kept from before)" if result["kept"] else ""
    console.print(
        f"{config.method}: {result['outputs']} outputs{resumed}, {result['parsed']} of them read"
        + (", finished before" if before else f", {result['seconds']:.1f} s"),
        markup=False,
    )
    for problem, count in result["problems"].items():
        console.print(f"  not read: {count} {problem}", markup=False)
    if result["cut"]:
        console.print(f"  cut: {result['cut']} at {config.max_new_tokens} tokens", markup=False)
    shown = {int(n): count for n, count in result.get("examples_shown", {}).items()}
    fewer = sum(count for n, count in shown.items() if n < config.examples)
    if fewer:
        console.print(
            f"  {fewer} prompts show fewer than {config.examples} examples (down to "
            f"{min(shown)}): the model's context holds no more",
            markup=False,
        )
    console.print(
        f"  {result['prompt_tokens']:,} tokens asked, {result['output_tokens']:,} written",
        markup=False,
    )
    console.print(f"  run {folder.run_id}", markup=False, soft_wrap=True)
