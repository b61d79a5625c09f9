"""Shared beginnings, short attention and LoRA in one function: the numbers of the usual way."""

from __future__ import annotations

import copy
import itertools
import random

import pytest
import torch
from helpers.architectures import ARCHITECTURES, by_hand, gradients, ids, item, tiny_model
from peft import LoraConfig
from peft.tuners.lora.layer import LoraLayer

from capo_core.imitation.models import fast_layers
from capo_core.imitation.models.fast_layers import SHORT_ATTENTION, speed_up, speed_up_answers
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


def two_adapters(dtype: torch.dtype, **settings):
    """A model with two LoRA adapters of random weights and different ranks and scales."""
    model = tiny_model("llama", lora=True, **settings)
    config = copy.copy(model.peft_config["default"])
    config.r, config.lora_alpha = 2 * config.r, 3 * config.lora_alpha
    model.add_adapter("more", config)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if ".more." in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.eval().to(dtype)


def strengths(model, **wanted: float) -> None:
    """Let the adapters act at so many times their own scale; the others not at all."""
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.set_adapter(list(wanted))
            for name, strength in wanted.items():
                config = model.peft_config[name]
                module.scaling[name] = strength * config.lora_alpha / config.r


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_answers_of_one_and_of_two_adapters_at_any_scale_are_the_usual_ones(kind, rows):
    usual, exact = two_adapters(kind), two_adapters(torch.float32)
    fast = two_adapters(kind)
    speed_up_answers(fast)
    tokens = torch.arange(2, 2 + rows)[None]
    bound = 1e-4 if kind is torch.float32 else 0.1
    seen = []
    for wanted in ({"default": 1}, {"default": 0.4, "more": 0.6}, {"default": 0.4, "more": 2}, {}):
        for model in (usual, fast, exact):
            strengths(model, **wanted)
        with torch.inference_mode():
            found = [each(input_ids=tokens).logits.float() for each in (usual, fast, exact)]
        torch.testing.assert_close(found[1], found[0], atol=bound, rtol=0.02)
        # No further from exact numbers than the usual way, but for chance.
        errors = [(each - found[2]).square().mean().sqrt().item() for each in found[:2]]
        assert errors[1] <= 1.1 * errors[0] + 1e-5
        seen.append(found[2])
    assert all((a - b).abs().max() > 0.3 for a, b in itertools.combinations(seen, 2))


def test_layers_of_answers_leave_training_alone():
    """What is trained later on the same layers goes the usual way, and learns."""
    model = two_adapters(torch.float32)
    speed_up_answers(model)
    model.set_adapter("default")
    model.train()
    tokens = torch.arange(2, 9)[None]
    model(input_ids=tokens, labels=tokens).loss.backward()
    trained = [each for each in model.parameters() if each.requires_grad]
    assert trained and all(each.grad.abs().sum() > 0 for each in trained)


def test_copies_of_weights_are_shared_by_twins_and_bounded(monkeypatch):
    model = two_adapters(torch.float32)
    speed_up_answers(model)
    twin = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    pairs = [
        (vars(own)["forward"], vars(same)["forward"])
        for own, same in zip(model.modules(), twin.modules(), strict=True)
        if type(own) is torch.nn.Linear and "forward" in vars(own)
    ]
    assert pairs
    for own, same in pairs:
        assert same.module is not own.module and same._packed is own._packed
    small = two_adapters(torch.float32)
    monkeypatch.setattr(fast_layers, "PACKED_BYTES", 1000)
    speed_up_answers(small)
    assert not any(
        "forward" in vars(each) for each in small.modules() if type(each) is torch.nn.Linear
    )
    tokens = torch.arange(2, 9)[None]
    with torch.inference_mode():
        found = [each(input_ids=tokens).logits for each in (model, twin, small)]
    for each in found[1:]:
        torch.testing.assert_close(each, found[0], atol=1e-4, rtol=0)


def logits_of(model, tokens=tuple(range(2, 9))) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens])).logits


@pytest.mark.parametrize("more", [{"use_dora": True}, {"lora_bias": True}], ids=["dora", "bias"])
def test_another_kind_of_adapter_that_is_loaded_later_is_respected(more):
    """Adapters of one team may be of different kinds, and PEFT holds them beside each other."""
    usual, fast = tiny_model("llama", lora=True), tiny_model("llama", lora=True)
    for model in (usual, fast):
        if model is fast:
            speed_up_answers(model)
            logits_of(model.eval())
        config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], **more)
        torch.manual_seed(2)
        model.add_adapter("later", config)
        for name, weight in model.named_parameters():
            if ".later" in name and "magnitude" not in name:
                torch.nn.init.normal_(weight, std=0.2)
        model.set_adapter("later")
        model.eval()
    speed_up_answers(fast)
    found = logits_of(usual)
    torch.testing.assert_close(logits_of(fast), found, atol=1e-4, rtol=0)
    fast.set_adapter("default")
    assert (logits_of(fast) - found).abs().max() > 0.1


def test_weights_that_change_are_not_answered_by_their_copies():
    model = two_adapters(torch.float32)
    strengths(model, default=1)
    speed_up_answers(model)
    before = logits_of(model)
    base = model.get_base_model()
    layer = base.model.layers[0].self_attn.q_proj
    with torch.no_grad():
        layer.base_layer.weight.mul_(2)  # as adapters do that change the base (PiSSA)
        base.lm_head = copy.deepcopy(base.lm_head)  # as adapters with a head of their own
        base.lm_head.weight.mul_(3)
    changed = logits_of(model)
    assert (changed - before).abs().max() > 0.1
    with torch.no_grad():
        layer.lora_A["default"].weight.add_(0.1)  # as another adapter loaded under the same name
    speed_up_answers(model)
    assert (logits_of(model) - changed).abs().max() > 0.1
    changed = logits_of(model)
    for module in model.modules():
        vars(module).pop("forward", None)
    torch.testing.assert_close(changed, logits_of(model), atol=1e-4, rtol=0)


def test_answers_read_prompts_by_the_usual_attention_and_single_tokens_by_ours(monkeypatch):
    model = tiny_model("llama").eval()
    wanted = logits_of(model)
    seen = []
    own = fast_layers._attention_of_one
    monkeypatch.setattr(
        fast_layers, "_attention_of_one", lambda *a: seen.append(a[0].shape) or own(*a)
    )
    speed_up_answers(model)
    assert model.config._attn_implementation == fast_layers.ANSWER_ATTENTION
    torch.testing.assert_close(logits_of(model), wanted, atol=1e-4, rtol=0)
    assert not seen
    with torch.inference_mode():
        first = model(input_ids=torch.arange(2, 8)[None], use_cache=True)
        last = model(input_ids=torch.tensor([[8]]), past_key_values=first.past_key_values)
    assert len(seen) == model.config.num_hidden_layers
    torch.testing.assert_close(last.logits[:, -1], wanted[:, -1], atol=1e-4, rtol=0)
