"""Log-probabilities from a real HTTP server, which may lie; and sampling where it gives none."""

import math

import numpy as np
import pytest
from helpers.chat_server import serving_client
from helpers.distribution_sources import judgments, source
from helpers.option_scorers import GOOD, as_text, listed

from capo_core.distributions.estimate import EstimateConfig, estimate
from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.imitation.backends.openai import ServerBackend, ServerSettings
from capo_core.imitation.backends.option_scores import (
    SampledScorer,
    ServerScorer,
    option_of,
    scores_from_listed,
)

MADE = judgments(source("crowd", [[0.2, 0.5, 0.3]] * 3))
CONFIG = EstimateConfig(orders="rotations", temperature=1.0)


@pytest.fixture
def chat(monkeypatch):
    with serving_client(monkeypatch) as server:
        yield server


def settings(chat):
    return ServerSettings("m", chat.url, timeout_s=120, tries=2)


def test_a_servers_log_probabilities_give_the_softmax(chat):
    chances = {"A": math.log(0.6), " B": math.log(0.2), "C": math.log(0.1), "The": math.log(0.1)}
    chat.script = lambda number, body: (200, {}, listed(chances))
    found = estimate(MADE, ServerScorer(settings(chat)), CONFIG)
    sent = chat.asked[0]
    assert sent["logprobs"] is True and sent["top_logprobs"] == 20 and sent["max_tokens"] == 1
    # Whatever is asked, the first place has 0.6 of 0.9: over the rotations all labels are equal.
    np.testing.assert_allclose(found.source.shares, 1 / 3)
    assert found.bias.by_place == pytest.approx((0.6 / 0.9, 0.2 / 0.9, 0.1 / 0.9))
    assert found.score_kind == "log-probability" and found.bounded == 0


def test_the_embedded_base_behind_a_server_says_what_it_says_here(chat):
    torch = pytest.importorskip("torch")
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.prompts import Prompt, prompt_ids

    base = load_base_model("embedded")
    names = {base.tokenizer.decode([k]): k for k in base.tokenizer.get_vocab().values()}

    def answer(number, body):
        ids = prompt_ids(Prompt(body["messages"][0]["content"]), base.tokenizer)
        with torch.inference_mode():
            logits = base.model(input_ids=torch.tensor([ids])).logits[0, -1]
        chances = logits.log_softmax(-1)
        return 200, {}, listed({name: float(chances[names[name]]) for name in "ABC"})

    chat.script = answer
    config = EstimateConfig(orders="rotations", temperature=1.0, items=1)
    there = estimate(MADE, ServerScorer(settings(chat)), config)
    here = estimate(MADE, TransformersScorer(base), config)
    np.testing.assert_allclose(there.source.shares, here.source.shares, atol=1e-4)


def test_options_a_server_does_not_list_are_bounded_and_counted(chat):
    chat.script = lambda number, body: (200, {}, listed({"A": -0.1, "So": -3.0, "B": -5.0}))
    found = estimate(MADE, ServerScorer(settings(chat)), CONFIG)
    assert found.bounded == 9  # C, in 3 orders of 3 items
    assert scores_from_listed({"A": -0.1, "x": -9.0}, ("A", "B", "C")).scores == (-0.1, -9.0, -9.0)


def test_forms_of_one_option_are_added_up():
    scored = scores_from_listed(
        {"A": math.log(0.2), " A": math.log(0.3), "B.": math.log(0.5)}, ("A", "B")
    )
    np.testing.assert_allclose(np.exp(scored.scores), [0.5, 0.5])
    # A beginning that two options share stands for neither.
    scored = scores_from_listed({"n": -0.1, "neu": -1.0, "nei": -2.0}, ("neutral", "neither"))
    assert scored.scores == (-1.0, -2.0)


def test_nan_from_a_server_is_counted_not_averaged(chat):
    def answer(number, body):
        value = math.nan if "A of i1" in body["messages"][0]["content"] else -1.0
        return 200, {}, as_text(listed({"A": value, "B": -1.0, "C": -1.0}))

    chat.script = answer
    found = estimate(MADE, ServerScorer(settings(chat)), CONFIG)
    assert found.source.item_ids == ("i0", "i2")
    assert found.left_out == {"a score is not a number": 1}


def test_none_of_the_options_among_the_first_tokens(chat):
    chat.script = lambda number, body: (200, {}, listed({"The": -0.1, "I": -2.0}))
    with pytest.raises(DataError, match="none of the options among the likeliest"):
        estimate(MADE, ServerScorer(settings(chat)), CONFIG)


def test_without_log_probabilities_it_says_to_draw_samples(chat):
    chat.script = lambda number, body: (200, {}, GOOD)
    with pytest.raises(BackendUnavailable, match="--by sampling"):
        estimate(MADE, ServerScorer(settings(chat)), CONFIG)
    # As `transformers serve` refuses them.
    refusal = {"detail": "Unsupported fields in the request: {'logprobs', 'top_logprobs'}"}
    chat.script = lambda number, body: (422, {}, refusal)
    with pytest.raises(BackendUnavailable, match="--by sampling"):
        estimate(MADE, ServerScorer(settings(chat)), CONFIG)


def test_sampling_counts_what_is_drawn(chat):
    texts = ["A.", "a", "**B**", "Bees", "I think C"]
    chat.script = lambda number, body: (
        200, {}, {"choices": [{"message": {"role": "assistant", "content": texts[number % 5]},
                               "finish_reason": "stop"}]},
    )  # fmt: skip
    scorer = SampledScorer(ServerBackend(settings(chat)), 5)
    found = estimate(MADE, scorer, EstimateConfig(orders="one", transform="norm", items=1))
    # Two say A and one B; two begin with no option.
    np.testing.assert_allclose(found.source.shares, [[2 / 3, 1 / 3, 0]])
    assert found.score_kind == "frequency"


def test_a_drawn_answer_is_read_behind_its_prefix():
    texts = iter(["Label: neutral", "Label: contradiction\nExplanation", "neutral", "Label:"])
    scorer = SampledScorer(FakeBackend(lambda request: next(texts)), 4)
    config = EstimateConfig(options="labels", orders="one", transform="norm", items=1)
    np.testing.assert_allclose(estimate(MADE, scorer, config).source.shares, [[0, 2 / 3, 1 / 3]])


def test_a_server_that_never_draws_is_told_from_one_that_agrees_with_itself():
    many = judgments(source("crowd", [[0.2, 0.5, 0.3]] * 12))
    config = EstimateConfig(options="labels", orders="one", transform="norm")
    same = estimate(many, SampledScorer(FakeBackend(lambda request: "Label: neutral"), 3), config)
    (note,) = same.notes
    assert "each of 12 questions got one and the same answer" in note and "do_sample" in note
    assert same.to_dict()["notes"] == [note]
    # One answer of all differs: then it draws. Few questions, or single draws, say nothing.
    texts = iter(["Label: contradiction"] + ["Label: neutral"] * 35)
    drawn = estimate(many, SampledScorer(FakeBackend(lambda request: next(texts)), 3), config)
    assert drawn.notes == ()
    for made, samples in ((MADE, 3), (many, 1)):
        backend = FakeBackend(lambda request: "Label: neutral")
        assert estimate(made, SampledScorer(backend, samples), config).notes == ()


def test_an_option_must_stand_alone():
    assert option_of(" (B) because", ("A", "B")) == 1
    assert option_of("Apples", ("A", "B")) is None
    assert option_of("", ("A", "B")) is None


def test_drawn_answers_without_an_option_are_a_problem():
    scorer = SampledScorer(FakeBackend(lambda request: "no idea"), 3)
    with pytest.raises(DataError, match="no answer began with an option"):
        estimate(MADE, scorer, EstimateConfig(transform="norm"))
    with pytest.raises(ConfigError):
        SampledScorer(FakeBackend(), 0)
