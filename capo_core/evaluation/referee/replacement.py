"""Alternative annotator test of imitations, for labels and for explanations.

The imitation of annotator a stands in for a: on each item that a answered, does it resemble the
other annotators' answers as well as a's own does? (For a method that answers alike for everybody
this is the published test, see `stats.alternative_annotator`; for imitations the model that is
compared with a is the one in a's place.) An answer that could not be read loses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.referee.answers import Similarity, by_item, of_methods
from capo_core.evaluation.streams import Stream
from capo_core.evaluation.table import ALL
from capo_core.formatting import count
from capo_core.stats.alternative_annotator import (
    LEVEL,
    MIN_ITEMS,
    Advantage,
    AlternativeAnnotatorTest,
    advantage,
    alternative_annotator_test,
)
from capo_core.stats.bootstrap import Score, mean

COLUMNS = ("similarity", "source", "target", "advantage", "low", "high", "person", "n", "p", "p_by",
           "verdict", "won", "tested", "note")  # fmt: skip
STANDS_IN, NOT_SHOWN, UNTESTED = "stands in", "not shown", "not tested"  # of one annotator
PASSED, NOT_PASSED = "passed", "not passed"  # over two or more annotators who were tested


def replacement_table(
    dataset: Dataset,
    outputs: Sequence[Stream],
    similarities: Sequence[Similarity],
    epsilon: float,
    n_items: int,
    common: Sequence[str],
) -> pd.DataFrame:
    """Return the test of each method: COLUMNS, one row a similarity, source and target (or `ALL`).

    `advantage` is the advantage probability (of `ALL`: ρ), `person` the annotator's own; `p_by` is
    adjusted over annotators. `won` and `tested` count annotators. Where one annotator was tested,
    the verdict over all is that one's, and no test is passed.

    Args:
        common: annotators whom every method imitates, over whom the rows `ALL` are; without any
            there are none.
    """
    rows = []
    for similarity in similarities:
        for source, by_target in of_methods(outputs).items():
            targets = [a for a in dataset.annotators if a in by_target]
            found = [_comparison(dataset, similarity, by_target[a], a) for a in targets]
            rows += _rows(similarity.name, source, targets, found, epsilon, n_items, common)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _comparison(
    dataset: Dataset, similarity: Similarity, streams: Sequence[Stream], target: str
) -> tuple[Advantage, np.ndarray]:
    """Return the comparison with one annotator, and its items."""
    answers = [by_item(stream, similarity.of(stream)) for stream in streams]
    model, person, items = [], [], []
    for item, own in enumerate(similarity.people[target]):
        others = [similarity.people[a][item] for a in dataset.annotators if a != target]
        others = [other for other in others if other]
        if not own or not others or not all(item in each for each in answers):
            continue
        person.append(similarity.score(own[0], others))
        model.append(
            [similarity.score(each[item], others) if each[item].strip() else -math.inf
             for each in answers]
        )  # fmt: skip
        items.append(item)
    table = np.array(model, dtype=float).reshape(len(items), len(answers)).T
    return advantage(table, np.array(person, dtype=float)), np.array(items, dtype=int)


def _rows(
    name: str,
    source: str,
    targets: Sequence[str],
    found: Sequence[tuple[Advantage, np.ndarray]],
    epsilon: float,
    n_items: int,
    common: Sequence[str],
) -> list[tuple]:
    test = alternative_annotator_test([one for one, _ in found], epsilon)
    rows, scores = [], {}
    for target, (one, items), p, adjusted in zip(
        targets, found, test.p, test.adjusted, strict=True
    ):
        value, low, high, person = (math.nan,) * 4
        if one.n:
            score = item_mean(one.model, items, n_items=n_items)
            scores[target] = score
            shown, person = score.estimate(), float(one.person.mean())
            value, low, high = shown.value, shown.low, shown.high
        tested = math.isfinite(p)
        verdict = (STANDS_IN if adjusted <= LEVEL else NOT_SHOWN) if tested else UNTESTED
        note = "" if tested else f"{count(one.n, 'item')}; the test needs {MIN_ITEMS}"
        rows.append((name, source, target, value, low, high, person, one.n, p, adjusted, verdict,
                     int(verdict == STANDS_IN), int(tested), note))  # fmt: skip
    if not common:
        return rows
    places = [place for place, target in enumerate(targets) if target in common]
    both = replace(test, p=test.p[places], adjusted=test.adjusted[places])
    rows.append((name, source, ALL, *_overall([scores[t] for t in common if t in scores]),
                 math.nan, math.nan, _verdict(both), both.won, both.tested,
                 _note([targets[place] for place in places if math.isfinite(test.p[place])],
                       len(places))))  # fmt: skip
    return rows


def _overall(scores: Sequence[Score]) -> tuple[float, float, float, float, int]:
    if not scores:
        return math.nan, math.nan, math.nan, math.nan, 0
    shown = mean(list(scores)).estimate()
    return shown.value, shown.low, shown.high, math.nan, shown.n


def _verdict(test: AlternativeAnnotatorTest) -> str:
    if test.tested < 2:
        return (STANDS_IN if test.won else NOT_SHOWN) if test.tested else UNTESTED
    return PASSED if test.passed else NOT_PASSED


def _note(tested: Sequence[str], imitated: int) -> str:
    """Return what the number of annotators who were tested makes of a verdict over all."""
    if not tested:
        return f"no annotator has {MIN_ITEMS} items that others answered too"
    if len(tested) > 2:
        return ""
    of = f" of {imitated}" if imitated > len(tested) else ""
    if len(tested) == 2:
        return f"2{of} annotators tested, one decides"
    return f"1{of} annotator{'s' if of else ''} tested: {tested[0]}"


def overall(table: pd.DataFrame) -> Mapping[tuple[str, str], pd.Series]:
    """Return (similarity, source) → its row over all annotators."""
    return {
        (row["similarity"], row["source"]): row
        for _, row in table[table["target"] == ALL].iterrows()
    }
