"""Scoring engines: from prompts with responses to one log-probability per response.

An engine lays the tokens of a batch out in the model's input, and applies the language-model head
only at the positions that matter, in float32. Between the last hidden state and the logits a model
may scale or soft-cap: so the head is reached through the model's own forward, with a hook in front
of it that passes only the requested positions.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, PreTrainedModel

from capo_core.errors import DataError
from capo_core.imitation.models.adapters import needs_own_rows
from capo_core.imitation.prompting.prompts import Rendered, common_tokens


@dataclass(frozen=True)
class BatchLayout:
    """A batch of B rows of T places, with P targets.

    Attributes:
        ids [B, T]: token ids, padded on the right.
        positions [B, T]: position of each token in its own text.
        segments [B, T]: 0 for the prompt, k for the k-th branch after it, -1 for padding.
        rows, columns [P]: the position whose output predicts each target.
        targets [P]: token ids.
        owner, place [P]: the target's response in the batch, and its position in the response.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    rows: Tensor
    columns: Tensor
    targets: Tensor
    owner: Tensor
    place: Tensor

    def to(self, device: torch.device) -> BatchLayout:
        """Return a copy on another device."""
        return BatchLayout(*(getattr(self, field.name).to(device) for field in fields(self)))


def lay_out(rows: Sequence[Rendered], pad_id: int) -> BatchLayout:
    """Lay out one row per entry: its prompt, then its responses as branches without last token.

    The last token of a response (its end) is predicted but predicts nothing, so it is not run
    through the model. The first token of every branch is predicted at the prompt's last place.
    """
    lines = [_line(row) for row in rows]
    width = max(len(line[0]) for line in lines)
    ids = np.full((len(rows), width), pad_id)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    segments = np.full((len(rows), width), -1)
    for number, (tokens, position, segment, _) in enumerate(lines):
        ids[number, : len(tokens)] = tokens
        positions[number, : len(tokens)] = position
        segments[number, : len(tokens)] = segment
    responses = [response for row in rows for response in row.responses]
    lengths = [len(response) for response in responses]
    per_row = [len(line[3]) for line in lines]
    parts = (
        ids,
        positions,
        segments,
        np.repeat(np.arange(len(rows)), per_row),
        np.concatenate([line[3] for line in lines]),
        np.concatenate(responses),
        np.repeat(np.arange(len(responses)), lengths),
        np.concatenate([np.arange(length) for length in lengths]),
    )
    return BatchLayout(*(torch.from_numpy(part) for part in parts))


def one_row_each(batch: Sequence[Rendered]) -> list[Rendered]:
    """Lay out every response in its own row, after its own copy of the prompt."""
    return [Rendered(item.prompt, (response,)) for item in batch for response in item.responses]


def _line(row: Rendered) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return tokens [t], positions [t], segments [t] and predicting columns [p] of one row."""
    start = len(row.prompt)
    branches = [len(response) - 1 for response in row.responses]
    lengths = np.array([start, *branches])
    begins = np.cumsum(lengths) - lengths
    tokens = np.concatenate([row.prompt, *(response[:-1] for response in row.responses)])
    segments = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(tokens))
    positions = places - begins[segments] + np.where(segments > 0, start, 0)
    columns = [
        np.r_[start - 1, begin : begin + length]
        for begin, length in zip(begins[1:], branches, strict=True)
    ]
    return tokens.astype(np.int64), positions, segments, np.concatenate([*columns, []]).astype(int)


@dataclass(frozen=True)
class ScoreTable:
    """Scores of all responses of a batch, item after item.

    Attributes:
        log_probs [R_total]: sum over the response's tokens of log p(token | before), nats, float32
            (float64 for a float64 model), with gradients where they are on.
        tokens [R_total]: tokens in each response, its end token included.
        explanation_log_probs, explanation_tokens [R_total]: the same of each response's tokens
            after its head (see `Rendered`): the explanation and the end, given the label.
        by_place [R_total, L]: the log-probability of each token of the response; 0 after its end.
        computed_tokens: positions computed by the model, padding included.
        engine: the engine used, which may differ from the requested one, see `TreeEngine`.
    """

    log_probs: Tensor
    tokens: Tensor
    explanation_log_probs: Tensor
    explanation_tokens: Tensor
    by_place: Tensor
    computed_tokens: int
    engine: str


# A common beginning of fewer tokens is not worth a pass of its own.
MIN_SHARED = 16


@dataclass(frozen=True)
class SharedPrefix:
    """The tokens with which all prompts of a batch begin, already computed.

    Attributes:
        length: number of tokens.
        cache: keys and values of the tokens, of one row, with gradients if enabled.
    """

    length: int
    cache: DynamicCache

    def for_rows(self, rows: int) -> DynamicCache:
        """Return a cache for a batch of rows that all begin with these tokens."""
        wide = DynamicCache()
        for number, layer in enumerate(self.cache.layers):
            wide.update(
                layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), number
            )
        return wide


class Engine(ABC):
    """Scores responses with a causal language model, which may carry adapters or a DDP wrapper.

    Attributes:
        share_prefix: whether tokens with which all prompts of a batch begin (instruction, chat
            frame) are computed once for the batch; for a model that allows it, see `choose`.
    """

    name: str
    share_prefix: bool = False

    def score(self, model, batch: Sequence[Rendered], *, pad_id: int) -> ScoreTable:
        """Compute the log-probabilities of all responses of `batch`, with gradients if enabled.

        Args:
            pad_id: any id of the vocabulary; padded positions do not affect the result.

        Raises:
            DataError: an empty prompt or response, or a batch without a response.
        """
        check_batch(batch)
        shared = self.shared_tokens(model, batch)
        rest = [replace(item, prompt=item.prompt[shared:]) for item in batch]
        layout = self.layout(rest, pad_id).to(inner_model(model).device)
        prefix = _read_prefix(model, batch[0].prompt[:shared]) if shared else None
        by_token = self.token_log_probs(model, layout, prefix)
        lengths = [len(response) for item in batch for response in item.responses]
        # Places are unique, so that the sum is the same in every run also on a GPU.
        table = by_token.new_zeros(len(lengths), max(lengths))
        table = table.index_put((layout.owner, layout.place), by_token)
        tokens = torch.tensor(lengths, device=table.device)
        heads = torch.tensor(
            [head for item in batch for head in item.heads or (0,) * len(item.responses)],
            device=table.device,
        ).minimum(tokens)  # a response may have been cut within its head
        explained = torch.arange(max(lengths), device=table.device) >= heads[:, None]
        return ScoreTable(
            table.sum(1),
            tokens,
            (table * explained).sum(1),
            tokens - heads,
            table,
            layout.ids.numel() + shared,
            self.name,
        )

    @abstractmethod
    def row_lengths(self, item: Rendered) -> list[int]:
        """Return the lengths of an item's rows in the layout, in tokens."""

    @abstractmethod
    def layout(self, batch: Sequence[Rendered], pad_id: int) -> BatchLayout:
        """Return the batch's layout in the model's input."""

    @abstractmethod
    def token_log_probs(
        self, model, layout: BatchLayout, prefix: SharedPrefix | None = None
    ) -> Tensor:
        """Return the log-probabilities of the layout's targets [P], after `prefix`."""

    def shared_tokens(self, model, batch: Sequence[Rendered]) -> int:
        """Return how many tokens at the beginning are computed once for the batch; 0 or more."""
        inner = inner_model(model)
        # Recomputed activations go without a cache; and with dropout each row has its own.
        if not self.share_prefix or (inner.training and needs_own_rows(inner)):
            return 0
        rows = sum(len(self.row_lengths(item)) for item in batch)
        shared = common_tokens([item.prompt for item in batch])
        return shared if rows > 1 and shared >= MIN_SHARED else 0


def _read_prefix(model, tokens: Sequence[int]) -> SharedPrefix:
    """Compute the keys and values of `tokens`."""
    inner, cache = inner_model(model), DynamicCache()
    ids = torch.tensor([tokens], device=inner.device)
    head = inner.get_output_embeddings()
    with before_head(head, lambda hidden: hidden[:, :1]):  # its logits are of no use
        model(input_ids=ids, past_key_values=cache, use_cache=True)
    return SharedPrefix(len(tokens), cache)


def prefix_inputs(prefix: SharedPrefix | None, rows: int) -> dict[str, Any]:
    """Return the model's inputs that continue `prefix` in a batch of rows."""
    if prefix is None:
        return {"use_cache": False}
    return {"past_key_values": prefix.for_rows(rows), "use_cache": True}


def inner_model(model) -> PreTrainedModel:
    """Return the model inside a wrapper for several processes; adapters remain active."""
    return getattr(model, "module", model)


def check_batch(batch: Sequence[Rendered]) -> None:
    """Raise `DataError` for texts without a log-probability."""
    if not any(item.responses for item in batch):
        raise DataError("a batch has no responses to score")
    for number, item in enumerate(batch):
        if not item.prompt or not all(item.responses):
            raise DataError(
                "a prompt or a response has no tokens",
                where=f"item {number + 1} of a batch",
                todo="look at the tokenizer, or leave the item out",
            )


@contextmanager
def scoring(inner) -> Iterator[None]:
    """Disable gradients and dropout; the model's mode is restored afterwards."""
    training = {module: module.training for module in inner.modules()}
    inner.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


# From this many logits on (1 GiB with all that the backward pass needs) they are not held at once.
MANY_LOGITS = 2**26


def log_probs_at(model, rows: Tensor, columns: Tensor, targets: Tensor, **inputs) -> Tensor:
    """Return the log-probability of each target at its position [P]; `inputs` are the model's."""
    inner = inner_model(model)
    head = inner.get_output_embeddings()
    if len(targets) * inner.config.get_text_config().vocab_size > MANY_LOGITS:
        after = after_head(inner)
        if after is not None:
            return _in_chunks(model, head, after, rows, columns, targets, inputs)
    picked: list[Tensor] = []

    def pick(hidden: Tensor) -> Tensor:
        picked.append(hidden[rows, columns][None])
        return picked[0]

    with before_head(head, pick):
        logits = model(**inputs).logits
    # A model that does not call its head as a module gives the logits of all places.
    return target_log_probs(logits[0] if picked else logits[rows, columns], targets)


def target_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the log softmax at the targets [P] of logits [P, V], in float32 or better."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return -F.cross_entropy(logits, targets, reduction="none")


@contextmanager
def before_head(head, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Make the head read `change(hidden)` instead of the hidden states [B, T, H]."""
    handle = head.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))
    try:
        yield
    finally:
        handle.remove()


def after_head(inner) -> Callable[[Tensor], Tensor] | None:
    """Return the function a model applies to its logits; None if it is unknown here.

    The configuration is verified against the model's own forward, on hidden states so large that a
    soft cap has an effect.
    """
    config = inner.config.get_text_config()
    scale = getattr(config, "logit_scale", None) or 1.0  # Cohere
    scale /= getattr(config, "logits_scaling", None) or 1.0  # Granite
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma

    def known(logits: Tensor) -> Tensor:
        logits = logits * scale if scale != 1 else logits
        return cap * torch.tanh(logits / cap) if cap else logits

    head, reached = inner.get_output_embeddings(), []

    def large(hidden: Tensor) -> Tensor:
        wave = torch.linspace(-50, 50, hidden.numel(), device=hidden.device).sin()
        reached.append(10 * wave.reshape(hidden.shape).to(hidden.dtype))
        return reached[0]

    ids = torch.zeros(1, 2, dtype=torch.long, device=inner.device)
    with torch.no_grad():
        with before_head(head, large):
            logits = inner(input_ids=ids, use_cache=False).logits
        same = reached and torch.allclose(
            known(head(reached[0].to(_dtype(head)))).float(), logits.float(), rtol=2e-2, atol=1e-3
        )
    return known if same else None


def _in_chunks(model, head, after, rows, columns, targets, inputs) -> Tensor:
    """Return `log_probs_at` from logits of a part at a time, recomputed in the backward pass."""
    picked: list[Tensor] = []

    def pick(hidden: Tensor) -> Tensor:
        picked.append(hidden[rows, columns])
        return hidden[:1, :1]  # the model wants to compute some logits

    with before_head(head, pick):
        model(**inputs)

    def part(hidden: Tensor, wanted: Tensor) -> Tensor:
        return target_log_probs(after(head(hidden.to(_dtype(head)))), wanted)

    chunks = math.ceil(2 * len(targets) * head.weight.shape[0] / MANY_LOGITS)
    return torch.cat(
        [
            checkpoint(part, hidden, wanted, use_reentrant=False)
            for hidden, wanted in zip(picked[0].chunk(chunks), targets.chunk(chunks), strict=True)
        ]
    )


def _dtype(head) -> torch.dtype:
    return head.weight.dtype
