"""Decoding of a batch on a model of this machine: cache, sampling, and scores of options.

The tokens that all prompts of a batch begin with (instruction, chat frame, in-context examples) are
computed once, as one row, and their keys and values copied into the batch's cache, or, where they
are many, held once for all rows (`prefix_attention`); the next batch that begins alike uses them
again. Rows that have ended leave the batch. Models whose state is no
list of keys and values (Mamba, RWKV) read the whole text again for each token.

Our own loop and not `generate`: that one keeps rows that have ended until the longest is done,
copies the whole cache for each token, and cannot score options between prompt and explanation.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from capo_core.errors import BackendUnavailable
from capo_core.imitation.backends.base import Decoding
from capo_core.imitation.backends.prefix_attention import MIN_HELD, held_prefix, holds_prefixes
from capo_core.imitation.prompting.prompts import common_length, common_tokens

READ_TOGETHER = 16  # prompts on a CPU; more at once compute more padding, and gain nothing
MIN_PREFIX = 16  # tokens; a shorter common beginning is not worth a pass of its own
NUCLEUS_TOKENS = (256, 4096)  # so many of the likeliest are looked at before all are sorted


class SeededSampling:
    """Draws of each row's tokens from the row's own random numbers.

    The t-th token of a row is drawn by inversion: the token at which the cumulative probability,
    over the vocabulary in its order, passes the row's t-th uniform number. So a row's answer
    depends on its prompt and seed, not on what else is in the batch, nor on the device's random
    numbers.

    Args:
        seeds: one for each row.
        decoding: temperature 0 takes the likeliest token instead of drawing.
        vocabulary: size of the tokenizer's vocabulary; a model may have a few more outputs.
    """

    def __init__(self, seeds: Sequence[int], decoding: Decoding, vocabulary: int) -> None:
        self._uniform = torch.from_numpy(
            np.stack(
                [np.random.default_rng(seed).random(decoding.max_new_tokens) for seed in seeds]
            )
        )
        self._temperature, self._top_p = decoding.temperature, decoding.top_p
        self._vocabulary = vocabulary

    def draw(self, scores: Tensor, rows: Sequence[int], step: int) -> Tensor:
        """Return the tokens [rows] drawn from `scores` [rows, vocabulary] for the `step`-th place.

        Args:
            rows: the number of each row among `seeds`.
        """
        scores = known_scores(scores, self._vocabulary)
        if self._temperature == 0:
            return scores.argmax(-1)
        probabilities = (scores / self._temperature).softmax(-1)
        tokens = None
        if self._top_p < 1:
            tokens, probabilities = nucleus(probabilities, self._top_p)
        cumulative = probabilities.double().cumsum(-1)
        uniform = self._uniform[list(rows), step].to(scores.device)
        # Below the total of what may be drawn, so that rounding cannot point past the last token.
        target = (uniform * cumulative[:, -1])[:, None]
        place = torch.searchsorted(cumulative, target, right=True)
        place = place.clamp(max=cumulative.shape[1] - 1)
        return (place if tokens is None else tokens.gather(1, place))[:, 0]


def known_scores(scores: Tensor, vocabulary: int) -> Tensor:
    """Return the scores of the tokenizer's own tokens, float32 [rows, vocabulary].

    Raises:
        BackendUnavailable: a score is not a number.
    """
    scores = scores[:, :vocabulary].float()
    if scores.isnan().any():
        raise BackendUnavailable(
            "the model's probabilities are not numbers", todo="load it with --precision fp32"
        )
    return scores


def nucleus(probabilities: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return each row's nucleus: its tokens in ascending order, and their probabilities.

    The nucleus: the likeliest tokens that together reach `share` (Holtzman et al. 2020, arXiv
    1904.09751). Both results are [rows, n]; tokens outside of a row's nucleus have probability 0.
    """
    width = probabilities.shape[1]
    for n in (*(n for n in NUCLEUS_TOKENS if n < width), width):
        found = _nucleus_within(probabilities, share, n)
        if found is not None:  # else a nucleus is larger, or ends within equal probabilities
            break
    return found


def _nucleus_within(probabilities: Tensor, share: float, n: int) -> tuple[Tensor, Tensor] | None:
    """Return the nucleus among the `n` likeliest tokens; None if that may not be all of it."""
    width = probabilities.shape[1]
    tokens = probabilities.topk(n).indices if n < width else None
    tokens = (
        torch.arange(width, device=probabilities.device).expand_as(probabilities)
        if tokens is None
        else tokens.sort(-1).values
    )
    own = probabilities.gather(1, tokens)
    ordered, order = torch.sort(own, dim=-1, descending=True, stable=True)
    # A token stays if those before it have not reached the share yet: the first always does.
    inside = ordered.cumsum(-1) - ordered < share
    if n < width:
        last = ordered.where(inside, torch.inf).amin(-1)
        if bool((last <= ordered[:, -1]).any()):
            return None
    kept = ordered.where(inside, 0.0)
    return tokens, torch.zeros_like(own).scatter(1, order, kept)


class BufferedLayer(DynamicLayer):
    """Keys and values of one layer in a buffer that is written in place.

    transformers' own layer copies everything for each new token.

    Args:
        room: tokens the buffer holds before it has to grow.

    Attributes:
        order: for the next `update` of rows with unequal numbers of new tokens, the places
            [rows, all tokens] in the order that brings padding to the front; None for no change.
    """

    order: Tensor | None = None

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room, self._length = room, 0
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any):
        """Append [rows, heads, tokens, size] and return all keys and all values."""
        end = self._length + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            self._grow(key_states, value_states, max(self._room, end + end // 4))
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = new
            if self.order is not None:
                index = self.order[:, None, :, None].expand(-1, new.shape[1], -1, new.shape[3])
                buffer[:, :, :end] = buffer[:, :, :end].gather(2, index)
        self._show(end)
        return self.keys, self.values

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self._show(length)

    def put(self, rows: Tensor, part: BufferedLayer, count: int, length: int) -> None:
        """Take all that `part` holds as the last tokens of these rows, of `count` rows with
        `length` tokens; what is before it is zero, and hidden by a mask."""
        if self._buffers is None:
            shape = (count, part.keys.shape[1], max(self._room, length))
            self._buffers = tuple(
                each.new_empty((*shape, each.shape[-1])) for each in (part.keys, part.values)
            )
            for buffer in self._buffers:
                buffer[:, :, :length] = 0
            self.dtype, self.device, self.is_initialized = part.dtype, part.device, True
        for buffer, own in zip(self._buffers, (part.keys, part.values), strict=True):
            buffer[rows, :, length - own.shape[2] : length] = own
        self._show(length)

    def _show(self, length: int) -> None:
        self._length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)

    def select(self, rows: Tensor) -> None:
        """Keep these rows alone."""
        length = self._length
        self._buffers = tuple(buffer[rows] for buffer in self._buffers)
        self._show(length)

    def _grow(self, keys: Tensor, values: Tensor, room: int) -> None:
        old = self._buffers
        self._buffers = tuple(
            new.new_empty((*new.shape[:2], room, new.shape[-1])) for new in (keys, values)
        )
        if old is not None:
            for buffer, before in zip(self._buffers, old, strict=True):
                buffer[:, :, : self._length] = before[:, :, : self._length]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True


class PrefixedLayer(BufferedLayer):
    """Keys and values of rows after a prefix of `before` tokens that is held elsewhere."""

    def __init__(self, before: int, room: int) -> None:
        super().__init__(room)
        self._before = before

    def get_seq_length(self) -> int:
        return self._before + self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many own tokens there will be, and how many tokens are before them."""
        return self._length + query_length, self._before

    def truncate(self, length: int) -> None:
        self._show(length - self._before)


@dataclass
class Prefix:
    """Tokens that were read as one row, with their keys and values [1, heads, tokens, size]."""

    adapter: str
    ids: tuple[int, ...]
    layers: list[tuple[Tensor, Tensor]]


class DecoderModel:
    """A model on this machine, called one stretch of tokens at a time.

    Args:
        model: the base model, or a PEFT model around it.
        base: the base model.
    """

    def __init__(self, model: Any, base: Any) -> None:
        self.model, self._base = model, base
        accepted = inspect.signature(base.forward).parameters
        self._positions = "position_ids" in accepted
        self._last_only = "logits_to_keep" in accepted
        self.cacheable = _keys_and_values_only(base)
        self._prefix: Prefix | None = None
        self.holds_prefixes = self.cacheable and holds_prefixes(base)
        head = base.get_output_embeddings()
        if head is not None and _contiguous not in head._forward_pre_hooks.values():
            head.register_forward_pre_hook(_contiguous)

    @property
    def device(self) -> torch.device:
        return self._base.device

    @contextmanager
    def adapter(self, name: str) -> Iterator[None]:
        """Compute with the adapter `name` ("" for the bare model) for a while."""
        if not isinstance(self.model, PeftModel):
            yield
            return
        if name:
            self.model.set_adapter(name, inference_mode=True)
        with nullcontext() if name else self.model.disable_adapter():
            yield

    def logits(
        self,
        ids: Tensor,
        mask: Tensor,
        cache: DynamicCache | None,
        keep: int = 1,
        held: Prefix | None = None,
    ) -> Tensor:
        """Return logits [rows, keep, vocabulary] of the tokens that follow the last `keep` places.

        Args:
            ids: the new tokens, [rows, new].
            mask: 1 for a token, 0 for padding, of all tokens so far: [rows, before + new].
            held: what all rows begin with, if the cache does not have it.
        """
        more: dict[str, Any] = {}
        if self._positions:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            more["position_ids"] = positions[:, -ids.shape[1] :]
        if self._last_only:
            more["logits_to_keep"] = keep
        if cache is not None:
            more |= {"past_key_values": cache, "use_cache": True}
        with held_prefix(self._base, held.layers) if held else nullcontext():
            return self.model(input_ids=ids, attention_mask=mask, **more).logits[:, -keep:]

    def prefix(self, adapter: str, ids: tuple[int, ...]) -> Prefix:
        """Return the prefix with keys and values; what the last one has of it is not read again."""
        known = self._prefix
        same = common_length((known.ids, ids)) if known and known.adapter == adapter else 0
        cache, room = DynamicCache(), len(ids)
        if same:
            cache.layers = [_filled(keys, values, same, 1, room) for keys, values in known.layers]
        else:
            cache.layers = [BufferedLayer(room) for _ in range(self._layers())]
        if same < len(ids):
            new = torch.tensor([ids[same:]], device=self.device)
            self.logits(new, torch.ones((1, len(ids)), dtype=torch.long, device=self.device), cache)
        self._prefix = Prefix(adapter, ids, [(each.keys, each.values) for each in cache.layers])
        return self._prefix

    def new_cache(
        self, prefix: Prefix | None, rows: int, room: int, *, held: bool = False
    ) -> DynamicCache:
        """Return a cache for `rows` rows that begin with `prefix`, with room for `room` tokens.

        Args:
            held: the cache is for what comes after the prefix alone.
        """
        cache = DynamicCache()
        if held:
            before = len(prefix.ids)
            cache.layers = [PrefixedLayer(before, room - before) for _ in prefix.layers]
        elif prefix is None:
            cache.layers = [BufferedLayer(room) for _ in range(self._layers())]
        else:
            cache.layers = [
                _filled(keys, values, len(prefix.ids), rows, room) for keys, values in prefix.layers
            ]
        return cache

    def _layers(self) -> int:
        return self._base.config.get_text_config().num_hidden_layers


def _contiguous(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return a layer's inputs without gaps.

    The last places of many rows lie apart in memory, and PyTorch then multiplies row by row with a
    copy of the whole matrix for each: 2.7 GB for 48 rows of SmolLM2's vocabulary.
    """
    return (inputs[0].contiguous(), *inputs[1:])


def _filled(keys: Tensor, values: Tensor, length: int, rows: int, room: int) -> BufferedLayer:
    layer = BufferedLayer(room)
    layer.update(*(each[:, :, :length].expand(rows, -1, -1, -1) for each in (keys, values)))
    return layer


def _keys_and_values_only(base: Any) -> bool:
    """Return whether the model's state is keys and values of all tokens, in every layer."""
    config = base.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        "past_key_values" in inspect.signature(base.forward).parameters
        and not getattr(base, "_is_stateful", False)
        and kinds <= {"full_attention", "sliding_attention"}
        and not getattr(config, "num_kv_shared_layers", 0)
    )


class DecodedRows:
    """Rows that are decoded together.

    Args:
        prompts: each row's tokens so far, one at least.
        adapter: name of the adapter of all rows; "" for none.
        room: tokens that will be fed to a row at most.
        share: compute the tokens that all prompts begin with once.

    Attributes:
        logits: scores of each row's next token, [rows, vocabulary].
    """

    def __init__(
        self,
        model: DecoderModel,
        prompts: Sequence[tuple[int, ...]],
        *,
        adapter: str,
        pad_id: int,
        room: int,
        share: bool = True,
    ) -> None:
        self._model, self._pad = model, pad_id
        shared = 0
        if share and model.cacheable:
            # One token at least is each row's own: the scores follow it.
            shared = common_tokens(prompts)
            shared = shared if shared >= MIN_PREFIX else 0
        prefix = model.prefix(adapter, tuple(prompts[0][:shared])) if shared else None
        self._held = prefix if shared >= MIN_HELD and model.holds_prefixes else None
        self._room = max(map(len, prompts)) + room
        self.logits: Tensor = torch.empty(0)
        parts = [range(len(prompts))]
        if model.cacheable and model.device.type == "cpu":
            parts = _of_like_lengths(list(map(len, prompts)))
        if len(parts) == 1:
            self._read(prompts, prefix)
        else:
            self._read_in_parts(prompts, prefix, parts)

    def _read(self, prompts: Sequence[tuple[int, ...]], prefix: Prefix | None) -> None:
        """Read all prompts at once, padded to the longest."""
        model, shared = self._model, len(prefix.ids) if prefix else 0
        self._cache = None
        if model.cacheable:
            self._cache = model.new_cache(prefix, len(prompts), self._room, held=bool(self._held))
        self._ids = torch.tensor([prompts[0][:shared]] * len(prompts), device=model.device).long()
        self._mask = torch.ones_like(self._ids)
        self.feed([row[shared:] for row in prompts])

    def _read_in_parts(
        self,
        prompts: Sequence[tuple[int, ...]],
        prefix: Prefix | None,
        parts: Sequence[Sequence[int]],
    ) -> None:
        """Read prompts of like lengths together, so that less is computed for padding."""
        model, held = self._model, len(prefix.ids) if self._held else 0
        count, longest = len(prompts), max(map(len, prompts))
        self._mask = torch.zeros((count, longest), dtype=torch.long, device=model.device)
        self._ids = torch.full_like(self._mask, self._pad)
        self._cache = model.new_cache(self._held, count, self._room, held=bool(self._held))
        for numbers in parts:
            part = copy.copy(self)
            part._room = 0
            part._read([prompts[number] for number in numbers], prefix)
            rows = torch.tensor(list(numbers), device=model.device)
            start = longest - (part.length - held)
            for whole, own in ((self._ids, part._ids), (self._mask, part._mask)):
                whole[rows, :held] = own[:, :held]
                whole[rows, start:] = own[:, held:]
            for whole, own in zip(self._cache.layers, part._cache.layers, strict=True):
                whole.put(rows, own, count, longest - held)
            if not len(self.logits):
                self.logits = part.logits.new_empty((count, part.logits.shape[1]))
            self.logits[rows] = part.logits

    def __len__(self) -> int:
        return len(self._mask)

    @property
    def length(self) -> int:
        """Tokens so far of the padded rows."""
        return self._mask.shape[1]

    def feed(self, tokens: Sequence[Sequence[int]], keep: int = 1) -> Tensor:
        """Append tokens to each row, one at least; return logits [rows, keep, vocabulary].

        Padding is to the left of all a row's tokens: attention within a window counts places, and
        a recurrent state has no mask. Where a prefix is held, it is anywhere after that.
        """
        before, width = self.length, max(map(len, tokens))
        new = torch.full((len(tokens), width), self._pad, dtype=torch.long)
        mask = torch.zeros_like(new)
        for k, row in enumerate(tokens):
            new[k, width - len(row) :] = torch.tensor(row)
            mask[k, width - len(row) :] = 1
        gaps = width - mask.sum(1)
        new, mask = new.to(self._model.device), mask.to(self._model.device)
        self._mask = torch.cat([self._mask, mask], 1)
        self._ids = torch.cat([self._ids, new], 1)
        order = None
        if before and gaps.any() and not self._held:
            places, gaps = torch.arange(before + width), gaps[:, None]
            order = torch.where(
                places < gaps,
                places + before,
                torch.where(places < gaps + before, places - gaps, places),
            ).to(self._model.device)
            self._mask, self._ids = self._mask.gather(1, order), self._ids.gather(1, order)
        if self._cache is None:
            found = self._model.logits(self._ids, self._mask, None, keep)
        else:
            for layer in self._cache.layers:
                layer.order = order
            found = self._model.logits(new, self._mask, self._cache, keep, self._held)
            for layer in self._cache.layers:
                layer.order = None
        self.logits = found[:, -1]
        return found

    def truncate(self, length: int, logits: Tensor) -> None:
        """Forget all but the first `length` tokens, which `logits` follow."""
        self._mask, self._ids = self._mask[:, :length], self._ids[:, :length]
        for layer in self._cache.layers if self._cache is not None else ():
            layer.truncate(length)
        self.logits = logits

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows alone, in this order."""
        index = torch.tensor(list(rows), device=self._model.device)
        self._mask, self._ids = self._mask[index], self._ids[index]
        self.logits = self.logits[index]
        for layer in self._cache.layers if self._cache is not None else ():
            layer.select(index)

    def score_options(self, options: Sequence[tuple[int, ...]], vocabulary: int) -> Tensor:
        """Return log-probabilities [rows, options] of the options as the rows' next tokens.

        An option's is the sum over its tokens. The rows are as before when this returns. Options
        that begin alike share the computation, so one may not be the beginning of another.
        """
        found = torch.zeros((len(self), len(options)), dtype=torch.float64)
        self._score(list(enumerate(options)), self.logits, vocabulary, found)
        return found

    def _score(
        self,
        options: list[tuple[int, tuple[int, ...]]],
        logits: Tensor,
        vocabulary: int,
        found: Tensor,
    ) -> None:
        """Add to `found` the scores of options (number, remaining tokens) from here on."""
        before, length = (
            known_scores(logits, vocabulary).log_softmax(-1).double().cpu(),
            self.length,
        )
        groups: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for number, tokens in options:
            found[:, number] += before[:, tokens[0]]
            if len(tokens) > 1:
                groups.setdefault(tokens[0], []).append((number, tokens))
        for group in groups.values():
            # As far as the options of the group go on alike, they are read in one stretch.
            rest = [tokens for _, tokens in group]
            stretch = common_length(rest)
            if stretch == min(map(len, rest)):
                stretch -= 1
            new = self.feed([group[0][1][:stretch]] * len(self), keep=stretch)
            for place in range(1, stretch):
                known = _log_shares(new[:, place - 1], vocabulary)
                for number, tokens in group:
                    found[:, number] += known[:, tokens[place]]
            after = [(number, tokens[stretch:]) for number, tokens in group]
            self._score(after, new[:, -1], vocabulary, found)
            self.truncate(length, logits)


def _of_like_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Return the numbers of rows in parts of at most `READ_TOGETHER`, longest rows first; all in
    one where they are as long as each other."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    if len(set(lengths)) == 1:
        return [order]
    return [order[begin : begin + READ_TOGETHER] for begin in range(0, len(order), READ_TOGETHER)]


def _log_shares(logits: Tensor, vocabulary: int) -> Tensor:
    return known_scores(logits, vocabulary).log_softmax(-1).double().cpu()
