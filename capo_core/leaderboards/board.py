"""Results of a board: our rows with intervals, their differences, and the published ones.

A row's score is a mean over test items; its interval is Student's over items, and that of a
difference of two rows is over the items' differences. Differences are tested by sign flips by item,
adjusted by Holm's method over all pairs of ranked rows of a track, since the lowest row is chosen
by the same scores. A published row has neither labels nor items' scores, so that it has no interval
and no paired test: whether it lies within the interval of ours is all that can be said.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from capo_core.errors import ConfigError
from capo_core.formatting import count, listed, number, with_interval
from capo_core.leaderboards import scores
from capo_core.leaderboards.boards import (
    BOARDS,
    CONTENT,
    EXPLANATION,
    PERSPECTIVE,
    SOFT,
    TASKS,
    TRACKS,
    Board,
    PublishedRow,
    check_track,
)
from capo_core.leaderboards.cells import BoardTask
from capo_core.leaderboards.systems import (
    SYSTEMS,
    Prediction,
    Resources,
    System,
    label_targets,
    systems_of,
)
from capo_core.progress import Progress, silent
from capo_core.provenance import Provenance
from capo_core.stats.bootstrap import ROUNDING
from capo_core.stats.intervals import alike_interval, json_value
from capo_core.stats.power import smallest_difference
from capo_core.stats.significance import carries_order, holm, sign_flips

DIGITS = 3
PAPER, OURS = "published", "ours"


@dataclass(frozen=True)
class BoardRow:
    """A row of a board.

    Attributes:
        kind: PAPER or OURS. name: of the system; of a published row its own.
        scores: by task: value, low, high (NaN where there is no interval), and printed digits ("").
        n: test items; cells: (annotator, item) pairs; answered: those the system answered.
        tied: by task: whether no significant difference from the lowest row of ours on this track.
        within: by task: published rows whose score lies within this row's interval.
        note: what the system chose or left out.
    """

    kind: str
    name: str
    title: str
    scores: Mapping[str, Mapping[str, Any]]
    n: int = 0
    cells: int = 0
    answered: int = 0
    tied: Mapping[str, bool] = field(default_factory=dict)
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""
    rank: str = ""
    note: str = ""
    seconds: float = math.nan

    @property
    def whole(self) -> bool:
        """Return whether it answers every cell, so that it is ranked; published rows do."""
        return self.answered == self.cells

    def shown(self, task: str) -> str:
        """Return the score as text: as printed, or with its interval."""
        one = self.scores.get(task)
        if one is None:
            return "–"
        return one["printed"] or with_interval(one["value"], one["low"], one["high"], DIGITS)


@dataclass(frozen=True)
class Leaderboard:
    """A board on one track, scored.

    Attributes:
        rows: published ones, then ours, the best by task B first and those not ranked last.
        differences: DIFFERENCES; each ranked row of ours minus the lowest one of a task. `p_holm`
            is adjusted over all pairs of ranked rows; `detectable` is the smallest true difference
            found with 80 % power, at the first step of Holm's method.
        reproduced: published baselines that our scorer computes again: name, printed, value.
        notes: deviations from the published setting, as sentences.
        split: `Dataset.split_fingerprint`; "" of a board saved before it was.
        comparable: whether the test part is the published one.
    """

    board: str
    track: str
    dataset: str
    parts: Mapping[str, int]
    rows: tuple[BoardRow, ...]
    differences: pd.DataFrame = field(repr=False)
    reproduced: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    provenance: Provenance = field(repr=False)
    split: str = ""
    comparable: bool = False

    @property
    def spec(self) -> Board:
        return BOARDS[self.board]

    @property
    def title(self) -> str:
        return f"LeWiDi-2025 {self.spec.title}, track {self.track} ({TRACKS[self.track]})"

    @property
    def ours(self) -> tuple[BoardRow, ...]:
        return tuple(row for row in self.rows if row.kind == OURS)

    @property
    def published(self) -> tuple[BoardRow, ...]:
        return tuple(row for row in self.rows if row.kind == PAPER)

    def headline(self) -> str:
        """Return which of our rows is lowest by task B, whether that is significant, and where the
        published ones lie, as sentences."""
        ranked = [row for row in self.ours if row.whole]
        best = min(ranked, key=lambda row: row.scores[PERSPECTIVE]["value"])
        ties = [row.title for row in ranked if row.tied[PERSPECTIVE] and row is not best]
        if len(ranked) == 1:
            role = "Only ranked row of ours, task B"
        elif ties:
            role = "Lowest row of ours by point estimate, task B"
        else:
            role = "Significantly lowest row of ours, task B"
        text = f"{role}: {best.title}, {best.shown(PERSPECTIVE)} (" + (
            f"{count(best.n, 'item')}; lower is better). "
        )
        if ties:
            text += f"No significant difference from {listed(ties)}. "
        if within := best.within[PERSPECTIVE]:
            text += f"Published rows within its interval: {listed(within)}. "
        elif self.published and self._compared(best):
            text += "No published row lies within its interval. "
        return text.strip()

    def detectable(self) -> str:
        """Return the smallest differences from the lowest row that these items detect, as a
        sentence; "" where no rows are compared."""
        if not len(self.differences):
            return ""
        parts = []
        for task, rows in self.differences.groupby("task", sort=False):
            found = rows["detectable"].dropna()
            name = TASKS[task].split(",")[0]
            if not len(found):
                parts.append(f"{name} unknown")
                continue
            ends = [number(end, DIGITS) for end in (found.min(), found.max())]
            shown = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
            parts.append(f"{name} {shown}")
        ranked = sum(row.whole for row in self.ours)
        return (
            "Smallest true difference from the lowest row that "
            f"{count(int(self.differences['n'].iloc[0]), 'item')} × {self._annotators()} detect "
            f"with 80 % power (paired, Holm over {count(math.comb(ranked, 2), 'pair')}): "
            f"{', '.join(parts)}."
        )

    def _annotators(self) -> str:
        there = dict(self.provenance.n)
        return count(there["annotator"], "annotator") if "annotator" in there else "annotators"

    def _compared(self, row: BoardRow) -> bool:
        """Return whether published rows can lie within a row's interval: it has one, and the test
        part is the published one."""
        return self.comparable and not math.isnan(row.scores[PERSPECTIVE]["low"])

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        return {
            "board": self.board,
            "track": self.track,
            "dataset": self.dataset,
            "split": self.split,
            "comparable": self.comparable,
            "parts": dict(self.parts),
            "scored_by": dict(self.spec.scored_by),
            "interval": "95 %, Student's, over items",
            "significance": SIGNIFICANCE,
            "rows": [_plain(asdict(row)) for row in self.rows],
            "differences": self.differences.to_dict("records"),
            "reproduced": [dict(one) for one in self.reproduced],
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Leaderboard:
        """Return the result that `to_dict` wrote.

        Raises:
            KeyError: it is of an earlier version, whose ties were not adjusted for the number of
                rows.
        """
        if "significance" not in raw:
            raise KeyError("significance")
        rows = tuple(
            BoardRow(
                **{
                    **row,
                    "scores": {
                        task: {
                            key: math.nan if value is None else value for key, value in one.items()
                        }
                        for task, one in row["scores"].items()
                    },
                    "within": {task: tuple(names) for task, names in row["within"].items()},
                    "seconds": math.nan if row["seconds"] is None else row["seconds"],
                }
            )
            for row in raw["rows"]
        )
        return cls(
            raw["board"],
            raw["track"],
            raw["dataset"],
            raw["parts"],
            rows,
            _difference_table(raw["differences"]),
            tuple(raw["reproduced"]),
            tuple(raw["notes"]),
            Provenance.from_dict(raw["provenance"]),
            raw.get("split", ""),
            raw.get("comparable", False),
        )

    def table(self, task: str) -> pd.DataFrame:
        """Return one task's rows for an export: rows without a score of this task are left out."""
        apart = self.differences[self.differences["task"] == task].set_index("first")

        def compared(row: BoardRow, column: str) -> Any:
            known = row.kind == OURS and row.name in apart.index
            return apart.at[row.name, column] if known else ""

        return pd.DataFrame(
            [
                {
                    "board": self.board,
                    "track": self.track if row.kind == OURS else "published",
                    "task": task,
                    "row": row.title,
                    "kind": row.kind,
                    "score": row.scores[task]["value"],
                    "low": row.scores[task]["low"],
                    "high": row.scores[task]["high"],
                    "printed": row.scores[task]["printed"],
                    "rank": row.rank if row.kind == PAPER else "",
                    "items": row.n if row.kind == OURS else "",
                    "cells": row.answered if row.kind == OURS else "",
                    "tied_with_lowest": row.tied.get(task, ""),
                    "p_holm": compared(row, "p_holm"),
                    "detectable": compared(row, "detectable"),
                    "source": row.source,
                    "note": row.note,
                }
                for row in self.rows
                if task in row.scores
            ]
        )


DIFFERENCES = (
    "first", "second", "task", "value", "low", "high", "n", "p", "p_holm", "detectable",
)  # fmt: skip
SIGNIFICANCE = "sign flips by item, Holm-adjusted over all pairs of ranked rows of a track"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return json_value(value)


def mean_interval(values: np.ndarray, least: float = 0.0) -> tuple[float, float, float]:
    """Return the mean and Student's 95 % interval of its items' scores, from `least` on; no
    interval (NaN) of fewer than two items or of items that are all alike."""
    value, n = float(np.mean(values)), len(values)
    if n < 2 or np.ptp(values) == 0:
        return value, math.nan, math.nan
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return value, max(least, value - half), value + half


def difference_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of the items' differences and its 95 % interval: Student's, or where all
    differ by the same `alike_interval`."""
    value, low, high = mean_interval(values, -math.inf)
    if np.ptp(values) < ROUNDING:
        low, high = alike_interval(value if abs(value) > ROUNDING else 0.0, len(values))
    return value, low, high


def item_scores(task: BoardTask, prediction: Prediction) -> dict[str, np.ndarray]:
    """Return each task's distance of the test items [items], NaN for items without an answer.

    An item counts with the cells that the system answered.
    """
    board, truth = task.board, task.truth
    answered = np.isfinite(prediction.chances).all(axis=1)
    items = np.unique(truth.item)
    found = {name: np.full(len(items), np.nan) for name in TASKS}
    if not answered.any():
        return found
    mine, chances = truth.rows(answered), prediction.chances[answered]
    at = np.searchsorted(items, np.unique(mine.item))
    found[PERSPECTIVE][at] = scores.perspective(
        board, mine.given, scores.decided(board, chances), mine.item
    )
    people = scores.shares(label_targets(mine, board.kind), mine.item)
    found[SOFT][at] = scores.soft(board, people, scores.shares(chances, mine.item))
    return found


def chosen_systems(board: Board, track: str, names: Sequence[str] = ()) -> list[System]:
    """Return the systems of these names, or all of a track.

    Raises:
        ConfigError: the board does not have the track, or the track not one of the systems.
    """
    check_track(board, track)
    chosen = systems_of(board, track, names)
    if unknown := set(names) - {each.name for each in chosen}:
        raise ConfigError(
            f"there is no system {', '.join(sorted(unknown))} on this track",
            expected=f"of {', '.join(each.name for each in systems_of(board, track))}",
            option="--system",
        )
    return list(chosen)


def compute_board(
    task: BoardTask,
    track: str,
    resources: Resources,
    *,
    names: Sequence[str] = (),
    more: Sequence[tuple[str, str, Prediction]] = (),
    predict: Callable[[System], Prediction] | None = None,
    progress: Progress = silent,
) -> Leaderboard:
    """Train every system of a track, predict the test part, and score it.

    Args:
        names: of the systems; all of the track by default.
        more: further rows, (name, title, prediction): imitations of the workspace.
        predict: returns a system's prediction, for instance a saved one; by default it is computed.

    Raises:
        ConfigError: the board does not have the track, or no system is left.
    """
    board = task.board
    chosen = chosen_systems(board, track, names)
    found: dict[str, tuple[str, dict[str, np.ndarray], int, Prediction, float]] = {}
    for number_, each in enumerate(chosen):
        progress(each.title, number_ / max(1, len(chosen)))
        start = time.monotonic()
        prediction = predict(each) if predict else each.predict(task.given(), track, resources)
        found[each.name] = _measured(task, each.title, prediction, time.monotonic() - start)
    for name, title, prediction in more:
        found[name] = _measured(task, title, prediction, math.nan)
    ours, differences = _rows(task, found)
    rows = (*map(_published_row, board.published), *ours)
    return Leaderboard(
        board.name,
        track,
        task.dataset.name,
        dict(task.parts),
        _with_published(rows, task.comparable),
        differences,
        tuple(_reproduced(task, board, resources)),
        (*_notes(board), *task.notes),
        Provenance.of(
            task.dataset,
            seeds=resources.seeds,
            n=(("test item", task.parts["test"]), ("annotator", len(set(task.truth.annotator)))),
            details=(("board", f"LeWiDi-2025 {board.title}"), ("track", track)),
        ),
        task.dataset.split_fingerprint,
        task.comparable,
    )


def _measured(task: BoardTask, title: str, prediction: Prediction, seconds: float):
    answered = int(np.isfinite(prediction.chances).all(axis=1).sum())
    return title, item_scores(task, prediction), answered, prediction, seconds


def _rows(task: BoardTask, found: Mapping[str, Any]) -> tuple[list[BoardRow], pd.DataFrame]:
    """Return our rows, and the differences of each from the lowest one."""
    cells, tied = len(task.truth), {name: {} for name in found}
    whole = [name for name, one in found.items() if one[2] == cells]
    differences = []
    for what in TASKS if whole else ():
        scored = {name: found[name][1][what] for name in whole}
        best = min(whole, key=lambda name: float(scored[name].mean()))
        tied[best][what] = True
        for row in _apart_from(best, scored, what):
            one = dict(zip(DIFFERENCES, row, strict=True))
            decided = carries_order(one["low"], one["high"], one["p_holm"], one["n"])
            tied[one["first"]][what] = not (decided and one["value"] > 0)
            differences.append(row)
    rows = []
    for name, (title, each, answered, prediction, seconds) in found.items():
        by_task = {}
        for what, values in each.items():
            there = values[np.isfinite(values)]
            if len(there):
                value, low, high = mean_interval(there)
                by_task[what] = {"value": value, "low": low, "high": high, "printed": ""}
        n = int(np.isfinite(each[PERSPECTIVE]).sum())
        rows.append(
            BoardRow(
                OURS, name, title, by_task, n, cells, answered, tied[name],
                note=prediction.note, seconds=seconds,
            )
        )  # fmt: skip
    rows.sort(
        key=lambda row: (not row.whole, row.scores.get(PERSPECTIVE, {"value": math.inf})["value"])
    )
    return rows, _difference_table(differences)


def _difference_table(rows: Sequence[Any]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(DIFFERENCES))
    numbers = ("value", "low", "high", "p", "p_holm", "detectable")
    return frame.astype(dict.fromkeys(numbers, float))


def _apart_from(best: str, scored: Mapping[str, np.ndarray], task: str) -> list[tuple]:
    """Return DIFFERENCES of every row from the lowest, `p_holm` over all pairs of rows."""
    pairs = list(itertools.combinations(scored, 2))
    if not pairs:
        return []
    apart = np.column_stack([scored[one] - scored[other] for one, other in pairs])
    p = sign_flips(apart)
    rows = []
    for column, (pair, p_value, p_holm) in enumerate(zip(pairs, p, holm(p), strict=True)):
        if best not in pair:
            continue
        first = pair[0] if pair[1] == best else pair[1]
        by_item = apart[:, column] * (1 if pair[0] == first else -1)
        n = len(by_item)
        error = float(np.std(by_item, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
        least = smallest_difference(error, n, comparisons=len(pairs))
        rows.append((first, best, task, *difference_interval(by_item), n, p_value, p_holm, least))
    return rows


def _published_row(one: PublishedRow) -> BoardRow:
    values = {
        task: {"value": float(text), "low": math.nan, "high": math.nan, "printed": text}
        for task, text in one.scores.items()
    }
    rank = next((rank for rank in one.ranks.values() if rank), "")
    return BoardRow(PAPER, one.name, one.name, values, source=one.source, rank=rank)


def _with_published(rows: Sequence[BoardRow], comparable: bool) -> tuple[BoardRow, ...]:
    """Return the rows, ours with the published rows that lie within their intervals."""
    published = [row for row in rows if row.kind == PAPER] if comparable else []
    found = []
    for row in rows:
        if row.kind == OURS:
            within = {
                task: tuple(
                    one.title
                    for one in published
                    if task in one.scores
                    and mine["low"] <= one.scores[task]["value"] <= mine["high"]
                )
                for task, mine in row.scores.items()
            }
            row = replace(row, within=within)
        found.append(row)
    return tuple(found)


def _reproduced(task: BoardTask, board: Board, resources: Resources):
    """Yield each published baseline that a system of ours computes again, with both numbers."""
    for one in board.published:
        if not one.recomputed or not task.comparable or not task.parts["train"]:
            continue
        prediction = SYSTEMS[one.recomputed].predict(task.given(), CONTENT, resources)
        for what, printed in one.scores.items():
            value = float(item_scores(task, prediction)[what].mean())
            digits = len(printed.split(".")[1])
            yield {
                "row": one.name,
                "system": one.recomputed,
                "task": what,
                "printed": printed,
                "value": value,
                "agrees": number(value, digits) == number(float(printed), digits),
            }


def _notes(board: Board) -> Iterator[str]:
    """Yield the caveats of a board, as sentences."""
    if board.explained:
        yield (
            "The test items come with the annotators' own explanations, and the published systems "
            "were free to read them; the table does not say which do. Rows of ours that read them "
            f"stand on the track {EXPLANATION!r}, those that do not on {CONTENT!r}: two tasks, "
            "never one column."
        )
    yield (
        "Published rows have no interval and no scores of items: a published row within the "
        "interval of ours is not told apart from it by these items; one outside may still be."
    )
