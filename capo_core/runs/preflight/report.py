"""The result of a pre-flight check: estimates and problems, their sentences and their files.

Problems are errors the run would fail with, and shortages of memory or disk. Results, and the
requests of planned runs that are not in the queue yet, are saved under the workspace's cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError
from capo_core.formatting import count, elapsed, size
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace, content_hash, make_folder, safe_name, write_json


@dataclass(frozen=True)
class Problem:
    """A reason why a run cannot work, and what to do.

    Attributes:
        kind: "memory", "disk", "context", "server" or "server model", for which there are
            remedies (see `remedies`); "" for any other.
    """

    what: str
    todo: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Tokens:
    """Lengths of prompts with their longest response, in tokens."""

    median: int
    p95: int
    longest: int
    limit: int


@dataclass(frozen=True)
class Preflight:
    """The expected needs of a run, a result and no settings.

    Numbers that could not be estimated are None.

    Attributes:
        kind: of the run.
        counts: sizes by name: training items, pairs, outputs, …
        tokens: lengths.
        cut: responses that are truncated to the limit; `left_out`: prompts that do not fit at all.
        memory_bytes: the peak of its process; on a GPU `gpu_bytes` beside it.
        memory_free: bytes available on the machine now.
        seconds: computing time.
        disk_bytes, disk_free: bytes it writes, and bytes available.
        device: the device it computes on.
        batch_tokens: tokens computed at once in the dry step of a training, or in the dry batch of
            answers.
        models: names of the models that the server has, where one is asked.
        made: when it was measured, seconds since the epoch; 0 where not recorded.
        problems: reasons why it cannot work; none where it can.
        warnings: further notes, as sentences.
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
    batch_tokens: int | None = None
    models: tuple[str, ...] = ()
    made: float = 0.0
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        return not self.problems

    @property
    def estimates(self) -> tuple[str, ...]:
        """The numbers as sentences, without warnings and problems."""
        return tuple(_estimates(self))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The whole result as sentences."""
        problems = (
            f"Cannot run: {each.what}." + (f" What to do: {each.todo}." if each.todo else "")
            for each in self.problems
        )
        return (*self.estimates, *self.warnings, *problems)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON, with the sentences for programs that only show them."""
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
                "models": tuple(values.get("models", ())),
            }
        )


def _estimates(found: Preflight):
    if found.counts:
        yield "Data: " + ", ".join(f"{n:,} {name}" for name, n in found.counts.items()) + "."
    if found.tokens:
        tokens = found.tokens
        yield (
            f"Prompt and response: median {tokens.median}, p95 {tokens.p95}, maximum "
            f"{tokens.longest} tokens; the limit is {tokens.limit}."
        )
    if found.cut:
        yield f"{count(found.cut, 'response')} will be truncated to the limit."
    if found.left_out:
        yield f"{count(found.left_out, 'prompt')} will be skipped as too long."
    if found.memory_bytes:
        free = f" of {size(found.memory_free)} available" if found.memory_free else ""
        yield f"Memory: about {size(found.memory_bytes)}{free}."
    if found.gpu_bytes:
        yield f"GPU memory: about {size(found.gpu_bytes)}."
    if found.seconds is not None:
        where = f" on {found.device}" if found.device else ""
        yield f"Duration: about {elapsed(max(1, found.seconds))}{where}."
    if found.disk_bytes:
        yield f"Disk: about {size(found.disk_bytes)}."


# A run that would leave less than this on the disk is refused: other processes write, too.
SPARE_DISK = 200_000_000


def weights_problem(base: str, precision: str, quantise: bool, free: int) -> Problem | None:
    """Return the problem where the weights alone exceed `free` bytes; None where they fit.

    Computed from the file sizes, before anything is loaded that could exhaust the machine.
    """
    from capo_core.imitation.models.base_files import find_base_model

    folder = find_base_model(base)
    n_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    if not quantise:
        stored = 2 if dtype in ("bfloat16", "float16") else 4
        n_bytes = n_bytes * loaded_bytes(precision, folder) // stored
    if n_bytes <= free:
        return None
    return too_large(f"the weights of the base model alone need {size(n_bytes)}, and {size(free)} "
                     "are available")  # fmt: skip


def loaded_bytes(precision: str, folder: Path) -> int:
    """Return the bytes of a number of the base model in `folder` once it is loaded here."""
    from capo_core.imitation.models.base_model import default_device, number_type

    return number_type(precision, default_device(), folder).itemsize


def too_large(what: str) -> Problem:
    """Return the problem of a run that needs more memory than there is, with remedies."""
    return Problem(
        what,
        "choose a smaller base model, lower batch_tokens (smaller micro-batches, the same result), "
        "switch on gradient_checkpointing, lower max_tokens, or use a machine with more memory",
        "memory",
    )


def problem_of(error: CapoError) -> Problem:
    """Return the error a run would fail with as a problem."""
    head = f"{error.where}: {error.what}" if error.where else error.what
    return Problem(f"{head} (expected: {error.expected})" if error.expected else head,
                   error.todo or "")  # fmt: skip


def shortages(found: Preflight) -> list[Problem]:
    """Return the shortages of disk and memory."""
    problems = []
    if found.disk_bytes is not None and found.disk_free is not None:
        needed = found.disk_bytes + SPARE_DISK
        if needed > found.disk_free:
            problems.append(
                Problem(
                    f"the disk has {size(found.disk_free)} free, and the run needs "
                    f"{size(needed)} including a reserve",
                    "free some space, or choose another workspace by CAPO_WORKSPACE",
                    "disk",
                )
            )
    if found.memory_bytes and found.memory_free and found.memory_bytes > found.memory_free:
        problems.append(
            too_large(
                f"it needs about {size(found.memory_bytes)} of memory, and "
                f"{size(found.memory_free)} are available"
            )
        )
    return problems


_SHORT = ("memory", "disk")


def refreshed(found: Preflight, *, memory_free: int, disk_free: int) -> Preflight:
    """Return the result against what is free now; what was too little then may be there again."""
    now = replace(found, memory_free=memory_free, disk_free=disk_free)
    others = [each for each in found.problems if each.kind not in _SHORT]
    # Killed by the system, or refused by the size of its weights: no need was measured.
    unmeasured = [each for each in found.problems if each.kind == "memory"]
    if found.memory_bytes is None:
        others += unmeasured
    return replace(now, problems=(*others, *shortages(now)))


def save_preflight(found: Preflight, workspace: Workspace, settings: Mapping[str, Any]) -> None:
    """Save the result where `saved_preflight` finds it."""
    write_json(_place(workspace, found.kind, settings), found.to_dict())


def saved_preflight(
    workspace: Workspace, kind: str, settings: Mapping[str, Any]
) -> Preflight | None:
    """Return the saved result for this run; None where there is none."""
    try:
        raw = json.loads(_place(workspace, kind, settings).read_text(encoding="utf-8"))
        return Preflight.from_dict(raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def forget_preflight(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> None:
    """Delete the saved result of this run, if there is one."""
    _place(workspace, kind, settings).unlink(missing_ok=True)


def announce_request(workspace: Workspace, run_id: str, request: RunRequest) -> None:
    """Save the request of a planned run, for checks of the runs that depend on it."""
    folder = _announced(workspace, run_id)
    make_folder(folder)
    request.write(folder)


def announced_request(workspace: Workspace, run_id: str) -> RunRequest:
    """Return the request saved under that name; `RunError` where there is none."""
    return RunRequest.read(_announced(workspace, run_id))


def _announced(workspace: Workspace, run_id: str) -> Path:
    return workspace.cache / "preflight" / safe_name(run_id)


def _place(workspace: Workspace, kind: str, settings: Mapping[str, Any]) -> Path:
    return workspace.cache / "preflight" / f"{content_hash(kind, dict(settings))[:16]}.json"
