"""One row a response, each response once, the head at the responses only; for any causal model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from capo_core.imitation.engines.base import Engine
from capo_core.imitation.engines.head import log_probs_at
from capo_core.imitation.engines.layout import Layout, lay_out, one_row_each
from capo_core.imitation.render import Rendered


class GroupEngine(Engine):
    """Every response once, behind its own copy of the prompt."""

    name = "group"

    def layout(self, batch: Sequence[Rendered], pad_id: int) -> Layout:
        return lay_out(one_row_each(batch), pad_id)

    def token_log_probs(self, model, layout: Layout) -> Tensor:
        # Padding is on the right and the model is causal: no mask is needed, and without one the
        # fast causal kernels are used.
        return log_probs_at(
            model, layout.rows, layout.columns, layout.targets, input_ids=layout.ids
        )
