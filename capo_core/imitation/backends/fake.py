"""A backend without a model: the same request always gets the same generated answer."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence, Set

from capo_core.imitation.backends.base import Backend, Decoding, GenerationRequest, Reply
from capo_core.imitation.prompting.prompts import (
    LABEL_MARK,
    PROFILE_PARTS,
    PROFILE_SECTIONS,
    write_response,
)
from capo_core.progress import Progress, silent
from capo_core.workspace import content_hash

_WORDS = ("it", "the", "text", "says", "so", "this", "follows", "not", "seems", "clear", "must")


class FakeBackend(Backend):
    """A backend with deterministic answers in the right format, for use without a model.

    Args:
        answer: a function to use instead of `placeholder_answer`.

    Attributes:
        asked: the requests answered so far, in order.
    """

    adapters = True

    def __init__(
        self, answer: Callable[[GenerationRequest], str] | None = None, name: str = "fake"
    ) -> None:
        self.name, self.fingerprint = name, content_hash("fake", name)
        self.asked: list[GenerationRequest] = []
        self._answer = answer or placeholder_answer

    def complete(
        self,
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        done: Set[str] = frozenset(),
        progress: Progress = silent,
    ) -> Iterator[tuple[GenerationRequest, Reply]]:
        for position, request in enumerate(requests):
            if request.key in done:
                continue
            progress("answering", position / len(requests))
            self.asked.append(request)
            words = self._answer(request).split(" ")
            cut = words[: decoding.max_new_tokens]
            yield (
                request,
                Reply(
                    text=" ".join(cut),
                    prompt_tokens=len(request.prompt.text.split()),
                    output_tokens=len(cut),
                    finish="length" if len(cut) < len(words) else "stop",
                ),
            )


def placeholder_answer(request: GenerationRequest) -> str:
    """Return a well-formed answer drawn from (prompt, adapter, seed): one of the labels in the
    prompt and a few words, or a profile where the prompt requests one.
    """
    draw = random.Random(content_hash(request.prompt.text, request.adapter, request.seed))
    words = " ".join(draw.choices(_WORDS, k=draw.randint(4, 12)))
    form = request.prompt.text.rpartition("\n\n")[2]
    if PROFILE_SECTIONS[-1] in form:
        return "\n".join(f"{part} {words}" for part in PROFILE_SECTIONS[:-1]) + (
            f"\n{PROFILE_SECTIONS[-1]}\n1. {words}\n2. {words} too"
        )
    if PROFILE_PARTS[-1] in form:
        return "\n".join(f"{part} {words}" for part in PROFILE_PARTS)
    return write_response(draw.choice(_labels(request.prompt.text)), f"{words}.".capitalize())


def _labels(prompt: str) -> list[str]:
    """Return the labels that a prompt of either version names."""
    listed = re.search(r"^The labels are:\n((?:- .+\n)+)", prompt, re.MULTILINE)
    if listed:
        return [line[2:].partition(": ")[0] for line in listed[1].splitlines()]
    span = re.search(r"whole numbers? from (-?\d+) to (-?\d+)", prompt)
    if span:
        return [str(value) for value in range(int(span[1]), int(span[2]) + 1)]
    wanted = re.search(rf"^{re.escape(LABEL_MARK)} (.+)$", prompt, re.MULTILINE)
    return re.split(r", | or ", wanted[1]) if wanted else ["?"]
