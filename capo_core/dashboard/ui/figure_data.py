"""The numbers behind a figure, as a table: what its traces hold, under the names of its axes."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go


def plain(text: Any) -> str:
    """Return a text of Plotly without its tags and entities."""
    return html.unescape(re.sub(r"<[^>]*>", "", str(text).replace("<br>", " ")))


def figure_data(figure: go.Figure) -> pd.DataFrame:
    """Return the data of a figure, one row a mark or cell.

    Columns are `series`, the titles of the axes ("x" and "y" without one) and, where there are
    whiskers, their ends. Marks that stand a little beside a tick of names or of whole steps, so
    that intervals do not hide each other, have what the tick says. Lines that only join marks, and
    marks that are there for clicks, are left out.
    """
    axes = {name: getattr(figure.layout, f"{name}axis") for name in ("x", "y")}
    titles = {name: _title(axis, name) for name, axis in axes.items()}
    if titles["x"] == titles["y"]:
        titles = {name: f"{title} ({name})" for name, title in titles.items()}
    parts = []
    for trace in figure.data:
        if trace.type == "heatmap":
            parts.append(_cells(trace, axes, titles))
        elif _has_data(trace):
            part = {"series": plain(trace.name or "")}
            for name in ("x", "y"):
                values = getattr(trace, name)
                part[titles[name]] = [_axis_value(axes[name], value) for value in values]
                error = getattr(trace, f"error_{name}", None)
                if error is not None and error.array is not None:
                    middle = np.array(values, dtype=float)
                    for end, length in ((-1, error.arrayminus), (1, error.array)):
                        part[f"{titles[name]}, {'low' if end < 0 else 'high'}"] = (
                            middle + end * np.array(length, dtype=float)
                        )
            parts.append(pd.DataFrame(part))
    if not parts:
        return pd.DataFrame(columns=["series", *titles.values()])
    return pd.concat(parts, ignore_index=True)


def _title(axis: Any, name: str) -> str:
    text = axis.title.text if axis.title else None
    return plain(text) if text else name


def _has_data(trace: Any) -> bool:
    """Return whether a trace says something of its own."""
    if trace.type == "bar":
        return True
    hidden = trace.marker.opacity is not None and np.ndim(trace.marker.opacity) == 0
    return not (
        (trace.hoverinfo == "skip" and trace.showlegend is False)
        or trace.fill == "toself"
        or (hidden and trace.marker.opacity == 0)
    )


def _axis_value(axis: Any, value: Any) -> Any:
    """Return what an axis says of a value: the tick beside it where ticks are names or steps."""
    if value is None or axis.tickvals is None:
        return value
    ticks = [str(tick) for tick in axis.tickvals]
    names = ticks if axis.ticktext is None else [plain(text) for text in axis.ticktext]
    if isinstance(value, str):
        return names[ticks.index(value)] if value in ticks else value
    if any(name.rstrip().endswith("%") for name in names):
        return value
    places = np.array(axis.tickvals, dtype=float)
    if axis.type == "log":
        nearest = int(np.abs(np.log(places) - np.log(float(value))).argmin())
        return axis.tickvals[nearest]
    nearest = int(np.abs(places - float(value)).argmin())
    return names[nearest] if abs(places[nearest] - float(value)) < 0.45 else value


def _cells(trace: Any, axes: dict[str, Any], titles: dict[str, str]) -> pd.DataFrame:
    values = np.array(trace.z, dtype=float)
    rows, columns = np.indices(values.shape)
    return pd.DataFrame(
        {
            titles["y"]: [_axis_value(axes["y"], row) for row in rows.ravel()],
            titles["x"]: [_axis_value(axes["x"], column) for column in columns.ravel()],
            "value": values.ravel(),
        }
    )
