"""What a server said, as one of four things: an answer, try again, never, or give up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from capo_core.errors import BackendUnavailable
from capo_core.imitation.backends.base import Reply
from capo_core.imitation.backends.pacing import retry_after_s

# Refusals of one prompt and not of all: servers say so in a code or only in words.
_TOO_LONG = ("context_length", "context length", "maximum context", "too long", "too many tokens")
_FILTERED = ("content_filter", "content_policy", "content management policy")
_AGAIN = (408, 409, 425, 429)
_LONGEST_QUOTE = 300


@dataclass(frozen=True)
class Again:
    """The request failed and may be sent again, not before `wait_s` where the server says so."""

    reason: str
    wait_s: float | None = None


@dataclass(frozen=True)
class OtherLimit:
    """The server wants the length limit as `max_completion_tokens`."""


def read_completion(body: str) -> Reply | Again:
    """A chat completion (JSON text) as a reply.

    `Again` where it is no JSON or has no answer in it. An answer without text (all of it thought,
    or refused) is a reply: the refusal's words, or an empty text.
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
        return Again("the server's answer is not a chat completion")
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
) -> Reply | Again | OtherLimit:
    """What an HTTP error means for one request.

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
        return Again(f"the server answered {status} ({said})", retry_after_s(headers))
    if status in (400, 413, 422):
        if "max_completion_tokens" in low:
            return OtherLimit()
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
    """The server's message with its code, in one short line."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        parts = (error.get("message"), error.get("code"))
        error = ", ".join(str(part) for part in parts if part) or json.dumps(error)
    text = " ".join(str(error or "no reason given").split()).rstrip(".")
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
