"""Measures that a library has, on random inputs; those not compared beside their own tests."""

import numpy as np
import pytest
from helpers.evaluation_tables import made_up_vectors
from scipy import stats
from scipy.special import softmax
from sklearn import metrics
from statsmodels.stats.proportion import confint_proportions_2indep

from capo_core.evaluation.measures.attribution import (
    NOBODY,
    confusion,
    item_mean,
    pooled_accuracy,
    pooled_probability,
)
from capo_core.evaluation.measures.diversity import self_similarity
from capo_core.evaluation.measures.explanations import embedding_similarity
from capo_core.evaluation.measures.labels import label_accuracy, label_error
from capo_core.evaluation.retention import token_surprisal
from capo_core.evaluation.streams import Stream
from capo_core.stats.bootstrap import difference
from capo_core.stats.significance import sign_flip
from capo_core.text.embeddings import Embedder
from capo_core.text.tokens import normalise

EMBEDDER = Embedder(encode=made_up_vectors)
LETTERS = "abcdefgh"


def stream(labels=(), texts=(), target="A") -> Stream:
    n = max(len(labels), len(texts))
    return Stream("m", target, "0", np.arange(n), tuple(labels or ("",) * n),
                  tuple(texts or ("",) * n))  # fmt: skip


def random_texts(rng, n: int) -> list[str]:
    return [" ".join(rng.choice(list(LETTERS), rng.integers(1, 9))) for _ in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_accuracy_and_error_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    true, said = (rng.integers(-5, 6, 60) for _ in range(2))
    made = stream([str(x) for x in said])
    own = [frozenset({str(x)}) for x in true]
    accuracy, error = label_accuracy(made, own), label_error(made, own)
    assert accuracy.value == pytest.approx(metrics.accuracy_score(true, said))
    assert error.value == pytest.approx(metrics.mean_absolute_error(true, said))
    # The standard error over items is that of a mean, but for n instead of n − 1.
    assert error.error == pytest.approx(stats.sem(np.abs(true - said), ddof=0))


@pytest.mark.parametrize("seed", range(3))
def test_cosines_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    said, true = random_texts(rng, 12), random_texts(rng, 12)
    vectors = [made_up_vectors([normalise(text) for text in texts]) for texts in (said, true)]
    table = metrics.pairwise.cosine_similarity(*vectors)
    found = embedding_similarity(stream(texts=said), [(text,) for text in true], EMBEDDER)
    assert found.value == pytest.approx(np.diag(table).mean(), abs=1e-6)
    own = metrics.pairwise.cosine_similarity(vectors[0])
    found = self_similarity(stream(texts=said), EMBEDDER, n_items=12)
    assert found.value == pytest.approx(own[np.triu_indices(12, 1)].mean(), abs=1e-6)


def test_confusion_equals_scikit_learn():
    rng = np.random.default_rng(0)
    names = ("A", "B", "C")
    scores = [rng.normal(size=(n, 3)) for n in (40, 25, 33)]
    streams = [stream(texts=["x"] * len(s), target=t) for s, t in zip(scores, names, strict=True)]
    table = confusion(streams, scores, names, "view")
    table = table.pivot(index="target", columns="attributed", values="share")
    true = np.repeat(names, [len(s) for s in scores])
    given = np.array(names)[np.concatenate(scores).argmax(axis=1)]
    expected = metrics.confusion_matrix(true, given, labels=names, normalize="true")
    np.testing.assert_allclose(table[list(names)], expected)
    assert (table[NOBODY] == 0).all()
    # The diagonal is recall, and what is called attribution of single texts.
    recall = metrics.recall_score(true, given, labels=names, average=None)
    for number, (made, score) in enumerate(zip(streams, scores, strict=True)):
        share = pooled_accuracy(score, made.item, number, 1, n_items=len(made))
        assert share.value == pytest.approx(recall[number])


def test_probabilities_equal_the_log_loss_of_scikit_learn():
    """The mean probability of the target by its logarithm, response by response."""
    scores = np.random.default_rng(1).normal(size=(30, 4))
    chances = softmax(1.7 * scores, axis=1)
    logs = [
        np.log(pooled_probability(scores[[i]], np.arange(1), 2, 1, 1.7, n_items=1).value)
        for i in range(30)
    ]
    expected = metrics.log_loss(np.full(30, 2), chances, labels=range(4))
    assert -np.mean(logs) == pytest.approx(expected)


def test_perplexity_is_two_to_the_cross_entropy_of_scipy():
    """Of a unigram model, on text drawn from something else."""
    rng = np.random.default_rng(2)
    model, truth = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    tokens = rng.choice(6, size=(500, 8), p=truth)
    found = token_surprisal(np.log(model)[tokens].sum(axis=1), np.full(500, 8), np.arange(500), 500)
    shares = np.bincount(tokens.ravel(), minlength=6) / tokens.size
    bits = stats.entropy(shares, base=2) + stats.entropy(shares, model, base=2)
    assert np.exp(found.value) == pytest.approx(2**bits)


@pytest.mark.parametrize(("one", "other"), [(20, 0), (20, 13), (0, 4)])
def test_saturated_differences_have_the_interval_of_statsmodels(one, other):
    def share(count):
        return item_mean((np.arange(20) < count).astype(float), np.arange(20), n_items=20)

    found = difference(share(one), share(other)).estimate()
    low, high = confint_proportions_2indep(one, 20, other, 20, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_sign_flips_of_shares_agree_with_mcnemar():
    """Paired yes and no: the sign test over the items that differ, which is McNemar's exact one."""
    from statsmodels.stats.contingency_tables import mcnemar

    one, other = np.array([1] * 9 + [0] * 3 + [1] * 20), np.array([0] * 9 + [1] * 3 + [1] * 20)
    table = [[20, 9], [3, 0]]
    found = sign_flip((one - other) / len(one))
    assert found == pytest.approx(mcnemar(table, exact=True).pvalue)
