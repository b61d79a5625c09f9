"""Text for the screen: escaping what comes from data, and numbers as people read them."""

from __future__ import annotations

import html
import math
import re

PERCENT = "\u00a0%"  # with a space that does not break
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&])")


def escape(text: str) -> str:
    """`text` for HTML, in content and in attributes."""
    return html.escape(text, quote=True)


def plotly(text: str, limit: int = 24) -> str:
    """`text` for a label in a picture: Plotly reads a few tags and entities, and no quotes."""
    return html.escape(short(text, limit), quote=False)


def markdown(text: str) -> str:
    """`text` so that Streamlit's Markdown shows it as it stands: no links, formulas or icons."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def short(text: str, limit: int) -> str:
    """The beginning of `text`, at most `limit` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def number(value: float, digits: int = 2) -> str:
    """Two digits; "undefined" where there is no number."""
    if value is None or math.isnan(value):
        return "undefined"
    return f"{value:.{digits}f}"


def percent(share: float) -> str:
    """ "63 %"; never rounded up to a certainty that was not measured."""
    if share is None or math.isnan(share):
        return "undefined"
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return f"over 99{PERCENT}"
    if rounded == 0 and share > 0:
        return f"under 1{PERCENT}"
    return f"{rounded}{PERCENT}"


def with_interval(value: float, low: float, high: float) -> str:
    """The number with its 95 % interval: "0.52 [0.50, 0.54]"."""
    if any(part is None or math.isnan(part) for part in (low, high)):
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def p_value(p: float) -> str:
    if p is None or math.isnan(p):
        return "undefined"
    return "≤ 0.001" if p <= 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(n: int, one: str, many: str | None = None) -> str:
    """ "1 item", "1,933 items"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """ "a few seconds", "40 s", "3 min", "1 h 40 min"; rounded, to be said with "about"."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
