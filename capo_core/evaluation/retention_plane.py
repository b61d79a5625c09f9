"""Several trainings of one annotator in one plane: what each learnt, and what it kept.

    x: retention R, perplexity at the base / at the point, of general text or of others' responses
    y: attribution to the target

Each training is a path from the base along its adapter's strength. Which training has the best
point (`retention.BestPoint`) is decided by draws from the intervals of attribution and retention,
taken as independent between trainings. They are of the same items, so that this is wider than a
paired comparison: what it decides is decided, not all that it leaves open is open. Nothing is
decided by fewer than `FEWEST` items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from capo_core.errors import ConfigError
from capo_core.evaluation.retention import IMITATION, BestPoint, Retention
from capo_core.formatting import Statement, listed, percent
from capo_core.stats.intervals import Z95, json_rows, json_value
from capo_core.stats.significance import FEWEST

COLUMNS = ("training", "stage", "strength", "at", "attribution", "attribution_low",
           "attribution_high", "kept", "kept_low", "kept_high", "best",
           "parameters")  # fmt: skip
DRAWS = 10_000
TOLD_APART = 0.95
ALIKE = 0.1  # numbers of parameters that differ by at most this share are called equal


@dataclass(frozen=True)
class RetentionPlane:
    """Trainings of one target on one base model, measured on the same items.

    Attributes:
        points: COLUMNS, one row a training and point. `kept` is R, which may be above 1 where a
            training found the text likelier than the base did; `best` marks each training's own
            best point; `parameters` are those that were trained in this stage (0: not known).
        measure: the measure that R is of.
        best: training → its best point; without those that have none.
        winning: training → share of draws in which its best point has the highest score.
        chance, ceiling: of attribution; NaN where unknown.
        overshoots: trainings whose full strength lies beyond the interval of their best point.
    """

    target: str
    base: str
    n_items: int
    measure: str
    points: pd.DataFrame = field(repr=False)
    best: dict[str, BestPoint]
    winning: dict[str, float]
    chance: float
    ceiling: float
    overshoots: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, int]:
        """Training → trainable parameters of its last stage; 0 where they are not known."""
        last = self.points.groupby("training", sort=False)["parameters"].last()
        return {str(name): int(number) for name, number in last.items()}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on the numbers of parameters, and on the intervals of the best strengths."""
        found = [self._parameters_remark()] if len(self.parameters) > 1 else []
        parts = [
            f"{name} {one.interval_text()}"
            for name, one in self.best.items()
            if one.interval_text()
        ]
        if parts:
            text = f"95\u00a0% interval of the best strength: {listed(parts)}."
            if self.overshoots:
                beyond = listed(list(self.overshoots))
                text += f" Overshoot, the interval excludes full strength: {beyond}."
            found.append(text)
        return tuple(found)

    def _parameters_remark(self) -> str:
        known = {name: number for name, number in self.parameters.items() if number}
        if len(known) < len(self.parameters):
            return "The numbers of trainable parameters are not known for all of these trainings."
        shown = listed([f"{name} {number:,}" for name, number in known.items()])
        least, most = min(known.values()), max(known.values())
        text = f"Trainable parameters: {shown}"
        if most > (1 + ALIKE) * least:
            return (
                f"{text}. They differ by {percent(most / least - 1)}: this is no comparison at "
                "equal numbers of parameters."
            )
        return f"{text} (equal within {percent(ALIKE)})."

    @property
    def statement(self) -> Statement:
        """Sentence on the best training; it says so where several are not told apart, as with fewer
        than `FEWEST` items."""
        if not self.winning:
            if self.ceiling <= self.chance:
                return Statement(
                    "retention",
                    "No training here has a best point: the classifier gives the target's own "
                    "texts to the target no more often than a guess would.",
                )
            return Statement("retention", "No training here has a point above a guess.")
        first = max(self.winning, key=self.winning.__getitem__)
        about = self.best[first]
        values: dict[str, Any] = {
            "first": first,
            "where": "the base"
            if about.at == 0
            else f"strength {about.strength:g} of {about.stage.upper()}",
            "score": about.score,
            "imitation": about.imitation,
            "kept": about.kept,
            "share": self.winning[first],
            "n": self.n_items,
        }
        template = (
            "{first} has the best point: {where}, imitation {imitation:percent} of the way from a "
            "guess to the target, {kept:percent} of the base kept (n = {n:count item})"
        )
        if len(self.winning) == 1:
            return Statement("retention", template + ".", values)
        template += "; it is the best of {count:count training} in {share:percent} of draws"
        values["count"] = len(self.winning)
        if self.winning[first] >= TOLD_APART and self.n_items >= FEWEST:
            return Statement("retention", template + ".", values)
        template = f"By point estimate, {template}, so that they are not told apart."
        return Statement("retention", template, values)

    def to_dict(self) -> dict[str, Any]:
        """Return the plane as JSON-able values."""
        return {
            "target": self.target,
            "base": self.base,
            "n_items": self.n_items,
            "measure": self.measure,
            "points": json_rows(self.points),
            "best": {
                name: {
                    "stage": one.stage,
                    "strength": one.strength,
                    "score": one.score,
                    "at_low": json_value(one.at_low),
                    "at_high": json_value(one.at_high),
                    "overshoot": name in self.overshoots,
                }
                for name, one in self.best.items()
            },
            "parameters": self.parameters,
            "remarks": list(self.remarks),
            "winning": self.winning,
            "statement": self.statement.text,
        }


def retention_plane(found: Mapping[str, Retention]) -> RetentionPlane:
    """Return the plane of several measurements by the names of their trainings.

    Raises:
        ConfigError: there is none, or they are not of one target, base model and set of items.
    """
    if not found:
        raise ConfigError("there is no retention measurement", expected="one training or more")
    measured = list(found.values())
    for what, values in (
        ("annotators", {one.target for one in measured}),
        ("base models", {one.base for one in measured}),
        ("versions of the dataset", {one.fingerprint for one in measured}),
        ("sets of items", {(one.config.split, one.config.seed, one.n_items) for one in measured}),
        ("kinds of text", {(one.unit_of_kept, one.general) for one in measured}),
        # Of one name, and other passages: a file that was changed, the guide of another version.
        ("general texts", {one.general_fingerprint for one in measured} - {""}),
    ):
        if len(values) > 1:
            raise ConfigError(
                f"the measurements are of {len(values)} {what}",
                where=", ".join(found),
                expected="trainings of one annotator on one base model, measured on the same items",
            )
    first = measured[0]
    lines = {name: first.line(IMITATION, name) for name in ("chance", "ceiling")}
    chance, ceiling = (
        float("nan") if line is None else float(line["value"]) for line in lines.values()
    )
    points = pd.DataFrame(
        [row for name, one in found.items() for row in _rows(name, one)], columns=list(COLUMNS)
    )
    best = {name: one.best for name, one in found.items() if one.best is not None}
    return RetentionPlane(
        first.target, first.base, first.n_items, first.unit_of_kept, points, best,
        _winning(points, best, chance, ceiling), chance, ceiling,
        tuple(name for name, one in found.items() if one.overshoots),
    )  # fmt: skip


def _rows(name: str, found: Retention) -> list[tuple]:
    kept = found.curve(found.unit_of_kept).set_index("at")
    rows = []
    for point in found.curve(IMITATION).itertuples():
        lost = kept.loc[point.at]
        rows.append(
            (name, point.stage, point.strength, point.at, point.value, point.low, point.high,
             1 / lost["change"], 1 / lost["change_high"], 1 / lost["change_low"],
             found.best is not None and found.best.at == point.at,
             found.parameters.get(point.stage, 0))
        )  # fmt: skip
    return rows


def _winning(
    points: pd.DataFrame, best: Mapping[str, BestPoint], chance: float, ceiling: float
) -> dict[str, float]:
    """Return how often each training's best point has the highest score, ties shared."""
    if not best:
        return {}
    rng = np.random.default_rng(0x91A7E)
    rows = points[points["best"]].set_index("training").loc[list(best)]
    drawn = []
    for row in rows.itertuples():
        error = (row.attribution_high - row.attribution_low) / 2 / Z95
        share = rng.normal(row.attribution, error, DRAWS)
        imitated = np.clip((share - chance) / max(ceiling - chance, 1e-9), 0, 1)
        spread = np.log(row.kept_high / row.kept_low) / 2 / Z95
        kept = np.minimum(1, np.exp(rng.normal(np.log(row.kept), spread, DRAWS)))
        with np.errstate(invalid="ignore"):
            drawn.append(np.nan_to_num(2 * imitated * kept / (imitated + kept)))
    scores = np.array(drawn)
    top = scores == scores.max(axis=0)
    shares = (top / top.sum(axis=0)).mean(axis=1)
    return dict(zip(best, map(float, shares), strict=True))
