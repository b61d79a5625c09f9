"""What every engine does: from prompts with responses to one log-probability per response."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from capo_core.errors import DataError
from capo_core.imitation.engines.layout import Layout
from capo_core.imitation.render import Rendered


@dataclass(frozen=True)
class ScoreTable:
    """Scores of all responses of a batch, item after item.

    Attributes:
        log_probs [R_total]: sum over the response's tokens of log p(token | before), nats, float32
            (float64 for a float64 model), with gradients where they are on.
        tokens [R_total]: tokens in each response, its end token included.
        computed_tokens: places that went through the model, padding included.
        engine: the path that was taken, which may differ from what was asked, see `TreeEngine`.
    """

    log_probs: Tensor
    tokens: Tensor
    computed_tokens: int
    engine: str


class Engine(ABC):
    """Scores responses with a causal language model, which may carry adapters or a DDP wrapper."""

    name: str

    def score(self, model, batch: Sequence[Rendered], *, pad_id: int) -> ScoreTable:
        """Log-probabilities of all responses of `batch`, with gradients where they are on.

        Args:
            pad_id: any id of the vocabulary; what stands at padded places changes nothing.

        Raises:
            DataError: an empty prompt or response, or a batch without a response.
        """
        check_batch(batch)
        layout = self.layout(batch, pad_id).to(inner_model(model).device)
        by_token = self.token_log_probs(model, layout)
        lengths = [len(response) for item in batch for response in item.responses]
        # Places are unique, so that the sum is the same in every run also on a GPU.
        table = by_token.new_zeros(len(lengths), max(lengths))
        table = table.index_put((layout.owner, layout.place), by_token)
        tokens = torch.tensor(lengths, device=table.device)
        return ScoreTable(table.sum(1), tokens, layout.ids.numel(), self.name)

    @abstractmethod
    def layout(self, batch: Sequence[Rendered], pad_id: int) -> Layout:
        """How the batch is laid out for the model."""

    @abstractmethod
    def token_log_probs(self, model, layout: Layout) -> Tensor:
        """Log-probabilities of the layout's targets [P]."""


def inner_model(model) -> PreTrainedModel:
    """The model inside a wrapper for several processes; adapters stay on."""
    return getattr(model, "module", model)


def check_batch(batch: Sequence[Rendered]) -> None:
    """Raises `DataError` for what has no log-probability."""
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
    """Without gradients and dropout; the model's mode is as before afterwards."""
    training = {module: module.training for module in inner.modules()}
    inner.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode
