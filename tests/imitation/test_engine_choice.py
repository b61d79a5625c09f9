"""The self-check: a tree is used where it is right, and never where it is wrong."""

from __future__ import annotations

import random

import pytest
import torch
from helpers.architectures import item, ragged_batch, tiny_model

from capo_core.errors import ConfigError, DataError
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.scoring import engines
from capo_core.imitation.training.scoring.choose import (
    TOLERANCE_HALF,
    choose_engine,
    longest_sample,
)
from capo_core.imitation.training.scoring.engines import PairsEngine

SAMPLE = item(random.Random(1), 20, (9, 4, 1, 7, 5))  # longest text: 29 tokens

RIGHT = ["llama", "qwen3", "mistral", "gemma3_text", "phi3", "gpt2", "gemma2", "cohere", "granite"]
# Why a tree is wrong there: window shorter than the text (2), state that runs through the row (4),
# positions counted in the row (bloom), local attention counted in the row (gpt_neo).
WRONG = {
    "mistral": {"sliding_window": 8},
    "gemma3_text": {"sliding_window": 8},
    "mamba": {},
    "rwkv": {},
    "jamba": {},
    "bloom": {},
    "gpt_neo": {"window_size": 8},
}


@pytest.mark.parametrize("kind", RIGHT)
def test_the_tree_is_taken_where_it_agrees(kind):
    choice = choose_engine(tiny_model(kind, lora=True), SAMPLE)
    assert choice.engine.name == "tree" and choice.asked == "auto"
    assert choice.worst_difference_nats < 1e-4
    assert "tree agrees with the plain path" in choice.reason


@pytest.mark.parametrize("kind", WRONG)
def test_auto_falls_back_and_says_why(kind):
    model = tiny_model(kind, **WRONG[kind])
    choice = choose_engine(model, SAMPLE)
    assert choice.engine.name == "group"
    assert choice.worst_difference_nats < 1e-4
    assert choice.reason.startswith("tree not used: ")
    batch = ragged_batch()
    model.eval()
    wanted = PairsEngine().score(model, batch, pad_id=0).log_probs
    found = choice.engine.score(model, batch, pad_id=0).log_probs
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", WRONG)
def test_a_tree_asked_for_by_name_is_an_error_there(kind):
    with pytest.raises(ConfigError, match="'tree' cannot be used with this model") as caught:
        choose_engine(tiny_model(kind, **WRONG[kind]), SAMPLE, "tree")
    assert "auto" in str(caught.value)


def test_the_error_has_the_figures():
    with pytest.raises(ConfigError) as caught:
        choose_engine(tiny_model("mistral", sliding_window=8), SAMPLE, "tree")
    text = str(caught.value)
    assert "nats in a response of" in text and "(allowed: 0.001 a token)" in text
    assert "a text of 29 tokens is longer than the model's sliding window of 8" in text


def test_a_window_that_the_sample_fits_in_is_remembered():
    model = tiny_model("mistral", sliding_window=29)
    choice = choose_engine(model, SAMPLE)
    assert choice.engine.name == "tree" and choice.engine.window == 29
    assert "texts of more than 29 tokens go the group way" in choice.reason
    longer = item(random.Random(2), 21, (9, 4))
    assert choice.engine.score(model, [longer], pad_id=0).engine == "group"


def test_a_bool_mask_under_eager_attention_is_caught(monkeypatch):
    model = tiny_model("llama", attention="eager")
    assert choose_engine(model, SAMPLE).engine.name == "tree"
    monkeypatch.setattr(engines, "as_model_mask", lambda allowed, *_: allowed)
    choice = choose_engine(model, SAMPLE)
    assert choice.engine.name == "group" and "differs from the plain path" in choice.reason


def test_attention_that_takes_no_mask_is_not_tried():
    model = tiny_model("llama")
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ConfigError, match="flash_attention_2 attention takes no mask"):
        _without_running(model)


def _without_running(model):
    """The plain path cannot run with flash attention on this machine: its scores are made up."""
    from capo_core.imitation.training.scoring import choose

    class Silent(PairsEngine):
        def score(self, *_, **__):
            return None

    real, choose.PairsEngine = choose.PairsEngine, Silent
    try:
        choose_engine(model, SAMPLE, "tree")
    finally:
        choose.PairsEngine = real


def test_one_response_has_nothing_to_share():
    one = Rendered(SAMPLE.prompt, SAMPLE.responses[:1])
    choice = choose_engine(tiny_model("llama"), one)
    assert choice.engine.name == "group" and "nothing to share" in choice.reason
    # Asked for by name it is tried with two branches, else it would pass anywhere.
    assert choose_engine(tiny_model("llama"), one, "tree").engine.name == "tree"
    with pytest.raises(ConfigError):
        choose_engine(tiny_model("jamba"), one, "tree")


def test_the_sample_is_the_longest_text_among_items_with_something_to_share():
    rng = random.Random(4)
    long_prompt, long_text = item(rng, 25, (3, 2)), item(rng, 20, (2, 9))  # 28 and 29 tokens
    alone, mute = item(rng, 40, (9,)), Rendered(SAMPLE.prompt * 3, ())
    assert longest_sample([long_prompt, mute, alone, long_text]) is long_text
    assert longest_sample([mute, alone]) is alone
    with pytest.raises(DataError):
        longest_sample([mute])


def test_of_many_responses_the_longest_are_tried():
    """The fifth response alone reaches over the window. A last token is scored, never read: the
    others read 20 + 7 tokens, the fifth 20 + 8."""
    sample = item(random.Random(5), 20, (8, 8, 8, 8, 9))
    model = tiny_model("mistral", sliding_window=27)
    assert choose_engine(model, sample).engine.name == "group"


@pytest.mark.parametrize("wish", ["group", "pairs"])
def test_what_is_asked_for_is_taken(wish):
    choice = choose_engine(tiny_model("llama"), SAMPLE, wish)
    assert choice.engine.name == wish and choice.asked == wish


def test_an_unknown_engine():
    with pytest.raises(ConfigError, match="'forest'"):
        choose_engine(tiny_model("llama"), SAMPLE, "forest")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_in_bfloat16_rounding_is_not_a_fault_and_a_fault_is_not_rounding(attention):
    right = tiny_model("llama", attention=attention).to(torch.bfloat16)
    assert choose_engine(right, SAMPLE).engine.name == "tree"
    wrong = tiny_model("mistral", attention=attention, sliding_window=8).to(torch.bfloat16)
    assert choose_engine(wrong, SAMPLE).engine.name == "group"
    with torch.autocast("cpu", torch.bfloat16):
        assert choose_engine(tiny_model("llama"), SAMPLE).engine.name == "tree"
    choice = choose_engine(tiny_model("jamba"), SAMPLE, tolerance=TOLERANCE_HALF)
    assert choice.engine.name == "group"


def test_the_models_mode_and_random_numbers_are_as_before():
    model = tiny_model("gpt2", lora=True, resid_pdrop=0.5).train()
    frozen = model.get_submodule("base_model.model.transformer.h.0").eval()
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    assert choose_engine(model, SAMPLE).engine.name == "tree"  # dropout would look like a fault
    assert torch.equal(torch.rand(3), wanted)
    assert model.training and not frozen.training
    assert all(weight.grad is None for weight in model.parameters())


def test_out_of_memory_is_not_taken_for_a_refusal(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(engines.TreeEngine, "score", full)
    with pytest.raises(torch.OutOfMemoryError):
        choose_engine(tiny_model("llama"), SAMPLE)
