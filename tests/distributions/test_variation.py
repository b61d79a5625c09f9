"""Likeness of explanations: by hand, over pairs of one item only, with the tagger named."""

import math

import numpy as np
import pytest
from helpers.distribution_sources import judgments, published, source

from capo_core.distributions.files import read_judgments
from capo_core.distributions.variation import (
    VariationConfig,
    ngrams,
    overlap,
    share_found,
    variation,
)
from capo_core.errors import ConfigError, DataError

PLAIN = VariationConfig(semantic=False, tagger="textblob", draws=100)


def said(*texts, item="i0", who="humans"):
    return [(item, who, k, "neutral", text) for k, text in enumerate(texts)]


def made(*rows):
    items = sorted({row[0] for row in rows})
    return judgments(source("crowd", [[1, 0, 0]] * len(items), items=items), said=list(rows))


def table(found):
    return found.table.set_index(["source", "measure", "ngram"])


def test_overlap_by_hand():
    one, other = ["the", "dog", ",", "the"], ["the", "cat"]
    # Unigrams: one "the" of the other matches once on both sides: 2 · 1 / (4 + 2).
    assert overlap(ngrams(one, 1), ngrams(other, 1)) == pytest.approx(1 / 3)
    # Bigrams: none in common; trigrams: the other has none, the first has two.
    assert overlap(ngrams(one, 2), ngrams(other, 2)) == 0
    assert overlap(ngrams(one, 3), ngrams(other, 3)) == 0
    assert math.isnan(overlap(ngrams(other, 3), ngrams(other, 4)))
    assert overlap(ngrams(one, 2), ngrams(one, 2)) == 1


def test_case_does_not_count_and_punctuation_does():
    rows = table(variation(made(*said("It is so.", "it IS so!")), PLAIN))
    # Tokens: it is so . against it is so ! : 2 · 3 / 8.
    assert rows.at[("humans", "lexical", 1), "value"] == pytest.approx(0.75)


def test_the_mean_is_over_pairs_of_one_item_then_over_items():
    same = said("a b", "a b", item="i0")
    mixed = said("a b", "a b", "x y", item="i1")
    alone = said("a b", item="i2")
    rows = table(variation(made(*same, *mixed, *alone), PLAIN))
    # i0: 1; i1: pairs 1, 0, 0; i2 has no pair and does not count.
    assert rows.at[("humans", "lexical", 1), "value"] == pytest.approx((1 + 1 / 3) / 2)
    assert rows.at[("humans", "lexical", 1), "n"] == 2
    assert rows.at[("humans", "lexical", 1), "pairs"] == 4


def test_between_sources_each_is_paired_with_each():
    rows = said("a b", "x y") + said("a b", who="model")
    found = table(variation(made(*rows), PLAIN))
    assert found.at[("humans × model", "lexical", 1), "value"] == pytest.approx(0.5)
    assert ("model", "lexical", 1) not in found.index  # one explanation makes no pair


def test_a_single_item_has_no_interval():
    """Finding: its interval had no width, as if the value were certain."""
    row = table(variation(made(*said("a b", "a c")), PLAIN)).loc[("humans", "lexical", 1)]
    assert (row["value"], row["n"]) == (0.5, 1)
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_too_short_for_an_n_gram_is_undefined_and_said():
    found = variation(made(*said("a b", "c d")), PLAIN)
    row = table(found).loc[("humans", "lexical", 3)]
    assert np.isnan(row["value"]) and row["n"] == 0


def test_meaning_by_angle_and_distance():
    vectors = {"p": [1.0, 0.0], "q": [0.0, 1.0]}
    found = variation(
        made(*said("p", "q")),
        VariationConfig(tagger="textblob", draws=100),
        embed=lambda texts, progress: np.array([vectors[text] for text in texts]),
    )
    rows = table(found)
    assert rows.at[("humans", "cosine", 0), "value"] == pytest.approx(0)
    assert rows.at[("humans", "Euclidean", 0), "value"] == pytest.approx(1 / (1 + math.sqrt(2)))


def test_syntax_is_of_tags_and_the_tagger_is_named():
    found = variation(made(*said("It is so.", "He was old.")), PLAIN)
    assert "PatternTagger" in found.tagger and any("PatternTagger" in n for n in found.notes)
    # Pronoun, verb, adverb or adjective, period: three of four parts alike on both sides.
    assert table(found).at[("humans", "syntactic", 1), "value"] == pytest.approx(0.75)


def test_the_published_measure_counts_every_repetition_by_hand():
    one, other = ["the", "dog", ",", "the"], ["the", "cat"]
    # "the" twice in the other's one, "the" once in the one: (2 + 1) / (4 + 2).
    assert share_found(ngrams(one, 1), ngrams(other, 1)) == pytest.approx(1 / 2)
    assert share_found(ngrams(one, 2), ngrams(other, 2)) == 0
    assert math.isnan(share_found(ngrams(other, 3), ngrams(other, 4)))
    # Without repetitions both measures are one.
    once = ngrams(["a", "b", "c"], 1), ngrams(["b", "c", "d"], 1)
    assert share_found(*once) == overlap(*once) == pytest.approx(2 / 3)


def test_the_published_measure_stands_beside_ours_and_cuts_as_spacy_does(tmp_path):
    repeated = said("The dog saw the cat, the dog ran.", "A dog saw it.", item="i0")
    contracted = said("It doesn't", "does it", item="i1")
    config = VariationConfig(semantic=False, draws=100)
    found = variation(made(*repeated, *contracted), config, cache=tmp_path)
    each = found.per_item.set_index(["item_id", "measure", "ngram"])["value"]
    # dog, saw and the period on both sides; as published, "dog" twice in the first.
    assert each["i0", "lexical", 1] == pytest.approx(2 * 3 / 15)
    assert each["i0", "lexical, published", 1] == pytest.approx((4 + 3) / 15)
    # D N V D N . D N V . | D N V P . : one of each on both sides; as published, all but the P.
    assert each["i0", "syntactic", 1] == pytest.approx(2 * 4 / 15)
    assert each["i0", "syntactic, published", 1] == pytest.approx((10 + 4) / 15)
    # it doesn't | does it; spaCy cuts it does n't.
    assert each["i1", "lexical", 1] == pytest.approx(2 * 1 / 4)
    assert each["i1", "lexical, published", 1] == pytest.approx((2 + 2) / 5)
    assert "spaCy" in found.tagger and any("published" in note for note in found.notes)


def test_without_spacys_tokens_the_published_lexical_measure_is_left_out_and_said():
    found = variation(made(*said("It is so.", "He was old.")), PLAIN)
    measures = set(found.table["measure"])
    assert "lexical, published" not in measures and "syntactic, published" in measures
    assert any("left out" in note for note in found.notes)


def test_bad_wishes_are_refused():
    with pytest.raises(ConfigError, match="no explanations of 'nobody'"):
        variation(made(*said("a", "b")), PLAIN, sources=["nobody"])
    with pytest.raises(DataError, match="no explanations"):
        variation(judgments(source("crowd", [[1, 0, 0]])), PLAIN)
    with pytest.raises(ConfigError, match="tagger"):
        VariationConfig(tagger="stanza")


# Plain means over the six pairs of each item's four explanations; see docs/methods.md.
HUMANS = {100: (0.294, 0.093, 0.040), 0: (0.301, 0.099, 0.044)}


@pytest.mark.parametrize("items", [100, 0])
def test_lexical_likeness_of_published_human_explanations(items):
    found = read_judgments(published("NLI_explanations.json"))
    config = VariationConfig(items=items, semantic=False, tagger="textblob", draws=100)
    rows = table(variation(found, config, sources=["humans"]))
    for n, value in zip((1, 2, 3), HUMANS[items], strict=True):
        line = rows.loc[("humans", "lexical", n)]
        assert round(line["value"], 3) == value
        assert line["n"] == (items or 341) and line["pairs"] == 6 * line["n"]


# Published for the first 100 items (n = 1, 2, 3); the syntactic ones with an earlier tagger.
PUBLISHED = {"lexical": (0.335, 0.098, 0.042), "syntactic": (0.767, 0.341, 0.140)}


def test_published_cells_of_human_explanations():
    found = read_judgments(published("NLI_explanations.json"))
    config = VariationConfig(items=100, semantic=False, draws=100)
    cells = table(variation(found, config, sources=["humans"]))["value"].round(3)
    for n, value in enumerate(PUBLISHED["lexical"], start=1):
        assert cells["humans", "lexical, published", n] == value
    for n, value in enumerate(PUBLISHED["syntactic"], start=1):
        assert cells["humans", "syntactic, published", n] == pytest.approx(value, abs=0.00101)
