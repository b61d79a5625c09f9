"""Does the imitation of an annotator predict that annotator better than any other annotator does?

For annotator a, item i and similarity S to a's own answer, the imitation is compared with each
other annotator b on the items that both a and b answered:

    gain_b = mean_i [S(imitation, a) − S(b, a)]

by a sign-flip test over items. "Better than the best other annotator" is the intersection of
"better than b" over all b, so its p-value is the largest of the one-sided ones (an
intersection-union test, Berger 1982), and no b has to be chosen beforehand. "Worse than the best
other" is their union: the smallest, times the number of others (Bonferroni); the b shown is then
the one of that p-value, else the one who predicts a best. Those who have fewer than `FEWEST` items
in common with a are left out where others have more. The two are adjusted over annotators by
Benjamini & Yekutieli (2001).

By likelihood, S is the calibrated probability that a wrote the text, under all annotators' adapters
(`evaluation.likelihood`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from capo_core.dataset import Dataset
from capo_core.evaluation.measures.attribution import item_mean
from capo_core.evaluation.referee.answers import LIKELIHOOD, Similarity, by_item, of_methods
from capo_core.evaluation.streams import HUMAN, OTHER, Stream
from capo_core.evaluation.table import ALL
from capo_core.formatting import name_list
from capo_core.stats.alternative_annotator import LEVEL
from capo_core.stats.bootstrap import Score, ScoreDifference, difference, mean
from capo_core.stats.power import detectable
from capo_core.stats.significance import FEWEST, benjamini_yekutieli, sign_flip

COLUMNS = ("similarity", "source", "target", "against", "method", "person", "value", "low",
           "high", "n", "p", "p_by", "verdict", "detectable", "better", "tested",
           "note")  # fmt: skip
FEW_IN_COMMON = f"left out, with fewer than {FEWEST} items in common"
BETTER, WORSE, UNDECIDED = "better", "worse", "undecided"
_ANYWHERE = (-math.inf, math.inf)
Values = Mapping[int, float]  # item → similarity to the target's answer


def personal_table(
    dataset: Dataset,
    outputs: Sequence[Stream],
    similarities: Sequence[Similarity],
    n_items: int,
    common: Sequence[str],
    *,
    likelihoods: Sequence[tuple[Stream, np.ndarray]] = (),
    same_training: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the comparison with other annotators: COLUMNS, one row a similarity, source and target
    (or `ALL`).

    `against` is the other annotator who predicts the target best, or of "worse" the one by whom
    that is decided; `method` and `person` are the mean similarity of the imitation and of this one
    to the target's answers, `value` their difference on common items with its 95 % interval, `n`
    these items. Over annotators, `value` is the mean of these.

    Args:
        common: annotators whom every method imitates, over whom the rows `ALL` are; without any
            there are none.
        likelihoods: streams of methods and people with their scores under the annotators' adapters
            [n, C] (see `likelihood.AuthorScores`).
        same_training: methods that these adapters wrote themselves, which is noted.
    """
    rows = []
    for similarity in similarities:
        for source, by_target in of_methods(outputs).items():
            targets = [a for a in dataset.annotators if a in by_target]
            found = [_by_similarity(dataset, similarity, by_target[a], a) for a in targets]
            rows += _rows(similarity.name, source, targets, found, n_items, common)
    if likelihoods:
        people, methods = _by_likelihood(dataset, likelihoods)
        for source, by_target in methods.items():
            targets = [a for a in dataset.annotators if a in by_target]
            found = [(by_target[a], people.get(a, {})) for a in targets]
            own = source in same_training
            note = "its own adapters judge: they are partial to it" if own else ""
            rows += _rows(LIKELIHOOD, source, targets, found, n_items, common, note=note)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _by_similarity(
    dataset: Dataset, similarity: Similarity, streams: Sequence[Stream], target: str
) -> tuple[list[Values], dict[str, Values]]:
    """Return similarities to the target's answers: of each repetition, and of each other person."""
    own = similarity.people[target]

    def values(answers: Mapping[int, str]) -> Values:
        return {
            item: similarity.score(answer, [own[item]])
            for item, answer in answers.items()
            if own[item]
        }

    others = {
        a: values({i: given[0] for i, given in enumerate(similarity.people[a]) if given})
        for a in dataset.annotators
        if a != target
    }
    return [values(by_item(stream, similarity.of(stream))) for stream in streams], others


def _by_likelihood(
    dataset: Dataset, likelihoods: Sequence[tuple[Stream, np.ndarray]]
) -> tuple[dict[str, dict[str, Values]], dict[str, dict[str, list[Values]]]]:
    """Return target → other annotator → values, and source → target → values of repetitions."""
    people: dict[str, dict[str, Values]] = {}
    methods: dict[str, dict[str, list[Values]]] = {}
    for stream, scores in likelihoods:
        if stream.source == HUMAN or not len(stream):
            continue
        column = dataset.annotators.index(stream.target)
        chance = softmax(scores, axis=1)[:, column]
        chance[~np.abs(scores).any(axis=1)] = 0.0
        values = dict(zip(stream.item.tolist(), chance.tolist(), strict=True))
        if stream.source == OTHER:
            people.setdefault(stream.target, {})[stream.replicate] = values
        else:
            methods.setdefault(stream.source, {}).setdefault(stream.target, []).append(values)
    return people, methods


def _rows(
    name: str,
    source: str,
    targets: Sequence[str],
    found: Sequence[tuple[Sequence[Values], Mapping[str, Values]]],
    n_items: int,
    common: Sequence[str],
    *,
    note: str = "",
) -> list[tuple]:
    compared = [
        {b: pair for b, values in others.items() if (pair := _gain(own, values, n_items))}
        for own, others in found
    ]
    few = [_too_few(gains) for gains in compared]
    compared = [
        {b: apart for b, apart in gains.items() if b not in left_out}
        for gains, left_out in zip(compared, few, strict=True)
    ]
    p = np.array([_p_values(gains) for gains in compared], dtype=float).reshape(len(targets), 2)
    both = np.minimum(1.0, 2 * p.min(axis=1)) if len(p) else np.zeros(0)
    adjusted = benjamini_yekutieli(both)
    rows, nearest = [], {}
    for target, gains, left_out, sides, single, after in zip(
        targets, compared, few, p, both, adjusted, strict=True
    ):
        if not gains:
            why = "no other annotator answered an item that this one did"
            rows.append((name, source, target, "", *(math.nan,) * 5, 0, math.nan, math.nan,
                         UNDECIDED, math.nan, 0, 0, why))  # fmt: skip
            continue
        best, verdict = min(gains, key=lambda b: gains[b].value), UNDECIDED
        if after <= LEVEL and gains[best].items >= FEWEST:
            verdict = BETTER if sides[0] < sides[1] else WORSE
        if verdict == WORSE:
            best = _surest_above(gains)
        apart = gains[best]
        nearest[target] = apart
        shown = apart.estimate()
        said = (note, f"{FEW_IN_COMMON}: {name_list(left_out)}" if left_out else "")
        rows.append((name, source, target, best, *(side.value for side in apart.sides), shown.value,
                     shown.low, shown.high, apart.items, single, after, verdict,
                     detectable(apart, comparisons=len(targets)), int(verdict == BETTER), 1,
                     "; ".join(filter(None, said))))  # fmt: skip
    if common:
        of_common = [row for row in rows if row[2] in common]
        gains = [nearest[target] for target in common if target in nearest]
        rows.append(_overall(name, source, of_common, gains, note))
    return rows


def _gain(own: Sequence[Values], other: Values, n_items: int) -> ScoreDifference | None:
    """Return imitation minus other on the items that both have; None without any."""
    items = [item for item in other if all(item in each for each in own)]
    if not items:
        return None
    place = np.array(items)
    columns = [np.array([values[i] for i in items], dtype=float) for values in (*own, other)]
    hits = all(np.isin(column, (0.0, 1.0)).all() for column in columns)
    bounds = (0.0, 1.0) if hits else _ANYWHERE
    sides = [
        item_mean(column, place, n_items=n_items, share=hits, bounds=bounds) for column in columns
    ]
    return difference(mean(sides[:-1], repeated=True), sides[-1])


def _too_few(gains: Mapping[str, ScoreDifference]) -> list[str]:
    """Return the others on whose items nothing can be significant, if there are any with more."""
    few = [b for b, apart in gains.items() if apart.items < FEWEST]
    return few if len(few) < len(gains) else []


def _surest_above(gains: Mapping[str, ScoreDifference]) -> str:
    """Return the other annotator with the smallest p-value of a worse imitation; of equal ones the
    one who predicts best."""
    return max(gains, key=lambda b: (_p_above(gains[b]), -gains[b].value))


def _p_above(apart: ScoreDifference) -> float:
    """Return the one-sided p-value of an imitation that is better than one other annotator."""
    two_sided = sign_flip(apart.contributions)
    return two_sided / 2 if apart.value > 0 else 1 - two_sided / 2


def _p_values(gains: Mapping[str, ScoreDifference]) -> tuple[float, float]:
    """Return the one-sided p-values of better than all others, and of worse than one of them."""
    if not gains:
        return math.nan, math.nan
    above = [_p_above(apart) for apart in gains.values()]
    below = min(1.0, len(above) * min(1 - p for p in above))
    return max(above), below


def _overall(
    name: str, source: str, rows: Sequence[tuple], nearest: Sequence[Score], note: str
) -> tuple:
    better, tested = (sum(row[i] for row in rows) for i in (-3, -2))
    if not nearest:
        return (name, source, ALL, "", *(math.nan,) * 5, 0, math.nan, math.nan, UNDECIDED, math.nan,
                0, 0, "no annotator could be compared")  # fmt: skip
    sides = [float(np.mean([apart.sides[n].value for apart in nearest])) for n in (0, 1)]
    shown = mean(list(nearest)).estimate()
    worse = sum(row[12] == WORSE for row in rows)
    verdict = BETTER if better == tested else WORSE if worse == tested else UNDECIDED
    return (name, source, ALL, "", *sides, shown.value, shown.low, shown.high, shown.n, math.nan,
            math.nan, verdict, math.nan, better, tested, note)  # fmt: skip
