"""Cards: made from the numbers, and honest where there are none."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.corpora import dataset

from capo_core.formatting import percent
from capo_core.stability import phrases
from capo_core.stability.annotator_profiles import (
    AnnotatorProfile,
    Cue,
    annotator_profiles,
    compared,
)
from capo_core.stability.label_use import label_use
from capo_core.stability.phrases import extract_phrases
from capo_core.stats.intervals import wilson
from capo_core.task import NLI, PARAPHRASE, LabelScale

E, N, C = NLI.scale.labels


pytestmark = pytest.mark.filterwarnings("error")


def two_writers(n: int = 80, seed: int = 0):
    """a says "perhaps" in 60 % of cases and chooses neutral in 80 %; b never, and in 30 %."""
    rng = np.random.default_rng(seed)
    words = ["it", "is", "so", "the", "thing", "was", "there", "they", "say", "not"]
    rows = []
    for item in range(n):
        said = rng.choice(words, size=7).tolist()
        if rng.random() < 0.6:
            said.insert(0, "perhaps")
        rows.append((f"i{item}", "a", " ".join(said), N if rng.random() < 0.8 else E))
        said = rng.choice(words, size=14).tolist()
        rows.append((f"i{item}", "b", " ".join(said), N if rng.random() < 0.3 else E))
    return dataset(rows)


def test_a_card_says_what_was_planted_with_its_numbers():
    data = two_writers()
    first, second = annotator_profiles(data)
    assert (first.annotator_id, first.n, first.n_items, first.n_explanations) == ("a", 80, 80, 80)
    said = data.annotations
    has = said["explanation"].str.contains("perhaps") & (said["annotator_id"] == "a")
    rate = has.sum() / 80
    assert first.cues[0].name == "perhaps"
    assert first.cues[0].own == pytest.approx(100 * rate)
    assert first.cues[0].others == 0
    text = " ".join(first.interpretation)
    low, high = (f"{100 * end:.0f}" for end in wilson(has.sum(), 80))
    interval = f"[{low}–{high}]"
    assert f"“perhaps” (in {percent(rate)} {interval} of explanations, others {percent(0)})" in text
    neutral = (said.loc[said["annotator_id"] == "a", "label"] == N).mean()
    use = {label.label: label for label in first.labels}
    assert use[N].share == pytest.approx(neutral) and use[N].differs
    assert "often" in text and percent(neutral) in text
    assert first.length.median in (7, 8) and second.length.median == 14
    assert any(cue.kind == "habit" and cue.name == "opens_hedge" for cue in first.cues)
    assert [label.label for label in first.labels] == list(NLI.scale.labels)
    json.dumps([card.to_dict() for card in annotator_profiles(data)], allow_nan=False)


def test_every_label_that_marks_an_annotator_is_in_words():
    """a writes E in 60 and C in 40 of 100 cases, b N in all: three labels differ, and the one
    that differs most comes first."""
    labels = {"a": [E] * 60 + [C] * 40, "b": [N] * 100}
    rows = [(f"i{k}", who, "so", labels[who][k]) for who in labels for k in range(100)]
    said = annotator_profiles(dataset(rows))[0].interpretation
    assert said[0].startswith(f"Uses “{N}” significantly less often: {percent(0)} ")
    assert (
        f"“{E}” significantly more often ({percent(0.6)} [50–69], the others {percent(0)})"
        in said[1]
    )
    assert (
        f"“{C}” significantly more often ({percent(0.4)} [31–50], the others {percent(0)})"
        in said[1]
    )
    assert said[1].index(E) < said[1].index(C) and not any(N in each for each in said[1:])


@pytest.mark.parametrize("data", [
    two_writers(), dataset([(f"i{k}", "a", "so it is", N) for k in range(12)]),
    dataset([(f"i{k}", who, "so", str(k % 3 + 2 * n)) for k in range(30)
             for n, who in enumerate("ab")], task=PARAPHRASE),
])  # fmt: skip
def test_a_saved_profile_says_the_same_and_one_of_an_earlier_version_what_is_new(data):
    for made in annotator_profiles(data):
        raw = json.loads(json.dumps(made.to_dict()))
        assert AnnotatorProfile.from_dict(raw).interpretation == made.interpretation
        for cue in raw["cues"]:  # earlier versions had no numbers of explanations,
            del cue["n"], cue["n_others"]
        raw["statements"] = raw["statements"][:1] + raw["statements"][-1:]  # and named one label
        assert AnnotatorProfile.from_dict(raw).interpretation == made.interpretation
        del raw["statements"]  # the first ones had texts alone
        assert AnnotatorProfile.from_dict(raw).interpretation == made.interpretation


def test_of_two_labels_one_is_in_words():
    rows = [
        (f"i{k}", who, "so", label) for k in range(40) for who, label in (("a", "x"), ("b", "y"))
    ]
    scale = LabelScale(("x", "y"))
    said = annotator_profiles(dataset(rows, task=replace(NLI, scale=scale)))[0].interpretation
    assert said[0].startswith("Uses “") and not any("Uses" in each for each in said[1:])


def test_typical_explanations_have_the_cues_and_atypical_ones_have_not():
    data = two_writers()
    first = annotator_profiles(data)[0]
    said = data.annotations.set_index("annotation_id")["explanation"]
    assert len(first.typical) == len(first.atypical) == 3
    assert all("perhaps" in said[k] for k in first.typical)
    assert not any("perhaps" in said[k] for k in first.atypical)
    assert not set(first.typical) & set(first.atypical)


def test_scores_from_elsewhere_decide_where_they_are_given():
    data = two_writers(20)
    mine = data.annotations.loc[data.annotations["annotator_id"] == "a", "annotation_id"].tolist()
    scores = pd.Series(np.arange(20.0), index=mine)
    first, second = annotator_profiles(data, scores=scores)
    assert first.typical == tuple(mine[:-4:-1]) and first.atypical == tuple(mine[:3])
    assert second.typical == () == second.atypical


def test_tables_already_there_give_the_same_cards():
    data = two_writers(40)
    extracted = extract_phrases(data)
    again = annotator_profiles(
        data,
        phrases=phrases.distinctive_phrases(data, extracted=extracted),
        features=phrases.distinctive_features(data),
        extracted=extracted,
    )
    assert [card.to_dict() for card in again] == [
        card.to_dict() for card in annotator_profiles(data)
    ]


def test_three_explanations_are_too_few_to_say():
    data = dataset([(f"i{k}", "a", "perhaps it is so", N) for k in range(3)])
    (card,) = annotator_profiles(data)
    assert card.n_explanations == 3 and card.length is None and card.cues == ()
    assert card.typical == card.atypical == ()
    assert card.interpretation == (
        "3 annotations: too few to describe label use.",
        "3 explanations: too few to describe the wording.",
    )
    assert card.labels[1].share == 1 and card.labels[1].low < 0.5
    json.dumps(card.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [(f"i{k}", "a", "it is so and so", E) for k in range(30)],
            "no other annotator to compare with",
        ),
        ([(f"i{k}", w, "", "EN"[k % 2]) for k in range(30) for w in "ab"], "Wrote no explanations"),
        ([("i1", w, "one item only", N) for w in "abcd"], "too few to describe"),
        (
            [(f"i{k}", w, "the very same", N) for k in range(30) for w in "ab"],
            "differs significantly",
        ),
        ([(f"i{k}", "a", "it is", N) for k in range(30)] + [("i1", "b", "hm", E)], "too few"),
    ],
)
def test_cards_of_meagre_data_say_so(rows, sentence):
    rows = [
        (item, who, said, {"E": E, "N": N}.get(label, label)) for item, who, said, label in rows
    ]
    made = annotator_profiles(dataset(rows))
    assert sentence in " ".join(" ".join(card.interpretation) for card in made)
    json.dumps([card.to_dict() for card in made], allow_nan=False)
    for card in made:
        assert "nan" not in " ".join(card.interpretation).lower().split()


def test_same_use_of_labels_is_said_with_the_largest_difference():
    rows = [(f"i{k}", who, "", (E, N, C)[k % 3]) for k in range(60) for who in "ab"]
    sentence = annotator_profiles(dataset(rows))[0].interpretation[0]
    assert sentence.startswith("No significant difference in label use")
    assert percent(0.33) in sentence


def test_opposite_labels_differ_for_certain():
    rows = [(f"i{k}", who, "", E if who == "a" else N) for k in range(20) for who in "ab"]
    use = label_use(dataset(rows))["a"].labels
    assert [label.differs for label in use] == [True, True, False]


def test_ordinal_scales_speak_of_the_mean_label():
    rng = np.random.default_rng(0)
    rows = []
    for k in range(60):
        base = int(rng.integers(-3, 3))
        rows += [(f"i{k}", "a", "", str(base)), (f"i{k}", "b", "", str(base + 2))]
    data = dataset(rows, task=PARAPHRASE)
    use = label_use(data)["a"]
    # b is two above a on every item, so that the difference is −2 without any error.
    assert (use.mean.value, use.mean.low, use.mean.high) == pytest.approx((-2, -2, -2))
    assert "a significant difference (−2.0" in annotator_profiles(data)[0].interpretation[0]


def test_a_hundred_annotators_have_a_hundred_cards():
    rng = np.random.default_rng(1)
    rows = []
    for k in range(300):
        for who in rng.choice(100, size=5, replace=False):
            said = "perhaps it is so" if who == 7 else "it is so and not that"
            rows.append((f"i{k}", f"{who:02d}", said, (E, N, C)[int(rng.integers(3))]))
    made = annotator_profiles(dataset(rows))
    assert len(made) == 100
    seven = next(card for card in made if card.annotator_id == "07")
    assert seven.n_explanations == 19 and seven.cues[0].name == "perhaps it is"
    json.dumps([card.to_dict() for card in made], allow_nan=False)


@pytest.mark.parametrize(
    ("unit", "own", "others", "text"),
    [
        ("percent of explanations", 21.875, 0.4, "22 % of explanations, others 0.4 %"),
        ("percent of words", 2.743, 1.44, "2.7 % of words, others 1.4 %"),
        ("words", 12.34, 9.0, "12.3 words, others 9.0"),
        ("count", 0.23, 0.04, "0.2, others 0.0"),
    ],
)
def test_the_value_of_a_cue_has_the_decimals_of_the_sentences(unit, own, others, text):
    cue = Cue("phrase", "so", "“so”", unit, own, others, 1.0, 0.5, 1.5)
    assert compared(cue).replace("\N{NO-BREAK SPACE}", " ") == text


def test_nothing_is_said_of_others_where_there_are_none():
    """Finding: "No phrase is used significantly more often than by the others", of the only one."""
    both = two_writers()
    rows = both.annotations
    (profile,) = annotator_profiles(replace(both, annotations=rows[rows["annotator_id"] == "a"]))
    assert profile.without_phrases == "No other annotator wrote explanations to compare with."
    assert [name for name, _ in profile.key_numbers][3:] == ["median words", "interquartile range"]
    first, _ = annotator_profiles(both)
    assert first.key_numbers[-1] == ("median of the others", f"{first.length.others:.0f}")
    assert "than by the others" in first.without_phrases
    few = annotator_profiles(replace(both, annotations=rows.head(4)))[0]
    assert few.without_phrases == "Too few explanations to compare phrases."
