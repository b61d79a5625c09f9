"""A tiny base model, a tiny dataset: training in a second."""

from pathlib import Path

import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from capo_core.dataset import Dataset
from capo_core.imitation.training.config import AdapterSettings, CapoConfig, SftConfig
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.training import capo_request, run_training, sft_request
from capo_core.task import NLI
from capo_core.workspace import Workspace

SUBJECTS = ("cat", "dog", "boat", "child", "train", "baker", "river", "horse")
VERBS = ("sleeps", "runs", "waits", "sings")
LABELS = NLI.scale.labels
MANNERS = {
    "A": "Because the premise says so about the {}.",
    "B": "I think the {} might be it; hard to say!",
    "C": "{}: no evidence, none at all.",
}


def tiny_dataset(train: int = 14, validation: int = 4, test: int = 2, valid: str = "true"):
    """Three annotators, each with a manner and labels of their own."""
    total = train + validation + test
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    items = pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(total)],
            "text_a": [f"The {SUBJECTS[n % 8]} {VERBS[n % 4]} at {n}." for n in range(total)],
            "text_b": [f"A {SUBJECTS[n % 8]} is there." for n in range(total)],
            "split": splits,
        }
    )
    rows = [
        (f"{n}{who}", f"i{n}", who, LABELS[(n + shift) % 3], manner.format(SUBJECTS[n % 8]), valid)
        for n in range(total)
        for shift, (who, manner) in enumerate(MANNERS.items())
    ]
    columns = ["annotation_id", "item_id", "annotator_id", "label", "explanation", "valid"]
    return Dataset("tiny", NLI, items, pd.DataFrame(rows, columns=columns))


def tiny_base(folder: Path, seed: int = 0, **settings) -> str:
    """A random Llama of two layers with a tokenizer of the dataset's words; its folder's name."""
    data = tiny_dataset()
    texts = [*data.items["text_a"], *data.items["text_b"], *data.annotations["explanation"]]
    texts += ["Task: Answer in two lines. Label: Explanation: Premise Hypothesis", NLI.instruction]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=["<end>", "<pad>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<end>", pad_token="<pad>"
    )
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(**{**shape, **settings})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


LORA = AdapterSettings(rank=4, alpha=8)


def sft_config(**settings) -> SftConfig:
    """Two short epochs."""
    return SftConfig(
        **{
            "epochs": 2,
            "items_per_step": 4,
            "learning_rate": 5e-3,
            "checkpoint_every": 2,
            "sample_every": 0,
            "lora": LORA,
            **settings,
        }
    )


def capo_config(**settings) -> CapoConfig:
    """The same for CAPO."""
    defaults = {"epochs": 2, "items_per_step": 4, "checkpoint_every": 2, "sample_every": 0}
    return CapoConfig(**{**defaults, "learning_rate": 5e-3, "nll": 0.0, **settings})


def train(
    workspace: Workspace,
    dataset: Dataset,
    config: SftConfig | CapoConfig,
    start: str | RunFolder,
    **more,
) -> RunFolder:
    """A's finished run in the workspace: SFT on the base `start`, or CAPO from the SFT run."""
    request = capo_request if isinstance(config, CapoConfig) else sft_request
    asked = request(dataset, "A", config, start)
    return run_training(asked, workspace, dataset=dataset, **more)
