"""Calibration by planted truth: the same measures on data whose truth is known.

Simulated annotators are given a manner of known strength; strength 0 is the null, where all write
by one distribution. A method that deserves trust finds more where more was planted, finds the
phrases that were planted, and finds nothing where nothing was: p-values are then uniform, and 95 %
intervals cover the chance line in 95 % of data sets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from capo_core.errors import ConfigError
from capo_core.stability.config import StabilityConfig
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class CalibrationConfig:
    """What to simulate and to measure.

    Attributes:
        task: "nli" or "paraphrase"; items, annotators: the size of each data set.
        strengths: planted strengths of manner; 0 is the null.
        datasets: data sets for each strength.
        representations, reductions, pool, permutations: see `StabilityConfig`.
        seed: of everything random.
    """

    task: str = "nli"
    items: int = 200
    annotators: int = 4
    strengths: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    datasets: int = 3
    representations: tuple[str, ...] = ("words", "stylometry")
    reductions: tuple[str, ...] = ("none", "mask_input")
    pool: tuple[int, ...] = (1, 4, 16)
    permutations: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strengths", tuple(sorted({float(s) for s in self.strengths})))
        if not self.strengths or self.strengths[0] < 0:
            raise ConfigError(
                f"strengths cannot be {list(self.strengths)}", expected="numbers of 0 or more"
            )
        for name, low, high in (("datasets", 1, 1000), ("items", 20, 10_000)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} cannot be {getattr(self, name)}", expected=f"{low} to {high}"
                )
        self.stability()  # its settings are checked there

    def stability(self) -> StabilityConfig:
        """The settings of each measurement."""
        return StabilityConfig(
            representations=self.representations,
            reductions=self.reductions,
            pool=self.pool,
            seeds=2,
            permutations=self.permutations,
            controls=False,
            seed=self.seed,
        )

    def to_dict(self) -> dict:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: dict) -> CalibrationConfig:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()})

    @property
    def key(self) -> str:
        return content_hash(self.to_dict())[:16]


@dataclass(frozen=True)
class Calibration:
    """Planted against found.

    Attributes:
        points: one row a data set and point of its ladder: manner, dataset, representation,
            reduction, k, accuracy, low, high, chance, p_value.
        phrases: one row a planted phrase: manner, dataset, annotator_id, phrase, rate,
            rate_others, expected_z, z, detectable, found.
    """

    config: CalibrationConfig
    points: pd.DataFrame
    phrases: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """One row a strength, view and k: accuracy (mean over data sets), its lowest and highest,
        n data sets, covered (intervals that hold chance), significant (p ≤ .05), and ks_p: the
        Kolmogorov–Smirnov test that the p-values are uniform (only at strength 0, from 20 data
        sets on; NaN elsewhere)."""
        rows = []
        keys = ["manner", "representation", "reduction", "k"]
        for key, group in self.points.groupby(keys, sort=True):
            covered = (group["low"] <= group["chance"]) & (group["chance"] <= group["high"])
            row = dict(zip(keys, key, strict=True))
            test = np.nan
            if row["manner"] == 0 and len(group) >= 20:
                test = float(stats.kstest(group["p_value"], "uniform").pvalue)
            rows.append(
                {
                    **row,
                    "accuracy": group["accuracy"].mean(),
                    "lowest": group["accuracy"].min(),
                    "highest": group["accuracy"].max(),
                    "chance": group["chance"].iloc[0],
                    "n": len(group),
                    "covered": int(covered.sum()),
                    "significant": int((group["p_value"] <= 0.05).sum()),
                    "ks_p": test,
                }
            )
        return pd.DataFrame(rows)

    @property
    def recovery(self) -> pd.DataFrame:
        """One row a strength above 0: planted phrases, those detectable, those found of these."""
        rows = []
        if self.phrases.empty:
            return pd.DataFrame(columns=["manner", "planted", "detectable", "found", "share"])
        for manner, group in self.phrases.groupby("manner"):
            detectable = group[group["detectable"]]
            found = int(detectable["found"].sum())
            rows.append(
                {
                    "manner": manner,
                    "planted": len(group),
                    "detectable": len(detectable),
                    "found": found,
                    "share": found / len(detectable) if len(detectable) else np.nan,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict:
        """JSON-able; undefined values are None."""

        def rows(frame: pd.DataFrame) -> list[dict]:
            return [
                {k: None if isinstance(v, float) and v != v else v for k, v in row.items()}
                for row in frame.to_dict(orient="records")
            ]

        return {
            "config": self.config.to_dict(),
            "summary": rows(self.summary),
            "recovery": rows(self.recovery),
            "points": rows(self.points),
            "phrases": rows(self.phrases),
        }

    @classmethod
    def from_dict(cls, raw: dict) -> Calibration:
        return cls(
            CalibrationConfig.from_dict(raw["config"]),
            pd.DataFrame(raw["points"]),
            pd.DataFrame(raw["phrases"]),
        )
