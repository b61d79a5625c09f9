"""Text for the screen: escaping what comes from data. Numbers: `capo_core.formatting`."""

from __future__ import annotations

import html
import re

from capo_core.formatting import short

# Streamlit makes links of addresses of mail, also behind a backslash; annotators are named so.
_MAIL = re.compile(r"(?<=\S@)(?=\w)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&])")


def escape(text: str) -> str:
    """Return `text` escaped for HTML, in content and in attributes."""
    return html.escape(text, quote=True)


def plotly(text: str, limit: int = 24) -> str:
    """Return `text` for a label of a chart: Plotly reads a few tags and entities, and no quotes."""
    return html.escape(short(text, limit), quote=False)


def markdown(text: str) -> str:
    """Return `text` escaped for Streamlit's Markdown: no links, formulas or icons.

    An address of mail gets a word joiner (no width), so that it is no link.
    """
    return _MARKDOWN.sub(r"\\\1", _MAIL.sub("\u2060", " ".join(text.split())))
