"""Parts of a page that are drawn again while something runs, at a bounded cost.

The clock is in the browser: a tab in the background asks for nothing, and asks at once when it is
looked at again. The server's timers (`run_every`) go on for every open tab, whoever looks at it.
The next drawing waits in proportion to what the last one cost the processor, so that an open page
takes a small share of a core however much it shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

# Of a core, for the thread that draws; what sends it to the browser comes on top.
MOST_SHARE = 0.015
LEAST_S, MOST_S = 2.0, 30.0
# A request that meets another run can make the browser drop what that one has drawn: the rest of
# the page, or a part that waits, stays empty. So the clocks of a page ask when nothing runs, one
# after the other. And they ask again where no drawing came: a page that waits for ever is worse
# than one drawing too many.
_SCRIPT = """
const BUSY = ["running", "rerunRequested", "stopRequested"];
const busy = () => {
  const app = document.querySelector('[data-testid="stApp"]');
  const asked = performance.now() - (window.capoAsked ?? -1000) < 500;
  return asked || (app && BUSY.includes(app.dataset.testScriptState));
};
export default function ({ data, setTriggerValue, parentElement }) {
  const place = parentElement;
  if (place.capoDrawn === data.drawn) return;
  place.capoDrawn = data.drawn;
  if (place.capoEnd) place.capoEnd();
  let due = false;
  let timer = 0;
  const ask = () => {
    due = true;
    clearTimeout(timer);
    if (document.hidden) return;
    if (busy()) { timer = setTimeout(ask, 50); return; }
    window.capoAsked = performance.now();
    due = false;
    timer = setTimeout(ask, 10000 + data.after_ms);
    setTriggerValue("tick", data.drawn);
  };
  const seen = () => { if (due && !document.hidden) ask(); };
  timer = setTimeout(ask, data.after_ms);
  document.addEventListener("visibilitychange", seen);
  const end = () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
  place.capoEnd = end;
  return end;
}
"""
_ticker = st.components.v2.component("ticker", js=_SCRIPT)


def pause_s(cost_s: float, least_s: float = LEAST_S) -> float:
    """Return the seconds until the next drawing, after one that took `cost_s` of a processor."""
    return max(least_s, min(MOST_S, cost_s / MOST_SHARE))


def redrawn(key: str, draw: Callable[..., Any], *args: Any, least_s: float = LEAST_S) -> None:
    """Call `draw(*args)` as a fragment, again and again while the tab is visible.

    To be called where a fragment may be; `draw` ends it by `st.rerun()`.

    Args:
        key: of this place on the page.
        least_s: seconds between two drawings, at least.
    """
    st.fragment(_drawn)(key, draw, args, least_s)


def _drawn(key: str, draw: Callable[..., Any], args: tuple, least_s: float) -> None:
    began = time.thread_time()
    draw(*args)
    pause = pause_s(time.thread_time() - began, least_s)
    # A number of its own for each drawing starts the clock anew.
    data = {"drawn": time.monotonic_ns() // 1000, "after_ms": round(1000 * pause)}
    _ticker(data=data, key=f"ticker.{key}", on_tick_change=lambda: None)
