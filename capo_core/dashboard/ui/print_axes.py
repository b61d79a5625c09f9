"""The axes of a printed figure: what a Plotly chart holds, drawn on Matplotlib's axes.

Scales, ticks and titles of the axes, then traces, lines and notes, and the names of the legend.
The page around them (title, legend, caption) is `print_figure`'s.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from capo_core.dashboard.ui.figure_data import plain
from capo_core.dashboard.ui.print_text import wrapped
from capo_core.dashboard.ui.theme import ON_WHITE

SMALL = 7.0  # points: ticks, legend and notes
LETTER = 0.53  # width of a letter of the typeface, of its size
POINTS = 8.0 / 13.0  # points of print for a pixel of the screen, whose type has 13

_MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "star": "*",
    "pentagon": "p",
    "star-diamond": "H",
    "line-ew": "_",
    "line-ns": "|",
}
_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_STEPS = {"hv": "steps-post"}
_ACROSS = {"left": "left", "right": "right", "center": "center", "auto": "center"}
_OFF = defaultdict(float, {"left": 2.0, "right": -2.0, "bottom": 1.5, "top": -2.0})  # points
_UPRIGHT = {"top": "top", "bottom": "bottom", "middle": "center", "auto": "center"}


@dataclass(frozen=True)
class ChartAxis:
    """An axis as the chart means it.

    Attributes:
        places: category → its place, for an axis of categories; else empty.
        ticks, names: where ticks stand and what they say; None for those of the plotting library.
    """

    layout: Any
    places: Mapping[str, float]
    ticks: Sequence[float] | None
    names: Sequence[str] | None

    @classmethod
    def of(cls, layout: Any, values: Sequence[Any]) -> ChartAxis:
        """Return the axis of what is drawn along it."""
        order: Sequence[Any] = ()
        if layout.type == "category" or any(isinstance(value, str) for value in values):
            order = layout.categoryarray if layout.categoryarray is not None else ()
            order = list(dict.fromkeys([*map(str, order), *map(str, values)]))
        places = {name: float(place) for place, name in enumerate(order)}
        ticks = None if layout.tickvals is None else list(layout.tickvals)
        names = None if layout.ticktext is None else [plain(text) for text in layout.ticktext]
        if ticks is None and places:
            ticks = list(places)
        if ticks is not None:
            names = names if names is not None else [plain(str(tick)) for tick in ticks]
            ticks = [places.get(str(tick), 0.0) if places else float(tick) for tick in ticks]
        return cls(layout, places, ticks, names)

    def at(self, values: Any) -> np.ndarray:
        """Return values as numbers along the axis."""
        if self.places:
            return np.array([self.places[str(value)] for value in values])
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    @property
    def words(self) -> bool:
        """Return whether ticks are names, which need room, and no numbers."""
        return any(re.search("[^\\W\\d]", name) for name in self.names or ())


def values_along(traces: Sequence[Any], name: str) -> list[Any]:
    """Return all values of the traces along an axis."""
    return [value for trace in traces for value in _values(getattr(trace, name))]


def _values(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def set_up_axes(axes, figure: go.Figure, x: ChartAxis, y: ChartAxis, width: float) -> None:
    """Set up scales, grid, ticks and titles of the axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9AA1A8")
    axes.set_axisbelow(True)
    for name, axis in (("x", x), ("y", y)):
        layout = axis.layout
        if layout.type == "log":
            getattr(axes, f"set_{name}scale")("log", base=2)
        side = getattr(axes, f"{name}axis")
        if layout.type == "log" and axis.ticks is None:  # plain numbers, no powers
            side.set_major_locator(_some_ticks())
            side.set_minor_locator(_no_ticks())
            side.set_major_formatter(lambda value, place: f"{value:g}")
        if layout.showgrid is not False:
            axes.grid(True, axis=name, color="#E3E6E9", linewidth=0.5)
        side.set_tick_params(labelsize=SMALL, color="#9AA1A8", width=0.6, length=2.5)
        if axis.ticks is not None:
            names = axis.names
            if name == "y" and axis.words:
                names = ["\n".join(tick_lines(each, width)) for each in names]
            elif name == "x" and axis.words:
                letters = max(6, int(0.8 * width * 72 / (SMALL * LETTER) / max(1, len(names))))
                names = ["\n".join(wrapped(each, letters)) for each in names]
            elif name == "x":
                names = _thinned(names, width if y.words is False else 0.55 * width)
            side.set_ticks(axis.ticks, labels=names)
            side.set_minor_locator(_no_ticks())
        title = layout.title.text if layout.title else None
        if title:
            # Beside names of categories, the axis has but a part of the width.
            part = 0.55 if name == "x" and y.words else 0.75
            letters = max(24, int(part * width * 72 / (SMALL * LETTER)))
            side.set_label_text("\n".join(wrapped(plain(title), letters)), fontsize=SMALL)
    if x.layout.visible is False and y.layout.visible is False:
        axes.set_axis_off()
    if y.layout.scaleanchor:
        axes.set_aspect("equal", adjustable="box")


def _thinned(names: Sequence[str], width: float) -> list[str]:
    """Return names of ticks, those empty for which there is no room beside the others."""
    room = 0.75 * width * 72 / (SMALL * LETTER)
    step = max(1, -(-sum(len(name) + 1 for name in names) // max(1, int(room))))
    return [name if place % step == 0 else "" for place, name in enumerate(names)]


def _some_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)


def _no_ticks():
    from matplotlib.ticker import NullLocator

    return NullLocator()


class AxesDrawing:
    """Drawing of the parts of a chart on Matplotlib's axes."""

    def __init__(self, axes, figure: go.Figure, x: ChartAxis, y: ChartAxis, width: float) -> None:
        self.axes, self.figure, self.x, self.y = axes, figure, x, y
        # Marks and lines a little smaller where the figure is: one column has the same type.
        self.scale = POINTS * (0.8 if width < 4 else 1.0)
        self.stacked: dict[float, float] = {}

    def draw(self, traces: Sequence[Any]) -> None:
        """Draw all traces, lines and notes, then set the ranges."""
        for trace in traces:
            {"scatter": self._scatter, "bar": self._bars, "heatmap": self._cells}[trace.type](trace)
        for shape in self.figure.layout.shapes:
            self._shape(shape)
        for note in self.figure.layout.annotations:
            self._note(note)
        for name, axis in (("x", self.x), ("y", self.y)):
            self._range(name, axis)

    def _range(self, name: str, axis: ChartAxis) -> None:
        layout, setter = axis.layout, getattr(self.axes, f"set_{name}lim")
        if layout.range is not None:
            ends = [10**end for end in layout.range] if layout.type == "log" else layout.range
            setter(*(float(end) for end in ends))
        elif axis.places:
            setter(-0.6, len(axis.places) - 0.4)
        elif layout.rangemode == "tozero":
            setter(0, None)
        if layout.autorange == "reversed":
            getattr(self.axes, f"invert_{name}axis")()

    def _scatter(self, trace: Any) -> None:
        x, y = self.x.at(_values(trace.x)), self.y.at(_values(trace.y))
        mode, marker, line = trace.mode or "lines+markers", trace.marker, trace.line
        color = _color(line.color or _first(marker.color))
        if trace.fill == "toself":
            self.axes.fill(x, y, color=_color(trace.fillcolor), linewidth=0, zorder=1)
            return
        if marker.symbol == "arrow":
            self._arrows(x, y, color, trace.opacity or 1.0)
            return
        if "lines" in mode:
            self.axes.plot(
                x, y, color=color, linewidth=(line.width or 2) * self.scale,
                linestyle=_DASHES[line.dash or "solid"],
                drawstyle=_STEPS.get(line.shape, "default"), zorder=2,
            )  # fmt: skip
        for name, error in (("xerr", trace.error_x), ("yerr", trace.error_y)):
            if error.array is not None:
                self._whiskers(x, y, name, error, _first(marker.color) or line.color)
        if "markers" in mode:
            self._marks(x, y, trace)

    def _whiskers(self, x, y, name: str, error: Any, color: Any) -> None:
        ends = np.abs(np.nan_to_num(np.array([error.arrayminus, error.array], dtype=float)))
        self.axes.errorbar(
            x, y, **{name: ends}, fmt="none", ecolor=_color(error.color or color),
            elinewidth=(error.thickness or 1.2) * self.scale, capsize=0, zorder=2.5,
        )  # fmt: skip

    def _marks(self, x, y, trace: Any) -> None:
        """Draw the marks, each symbol at once."""
        marker, n = trace.marker, len(x)
        color = _each(trace.line.color if marker.color is None else marker.color, n)
        symbol = _each("circle" if marker.symbol is None else marker.symbol, n)
        size = np.array(_each(6 if marker.size is None else marker.size, n), float) * self.scale
        opacity = marker.opacity if isinstance(marker.opacity, int | float) else 1.0
        seen = self._within(x, y)  # what lies on an end of an axis is drawn whole
        for kind in dict.fromkeys(symbol):
            mine = np.array([each == kind for each in symbol]) & seen
            form = _MARKERS.get(kind.removesuffix("-open"), "o")
            open_ = kind.endswith("-open")
            edge = [_color(each) for each, here in zip(color, mine, strict=True) if here]
            strokes = form in ("_", "|")  # which have no area, and the face's colour
            self.axes.scatter(
                x[mine], y[mine], s=size[mine] ** 2, marker=form,
                facecolors="white" if open_ else edge,
                edgecolors=None if strokes else edge if open_ else "none",
                linewidths=(_first(marker.line.width) or 1.4) * self.scale
                if open_ or strokes else 0.0,
                alpha=opacity, zorder=3, clip_on=False,
            )  # fmt: skip

    def _within(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return which places lie within the ranges of the axes, where those are set."""
        seen = np.ones(len(x), dtype=bool)
        for values, axis in ((x, self.x), (y, self.y)):
            ends = axis.layout.range
            if ends is not None and axis.layout.type != "log":
                low, high = sorted(float(end) for end in ends)
                seen &= np.isnan(values) | ((values >= low) & (values <= high))
        return seen

    def _arrows(self, x, y, color, opacity: float) -> None:
        """Draw an arrow for each three places: its start, its end, and a gap."""
        start, end = slice(0, None, 3), slice(1, None, 3)
        self.axes.quiver(
            x[start], y[start], x[end] - x[start], y[end] - y[start], angles="xy",
            scale_units="xy", scale=1, color=color, alpha=opacity, width=0.0018, headwidth=5,
        )  # fmt: skip

    def _bars(self, trace: Any) -> None:
        across = trace.orientation == "h"
        place = self.y.at(_values(trace.y)) if across else self.x.at(_values(trace.x))
        length = self.x.at(_values(trace.x)) if across else self.y.at(_values(trace.y))
        color = _color(_first(trace.marker.color))
        stacked = self.figure.layout.barmode == "stack"
        base = np.array([self.stacked.get(at, 0.0) if stacked else 0.0 for at in place])
        thick = _first(trace.width) or 1 - (self.figure.layout.bargap or 0.2)
        draw = self.axes.barh if across else self.axes.bar
        thickness = {"height" if across else "width": float(thick)}
        draw(place, length, **thickness, **{"left" if across else "bottom": base}, color=color,
             zorder=2)  # fmt: skip
        if stacked:
            for at, start, end in zip(place, base, length, strict=True):
                self.stacked[at] = start + end
        if trace.error_y.array is not None:
            self._whiskers(place, length, "yerr", trace.error_y, color)
        for at, start, end, text in zip(place, base, length, _values(trace.text), strict=False):
            if text and not (across and self._narrow(end, plain(text))):
                middle = start + end / 2
                self.axes.text(
                    *((middle, at) if across else (at, middle)), plain(text), ha="center",
                    va="center", fontsize=SMALL - 0.5, color=_ink(color), zorder=4,
                )  # fmt: skip

    def _narrow(self, length: float, text: str) -> bool:
        """Return whether a bar of a length is too narrow for a text."""
        low, high = self.x.layout.range or (0.0, 1.0)
        inches = 0.4 * self.axes.figure.get_figwidth() * length / (high - low)
        return inches < len(text) * SMALL * LETTER / 72

    def _cells(self, trace: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        values = np.array(trace.z, dtype=float)
        stops = [(place, _color(color)) for place, color in trace.colorscale]
        colors = LinearSegmentedColormap.from_list("cells", stops)
        low = np.nanmin(values) if trace.zmin is None else trace.zmin
        high = np.nanmax(values) if trace.zmax is None else trace.zmax
        rows, columns = values.shape
        self.axes.pcolormesh(
            np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, values, cmap=colors,
            vmin=low, vmax=high if high > low else low + 1, edgecolors="white", linewidth=1.0,
        )  # fmt: skip
        span = (high - low) or 1.0
        for (row, column), value in np.ndenumerate(values):
            text = "" if trace.text is None else str(trace.text[row][column])
            if text:
                ground = colors((value - low) / span)
                self.axes.text(column, row, plain(text), ha="center", va="center",
                               fontsize=SMALL, color=_ink(ground))  # fmt: skip

    def _shape(self, shape: Any) -> None:
        """Draw a line across the axes, or between two points."""
        look = {"color": _color(shape.line.color), "linestyle": _DASHES[shape.line.dash or "solid"],
                "linewidth": (shape.line.width or 1) * self.scale, "zorder": 1.5}  # fmt: skip
        if _of_axes(shape.yref):
            self.axes.axvline(self.x.at([shape.x0])[0], **look)
        elif _of_axes(shape.xref):
            self.axes.axhline(self.y.at([shape.y0])[0], **look)
        else:
            self.axes.plot([shape.x0, shape.x1], [shape.y0, shape.y1], **look)

    def _note(self, note: Any) -> None:
        """Write a note, or draw its arrow."""
        if note.showarrow is not False and note.axref == "x":
            self.axes.annotate(
                "", (note.x, note.y), (note.ax, note.ay),
                arrowprops={"arrowstyle": "-|>", "color": _color(note.arrowcolor),
                            "linewidth": (note.arrowwidth or 1) * self.scale},
            )  # fmt: skip
            return
        place, systems = [], []
        for value, ref, axis in ((note.x, note.xref, self.x), (note.y, note.yref, self.y)):
            part = _of_axes(ref)
            systems.append("axes fraction" if part else "data")
            place.append(float(value) if part else axis.at([value])[0])
        color = _color((note.font.color if note.font else None) or "#333333")
        text = note.text or ""
        # A text that hangs on a line stands a little off it.
        off = [
            _OFF[anchor or ""] if system == "data" and not shift else shift * POINTS
            for anchor, shift, system in (
                (note.xanchor, note.xshift or 0, systems[0]),
                (note.yanchor, note.yshift or 0, systems[1]),
            )
        ]
        self.axes.annotate(
            plain(text), tuple(place), xycoords=tuple(systems),
            xytext=tuple(off),
            textcoords="offset points", ha=_ACROSS[note.xanchor or "auto"],
            va=_UPRIGHT[note.yanchor or "auto"], fontsize=SMALL - 0.5, color=color,
            weight="bold" if text.startswith("<b>") else "normal", annotation_clip=False, zorder=5,
        )  # fmt: skip


def legend_entries(figure: go.Figure, traces: Sequence[Any]) -> list[tuple[Any, str]]:
    """Return the legend: a handle and a name for each trace that has one."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if figure.layout.showlegend is False:
        return []
    found = []
    for trace in traces:
        if trace.showlegend is False or not trace.name or trace.type == "heatmap":
            continue
        name = plain(trace.name)
        if trace.type == "bar":
            found.append((Patch(color=_color(_first(trace.marker.color))), name))
            continue
        if trace.fill == "toself":
            found.append((Patch(color=_color(trace.fillcolor)), name))
            continue
        mode, symbol = trace.mode or "lines+markers", _first(trace.marker.symbol) or "circle"
        color = _color(trace.line.color or _first(trace.marker.color))
        handle = Line2D(
            [], [], color=color,
            linestyle=_DASHES[trace.line.dash or "solid"] if "lines" in mode else "none",
            linewidth=(trace.line.width or 2) * POINTS * 0.8,
            marker=_MARKERS.get(symbol.removesuffix("-open"), "o") if "markers" in mode else None,
            markersize=4, markerfacecolor="white" if symbol.endswith("-open") else color,
        )  # fmt: skip
        found.append((handle, name))
    return found


def tick_lines(name: str, width: float) -> list[str]:
    """Return the name of a category in lines of at most two fifths of the width."""
    letters = max(10, int(0.4 * width * 72 / (SMALL * LETTER)))
    return wrapped(name, letters) or [""]


def inches_of(lines: int, size: float) -> float:
    """Return the height of lines of text of a size in points."""
    return lines * size * 1.25 / 72


def _of_axes(ref: str | None) -> bool:
    """Return whether a reference means a part of the axes and no value along them."""
    return bool(ref) and ("paper" in ref or "domain" in ref)


def _first(value: Any) -> Any:
    """Return the first of several, or the one that there is."""
    if value is None or isinstance(value, str | int | float):
        return value
    values = list(value)
    return values[0] if values else None


def _each(value: Any, n: int) -> list[Any]:
    """Return one value for each of `n`."""
    return [value] * n if value is None or isinstance(value, str | int | float) else list(value)


def _color(color: Any) -> Any:
    """Return a colour of Plotly as Matplotlib reads it, and as it is on white ground."""
    if not isinstance(color, str):
        return color if color is not None else "#333333"
    found = re.fullmatch(r"rgba?\(([^)]*)\)", color)
    if found:
        parts = [float(part) for part in found[1].split(",")]
        return tuple(part / 255 for part in parts[:3]) + tuple(parts[3:])
    return ON_WHITE.get(color, color)


def _ink(ground: Any) -> str:
    """Return black or white, whichever can be read on a ground."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(ground)
    return "#15181B" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.58 else "#FFFFFF"
