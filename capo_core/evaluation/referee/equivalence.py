"""Equivalence of imitations and the annotators they imitate, within a margin fixed beforehand.

Every share whose aim is the human's own value (attribution, likelihood, LLM judge, label
consistency) is tested by two one-sided tests of method minus human, paired by item
(`stats.equivalence`); labels by Krippendorff's α of all annotators, with the imitation in one's
place. Over annotators a method is equivalent where it is for each whom all methods imitate (an
intersection-union test: the largest p-value, Berger 1982), so that too much for one and too little
for another do not cancel. p-values are adjusted over methods by Holm.

Nothing is tested where the annotator's own value is no further than the margin from the floor
(another annotator's texts, shuffled explanations, labels at random): whatever is written would be
equivalent there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.labels import own_labels
from capo_core.evaluation.measures.registry import LIKE_HUMAN, find_measure
from capo_core.evaluation.referee.answers import of_methods
from capo_core.evaluation.streams import HUMAN, Stream
from capo_core.evaluation.table import ALL, Key
from capo_core.stats.bootstrap import AnyScore, Score, difference
from capo_core.stats.equivalence import (
    DIFFERENT,
    EquivalenceTest,
    alpha_substitution,
    insensitive,
    tost_of,
    verdict_of,
)
from capo_core.stats.significance import holm

ALPHA = "alpha of the group"  # the measure of labels: α of all annotators, one of them replaced
COLUMNS = ("source", "target", "measure", "k", "method", "human", "value", "low", "high", "margin",
           "n", "p", "p_holm", "verdict", "note")  # fmt: skip


def equivalence_table(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    outputs: Sequence[Stream],
    parts: Mapping[Key, AnyScore],
    *,
    margin: float,
    alpha_margin: float,
    labels: bool,
    common: Sequence[str],
    seed: int = 0,
) -> pd.DataFrame:
    """Return the equivalence tests: COLUMNS, one row a source, target (or `ALL`), measure and k.

    `value` is `method` minus `human` with its 90 % interval. The row `ALL` shows the annotator, of
    `common`, for whom it is furthest from equivalent, named in `note`.

    Args:
        parts: of `table.Evaluation`.
        margin: of shares and probabilities. alpha_margin: of α.
        labels: whether labels are tested.
        common: annotators whom every method imitates, over whom the rows `ALL` are; without any
            there are none.
    """
    rows: list[list] = []
    methods = of_methods(outputs)
    for source, name, k in dict.fromkeys(
        (s, m, k) for s, t, m, k in parts if s in methods and t != ALL
    ):
        found = {}
        for target in dataset.annotators:
            own = parts.get((source, target, name, k))
            human = parts.get((HUMAN, target, name, k))
            if own is None or human is None or not _comparable(name, own):
                continue
            test = tost_of(difference(own, human), margin)
            floor = parts.get((find_measure(name).of.floor_source, target, name, k))
            if floor is not None and abs(human.value - floor.value) <= margin:
                test = insensitive(test)
            found[target] = (own.value, human.value, test)
        rows += _rows(source, name, k, found, common)
    if labels:
        rows += _alpha_rows(dataset, item_ids, methods, alpha_margin, common, seed)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if table.empty:
        return table
    table["p_holm"] = table.groupby(["target", "measure", "k"], sort=False)["p"].transform(
        lambda column: holm(column.to_numpy(dtype=float))
    )
    table["verdict"] = [
        verdict_of(row.p_holm, row.low, row.high, row.margin) for row in table.itertuples()
    ]
    return table


def _comparable(name: str, score: AnyScore) -> bool:
    about = find_measure(name)
    # Shares over the whole range from 0 to 1: of self-overlap or near-duplicates, which are near 0
    # for everybody, a margin of ten points is wider than any difference.
    if not (about.of.attribution or about.family == "consistency"):
        return False
    return isinstance(score, Score) and score.bounds == (0.0, 1.0) and about.better == LIKE_HUMAN


def _rows(
    source: str,
    name: str,
    k: int,
    found: Mapping[str, tuple[float, float, EquivalenceTest]],
    common: Sequence[str],
) -> list[list]:
    """Return one row a target, and the one over all of them."""
    rows = [
        [source, target, name, k, method, human, test.value, test.low, test.high, test.margin,
         test.n, test.p, math.nan, "", test.note]
        for target, (method, human, test) in found.items()
    ]  # fmt: skip
    if not common or not set(common) <= set(found):
        return rows
    # The furthest from equivalent: different (one is enough), without a test, else with the largest
    # p-value and difference.
    worst = max(
        common,
        key=lambda target: (
            found[target][2].verdict == DIFFERENT, math.isnan(found[target][2].p),
            found[target][2].p, abs(found[target][2].value),
        ),
    )  # fmt: skip
    row = list(rows[list(found).index(worst)])
    row[1] = ALL
    row[-1] = f"annotator {worst}" + (f": {row[-1]}" if row[-1] else "")
    return [*rows, row]


def _alpha_rows(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    methods: Mapping[str, Mapping[str, Sequence[Stream]]],
    margin: float,
    common: Sequence[str],
    seed: int,
) -> list[list]:
    scale = dataset.task.scale
    number = {label: n for n, label in enumerate(scale.labels)}
    shape = (len(item_ids), len(dataset.annotators), len(number))
    people = np.zeros(shape)
    for column, annotator in enumerate(dataset.annotators):
        for item, given in enumerate(own_labels(dataset, item_ids, annotator)):
            for label in given:
                people[item, column, number[label]] = 1 / len(given)
    rows = []
    for source, by_target in methods.items():
        found = {}
        for place, target in enumerate(dataset.annotators):
            answers = []
            for stream in by_target.get(target, ()):
                table = np.zeros((shape[0], shape[2]))
                for item, label in zip(stream.item, stream.labels, strict=True):
                    if label:
                        table[item, number[label]] = 1.0
                answers.append(table)
            if answers:
                tested = alpha_substitution(
                    people, place, answers, scale.ordinal, margin, seed=seed
                )
                found[target] = (tested.replaced, tested.people, tested.test)
        rows += _rows(source, ALPHA, 0, found, common)
    return rows
