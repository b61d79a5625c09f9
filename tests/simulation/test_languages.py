"""Planted truth in other scripts: masking finds the item's words, planted phrases are found."""

import pytest

from capo_core.errors import ConfigError
from capo_core.simulation.languages import LANGUAGES, own_share
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stability.config import StabilityConfig
from capo_core.stability.phrases import distinctive_phrases
from capo_core.stability.report import compute_report
from capo_core.text.reductions import mask_input
from capo_core.text.tokens import normalise, words


def simulated(language, **settings):
    given = {"language": language, "items": 90, "annotators": 4, "style": 1.5, "seed": 5}
    return simulate(SimulationConfig(**{**given, **settings}))


@pytest.mark.parametrize("language", LANGUAGES)
def test_planted_phrases_are_found_with_their_rates(language):
    found = simulated(language)
    planted = found.ground_truth
    assert planted["annotator_id"].tolist() == list(found.dataset.annotators)
    table = distinctive_phrases(found.dataset, top=None, min_texts=2, without_input=False)
    table = table.set_index(["annotator_id", "phrase"])
    for row in planted.itertuples():
        seen = table.loc[(row.annotator_id, row.phrase)]
        # 90 explanations: the rate's standard error is at most .053.
        assert seen["rate"] == pytest.approx(row.rate, abs=0.16)
        assert seen["z"] > 2 and seen["clear"]
    # Without style nothing is planted, and nothing is found.
    flat = simulated(language, style=0.0, label_bias=0.0)
    assert flat.ground_truth.empty
    some = distinctive_phrases(flat.dataset)
    assert not some["clear"].astype(bool).any()


@pytest.mark.parametrize("language", LANGUAGES)
def test_masking_finds_the_items_words(language):
    data = simulated(language, content=2.0).dataset
    wording = LANGUAGES[language]
    items = data.items.set_index("item_id")
    content = {word for text in (*wording.who, *wording.act) for word in words(normalise(text))}
    held = 0
    for row in data.annotations.itertuples():
        item = items.loc[row.item_id]
        inputs = (normalise(item["text_a"]), normalise(item["text_b"]))
        text = normalise(row.explanation)
        named = content & set(words(text)) & {w for given in inputs for w in words(given)}
        left = set(words(mask_input(text, inputs)))
        assert not named & left
        held += len(named)
    assert held > 200  # explanations do speak of their items


def test_a_report_in_chinese():
    data = simulated("Chinese", items=40).dataset
    config = StabilityConfig(
        representations=("words",), reductions=("none", "mask_input"), pool=(1, 4), seeds=1,
        permutations=30, draws=20, controls=False,
    )  # fmt: skip
    report, _ = compute_report(data, config)
    ladder = report.ladder.frame.set_index(["reduction", "k"])
    assert (ladder["low"] > 0.3).all() and (ladder["p_value"] <= 0.05).all()
    assert all(card.length.median >= 4 for card in report.profiles)
    assert "no Latin letter" in next(
        one.text for one in report.statements if one.topic == "language"
    )


def test_settings_of_languages():
    assert own_share(0) == 0 and own_share(1) == 0.5 < own_share(4) < 1
    with pytest.raises(ConfigError, match="Hindi"):
        SimulationConfig(task="paraphrase", language="Hindi")
