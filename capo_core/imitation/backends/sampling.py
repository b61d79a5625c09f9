"""How each row of a batch draws its tokens, and when it has said enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from capo_core.errors import BackendUnavailable
from capo_core.imitation.backends.base import Decoding, answer_ended


class SeededSampling(LogitsProcessor):
    """Draws each row's token by the row's own random numbers, and leaves only that token.

    The t-th token of a row is drawn by inversion: the token at which the cumulative probability,
    over the vocabulary in its order, passes the row's t-th uniform number. So a row's answer
    depends on its prompt and seed, not on what else is in the batch, nor on the device's random
    numbers. `generate` is to take the likeliest token (do_sample=False), which is the drawn one.

    Args:
        seeds: one for each row.
        decoding: temperature 0 takes the likeliest token instead of drawing.
        prompt_width: tokens of the padded prompts.
        vocabulary: how many tokens the tokenizer knows; a model may have a few more outputs.
    """

    def __init__(
        self, seeds: Sequence[int], decoding: Decoding, prompt_width: int, vocabulary: int
    ) -> None:
        self._uniform = torch.from_numpy(
            np.stack(
                [np.random.default_rng(seed).random(decoding.max_new_tokens) for seed in seeds]
            )
        )
        self._temperature, self._top_p = decoding.temperature, decoding.top_p
        self._width, self._vocabulary = prompt_width, vocabulary

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`input_ids` [rows, tokens so far], `scores` [rows, vocabulary] → scores of one choice."""
        scores = scores.float()
        scores[:, self._vocabulary :] = -torch.inf
        if scores.isnan().any():
            raise BackendUnavailable(
                "the model's probabilities are not numbers", todo="load it with --precision fp32"
            )
        if self._temperature == 0:
            return scores
        probabilities = (scores / self._temperature).softmax(-1)
        if self._top_p < 1:
            probabilities = nucleus(probabilities, self._top_p)
        cumulative = probabilities.double().cumsum(-1)
        uniform = self._uniform[:, input_ids.shape[1] - self._width].to(scores.device)
        # Below the total of what may be drawn, so that rounding cannot point past the last token.
        target = (uniform * cumulative[:, -1])[:, None]
        drawn = torch.searchsorted(cumulative, target, right=True).clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)


def nucleus(probabilities: Tensor, share: float) -> Tensor:
    """`probabilities` [rows, vocabulary] with 0 for all but the likeliest tokens of each row that
    together reach `share` (Holtzman et al. 2020, arXiv 1904.09751); not scaled to sum 1."""
    ordered, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    # A token stays if those before it have not reached the share yet: the first always does.
    kept = ordered.where(ordered.cumsum(-1) - ordered < share, 0.0)
    return torch.zeros_like(probabilities).scatter(1, order, kept)


class EndOfAnswer(StoppingCriteria):
    """Ends a row that has gone on to another field after its explanation; see `answer_ended`.

    A field ends in a colon, so only rows that have just written one are read.
    """

    def __init__(self, tokenizer: Any, fields: Sequence[str], prompt_width: int) -> None:
        self._tokenizer, self._fields, self._width = tokenizer, fields, prompt_width

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """`input_ids` [rows, tokens so far] → [rows], True where a row is to end."""
        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for row, last in enumerate(input_ids[:, -1].tolist()):
            if ":" in self._tokenizer.convert_ids_to_tokens(last):
                text = self._tokenizer.decode(input_ids[row, self._width :].tolist())
                ended[row] = answer_ended(text, self._fields)
        return ended


class Watch(StoppingCriteria):
    """Calls `look` after each token, which may raise; ends nothing itself."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        self._look()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
