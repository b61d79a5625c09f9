"""Texts as numbers: nothing is lost, and input words are those that are greyed in the browser."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capo_core.text.tokens import in_input, input_spans, tokenize, tokens

texts = st.lists(st.text(max_size=40), max_size=8)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_the_tokens_of_every_text_come_back(given_texts):
    corpus = tokenize(given_texts)
    for number, text in enumerate(given_texts):
        ids = corpus.ids[corpus.starts[number] : corpus.starts[number + 1]]
        assert [corpus.vocabulary[k] for k in ids] == tokens(text)
    assert corpus.n_texts == len(given_texts)
    assert len(set(corpus.vocabulary)) == len(corpus.vocabulary)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.text("ab c'.,D-", max_size=20)] * 3), max_size=6))
def test_input_words_are_those_of_input_spans(rows):
    corpus = tokenize([text for text, _, _ in rows])
    found = corpus.count_marked(in_input(corpus, [f"{a}\n{b}" for _, a, b in rows]))
    assert found.tolist() == [len(input_spans(text, a, b)) for text, a, b in rows]


def test_counts_by_flag():
    corpus = tokenize(["a b a", "", "c a"])
    np.testing.assert_array_equal(corpus.count(corpus.flag(["a", "z"])), [2, 0, 1])
