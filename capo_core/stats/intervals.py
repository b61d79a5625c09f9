"""Intervals that several measures share, and table rows for JSON.

Wilson's interval is computed here and not by statsmodels or scipy, whose forms take whole numbers
of trials: effective numbers of trials are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy.stats import norm

Z95 = float(norm.ppf(0.975))


def wilson(successes: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927); (0, 1) where n = 0."""
    if n <= 0:
        return 0.0, 1.0
    share, shrink = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy_interval(
    accuracy: float, trials: float, error: float = 0.0, level: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's interval (1927) with an effective number of trials.

    The number is `trials`, or fewer where the standard error over items `error` asks for it.
    """
    spread = accuracy * (1 - accuracy)
    n = min(trials, spread / error**2) if error > 0 and spread > 0 else trials
    z = norm.ppf(0.5 + level / 2)
    middle = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(spread / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def bayesian_weights(
    rng: np.random.Generator, draws: int, n: int, *, block: int = 4_000_000
) -> Iterator[np.ndarray]:
    """Weights of the Bayesian bootstrap (Rubin 1981), [some draws × n] at a time, `draws` in all.

    Independent Exponential(1); divided by their sum they are Dirichlet(1, …, 1). No item gets
    weight 0 and none stands twice, which is why pooled measures can use them where the plain
    bootstrap is biased.
    """
    step = max(1, block // max(n, 1))
    for start in range(0, draws, step):
        yield rng.exponential(size=(min(step, draws - start), n))


def alike_interval(value: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean over `n` items that all have `value`.

    A bootstrap or Student's interval of equal values has no width. At least q = .025^(1/n) of all
    items are on this side (Clopper & Pearson 1934), and the interval reaches to where the rest have
    as much on the other: value · (2q − 1). It excludes 0 from six items on, as a sign test does.

    >>> [round(end, 2) for end in alike_interval(1.0, 6)]
    [0.08, 1.0]
    """
    if n < 2 or value == 0:
        return math.nan, math.nan
    low, high = sorted((value, value * (2 * 0.025 ** (1 / n) - 1)))
    return low, high


def central_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the central `level` of the finite values; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan, math.nan
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def json_value(value: object) -> object:
    """Return the value for JSON: NumPy numbers as Python's, what is not finite as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def frame_of(rows: list[dict], columns: tuple[str, ...], numbers: Collection[str]) -> pd.DataFrame:
    """Return the table that `json_rows` wrote; columns among `numbers` are floats, None is NaN."""
    frame = pd.DataFrame(rows, columns=list(columns))
    floats = [name for name in columns if name in numbers]
    frame[floats] = frame[floats].astype(float).replace({None: np.nan})
    return frame


def json_rows(frame: pd.DataFrame) -> list[dict]:
    """Return the rows for JSON; undefined numbers are None."""
    columns = [[json_value(value) for value in frame[name]] for name in frame.columns]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN and a `note` in words where it is not defined.

    Attributes:
        n: what was counted, for instance items.
    """

    value: float
    low: float
    high: float
    n: int
    note: str = ""

    def to_dict(self) -> dict:
        return {field.name: json_value(getattr(self, field.name)) for field in fields(self)}
