"""Samples of a model in training: greedy answers, always to the same items.

Decoding draws no random numbers, so that sampling does not affect training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

LONGEST = 96  # tokens of a sample; enough to see manner and form
ROWS = 32  # answers written at once

Prompts = Sequence[tuple[str, str, tuple[int, ...]]]


@dataclass(frozen=True)
class SampledAnswer:
    """The text a model in training generates for an item in the place of `target`."""

    item_id: str
    target: str
    text: str


# What answers are worth, in figures for an event; it comes from above and knows no model.
ProbeScorer = Callable[[Sequence[SampledAnswer]], dict[str, Any]]


@dataclass(frozen=True)
class Sampler:
    """Generator of samples, and of probe answers for scoring.

    Attributes:
        prompts: (item, target, prompt's tokens), as from `material.sample_prompts`.
        longest: context length of the model in tokens; None if unknown.
        probe: prompts whose answers are only scored, by `scorer`; empty for none.
    """

    tokenizer: Any
    prompts: Prompts
    pad_id: int
    longest: int | None = None
    probe: Prompts = ()
    scorer: ProbeScorer | None = None

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to generate."""
        return not self.prompts and not self.probe

    def look(self, model) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield events and their figures: a "sample" for each of `prompts`, and one "probe".

        The model comes back in the mode, training or not, in which it was.
        """
        for answer in self._answers(model, self.prompts):
            yield (
                "sample",
                {
                    "item_id": answer.item_id,
                    "target_annotator_id": answer.target,
                    "text": answer.text,
                },
            )
        if self.probe and self.scorer is not None:
            yield "probe", self.scorer(self._answers(model, self.probe))

    def _answers(self, model, prompts: Prompts) -> list[SampledAnswer]:
        training = model.training
        model.eval()
        try:
            texts = []
            for start in range(0, len(prompts), ROWS):
                texts += self._texts(model, [ids for *_, ids in prompts[start : start + ROWS]])
        finally:
            model.train(training)
        return [
            SampledAnswer(item, target, text)
            for (item, target, _), text in zip(prompts, texts, strict=True)
        ]

    def _texts(self, model, prompts: Sequence[tuple[int, ...]]) -> list[str]:
        width = max(map(len, prompts))
        room = LONGEST if self.longest is None else min(LONGEST, self.longest - width)
        if room < 1:
            return ["" for _ in prompts]
        # On the left, so that all answers begin at the same place.
        ids = [[self.pad_id] * (width - len(ids)) + list(ids) for ids in prompts]
        seen = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
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
