"""A small split dataset, a tiny random Llama and adapters on it, for the tests of generation."""

from pathlib import Path

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.task import NLI

WORDS = [
    "fox",
    "river",
    "lamp",
    "bridge",
    "apple",
    "storm",
    "garden",
    "violin",
    "window",
    "teacher",
    "boat",
    "candle",
]
LABELS = NLI.scale.labels


def split_dataset(train: int = 20, test: int = 6, annotators: tuple[str, ...] = ("1", "2")):
    """Items i0, i1, … with different texts, the last `test` of them in the test part."""
    n = train + test
    items = pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(n)],
            "text_a": [f"A {WORDS[k % 12]} near the {WORDS[k * 5 % 12]} {k}" for k in range(n)],
            "text_b": [f"There is a {WORDS[k * 7 % 12]} {k}" for k in range(n)],
            "split": ["train"] * train + ["test"] * test,
        }
    )
    rows = [(k, who) for k in range(n) for who in annotators]
    annotations = pd.DataFrame(
        {
            "annotation_id": [f"x{k}-{who}" for k, who in rows],
            "item_id": [f"i{k}" for k, _ in rows],
            "annotator_id": [who for _, who in rows],
            "label": [LABELS[(k + annotators.index(who)) % 3] for k, who in rows],
            "explanation": [f"Said by {who} about {WORDS[k % 12]} {k}" for k, who in rows],
            "valid": "unknown",
        }
    )
    return Dataset("small", NLI, items, annotations)


def tiny_base(folder: Path, *, positions: int = 512, seed: int = 0):
    """A random Llama (hidden 32, 2 layers) with a byte-level tokenizer, saved and loaded."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from capo_core.imitation.models.base_model import load_base_model

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: k for k, token in enumerate(["<end>", *letters])}
    raw = Tokenizer(models.BPE(vocabulary, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary) + 3,  # a few outputs that no token belongs to
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=None,
        eos_token_id=0,
        initializer_range=0.3,  # sharp enough that adapters change what is written
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return load_base_model(str(folder), device="cpu")


def tiny_adapter(base_folder: Path, folder: Path, *, seed: int, modules="all-linear") -> Path:
    """A random LoRA adapter, strong enough to change what the base writes."""
    import torch
    from peft import LoraConfig, get_peft_model

    from capo_core.imitation.models.base_model import load_base_model

    base = load_base_model(str(base_folder), device="cpu")
    torch.manual_seed(seed)
    model = get_peft_model(
        base.model, LoraConfig(r=4, lora_alpha=8, target_modules=modules, task_type="CAUSAL_LM")
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return folder


def base_with_adapters(folder: Path, *adapters: str, **settings) -> Path:
    """A folder with the tiny base in "base", and adapters of it (seeds 1, 2, …) in `adapters`."""
    tiny_base(folder / "base", **settings)
    for seed, name in enumerate(adapters, start=1):
        tiny_adapter(folder / "base", folder / name, seed=seed)
    return folder


def local_backend(place: Path, **settings):
    """The backend of the base in a folder of `base_with_adapters`."""
    from capo_core.imitation.backends.transformers import TransformersBackend
    from capo_core.imitation.models.base_model import load_base_model

    return TransformersBackend(load_base_model(str(place / "base"), device="cpu"), **settings)


def logits(model):
    """Logits of a model for some tokens: float32 [1, 8, vocabulary]."""
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([[5, 9, 33, 70, 12, 101, 44, 8]])).logits
