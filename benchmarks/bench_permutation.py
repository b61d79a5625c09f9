"""Our permutation null against scikit-learn's `permutation_test_score`, same statistic, one run.

Both compute the accuracy of `RidgeClassifier` in 5-fold cross-validation, folds fixed and grouped
by item, for annotators shuffled within items. scikit-learn is given few permutations, since it
refits for each; times are per permutation. Embeddings are replaced by random vectors of the same
size (384), which costs the same.
"""

import time
import warnings

import numpy as np
from measuring import report
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import PredefinedSplit, permutation_test_score
from threadpoolctl import threadpool_limits

from capo_core.stability import attribution
from capo_core.stability.corpus import ExplanationCorpus, partition
from capo_core.stability.permutation import permutation_null, shuffles
from capo_core.text.representations import DenseFeatures

ITEMS, ANNOTATORS, DIMENSIONS = 480, 4, 384
OURS, THEIRS = 1000, 20


def corpus() -> ExplanationCorpus:
    """A complete design of VariErr's size."""
    item, annotator = (a.ravel() for a in np.mgrid[0:ITEMS, 0:ANNOTATORS])
    empty = [""] * ITEMS
    return ExplanationCorpus(
        np.arange(len(item)).astype(str).astype(object), [""] * len(item), item, item, annotator,
        np.zeros_like(item), tuple("ABCD"), ("x",), np.zeros(1), tuple(map(str, range(ITEMS))),
        empty, empty,
    )  # fmt: skip


def main() -> None:
    data = corpus()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(len(data), DIMENSIONS)).astype(np.float32) / np.sqrt(DIMENSIONS)
    part = partition(data, folds=5, groupings=1, seed=0)
    moves = shuffles(data.item, OURS, seed=0)
    with threadpool_limits(1):
        start = time.perf_counter()
        made = [attribution.operators(DenseFeatures(x), part)]
        null = permutation_null(made, data, [part], (1,), moves)
        ours = (time.perf_counter() - start) / OURS
        # The folds are fixed; `groups` only says within what authors are shuffled.
        warnings.filterwarnings("ignore", "The groups parameter is ignored by PredefinedSplit")
        start = time.perf_counter()
        _score, theirs_null, _p = permutation_test_score(
            RidgeClassifier(alpha=1.0), x, data.annotator, groups=data.item,
            cv=PredefinedSplit(part.fold), n_permutations=THEIRS, scoring="accuracy",
        )  # fmt: skip
        theirs = (time.perf_counter() - start) / (THEIRS + 1)
    report(
        {
            "statistic": "accuracy of RidgeClassifier(alpha=1), 5 folds grouped by item",
            "rows": len(data),
            "ours_ms_per_permutation": round(1000 * ours, 3),
            "scikit_learn_ms_per_permutation": round(1000 * theirs, 2),
            "times_faster": round(theirs / ours, 1),
            "null_mean_ours": round(float(null.values.mean()), 4),
            "null_mean_scikit_learn": round(float(theirs_null.mean()), 4),
        }
    )


if __name__ == "__main__":
    main()
