"""Base models and adapters: what will not do is found before weights are read."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.tiny_training import LORA, tiny_base
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.imitation.models import base_model
from capo_core.imitation.models.adapters import (
    adapter_fingerprint,
    adapter_weights,
    load_adapter,
    new_adapter,
    ready_to_train,
    save_adapter,
)
from capo_core.imitation.models.base_files import base_model_fingerprint
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.training.config import AdapterSettings, SftConfig


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory) -> str:
    return tiny_base(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def copy(base_folder, tmp_path) -> Path:
    """A base that a test may damage."""
    return Path(shutil.copytree(base_folder, tmp_path / "copy"))


def other_model(folder: Path, tokenizer_of: str, model) -> Path:
    shutil.copytree(tokenizer_of, folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return folder


def test_a_base_is_frozen_and_knows_its_limits(base_folder):
    base = load_base_model(base_folder)
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert not base.model.training
    assert base.longest == 512 and base.pad_id == base.tokenizer.pad_token_id
    assert load_base_model(base_folder, precision="bf16").model.dtype == torch.bfloat16


def test_the_fingerprint_is_of_the_content(base_folder, copy):
    assert base_model_fingerprint(copy) == base_model_fingerprint(Path(base_folder))
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert base_model_fingerprint(copy) != base_model_fingerprint(Path(base_folder))


@pytest.mark.parametrize("name", ["FIXED_DAY", "SYSTEM_MESSAGE"])
def test_another_day_or_system_message_is_another_base(base_folder, monkeypatch, name):
    from capo_core.imitation.prompting import chat_template

    assert chat_template.rendering() == ""  # runs of earlier versions keep their identity
    before = base_model_fingerprint(Path(base_folder))
    monkeypatch.setattr(chat_template, name, "another")
    assert base_model_fingerprint(Path(base_folder)) != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/nowhere/at/all", "no folder"),
        ("./nowhere", "no folder"),
        ("", "no folder"),
        ("a/b/c", "no folder"),
    ],
)
def test_a_base_that_is_not_there(name, message):
    with pytest.raises(ConfigError, match=message):
        load_base_model(name)


def test_a_base_of_the_hub_without_a_hub(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BackendUnavailable, match=r"offline mode is on \(HF_HUB_OFFLINE=1\)") as off:
        load_base_model("nobody/nothing-at-all")
    assert "connection" not in str(off.value)

    def unreachable(*given, **more):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(BackendUnavailable, match=r"cannot be reached.*check the connection"):
        load_base_model("nobody/nothing-at-all")


def test_the_embedded_base_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("capo_core.imitation.models.base_files.EMBEDDED_BASE", tmp_path / "none")
    with pytest.raises(ConfigError, match="base build"):
        load_base_model("embedded")


def test_other_kinds_of_models_are_refused(base_folder, tmp_path):
    small = {"vocab_size": 600, "hidden_size": 16, "num_hidden_layers": 1}
    bert = BertForMaskedLM(BertConfig(**small, num_attention_heads=2, intermediate_size=16))
    t5 = T5ForConditionalGeneration(
        T5Config(vocab_size=600, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    for name, model in (("bert", bert), ("t5", t5)):
        folder = other_model(tmp_path / name, base_folder, model)
        with pytest.raises(ConfigError, match="no causal language model"):
            load_base_model(str(folder))


def test_weights_that_could_run_code_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"safetensors.*found pytorch_model.bin"):
        load_base_model(str(copy))


def test_a_model_with_code_of_its_own_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "mine.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ConfigError, match="code that comes with a model is not run"):
        load_base_model(str(copy))


def damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def damaged_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def missing_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def damaged_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("[]")


def no_end_token(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("eos_token")
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damaged_config, "config.json is damaged"),
        (damaged_weights, "cannot be read"),
        (missing_weights, "lack 1 of the model's weights"),
        (no_tokenizer, "no tokenizer"),
        (damaged_tokenizer, "tokenizer cannot be read"),
        (no_end_token, "no end-of-text token"),
    ],
)
def test_damage_is_named(copy, damage, message):
    damage(copy)
    with pytest.raises(ConfigError, match=message):
        load_base_model(str(copy))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_four_bits_and_gpus_need_a_gpu(base_folder):
    with pytest.raises(ConfigError, match="CUDA"):
        load_base_model(base_folder, quantise=True)
    with pytest.raises(ConfigError, match="no GPU"):
        load_base_model(base_folder, device="cuda")


def saved(base, folder: Path, seed: int = 1) -> Path:
    model = new_adapter(base, LORA, seed)
    save_adapter(folder, model, adapter_weights(model), base, {"run": "r"}, "card\n")
    return folder


def test_an_adapter_comes_back_as_it_was(base_folder, tmp_path):
    base = load_base_model(base_folder)
    model = new_adapter(base, LORA, 1)
    kept = {name: torch.randn_like(each) for name, each in adapter_weights(model).items()}
    save_adapter(tmp_path / "a", model, kept, base, {"run": "r"}, "card\n")
    again = load_adapter(load_base_model(base_folder), tmp_path / "a", trainable=True)
    assert adapter_weights(again).keys() == kept.keys()
    assert all(torch.equal(kept[name], each) for name, each in adapter_weights(again).items())
    trainable = [name for name, each in again.named_parameters() if each.requires_grad]
    assert len(trainable) == len(kept) and all(".lora_" in name for name in trainable)
    # The path of the base is where PEFT looks for it, and in no other file.
    told = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(base.folder)
    for path in (tmp_path / "a").iterdir():
        if path.name not in ("adapter_config.json", "adapter_model.safetensors"):
            assert str(base.folder) not in path.read_text()


def test_a_fresh_adapter_depends_on_its_seed_alone(base_folder):
    made = []
    for seed in (1, 1, 2):
        torch.rand(3)  # other draws in between change nothing
        made.append(adapter_weights(new_adapter(load_base_model(base_folder), LORA, seed)))
    name = next(name for name in made[0] if "lora_A" in name)
    assert torch.equal(made[0][name], made[1][name])
    assert not torch.equal(made[0][name], made[2][name])


def test_an_adapter_of_another_base_is_refused(base_folder, tmp_path):
    other = load_base_model(tiny_base(tmp_path / "other", seed=5))
    folder = saved(other, tmp_path / "a")
    with pytest.raises(ConfigError, match="another base model"):
        load_adapter(load_base_model(base_folder), folder)
    # Also where only its shapes tell.
    (folder / "capo.json").unlink()
    larger = load_base_model(tiny_base(tmp_path / "larger", hidden_size=64))
    with pytest.raises(ConfigError, match="another base model"):
        load_adapter(larger, folder)
    fewer = load_base_model(tiny_base(tmp_path / "fewer", num_hidden_layers=1))
    with pytest.raises(ConfigError, match="another base model"):
        load_adapter(fewer, folder)


def test_an_adapter_that_is_none_or_damaged(base_folder, tmp_path):
    base = load_base_model(base_folder)
    with pytest.raises(ConfigError, match="no adapter here"):
        load_adapter(base, tmp_path)
    with pytest.raises(ConfigError, match="an adapter, not a base model"):
        load_base_model(str(saved(load_base_model(base_folder), tmp_path / "a")))
    for name in ("adapter_model.safetensors", "adapter_config.json", "capo.json"):
        path = tmp_path / "a" / name
        whole = path.read_bytes()
        # Cut off, as after a power cut, and other JSON, as after an edit.
        for damaged in (whole[:50], bytes(len(whole)), b"[]", b"null", b"{"):
            path.write_bytes(damaged)
            with pytest.raises(
                ConfigError, match=rf"{name}: a file of the adapter is damaged.+do:"
            ):
                load_adapter(base, tmp_path / "a")
            if name == "adapter_config.json":
                with pytest.raises(ConfigError, match="a file of the adapter is damaged"):
                    adapter_fingerprint(tmp_path / "a")
        path.write_bytes(whole)
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="a file of the adapter is damaged"):
        load_adapter(base, tmp_path / "a")


def test_layers_that_the_base_does_not_have(base_folder):
    with pytest.raises(ConfigError, match="no adapter can be put"):
        new_adapter(
            load_base_model(base_folder), AdapterSettings(target_modules=("q_projection",)), 0
        )


def test_the_base_trains_without_its_own_dropout(base_folder, tmp_path):
    shape = {"vocab_size": 600, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64}
    folder = other_model(tmp_path / "gpt2", base_folder, GPT2LMHeadModel(GPT2Config(**shape)))
    model = new_adapter(load_base_model(str(folder)), AdapterSettings(rank=2, dropout=0.5), 0)
    ready_to_train(model, SftConfig())
    rates = {
        name: module.p
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Dropout)
    }
    adapter = {name for name in rates if ".lora_dropout." in name}
    assert adapter and all(rates[name] == 0.5 for name in adapter)
    assert all(rate == 0 for name, rate in rates.items() if name not in adapter)


@pytest.mark.parametrize(
    ("width", "capable", "half_s", "pays"),
    [(768, True, 0.4, True), (768, True, 0.9, False), (768, False, 0.4, False),
     (256, True, 0.4, False)],
)  # fmt: skip
def test_auto_takes_bfloat16_on_a_cpu_where_it_is_faster(monkeypatch, width, capable, half_s, pays):
    clock = [0.0]

    def product(x, weight):
        clock[0] += half_s if x.dtype == torch.bfloat16 else 1.0

    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: capable)
    monkeypatch.setattr(base_model.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(torch.nn.functional, "linear", product)
    base_model.half_precision_pays.cache_clear()
    assert base_model.half_precision_pays(width, 4 * width) is pays
    base_model.half_precision_pays.cache_clear()
