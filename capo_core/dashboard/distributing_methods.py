"""How the numbers of the page Distributions came about: the command, and words for a paper."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from capo_core.dashboard.distributing_looks import source_name
from capo_core.dashboard.distributing_words import called
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.judgments import CROWD
from capo_core.distributions.metrics import CLIP


def command(
    dataset: str,
    files: Sequence[str],
    config: CompareConfig,
    shown: Sequence[str] = (),
    runs: Sequence[str] = (),
) -> str:
    """The command that prints the same table; `runs` are the finished estimates in it."""
    words = ["python", "-m", "capo_core", "distributions", "compare"]
    words += data_options(dataset, files)
    for name in runs:
        words += ["--run", name]
    if config.against != CROWD:
        words += ["--against", config.against]
    if config.clip != CLIP:
        words += ["--clip", f"{config.clip:g}"]
    for name in shown:
        words += ["--source", name]
    return shlex.join(words)


def data_options(dataset: str, files: Sequence[str]) -> list[str]:
    """What names the data on the command line."""
    words = ["--dataset", dataset] if dataset else []
    for name in files:
        words += ["--file", f"{name}.json"]
    return words


def methods_paragraph(
    name: str, config: CompareConfig, table: pd.DataFrame, fingerprints: Mapping[str, str]
) -> str:
    """How the numbers came about, for a paper."""
    sizes = table.groupby("source", sort=False)["n"].first()
    n = f"{int(sizes.min()):,}" if sizes.nunique() == 1 else f"{sizes.min():,} to {sizes.max():,}"
    what = ", ".join(called(source) for source in sizes.index)
    prints = "; ".join(f"{key} {value[:16]}" for key, value in fingerprints.items())
    return (
        f"Label distributions of {what} were compared with {called(config.against)} on {n} items "
        f"of {name} ({prints}), item by item, and averaged: Kullback–Leibler divergence "
        f"KL({source_name(config.against)} ‖ source) in nats (shares clipped at {config.clip:g} "
        "and renormalised), Jensen–Shannon distance (square root, natural logarithm; Endres & "
        "Schindelin, 2003), total variation distance, Manhattan distance and, on ordinal scales, "
        "Wasserstein-1 in points of the scale; the correlation of entropies over items; and the "
        "distance correlation of the two [items × labels] tables (Székely et al., 2007). "
        f"Intervals are 95 %, by a Bayesian bootstrap over items (Rubin, 1981; {config.draws:,} "
        f"draws, seed {config.seed}); differences of two sources use the same draws. Items of one "
        "side only are left out and counted."
    )
