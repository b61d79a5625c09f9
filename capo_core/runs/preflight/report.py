"""What a look at a run found: numbers, problems, and all of it as sentences.

What is kept about runs that are not in the queue yet: what was found, and what they will be.

What keeps a run from working: too little memory or disk, or what it would fail with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError
from capo_core.runs.memory import in_words
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace, content_hash, make_folder, safe_name, write_json


@dataclass(frozen=True)
class Problem:
    """What keeps a run from working, and what to do about it."""

    what: str
    todo: str = ""


@dataclass(frozen=True)
class Tokens:
    """Lengths of prompts with their longest response, in tokens."""

    median: int
    p95: int
    longest: int
    limit: int


@dataclass(frozen=True)
class Preflight:
    """What is to be expected of a run; numbers that could not be found are None.

    Attributes:
        kind: of the run.
        counts: what it reads and asks, by name: training items, pairs, answers, …
        tokens: lengths.
        cut: responses that are cut to the limit; `left_out`: prompts that do not fit at all.
        memory_bytes: the peak of its process; on a GPU `gpu_bytes` beside it.
        memory_free: what the machine has for it now.
        seconds: of the work, without waiting.
        disk_bytes, disk_free: what it writes, and what there is.
        device: what it computes on.
        problems: why it cannot work; none where it can.
        warnings: what one should know all the same, as sentences.
        sentences: all of it for a person, in order.
    """

    kind: str
    counts: Mapping[str, int] = field(default_factory=dict)
    tokens: Tokens | None = None
    cut: int = 0
    left_out: int = 0
    memory_bytes: int | None = None
    gpu_bytes: int | None = None
    memory_free: int | None = None
    seconds: float | None = None
    disk_bytes: int | None = None
    disk_free: int | None = None
    device: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        return not self.problems

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(_sentences(self))

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it, with the sentences for those who only show them."""
        return {**asdict(self), "sentences": list(self.sentences), "possible": self.possible}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Preflight:
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in raw.items() if name in known}
        tokens = values.get("tokens")
        return cls(
            **{
                **values,
                "tokens": Tokens(**tokens) if tokens else None,
                "problems": tuple(Problem(**each) for each in values.get("problems", ())),
                "warnings": tuple(values.get("warnings", ())),
            }
        )


def _sentences(found: Preflight):
    if found.counts:
        yield "It has " + ", ".join(f"{n:,} {name}" for name, n in found.counts.items()) + "."
    if found.tokens:
        tokens = found.tokens
        yield (
            f"A prompt with its response has {tokens.median} tokens in the middle, {tokens.p95} "
            f"for 95 of 100, {tokens.longest} at most; the limit is {tokens.limit}."
        )
    if found.cut:
        yield f"{found.cut} responses are longer and will be cut."
    if found.left_out:
        yield f"{found.left_out} prompts do not fit and will be left out."
    if found.memory_bytes:
        free = f" of {in_words(found.memory_free)} that are free" if found.memory_free else ""
        yield f"It needs about {in_words(found.memory_bytes)} of memory{free}."
    if found.gpu_bytes:
        yield f"Its GPU needs about {in_words(found.gpu_bytes)}."
    if found.seconds is not None:
        where = f" on {found.device}" if found.device else ""
        yield f"It takes about {_span(found.seconds)}{where}."
    if found.disk_bytes:
        yield f"It writes about {in_words(found.disk_bytes)}."
    yield from found.warnings
    for problem in found.problems:
        todo = f" What to do: {problem.todo}." if problem.todo else ""
        yield f"It cannot work: {problem.what}.{todo}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# A run that leaves less than this on the disk is refused: others write there, too.
SPARE_DISK = 200_000_000


def weights_problem(base: str, precision: str, quantise: bool, free: int) -> Problem | None:
    """Why the base's weights alone are too large for `free` bytes; None where they are not.

    Found from the sizes of the files, before anything is loaded that could take the machine along.
    """
    from capo_core.imitation.models.base_files import find_base_model

    folder = find_base_model(base)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kept = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    half = kept in ("bfloat16", "float16")
    # "auto" is bf16 only on a GPU, whose memory is looked at by the dry step itself.
    if half and precision != "bf16" and not quantise:
        size *= 2
    if size <= free:
        return None
    return too_large(f"the weights of the base alone need {in_words(size)}, and {in_words(free)} "
                     "are free")  # fmt: skip


def too_large(what: str) -> Problem:
    """A run that needs more memory than there is, and what helps."""
    return Problem(
        what,
        "choose a smaller base, take fewer items at a time (a larger accumulation gives the same "
        "result), switch on gradient_checkpointing, lower max_tokens, or use a machine with more "
        "memory",
    )


def problem_of(error: CapoError) -> Problem:
    """What a run would fail with, as what keeps it from working."""
    head = f"{error.where}: {error.what}" if error.where else error.what
    return Problem(f"{head} (expected: {error.expected})" if error.expected else head,
                   error.todo or "")  # fmt: skip


def shortages(found: Preflight) -> list[Problem]:
    """Of disk and memory, where it needs more than is free."""
    problems = []
    if found.disk_bytes is not None and found.disk_free is not None:
        needed = found.disk_bytes + SPARE_DISK
        if needed > found.disk_free:
            problems.append(
                Problem(
                    f"the disk has {in_words(found.disk_free)} free, and the run needs "
                    f"{in_words(needed)} with some to spare",
                    "make room, or choose another workspace by CAPO_WORKSPACE",
                )
            )
    if found.memory_bytes and found.memory_free and found.memory_bytes > found.memory_free:
        problems.append(
            too_large(
                f"it needs about {in_words(found.memory_bytes)} of memory, and "
                f"{in_words(found.memory_free)} are free"
            )
        )
    return problems


def save_preflight(found: Preflight, workspace: Workspace, settings: Mapping[str, Any]) -> None:
    """Keep what was found where `kept` finds it."""
    write_json(_place(workspace, found.kind, settings), found.to_dict())


def saved_preflight(
    workspace: Workspace, kind: str, settings: Mapping[str, Any]
) -> Preflight | None:
    """What the job "preflight" found for this run; None where nobody looked."""
    try:
        raw = json.loads(_place(workspace, kind, settings).read_text(encoding="utf-8"))
        return Preflight.from_dict(raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def announce_request(workspace: Workspace, run_id: str, request: RunRequest) -> None:
    """Say what a run will be that is not in the queue yet, for the looks at runs that follow it."""
    folder = _announced(workspace, run_id)
    make_folder(folder)
    request.write(folder)


def announced_request(workspace: Workspace, run_id: str) -> RunRequest:
    """What was announced under that name; `RunError` where nothing was."""
    return RunRequest.read(_announced(workspace, run_id))


def _announced(workspace: Workspace, run_id: str) -> Path:
    return workspace.cache / "preflight" / safe_name(run_id)


def _place(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Path:
    return workspace.cache / "preflight" / f"{content_hash(kind, dict(settings))[:16]}.json"
