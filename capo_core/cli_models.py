"""What the commands that ask a model share: options, and the model they name."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from capo_core.cli_support import console
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.history import check_annotator

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
        from capo_core.imitation.backends.hf import HfBackend
        from capo_core.imitation.model import load_base

        return HfBackend(
            load_base(base or "embedded", precision=precision), batch_tokens=batch_tokens
        )
    refuse(base, "--base", "with --server the model is the server's", "leave one of them out")
    from capo_core.imitation.backends.openai_server import ServerBackend
    from capo_core.imitation.backends.server_settings import from_environment

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
