"""The interface of every backend: it takes requests and yields replies as they arrive."""

from __future__ import annotations

import math
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import (
    EXPLANATION_MARK,
    LABEL_MARK,
    LATEST_VERSION,
    Prompt,
)
from capo_core.progress import Progress, silent
from capo_core.settings import setting, settings
from capo_core.task import Task

BATCH_TOKENS = 16384  # computed at once by a model on this machine, where nothing else is asked


@dataclass(frozen=True)
class LabelChoice:
    """A choice of an answer's label by the model's probabilities, before the explanation.

    The score of a label is the log-probability of its whole word and of the line break after it,
    given the prompt and "Label:"; so it is fair to labels of several tokens, and tells "1" from
    "10".

    Attributes:
        labels: the label words, in the order of the scores.
        sampled: draw the label with the answer's seed and temperature; else the likeliest.
        log_weights: added to the scores, one for each label; empty for none.
    """

    labels: tuple[str, ...]
    sampled: bool = False
    log_weights: tuple[float, ...] = ()

    def probabilities(self, scores: Sequence[float]) -> list[float]:
        """Return the labels' probabilities, sum 1, from their scores with the weights."""
        weights = self.log_weights or (0.0,) * len(self.labels)
        logits = [score + weight for score, weight in zip(scores, weights, strict=True)]
        top = max(logits)
        shares = [math.exp(each - top) for each in logits]
        return [share / sum(shares) for share in shares]

    def chosen(self, scores: Sequence[float], seed: int, decoding: Decoding) -> int:
        """Return the number of the chosen label; among equal ones the first."""
        probabilities = self.probabilities(scores)
        if not self.sampled or decoding.temperature == 0:
            return max(range(len(self.labels)), key=probabilities.__getitem__)
        shares = [each ** (1 / decoding.temperature) for each in probabilities]
        # The explanation is drawn with the numbers of the seed itself.
        target = random.Random(f"label {seed}").random() * sum(shares)
        for number, share in enumerate(shares):
            target -= share
            if target < 0:
                return number
        return len(shares) - 1


@dataclass(frozen=True)
class GenerationRequest:
    """A request for one answer.

    Attributes:
        key: identifies the answer within a run.
        adapter: folder of a PEFT adapter; empty for the bare model.
        seed: of everything random in this answer, 0 to 2³¹ − 1; two requests with the same
            prompt, adapter and seed get the same answer, whatever other requests are in the batch.
        label: how the label is chosen, by a backend that `scores_labels`; None: as it is written.
        begin: text that the answer begins with, for such a backend; the reply is the rest of the
            line.
    """

    key: str
    prompt: Prompt
    adapter: str = ""
    seed: int = 0
    label: LabelChoice | None = None
    begin: str = ""


def temperature_setting(default: float) -> Any:
    """Return the field `temperature`, the same for every stage that generates text."""
    return setting(
        default,
        "Temperature",
        "Sampling temperature: probabilities are taken to the power 1 / temperature; 0 always "
        "takes the most likely token.",
        ge=0,
        le=5,
        step=0.1,
    )


def top_p_setting(default: float = 0.95) -> Any:
    """Return the field `top_p`, the same for every stage that generates text."""
    return setting(
        default,
        "Top p",
        "Nucleus sampling: only the most likely tokens that together reach this share are drawn "
        "from; 1 draws from all (Holtzman et al. 2020).",
        gt=0,
        le=1,
        step=0.05,
        usual=(0.01, 1.0),
    )


def max_new_tokens_setting(default: int) -> Any:
    """Return the field `max_new_tokens`, the same for every stage that generates text."""
    return setting(
        default,
        "Max new tokens",
        "Tokens after which a generated text is cut; cut texts are counted.",
        ge=1,
        le=8192,
    )


@settings("Decoding")
class Decoding:
    """Sampling of an answer from the model's probabilities."""

    temperature: float = temperature_setting(0.7)
    top_p: float = top_p_setting()
    max_new_tokens: int = max_new_tokens_setting(128)
    stop_fields: tuple[str, ...] = setting(
        (),
        "Stop fields",
        "Names of lines (Label, Premise) that cannot belong to an explanation: a model on this "
        "machine is stopped where it begins one of them after the explanation.",
    )


@dataclass(frozen=True)
class Reply:
    """The answer to one request.

    Attributes:
        text: the answer, unmodified.
        prompt_tokens, output_tokens: as the model's tokenizer or the server counts them, the end
            token among the output.
        finish: "stop" (the model ended), "length" (cut at `max_new_tokens`) or "error": this
            request can never be answered (`error` has the reason), so it is not retried.
        label_scores: log-probabilities of the request's labels, without its weights.
    """

    text: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    finish: str = "stop"
    error: str = ""
    label_scores: tuple[float, ...] = ()


class Backend(ABC):
    """A model that answers prompts.

    Attributes:
        name: display name of the model.
        fingerprint: changes where the model's answers may change; the base's own for models on
            this machine.
        adapters: whether requests may name adapters.
        scores_labels: whether requests may name a `LabelChoice`, or the answer's beginning.
        prompt_version: version of the prompts it is asked with by default.
        details: what else an answer may depend on, to its last bit; plain values, no secrets.
    """

    name: str
    fingerprint: str
    adapters: bool = False
    scores_labels: bool = False
    prompt_version: int = LATEST_VERSION

    @property
    def details(self) -> dict[str, str | int]:
        return {}

    @abstractmethod
    def complete(
        self,
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        done: Set[str] = frozenset(),
        progress: Progress = silent,
    ) -> Iterator[tuple[GenerationRequest, Reply]]:
        """Yield the replies as they arrive, in any order, except to requests with a key in `done`.

        `requests` must still include those in `done`: a backend that answers in batches forms the
        same batches again, so the remaining answers are those of an uninterrupted run.

        Raises:
            BackendUnavailable: the model is not available any more. Replies yielded before are
                valid.
            Stopped: raised by `progress`; requests in progress at a server are yielded before.
        """

    def label_scores(
        self,
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        progress: Progress = silent,
    ) -> dict[str, tuple[float, ...]]:
        """Return the log-probabilities of each request's labels, by its key; nothing is written.

        Raises:
            ConfigError: the backend does not know its probabilities.
        """
        raise ConfigError(
            f"{self.name} gives no probabilities of labels",
            todo="use a model on this machine, or have the label written (label_choice generated)",
        )

    def excess(self, prompt: Prompt, decoding: Decoding) -> int:
        """Tokens by which prompt and longest answer together exceed the model's context.

        0 where they fit, and where it cannot be known beforehand.
        """
        return 0


def stop_fields(task: Task) -> tuple[str, ...]:
    """Return the field names that end an explanation: those of the prompts for this task."""
    marks = (LABEL_MARK.rstrip(":"), EXPLANATION_MARK.rstrip(":"))
    return (*marks, task.role_a or "text", task.role_b or "second text")


def answer_ended(text: str, fields: Sequence[str]) -> bool:
    """Return whether a model that wrote `text` continued with another field after its answer.

    True where a label and a non-empty explanation are followed by a line that begins with one of
    `fields` and a colon. Text in a thinking block does not count.
    """
    if not fields:
        return False
    answer = text.rpartition("</think>")[2]
    if "<think>" in answer:
        return False
    before, mark, after = answer.lower().replace("**:", ":**").partition(EXPLANATION_MARK.lower())
    if not mark or LABEL_MARK.lower() not in before:
        return False
    written, _, more = after.lstrip(" \n*#_").partition("\n")
    names = "|".join(re.escape(field.lower()) for field in fields)
    return bool(written.strip() and re.search(rf"^[^\w\n]*(?:{names})\W{{0,2}}:", more, re.M))
