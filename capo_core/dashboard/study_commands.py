"""What is done on the page of a study, as commands; without Streamlit."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from capo_core.study.preference_pairs import Filter

_PROGRAM = ("python", "-m", "capo_core")


def train_on_pairs(
    study: str, dataset: str, targets: Iterable[str], chosen_by: Filter, mu: str = ""
) -> str:
    """Two lines: write the study's pairs into a file, and train CAPO on them.

    Args:
        targets: whom the pairs are of.
        mu: what is believed of μ, as `study_results.beliefs` reads it.
    """
    file = f"{study}-pairs.jsonl"
    pairs = ["study", "export-pairs", study, file, "--rule", chosen_by.rule]
    if chosen_by.rule == "quality":
        pairs += ["--confident", f"{chosen_by.confident:g}"]
    for belief in filter(None, ("".join(part.split()) for part in mu.split(","))):
        pairs += ["--mu", belief]
    train = ["train", "capo", "--dataset", dataset, "--annotator", *targets, "--preferences", file]
    return "\n".join(shlex.join([*_PROGRAM, *words]) for words in (pairs, train))
