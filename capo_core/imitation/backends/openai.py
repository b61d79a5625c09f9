"""Backend for servers with OpenAI's chat completions: vLLM, Ollama, `transformers serve`, OpenAI.

Requests go out several at a time, under a rate limit; the key is read from the environment only.
Retries are counted here and not by the openai client (`max_retries`): it waits in `time.sleep`,
which nothing can interrupt, obeys a short `Retry-After` only, and only in the thread that got it,
while a server's pause holds for all requests; nor does it repeat an answer that is no completion.
"""

from __future__ import annotations

import email.utils
import json
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from capo_core.errors import BackendUnavailable, ConfigError, Stopped
from capo_core.imitation.backends.base import Backend, Decoding, GenerationRequest, Reply
from capo_core.progress import Progress, silent
from capo_core.settings import setting, settings
from capo_core.workspace import content_hash

FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 30.0


class Gate:
    """A gate that lets the requests of all threads pass one by one, at a limited rate.

    Args:
        per_minute: requests a minute at most; 0 sets no limit.
        halt: once set, nobody waits any more.
    """

    def __init__(self, per_minute: float, halt: threading.Event) -> None:
        self._spacing_s = 60.0 / per_minute if per_minute else 0.0
        self._halt = halt
        self._lock = threading.Lock()
        self._next = 0.0  # monotonic time at which the next request may go out

    def enter(self) -> bool:
        """Wait for a turn; return False if halted before."""
        while not self._halt.is_set():
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self._spacing_s
                    return True
                left = self._next - now
            self._halt.wait(left)
        return False

    def hold(self, seconds: float) -> None:
        """Close the gate for `seconds` from now."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def backoff_s(tried: int) -> float:
    """Seconds to wait after the `tried`-th failure in a row: 0.5, 1, 2, … up to 30."""
    return min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2.0 ** (tried - 1))


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds of a server's `Retry-After` (number or date; RFC 9110, 10.2.3).

    None where there is none, or it cannot be read.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(value).timestamp()
        except (ValueError, OverflowError):
            return None
        seconds = when - (time.time() if now is None else now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


OPENAI_URL = "https://api.openai.com/v1"
_SHORTEST_SECRET = 8  # shorter "keys" (none, EMPTY) are no secrets, and occur in ordinary words


@settings("server")
class ServerSettings:
    """Address, credentials, timeouts and limits of a server.

    The address may hold a user name and a password; `shown_url` never does. The key is sent as
    bearer token; `redact` keeps it out of every message.
    """

    model: str = setting(title="Model", description="The model's name at the server.")
    url: str = setting(
        title="Address",
        description="The API's address, ending in /v1 for most servers (CAPO_SERVER_URL).",
        secret=True,
    )
    key: str = setting("", "Key", "Read from OPENAI_API_KEY.", empty="none", secret=True)
    timeout_s: float = setting(
        120.0,
        "Timeout, s",
        "Server: seconds without data after which a request has failed.",
        gt=0,
        le=3600,
    )
    tries: int = setting(
        6, "Tries", "How often a request is sent before it counts as unanswered.", ge=1, le=20
    )
    longest_wait_s: float = setting(
        120.0,
        "Longest wait, s",
        "If the server demands a longer wait, the request fails.",
        ge=0,
        le=3600,
    )
    concurrency: int = setting(
        4, "Concurrent requests", "Server: requests sent at the same time.", ge=1, le=64
    )
    per_minute: float = setting(
        0.0, "Requests per minute", "Server: max requests per minute (0 = no limit).", ge=0
    )

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigError(
                f"{self.model!r} cannot be used",
                where="server, model",
                expected="the model's name at the server",
            )
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise ConfigError(
                f"the address {self.shown_url!r} cannot be used",
                where="server",
                expected="an address such as http://localhost:8000/v1",
                todo="set CAPO_SERVER_URL",
            )

    @property
    def shown_url(self) -> str:
        """The address without user name, password, query and fragment."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def redact(self, text: str) -> str:
        """Return `text` without the key and without the address's password."""
        for secret in (self.key, urlsplit(self.url).password or ""):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "[key]")
        return text


def from_environment(
    model: str, environment: Mapping[str, str] = os.environ, **settings
) -> ServerSettings:
    """Return settings with the address and the key from the environment.

    The address is `CAPO_SERVER_URL`, else `OPENAI_BASE_URL`; if only a key is set, OpenAI's. The
    key is `OPENAI_API_KEY`; self-hosted servers usually need none.

    Raises:
        BackendUnavailable: the environment names neither a server nor a key.
        ConfigError: a setting is out of range.
    """
    url = environment.get("CAPO_SERVER_URL") or environment.get("OPENAI_BASE_URL") or ""
    key = environment.get("OPENAI_API_KEY", "")
    if not url and not key:
        raise BackendUnavailable(
            "no server is named",
            expected="CAPO_SERVER_URL (or OPENAI_BASE_URL) in the environment, for instance "
            "http://localhost:8000/v1, or OPENAI_API_KEY for OpenAI's own server",
            todo="set it and try again, or use a model on this machine (--base)",
        )
    return ServerSettings(model=model, url=(url or OPENAI_URL).strip(), key=key, **settings)


# Refusals of one prompt and not of all: servers say so in a code or only in words.
_TOO_LONG = ("context_length", "context length", "maximum context", "too long", "too many tokens")
_FILTERED = ("content_filter", "content_policy", "content management policy")
_AGAIN = (408, 409, 425, 429)
_LONGEST_QUOTE = 300


@dataclass(frozen=True)
class Retry:
    """The request failed and may be sent again, not before `wait_s` where the server says so."""

    reason: str
    wait_s: float | None = None


@dataclass(frozen=True)
class OtherLimitName:
    """The server wants the length limit as `max_completion_tokens`."""


def read_completion(body: str) -> Reply | Retry:
    """Parse a chat completion (JSON text) into a reply.

    Returns `Retry` if it is no JSON or has no answer. An answer without text (thinking only, or a
    refusal) is a reply with the refusal's text, or an empty one.
    """
    try:
        raw = json.loads(body)
        choice = raw["choices"][0]
        message = choice["message"]
        text = message.get("content")
        if text is None:
            text = message.get("refusal") or ""
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Retry("the server's answer is not a chat completion")
    usage = raw.get("usage") or {}
    return Reply(
        text=text,
        prompt_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        finish="length" if choice.get("finish_reason") == "length" else "stop",
    )


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value >= 0 else 0


def read_refusal(
    status: int, body: Any, headers: Any, *, model: str, where: str
) -> Reply | Retry | OtherLimitName:
    """Return the meaning of an HTTP error for one request.

    Args:
        body: decoded JSON, or text.

    Returns:
        A reply with finish "error" where this prompt alone is refused, for good.

    Raises:
        BackendUnavailable: all further requests would fail as well.
    """
    said = _words(body)
    low = said.lower()
    if status == 429 and "insufficient_quota" in low:
        raise BackendUnavailable(
            f"the account at the server is used up ({said})",
            where=where,
            todo="top it up, or name another server by CAPO_SERVER_URL",
        )
    if status in _AGAIN or status >= 500:
        return Retry(f"the server answered {status} ({said})", retry_after_s(headers))
    if status in (400, 413, 422):
        if "max_completion_tokens" in low:
            return OtherLimitName()
        if any(mark in low for mark in _TOO_LONG):
            return Reply("", finish="error", error="prompt too long")
        if any(mark in low for mark in _FILTERED):
            return Reply("", finish="error", error="refused by the server's content filter")
    if status in (401, 403):
        raise BackendUnavailable(
            f"the server refuses the key ({status}: {said})",
            where=where,
            todo="set OPENAI_API_KEY to a key that may use this model",
        )
    if status == 404:
        raise BackendUnavailable(
            f"the server does not know the model {model!r}, or the address is wrong ({said})",
            where=where,
            todo="ask the server for its models (GET /v1/models), and check that CAPO_SERVER_URL "
            "ends as the server wants it, mostly in /v1",
        )
    raise BackendUnavailable(
        f"the server refuses the request ({status}: {said})",
        where=where,
        todo="change what it names, or use another model",
    )


def _words(body: Any) -> str:
    """Return the server's error message and code as one short line."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        parts = (error.get("message"), error.get("code"))
        error = ", ".join(str(part) for part in parts if part) or json.dumps(error)
    text = " ".join(str(error or "no reason given").split()).rstrip(".")
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


PING_S = 5.0  # that a server may take to name its models


def server_models(server: ServerSettings, *, timeout_s: float = PING_S) -> tuple[str, ...] | None:
    """Return the names of the models that a server has, by one request; None if it lists none.

    Raises:
        BackendUnavailable: it cannot be reached, does not answer in time, or refuses the key.
    """
    client = _client_of(server, timeout_s)
    import openai

    try:
        return tuple(sorted({str(each.id) for each in client.models.list()}))
    except openai.APITimeoutError:
        reason, todo = f"the server did not answer within {timeout_s:g} s", _CHECK
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        reason, todo = f"the server cannot be reached ({cause})", _CHECK
    except openai.APIStatusError as error:
        if error.status_code == 404:
            return None
        refused = error.status_code in (401, 403)
        reason = f"the server answers {error.status_code}" + (", it refuses the key" * refused)
        todo = "set OPENAI_API_KEY to a key that may use it" if refused else _CHECK
    except (openai.OpenAIError, ValueError, AttributeError, TypeError):
        return None  # an answer of another form
    raise BackendUnavailable(server.redact(reason), where=server.shown_url, todo=todo)


_CHECK = "look whether the server is running, and whether CAPO_SERVER_URL is its address"

# A server that leaves so many requests in a row unanswered, each after all its tries, is given up.
_UNANSWERED_IN_A_ROW = 3
_LOOK_S = 0.5  # seconds between two looks at whether somebody asked to stop


class ServerBackend(Backend):
    """A backend that sends several requests at a time to a server.

    A temporary failure (no connection, a timeout, 429, 5xx, an answer that is no completion)
    is retried after 0.5, 1, 2, … seconds or after the time in `Retry-After`, for which all threads
    wait. A permanent failure of one prompt (too long, filtered) becomes a reply with finish
    "error". A failure of all requests raises `BackendUnavailable`, after every answer in progress
    has been yielded.

    A server draws its own random numbers: the request's seed is sent, but whether the same seed
    gives the same answer depends on the server.
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
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        done: Set[str] = frozenset(),
        progress: Progress = silent,
    ) -> Iterator[tuple[GenerationRequest, Reply]]:
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
        self,
        client: Any,
        request: GenerationRequest,
        decoding: Decoding,
        gate: Gate,
        halt: threading.Event,
    ) -> Reply | Retry:
        """Send a request with retries and return its reply; a `Retry` if all tries failed."""
        outcome: Reply | Retry | OtherLimitName = Retry("the request was not sent")
        tried = 0
        while tried < self.settings.tries and gate.enter():
            outcome = self._send(client, request, decoding)
            if isinstance(outcome, OtherLimitName):
                continue
            if isinstance(outcome, Reply):
                return outcome
            tried += 1
            if outcome.wait_s is not None:
                self._wait_for_server(outcome.wait_s, gate)
            elif tried < self.settings.tries:
                halt.wait(backoff_s(tried))
        return outcome if isinstance(outcome, Retry) else Retry("the request was not sent")

    def _wait_for_server(self, wait_s: float, gate: Gate) -> None:
        if wait_s > self.settings.longest_wait_s:
            raise BackendUnavailable(
                f"the server asks to wait {wait_s:.0f} s before the next request",
                where=self.settings.shown_url,
                todo="try again after that time",
            )
        gate.hold(wait_s)

    def _send(
        self, client: Any, request: GenerationRequest, decoding: Decoding
    ) -> Reply | Retry | OtherLimitName:
        """Send the request once."""
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
            return Retry(f"the server sent nothing for {settings.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = settings.redact(str(error.__cause__ or error))
            return Retry(f"no connection to the server ({cause})")
        except openai.APIStatusError as error:
            body = error.body if error.body is not None else error.response.text
            outcome = read_refusal(
                error.status_code,
                _redacted(body, settings),
                error.response.headers,
                model=settings.model,
                where=settings.shown_url,
            )
            if isinstance(outcome, OtherLimitName):
                if limit_name == "max_completion_tokens":
                    raise BackendUnavailable(
                        "the server accepts neither max_tokens nor max_completion_tokens",
                        where=settings.shown_url,
                    ) from None
                self._limit_name = "max_completion_tokens"
        return outcome

    def _client(self) -> Any:
        return _client_of(self.settings, self.settings.timeout_s)

    def _unanswered(self, count: int, reason: str) -> BackendUnavailable:
        return BackendUnavailable(
            f"{count} request{'s' if count > 1 else ''} got no answer after "
            f"{self.settings.tries} tries each; the last time, {reason}",
            where=self.settings.shown_url,
            todo="look whether the server is running and not overloaded",
        )


def _client_of(server: ServerSettings, timeout_s: float) -> Any:
    try:
        import openai
    except ImportError as error:
        raise BackendUnavailable(
            "the package openai is not installed", todo="pip install openai"
        ) from error
    return openai.OpenAI(
        base_url=server.url,
        api_key=server.key or "none",
        timeout=timeout_s,
        max_retries=0,  # tries are counted here, where waiting can be ended
    )


def _outcome(job: Future) -> Reply | Retry | BackendUnavailable:
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
