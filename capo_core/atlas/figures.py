"""The figures of an atlas, as numbers in percent of their width and height.

The page draws them with HTML and SVG alone, so that they fit a phone and need no library; each has
its numbers as a table too, which a screen reader reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from capo_core.formatting import UNDEFINED, count, p_value, percent, percent_interval, rate
from capo_core.looks import Look, reduction_look
from capo_core.stability import claims, summary
from capo_core.stability.annotator_profiles import AnnotatorProfile
from capo_core.stability.controls import CONTROLS, control_title
from capo_core.stability.phrases import with_rate_intervals
from capo_core.study.analysis.attribution import AS_WRONG
from capo_core.study.source_names import inside, source_name
from capo_core.text.reductions import REDUCTIONS, reduction_title
from capo_core.text.representations import representation_title
from capo_core.text.segmentation import as_written

# A mark as a path around its middle, in pixels, by the symbol's name in `looks`.
SHAPES = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "square": "M-4 -4h8v8h-8z",
    "diamond": "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
    "triangle-up": "M0 -5L5 4H-5z",
    "cross": "M-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
    "x": "M-5 -3L-3 -5L0 -2L3 -5L5 -3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0z",
    "star": "M0 -6L1.6 -1.9L6 -1.9L2.4 .9L3.7 5L0 2.5L-3.7 5L-2.4 .9L-6 -1.9L-1.6 -1.9z",
    "pentagon": "M0 -5.2L5 -1.6L3.1 4.4H-3.1L-5 -1.6z",
}
DASH = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}


@dataclass(frozen=True)
class LadderLine:
    """One reduction of a ladder.

    Attributes:
        name: its title; `color`, `shape` and `dash` as the page draws them.
        points: (x, y, low, high, text) with places in percent, y from the top.
    """

    name: str
    color: str
    shape: str
    dash: str
    points: tuple[tuple[float, float, float, float, str], ...]


@dataclass(frozen=True)
class LadderFigure:
    """The ladder of one representation.

    Attributes:
        key, name: the representation and its title. title: the figure's.
        x_ticks, y_ticks: (place in percent, text).
        band: corners of the permutation null in percent, "" without one.
        chance: its place and text.
        columns, rows: the table behind the figure.
    """

    key: str
    name: str
    title: str
    lines: tuple[LadderLine, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    band: str
    chance: tuple[float, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class IntervalRow:
    """One row of a figure of intervals.

    Attributes:
        name: what it is of. mark: "filled", "open" or "reference" (grey).
        x, low, high: places in percent of the axis; `low` and `high` None without an interval.
        other: the place of the value it is compared with; None without one.
        shown, n: the numbers as text. link: a part of the page's address; "" for none.
    """

    name: str
    mark: str
    color: str
    x: float
    low: float | None
    high: float | None
    other: float | None
    shown: str
    n: str = ""
    link: str = ""


@dataclass(frozen=True)
class IntervalFigure:
    """Rows on a common axis; `ticks` are (place in percent, text), `line` the place of chance."""

    title: str
    rows: tuple[IntervalRow, ...]
    ticks: tuple[tuple[float, str], ...]
    line: float | None = None
    line_text: str = ""
    key: str = ""
    k: int = 0


def ladders(frame: pd.DataFrame) -> list[LadderFigure]:
    """Return the ladder of each representation; none where nothing was measured."""
    return [_ladder(frame, name) for name in dict.fromkeys(frame["representation"])]


def _ladder(frame: pd.DataFrame, name: str) -> LadderFigure:
    rows = frame[frame["representation"] == name]
    pools = sorted(int(k) for k in rows["k"].unique())
    floor = max(0.0, min(rows["low"].min(), rows["chance"].min()) - 0.08)
    floor = math.floor(10 * floor) / 10
    found = claims.identification(frame, name)
    reduction = reduction_title(found.values["reduction"])
    reductions = _in_order(rows["reduction"])
    chance = float(rows["chance"].iloc[0])
    lines = []
    for place, each in enumerate(reductions):
        look = reduction_look(each)
        shift = 1.1 * (place - (len(reductions) - 1) / 2)
        line = rows[rows["reduction"] == each].sort_values("k")
        points = tuple(
            (
                round(_log_place(int(row.k), pools) + shift, 2),
                *(_height(value, floor) for value in (row.accuracy, row.low, row.high)),
                f"{reduction_title(each)}, k = {row.k}: {_accuracy(row)}, "
                f"n = {count(int(row.n_items), 'item')}{_p_text(row.p_value)}",
            )
            for row in line.itertuples()
        )
        lines.append(_line(reduction_title(each), look, points))
    return LadderFigure(
        key=name,
        name=representation_title(name),
        title=summary.ladder_title(
            found, representation_title(name), reduction[:1].lower() + reduction[1:]
        ),
        lines=tuple(lines),
        x_ticks=tuple((_log_place(k, pools), str(k)) for k in pools),
        y_ticks=tuple((_height(share, floor), percent(share)) for share in _shares(floor, 1.0)),
        band=_band(rows, pools, floor),
        chance=(_height(chance, floor), f"chance {percent(chance)}"),
        columns=("Reduction", "k", "Accuracy", "95 % interval", "Items", "Null mean", "p"),
        rows=tuple(
            (
                reduction_title(row.reduction),
                str(row.k),
                percent(row.accuracy),
                percent_interval(row.low, row.high),
                f"{int(row.n_items):,}",
                _known(row.null_mean, percent),
                _known(row.p_value, p_value),
            )
            for row in rows.itertuples()
        ),
    )


def _line(name: str, look: Look, points: tuple) -> LadderLine:
    return LadderLine(name, look.color, SHAPES[look.symbol], DASH[look.dash], points)


def _in_order(names: Sequence[str]) -> list[str]:
    there = set(names)
    return [name for name in REDUCTIONS if name in there] + sorted(there - set(REDUCTIONS))


def _log_place(k: int, pools: Sequence[int]) -> float:
    """Return the place of k in percent, on a logarithmic axis."""
    first, last = math.log2(pools[0]), math.log2(pools[-1])
    share = 0.5 if first == last else (math.log2(k) - first) / (last - first)
    return round(5 + 90 * share, 2)


def _height(share: float, floor: float) -> float:
    return round(100 * (1 - (share - floor) / (1.02 - floor)), 2)


def _shares(low: float, high: float, most: int = 6) -> list[float]:
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
    step = next(s for s in steps if (high - low) / s <= most or s == steps[-1])
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * k, 4) for k in range(first, last + 1)]


def _band(rows: pd.DataFrame, pools: Sequence[int], floor: float) -> str:
    """Return the corners of the null's 95 % band, symmetric about its mean."""
    null = rows.groupby("k")[["null_mean", "null_high"]].max().astype(float).dropna()
    if null.empty:
        return ""
    upper = [(_log_place(int(k), pools), _height(v, floor)) for k, v in null["null_high"].items()]
    lower = 2 * null["null_mean"] - null["null_high"]
    below = [(_log_place(int(k), pools), _height(v, floor)) for k, v in lower.items()]
    return " ".join(f"{x},{y}" for x, y in [*upper, *reversed(below)])


def _accuracy(row) -> str:
    return f"{percent(row.accuracy)} {percent_interval(row.low, row.high)}".strip()


def _p_text(p: float | None) -> str:
    text = _known(p, p_value)
    return "" if not text else f", p {text}" if text.startswith("≤") else f", p = {text}"


def _known(value: float | None, worded) -> str:
    return "" if value is None or pd.isna(value) else worded(value)


def control_figures(ladder: pd.DataFrame, controls: pd.DataFrame) -> list[IntervalFigure]:
    """Return reductions (filled) above their controls (open), for each representation and k.

    Of nulls, which every reduction has, the highest stands for all.
    """
    figures = []
    for name in dict.fromkeys(ladder["representation"]):
        own = ladder[ladder["representation"] == name]
        for k in sorted(int(k) for k in own["k"].unique()):
            at, beside = own[own["k"] == k], _controls_at(controls, name, k)
            found = claims.above_controls(at, beside, k) if len(beside) else None
            if found is None:
                continue
            rows = [
                _interval_row(
                    reduction_title(r.reduction), "filled", reduction_look(r.reduction).color, r
                )
                for r in at.sort_values("accuracy", ascending=False).itertuples()
            ] + [
                _interval_row(control_title(r.control), "open", "var(--grey)", r)
                for r in beside.itertuples()
            ]
            chance = float(at["chance"].iloc[0])
            figures.append(
                IntervalFigure(
                    summary.controls_title(
                        found,
                        reduction_title(found.values["reduction"]),
                        control_title(found.values["control"]),
                    ),
                    tuple(rows),
                    _axis(1.0),
                    100 * chance,
                    f"chance {percent(chance)}",
                    name,
                    k,
                )
            )
    return figures


def _controls_at(controls: pd.DataFrame, name: str, k: int) -> pd.DataFrame:
    if controls.empty:
        return controls
    textless = {"label", "length", "formatting", "input"} & set(CONTROLS)
    here = (controls["representation"] == name) | controls["control"].isin(textless)
    rows = controls[here & (controls["k"] == k) & (controls["control"] != "same_label")]
    rows = rows.sort_values("accuracy", ascending=False, kind="stable")
    return rows.drop_duplicates("control")


def _interval_row(name: str, mark: str, color: str, row) -> IntervalRow:
    return IntervalRow(
        name,
        mark,
        color,
        round(100 * row.accuracy, 2),
        *_ends(row.low, row.high, 1.0),
        None,
        _accuracy(row),
        f"{int(row.n_items):,}",
    )


def _ends(low: float, high: float, top: float) -> tuple[float | None, float | None]:
    if any(end is None or math.isnan(end) for end in (low, high)):
        return None, None
    return round(100 * low / top, 2), round(100 * high / top, 2)


def _axis(top: float, most: int = 6) -> tuple[tuple[float, str], ...]:
    return tuple((round(100 * share / top, 2), percent(share)) for share in _shares(0.0, top, most))


def label_use(profile: AnnotatorProfile, color: str) -> IntervalFigure:
    """Return the share of each label, with its interval, beside that of all others."""
    ends = [one.high for one in profile.labels if not math.isnan(one.high)]
    top = min(1.0, max([0.1, *ends, *(_or_zero(one.share_others) for one in profile.labels)]))
    rows = []
    for one in profile.labels:
        others = None if math.isnan(one.share_others) else round(100 * one.share_others / top, 2)
        others_text = UNDEFINED if others is None else percent(one.share_others)
        shown = f"{percent(one.share)} {percent_interval(one.low, one.high)}".strip()
        rows.append(
            IntervalRow(
                one.label,
                "filled",
                color,
                round(100 * one.share / top, 2),
                *_ends(one.low, one.high, top),
                others,
                f"{shown}; others {others_text}",
                f"{one.count:,}",
            )
        )
    return IntervalFigure("Label use", tuple(rows), _axis(top, most=3))  # beside another figure


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def study_figures(accuracy: pd.DataFrame, wins: pd.DataFrame) -> list[IntervalFigure]:
    """Return attribution accuracy by source, and the share preferred in each pair of sources.

    Args:
        accuracy: `attribution.ACCURACY`, "cannot tell" counted as wrong. wins: `preferences.WINS`.
    """
    found = []
    own = accuracy[accuracy["counting"] == AS_WRONG]
    if len(own):
        chance = float(own["chance"].iloc[0])
        rows = [_share_row(source_name(r.source), r.value, r) for r in own.itertuples()]
        found.append(
            IntervalFigure(
                "Attributed to the right annotator, by source", tuple(rows), _axis(1.0),
                100 * chance, f"chance {percent(chance)}",
            )
        )  # fmt: skip
    if len(wins):
        rows = [
            _share_row(f"{source_name(r.source_a)} over {inside(r.source_b)}", r.share_a, r)
            for r in wins.itertuples()
        ]
        found.append(
            IntervalFigure(
                "Preferred, in each pair of sources", tuple(rows), _axis(1.0), 50.0,
                "no preference",
            )
        )  # fmt: skip
    return found


def _share_row(name: str, value: float, row) -> IntervalRow:
    """Return a share with its clustered interval, or with Wilson's where there is none."""
    low, high, mark = row.low, row.high, ""
    if math.isnan(low) and not math.isnan(row.wilson_low):
        low, high, mark = row.wilson_low, row.wilson_high, " (judgments as independent)"
    shown = f"{percent(value)} {percent_interval(low, high)}".strip() + mark
    return IntervalRow(
        name, "filled", "var(--mark)", round(100 * value, 2), *_ends(low, high, 1.0), None, shown,
        f"{int(row.n):,}",
    )  # fmt: skip


MOST_PHRASES = 12


def phrase_rates(phrases: pd.DataFrame, name: str, color: str) -> IntervalFigure | None:
    """Return the rates of an annotator's distinctive phrases beside the others'; None without."""
    rows = phrases[
        (phrases["annotator_id"] == name) & (phrases["z"] > 0) & phrases["clear"].astype(bool)
    ].head(MOST_PHRASES)
    if rows.empty:
        return None
    rows = with_rate_intervals(rows)
    top = max(0.05, float(rows[["rate_high", "rate_others"]].max().max()))
    return IntervalFigure(
        "Distinctive phrases",
        tuple(
            IntervalRow(
                as_written(row.phrase),
                "filled",
                color,
                round(100 * row.rate / top, 2),
                *_ends(row.rate_low, row.rate_high, top),
                round(100 * row.rate_others / top, 2),
                f"{rate(row.rate)} {percent_interval(row.rate_low, row.rate_high)}; others "
                f"{rate(row.rate_others)} {percent_interval(row.others_low, row.others_high)}",
                f"{int(row.n):,}",
                link=row.phrase,
            )
            for row in rows.itertuples()
        ),
        _axis(top),
    )
