"""Phrases and habits that set annotators apart."""

import numpy as np
import pytest
import statsmodels.api as sm
from helpers.corpora import dataset
from scipy.stats import t as student

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.stability import phrases
from capo_core.stability.label_use import contrast
from capo_core.stability.phrases import PhrasePrior, log_odds
from capo_core.stats.intervals import json_rows
from capo_core.stats.significance import benjamini_hochberg
from capo_core.text.tokens import phrase_table, tokenize

pytestmark = pytest.mark.filterwarnings("error")


def planted(n_items: int = 150, seed: int = 0, manner: bool = True) -> Dataset:
    """Three annotators; with `manner`, "maybe" is said by b in 30 % of cases, by others in 5 %."""
    rng = np.random.default_rng(seed)
    filler = ["it", "is", "not", "so", "because", "they", "say", "the", "thing", "was", "there"]
    rows = []
    for item in range(n_items):
        for who in "abc":
            said = rng.choice(filler, size=8).tolist()
            if rng.random() < (0.3 if manner and who == "b" else 0.05):
                said.insert(3, "maybe")
            rows.append((f"i{item}", who, " ".join(said)))
    return dataset(rows)


def test_log_odds_by_hand():
    # Everybody: 30 + 10 = 40 presences in 100 explanations, phrase 0 in 30 of them, phrase 1 in
    # 10. A prior of 4 phrases: alpha = 4·(30/40, 10/40) = (3, 1), worth 4·100/40 = 10
    # explanations. Own: 20 of 50 have phrase 0, others 10 of 50:
    #   log((20+3)/(50−20+10−3)) − log((10+3)/(50−10+10−3)) = log(23/37) − log(13/47)
    #   variance 1/23 + 1/37 + 1/13 + 1/47
    everybody = np.array([30.0, 10.0])
    prior = PhrasePrior.of(everybody, 100, 4)
    delta, error = log_odds(np.array([20.0, 5.0]), 50, np.array([10.0, 5.0]), 50, prior)
    assert delta[0] == pytest.approx(np.log(23 / 37) - np.log(13 / 47))
    assert error[0] ** 2 == pytest.approx(1 / 23 + 1 / 37 + 1 / 13 + 1 / 47)
    assert delta[1] == pytest.approx(0)  # 5 of 50 on both sides


def test_a_light_prior_gives_the_plain_log_odds_ratio_of_statsmodels():
    counts, others = np.array([40.0, 7.0]), np.array([25.0, 90.0])
    prior = PhrasePrior.of(counts + others, 500, 1e-6)
    delta, error = log_odds(counts, 200, others, 300, prior)
    for k in range(2):
        table = [[counts[k], 200 - counts[k]], [others[k], 300 - others[k]]]
        reference = sm.stats.Table2x2(np.array(table))
        assert delta[k] == pytest.approx(reference.log_oddsratio, abs=1e-6)
        assert error[k] == pytest.approx(reference.log_oddsratio_se, abs=1e-6)


def test_a_planted_phrase_is_found_with_its_rates_and_texts():
    data = planted()
    table = phrases.distinctive_phrases(data)
    first = table[table["annotator_id"] == "b"].iloc[0]
    assert first["phrase"] == "maybe" and first["clear"]
    assert first["low"] < np.log(0.3 / 0.7) - np.log(0.05 / 0.95) < first["high"]
    # The rates are those of the texts themselves, and `find` leads to exactly those texts.
    said = data.annotations.set_index("annotation_id")
    found = said.loc[list(phrases.find_phrase(data, "maybe"))]
    assert (found["annotator_id"] == "b").sum() == first["count"]
    assert first["rate"] == first["count"] / 150
    assert len(found) == first["count"] + first["count_others"]


def test_without_planted_manner_nothing_is_clear():
    # 20 null datasets × 3 annotators: a false discovery rate of 5 % means that with no true
    # difference an annotator has a clear phrase in at most 5 % of cases: 3 expected of 60, and
    # P(more than 8 | Binomial(60, .05)) < .01.
    clear = 0
    for seed in range(20):
        table = phrases.distinctive_phrases(planted(60, seed, manner=False), top=None)
        clear += table.groupby("annotator_id")["clear"].any().sum()
    assert clear <= 8


def test_content_words_of_the_item_do_not_count_but_manner_words_do():
    # "fox" and "red" stand in the item's text and are content; "the" stands there too but is a
    # manner word; "tail" stands nowhere.
    rows = [(f"i{k}", "a", "the fox has the tail") for k in range(12)]
    rows += [(f"i{k}", "b", "red it was") for k in range(12)]
    data = dataset(rows, text_a="the red fox")
    without = set(phrases.distinctive_phrases(data, top=None)["phrase"])
    within = set(phrases.distinctive_phrases(data, top=None, without_input=False)["phrase"])
    assert {"the", "tail", "the tail"} <= without
    assert not {"fox", "red", "the fox", "red it"} & without
    assert {"fox", "red", "the fox", "red it"} <= within
    assert len(phrases.find_phrase(data, "the fox")) == 12
    assert phrases.find_phrase(data, "the fox", without_input=True) == ()


def test_find_goes_by_tokens_and_across_spelling():
    rows = [
        ("i1", "a", "It is so, but no."),
        ("i2", "a", "its owner , but"),
        ("i3", "b", "Doesn’t say"),
        ("i4", "b", "butter"),
        ("i5", "b", ""),
    ]
    data = dataset(rows)
    assert phrases.find_phrase(data, "it") == ("x0",)
    assert phrases.find_phrase(data, ", BUT") == ("x0", "x1")
    assert phrases.find_phrase(data, "doesn't") == ("x2",)
    assert phrases.find_phrase(data, "no .") == ()  # the final period is formatting …
    assert phrases.find_phrase(data, "no .", raw=True) == ("x0",)  # … and there in the raw texts
    assert phrases.find_phrase(data, "say it") == ()  # not across the border of two texts
    with pytest.raises(ConfigError, match="the phrase is empty"):
        phrases.find_phrase(data, "  ")


def test_phrase_table_equals_counting_by_hand():
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(list("abcd,"), size=rng.integers(0, 9))) for _ in range(60)]
    corpus = tokenize(texts)
    allowed = rng.random(len(corpus.ids)) < 0.9
    table = phrase_table(corpus, (1, 3), min_texts=3, allowed=allowed)
    expected: dict[str, set[int]] = {}
    for t in range(60):
        place = range(corpus.starts[t], corpus.starts[t + 1])
        for start in place:
            for length in (1, 2, 3):
                run = list(range(start, start + length))
                if run[-1] in place and allowed[run].all():
                    phrase = " ".join(corpus.vocabulary[corpus.ids[k]] for k in run)
                    expected.setdefault(phrase, set()).add(t)
    expected = {phrase: where for phrase, where in expected.items() if len(where) >= 3}
    assert set(table.phrases) == set(expected)
    for column, phrase in enumerate(table.phrases):
        assert set(table.presence[:, column].nonzero()[0]) == expected[phrase]


@pytest.mark.parametrize(
    ("rows", "empty"),
    [
        ([("i1", "a", "only one speaks")] * 1, True),
        ([("i1", "a", ""), ("i1", "b", "")], True),
        ([("i1", "a", "ok"), ("i1", "b", "ok")], True),
        ([(f"i{k}", who, "all the same text") for k in range(9) for who in "ab"], True),
        ([("i1", "a", "one item"), ("i1", "b", "two people")], True),
        ([(f"i{k}", who, who * 3) for k in range(9) for who in "ab"], False),
    ],
)
def test_too_little_to_compare_gives_an_empty_table_with_all_columns(rows, empty):
    data = dataset(rows)
    table = phrases.distinctive_phrases(data)
    assert list(table.columns) == list(phrases.PHRASE_COLUMNS)
    assert table.empty == empty
    features = phrases.distinctive_features(data)
    assert list(features.columns) == list(phrases.FEATURE_COLUMNS)
    for row in json_rows(features) + json_rows(table) + json_rows(phrases.phrase_reliability(data)):
        assert not any(isinstance(value, float) and value != value for value in row.values())


def test_style_differences_are_in_words_and_recovered():
    rows = []
    for k in range(40):
        rows.append((f"i{k}", "a", "so " * (4 + k % 3)))
        rows.append((f"i{k}", "b", "so " * (14 + k % 3)))
    table = phrases.distinctive_features(dataset(rows)).set_index(["annotator_id", "feature"])
    length = table.loc[("b", "length_words")]
    # k % 3 over 40 items: 14 zeros, 13 ones, 13 twos: mean 39/40.
    assert length["mean"] == pytest.approx(14 + 39 / 40)
    assert length["mean_others"] == pytest.approx(4 + 39 / 40)
    assert length["low"] > 0 and length["clear"] and length["unit"] == "words"


def test_contrast_equals_regression_with_clustered_errors():
    # A difference of two means is the slope of an indicator in least squares; statsmodels'
    # cluster-robust covariance is the same formula but for the correction G/(G−1), G being the
    # items of the side that has fewer.
    rng = np.random.default_rng(5)
    items = rng.integers(0, 30, size=200)
    items[:30] = np.arange(30)
    annotators = rng.integers(0, 4, size=200)
    values = rng.normal(size=(200, 3)) + 50 + rng.normal(size=30)[items][:, None]
    values[annotators == 2] += 1
    found = contrast(values, items, annotators)
    for a in range(4):
        g = len(np.unique(items[annotators == a]))
        assert found.clusters[a] == g < 30
        for column in range(3):
            design = sm.add_constant((annotators == a).astype(float))
            fit = sm.OLS(values[:, column], design).fit(
                cov_type="cluster", cov_kwds={"groups": items, "use_correction": False}
            )
            assert found.mean[a, column] - found.others[a, column] == pytest.approx(fit.params[1])
            assert found.error[a, column] == pytest.approx(fit.bse[1] * np.sqrt(g / (g - 1)))


def test_an_annotator_who_never_gave_a_rare_label_is_no_discovery():
    # 20 annotators alike, 15 items each: 46 % never give a label of 5 %. Their own rows vary in
    # nothing, so that the others' alone would make the difference certain (70 % were flagged).
    rng = np.random.default_rng(3)
    flagged, covered = [], []
    for _ in range(10):
        items = np.concatenate([rng.choice(60, 15, replace=False) for _ in range(20)])
        items = np.unique(items, return_inverse=True)[1]
        annotators = np.repeat(np.arange(20), 15)
        labels = np.eye(3)[rng.choice(3, 300, p=[0.9, 0.05, 0.05])]
        found = contrast(np.column_stack([labels, rng.normal(size=300)]), items, annotators)
        for a in range(20):
            flagged.append(benjamini_hochberg(found.p_values(a)[:3]).min() <= 0.05)
            low, high = found.difference(a)[1:]
            covered.append(low[-1] <= 0 <= high[-1])
    assert np.mean(flagged) < 0.08 and np.mean(covered) > 0.92


@pytest.mark.parametrize("swapped", [False, True])
def test_where_one_side_is_all_alike_the_variance_of_the_other_stands_in(swapped):
    # 12 items by each of two: one has a label never, the other on 3; ¼ · ¾ · (1/12 + 1/12) · 12/11.
    values = np.zeros((24, 1))
    values[:3] = 1
    annotators = np.repeat([1, 0] if swapped else [0, 1], 12)
    found = contrast(values, np.arange(24), annotators)
    assert found.error.ravel() ** 2 == pytest.approx(0.1875 * 2 / 12 * 12 / 11)
    assert found.p_values(0)[0] == pytest.approx(2 * student.sf(0.25 / found.error[0, 0], 11))
    # Alike is alike at any size of the numbers, whose squares are rounded.
    large = contrast(1e4 + 1000 * values, np.arange(24), annotators)
    assert large.error == pytest.approx(1000 * found.error)


def test_phrase_reliability_is_high_with_manner_and_about_nothing_without():
    with_manner = phrases.phrase_reliability(planted(400), seed=1)
    assert with_manner.set_index("annotator_id").loc["b", "correlation"] > 0.3
    without = [phrases.phrase_reliability(planted(150, s, manner=False)) for s in range(5)]
    assert abs(np.mean([frame["correlation"].mean() for frame in without])) < 0.15
