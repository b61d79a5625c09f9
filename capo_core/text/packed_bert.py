"""Sentence embeddings of a BERT model without padding, apart from their choice and their cache.

Texts of equally many tokens are neighbours, so that all layers but the attention work on the tokens
of many texts as on one long list, and the attention on texts of one length, without a mask. The
numbers are those of sentence-transformers but for their last digits, at less than its cost and
without the seconds that it takes to be imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_TOKENS = 1024  # that go through the model at once: enough for full speed, few enough for the cache


class PackedBert:
    """A function from texts to unit-length embeddings, float32 [n, dim]: the mean of the tokens.

    Args:
        folder: of a BERT model with weights, tokenizer and configuration, as sentence-transformers
            saves it.

    Raises:
        OSError: a file is not there.
        ValueError: the model is of another kind.
    """

    def __init__(self, folder: Path) -> None:
        import torch
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (config["model_type"], config["hidden_act"]) != ("bert", "gelu"):
            raise ValueError(f"a model of the kind {config['model_type']}")
        longest = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        self.tokenizer = Tokenizer.from_str(text)
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest["max_seq_length"])
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        weights = load_file(folder / "model.safetensors", device=self.device)
        self.words = weights["embeddings.word_embeddings.weight"]
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        self.places = weights["embeddings.position_embeddings.weight"] + kind
        self.heads, self.epsilon = config["num_attention_heads"], config["layer_norm_eps"]

        def pair(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            return weights[f"{name}.weight"], weights[f"{name}.bias"]

        self.norm = pair("embeddings.LayerNorm")
        self.layers = []
        for number in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            own = [pair(f"{layer}.attention.self.{one}") for one in ("query", "key", "value")]
            joined = tuple(torch.cat(each) for each in zip(*own, strict=True))
            rest = ("attention.output.dense", "intermediate.dense", "output.dense")
            norms = ("attention.output.LayerNorm", "output.LayerNorm")
            self.layers.append((joined, *(pair(f"{layer}.{one}") for one in (*rest, *norms))))

    def __call__(self, texts: list[str]) -> np.ndarray:
        import torch

        result = np.empty((len(texts), self.words.shape[1]), dtype=np.float32)
        ids = [one.ids for one in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        with torch.inference_mode():
            for some in _batches(order, [len(one) for one in ids]):
                result[some] = self._embed([ids[index] for index in some]).cpu().numpy()
        return result

    def _embed(self, ids: list[list[int]]) -> torch.Tensor:
        """Return the embeddings of some texts' tokens, sorted by their number."""
        import torch
        from torch.nn.functional import gelu, linear, normalize

        shapes = [(len(list(same)), length) for length, same in groupby(map(len, ids))]
        places = torch.cat([torch.arange(length).repeat(count) for count, length in shapes])
        words = torch.tensor([token for text in ids for token in text])
        words, places = words.to(self.device), places.to(self.device)
        hidden = self._normed(self.words[words] + self.places[places], self.norm)
        for joined, out, wide, narrow, first, second in self.layers:
            seen = self._attention(linear(hidden, *joined), shapes)
            hidden = self._normed(linear(seen, *out).add_(hidden), first)
            inner = gelu(linear(hidden, *wide))
            hidden = self._normed(linear(inner, *narrow).add_(hidden), second)
        means = [
            part.view(count, length, -1).mean(dim=1)
            for part, (count, length) in zip(_parts(hidden, shapes), shapes, strict=True)
        ]
        return normalize(torch.cat(means), dim=1)

    def _attention(self, joined: torch.Tensor, shapes: list[tuple[int, int]]) -> torch.Tensor:
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        found = []
        for part, (count, length) in zip(_parts(joined, shapes), shapes, strict=True):
            split = part.view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            seen = scaled_dot_product_attention(*split)
            found.append(seen.transpose(1, 2).reshape(count * length, -1))
        return torch.cat(found)

    def _normed(self, hidden: torch.Tensor, norm: tuple) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(hidden, hidden.shape[-1:], *norm, self.epsilon)


def _parts(rows: torch.Tensor, shapes: list[tuple[int, int]]) -> tuple[torch.Tensor, ...]:
    """Return the rows of the texts of each length."""
    return rows.split([count * length for count, length in shapes])


def _batches(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Yield texts, by rising number of tokens, that go through the model together."""
    batch, tokens = [], 0
    for index in order:
        if batch and tokens + lengths[index] > _TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += lengths[index]
    if batch:
        yield batch
