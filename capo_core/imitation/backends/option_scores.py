"""Scores of a few possible answers to a question, by the first token of each.

    question  →  one score per option: a logit, a log-probability, or a number of draws

Three ways: logits of a transformers model on this machine, log-probabilities of any server that
returns them with chat completions, and samples of any backend. Torch is imported where a model of
this machine is used, so that pages that name the kinds of scores start without it.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.formatting import quoted_names
from capo_core.imitation.backends.base import (
    BATCH_TOKENS,
    Backend,
    Decoding,
    GenerationRequest,
    Reply,
)
from capo_core.imitation.backends.openai import ServerBackend, ServerSettings
from capo_core.imitation.generation.requests import seed_of
from capo_core.imitation.prompting.prompts import Prompt, prompt_ids
from capo_core.progress import Progress, part_of, silent
from capo_core.text.tokens import WORD_CHARACTER
from capo_core.workspace import content_hash

if TYPE_CHECKING:
    from capo_core.imitation.models.base_model import LoadedBaseModel

LOGIT, LOG_PROBABILITY, FREQUENCY = "logit", "log-probability", "frequency"
NO_OPTION = "none of the options among the likeliest first tokens"
NOT_A_NUMBER = "a score is not a number"
NONE_DRAWN = "no answer began with an option"


@dataclass(frozen=True)
class OptionQuestion:
    """A question with options to score.

    Attributes:
        key: identifies it within a run.
        options: possible beginnings of the answer, in the order of the scores.
        prefix: text of the answer before the option ("Label:"); "" for none. Only a model on this
            machine can be forced to begin so; for others it is an instruction in the prompt.
    """

    key: str
    prompt: Prompt
    options: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True)
class OptionScores:
    """The result for one question: a score per option, or a problem and no scores.

    Attributes:
        bounded: options that were not among those listed by a server; their score is the lowest
            one listed, which it cannot exceed.
    """

    scores: tuple[float, ...] = ()
    problem: str = ""
    bounded: int = 0


class OptionScorer(ABC):
    """A model that scores options.

    Attributes:
        kind: type of its scores: LOGIT, LOG_PROBABILITY or FREQUENCY.
        prefixes: whether it can score options after `OptionQuestion.prefix`.
        prompts: how whole label words are asked for (`distributions.word_scores.WordPrompts`);
            None where it scores first tokens.
    """

    name: str
    fingerprint: str
    kind: str
    prefixes: bool = False
    prompts: Any = None

    @abstractmethod
    def score(
        self, questions: Sequence[OptionQuestion], progress: Progress = silent
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        """Yield the scores as they arrive, in any order.

        Raises:
            BackendUnavailable: the model is not available, or returns no scores.
            ConfigError: two options begin with the same token.
        """


class SampledScorer(OptionScorer):
    """A scorer that counts how often each option is drawn, for models that return text only.

    An answer counts where it begins with an option, behind the prefix where there is one: the
    prompt asks for it, and a model that was trained on that form writes it.

    Args:
        samples: answers sampled per question.
    """

    kind = FREQUENCY
    prefixes = True

    def __init__(self, backend: Backend, samples: int, *, seed: int = 0) -> None:
        if not 1 <= samples <= 1000:
            raise ConfigError(
                f"{samples} samples cannot be drawn", expected="a whole number from 1 to 1000"
            )
        self.name, self.fingerprint = backend.name, backend.fingerprint
        self._backend, self._samples, self._seed = backend, samples, seed

    def score(
        self, questions: Sequence[OptionQuestion], progress: Progress = silent
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=8)
        for number, question in enumerate(questions):
            part = part_of(progress, number / len(questions), (number + 1) / len(questions))
            requests = [
                GenerationRequest(f"{question.key}-{k}", question.prompt,
                        seed=seed_of(self._seed, question.key, str(k)))
                for k in range(self._samples)
            ]  # fmt: skip
            drawn = [0] * len(question.options)
            for _, reply in self._backend.complete(requests, decoding, progress=part):
                text = reply.text.lstrip().removeprefix(question.prefix)
                found = option_of(text, question.options)
                if found is not None:
                    drawn[found] += 1
            yield (
                question,
                OptionScores(tuple(map(float, drawn)))
                if any(drawn)
                else OptionScores(problem=NONE_DRAWN),
            )


def option_of(text: str, options: Sequence[str]) -> int | None:
    """Return the index of the option an answer begins with; None if there is none, or several."""
    begun = text.lstrip(" \n\t*_\"'([").lower()
    found = [
        place
        for place, option in enumerate(options)
        if re.match(rf"{re.escape(option.lower())}(?!{WORD_CHARACTER})", begun)
    ]
    return found[0] if len(found) == 1 else None


def scores_from_listed(listed: dict[str, float], options: Sequence[str]) -> OptionScores:
    """Compute option scores from a server's list of first tokens and log-probabilities.

    A token counts for the option that it begins (a single letter: that it equals); forms of one
    option ("A", " A") are summed.
    """
    if any(math.isnan(value) for value in listed.values()):
        return OptionScores(problem=NOT_A_NUMBER)
    found: list[list[float]] = [[] for _ in options]
    for token, value in listed.items():
        bare = token.strip().rstrip(".):").lower()
        begun = [place for place, option in enumerate(options) if option.lower().startswith(bare)]
        if bare and len(begun) == 1:
            found[begun[0]].append(value)
    if not any(found):
        return OptionScores(problem=NO_OPTION)
    least = min(listed.values())
    scores = tuple(_log_sum(values) if values else least for values in found)
    return OptionScores(scores, bounded=sum(not values for values in found))


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


LISTED = 20  # first tokens asked for; what OpenAI gives at most
_NO_LOG_PROBABILITIES = "the server's answer has no log-probabilities in it"


class ServerScorer(OptionScorer):
    """A scorer that requests the log-probabilities of the 20 most likely first tokens."""

    kind = LOG_PROBABILITY

    def __init__(self, settings: ServerSettings) -> None:
        self.name = settings.model
        self.fingerprint = content_hash("openai", settings.shown_url, settings.model)
        self._backend = _Backend(settings)

    def score(
        self, questions: Sequence[OptionQuestion], progress: Progress = silent
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        by_key = {question.key: question for question in questions}
        requests = [GenerationRequest(question.key, question.prompt) for question in questions]
        decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=1)
        for request, reply in self._backend.complete(requests, decoding, progress=progress):
            question = by_key[request.key]
            if reply.finish == "error":
                yield question, OptionScores(problem=reply.error)
                continue
            yield question, scores_from_listed(self._listed(reply.text), question.options)

    def _listed(self, body: str) -> dict[str, float]:
        """Return the first tokens and their log-probabilities in a chat completion (JSON)."""
        try:
            first = json.loads(body)["choices"][0]["logprobs"]["content"][0]
            found = {one["token"]: float(one["logprob"]) for one in first["top_logprobs"]}
        except (KeyError, IndexError, TypeError, ValueError):
            found = {}
        if not found:
            raise BackendUnavailable(
                _NO_LOG_PROBABILITIES,
                where=self._backend.settings.shown_url,
                todo="draw samples instead (--by sampling)",
            )
        return found


class _Backend(ServerBackend):
    """A server whose replies are the whole completion as JSON text, with log-probabilities."""

    def _send(self, client: Any, request: GenerationRequest, decoding: Decoding):
        asked = _WithLogProbabilities(client)
        try:
            outcome = super()._send(asked, request, decoding)
        except BackendUnavailable as error:
            if "logprobs" in error.what:
                raise BackendUnavailable(
                    error.what, where=error.where, todo="draw samples instead (--by sampling)"
                ) from error
            raise
        if isinstance(outcome, Reply) and outcome.finish != "error":
            return Reply(asked.body)
        return outcome


class _WithLogProbabilities:
    """An OpenAI client that also requests log-probabilities, and stores the answer's text."""

    def __init__(self, client: Any) -> None:
        self._create = client.chat.completions.with_raw_response.create
        self.body = ""
        inner = SimpleNamespace(create=self._ask)
        self.chat = SimpleNamespace(completions=SimpleNamespace(with_raw_response=inner))

    def _ask(self, **asked: Any) -> Any:
        answer = self._create(**asked, logprobs=True, top_logprobs=LISTED)
        self.body = answer.http_response.text
        return answer


TOO_LONG = "prompt too long"


class TransformersScorer(OptionScorer):
    """Scorer with one forward pass per question, in left-padded batches of similar length.

    Args:
        batch_tokens: rows × longest prompt of a batch at most.
    """

    kind = LOGIT
    prefixes = True

    def __init__(self, base: LoadedBaseModel, *, batch_tokens: int = BATCH_TOKENS) -> None:
        self.name, self.fingerprint = base.name, base.fingerprint
        self._base, self._batch_tokens = base, batch_tokens

    def score(
        self, questions: Sequence[OptionQuestion], progress: Progress = silent
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        rows = [(question, self._ids(question)) for question in questions]
        rows.sort(key=lambda row: (-len(row[1]), row[0].key))
        done, longest = 0, self._base.longest
        while done < len(rows):
            width = len(rows[done][1])
            batch = rows[done : done + max(1, self._batch_tokens // width)]
            progress("weighing answers", done / len(rows))
            done += len(batch)
            if longest is not None and width > longest:
                fits = [row for row in batch if len(row[1]) <= longest]
                for question, _ in batch[: len(batch) - len(fits)]:
                    yield question, OptionScores(problem=TOO_LONG)
                batch = fits
            if batch:
                yield from zip([row[0] for row in batch], self._batch(batch), strict=True)

    def _batch(self, batch: list[tuple[OptionQuestion, tuple[int, ...]]]) -> list[OptionScores]:
        import torch

        from capo_core.imitation.models.errors import out_of_memory

        width, device = max(len(ids) for _, ids in batch), self._base.model.device
        ids = torch.full((len(batch), width), self._base.pad_id)
        mask = torch.zeros_like(ids)
        for row, (_, own) in enumerate(batch):
            ids[row, width - len(own) :] = torch.tensor(own)
            mask[row, width - len(own) :] = 1
        places = (mask.cumsum(1) - 1).clamp(min=0)
        try:
            with torch.inference_mode():
                logits = (
                    self._base.model(
                        input_ids=ids.to(device),
                        attention_mask=mask.to(device),
                        position_ids=places.to(device),
                        logits_to_keep=1,
                    )
                    .logits[:, -1]
                    .float()
                )
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise BackendUnavailable(
                f"there is not enough memory for {len(batch)} prompts at once",
                where=self.name,
                todo="ask for fewer tokens in a batch (--batch-tokens)",
            ) from error
        found = []
        for (question, _), row in zip(batch, logits, strict=True):
            scores = tuple(row[list(self.option_ids(question))].tolist())
            bad = any(score != score for score in scores)
            found.append(OptionScores(problem=NOT_A_NUMBER) if bad else OptionScores(scores))
        return found

    def _ids(self, question: OptionQuestion) -> tuple[int, ...]:
        return (*prompt_ids(question.prompt, self._base.tokenizer), *self._tokens(question.prefix))

    def _tokens(self, text: str) -> list[int]:
        return self._base.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def option_ids(self, question: OptionQuestion) -> tuple[int, ...]:
        """Return the first token of each option as it follows the prefix.

        Raises:
            ConfigError: two options begin with the same token, so they cannot be distinguished.
        """
        before = self._tokens(question.prefix)
        found = []
        for option in question.options:
            whole = self._tokens(f"{question.prefix} {option}" if question.prefix else option)
            if whole[: len(before)] != before or len(whole) == len(before):
                raise ConfigError(
                    f"the tokenizer joins {question.prefix!r} with {option!r}",
                    where=self.name,
                    todo="take letters as options (--options letters)",
                )
            found.append(whole[len(before)])
        if len(set(found)) < len(found):
            raise ConfigError(
                f"some of the options {quoted_names(question.options)} begin with the same token",
                where=self.name,
                todo="take letters as options (--options letters)",
            )
        return tuple(found)
