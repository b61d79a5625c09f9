"""Shared beginnings, short attention and LoRA in one function: the numbers of the usual way."""

from __future__ import annotations

import random

import pytest
import torch
from helpers.architectures import ARCHITECTURES, by_hand, gradients, ids, item, tiny_model

from capo_core.imitation.models import fast_layers
from capo_core.imitation.models.fast_layers import SHORT_ATTENTION, speed_up
from capo_core.imitation.prompting.prompts import Rendered, common_tokens
from capo_core.imitation.training.scoring.choose import choose_engine
from capo_core.imitation.training.scoring.engines import GroupEngine, TreeEngine

SHARING = [GroupEngine(share_prefix=True), TreeEngine(share_prefix=True)]


def batch_with_a_beginning(tokens: int = 20) -> list[Rendered]:
    rng = random.Random(1)
    begin = ids(rng, tokens)
    items = [item(rng, 5, (7, 3, 9)), item(rng, 2, (5,)), item(rng, 8, (1, 8, 2, 6))]
    return [Rendered(begin + each.prompt, each.responses) for each in items]


def lora_model(kind: str, **settings):
    model = tiny_model(kind, lora=True, **ARCHITECTURES.get(kind, {}), **settings).eval()
    wanted = by_hand(model, batch_with_a_beginning())
    return model, wanted, gradients(model, wanted)


@pytest.mark.parametrize("engine", SHARING, ids=lambda engine: engine.name)
@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2", "phi3", "cohere", "granite"])
def test_a_shared_beginning_is_computed_once(kind, engine):
    model, wanted, slope = lora_model(kind)
    table = engine.score(model, batch_with_a_beginning(), pad_id=0)
    torch.testing.assert_close(table.log_probs, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(gradients(model, table.log_probs), slope, atol=1e-4, rtol=1e-4)
    alone = type(engine)().score(model, batch_with_a_beginning(), pad_id=0)
    rows = 3 if engine.name == "tree" else 8
    assert alone.computed_tokens - table.computed_tokens == 20 * (rows - 1)


@pytest.mark.parametrize("engine", SHARING, ids=lambda engine: engine.name)
def test_nothing_is_shared_that_needs_rows_of_its_own(engine):
    batch, short = batch_with_a_beginning(), batch_with_a_beginning(15)
    model = tiny_model("llama", lora=True).train()
    assert engine.shared_tokens(model, batch) == 20
    assert engine.shared_tokens(model, short) == 0
    assert engine.shared_tokens(model, [Rendered(batch[0].prompt, batch[0].responses[:1])]) == 0
    assert type(engine)().shared_tokens(model, batch) == 0
    model.base_model.model.model.layers[0].mlp.drop = torch.nn.Dropout(0.1)
    assert engine.shared_tokens(model, batch) == 0
    assert engine.shared_tokens(model.eval(), batch) == 20


def test_the_last_token_of_every_prompt_stays():
    assert common_tokens([(5, 6, 7), (5, 6, 7)]) == 2
    assert common_tokens([(5, 6, 7, 8), (5, 6, 7)]) == 2
    assert common_tokens([(5, 6, 7), (4, 6, 7), (5, 6)]) == 0


@pytest.mark.parametrize(
    ("kind", "shares"), [("llama", True), ("mistral", False), ("jamba", False)]
)
def test_the_choice_tests_whether_a_model_can_share(kind, shares):
    settings = {"sliding_window": 200} if kind == "mistral" else {}
    batch = batch_with_a_beginning()
    choice = choose_engine(tiny_model(kind, lora=kind != "jamba", **settings), batch[0])
    assert choice.engine.share_prefix is shares
    assert ("computed once" in choice.reason) is shares


@pytest.mark.parametrize("kind", ["llama", "qwen3", "mistral", "phi3", "granite"])
@pytest.mark.parametrize("engine", [GroupEngine(), *SHARING], ids=["group", "group+", "tree+"])
def test_the_functions_give_the_numbers_of_the_usual_way(kind, engine):
    model, wanted, slope = lora_model(kind)
    speed_up(model, "default")
    assert model.config._attn_implementation == SHORT_ATTENTION
    table = engine.score(model, batch_with_a_beginning(), pad_id=0)
    torch.testing.assert_close(table.log_probs, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(gradients(model, table.log_probs), slope, atol=1e-4, rtol=1e-4)


def test_long_texts_go_the_usual_way(monkeypatch):
    model, wanted, _ = lora_model("llama")
    speed_up(model, "default")
    monkeypatch.setattr(fast_layers, "MANY_WEIGHTS", 0)
    monkeypatch.setattr(fast_layers.ShortAttention, "apply", None)  # calling it would raise
    table = GroupEngine(share_prefix=True).score(model, batch_with_a_beginning(), pad_id=0)
    torch.testing.assert_close(table.log_probs, wanted, atol=1e-4, rtol=0)


def test_a_disabled_or_merged_adapter_is_respected(monkeypatch):
    model, _, _ = lora_model("llama")
    tokens = torch.tensor([batch_with_a_beginning()[0].prompt])
    with torch.no_grad(), model.disable_adapter():
        plain = model(input_ids=tokens).logits
    with torch.no_grad():
        adapted = model(input_ids=tokens).logits
    assert (plain - adapted).abs().max() > 0.1
    speed_up(model, "default")
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=tokens).logits, adapted, atol=1e-4, rtol=0)
        with model.disable_adapter():
            torch.testing.assert_close(model(input_ids=tokens).logits, plain, atol=1e-4, rtol=0)
        model.merge_adapter()
        torch.testing.assert_close(model(input_ids=tokens).logits, adapted, atol=1e-4, rtol=0)


def test_half_precision_stays_as_close_as_the_usual_way():
    exact = lora_model("llama")[1]
    batch = batch_with_a_beginning()
    model = tiny_model("llama", lora=True).eval().to(torch.bfloat16)
    speed_up(model, "default")
    table = GroupEngine(share_prefix=True).score(model, batch, pad_id=0)
    assert ((table.log_probs - exact).abs() / table.tokens).max() < 0.05
    table.log_probs.sum().backward()
    assert all(w.grad.dtype == w.dtype for w in model.parameters() if w.requires_grad)
