"""The finding of a soft-label training: which source trains the closest classifier, if any.

Differences of a finished training have intervals and no p-values; these follow from the intervals
by a normal approximation, and are adjusted by Holm's method over all pairs of sources, and over all
sources against their own floors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from capo_core.distributions.compare import KL
from capo_core.distributions.wording import measured, shortened
from capo_core.formatting import Named, Statement
from capo_core.stats.intervals import Z95
from capo_core.stats.significance import carries_order, holm

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrainingFinding:
    """Classifiers trained on several sources, by KL to the reference on one set of items.

    Attributes:
        order: sources with value, low and high, closest first.
        tied: the first and those not significantly farther.
        floors: source → KL of its mean distribution for every item, where it was scored.
        over_floor: sources significantly closer than their own floor.
    """

    against: str
    n: int
    order: tuple[tuple[str, float, float, float], ...]
    tied: tuple[str, ...]
    floors: Mapping[str, tuple[float, float, float]]
    over_floor: tuple[str, ...]


def training_finding(scores: Rows, differences: Rows, against: str) -> TrainingFinding:
    """Return the finding on one set of a training's `scores` and `differences`."""
    own = [row for row in scores if row["measure"] == KL and row["value"] is not None]
    trained = sorted((row for row in own if row["seeds"] > 0), key=lambda row: row["value"])
    floors = {
        row["source"]: (row["value"], row["low"], row["high"]) for row in own if not row["seeds"]
    }
    names = [row["source"] for row in trained]
    apart = [row for row in differences if row["measure"] == KL]
    pairs = _verdicts([row for row in apart if row["against"] in names])
    below = _verdicts([row for row in apart if row["against"] == _floor(row["source"])])
    tied = [name for name in names if name == names[0] or pairs.get((names[0], name)) != names[0]]
    return TrainingFinding(
        against,
        int(trained[0]["n"]) if trained else 0,
        tuple((row["source"], row["value"], row["low"], row["high"]) for row in trained),
        tuple(tied),
        {name: floors[_floor(name)] for name in names if _floor(name) in floors},
        tuple(name for name in names if below.get((name, _floor(name))) == name),
    )


def _floor(source: str) -> str:
    return f"floor: mean of {source}"


def _verdicts(rows: Rows) -> dict[tuple[str, str], str]:
    """Return the significantly closer one of each pair, in either order."""
    found = {}
    p_values = holm(np.array([_p_value(row) for row in rows], dtype=float))
    for row, p in zip(rows, p_values, strict=True):
        decided = carries_order(row["low"], row["high"], p, row["n"])
        closer = (row["against"] if row["value"] > 0 else row["source"]) if decided else ""
        found[row["source"], row["against"]] = found[row["against"], row["source"]] = closer
    return found


def _p_value(row: Mapping[str, Any]) -> float:
    error = (row["high"] - row["low"]) / (2 * Z95)
    if not error > 0:
        return 1.0
    return float(2 * norm.sf(abs(row["value"]) / error))


def training_statement(finding: TrainingFinding) -> Statement:
    """Return the sentence of a finding."""
    if not finding.order:
        return Statement("training", "This training has no scores.")
    n, (best, *value) = finding.n, finding.order[0]
    values: dict[str, Any] = {
        "best": _source(best), "value": measured(*value, n), "n": n,
        "sources": len(finding.order), "against": _source(finding.against),
    }  # fmt: skip
    if len(finding.order) == 1:
        template = "A classifier trained on {best} reaches KL {value} on {n:count item}"
    elif len(finding.tied) == 1:
        values["second"] = _source(finding.order[1][0])
        values["second_value"] = measured(*finding.order[1][1:], n)
        template = (
            "Of {sources:count source}, training on {best} brings a classifier significantly "
            "closest to {against} on {n:count item}: KL {value}, next {second} {second_value}"
        )
    else:
        rows = {name: rest for name, *rest in finding.order}
        values["others"] = shortened([
            Statement("source", "{source} ({value})",
                      {"source": _source(name), "value": measured(*rows[name], n)})
            for name in finding.tied if name != best
        ])  # fmt: skip
        template = (
            "Of {sources:count source}, none trains a classifier significantly closest to "
            "{against} on {n:count item}: {best} (KL {value}) is not significantly different from "
            "{others}"
        )
    if best in finding.floors:
        values["floor"] = measured(*finding.floors[best], n)
        sure = "" if best in finding.over_floor else "not "
        template += (
            f". It is {sure}significantly closer than the mean distribution of {{best}} for every "
            "item ({floor})"
        )
    return Statement("training", f"{template}.", values)


def _source(name: str) -> Named:
    return Named("source", name)
