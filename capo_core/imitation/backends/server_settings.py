"""Which server is asked, as whom and how hard; the key is read from the environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from capo_core.errors import BackendUnavailable, ConfigError

OPENAI_URL = "https://api.openai.com/v1"
_SHORTEST_SECRET = 8  # shorter "keys" (none, EMPTY) are no secrets, and occur in ordinary words


@dataclass(frozen=True)
class ServerSettings:
    """How a server is asked.

    Attributes:
        model: the model's name at the server.
        url: the API's address, ending in /v1 for most servers. May hold a user name and a
            password; `shown_url` never does.
        key: sent as bearer token; kept out of `repr`, and of every message by `redact`.
        timeout_s: seconds without a word from the server after which a request has failed.
        tries: how often a request is sent before it counts as unanswered.
        longest_wait_s: a server that asks to wait longer than this is not waited for.
        concurrency: requests under way at once.
        per_minute: requests a minute at most; 0 sets no limit.
    """

    model: str
    url: str = field(repr=False)
    key: str = field(default="", repr=False)
    timeout_s: float = 120.0
    tries: int = 6
    longest_wait_s: float = 120.0
    concurrency: int = 4
    per_minute: float = 0.0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("model", bool(self.model.strip()), "the model's name at the server"),
            ("timeout_s", 0 < self.timeout_s <= 3600, "seconds above 0, up to 3600"),
            ("tries", 1 <= self.tries <= 20, "a whole number from 1 to 20"),
            ("longest_wait_s", 0 <= self.longest_wait_s <= 3600, "seconds from 0 to 3600"),
            ("concurrency", 1 <= self.concurrency <= 64, "a whole number from 1 to 64"),
            ("per_minute", self.per_minute >= 0, "0 for no limit, or requests a minute"),
        ):
            if not holds:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}", where="server", expected=expected
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
        """`text` without the key and without the address's password."""
        for secret in (self.key, urlsplit(self.url).password or ""):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "[key]")
        return text


def from_environment(
    model: str, environment: Mapping[str, str] = os.environ, **settings
) -> ServerSettings:
    """Settings with the address and the key of the environment.

    The address is `CAPO_SERVER_URL`, else `OPENAI_BASE_URL`; where there is only a key, it is
    OpenAI's. The key is `OPENAI_API_KEY`; servers of one's own mostly need none.

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
