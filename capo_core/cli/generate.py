"""`python -m capo_core profile write | show | edit | list`.

`python -m capo_core generate`; with `mount` also `profile` (see `cli_profile.py`).

What the commands that ask a model share: options, and the model they name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from capo_core.cli.support import (
    ManyValues,
    console,
    plain_errors,
    print_json,
    progress_bar,
    stoppable,
)
from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable, ConfigError, Stopped
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.responses import check_annotator
from capo_core.imitation.prompting.value_profiles import ProfileConfig
from capo_core.progress import part_of
from capo_core.workspace import Workspace

Name = Annotated[str, typer.Option("--dataset", help="A dataset of the catalog (data list).")]
Who = Annotated[list[str], typer.Option("--annotator", help="Whom to imitate; 'all' for each.")]
One = Annotated[str, typer.Option("--annotator", help="Whose profile.")]
Base = Annotated[
    str | None,
    typer.Option(
        help="'embedded', a model's folder, or its name on the hub. For sft and capo the base "
        "they were trained on, and need not be named; else 'embedded'."
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        help="A model of the OpenAI-compatible server at CAPO_SERVER_URL (or OPENAI_BASE_URL); "
        "the key is OPENAI_API_KEY."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of everything random.")]
Temperature = Annotated[float | None, typer.Option(help="0 takes the likeliest token.")]
TopP = Annotated[float | None, typer.Option(help="Share of the likeliest tokens drawn from.")]
Longest = Annotated[int | None, typer.Option("--max-new-tokens", help="Longest answer.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
BatchTokens = Annotated[int, typer.Option(help="Tokens computed at once; less needs less memory.")]
Concurrency = Annotated[int, typer.Option(help="Server: requests under way at once.")]
PerMinute = Annotated[float, typer.Option(help="Server: requests a minute at most; 0: no limit.")]
Timeout = Annotated[float, typer.Option("--timeout-s", help="Server: seconds without a word.")]
By = Annotated[str | None, typer.Option(help="The model that wrote the profile.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def backend_of(
    base: str | None, server: str | None, precision: str, batch_tokens: int, settings: dict
) -> Any:
    """The model asked for: on this machine, or of a server."""
    if server is None:
        from capo_core.imitation.backends.transformers import TransformersBackend
        from capo_core.imitation.models.base_model import load_base_model

        return TransformersBackend(
            load_base_model(base or "embedded", precision=precision), batch_tokens=batch_tokens
        )
    refuse(base, "--base", "with --server the model is the server's", "leave one of them out")
    from capo_core.imitation.backends.openai import ServerBackend, from_environment

    return ServerBackend(from_environment(server, **settings))


def targets_of(data: Dataset, annotators: list[str]) -> list[str]:
    """The annotators named, or all of them; `ConfigError` where there is none of a name."""
    if annotators == ["all"] and "all" not in data.annotators:
        return list(data.annotators)
    return [check_annotator(data, annotator) for annotator in dict.fromkeys(annotators)]


def defaults_of(*configs: Any) -> str:
    """What the settings are where no option says otherwise, for the end of a command's help."""
    told = {}
    for config in configs:
        told.update({name: value for name, value in asdict(config).items() if _plain(value)})
    told.pop("method", None)  # always given
    words = (f"{name.replace('_', '-')} {value}" for name, value in told.items())
    return "Defaults: " + ", ".join(words) + "."


def _plain(value: object) -> bool:
    """Is it worth a word: no switch that is off, nothing that is left open, no group?"""
    return value not in (None, "") and value is not False and not isinstance(value, (dict, tuple))


def changed(config: Any, **given: Any) -> Any:
    """`config` with the settings that were given."""
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def refuse(given: object, option: str, why: str, todo: str) -> None:
    if given:
        raise ConfigError(why, where=option, todo=todo)


def print_training(run) -> None:
    """What came of a finished training: steps, figures, what was left out."""
    result = run.result
    steps = f"{result['steps']} of {result['planned_steps']} steps"
    early = " (ended early: validation was no better)" if result["ended_early"] else ""
    console.print(
        f"{result['stage'].upper()} of {result['target']}: {steps}{early}, "
        f"{result['training_items']} training items, {result['seconds']:.0f} s",
        markup=False,
    )
    if result["validation_loss"] is not None:
        figures = "".join(
            f", {name.replace('_', ' ')} {value:.3f}" for name, value in result["figures"].items()
        )
        console.print(
            f"  validation loss {result['validation_loss']:.4f} after step "
            f"{result['kept_step']}{figures}",
            markup=False,
        )
    for reason, count in result["skipped"].items():
        console.print(f"  left out: {count} {reason}", markup=False)
    if result["cut"]:
        console.print(f"  cut: {result['cut']} of {result['responses']} responses", markup=False)
    console.print(f"  run {run.run_id}", markup=False, soft_wrap=True)


profile_app = typer.Typer(
    help="Descriptions of annotators, written by a model from their training responses.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount_profiles(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.add_typer(profile_app, name="profile")


@profile_app.command("write", cls=ManyValues, epilog=defaults_of(ProfileConfig()))
@plain_errors
def write(
    dataset: Name,
    annotator: Who,
    base: Base = None,
    server: Server = None,
    examples: Annotated[int | None, typer.Option(help="Training responses shown.")] = None,
    seed: Seed = None,
    tries: Annotated[int | None, typer.Option(help="Until the model keeps to the form.")] = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_new_tokens: Longest = None,
    again: Annotated[bool, typer.Option("--again", help="Also where there is one.")] = False,
    precision: Precision = "auto",
    timeout_s: Timeout = 120.0,
    as_json: AsJson = False,
) -> None:
    """Let a model write the profile of one or more annotators."""
    from capo_core.imitation.prompting.value_profiles import find_saved, save_profile, write_profile

    config = changed(
        ProfileConfig(),
        examples=examples, seed=seed, tries=tries, temperature=temperature, top_p=top_p,
        max_new_tokens=max_new_tokens,
    )  # fmt: skip
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    targets = targets_of(data, annotator)
    backend = backend_of(base, server, precision, BATCH_TOKENS, {"timeout_s": timeout_s})
    written = []
    with progress_bar(quiet=as_json) as shown, stoppable(shown) as progress:
        for k, target in enumerate(targets):
            part = part_of(progress, k / len(targets), (k + 1) / len(targets))
            profile = None if again else find_saved(data, target, backend, config, workspace)
            if profile is None:
                with _told_what_is_kept(k, len(targets), again):
                    profile = write_profile(data, target, backend, config, progress=part)
                save_profile(profile, workspace)
            written.append(profile)
    if as_json:
        print_json([profile.to_dict() for profile in written])
    else:
        for profile in written:
            _print_profile(profile)
    failed = [profile.annotator for profile in written if not profile.text]
    if failed:
        raise ConfigError(
            f"{backend.name} wrote no profile in form for {', '.join(failed)}",
            expected="three lines that begin with 'Labels:', 'Manner:' and 'Rules:'",
            todo="try another seed or model, or write one yourself (profile edit)",
        )


@contextmanager
def _told_what_is_kept(done: int, wanted: int, again: bool) -> Iterator[None]:
    """What ends the writing early says how many profiles there are, and how to get the others."""
    try:
        yield
    except (Stopped, BackendUnavailable) as error:
        then = "give the same command again" + (" without --again" if again and done else "")
        then += ": it writes only those that are missing"
        if isinstance(error, BackendUnavailable) and error.todo:
            then = f"{error.todo.rstrip('.')}; then {then}"
        raise type(error)(
            f"{error.what.rstrip('.')}; {done} of {wanted} profiles are kept",
            where=error.where,
            expected=error.expected,
            todo=then,
        ) from error


@profile_app.command("show")
@plain_errors
def show(dataset: Name, annotator: One, by: By = None, as_json: AsJson = False) -> None:
    """A profile, where it comes from, and what it was before it was edited."""
    from capo_core.imitation.prompting.value_profiles import select_profile

    workspace = Workspace.default()
    profile = select_profile(Catalog(workspace).load(dataset), annotator, workspace, model=by or "")
    if as_json:
        print_json(profile.to_dict())
        return
    _print_profile(profile)
    for version in profile.earlier:
        console.print(f"\nBefore ({version.made}):\n{version.text}", markup=False)
    if not profile.text:
        console.print(f"\nWhat the model wrote last:\n{profile.raw[-1]}", markup=False)


@profile_app.command("edit")
@plain_errors
def edit_(
    dataset: Name,
    annotator: One,
    file: Annotated[Path | None, typer.Option(help="The new text; else from stdin.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Put your own text in place of a profile; it is marked as edited, and the old text kept."""
    from capo_core.imitation.prompting.value_profiles import edit, save_profile, select_profile

    workspace = Workspace.default()
    profile = select_profile(Catalog(workspace).load(dataset), annotator, workspace, model=by or "")
    try:
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            "the text cannot be read", where=str(file), expected="a text file in UTF-8"
        ) from error
    changed = edit(profile, text)
    save_profile(changed, workspace)
    if as_json:
        print_json(changed.to_dict())
    else:
        _print_profile(changed)


@profile_app.command("list")
@plain_errors
def list_(dataset: Name, as_json: AsJson = False) -> None:
    """All profiles of a dataset's annotators."""
    from capo_core.imitation.prompting.value_profiles import saved_profiles

    workspace = Workspace.default()
    found = saved_profiles(Catalog(workspace).load(dataset), workspace)
    if as_json:
        print_json([profile.to_dict() for profile in found])
        return
    if not found:
        console.print("There are none yet (see: profile write).")
    for profile in found:
        console.print(_headline(profile), markup=False, soft_wrap=True)


def _headline(profile: Any) -> str:
    state = "edited" if profile.edited else (profile.problem or "as written")
    return (
        f"Annotator {profile.annotator}, by {profile.model} from {len(profile.example_items)} "
        f"examples, {profile.made} ({state})"
    )


def _print_profile(profile: Any) -> None:
    console.print(_headline(profile), markup=False, soft_wrap=True)
    if profile.text:
        console.print(profile.text, markup=False)


def mount(app: typer.Typer) -> None:
    """Add the commands `generate` and `profile` to `app`."""
    defaults = defaults_of(GenerateConfig("zero_shot"))
    app.command("generate", cls=ManyValues, epilog=defaults)(generate)
    mount_profiles(app)


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
    from capo_core.imitation.generation.generate import generate as answer
    from capo_core.imitation.generation.generate import generation_folder, generation_run_config
    from capo_core.imitation.generation.trained_adapters import (
        check_same_base,
        collect_adapters,
        find_training_runs,
    )
    from capo_core.imitation.models.base_files import base_model_fingerprint, find_base_model
    from capo_core.run_folder import find_run
    from capo_core.runs.foreground import foreground_of_dataset

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
            only = base_model_fingerprint(find_base_model(base)) if base else ""
            runs = find_training_runs(workspace, method, targets, data, fingerprint=only)
        found = collect_adapters(runs, method, targets, data)
        config = replace(config, named=found.named)
        base = base or found.base
    else:
        refuse(run, "--run", f"{method} uses no training run", "leave it out")
    settings = {"concurrency": concurrency, "per_minute": per_minute, "timeout_s": timeout_s}
    backend = backend_of(base, server, precision, batch_tokens, settings)
    if found is not None:
        check_same_base(found, backend.fingerprint, backend.name)
    adapters = found.adapters if found else {}
    texts = _profiles(data, targets, workspace, backend.name, by) if method == "profile" else {}
    folder = generation_folder(
        workspace, generation_run_config(data, targets, config, backend, adapters, texts)
    )
    before = folder.done
    embed = None
    if method == "icl" and config.how == "nearest":
        from capo_core.text.embeddings import Embedder

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
        shown = stack.enter_context(progress_bar(quiet=as_json))
        progress = stack.enter_context(stoppable(shown))
        if not before:
            progress = stack.enter_context(
                foreground_of_dataset(workspace, folder, kind, data, request, progress)
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
    from capo_core.imitation.prompting.value_profiles import (
        saved_profiles,
        select_profile,
        usable_text,
    )

    texts = {}
    for target in targets:
        own = any(each.model == model for each in saved_profiles(data, workspace, target))
        chosen = select_profile(data, target, workspace, model=by or (model if own else ""))
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
