"""Obstacles of a checked run, each with changes of the experiment's settings that remove it.

A remedy names settings of the experiment by their dotted names (`sft.max_tokens`), so that a page
offers it as a button and the command line as `--set`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from capo_core.formatting import count
from capo_core.imitation.models.registry import EMBEDDED_NAME, KNOWN_MODELS, SMOLLM2
from capo_core.imitation.prompting.prompts import METHODS
from capo_core.json_text import json_line
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.preflight.report import Preflight
from capo_core.runs.request import RunRequest
from capo_core.settings import setting_field

STAGES = {"train_sft": "sft", "train_capo": "capo", "generate": "generate", "judge": "judge"}
MOST_MODELS = 4  # of a server, offered
_ROUND = 32  # tokens to which a proposed limit is rounded up
_FEWEST_TOKENS = 64


@dataclass(frozen=True)
class Remedy:
    """A change that removes an obstacle.

    Attributes:
        label: imperative, for a button: "Max tokens 384".
        changes: settings of the experiment by their dotted names, with their new values.
    """

    label: str
    changes: Mapping[str, Any]

    @property
    def options(self) -> str:
        """The change as options of `experiment start`."""
        own = [
            f"--{name} {shlex.quote(str(value))}"
            for name, value in self.changes.items()
            if "." not in name
        ]
        nested = [
            shlex.quote(f"{name}={json_line(value)}")
            for name, value in self.changes.items()
            if "." in name
        ]
        return " ".join([*own, *(["--set", *nested] if nested else [])])


@dataclass(frozen=True)
class Obstacle:
    """A reason why a run cannot work, or works on less than all of its data.

    Attributes:
        what, todo: as sentences without a full stop; `todo` may be empty.
        blocks: whether the run cannot work at all.
        remedies: changes that remove it; none where none is known.
    """

    what: str
    todo: str = ""
    blocks: bool = True
    remedies: tuple[Remedy, ...] = field(default=())


def obstacles(found: Preflight, request: RunRequest, config: ExperimentConfig) -> list[Obstacle]:
    """Return the obstacles of a checked run, those that block it first.

    Args:
        request: of the run. config: of its experiment.
    """
    blocking = [
        Obstacle(each.what, each.todo, True, tuple(_of_kind(each.kind, found, request, config)))
        for each in found.problems
    ]
    return [*blocking, *_losses(found, request)]


def _losses(found: Preflight, request: RunRequest) -> list[Obstacle]:
    """Return what of the data the run would not see whole."""
    if found.problems:
        return []
    losses = []
    if found.cut:
        losses.append(
            Obstacle(
                f"{count(found.cut, 'response')} will be truncated to "
                f"{found.tokens.limit if found.tokens else 'the limit of'} tokens",
                blocks=False,
                remedies=tuple(_more_tokens(request)),
            )
        )
    if found.left_out:
        shorter = _shorter_prompts(request) if request.kind == "generate" else _more_tokens(request)
        losses.append(
            Obstacle(
                f"{count(found.left_out, 'prompt')} will be skipped as too long",
                blocks=False,
                remedies=tuple(shorter),
            )
        )
    return losses


def _of_kind(
    kind: str, found: Preflight, request: RunRequest, config: ExperimentConfig
) -> Iterator[Remedy]:
    if kind == "memory":
        yield from _less_memory(found, request)
        yield from _other_base(config)
    elif kind == "context":
        yield from (
            _shorter_prompts(request) if request.kind == "generate" else _more_tokens(request)
        )
        yield from _other_base(config)
    elif kind in ("server", "server model"):
        name = "judge.server" if request.kind == "judge" else "server"
        for model in found.models[:MOST_MODELS]:
            yield Remedy(f"Use {model}", {name: model})
        if request.kind != "judge":
            yield Remedy("Use the base model instead", {"server": ""})


def _less_memory(found: Preflight, request: RunRequest) -> Iterator[Remedy]:
    stage, settings = STAGES[request.kind], _settings(request)
    longest = found.tokens.longest if found.tokens else 0
    batch = "batch" if request.kind == "generate" else "micro-batch"
    # An item that is longer is computed alone, so that less than the longest changes nothing.
    if found.batch_tokens and found.batch_tokens > longest:
        fewer = max(_FEWEST_TOKENS, longest, found.batch_tokens // 2)
        yield Remedy(f"{fewer:,} tokens per {batch}", {f"{stage}.batch_tokens": fewer})
    if request.kind == "generate":
        yield from _shorter_prompts(request)
        return
    if not settings.get("gradient_checkpointing"):
        yield Remedy("Gradient checkpointing", {f"{stage}.gradient_checkpointing": True})
    if found.tokens and _rounded(found.tokens.p95) < found.tokens.longest:
        limit = _rounded(found.tokens.p95)
        yield Remedy(f"At most {limit:,} tokens", {f"{stage}.max_tokens": limit})


def _more_tokens(request: RunRequest) -> Iterator[Remedy]:
    stage = STAGES[request.kind]
    config = {"sft": "SftConfig", "capo": "CapoConfig"}.get(stage)
    if config is None:
        return
    from capo_core.imitation.training import config as training

    usual = setting_field(getattr(training, config), "max_tokens").default
    now = _settings(request).get("max_tokens") or usual
    yield Remedy(f"Up to {2 * now:,} tokens", {f"{stage}.max_tokens": 2 * now})


def _shorter_prompts(request: RunRequest) -> Iterator[Remedy]:
    settings = _settings(request)
    method = METHODS.get(str(settings.get("method", "")))
    examples, new = settings.get("examples", 0), settings.get("max_new_tokens", 0)
    if method is not None and method.examples and examples > 1:
        yield Remedy(
            count(examples // 2, "in-context example"), {"generate.examples": examples // 2}
        )
    if new >= 2 * _FEWEST_TOKENS:
        yield Remedy(f"At most {new // 2} new tokens", {"generate.max_new_tokens": new // 2})


def _other_base(config: ExperimentConfig) -> Iterator[Remedy]:
    if config.base not in (SMOLLM2, EMBEDDED_NAME):
        yield Remedy(f"Use {KNOWN_MODELS[SMOLLM2].short_title}", {"base": SMOLLM2})


def _settings(request: RunRequest) -> Mapping[str, Any]:
    found = request.settings.get("config")
    return found if isinstance(found, Mapping) else {}


def _rounded(tokens: int) -> int:
    return -(-tokens // _ROUND) * _ROUND
