"""Reports of earlier versions, whose means over annotators were not over the same annotators.

They averaged people's rows over all annotators, whoever was imitated. What follows from the rows of
single annotators is put right when such a report is read; an interval that does not follow from
them is left out, and with it every claim that would need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from capo_core.evaluation.coverage import averaged_targets
from capo_core.evaluation.table import ALL

_MEANS = ("value", "floor", "ceiling", "chance")
_KEYS = ["measure", "k"]


def common_targets(imitated: Sequence[Sequence[str]], annotators: Sequence[str]) -> tuple[str, ...]:
    """Return the annotators whom every method imitates; all where there is no method."""
    return tuple(name for name in annotators if all(name in targets for targets in imitated))


def over_common_targets(
    tables: Mapping[str, pd.DataFrame], targets: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the tables of a report with rows `ALL` over `targets` alone.

    Args:
        tables: scores, differences, caricatures, distances and contrasts, by name; others stay.
    """
    scores = tables["scores"]
    single = scores[scores["target"] != ALL]
    averaged: dict[tuple[str, int], list[str]] = {}
    for key, rows in single[single["value"].notna()].groupby(_KEYS):
        defined = set(zip(rows["source"], rows["target"], strict=True))
        averaged[key] = averaged_targets(defined, targets)
    found = dict(tables)
    kept = scores[(scores["target"] != ALL) | ~_by_target(scores, single)]
    found["scores"] = pd.concat([kept, _means(single, averaged)], ignore_index=True).sort_values(
        "source", key=_order(scores["source"]), kind="stable", ignore_index=True
    )
    for name in ("differences", "distances", "contrasts"):
        table = tables[name]
        keep = (table["target"] != ALL) | ~_by_target(table, single)
        copied = [
            rows.assign(target=ALL)
            for key, rows in table[table["target"] != ALL].groupby(_KEYS)
            if len(averaged.get(key, ())) == 1
            for rows in [rows[rows["target"] == averaged[key][0]]]
        ]
        found[name] = pd.concat([table[keep], *copied], ignore_index=True)
    table = tables["caricatures"]
    alone = table[table["target"] != ALL]
    found["caricatures"] = alone
    if len(targets) == 1:
        both = [alone, alone[alone["target"] == targets[0]].assign(target=ALL)]
        found["caricatures"] = pd.concat(both, ignore_index=True)
    return found


def _by_target(table: pd.DataFrame, single: pd.DataFrame) -> pd.Series:
    """Return which rows are of a measure that is computed for each target."""
    known = set(single["measure"])
    return pd.Series([name in known for name in table["measure"]], table.index, dtype=bool)


def _means(single: pd.DataFrame, averaged: Mapping[tuple[str, int], list[str]]) -> pd.DataFrame:
    rows = []
    for (_, measure, k), of_source in single.groupby(["source", *_KEYS], sort=False):
        over = averaged.get((measure, k), [])
        there = of_source[of_source["target"].isin(over)]
        first = of_source.iloc[0].copy()
        first["target"] = ALL
        if len(over) == 1 and len(there):
            first = there.iloc[0].copy()
            first["target"] = ALL
        else:
            known = len(there) == len(over) > 0 and there["value"].notna().all()
            for name in _MEANS:
                first[name] = there[name].mean(skipna=False) if known else np.nan
            for name in ("low", "high", "spread", "seed_spread"):
                first[name] = np.nan
            first["n"] = int(there["n"].sum()) if known else 0
            first["note"] = "" if known else "not over the same annotators: evaluate again"
        rows.append(first)
    return pd.DataFrame(rows, columns=list(single.columns))


def _order(sources: pd.Series):
    place = {name: number for number, name in enumerate(dict.fromkeys(sources))}
    return lambda column: column.map(place)
