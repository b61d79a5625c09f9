"""When the next request may go out: a rate limit of our own, and pauses a server asks for."""

from __future__ import annotations

import email.utils
import math
import threading
import time
from collections.abc import Mapping

FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 30.0


class Gate:
    """Lets requests of all threads pass one by one, none before the time it is held until.

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
        """Wait for a turn; False where the halt came first."""
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
        """Let nobody pass for `seconds` from now."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def backoff_s(tried: int) -> float:
    """Seconds to wait after the `tried`-th failure in a row: 0.5, 1, 2, … up to 30."""
    return min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2.0 ** (tried - 1))


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that a server's `Retry-After` asks for (number or date; RFC 9110, 10.2.3).

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
