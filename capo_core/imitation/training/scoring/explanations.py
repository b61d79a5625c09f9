"""Mean log-probabilities of given explanations under an adapter, teacher-forced.

The one place where evaluation reads texts with an annotator's adapter: one forward over prompt,
label line and explanation, of which the explanation's tokens are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from capo_core.imitation.models.adapters import load_adapter
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.models.errors import memory_errors
from capo_core.imitation.models.fast_layers import speed_up_answers
from capo_core.imitation.models.side_by_side import SideBySide
from capo_core.imitation.prompting.prompts import Prompt, Rendered, render, write_response
from capo_core.imitation.training.micro_batches import by_length, tokens_that_fit
from capo_core.imitation.training.scoring.base import ScoreTable, scoring
from capo_core.imitation.training.scoring.choose import choose_engine, longest_sample
from capo_core.progress import Progress, silent


def render_explanations(
    base: LoadedBaseModel, prompt: Prompt, answers: Sequence[tuple[str, str]]
) -> Rendered:
    """Return a prompt with answers (label, explanation) as tokens, without their end token.

    How an answer ends is a habit of typing as well as of length; it is not scored.
    """
    texts = [write_response(label, explanation) for label, explanation in answers]
    whole = render(prompt, texts, base.tokenizer)
    return Rendered(whole.prompt, tuple(r[:-1] for r in whole.responses), whole.heads)


def explanation_log_probs(
    base: LoadedBaseModel,
    adapter: Path,
    renders: Sequence[Rendered],
    *,
    batch_tokens: int | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Return the mean log p(token | item, label, tokens before) of each explanation, in nats.

    Args:
        renders: prompts with their answers (see `render_explanations`).
        batch_tokens: positions computed at once; None: as many as the base model allows.

    Returns:
        [answers in all], prompt after prompt; NaN for an explanation without a token.

    Raises:
        ConfigError: there is no adapter of this base in the folder.
        RunError: there is not enough memory. Stopped: from `progress`.
    """
    limit = batch_tokens or tokens_that_fit(base.model.config, base.model.dtype, base.model.device)
    model = load_adapter(base, adapter)
    speed_up_answers(model)
    try:
        found: dict[int, np.ndarray] = {}
        with scoring(base.model), memory_errors(base.name):
            engine = choose_engine(model, longest_sample(renders)).engine
            shared = engine.shared_tokens(model, renders)
            rows = [engine.row_lengths(item) for item in renders]
            parts = by_length(rows, limit, shared)

            def score(model, part: Sequence[int]) -> ScoreTable:
                return engine.score(model, [renders[i] for i in part], pad_id=base.pad_id)

            def look() -> None:
                progress("Scoring texts under an adapter", len(found) / len(renders))

            with closing(SideBySide(model).results(score, parts, look)) as scored:
                for part, table in zip(parts, scored, strict=True):
                    tokens = table.explanation_tokens
                    mean = table.explanation_log_probs / tokens.clamp_min(1)
                    mean = torch.where(tokens > 0, mean, torch.nan).double().cpu()
                    sizes = [len(renders[i].responses) for i in part]
                    found.update(
                        {i: m.numpy() for i, m in zip(part, mean.split(sizes), strict=True)}
                    )
    finally:
        model.unload()  # the next adapter is put on the base alone
    return np.concatenate([found[i] for i in range(len(renders))])
