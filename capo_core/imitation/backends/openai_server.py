"""Any server that speaks OpenAI's chat completions: vLLM, Ollama, `transformers serve`, OpenAI."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from capo_core.errors import BackendUnavailable, Stopped
from capo_core.imitation.backends.base import Backend, Decoding, Reply, Request
from capo_core.imitation.backends.pacing import Gate, backoff_s
from capo_core.imitation.backends.server_answers import (
    Again,
    OtherLimit,
    read_completion,
    read_refusal,
)
from capo_core.imitation.backends.server_settings import ServerSettings
from capo_core.progress import Progress, silent
from capo_core.workspace import content_hash

# A server that leaves so many requests in a row unanswered, each after all its tries, is given up.
_UNANSWERED_IN_A_ROW = 3
_LOOK_S = 0.5  # seconds between two looks at whether somebody asked to stop


class ServerBackend(Backend):
    """Asks a server, several requests at a time.

    What fails for a moment (no connection, a timeout, 429, 5xx, an answer that is no completion)
    is asked again after 0.5, 1, 2, … seconds or after what `Retry-After` says, for which all
    threads wait. What fails for good for one prompt (too long, filtered) becomes a reply with
    finish "error". What fails for all raises `BackendUnavailable`, after every answer under way
    has been yielded.

    A server draws its own random numbers: `Request.seed` is sent to it, and it is up to the
    server whether the same seed gives the same answer.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.name = settings.model
        self.fingerprint = content_hash("openai", settings.shown_url, settings.model)
        self._limit_name = "max_tokens"

    @property
    def details(self) -> dict[str, str | int]:
        return {"server": self.settings.shown_url}

    def complete(
        self,
        requests: Sequence[Request],
        decoding: Decoding,
        *,
        done: Set[str] = frozenset(),
        progress: Progress = silent,
    ) -> Iterator[tuple[Request, Reply]]:
        settings = self.settings
        pending = [request for request in requests if request.key not in done]
        if not pending:
            return
        client, halt = self._client(), threading.Event()
        gate = Gate(settings.per_minute, halt)
        pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="server")
        queue, under_way = iter(pending), {}
        answered, unanswered, in_a_row, reason = 0, 0, 0, ""
        ending: BackendUnavailable | Stopped | None = None
        try:
            while True:
                while ending is None and len(under_way) < settings.concurrency:
                    request = next(queue, None)
                    if request is None:
                        break
                    job = pool.submit(self._ask, client, request, decoding, gate, halt)
                    under_way[job] = request
                if not under_way:
                    break
                for job in wait(under_way, _LOOK_S, FIRST_COMPLETED).done:
                    request = under_way.pop(job)
                    outcome = _outcome(job)
                    if isinstance(outcome, Reply):
                        answered, in_a_row = answered + 1, 0
                        yield request, outcome
                        continue
                    unanswered += 1
                    if isinstance(outcome, BackendUnavailable):
                        ending = ending or outcome
                    else:
                        in_a_row, reason = in_a_row + 1, outcome.reason
                        if in_a_row >= _UNANSWERED_IN_A_ROW and ending is None:
                            ending = self._unanswered(in_a_row, reason)
                if ending is None:
                    try:
                        progress(f"asking {self.name}", answered / len(pending))
                    except Stopped as stopped:
                        ending = stopped
                if ending is not None:
                    halt.set()  # nobody waits for another try; what is at the server comes back
        finally:
            halt.set()
            pool.shutdown(wait=True, cancel_futures=True)
            client.close()
        if ending is not None:
            raise ending
        if unanswered:
            raise self._unanswered(unanswered, reason)

    def _ask(
        self, client: Any, request: Request, decoding: Decoding, gate: Gate, halt: threading.Event
    ) -> Reply | Again:
        """One answer, with all its tries; `Again` where none of them gave one."""
        outcome: Reply | Again | OtherLimit = Again("it was not asked")
        tried = 0
        while tried < self.settings.tries and gate.enter():
            outcome = self._send(client, request, decoding)
            if isinstance(outcome, OtherLimit):
                continue
            if isinstance(outcome, Reply):
                return outcome
            tried += 1
            if outcome.wait_s is not None:
                self._wait_for_server(outcome.wait_s, gate)
            elif tried < self.settings.tries:
                halt.wait(backoff_s(tried))
        return outcome if isinstance(outcome, Again) else Again("it was not asked")

    def _wait_for_server(self, wait_s: float, gate: Gate) -> None:
        if wait_s > self.settings.longest_wait_s:
            raise BackendUnavailable(
                f"the server asks to wait {wait_s:.0f} s before the next request",
                where=self.settings.shown_url,
                todo="try again after that time",
            )
        gate.hold(wait_s)

    def _send(
        self, client: Any, request: Request, decoding: Decoding
    ) -> Reply | Again | OtherLimit:
        """The request, sent once."""
        import openai

        settings, limit_name = self.settings, self._limit_name
        limit = {limit_name: decoding.max_new_tokens}
        try:
            raw = client.chat.completions.with_raw_response.create(
                model=settings.model,
                messages=[{"role": "user", "content": request.prompt.text}],
                temperature=decoding.temperature,
                top_p=decoding.top_p,
                seed=request.seed,
                **limit,
            )
            outcome = read_completion(settings.redact(raw.http_response.text))
        except openai.APITimeoutError:
            return Again(f"the server said nothing for {settings.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = settings.redact(str(error.__cause__ or error))
            return Again(f"no connection to the server ({cause})")
        except openai.APIStatusError as error:
            body = error.body if error.body is not None else error.response.text
            outcome = read_refusal(
                error.status_code,
                _redacted(body, settings),
                error.response.headers,
                model=settings.model,
                where=settings.shown_url,
            )
            if isinstance(outcome, OtherLimit):
                if limit_name == "max_completion_tokens":
                    raise BackendUnavailable(
                        "the server accepts neither max_tokens nor max_completion_tokens",
                        where=settings.shown_url,
                    ) from None
                self._limit_name = "max_completion_tokens"
        return outcome

    def _client(self) -> Any:
        try:
            import openai
        except ImportError as error:
            raise BackendUnavailable(
                "the package openai is not installed", todo="pip install openai"
            ) from error
        return openai.OpenAI(
            base_url=self.settings.url,
            api_key=self.settings.key or "none",
            timeout=self.settings.timeout_s,
            max_retries=0,  # tries are counted here, where waiting can be ended
        )

    def _unanswered(self, count: int, reason: str) -> BackendUnavailable:
        return BackendUnavailable(
            f"{count} request{'s' if count > 1 else ''} got no answer after "
            f"{self.settings.tries} tries each; the last time, {reason}",
            where=self.settings.shown_url,
            todo="look whether the server is running and not overloaded",
        )


def _outcome(job: Future) -> Reply | Again | BackendUnavailable:
    try:
        return job.result()
    except BackendUnavailable as error:
        return error


def _redacted(body: Any, settings: ServerSettings) -> Any:
    if isinstance(body, str):
        return settings.redact(body)
    if isinstance(body, dict):
        return {key: _redacted(value, settings) for key, value in body.items()}
    return body
