"""Input-content reduction."""

import numpy as np
import pytest
from scipy import sparse

from capo_core.text import reductions
from capo_core.text.tagging import TaggedToken
from capo_core.text.tokens import normalise, words


def test_mask_input_replaces_words_of_the_input_only():
    text = "the cat is not on the mat, so no"
    assert reductions.mask_input(text, ("A cat sat.", "on the mat")) == (
        "something something is not something something something, so no"
    )
    assert reductions.mask_input("don't know", ("I don’t", "")) == "something know"
    assert reductions.mask_input("nothing shared", ("", "")) == "nothing shared"


def test_random_mask_replaces_as_many_words():
    rng = np.random.default_rng(0)
    inputs = ("the cat sat", "on a mat")
    for text in ("the cat is not on the mat", "no idea", "mat mat mat", ""):
        masked = reductions.mask_input(text, inputs)
        for _ in range(5):
            random = reductions.random_mask(text, inputs, rng)
            assert len(words(random)) == len(words(text))
            assert words(random).count("something") == words(masked).count("something")


def test_style_only_keeps_closed_class_words_and_punctuation():
    text = reductions.style_only("the context doesn't mention elephants, but maybe it implies them")
    kept = set(words(text))
    assert "elephants" not in kept
    assert {"the", "doesn't", "but", "maybe", "it", "them"} <= kept
    assert "," in text


def linear(n_items=60, noise=0.0, seed=0):
    """Rows that are a linear function of their item's input, plus noise; two rows an item."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_items, 5)).astype(np.float32)
    item = np.repeat(np.arange(n_items), 2)
    weights = rng.normal(size=(5, 3))
    rows = inputs[item] @ weights + noise * rng.normal(size=(len(item), 3))
    return inputs, item, rows.astype(np.float32)


def test_residual_removes_what_the_input_predicts():
    inputs, item, rows = linear()
    train, test = np.flatnonzero(item < 45), np.flatnonzero(item >= 45)
    reduction = reductions.Residual(inputs, item, penalty=1e-6)
    left, right = reduction(rows[train], rows[test], train, test)
    assert np.abs(left).max() < 1e-2
    assert np.abs(right).max() < 1e-2
    shuffled = reductions.Residual(inputs, item, penalty=1e-6, shuffle_seed=0)
    assert np.abs(shuffled(rows[train], rows[test], train, test)[1]).max() > 1


def test_training_residuals_are_out_of_fold():
    """Pure noise: residuals of training rows must spread like those of test rows, not less."""
    inputs, item, rows = linear(n_items=30, noise=1.0)
    rows -= (inputs[item] @ np.linalg.lstsq(inputs[item], rows, rcond=None)[0]).astype(np.float32)
    wide = np.random.default_rng(1).normal(size=(30, 25)).astype(np.float32)  # can fit anything
    train, test = np.flatnonzero(item < 24), np.flatnonzero(item >= 24)
    left, _ = reductions.Residual(wide, item, penalty=1e-3)(rows[train], rows[test], train, test)
    # In-sample, 25 features on 24 item means would leave nothing of the means.
    means = left.reshape(-1, 2, 3).mean(axis=1)
    assert means.var() > 0.5 * rows[train].reshape(-1, 2, 3).mean(axis=1).var()


@pytest.mark.parametrize(("n", "e"), [(50, 8), (20, 40)], ids=["primal", "dual"])
def test_ridge_predict_equals_scikit_learn(n, e):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(n, e)), rng.normal(size=(n, 2)), rng.integers(1, 4, size=n)
    new = rng.normal(size=(7, e))
    expected = Ridge(alpha=2.5).fit(x, y, sample_weight=weight).predict(new)
    np.testing.assert_allclose(
        reductions.ridge_predict(x, y, weight.astype(float), new, 2.5), expected, atol=1e-8
    )


def test_subspace_removes_the_leading_direction():
    rng = np.random.default_rng(0)
    direction = np.array([3.0, 4, 0, 0, 0, 0, 0, 0]) / 5
    inputs = 10 * rng.normal(size=(50, 1)) * direction + 0.1 * rng.normal(size=(50, 8))
    found = reductions.Subspace(rank=1).directions(inputs, 8)
    assert abs(found[0] @ direction) == pytest.approx(1, abs=1e-3)
    rows = rng.normal(size=(20, 8))
    assert np.abs(reductions.project_out(rows, found) @ found.T).max() < 1e-6
    random = reductions.Subspace(rank=2, random_seed=1).directions(inputs, 8)
    np.testing.assert_allclose(random @ random.T, np.eye(2), atol=1e-6)
    assert abs(random[0] @ direction) < 0.99


def test_masked_words_are_those_of_the_text_as_written():
    text, inputs = " The dog isn’t Known (to the Man)... ", ("A man walks the dog", "")

    def masked(name, **options):
        found = reductions.masked_words(reductions.REDUCTIONS[name], text, inputs, **options)
        return [text[span.start : span.end] for span in found]

    assert masked("mask_input") == masked("mask_input", raw=True) == ["The", "dog", "the", "Man"]
    assert masked("style_only") == ["dog", "Man"]
    assert masked("none") == masked("residual") == masked("pos_noise") == []
    measured = normalise(text)
    tokens = [TaggedToken(4, 7, "NOUN"), TaggedToken(14, 19, "VERB"), TaggedToken(28, 31, "NOUN")]
    assert [measured[token.start : token.end] for token in tokens] == ["dog", "known", "man"]
    assert masked("pos_noise", tags={measured: tokens}) == ["dog", "Known", "Man"]
    assert masked("pos_noise", tags={measured: tokens}, raw=True) == []  # not tagged as typed


@pytest.mark.parametrize(
    "reduction",
    ["residual", "shuffled", "subspace", "random_subspace"],
)
def test_products_are_those_of_the_reduced_rows(reduction):
    """Sparse rows are reduced by way of their products: the same as of the dense rows."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 60)).astype(np.float32)
    item = np.sort(rng.integers(0, 40, size=90))
    rows = sparse.random(90, 120, 0.1, format="csr", random_state=1, dtype=np.float32)
    texts = sparse.random(50, 120, 0.1, format="csr", random_state=2, dtype=np.float32)
    train, test = np.flatnonzero(item < 30), np.flatnonzero(item >= 30)
    made = {
        "residual": reductions.Residual(inputs, item),
        "shuffled": reductions.Residual(inputs, item, shuffle_seed=3),
        "subspace": reductions.Subspace(rank=4),
        "random_subspace": reductions.Subspace(rank=4, random_seed=3),
    }[reduction]
    left, right = made(rows[train].toarray(), rows[test].toarray(), train, test, texts.toarray())
    kernel, cross = made.products(rows[train], rows[test], train, test, texts)
    np.testing.assert_allclose(kernel, left @ left.T, atol=1e-5)
    np.testing.assert_allclose(cross, right @ left.T, atol=1e-5)
    assert np.abs(left - rows[train]).max() > 0.01


def test_weights_from_products_predict_as_the_inputs_do(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 40)), rng.normal(size=(24, 3))
    weight = rng.integers(1, 5, size=24).astype(float)
    fit, new = np.arange(0, 24, 2), np.arange(24, 30)
    found = reductions.ridge_weights(x @ x.T, weight, fit, new, 10.0)
    expected = reductions.ridge_predict(x[fit], y[fit], weight[fit], x[new], 10.0)
    np.testing.assert_allclose(found @ y[fit], expected, atol=1e-9)
    # With the products of all inputs at once, or with those of a fold's.
    item = np.repeat(np.arange(30), 2)
    rows = rng.normal(size=(60, 3)).astype(np.float32)
    train, test = np.flatnonzero(item < 24), np.flatnonzero(item >= 24)
    for seed in (None, 5):
        made = []
        for few in (100, 0):
            monkeypatch.setattr(reductions, "_FEW_ITEMS", few)
            residual = reductions.Residual(x.astype(np.float32), item, shuffle_seed=seed)
            made.append(np.concatenate(residual(rows[train], rows[test], train, test)))
        np.testing.assert_allclose(*made, atol=1e-6)


def test_residuals_of_many_items_are_those_of_few():
    """With more items than features of the input, without weights for pairs of items."""
    inputs, item, rows = linear(n_items=30, noise=1.0)
    train, test = np.flatnonzero(item < 24), np.flatnonzero(item >= 24)
    wide = np.concatenate([inputs, np.zeros((30, 40), np.float32)], axis=1)  # the same inputs
    for few, many in zip(
        reductions.Residual(wide, item)(rows[train], rows[test], train, test),
        reductions.Residual(inputs, item)(rows[train], rows[test], train, test),
        strict=True,
    ):
        np.testing.assert_allclose(few, many, atol=1e-4)
