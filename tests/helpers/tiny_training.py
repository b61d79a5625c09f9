"""A tiny base model, a tiny dataset: training in a second."""

from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from capo_core.dataset import Dataset
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.prompting.prompts import render, write_response, zero_shot
from capo_core.imitation.prompting.responses import history, items_of
from capo_core.imitation.training.config import AdapterSettings, CapoConfig, SftConfig
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.training import capo_request, run_training, sft_request
from capo_core.task import NLI
from capo_core.workspace import Workspace

SUBJECTS = ("cat", "dog", "boat", "child", "train", "baker", "river", "horse")
VERBS = ("sleeps", "runs", "waits", "sings")
LABELS = NLI.scale.labels
CHAT = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<answer>"
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


def taught_base(folder: Path, dataset: Dataset, steps: int = 100) -> str:
    """A Llama shaped as real ones are (grouped heads, tied embeddings, a chat template) that
    answers in form, in the manner of any of the annotators; its folder's name."""
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    tiny_base(folder, hidden_size=64, intermediate_size=128, tie_word_embeddings=True, **heads)
    model = LlamaForCausalLM.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = CHAT
    items = {item.item_id: item for item in items_of(dataset, "train")}
    rows = []
    for who in dataset.annotators:
        for each in history(dataset, who, least=1).responses:
            text = write_response(each.label, each.explanation)
            read = render(zero_shot(dataset.task, items[each.item_id]), [text], tokenizer)
            rows.append((*read.prompt, *read.responses[0], len(read.responses[0])))
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    wanted = torch.full_like(ids, -100)
    for row, (*tokens, answer) in enumerate(rows):
        ids[row, -len(tokens) :] = torch.tensor(tokens)
        wanted[row, -answer:] = ids[row, -answer:]
    read = (ids != tokenizer.pad_token_id).long()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(0)
    for _ in range(steps):
        part = torch.randperm(len(rows), generator=draw)[:16]
        model(input_ids=ids[part], attention_mask=read[part], labels=wanted[part]).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    """The tensors of a finished run's adapter."""
    return load_file(folder.adapter / WEIGHTS)


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
