"""Download buttons of the sections Export, and their formats; what they hold is made on a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from capo_core.json_text import json_line, json_text


def download(
    page: str, label: str, file: str, mime: str, make: Callable[[], str], *, key: str = ""
) -> None:
    """Show a button that downloads a text.

    Args:
        page: name of the page; with `key`, or the file's name, the key of the button.
        make: returns the text; broken characters in it are escaped.
    """
    st.download_button(
        label,
        lambda: make().encode("utf-8", "backslashreplace"),
        file_name=file,
        mime=mime,
        key=f"{page}.export.{key or file}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def report_json(report: Any) -> str:
    """Return a report's `to_dict` as indented JSON."""
    return json_text(report.to_dict())


def json_lines(frame: pd.DataFrame) -> str:
    """Return a table as JSON lines, one a row."""
    return "".join(json_line(row) + "\n" for row in frame.to_dict("records"))
