"""Calibration on simulated data: the measures of this package where the truth is known.

Simulated annotators have a style of known strength; strength 0 is the null: all texts come
from one distribution. A sound method finds more where more was simulated, recovers the phrases that
were simulated, and finds nothing under the null: p-values are then uniform, and 95 % intervals
cover chance in 95 % of data sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.progress import Progress, silent
from capo_core.provenance import SIMULATED, Provenance
from capo_core.settings import setting, settings
from capo_core.simulation.simulate import Simulation, SimulationConfig, simulate
from capo_core.stability import phrases as stability_phrases
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import build_corpus
from capo_core.stability.ladder import compute_point, point_rows, prepare_ladder
from capo_core.text.embeddings import Embedder
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS, Representer, Texts
from capo_core.workspace import content_hash


@settings("Calibration")
class CalibrationConfig:
    """Settings of a calibration: the data sets that are simulated, and the ladder of each."""

    task: str = setting(
        "nli", "Task", "Task of the simulated annotations.", choices=("nli", "paraphrase")
    )
    items: int = setting(200, "Items", "Items per simulated data set.", ge=20, le=10_000)
    annotators: int = setting(4, "Annotators", "Annotators per simulated data set.", ge=2)
    strengths: tuple[float, ...] = setting(
        (0.0, 0.5, 1.0, 2.0), "Style strengths", "Strengths of style; 0 is the null.", ge=0
    )
    datasets: int = setting(3, "Data sets", "Simulated data sets per strength.", ge=1, le=1000)
    representations: tuple[str, ...] = setting(
        ("words", "stylometry"),
        "Representations",
        "Representations of the explanations.",
        choices=lambda: tuple(REPRESENTATIONS),
    )
    reductions: tuple[str, ...] = setting(
        ("none", "mask_input"),
        "Reductions",
        "Input-content reductions.",
        choices=lambda: tuple(REDUCTIONS),
    )
    pool: tuple[int, ...] = setting(
        (1, 4, 16),
        "Explanations pooled",
        "Numbers of explanations of one annotator that are attributed together.",
        ge=1,
        le=1024,
    )
    permutations: int = setting(
        200, "Permutations", "Shuffles of the permutation null.", ge=0, le=100_000
    )
    seed: int = setting(0, "Random seed", "Random seed.", ge=0, le=2**31)

    def __post_init__(self) -> None:
        if not self.strengths:
            raise ConfigError("strengths are empty", expected="numbers of 0 or more")
        object.__setattr__(self, "strengths", tuple(sorted(set(self.strengths))))
        self.stability()  # what concerns several settings is checked there

    def stability(self) -> StabilityConfig:
        """Return the settings of each measurement."""
        return StabilityConfig(
            representations=self.representations,
            reductions=self.reductions,
            pool=self.pool,
            seeds=2,
            permutations=self.permutations,
            controls=False,
            seed=self.seed,
        )

    @property
    def key(self) -> str:
        return content_hash(self.to_dict())[:16]


@dataclass(frozen=True)
class Calibration:
    """Recovered against simulated differences.

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
    def provenance(self) -> Provenance:
        """The provenance of its exports: all data are simulated, by these settings."""
        config = self.config
        sets = len(config.strengths) * config.datasets
        return Provenance(
            f"simulated annotators, {config.task}",
            config.key,
            SIMULATED,
            seeds=(config.seed,),
            n=(("data set", sets), ("item", config.items), ("annotator", config.annotators)),
        )

    @property
    def summary(self) -> pd.DataFrame:
        """Summarise the points, one row per strength, view and k.

        Columns: accuracy (mean over data sets), its lowest and highest,
        n data sets, covered (intervals that hold chance), significant (p ≤ .05), and ks_p: the
        Kolmogorov–Smirnov test that the p-values are uniform (only at strength 0, from 20 data
        sets on; NaN elsewhere).
        """
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
        """Count planted, detectable and recovered phrases, one row per strength above 0."""
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
        """Return the JSON form; undefined values are None."""

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


# A planted phrase counts as detectable where its expected z is at least this: it would then be
# missed at z = 1.96 about twice in a hundred times.
DETECTABLE_Z = 4.0


def calibrate(
    config: CalibrationConfig | None = None,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Simulate, measure and compare; the same annotators at every strength."""
    config = config or CalibrationConfig()
    points, phrases = [], []
    total = len(config.strengths) * config.datasets
    done = 0
    for index in range(config.datasets):
        for manner in config.strengths:
            progress(f"Data set {done + 1} of {total}, planted strength {manner:g}", done / total)
            simulation = simulate(
                SimulationConfig(
                    task=config.task,
                    items=config.items,
                    annotators=config.annotators,
                    style=manner,
                    # The null is about style: labels must not tell annotators apart either.
                    label_bias=1.0 if manner > 0 else 0.0,
                    seed=config.seed * 100_003 + index,
                )
            )
            keys = {"manner": manner, "dataset": index}
            points += [{**keys, **row} for row in _measure(simulation.dataset, config, cache)]
            phrases += [{**keys, **row} for row in _recover(simulation)]
            done += 1
    progress("Done", 1.0)
    return Calibration(config, pd.DataFrame(points), pd.DataFrame(phrases))


def _measure(dataset: Dataset, config: CalibrationConfig, cache: Path | None) -> list[dict]:
    """The ladder of one data set."""
    corpus = build_corpus(dataset)
    settings = config.stability()
    setup = prepare_ladder(corpus, settings)
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b)
    representer = Representer(texts, Embedder(cache), seed=config.seed)
    rows = []
    with threadpool_limits(1):
        for rep in config.representations:
            for red in config.reductions:
                features = representer.features(rep, red)
                point = compute_point(setup, lambda features=features: features, (rep, red, ""))
                rows += point_rows(point, corpus.chance)
    wanted = ("representation", "reduction", "k", "accuracy", "low", "high", "chance", "p_value")
    return [{name: row[name] for name in wanted} for row in rows]


def _recover(simulation: Simulation) -> list[dict]:
    """Return each planted phrase with its expected z (from its rates) and its measured z."""
    planted = simulation.ground_truth
    if planted.empty:
        return []
    found = stability_phrases.distinctive_phrases(
        simulation.dataset, top=None, min_texts=2, without_input=False
    )
    z = found.set_index(["annotator_id", "phrase"])["z"]
    rows = []
    size = simulation.dataset.annotations["annotator_id"].value_counts()
    for row in planted.itertuples():
        n = int(size.get(row.annotator_id, 0))
        expected = expected_z(row.rate, row.rate_others, n, int(size.sum()) - n)
        value = float(z.get((row.annotator_id, row.phrase), np.nan))
        rows.append(
            {
                "annotator_id": row.annotator_id,
                "phrase": row.phrase,
                "rate": float(row.rate),
                "rate_others": float(row.rate_others),
                "expected_z": expected,
                "z": value,
                "detectable": bool(expected >= DETECTABLE_Z),
                "found": bool(value > stats.norm.ppf(0.975)),
            }
        )
    return rows


def expected_z(rate: float, others: float, n: int, n_others: int) -> float:
    """z of the log-odds that the expected counts give, with half a count added to each.

    The same large-sample form as Monroe et al. (2008), with a flat prior in place of the
    informative one.
    """
    counts = np.array([rate * n, (1 - rate) * n, others * n_others, (1 - others) * n_others]) + 0.5
    odds = np.log(counts[0] / counts[1]) - np.log(counts[2] / counts[3])
    return float(odds / np.sqrt((1 / counts).sum()))
