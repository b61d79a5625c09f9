"""The plain path: what any trainer does, and the measure of the others."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from capo_core.imitation.engines.base import Engine
from capo_core.imitation.engines.head import target_log_probs
from capo_core.imitation.engines.layout import Layout, lay_out, one_row_each
from capo_core.imitation.render import Rendered


class PairsEngine(Engine):
    """One row a response, the model's own forward, logits at every place.

    With `collate.as_pairs` a response is scored once for every pair it stands in, as pair-based
    trainers do.
    """

    name = "pairs"

    def layout(self, batch: Sequence[Rendered], pad_id: int) -> Layout:
        return lay_out(one_row_each(batch), pad_id)

    def token_log_probs(self, model, layout: Layout) -> Tensor:
        logits = model(
            input_ids=layout.ids, attention_mask=(layout.segments >= 0).long(), use_cache=False
        ).logits
        return target_log_probs(logits[layout.rows, layout.columns], layout.targets)
