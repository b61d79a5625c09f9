"""Slow computations of the page Studies, done in the background, and the line shown meanwhile.

Each result has a key of all it depends on. A page requests a result, gets it if it is there within
a moment, and otherwise shows that it is being computed and polls. Everything computed here can be
computed again, so a restart of the server loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

import streamlit as st

from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.ticker import redrawn
from capo_core.errors import CapoError, ConfigError

PATIENCE_S = 1.0
WORKERS = 2
KEPT = 48


class Work:
    """Results by key, each computed once; the most recently used are cached."""

    def __init__(self, kept: int = KEPT) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="studies")
        self._found: OrderedDict[Hashable, Future] = OrderedDict()
        self._lock = threading.Lock()
        self._kept = kept

    def ask(self, key: Hashable, make: Callable[[], Any], patience_s: float | None = None) -> Any:
        """The result under `key`; None where it is still being computed.

        Args:
            make: computes it, never to None; it is called once, in another thread.
            patience_s: how long to wait; `PATIENCE_S` unless given.

        Raises:
            whatever `make` raised. A `ConfigError` belongs to the key and is raised whenever it is
            asked for; after any other error the computation is tried again.
        """
        with self._lock:
            future = self._found.get(key)
            if future is None:
                future = self._found[key] = self._pool.submit(make)
            self._found.move_to_end(key)
            self._forget()
        try:
            return future.result(PATIENCE_S if patience_s is None else patience_s)
        except NotYet:
            if future.done():  # the computation itself ran out of some time
                raise
            return None
        except ConfigError:
            raise
        except CapoError:
            with self._lock:
                self._found.pop(key, None)
            raise

    def _forget(self) -> None:
        done = [key for key, future in self._found.items() if future.done()]
        for key in done[: max(0, len(self._found) - self._kept)]:
            del self._found[key]


EVERY_S = 1.0


def waiting(words: str) -> None:
    """Show that something is being computed; the page reruns after a moment and polls again, while
    its tab is visible.

    To be called where the result is to stand.
    """
    redrawn(f"waiting.{words}", _again, words, time.monotonic(), least_s=EVERY_S)


def _again(words: str, since: float) -> None:
    if time.monotonic() - since > EVERY_S / 2:
        st.rerun()
    st.markdown(f":gray[{markdown(words)}]")
