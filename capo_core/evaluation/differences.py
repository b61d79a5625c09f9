"""Differences between sources on the same items, with tests and their correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from capo_core.evaluation.measures import HIGHER, LIKE_HUMAN, LOWER, ONE, measure
from capo_core.evaluation.paired import holm, p_value_of
from capo_core.evaluation.scores import AnyScore, difference
from capo_core.evaluation.streams import HUMAN

COLUMNS = ("source", "against", "target", "measure", "k", "value", "low", "high", "n", "p", "test",
           "p_holm", "verdict")  # fmt: skip
LEVEL = 0.05  # adjusted p-values up to this are called a difference


def differences(
    parts: Mapping[tuple[str, str, str, int], AnyScore], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """One source minus another, paired by item: COLUMNS. Pairs without a common score are left out.

    `p` is of `paired.p_value_of`; `p_holm` is corrected over all `pairs` compared by one measure
    for one target. (It is not corrected over measures: which of them answers the question is to be
    said beforehand.) `verdict` is "better", "worse" or "undecided" from the first source's side,
    "differs" where neither direction is better.
    """
    rows = []
    for one, other in pairs:
        for (source, target, name, k), score in parts.items():
            against = parts.get((other, target, name, k))
            if source != one or against is None:
                continue
            apart = difference(score, against)
            found = apart.estimate()
            p, test = p_value_of(apart)
            rows.append((one, other, target, name, k, found.value, found.low, found.high, found.n,
                         p, test, p, ""))  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    if frame.empty:
        return frame
    frame["p_holm"] = frame.groupby(["target", "measure", "k"], sort=False)["p"].transform(
        lambda column: holm(column.to_numpy())
    )
    # Nearer to 1 or to the human: of two scores, the one that is less far off.
    aims = {key: _aim(key, parts) for key in parts}
    verdicts = []
    for row in frame.itertuples():
        better = measure(row.measure).better
        key = (row.source, row.target, row.measure, row.k)
        other = (row.against, *key[1:])
        if not row.p_holm <= LEVEL:
            verdicts.append("undecided")
        elif better in (HIGHER, LOWER):
            verdicts.append("better" if (row.value > 0) == (better == HIGHER) else "worse")
        else:
            verdicts.append(_nearer(parts[key].value, parts[other].value, aims[key]))
    frame["verdict"] = verdicts
    return frame


def _aim(key: tuple[str, str, str, int], parts) -> float | None:
    """The value a measure should have, where neither direction is better."""
    better = measure(key[2]).better
    if better == ONE:
        return 1.0
    human = parts.get((HUMAN, *key[1:]))
    return human.value if better == LIKE_HUMAN and human is not None else None


def _nearer(one: float, other: float, aim: float | None) -> str:
    if aim is None or abs(one - aim) == abs(other - aim):
        return "differs"
    return "better" if abs(one - aim) < abs(other - aim) else "worse"
