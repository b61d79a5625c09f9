"""The architecture, and the loss of rows that share a prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.embedded_base.corpus import TokenRow, common_beginning


def new_network(config: EmbeddedBaseConfig, tokenizer) -> LlamaForCausalLM:
    """Create a Llama with random weights from the seed; the global random state is preserved."""
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden,
        intermediate_size=config.intermediate,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return LlamaForCausalLM(shape).float()


def token_losses(model: LlamaForCausalLM, rows: Sequence[TokenRow]) -> tuple[Tensor, Tensor]:
    """Return the negative log-likelihood and the weight of every trained token of every row.

    The common beginning is read once for all rows; the vocabulary is looked at only where
    something is learned.

    Returns:
        losses, weights: [learned tokens], in the order of rows and tokens; losses in nats. Where
        a row has a `spread`, the loss is the cross-entropy with it.
    """
    start = common_beginning(rows)
    width = max(len(row.ids) for row in rows) - start
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    weights = torch.zeros(len(rows), width)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids) - start] = torch.tensor(row.ids[start:])
        weights[i, : len(row.ids) - start] = torch.tensor(row.weights[start:])
    cache = None
    if start:
        cache = DynamicCache(config=model.config)
        model.model(input_ids=torch.tensor([rows[0].ids[:start]]), past_key_values=cache)
        cache.batch_repeat_interleave(len(rows))
    # Padding stands at the right, where no learned token looks: causal order is mask enough.
    states = model.model(
        input_ids=ids, past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state
    learned = weights > 0
    logits = model.lm_head(states[:, :-1][learned[:, 1:]])
    at, token, share = _targets(rows, start)
    expected = torch.zeros(len(logits)).index_add(0, at, share * logits[at, token])
    return logits.logsumexp(-1) - expected, weights[learned]


def _targets(rows: Sequence[TokenRow], start: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for each token that may occur at a learned position, the position, token and
    probability.
    """
    found: list[tuple[int, int, float]] = []
    place = 0
    for row in rows:
        for i in range(start, len(row.ids)):
            if row.weights[i]:
                likely = row.spread.get(i, ((row.ids[i], 1.0),))
                found += [(place, token, share) for token, share in likely]
                place += 1
    at, token, share = zip(*found, strict=True)
    return torch.tensor(at), torch.tensor(token), torch.tensor(share)


@torch.no_grad()
def answer_loss(
    model: LlamaForCausalLM, rows: Sequence[TokenRow], label_weight: float, at_once: int = 8
) -> tuple[float, float | None]:
    """Return the loss of the answers alone.

    Returns:
        mean nats a token, and mean nats of the tokens that count `label_weight` (label lines) a
        row, None where there are none.
    """
    answers = [
        replace(row, weights=(*[0.0] * row.answer, *row.weights[row.answer :])) for row in rows
    ]
    parts = [token_losses(model, answers[i : i + at_once]) for i in range(0, len(answers), at_once)]
    losses, weights = (torch.cat(part) for part in zip(*parts, strict=True))
    label = losses[weights == label_weight]
    in_labels = label_weight != 1 and len(label) > 0
    return losses.mean().item(), label.sum().item() / len(rows) if in_labels else None
