"""The objectives of SFT and CAPO, as sums that add up over micro-batches and processes.

A response is scored once, however many pairs it is in: a batch's contrasts are index tensors into
a flat table of scores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.examples import ResponseContrast
from capo_core.imitation.training.losses import contrastive_loss, supervised_loss
from capo_core.imitation.training.scoring.base import Engine, ScoreTable


@dataclass(frozen=True)
class ContrastBatch:
    """Q chosen responses of a batch, each against up to N rejected ones.

    Attributes:
        chosen [Q]: index of the chosen response among the batch's R_total responses.
        rejected [Q, N]: indices of the rejected ones; 0 where there is none.
        mask [Q, N]: True where there is one.
        weights [Q, N]: 0 or more; None where all are 1.
        n_responses: R_total.
    """

    chosen: Tensor
    rejected: Tensor
    mask: Tensor
    weights: Tensor | None
    n_responses: int

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Split values of the responses [R_total] into those of chosen [Q] and rejected [Q, N]."""
        return values[self.chosen], values[self.rejected]

    def to(self, device: torch.device | str) -> ContrastBatch:
        """Return a copy on another device."""
        return ContrastBatch(
            self.chosen.to(device),
            self.rejected.to(device),
            self.mask.to(device),
            None if self.weights is None else self.weights.to(device),
            self.n_responses,
        )


def collate(contrasts: Sequence[ResponseContrast]) -> ContrastBatch:
    """Return contrasts as one batch; responses are numbered item after item, as engines return
    them.
    """
    counts = [len(contrast.rendered.responses) for contrast in contrasts]
    starts = [0, *accumulate(counts)]
    chosen, rejected, weights = [], [], []
    for start, contrast in zip(starts, contrasts, strict=False):
        chosen += [start + index for index in contrast.chosen]
        rejected += [[start + index for index in row] for row in contrast.against]
        weights += contrast.weighed
    width = max(map(len, rejected), default=0)
    short = [width - len(row) for row in rejected]
    mask = [[True] * (width - gap) + [False] * gap for gap in short]
    return ContrastBatch(
        torch.tensor(chosen, dtype=torch.long),
        _matrix([row + [0] * gap for row, gap in zip(rejected, short, strict=True)], torch.long),
        _matrix(mask, torch.bool),
        _matrix([[*row, *[1.0] * gap] for row, gap in zip(weights, short, strict=True)], None)
        if any(contrast.weights for contrast in contrasts)
        else None,
        starts[-1],
    )


def _matrix(rows: list[list], dtype: torch.dtype | None) -> Tensor:
    return torch.tensor(rows, dtype=dtype).reshape(len(rows), -1 if rows and rows[0] else 0)


@dataclass(frozen=True)
class TrainingExample:
    """A training item: its contrast, and the reference's log-probabilities.

    Attributes:
        reference: float32 [R], nats; with `ld_alpha` below 1 that of every contrasted token,
            response after response; None for SFT, which has no reference.
    """

    contrast: ResponseContrast
    reference: Tensor | None = None

    @property
    def length(self) -> int:
        """Number of tokens of the prompt and all responses."""
        rendered = self.contrast.rendered
        return len(rendered.prompt) + sum(map(len, rendered.responses))


@dataclass(frozen=True)
class BatchLoss:
    """The loss of some examples.

    Attributes:
        total: sum over units, with gradients. A step's loss is the sum of its parts' totals over
            the sum of their units.
        units: number of units that the loss is averaged over: response tokens, pairs, or items.
        figures: sum and divisor of each of the objective's figures.
        tokens: positions the model computed.
    """

    total: Tensor
    units: float
    figures: tuple[tuple[float, float], ...]
    tokens: int


class Objective(ABC):
    """A loss on examples.

    Attributes:
        figures: names of the further figures reported with the loss.
    """

    figures: tuple[str, ...] = ()

    def __init__(self, engine: Engine, pad_id: int) -> None:
        self.engine, self.pad_id = engine, pad_id

    @abstractmethod
    def batch_loss(self, model, examples: Sequence[TrainingExample]) -> BatchLoss:
        """Return the loss of `examples`, with gradients where they are on."""

    def row_lengths(self, examples: Sequence[TrainingExample]) -> list[list[int]]:
        """Return the lengths of each example's rows in the model's input, in tokens."""
        return [self.engine.row_lengths(example.contrast.rendered) for example in examples]

    def shared_tokens(self, model, examples: Sequence[TrainingExample]) -> int:
        """Return how many tokens at the beginning of all examples a batch computes once."""
        batch = [example.contrast.rendered for example in examples]
        return self.engine.shared_tokens(model, batch) if batch else 0

    def _score(self, model, examples: Sequence[TrainingExample]):
        batch = [example.contrast.rendered for example in examples]
        return self.engine.score(model, batch, pad_id=self.pad_id)


class Supervised(Objective):
    """Negative log-likelihood of the responses, a mean over their tokens."""

    def batch_loss(self, model, examples: Sequence[TrainingExample]) -> BatchLoss:
        table = self._score(model, examples)
        total, units = supervised_loss(table.log_probs, table.tokens)
        return BatchLoss(total, units, (), table.computed_tokens)


class Contrastive(Objective):
    """The contrastive loss against the reference (see `losses.py`)."""

    figures = ("margin", "reward_accuracy", "chosen_change", "rejected_change")

    def __init__(self, engine: Engine, pad_id: int, config: CapoConfig) -> None:
        super().__init__(engine, pad_id)
        self.config = config

    def batch_loss(self, model, examples: Sequence[TrainingExample]) -> BatchLoss:
        table = self._score(model, examples)
        device = table.log_probs.device
        batch = collate([example.contrast for example in examples]).to(device)
        reference = torch.cat([example.reference for example in examples]).to(table.log_probs)
        config = self.config
        log_probs, tokens = contrasted(table, config.contrast)
        if config.ld_alpha < 1:
            places = contrasted_places(table, config.contrast)
            policy = desensitised(places, tokens, batch, config.ld_alpha)
            places = side_by_side(reference, tokens)
            before = desensitised(places, tokens, batch, config.ld_alpha)
        else:
            policy, before = batch.split(log_probs), batch.split(reference)
        chosen_tokens, rejected_tokens = batch.split(tokens)
        anchor = anchored(table, config.anchor)[batch.chosen]
        loss = contrastive_loss(
            config.loss,
            *policy,
            *before,
            batch.mask,
            chosen_tokens=chosen_tokens,
            rejected_tokens=rejected_tokens,
            weights=batch.weights,
            anchor=anchor,
            beta=config.beta,
            nll=config.nll,
            length_norm=config.length_norm,
            label_smoothing=config.label_smoothing,
            per=config.per,
        )
        pairs, rows = float(loss.pairs), float(len(batch.chosen))
        figures = (
            (float(loss.margin[batch.mask].sum()), pairs),
            (loss.accuracy * pairs, pairs),
            (loss.chosen_change * rows, rows),
            (loss.rejected_change * pairs, pairs),
        )
        return BatchLoss(loss.total, loss.units, figures, table.computed_tokens)


def contrasted(table: ScoreTable, part: str) -> tuple[Tensor, Tensor]:
    """Return log-probabilities and tokens [R_total] of the contrasted part of each response.

    Args:
        part: one of `config.CONTRASTS`.
    """
    if part == "explanation":
        return table.explanation_log_probs, table.explanation_tokens
    return table.log_probs, table.tokens


def contrasted_places(table: ScoreTable, part: str) -> Tensor:
    """Return the log-probability of each contrasted token [R_total, L], from the first; then 0.

    Args:
        part: one of `config.CONTRASTS`.
    """
    if part != "explanation":
        return table.by_place
    width = table.by_place.shape[1]
    place = torch.arange(width, device=table.tokens.device)
    place = place + (table.tokens - table.explanation_tokens)[:, None]
    inside = place < table.tokens[:, None]
    return table.by_place.gather(1, place.clamp_max(width - 1)) * inside


def side_by_side(values: Tensor, tokens: Tensor) -> Tensor:
    """Return values of all tokens, response after response, as rows [R, L]; 0 after the end."""
    inside = torch.arange(int(tokens.max()), device=tokens.device) < tokens[:, None]
    return values.new_zeros(inside.shape).masked_scatter(inside, values)


def desensitised(
    places: Tensor, tokens: Tensor, batch: ContrastBatch, alpha: float
) -> tuple[Tensor, Tensor]:
    """Return the length-desensitised log-probabilities of each pair's two responses.

    Of a pair's responses with l_c and l_r tokens, the first l = min(l_c, l_r) tokens of each count
    1 and those after them `alpha`, so that the longer one's reward does not come from its length
    (LD-DPO, Liu et al. 2024, arXiv 2409.06411).

    Args:
        places [R_total, L]: log-probability of each token, nats; 0 after the end.
        tokens [R_total]: lengths.
        alpha: 0 to 1; with 1 both are the sums over all tokens.

    Returns:
        Those of the chosen [Q, N] and of the rejected [Q, N], nats.
    """
    chosen = batch.chosen[:, None].expand_as(batch.rejected)
    shared = torch.minimum(tokens[chosen], tokens[batch.rejected])
    beyond = torch.arange(places.shape[1], device=places.device) >= shared[:, :, None]
    weight = torch.where(beyond, alpha, 1.0).to(places)
    return (places[chosen] * weight).sum(2), (places[batch.rejected] * weight).sum(2)


def anchored(table: ScoreTable, part: str) -> Tensor:
    """Return the negative log-likelihood per token [R_total] of the anchored part of each response.

    Args:
        part: one of `config.ANCHORS`.
    """
    log_probs, tokens = table.log_probs, table.tokens
    if part == "label":
        log_probs = log_probs - table.explanation_log_probs
        tokens = tokens - table.explanation_tokens
    return -log_probs / tokens.clamp_min(1)
