"""The commands that generate texts in an annotator's place, and the options they share.

python -m capo_core generate
python -m capo_core profile write | show | edit | list
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capo_core.cli.options import with_options
from capo_core.cli.support import (
    BASE_HELP,
    AllowEmbedded,
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
from capo_core.formatting import name_list, readable_answers
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.backends.openai import ServerSettings
from capo_core.imitation.embedded_base.suitability import check_suitable
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.prompting.prompts import METHOD_NAMES, METHODS
from capo_core.imitation.prompting.responses import check_annotator
from capo_core.imitation.prompting.value_profiles import PROFILE_FORM, ProfileConfig
from capo_core.progress import part_of
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.imitation.generation.trained_adapters import TrainedAdapters
    from capo_core.text.embeddings import Embedder

Name = Annotated[str, typer.Option("--dataset", help="Name of a dataset (see: data list).")]
Who = Annotated[
    list[str], typer.Option("--annotator", help="Annotators to imitate; 'all' takes every one.")
]
One = Annotated[str, typer.Option("--annotator", help="The annotator the profile describes.")]
Base = Annotated[
    str | None,
    typer.Option(
        help=f"{BASE_HELP} Default: for sft and capo the one they were trained on, else 'embedded'."
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        help="Model of an OpenAI-compatible server at CAPO_SERVER_URL (or OPENAI_BASE_URL); the "
        "key is read from OPENAI_API_KEY."
    ),
]
Precision = Annotated[
    str, typer.Option(help="Number format of the base model: auto, fp32 or bf16.")
]
BatchTokens = Annotated[int, typer.Option(help="Tokens per batch; fewer need less memory.")]
By = Annotated[str | None, typer.Option(help="Model that wrote the profile.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
with_server_options = with_options(
    ServerSettings, only=("timeout_s", "concurrency", "per_minute"), into="server_given"
)


def backend_of(
    base: str | None, server: str | None, precision: str, batch_tokens: int, settings: dict
) -> Any:
    """Return the named model: one on this machine, or a server's."""
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
    """Return the named annotators, or all; `ConfigError` for an unknown name."""
    if annotators == ["all"] and "all" not in data.annotators:
        return list(data.annotators)
    return [check_annotator(data, annotator) for annotator in dict.fromkeys(annotators)]


def refuse(given: object, option: str, why: str, todo: str) -> None:
    """Raise `ConfigError` if an option is given that does not apply."""
    if given:
        raise ConfigError(why, where=option, todo=todo)


def print_training(run) -> None:
    """Print a finished training: steps, loss, what was skipped or cut."""
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
    strength = result.get("calibration", {}).get("strength")
    if strength is not None:
        console.print(
            f"  strength {strength:g} of the way from SFT to CAPO, chosen on validation items"
        )
    for reason, count in result["skipped"].items():
        console.print(f"  skipped: {count} {reason}", markup=False)
    if result["cut"]:
        console.print(f"  cut: {result['cut']} of {result['responses']} responses", markup=False)
    console.print(f"  run {run.run_id}", markup=False, soft_wrap=True)


profile_app = typer.Typer(
    help="Value profiles: descriptions of annotators, generated from their training responses.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount_profiles(app: typer.Typer) -> None:
    """Add the command group `profile` to `app`."""
    app.add_typer(profile_app, name="profile")


@profile_app.command("write", cls=ManyValues)
@plain_errors
@with_options(ProfileConfig)
@with_server_options
def write(
    given: dict[str, Any],
    server_given: dict[str, Any],
    dataset: Name,
    annotator: Who,
    base: Base = None,
    server: Server = None,
    again: Annotated[
        bool, typer.Option("--again", help="Write a new one even if a profile is saved.")
    ] = False,
    precision: Precision = "auto",
    allow_embedded: AllowEmbedded = False,
    as_json: AsJson = False,
) -> None:
    """Generate the value profile of one or more annotators."""
    from capo_core.imitation.prompting.value_profiles import find_saved, save_profile, write_profile

    config = ProfileConfig(**given)
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    targets = targets_of(data, annotator)
    backend = backend_of(base, server, precision, BATCH_TOKENS, server_given)
    written = []
    with progress_bar(quiet=as_json) as shown, stoppable(shown) as progress:
        for k, target in enumerate(targets):
            part = part_of(progress, k / len(targets), (k + 1) / len(targets))
            profile = None if again else find_saved(data, target, backend, config, workspace)
            if profile is None:
                check_suitable(data, backend.name, allow_embedded=allow_embedded)
                with _saved_so_far(k, len(targets), again):
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
            f"{backend.name} wrote no profile in form for {name_list(failed)}",
            expected=PROFILE_FORM,
            todo="try another seed or model, or write one yourself (profile edit)",
        )


@contextmanager
def _saved_so_far(done: int, wanted: int, again: bool) -> Iterator[None]:
    """Add to an interruption how many profiles are saved, and how to get the others."""
    try:
        yield
    except (Stopped, BackendUnavailable) as error:
        then = "run the same command again" + (" without --again" if again and done else "")
        then += ": it writes only those that are missing"
        if isinstance(error, BackendUnavailable) and error.todo:
            then = f"{error.todo.rstrip('.')}; then {then}"
        raise type(error)(
            f"{error.what.rstrip('.')}; {done} of {wanted} profiles are saved",
            where=error.where,
            expected=error.expected,
            todo=then,
        ) from error


@profile_app.command("show")
@plain_errors
def show(dataset: Name, annotator: One, by: By = None, as_json: AsJson = False) -> None:
    """Show a profile, its source, and its versions before editing."""
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
        console.print(f"\nLast output of the model:\n{profile.raw[-1]}", markup=False)


@profile_app.command("edit")
@plain_errors
def edit_(
    dataset: Name,
    annotator: One,
    file: Annotated[
        Path | None, typer.Option(help="File with the new text (default: stdin).")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Replace a profile's text with your own; the profile is marked as edited."""
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
    """List all profiles of a dataset's annotators."""
    from capo_core.imitation.prompting.value_profiles import saved_profiles

    workspace = Workspace.default()
    found = saved_profiles(Catalog(workspace).load(dataset), workspace)
    if as_json:
        print_json([profile.to_dict() for profile in found])
        return
    if not found:
        console.print("No profiles yet (see: profile write).")
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
    app.command("generate", cls=ManyValues)(generate)
    mount_profiles(app)


@plain_errors
@with_options(GenerateConfig, without=("method", "named"))
@with_server_options
def generate(
    given: dict[str, Any],
    server_given: dict[str, Any],
    dataset: Name,
    annotator: Who,
    method: Annotated[str, typer.Option(help=f"One of: {', '.join(METHOD_NAMES)}.")],
    run: Annotated[
        list[str] | None,
        typer.Option(help="sft, capo: the training runs (default: the only one per annotator)."),
    ] = None,
    base: Base = None,
    server: Server = None,
    by: By = None,
    precision: Precision = "auto",
    allow_embedded: AllowEmbedded = False,
    as_json: AsJson = False,
) -> None:
    """Generate answers in annotators' places; run the same command again to resume."""
    from capo_core.imitation.generation.generate import (
        begun_precision,
        generation_folder,
        generation_run_config,
    )
    from capo_core.imitation.generation.generate import generate as answer
    from capo_core.imitation.generation.trained_adapters import check_same_base
    from capo_core.runs.foreground import foreground_of_dataset

    config = GenerateConfig(method, **given)
    workspace = Workspace.default()
    data = Catalog(workspace).load(dataset)
    targets = targets_of(data, annotator)
    found = None
    if config.trained:
        refuse(server, "--server", "a server cannot take an adapter", "leave it out")
        found = _trained(data, targets, method, workspace, run or (), base)
        config = found.config_for(config)
        base = base or found.base
    else:
        refuse(run, "--run", f"{method} uses no training run", "leave it out")
    backend = backend_of(base, server, precision, config.batch_tokens, server_given)
    if found is not None:
        check_same_base(found, backend.fingerprint, backend.name)
    adapters = found.adapters if found else {}
    texts = _profiles(data, targets, workspace, backend.name, by) if method == "profile" else {}
    asked = generation_run_config(data, targets, config, backend, adapters, texts)
    if precision == "auto" and not server and (begun := begun_precision(workspace, asked)):
        backend = backend_of(base, server, begun, config.batch_tokens, server_given)
        asked = generation_run_config(data, targets, config, backend, adapters, texts)
    folder = generation_folder(workspace, asked)
    if found is None and not folder.path.exists():
        check_suitable(data, backend.name, allow_embedded=allow_embedded)
    before = folder.done
    request = {
        **({"server": server} if server else {"base": backend.name, "precision": precision,
                                              "batch_tokens": config.batch_tokens}),
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
            embed=_embedder(config, workspace),
            progress=progress,
        )
    if as_json:
        print_json({"run": folder.run_id, "folder": str(folder.path), **folder.result})
    else:
        _print_result(folder, config, before)


def _embedder(config: GenerateConfig, workspace: Workspace) -> Embedder | None:
    """Return what finds the nearest examples; None for methods without them."""
    if not METHODS[config.method].examples or config.how != "nearest":
        return None
    from capo_core.text.embeddings import Embedder

    return Embedder(workspace.cache)


def _trained(
    data: Dataset,
    targets: list[str],
    method: str,
    workspace: Workspace,
    names: Sequence[str],
    base: str | None,
) -> TrainedAdapters:
    """Return the adapters of the named runs, or of the only ones that fit."""
    from capo_core.imitation.generation.trained_adapters import (
        collect_adapters,
        find_training_runs,
    )
    from capo_core.imitation.models.base_files import base_model_fingerprint, find_base_model
    from capo_core.run_folder import find_run

    runs = [find_run(workspace, name) for name in names]
    if not runs:
        only = base_model_fingerprint(find_base_model(base)) if base else ""
        runs = find_training_runs(workspace, method, targets, data, fingerprint=only)
    return collect_adapters(runs, method, targets, data)


def _profiles(
    data: Dataset, targets: list[str], workspace: Workspace, model: str, by: str | None
) -> dict[str, str]:
    """Return annotators' profiles, by the specified model, else the generating one, else any.

    Raises:
        ConfigError: an annotator has none, or several by other models.
    """
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
    resumed = f" ({result['kept']} of them from before)" if result["kept"] else ""
    console.print(
        f"{config.method}: {readable_answers(result['parsed'], result['outputs'])}{resumed}"
        + (", finished before" if before else f", {result['seconds']:.1f} s"),
        markup=False,
    )
    if "label_choice" in result:
        console.print(
            f"  labels: {result['label_choice']}; prompts of version {result['prompt_version']}",
            markup=False,
        )
    for problem, count in result["problems"].items():
        console.print(f"  not readable: {count} {problem}", markup=False)
    if result["cut"]:
        console.print(f"  cut: {result['cut']} at {config.max_new_tokens} tokens", markup=False)
    shown = {int(n): count for n, count in result.get("examples_shown", {}).items()}
    fewer = sum(count for n, count in shown.items() if n < config.examples)
    if fewer:
        console.print(
            f"  {fewer} prompts have fewer than {config.examples} examples (down to "
            f"{min(shown)}): the model's context is too short for more",
            markup=False,
        )
    console.print(
        f"  {result['prompt_tokens']:,} prompt tokens, {result['output_tokens']:,} output tokens",
        markup=False,
    )
    console.print(f"  run {folder.run_id}", markup=False, soft_wrap=True)
