"""Events of a run, read from its events.jsonl.

Curves are pandas tables with one row per step. A line that cannot be read is counted and skipped:
the file may be damaged, and a page about it must still open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

# Points of one curve on the screen; more are drawn as means of neighbours.
MOST_POINTS = 400
# Numbers that a step or a validation may record.
FIGURES = (
    "loss",
    "margin",
    "reward_accuracy",
    "chosen_change",
    "rejected_change",
    "tokens_per_s",
    "learning_rate",
    "grad_norm",
)
# Smaller margins are rounding errors of zero.
_TIED = 1e-5
PROBE = ("step", "target_share", "low", "high", "chance", "n", "probability", "probability_low",
         "probability_high", "human", "human_n", "others", "others_n")  # fmt: skip


@dataclass(frozen=True)
class RunEvents:
    """The events of one run by type.

    Attributes:
        steps: step, epoch, seconds and those of FIGURES that were written.
        validations: step, best (true where the adapter was saved) and figures.
        probes: PROBE: the share of sample explanations attributed to the target by an
            attribution model, with interval, number of texts and chance; the mean probability of
            the target, and of people's texts about the same items, where they were recorded.
        samples: explanations generated during training: step, item_id, target_annotator_id,
            text.
        engine: how responses are scored and why; empty where not recorded.
        notes: counts and exclusions, as sentences.
        checkpoints, resumed: steps at which the run was saved, and from which it went on.
        unread: lines that cannot be read.
    """

    steps: pd.DataFrame = field(default_factory=pd.DataFrame)
    validations: pd.DataFrame = field(default_factory=pd.DataFrame)
    probes: pd.DataFrame = field(default_factory=pd.DataFrame)
    samples: tuple[dict[str, Any], ...] = ()
    engine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    checkpoints: tuple[int, ...] = ()
    resumed: tuple[int, ...] = ()
    unread: int = 0


def read_events(path: Path) -> RunEvents:
    """Return the events of the file at `path`; none where there is no file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return RunEvents()
    found: dict[str, list[dict]] = {}
    unread = 0
    # Not splitlines: a text may hold other characters that it takes for line breaks. Whatever
    # follows the last line break is still being written.
    for line in text.split("\n")[:-1]:
        event = _event(line)
        if event is None:
            unread += 1
        else:
            found.setdefault(event["event"], []).append(event)
    engines = found.get("engine", [])
    return RunEvents(
        steps=_ranked(_table(found.get("step", []), ("epoch", "seconds", *FIGURES))),
        validations=_ranked(_table(found.get("validation", []), ("best", *FIGURES))),
        probes=_table(found.get("probe", []), PROBE[1:]),
        samples=tuple(each for each in found.get("sample", []) if _is_sample(each)),
        engine=engines[-1] if engines else {},
        # A resumed run says again what it trains on.
        notes=tuple(dict.fromkeys(map(_note_text, found.get("note", [])))),
        checkpoints=_steps(found.get("checkpoint", [])),
        resumed=_steps(found.get("resumed", [])),
        unread=unread,
    )


def thinned(rows: pd.DataFrame, most: int = MOST_POINTS) -> pd.DataFrame:
    """Return at most `most` rows: means of neighbours, each at the last step of its group."""
    if len(rows) <= most:
        return rows
    each = -(-len(rows) // most)
    groups = pd.RangeIndex(len(rows)) // each
    means = rows.groupby(groups).mean(numeric_only=True)
    means["step"] = rows["step"].groupby(groups).last().to_numpy()
    return means


def has_figure(rows: pd.DataFrame, figure: str) -> bool:
    """Return whether any row has a number for `figure`."""
    return figure in rows.columns and bool(rows[figure].notna().any())


def _event(line: str) -> dict | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _table(events: list[dict], names: tuple[str, ...]) -> pd.DataFrame:
    rows = pd.DataFrame(events, columns=["step", *names])
    rows = rows.apply(pd.to_numeric, errors="coerce").dropna(subset=["step"])
    rows = rows.astype({"step": int}).sort_values("step", kind="stable", ignore_index=True)
    return rows.loc[:, rows.notna().any() | (rows.columns == "step")]


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop reward accuracies where all pairs are still tied: none is ranked yet."""
    if "reward_accuracy" not in rows.columns or "margin" not in rows.columns:
        return rows
    return rows.assign(reward_accuracy=rows["reward_accuracy"].where(rows["margin"].abs() > _TIED))


def _steps(events: list[dict]) -> tuple[int, ...]:
    return tuple(each["step"] for each in events if isinstance(each.get("step"), int))


def _is_sample(event: dict) -> bool:
    return isinstance(event.get("step"), int) and isinstance(event.get("text"), str)


def _note_text(event: dict) -> str:
    count = event.get("count")
    words = str(event.get("note", ""))
    return words if count is None else f"{words}: {count}"
