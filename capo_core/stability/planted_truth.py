"""Runs the measures of this package on simulated data sets whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from capo_core.data.simulate import Simulation, SimulationConfig, simulate
from capo_core.dataset import Dataset
from capo_core.progress import Progress, silent
from capo_core.stability import distinctive
from capo_core.stability.bench import set_up
from capo_core.stability.calibration import Calibration, CalibrationConfig
from capo_core.stability.corpus import build_corpus
from capo_core.stability.ladder import rows_of
from capo_core.stability.rung import climb
from capo_core.text.embed import Embedder
from capo_core.text.represent import Representer, Texts

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
                    manner=manner,
                    # The null is about manner: labels must not tell annotators apart either.
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
    bench = set_up(corpus, settings)
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b)
    representer = Representer(texts, Embedder(cache), seed=config.seed)
    rows = []
    with threadpool_limits(1):
        for rep in config.representations:
            for red in config.reductions:
                features = representer.features(rep, red)
                rung = climb(bench, lambda features=features: features, (rep, red, ""))
                rows += rows_of(rung, corpus.chance)
    wanted = ("representation", "reduction", "k", "accuracy", "low", "high", "chance", "p_value")
    return [{name: row[name] for name in wanted} for row in rows]


def _recover(simulation: Simulation) -> list[dict]:
    """Each planted phrase with the z that its rates lead to expect, and the z that was found."""
    planted = simulation.planted
    if planted.empty:
        return []
    found = distinctive.phrases(simulation.dataset, top=None, min_texts=2, without_input=False)
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
