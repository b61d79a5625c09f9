"""What keeps a run from working: too little memory or disk, or what it would fail with."""

from __future__ import annotations

import json

from capo_core.errors import CapoError
from capo_core.jobs.memory import in_words
from capo_core.jobs.preflight_found import Preflight, Problem

# A run that leaves less than this on the disk is refused: others write there, too.
SPARE_DISK = 200_000_000


def weights_problem(base: str, precision: str, quantise: bool, free: int) -> Problem | None:
    """Why the base's weights alone are too large for `free` bytes; None where they are not.

    Found from the sizes of the files, before anything is loaded that could take the machine along.
    """
    from capo_core.imitation.base_files import find_base

    folder = find_base(base)
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
