"""Estimates: the orders of options, what is left out and counted, resuming, the embedded base."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.distribution_sources import judgments, source
from helpers.option_scorers import PlacedScorer
from scipy.special import softmax
from scipy.stats import beta, norm

from capo_core.distributions.estimate import (
    EstimateConfig,
    estimate,
    orders_of,
    p_norm,
    p_softmax,
    planned_questions,
)
from capo_core.distributions.estimate_run import run_estimate
from capo_core.distributions.store import finished_estimates, load, load_estimate, save, with_runs
from capo_core.errors import ConfigError, DataError, Stopped
from capo_core.imitation.backends.option_scores import FREQUENCY, LOG_PROBABILITY
from capo_core.run_folder import RunFolder
from capo_core.stats.bootstrap import small_sample
from capo_core.stats.intervals import Z95
from capo_core.task import LabelScale, Task
from capo_core.workspace import Workspace

TASTE = (2.0, 1.0, 0.5)
SAID = [
    ("i0", "humans", 0, "neutral", "Nobody knows."),
    ("i0", "humans", 1, "entailment", "It says so."),
    ("i1", "humans", 0, "neutral", "Unclear."),
]


def made(n=3, said=SAID):
    return judgments(source("crowd", [[0.2, 0.5, 0.3]] * n), said=said)


def test_p_norm_and_p_softmax_by_hand():
    scores = np.array([[2.0, 1.0, 1.0], [1.0, -1.0, 3.0]])
    assert p_norm(scores)[0].tolist() == [0.5, 0.25, 0.25]
    assert np.isnan(p_norm(scores)[1]).all()  # a negative score has no share
    np.testing.assert_allclose(p_softmax(scores, 2.0), softmax(scores / 2, axis=1))
    # Log-probabilities know the logits but for a constant, which the softmax does not see.
    np.testing.assert_allclose(p_softmax(scores - 7.0, 2.0), p_softmax(scores, 2.0))
    chances = np.log([[0.2, 0.1, 0.1]])
    np.testing.assert_allclose(p_norm(chances, LOG_PROBABILITY), [[0.5, 0.25, 0.25]])


@pytest.mark.parametrize("which", ["all", "rotations"])
def test_every_label_stands_at_every_place_equally_often(which):
    orders = np.array(orders_of("abc", which))
    for place in range(3):
        assert np.bincount(orders[:, place]).tolist() == [len(orders) // 3] * 3
    assert len(orders_of("abc", "one")) == 1
    with pytest.raises(ConfigError, match="too many orders"):
        orders_of("abcdefghijk", "all")


def test_scores_go_to_the_label_wherever_it_stands():
    config = EstimateConfig(temperature=1.0)
    found = estimate(made(), PlacedScorer(TASTE), config)
    np.testing.assert_allclose(found.source.shares, [softmax(TASTE)] * 3)
    assert found.questions == 18 and found.bias.one_order == pytest.approx(0)
    assert found.bias.by_place == pytest.approx((1 / 3,) * 3)


def test_averaging_over_orders_takes_the_preference_for_a_place_out():
    # The first place adds 3 to a logit: without a taste, it alone decides.
    first = PlacedScorer((1.0, 1.0, 1.0), place=(3.0, 0.0, 0.0))
    one = estimate(made(), first, EstimateConfig(orders="one", temperature=1.0))
    expected = softmax([4.0, 1.0, 1.0])
    np.testing.assert_allclose(one.source.shares[0], expected)
    for orders in ("rotations", "all"):
        found = estimate(made(), first, EstimateConfig(orders=orders, temperature=1.0))
        np.testing.assert_allclose(found.source.shares, 1 / 3)
        assert found.bias.by_place == pytest.approx(tuple(expected))
    # With all orders: two halves agree, two single orders are apart. Two orders differ in what
    # stands first in 12 of 15 pairs, and are then apart by p_first − p_other.
    assert found.bias.averaged == pytest.approx(0)
    assert found.bias.one_order == pytest.approx(12 / 15 * (expected[0] - expected[1]))
    # Every item is moved by as much: no interval has any width.
    bias = found.bias.to_dict()
    assert bias["gain"] == pytest.approx(bias["one_order"])
    for name in ("one_order", "averaged", "gain"):
        np.testing.assert_allclose(bias["intervals"][name], [[bias[name]] * 2], atol=1e-9)
    np.testing.assert_allclose(bias["intervals"]["by_place"], [[x, x] for x in expected])


def test_intervals_of_position_bias_hold_the_items_luck():
    # Two items of one preferred place, two of another: half of the weight on either on average.
    from capo_core.distributions.position_bias import position_bias

    orders = orders_of("ab", "all")
    rows = [(item, k, *((0.9, 0.1) if (k == 0) == (item < "c") else (0.1, 0.9)))
            for item in "abcd" for k in range(2)]  # fmt: skip
    bias = position_bias(pd.DataFrame(rows, columns=["item_id", "order", "x", "y"]),
                         ["x", "y"], orders)  # fmt: skip
    assert bias.by_place == pytest.approx((0.5, 0.5)) and bias.n == 4
    (low, high), _ = bias.intervals["by_place"]
    # The weight on two of four items is Beta(2, 2), read at percentiles widened for four items;
    # shares from 0.1 to 0.9 make 0.8 of that.
    end = beta(2, 2).ppf(norm.sf(Z95 * small_sample(4)))
    assert low == pytest.approx(0.1 + 0.8 * end, abs=0.03)
    assert high == pytest.approx(0.9 - 0.8 * end, abs=0.03)
    # All items are moved by 0.8; two orders have no balanced halves: undefined, as null in JSON.
    assert bias.intervals["one_order"][0] == pytest.approx((0.8, 0.8))
    assert bias.to_dict()["averaged"] is None
    assert bias.to_dict()["intervals"]["averaged"] == [[None, None]]
    single = position_bias(pd.DataFrame(rows[:2], columns=["item_id", "order", "x", "y"]),
                           ["x", "y"], orders)  # fmt: skip
    assert single.to_dict()["intervals"]["one_order"] == [[None, None]]  # one item tells no luck


def test_serial_shows_all_explanations_and_parallel_each_alone():
    serial, without = planned_questions(made(), EstimateConfig(explanations="humans", orders="one"))
    assert [one.item_id for one in serial] == ["i0", "i1"] and without == 1
    text = serial[0].question.prompt.text
    assert "Comment 1: Nobody knows.\nComment 2: It says so." in text
    assert "So I choose" not in text
    parallel, _ = planned_questions(
        made(), EstimateConfig(explanations="humans", how="parallel", explicit=True, orders="one")
    )
    assert [one.item_id for one in parallel] == ["i0", "i0", "i1"]
    assert "Comment 1: It says so. So I choose entailment." in parallel[1].question.prompt.text
    assert "Nobody" not in parallel[1].question.prompt.text
    turned, _ = planned_questions(
        made(), EstimateConfig(explanations="humans", rotations=2, orders="one")
    )
    assert "Comment 1: It says so.\nComment 2: Nobody" in turned[1].question.prompt.text


def test_items_without_a_score_are_left_out_and_counted():
    scorer = PlacedScorer(TASTE, problem="A of i1")
    found = estimate(made(), scorer, EstimateConfig())
    assert found.source.item_ids == ("i0", "i2")
    assert found.left_out == {"a score is not a number": 1}
    assert found.to_dict()["left_out"] == {"a score is not a number": 1}
    with pytest.raises(DataError, match="gave no usable scores for any item"):
        estimate(made(), PlacedScorer(TASTE, problem="A of"), EstimateConfig())


def test_p_norm_of_negative_logits_says_what_to_do():
    with pytest.raises(DataError, match="use --transform softmax"):
        estimate(made(), PlacedScorer((1, -1, 1)), EstimateConfig(transform="norm"))


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="softmax does not apply to frequencies"):
        estimate(made(), PlacedScorer(TASTE, kind=FREQUENCY), EstimateConfig())
    with pytest.raises(ConfigError, match="no explanations of 'models'"):
        estimate(made(), PlacedScorer(TASTE), EstimateConfig(explanations="models"))
    for name, value in (("how", "x"), ("temperature", 0), ("orders", "x"), ("items", -1)):
        with pytest.raises(ConfigError):
            EstimateConfig(**{name: value})
    plain = PlacedScorer(TASTE)
    plain.prefixes = False
    with pytest.raises(ConfigError, match="does not support answers with the prefix"):
        estimate(made(), plain, EstimateConfig(options="labels"))


def test_an_interrupted_run_asks_only_what_is_missing(tmp_path):
    workspace = Workspace(tmp_path)
    folder = RunFolder(workspace.runs / "e")

    class Halting(PlacedScorer):
        def score(self, questions, progress):
            for number, pair in enumerate(super().score(questions)):
                if number == 5:
                    raise Stopped("stopped on request")
                yield pair

    config = EstimateConfig(orders="rotations", temperature=1.0)
    with pytest.raises(Stopped):
        run_estimate(made(), Halting(TASTE), config, folder)
    with (folder.path / "scores.jsonl").open("a") as file:
        file.write("\0" * 40 + '\n[]\n{"key": "torn')  # what a power cut and a kill leave
    scorer = PlacedScorer(TASTE)
    found = run_estimate(made(), scorer, config, folder)
    assert len(scorer.asked) == 9 - 5
    np.testing.assert_allclose(found.source.shares, [softmax(TASTE)] * 3)
    assert finished_estimates(made(), workspace) == ["e"]
    # The run speaks for itself beside the other sources.
    both = with_runs(made(), ["e"], workspace)
    np.testing.assert_allclose(both.source(found.source.name).shares, found.source.shares)
    # Another estimate of that name is told from it by its run.
    other_orders = EstimateConfig(orders="one", temperature=1.0)
    run_estimate(made(), PlacedScorer(TASTE), other_orders, RunFolder(workspace.runs / "f"))
    names = [one.name for one in with_runs(made(), ["e", "f"], workspace).sources]
    assert names[-2:] == [found.source.name, f"{found.source.name} (f)"]
    assert "2 of humans" in EstimateConfig(explanations="humans", count=2).label("m")
    # Items of the run that are not among the judgments' are counted.
    fewer = with_runs(made(2, said=SAID), ["e"], workspace)
    assert fewer.notes == ("1 item of e not in hand-made; left out",)
    # What must be known of an estimate goes with it; older ones have no such word.
    path = folder.path / "estimate.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({**raw, "notes": ["it never drew"]}))
    assert with_runs(made(), ["e"], workspace).notes == (f"{raw['name']}: it never drew",)
    path.write_text(json.dumps({name: raw[name] for name in raw if name != "notes"}))
    assert with_runs(made(), ["e"], workspace).notes == ()
    other = judgments(source("crowd", [[1, 0, 0]], items=["elsewhere"]))
    with pytest.raises(DataError, match="no item"):
        load_estimate(folder, other)


def test_kept_judgments_come_back_as_they_were(tmp_path):
    workspace = Workspace(tmp_path)
    name = save(made(), workspace)
    back = load(name, workspace)
    assert save(back, workspace) == name and back.fingerprint == made().fingerprint
    path = workspace.root / "distributions" / f"{name}.json"
    path.write_text(path.read_text().replace("Nobody", "Somebody"))
    with pytest.raises(DataError, match="was changed"):
        load(name, workspace)
    with pytest.raises(DataError, match="cannot be read"):
        load("none", workspace)


def test_the_embedded_base_weighs_letters_and_labels():
    torch = pytest.importorskip("torch")
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.prompts import prompt_ids

    base = load_base_model("embedded")
    scorer = TransformersScorer(base, batch_tokens=400)
    found = estimate(made(), scorer, EstimateConfig(temperature=1.0, items=2))
    # A small model prefers a place whatever stands there; the mean over orders does not.
    assert found.bias.preference > 0.05
    assert found.bias.averaged < 0.2 * found.bias.one_order
    # Padding and batches change nothing: the same logits as alone.
    asked, _ = planned_questions(made(), EstimateConfig(items=2, options="labels", orders="one"))
    question = asked[0].question
    ids = (*prompt_ids(question.prompt, base.tokenizer), *scorer._tokens("Label:"))
    with torch.inference_mode():
        logits = base.model(input_ids=torch.tensor([ids])).logits[0, -1]
    ((_, scored),) = [pair for pair in scorer.score([one.question for one in asked])
                      if pair[0] is question]  # fmt: skip
    np.testing.assert_allclose(
        scored.scores, logits[list(scorer.option_ids(question))].tolist(), rtol=1e-4
    )
    words = [base.tokenizer.decode([k]).strip() for k in scorer.option_ids(question)]
    assert all(label.startswith(word) for label, word in zip(question.options, words, strict=True))


def test_options_with_one_first_token_are_refused():
    pytest.importorskip("torch")
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model

    scale = LabelScale(("-2", "-1", "0"), ordinal=True)
    found = judgments(source("crowd", [[1, 0, 0]], labels=scale.labels), task=Task("t", scale))
    with pytest.raises(ConfigError, match=r"same token|joins"):
        estimate(
            found, TransformersScorer(load_base_model("embedded")), EstimateConfig(options="labels")
        )
