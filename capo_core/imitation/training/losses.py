"""The objective: from log-probabilities of responses to one number, as pure functions.

Q rows of one chosen response each, against up to N rejected ones. With
s = log pi(y|x) - log pi_ref(y|x), summed over the response's tokens, and r = beta s:

    pairwise   1/N sum_k -w_k log sigmoid(r_0 - r_k)      DPO (arXiv 2305.18290, Eq. 7), N = 1
    listwise   -log( e^r_0 / (e^r_0 + sum_k w_k e^r_k) )  S-DPO (arXiv 2406.09215), w = 1
    nca        -log sigmoid(r_0)
               - 1/(N+1) [log sigmoid(-r_0) + sum_k w_k log sigmoid(-r_k)]   NCA (arXiv 2402.05369)

Every loss comes as a sum and a number of units, so that parts of a step (accumulated, or on other
processes) add up to the same as the whole step at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from capo_core.imitation.training.config import CapoConfig

RowLoss = Callable[..., Tensor]  # (r_chosen, r_rejected, mask, weights, smoothing) → [Q]


@dataclass(frozen=True)
class ContrastiveLoss:
    """A contrastive loss of the registry.

    Attributes:
        name: as in settings.
        description: what it contrasts, in a few words.
        paper: its source.
        rows: the loss of each row; arguments as `pairwise`.
    """

    name: str
    description: str
    paper: str
    rows: RowLoss


CONTRASTIVE_LOSSES: dict[str, ContrastiveLoss] = {}


def loss(name: str, description: str, *, paper: str) -> Callable[[RowLoss], RowLoss]:
    """Register a loss under `name`, which `config.LOSSES` has to list as well."""

    def register(rows: RowLoss) -> RowLoss:
        CONTRASTIVE_LOSSES[name] = ContrastiveLoss(name, description, paper, rows)
        return rows

    return register


@loss("pairwise", "each rejected response against the chosen one", paper="arXiv 2305.18290")
def pairwise(r_chosen: Tensor, r_rejected: Tensor, mask: Tensor, weights=None, smoothing=0.0):
    """Return the mean over the rejected of -w log sigmoid(r_0 - r_k), for each row.

    Args:
        r_chosen [Q], r_rejected [Q, N]: rewards; mask [Q, N]: which rejected exist;
            weights [Q, N], 0 or more, or None for 1. r_chosen may be [Q, N], another for each pair.
        smoothing: share of preferences taken to be the wrong way round, 0 to below 0.5
            (conservative DPO, Mitchell 2023).

    Returns:
        [Q]; 0 for a row without a rejected response.

    One chosen response with reward 1 against two rejected ones, −(log σ(1) + log σ(2)) / 2:

    >>> mask = torch.tensor([[True, True]])
    >>> pairwise(torch.tensor([1.0]), torch.tensor([[0.0, -1.0]]), mask)
    tensor([0.2201])
    """
    margin = _each_pair(r_chosen) - r_rejected
    loss = -(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)
    if weights is not None:
        loss = loss * weights
    return _row_mean(loss, mask)


@loss("listwise", "all responses against each other", paper="arXiv 2406.09215")
def listwise(r_chosen: Tensor, r_rejected: Tensor, mask: Tensor, weights=None, smoothing=0.0):
    """Return -log softmax of chosen and rejected at the chosen, for each row; shapes as `pairwise`.

    A weight multiplies its e^r: a response with weight 0 is not in the sum. `smoothing` is the
    share of the target distribution that goes to the rejected, in proportion to their weights;
    with one rejected response of weight 1 the loss is that of `pairwise`.
    """
    w = mask.to(r_rejected.dtype) if weights is None else weights * mask
    heard = w > 0
    scores = torch.where(heard, r_rejected + w.clamp_min(_TINY).log(), -torch.inf)
    total = torch.cat([r_chosen[:, None], scores], 1).logsumexp(1)
    share = smoothing * w / w.sum(1, keepdim=True).clamp_min(_TINY)
    kept = 1 - share.sum(1)  # all of it where nothing is rejected
    return total - kept * r_chosen - (share * r_rejected.masked_fill(~heard, 0.0)).sum(1)


@loss("nca", "each response against the reference", paper="arXiv 2402.05369")
def nca(r_chosen: Tensor, r_rejected: Tensor, mask: Tensor, weights=None, smoothing=0.0):
    """Return the loss of each response against the reference, for each row; shapes as `pairwise`.

    The chosen one's likelihood is pushed up, all are held back, so that it resists the fall of
    both likelihoods. `smoothing` is the share of the target distribution p that goes to the
    rejected: -sum_k p_k log sigmoid(r_k) - 1/K sum_k log sigmoid(-r_k) over all K = N + 1.
    """
    n = mask.sum(1)
    held = F.logsigmoid(-r_rejected)
    if weights is not None:
        held = held * weights
    held = F.logsigmoid(-r_chosen) + held.masked_fill(~mask, 0.0).sum(1)
    share = torch.where(n > 0, smoothing, 0.0)
    raised = (1 - share) * F.logsigmoid(r_chosen)
    raised = raised + share * _row_mean(F.logsigmoid(r_rejected), mask)
    return torch.where(n > 0, -raised - held / (n + 1), 0.0)


_TINY = 1e-30  # below any weight that could matter; keeps log and division finite


@dataclass(frozen=True)
class LossParts:
    """A loss and its parts; only `total` and `loss` carry gradients.

    Attributes:
        total: sum over units. A step's loss is the sum of totals over the sum of units.
        units: pairs, or rows, see `per`; a float that may be 0.
        loss: total / units.
        contrast, nll: the two terms of `loss`, each before its weight, averaged over units.
        margin [Q, N]: reward of the chosen minus reward of the rejected; NaN where there is none.
        accuracy: share of pairs with a margin above 0; NaN without pairs.
        chosen_change, rejected_change: mean of log pi - log pi_ref over rows and over pairs, in
            nats a response. Both falling is "likelihood displacement": see the `nll` anchor.
        pairs: number of pairs.
    """

    total: Tensor
    units: float
    loss: Tensor
    contrast: float
    nll: float
    margin: Tensor
    accuracy: float
    chosen_change: float
    rejected_change: float
    pairs: int


def contrastive_loss(
    kind: str,
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    mask: Tensor,
    *,
    chosen_tokens: Tensor,
    rejected_tokens: Tensor,
    weights: Tensor | None = None,
    anchor: Tensor | None = None,
    beta: float = 0.1,
    nll: float = 0.0,
    length_norm: bool = False,
    label_smoothing: float = 0.0,
    per: str = "pair",
) -> LossParts:
    """Return the contrastive loss with its extras.

    Args:
        kind: one of `CONTRASTIVE_LOSSES`.
        policy_chosen [Q], policy_rejected [Q, N]: log pi, sums over tokens, nats; the reference's
            the same. Values at masked positions are ignored. With the pairwise loss those of the
            chosen may be [Q, N]: another sum in each pair (see `objective.desensitised`).
        mask [Q, N]: True where a rejected response exists.
        chosen_tokens [Q], rejected_tokens [Q, N]: lengths of the responses in tokens.
        weights [Q, N]: 0 or more, or None.
        beta: strength of the pull towards the reference, above 0.
        nll: weight of the anchor, mean over rows of -log pi(y_0|x) / |y_0|
            (Iterative RPO, arXiv 2404.19733).
        anchor [Q]: other values for the anchor, where it is of other tokens than the contrast.
        length_norm: s is divided by the response's length (length-normalised DPO, arXiv
            2411.15124, Eq. 6); beta has to be larger by about the usual length.
        label_smoothing: 0 to below 0.5, see the losses.
        per: "pair": a row counts as often as it has rejected responses, so that all pairs count
            the same, as where every pair is a training example; "item": all rows count the same.
            A row without a rejected response counts for nothing either way.

    Raises:
        ConfigError: a setting out of range.
    """
    CapoConfig(  # its fields state the ranges
        loss=kind,
        beta=beta,
        nll=nll,
        length_norm=length_norm,
        label_smoothing=label_smoothing,
        per=per,
    )
    chosen = policy_chosen - reference_chosen
    rejected = (policy_rejected - reference_rejected).masked_fill(~mask, 0.0)
    scale = 1.0, 1.0
    if length_norm:
        scale = chosen_tokens.clamp_min(1), rejected_tokens.clamp_min(1)
    r_chosen, r_rejected = beta * chosen / scale[0], beta * rejected / scale[1]
    if anchor is None:
        anchor = -policy_chosen / chosen_tokens.clamp_min(1)

    count = row_units(mask, per).to(r_chosen.dtype)
    contrast = (
        count * CONTRASTIVE_LOSSES[kind].rows(r_chosen, r_rejected, mask, weights, label_smoothing)
    ).sum()
    anchored = (count * anchor).sum()
    total = contrast + nll * anchored if nll else contrast
    units = float(count.sum())
    shared = max(units, 1.0)
    margin = (_each_pair(r_chosen) - r_rejected).detach().masked_fill(~mask, torch.nan)
    real = margin[mask]
    return LossParts(
        total=total,
        units=units,
        loss=total / shared,
        contrast=contrast.item() / shared,
        nll=anchored.item() / shared,
        margin=margin,
        accuracy=(real > 0).float().mean().item(),
        chosen_change=(chosen if chosen.dim() == 1 else chosen[mask]).detach().mean().item(),
        rejected_change=rejected.detach()[mask].mean().item(),
        pairs=int(mask.sum()),
    )


def row_units(mask: Tensor, per: str) -> Tensor:
    """Return the weight of each of the Q rows: its rejected responses, or 1 if it has any."""
    n = mask.sum(1)
    return n if per == "pair" else (n > 0).long()


def supervised_loss(log_probs: Tensor, tokens: Tensor) -> tuple[Tensor, float]:
    """Return the negative log-likelihood of responses [R] as (sum in nats, number of tokens)."""
    return -log_probs.sum(), float(tokens.sum())


def _each_pair(chosen: Tensor) -> Tensor:
    """Values of chosen responses [Q] or [Q, N], to be compared with those of the rejected."""
    return chosen[:, None] if chosen.dim() == 1 else chosen


def _row_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the true places of each row [Q]; 0 where there is none."""
    return values.masked_fill(~mask, 0.0).sum(1) / mask.sum(1).clamp_min(1)
