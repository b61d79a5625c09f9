"""What SFT and CAPO minimise, as sums that add up over micro-batches and processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from capo_core.imitation.collate import Contrast, collate
from capo_core.imitation.config import CapoConfig
from capo_core.imitation.engines import Engine
from capo_core.imitation.losses import contrastive_loss, supervised_loss


@dataclass(frozen=True)
class Case:
    """One item in training: what is contrasted, and the reference's log-probabilities of it.

    Attributes:
        reference: float32 [R], nats; None for SFT, which knows no reference.
    """

    contrast: Contrast
    reference: Tensor | None = None

    @property
    def length(self) -> int:
        """Tokens of the prompt and all responses."""
        rendered = self.contrast.rendered
        return len(rendered.prompt) + sum(map(len, rendered.responses))


@dataclass(frozen=True)
class Part:
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
    def part(self, model, cases: Sequence[Case]) -> Part:
        """The loss of `cases`, with gradients where they are on."""

    def _score(self, model, cases: Sequence[Case]):
        batch = [case.contrast.rendered for case in cases]
        return self.engine.score(model, batch, pad_id=self.pad_id)


class Supervised(Objective):
    """Negative log-likelihood of the responses, a mean over their tokens."""

    def part(self, model, cases: Sequence[Case]) -> Part:
        table = self._score(model, cases)
        total, units = supervised_loss(table.log_probs, table.tokens)
        return Part(total, units, (), table.computed_tokens)


class Contrastive(Objective):
    """The contrastive loss against the reference (see `losses.py`)."""

    figures = ("margin", "reward_accuracy", "chosen_change", "rejected_change")

    def __init__(self, engine: Engine, pad_id: int, config: CapoConfig) -> None:
        super().__init__(engine, pad_id)
        self.config = config

    def part(self, model, cases: Sequence[Case]) -> Part:
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
        return Part(loss.total, loss.units, figures, table.computed_tokens)
