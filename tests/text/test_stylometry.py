"""Style features: literal expectations on hand-made texts."""

import sys

import numpy as np
import pytest

from capo_core.errors import ConfigError
from capo_core.text import lexicons, stylometry
from capo_core.text.stylometry import FEATURES, FORMATTING
from capo_core.text.tokens import normalise, words


def row(text: str, a: str = "", b: str = "") -> dict[str, float]:
    return stylometry.features([normalise(text)], [(a, b)]).iloc[0].to_dict()


@pytest.mark.parametrize(
    ("text", "feature", "expected"),
    [
        # Of 5 words, "maybe" and "might" hedge: 2/5.
        ("Well, maybe it might rain.", "length_words", 5),
        ("Well, maybe it might rain.", "hedges", 40),
        ("Well, maybe it might rain.", "commas", 100),
        ("Well, maybe it might rain.", "semicolons", 0),
        ("It doesn't say; not here.", "contracted_negations", 20),
        ("It doesn't say; not here.", "full_negations", 20),
        ("It doesn't say; not here.", "contractions", 20),
        ("It doesnt say so.", "missing_apostrophes", 25),
        ("It doesn't say; not here.", "semicolons", 100),
        ('The "red" one.', "quotation", 100),
        ("Q1 asks, Q2 tells.", "names_a", 25),
        ("Q1 asks, Q2 tells.", "names_b", 25),
        ("We cannot know.", "opens_first_person", 100),
        ("It's not clear.", "opens_it", 100),
        ("True, because it is so.", "opens_verdict", 100),
        ("No info.", "opens_negation", 100),  # "no" is a verdict too: the first class counts
        ("No info.", "opens_verdict", 0),
        # The period between sentences is manner, the final one is not counted.
        ("It rains. He is wet.", "sentence_breaks", 1),
        ("It rains. He is wet", "sentence_breaks", 1),
        ("so so so what", "distinct_words", 50),
        # letters 2 + 3 + 7 over 3 words
        ("we see nothing", "mean_word_length", 4),
        ("we see nothing", "long_words", 100 / 3),
        # Vowel signs and marks belong to their letter: no word has seven letters, the longest five.
        ("विद्यार्थी हिन्दी", "long_words", 0),  # 10 and 6 code points
        ("विद्यार्थी हिन्दी", "mean_word_length", 4),  # 5 + 3
        ("हिन्दी", "length_characters", 3),
        ("কুকুরটি", "long_words", 0),  # 7 code points
        ("na\u00efvet\u00e9s r\u0300", "mean_word_length", 4.5),  # 8 + 1
        ("in 1984 or 12", "numbers", 50),
        ("a well-known man", "hyphenated", 100 / 3),
        ("maybe", "word_maybe", 100),
        ("it's", "word_it's", 100),
        ("its", "word_it's", 0),
    ],
)
def test_a_feature_counts_what_its_name_says(text, feature, expected):
    assert row(text)[feature] == pytest.approx(expected)


def test_overlap_counts_words_of_either_input():
    # Of 6 words: "the", "cat" stand in a; "the", "dog" in b; "chases" in neither and is no
    # function word; "and", "not" are function words.
    got = row("The cat chases and not dog", "the black cat", "The dog!")
    assert got["overlap_a"] == pytest.approx(100 * 2 / 6)
    assert got["overlap_b"] == pytest.approx(100 * 2 / 6)
    assert got["overlap_none"] == pytest.approx(100 * 1 / 6)


@pytest.mark.parametrize("text", ["", "   ", "...", "🙂🙂", "שלום עולם", "\x00", "'", "a" * 10_000])
def test_any_text_gives_finite_numbers(text):
    table = stylometry.features([text, normalise(text)], [("", ""), (text, text)])
    assert list(table.columns) == [feature.name for feature in FEATURES]
    assert np.isfinite(table.to_numpy()).all()
    assert (stylometry.features([""], [("a", "b")]).to_numpy() == 0).all()


def test_no_texts_give_an_empty_table_with_all_columns():
    assert stylometry.features([], []).shape == (0, len(FEATURES))
    assert stylometry.formatting_features([]).shape == (0, len(FORMATTING))


def test_an_input_is_needed_for_every_text():
    with pytest.raises(ConfigError, match="one input per text"):
        stylometry.features(["a"], [])


def test_a_text_has_the_same_features_alone_and_among_others():
    texts = ["it is so", "maybe, but no", "the dog. the cat", ""]
    inputs = [("so", ""), ("but no", "maybe"), ("dog", "cat"), ("x", "")]
    together = stylometry.features(texts, inputs).to_numpy()
    for number, (text, pair) in enumerate(zip(texts, inputs, strict=True)):
        alone = stylometry.features([text], [pair]).to_numpy()[0]
        np.testing.assert_array_equal(together[number], alone)


def test_normalised_text_hides_formatting_and_formatting_features_show_it():
    tidy, bare = "It is so.", "  it is so"
    a = stylometry.features([normalise(tidy), normalise(bare)], [("", "")] * 2).to_numpy()
    np.testing.assert_array_equal(a[0], a[1])
    table = stylometry.formatting_features([tidy, bare])
    assert table["final_period"].tolist() == [100, 0]
    assert table["capital_first"].tolist() == [100, 0]
    assert table["outer_space_before"].tolist() == [0, 100]


def test_every_feature_is_described_in_words_and_unknown_ones_are_refused():
    names = [feature.name for feature in (*FEATURES, *FORMATTING)]
    assert len(set(names)) == len(names)
    assert stylometry.describe("length_words") == "length, words"
    assert "maybe" in stylometry.describe("hedges")
    for name in names:
        assert "," in stylometry.describe(name)
    with pytest.raises(ConfigError, match="no style feature 'colour'"):
        stylometry.describe("colour")


def test_lexicons_hold_tokens_as_they_are_cut():
    for token in lexicons.STYLE_WORDS:
        assert words(token) == [token]
    assert {"maybe", "context", "not", "doesn't", "because", "q1"} <= lexicons.STYLE_WORDS
    assert not {"dog", "money", "government"} & lexicons.STYLE_WORDS
    assert lexicons.NEGATIONS <= lexicons.FUNCTION_WORDS <= lexicons.STYLE_WORDS


def test_work_grows_linearly():
    def calls(n: int) -> int:
        """Functions called for n texts: unlike seconds, the same on a busy machine."""
        texts = [f"it is not clear whether the number {i % 500} is so, but maybe" for i in range(n)]
        inputs = [(f"the number {i % 500}", "") for i in range(n)]
        made = 0

        def count(frame, event, argument):
            nonlocal made
            made += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            stylometry.features(texts, inputs)
        finally:
            sys.setprofile(None)
        return made

    calls(500)  # what is computed once is out of the way
    assert calls(4_000) < 10 * calls(500)  # a quadratic step would be called 64 times as often
