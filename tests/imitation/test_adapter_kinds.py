"""Adapters beside LoRA: made, trained by SFT and CAPO, read back, merged, and taken part way."""

import pytest
import torch
from helpers.generation import logits
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset, train
from peft import AutoPeftModelForCausalLM, PeftModel

from capo_core.errors import ConfigError
from capo_core.imitation.models.adapter_kinds import ADAPTERS, block_size, kind_of
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.adapters import adapter_weights, new_adapter
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.training.calibration import between
from capo_core.imitation.training.config import (
    ADAPTER_KINDS,
    ADAPTER_TITLES,
    NO_STRENGTH,
    AdapterSettings,
)
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.kinds.retention import training_title
from capo_core.workspace import Workspace


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base") / "base")


def test_the_settings_name_the_kinds_that_there_are():
    assert tuple(ADAPTERS) == ADAPTER_KINDS
    assert tuple(kind.title for kind in ADAPTERS.values()) == ADAPTER_TITLES
    assert [kind.name for kind in ADAPTERS.values() if not kind.has_strength] == list(NO_STRENGTH)


def test_dropout_is_refused_where_peft_would_not_apply_it():
    with pytest.raises(ConfigError, match="OFT has none"):
        AdapterSettings(kind="oft", dropout=0.1)
    assert AdapterSettings(kind="dora", dropout=0.1).dropout == 0.1


@pytest.mark.parametrize("kind", ADAPTER_KINDS)
def test_a_new_adapter_has_no_effect_and_as_many_parameters_as_lora(base_folder, kind):
    plain = logits(load_base_model(base_folder).model)
    base = load_base_model(base_folder)
    before = base.parameters
    model = new_adapter(base, AdapterSettings(kind=kind, rank=4, alpha=8), 0)
    assert kind_of(model.peft_config["default"]) == kind
    assert (logits(model) - plain).abs().max() < 1e-5
    assert base.parameters == before
    size = sum(tensor.numel() for tensor in adapter_weights(model).values())
    lora = new_adapter(load_base_model(base_folder), AdapterSettings(rank=4, alpha=8), 0)
    usual = sum(tensor.numel() for tensor in adapter_weights(lora).values())
    assert size == pytest.approx(usual, rel=0.35)


def test_blocks_divide_every_layer(base_folder):
    model = load_base_model(base_folder).model  # 32 and 64 inputs
    assert [block_size(model, AdapterSettings(rank=rank)) for rank in (1, 4, 16)] == [4, 16, 32]
    only = AdapterSettings(rank=4, target_modules=("q_proj",))
    assert block_size(model, only) == 16


@pytest.mark.parametrize("kind", ["dora", "oft"])
def test_sft_and_capo_with_other_kinds(base_folder, tmp_path, kind):
    workspace, data = Workspace(tmp_path), tiny_dataset()
    config = sft_config(lora=AdapterSettings(kind=kind, rank=4, alpha=8))
    assert config.to_dict()["lora"]["kind"] == kind
    assert "kind" not in sft_config().to_dict()["lora"]  # runs of before keep their names
    sft = train(workspace, data, config, base_folder)
    capo = train(workspace, data, capo_config(epochs=1), sft)
    for run in (sft, capo):
        assert run.result["steps"] > 0
        card = (run.adapter / "README.md").read_text()
        assert f"{ADAPTERS[kind].title} adapter" in card and f", {kind}" in card
    alone = AutoPeftModelForCausalLM.from_pretrained(str(capo.adapter))
    assert kind_of(alone.peft_config["default"]) == kind
    trained = logits(alone)
    assert (trained - logits(load_base_model(base_folder).model)).abs().max() > 1e-3
    merged = logits(alone.merge_and_unload())
    assert (merged - trained).abs().max() < 1e-4
    again = load_base_model(base_folder).model
    assert training_title(sft) == f"SFT, {ADAPTERS[kind].title} ({sft.run_id})"
    assert torch.equal(logits(PeftModel.from_pretrained(again, str(capo.adapter))), trained)


def test_a_rotation_has_a_strength_and_dora_has_none(base_folder, tmp_path):
    workspace, data = Workspace(tmp_path), tiny_dataset()
    config = sft_config(lora=AdapterSettings(kind="oft", rank=4), learning_rate=2e-2)
    sft = train(workspace, data, config, base_folder)
    capo = train(workspace, data, capo_config(learning_rate=2e-2), sft)
    ends = {"sft": sft.adapter, "capo": capo.adapter}
    blend = Blend(load_base_model(base_folder), ends)
    alone = {}
    for name, folder in ends.items():
        model = PeftModel.from_pretrained(load_base_model(base_folder).model, str(folder))
        alone[name] = logits(model)
        blend.set({name: 1.0})
        assert torch.equal(logits(blend.base.model), alone[name])
    assert (alone["sft"] - alone["capo"]).abs().max() > 1e-3
    blend.set({})
    assert torch.equal(logits(blend.base.model), logits(load_base_model(base_folder).model))
    # Between both: the adapter that a calibrated run would save.
    blend.set({"sft": 0.75, "capo": 0.25})
    way = logits(blend.base.model)
    raw = {
        name: adapter_weights(
            PeftModel.from_pretrained(load_base_model(base_folder).model, str(folder))
        )
        for name, folder in ends.items()
    }
    mixed = between(raw["sft"], raw["capo"], 0.25)
    model = PeftModel.from_pretrained(load_base_model(base_folder).model, str(sft.adapter))
    with torch.no_grad():
        for name, tensor in adapter_weights(model).items():
            tensor.copy_(mixed[name])
    assert (logits(model) - way).abs().max() < 1e-5
    with pytest.raises(ConfigError, match="no strength to choose"):
        ExperimentConfig(
            dataset="d", targets=("A",), methods=("sft", "capo"),
            sft={"lora": {"kind": "dora"}}, capo={"calibrate": True},
        )  # fmt: skip


def test_adapters_of_different_kinds_are_used_one_after_the_other(base_folder, tmp_path):
    from capo_core.imitation.backends.transformers import TransformersBackend

    workspace, data = Workspace(tmp_path), tiny_dataset()
    runs = [
        train(workspace, data, sft_config(lora=AdapterSettings(kind=kind, rank=4)), base_folder)
        for kind in ("lora", "oft")
    ]
    backend = TransformersBackend(load_base_model(base_folder))
    for run in [*runs, runs[0]]:
        backend._load(str(run.adapter))
        assert list(backend._names) == ["", str(run.adapter)]
    with pytest.raises(ConfigError, match="no way between adapters of different kinds"):
        Blend(load_base_model(base_folder), {str(i): run.adapter for i, run in enumerate(runs)})
