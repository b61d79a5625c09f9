"""What a look at a run found: numbers, problems, and all of it as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from capo_core.jobs.memory import in_words


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
