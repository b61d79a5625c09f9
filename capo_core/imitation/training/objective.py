"""Which responses of a batch stand against which: index tensors into a flat table of scores.

A response is scored once, however many pairs it stands in; what is contrasted is told by indices.

What SFT and CAPO minimise, as sums that add up over micro-batches and processes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.losses import contrastive_loss, supervised_loss
from capo_core.imitation.training.scoring.base import Engine


@dataclass(frozen=True)
class ResponseContrast:
    """One item and target: the responses to it, and which were chosen over which.

    Attributes:
        rendered: the prompt with R responses, each of them once.
        chosen: Q indices into the responses; several where the target answered an item twice.
        rejected: for each chosen one the indices of those it stands against; any number of them,
            also none. Empty for supervised training, where nothing is rejected.
        weights: for each rejected index its weight, 0 or more; empty means 1 everywhere.

    Raises:
        ConfigError: an index outside the responses, a response rejected against itself, a shape
            that does not fit, a negative or infinite weight.
    """

    rendered: Rendered
    chosen: tuple[int, ...]
    rejected: tuple[tuple[int, ...], ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        here = f"contrast of {len(self.rendered.responses)} responses"
        known = range(len(self.rendered.responses))
        if not self.chosen:
            raise ConfigError("nothing is chosen", where=here, expected="one chosen or more")
        if self.rejected and len(self.rejected) != len(self.chosen):
            raise ConfigError(
                f"{len(self.rejected)} lists of rejected responses for {len(self.chosen)} chosen",
                where=here,
                expected="one list for each chosen response, or no list at all",
            )
        if any(index not in known for index in (*self.chosen, *sum(self.rejected, ()))):
            raise ConfigError(
                "an index points at no response",
                where=here,
                expected=f"indices from 0 to {len(known) - 1}",
            )
        if any(
            index in against for index, against in zip(self.chosen, self.rejected, strict=False)
        ):
            raise ConfigError("a response is rejected against itself", where=here)
        if not self.weights:
            return
        if [len(row) for row in self.weights] != [len(row) for row in self.rejected]:
            raise ConfigError("the weights do not fit the rejected responses", where=here)
        if not all(math.isfinite(w) and w >= 0 for row in self.weights for w in row):
            raise ConfigError(
                "a weight is not usable", where=here, expected="finite numbers of 0 or more"
            )

    @property
    def against(self) -> tuple[tuple[int, ...], ...]:
        """`rejected`, with an empty list for each chosen response where nothing is rejected."""
        return self.rejected or ((),) * len(self.chosen)

    @property
    def weighed(self) -> tuple[tuple[float, ...], ...]:
        """`weights`, written out where all are 1."""
        return self.weights or tuple((1.0,) * len(row) for row in self.against)


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
        """Values of the responses [R_total] as (of the chosen [Q], of the rejected [Q, N])."""
        return values[self.chosen], values[self.rejected]

    def to(self, device: torch.device | str) -> ContrastBatch:
        """The same on another device."""
        return ContrastBatch(
            self.chosen.to(device),
            self.rejected.to(device),
            self.mask.to(device),
            None if self.weights is None else self.weights.to(device),
            self.n_responses,
        )


def collate(contrasts: Sequence[ResponseContrast]) -> ContrastBatch:
    """Contrasts as one batch; responses are numbered item after item, as engines return them."""
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


def as_pairs(contrast: ResponseContrast) -> list[ResponseContrast]:
    """The same contrasts one pair at a time, chosen first: what pair-based trainers see."""
    responses = contrast.rendered.responses
    return [
        ResponseContrast(
            Rendered(contrast.rendered.prompt, (responses[chosen], responses[index])),
            (0,),
            ((1,),),
            ((weight,),) if contrast.weights else (),
        )
        for chosen, row, weighed in zip(
            contrast.chosen, contrast.against, contrast.weighed, strict=True
        )
        for index, weight in zip(row, weighed, strict=True)
    ]


def _matrix(rows: list[list], dtype: torch.dtype | None) -> Tensor:
    return torch.tensor(rows, dtype=dtype).reshape(len(rows), -1 if rows and rows[0] else 0)


@dataclass(frozen=True)
class TrainingExample:
    """One item in training: what is contrasted, and the reference's log-probabilities of it.

    Attributes:
        reference: float32 [R], nats; None for SFT, which knows no reference.
    """

    contrast: ResponseContrast
    reference: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens of the prompt and all responses."""
        rendered = self.contrast.rendered
        return len(rendered.prompt) + sum(map(len, rendered.responses))


@dataclass(frozen=True)
class BatchLoss:
    """The loss of some cases.

    Attributes:
        total: sum over units, with gradients. A step's loss is the sum of its parts' totals over
            the sum of their units.
        units: what the loss is a mean of: response tokens, pairs, or items.
        figures: of each of the objective's figures the sum and the number it is to be divided by.
        tokens: positions the model computed.
    """

    total: Tensor
    units: float
    figures: tuple[tuple[float, float], ...]
    tokens: int


class Objective(ABC):
    """A loss on cases.

    Attributes:
        figures: names of what is reported beside the loss.
    """

    figures: tuple[str, ...] = ()

    def __init__(self, engine: Engine, pad_id: int) -> None:
        self.engine, self.pad_id = engine, pad_id

    @abstractmethod
    def batch_loss(self, model, cases: Sequence[TrainingExample]) -> BatchLoss:
        """The loss of `cases`, with gradients where they are on."""

    def _score(self, model, cases: Sequence[TrainingExample]):
        batch = [case.contrast.rendered for case in cases]
        return self.engine.score(model, batch, pad_id=self.pad_id)


class Supervised(Objective):
    """Negative log-likelihood of the responses, a mean over their tokens."""

    def batch_loss(self, model, cases: Sequence[TrainingExample]) -> BatchLoss:
        table = self._score(model, cases)
        total, units = supervised_loss(table.log_probs, table.tokens)
        return BatchLoss(total, units, (), table.computed_tokens)


class Contrastive(Objective):
    """The contrastive loss against the reference (see `losses.py`)."""

    figures = ("margin", "reward_accuracy", "chosen_change", "rejected_change")

    def __init__(self, engine: Engine, pad_id: int, config: CapoConfig) -> None:
        super().__init__(engine, pad_id)
        self.config = config

    def batch_loss(self, model, cases: Sequence[TrainingExample]) -> BatchLoss:
        table = self._score(model, cases)
        device = table.log_probs.device
        batch = collate([case.contrast for case in cases]).to(device)
        reference = torch.cat([case.reference for case in cases]).to(table.log_probs)
        policy_chosen, policy_rejected = batch.split(table.log_probs)
        reference_chosen, reference_rejected = batch.split(reference)
        chosen_tokens, rejected_tokens = batch.split(table.tokens)
        config = self.config
        loss = contrastive_loss(
            config.loss,
            policy_chosen,
            policy_rejected,
            reference_chosen,
            reference_rejected,
            batch.mask,
            chosen_tokens=chosen_tokens,
            rejected_tokens=rejected_tokens,
            weights=batch.weights,
            beta=config.beta,
            nll=config.nll,
            length_norm=config.length_norm,
            label_smoothing=config.label_smoothing,
            per=config.per,
        )
        pairs, rows = float(loss.pairs), float(len(policy_chosen))
        figures = (
            (float(loss.margin[batch.mask].sum()), pairs),
            (loss.accuracy * pairs, pairs),
            (loss.chosen_change * rows, rows),
            (loss.rejected_change * pairs, pairs),
        )
        return BatchLoss(loss.total, loss.units, figures, table.computed_tokens)
