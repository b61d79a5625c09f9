"""A few answers of a model in training, to look at: greedy, always to the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

LONGEST = 96  # tokens of a sample; enough to see manner and form


@dataclass(frozen=True)
class Sampler:
    """Writes samples.

    Attributes:
        prompts: (item, target, prompt's tokens), as from `material.sample_prompts`.
        longest: tokens the model can read at once; None where that is not known.
    """

    tokenizer: Any
    prompts: Sequence[tuple[str, str, tuple[int, ...]]]
    pad_id: int
    longest: int | None = None

    def write(self, model) -> list[dict[str, str]]:
        """One `{"item_id", "target_annotator_id", "text"}` for each prompt.

        The model comes back in the mode, training or not, in which it was.
        """
        training = model.training
        model.eval()
        try:
            texts = self._texts(model)
        finally:
            model.train(training)
        return [
            {"item_id": item, "target_annotator_id": target, "text": text}
            for (item, target, _), text in zip(self.prompts, texts, strict=True)
        ]

    def _texts(self, model) -> list[str]:
        width = max(len(ids) for *_, ids in self.prompts)
        room = LONGEST if self.longest is None else min(LONGEST, self.longest - width)
        if room < 1:
            return ["" for _ in self.prompts]
        # On the left, so that all answers begin at the same place.
        ids = [[self.pad_id] * (width - len(ids)) + list(ids) for *_, ids in self.prompts]
        seen = [[0] * (width - len(ids)) + [1] * len(ids) for *_, ids in self.prompts]
        with torch.no_grad():
            written = model.generate(
                input_ids=torch.tensor(ids, device=model.device),
                attention_mask=torch.tensor(seen, device=model.device),
                max_new_tokens=room,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self.pad_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        return self.tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
