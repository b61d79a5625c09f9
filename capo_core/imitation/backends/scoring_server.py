"""Log-probabilities of first tokens, from any server that gives them with chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from capo_core.errors import BackendUnavailable
from capo_core.imitation.backends.base import Decoding, Reply, Request
from capo_core.imitation.backends.openai_server import ServerBackend
from capo_core.imitation.backends.scoring import (
    LOG_PROBABILITY,
    Question,
    Scored,
    Scorer,
    from_listed,
)
from capo_core.imitation.backends.server_settings import ServerSettings
from capo_core.progress import Progress, silent
from capo_core.workspace import content_hash

LISTED = 20  # first tokens asked for; what OpenAI gives at most
_NO_LOG_PROBABILITIES = "the server's answer has no log-probabilities in it"


class ServerScorer(Scorer):
    """Asks for one token with the log-probabilities of the 20 likeliest first ones."""

    kind = LOG_PROBABILITY

    def __init__(self, settings: ServerSettings) -> None:
        self.name = settings.model
        self.fingerprint = content_hash("openai", settings.shown_url, settings.model)
        self._backend = _Backend(settings)

    def score(
        self, questions: Sequence[Question], progress: Progress = silent
    ) -> Iterator[tuple[Question, Scored]]:
        by_key = {question.key: question for question in questions}
        requests = [Request(question.key, question.prompt) for question in questions]
        decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=1)
        for request, reply in self._backend.complete(requests, decoding, progress=progress):
            question = by_key[request.key]
            if reply.finish == "error":
                yield question, Scored(problem=reply.error)
                continue
            yield question, from_listed(self._listed(reply.text), question.options)

    def _listed(self, body: str) -> dict[str, float]:
        """First tokens and their log-probabilities in a chat completion (JSON)."""
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
    """A server whose replies are the whole completion as JSON text, log-probabilities in it."""

    def _send(self, client: Any, request: Request, decoding: Decoding):
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
    """An OpenAI client that asks for log-probabilities, too, and keeps the answer's text."""

    def __init__(self, client: Any) -> None:
        self._create = client.chat.completions.with_raw_response.create
        self.body = ""
        inner = SimpleNamespace(create=self._ask)
        self.chat = SimpleNamespace(completions=SimpleNamespace(with_raw_response=inner))

    def _ask(self, **asked: Any) -> Any:
        answer = self._create(**asked, logprobs=True, top_logprobs=LISTED)
        self.body = answer.http_response.text
        return answer
