"""Adapters at a strength: the ends are the adapters, the middle is the sum of weight deltas."""

import json

import pytest
import torch
from helpers.generation import (
    base_with_adapters,
    logits,
    split_dataset,
    tiny_base,
)
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from capo_core.errors import ConfigError, Stopped
from capo_core.imitation.models.adapter_strength import Blend, response_likelihoods
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import render, zero_shot
from capo_core.imitation.prompting.responses import items_of
from capo_core.imitation.training.scoring.engines import PairsEngine


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base and two adapters on it that change its logits a lot."""
    return base_with_adapters(tmp_path_factory.mktemp("strength"), "sft", "capo")


def blend(folders, *names: str) -> Blend:
    base = load_base_model(str(folders / "base"), device="cpu")
    return Blend(base, {name: folders / name for name in names})


def alone(folders, name: str) -> torch.Tensor:
    base = load_base_model(str(folders / "base"), device="cpu")
    return logits(PeftModel.from_pretrained(base.model, str(folders / name)).eval())


def added(folders, strengths: dict[str, float]) -> torch.Tensor:
    """By weights added to the base's own, in double precision, layer by layer."""
    base = load_base_model(str(folders / "base"), device="cpu")
    model = base.model.double()
    named = dict(model.named_modules())
    for name, strength in strengths.items():
        raw = load_file(folders / name / "adapter_model.safetensors")
        asked = json.loads((folders / name / "adapter_config.json").read_text())
        for key in [key for key in raw if key.endswith("lora_A.weight")]:
            layer = named[key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")]
            a, b = raw[key].double(), raw[key.replace("lora_A", "lora_B")].double()
            layer.weight.data += strength * asked["lora_alpha"] / asked["r"] * (b @ a)
    return logits(model).float()


def test_ends_are_the_two_adapters_exactly(folders):
    found = blend(folders, "sft", "capo")
    sft, capo = alone(folders, "sft"), alone(folders, "capo")
    assert (sft - capo).abs().max() > 1  # or nothing would be shown
    found.set({"sft": 1.0, "capo": 0.0})
    assert torch.equal(logits(found.base.model), sft)
    found.set({"sft": 0.0, "capo": 1.0})
    assert torch.equal(logits(found.base.model), capo)
    found.set({})
    assert torch.equal(
        logits(found.base.model), logits(load_base_model(str(folders / "base")).model)
    )


@pytest.mark.parametrize("strength", [0.25, 0.5, 0.75, 1.25])
def test_between_two_adapters_is_the_sum_of_their_weights(folders, strength):
    found, strengths = blend(folders, "sft", "capo"), {"sft": 1 - strength, "capo": strength}
    found.set(strengths)
    exact = added(folders, strengths)
    apart = (logits(found.base.model) - exact).abs().max() / exact.abs().max()
    assert apart < 1e-5
    # PEFT's "linear" is another thing.
    model = PeftModel.from_pretrained(
        load_base_model(str(folders / "base"), device="cpu").model, str(folders / "sft"), "sft"
    )
    model.load_adapter(str(folders / "capo"), "capo")
    model.add_weighted_adapter(["sft", "capo"], [1 - strength, strength], "mix", "cat")
    model.set_adapter("mix")
    assert (logits(model.eval()) - exact).abs().max() / exact.abs().max() < 1e-5
    if strength == 0.5:
        model.add_weighted_adapter(["sft", "capo"], [0.5, 0.5], "linear", "linear")
        model.set_adapter("linear")
        assert (logits(model.eval()) - exact).abs().max() / exact.abs().max() > 1e-2


def test_one_adapter_between_nothing_and_more_than_all(folders):
    found = blend(folders, "sft")
    for strength in (0.5, 1.25):
        found.set({"sft": strength})
        exact = added(folders, {"sft": strength})
        assert (logits(found.base.model) - exact).abs().max() / exact.abs().max() < 1e-5
    found.set({"sft": 1.0})  # strengths do not pile up
    assert torch.equal(logits(found.base.model), alone(folders, "sft"))
    assert not any(each.requires_grad for each in found.base.model.parameters())


def test_likelihoods_equal_the_plain_engine_in_any_batches(folders):
    base = load_base_model(str(folders / "base"), device="cpu")
    data = split_dataset(4, 5)
    renders = [
        render(
            zero_shot(data.task, item), ["short", "x" * 5 * (k + 1)][: 1 + k % 2], base.tokenizer
        )
        for k, item in enumerate(items_of(data, "test"))
    ]
    wanted = PairsEngine().score(base.model, renders, pad_id=0).log_probs.tolist()
    for batch_tokens in (1, 900, 100_000):
        found = response_likelihoods(base, renders, batch_tokens=batch_tokens)
        assert [len(row) for row in found] == [1, 2, 1, 2, 1]
        assert [each for row in found for each in row] == pytest.approx(wanted, abs=1e-3)

    def stop(what: str, share: float) -> None:
        raise Stopped("enough")

    with pytest.raises(Stopped):
        response_likelihoods(base, renders, progress=stop)


def test_what_has_no_strength_is_refused(folders, tmp_path):
    found = blend(folders, "sft")
    with pytest.raises(ConfigError, match="no adapter 'capo'"):
        found.set({"capo": 1.0})
    with pytest.raises(ConfigError, match=r"adapter_config\.json is missing"):
        Blend(load_base_model(str(folders / "base")), {"sft": tmp_path})
    other = tiny_base(tmp_path / "other", seed=9)
    biases = LoraConfig(r=2, bias="all", target_modules="all-linear", task_type="CAUSAL_LM")
    get_peft_model(other.model, biases).save_pretrained(tmp_path / "biases")
    with pytest.raises(ConfigError, match="it has no strength"):
        Blend(load_base_model(str(folders / "base")), {"sft": tmp_path / "biases"})
    dora = LoraConfig(r=2, use_dora=True, target_modules="all-linear", task_type="CAUSAL_LM")
    get_peft_model(other.model, dora).save_pretrained(tmp_path / "dora")
    found = Blend(load_base_model(str(folders / "base")), {"sft": tmp_path / "dora"})
    found.set({"sft": 1.0})
    found.set({})
    with pytest.raises(ConfigError, match="no strength between 0 and 1"):
        found.set({"sft": 0.5})
