"""`python -m capo_core profile write | show | edit | list`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from capo_core.cli_models import (
    AsJson,
    Base,
    By,
    Longest,
    Name,
    One,
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
from capo_core.errors import BackendUnavailable, ConfigError, Stopped
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.profile import ProfileConfig
from capo_core.progress import part_of
from capo_core.workspace import Workspace

profile_app = typer.Typer(
    help="Descriptions of annotators, written by a model from their training responses.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def mount(app: typer.Typer) -> None:
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
    from capo_core.imitation.profile import write_profile
    from capo_core.imitation.profile_store import kept_like, save

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
    with shown_progress(quiet=as_json) as shown, stoppable(shown) as progress:
        for k, target in enumerate(targets):
            part = part_of(progress, k / len(targets), (k + 1) / len(targets))
            profile = None if again else kept_like(data, target, backend, config, workspace)
            if profile is None:
                with _told_what_is_kept(k, len(targets), again):
                    profile = write_profile(data, target, backend, config, progress=part)
                save(profile, workspace)
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
    from capo_core.imitation.profile_store import the_profile

    workspace = Workspace.default()
    profile = the_profile(Catalog(workspace).load(dataset), annotator, workspace, model=by or "")
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
    from capo_core.imitation.profile import edit
    from capo_core.imitation.profile_store import save, the_profile

    workspace = Workspace.default()
    profile = the_profile(Catalog(workspace).load(dataset), annotator, workspace, model=by or "")
    try:
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            "the text cannot be read", where=str(file), expected="a text file in UTF-8"
        ) from error
    changed = edit(profile, text)
    save(changed, workspace)
    if as_json:
        print_json(changed.to_dict())
    else:
        _print_profile(changed)


@profile_app.command("list")
@plain_errors
def list_(dataset: Name, as_json: AsJson = False) -> None:
    """All profiles of a dataset's annotators."""
    from capo_core.imitation.profile_store import profiles

    workspace = Workspace.default()
    found = profiles(Catalog(workspace).load(dataset), workspace)
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
