"""Samples of a model in training: greedy answers, always to the same items, as a generation writes
them: the same prompts, the same choice of the label, the same end of an answer.

Decoding draws no random numbers, so that sampling does not affect training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from capo_core.dataset import Dataset
from capo_core.imitation.backends.base import GenerationRequest
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.requests import (
    GenerateConfig,
    PromptBuilder,
    decoding_of,
)
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.prompting.prompts import PromptItem

LONGEST = 96  # tokens of a sample; enough to see manner and form
BATCH_TOKENS = 8192  # of answers computed at once
_RELIEF = "write no samples while training (sample_every 0), or close other programs"

Asked = Sequence[tuple[PromptItem, str]]


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
        dataset: of the items.
        base: the base model, whose layers have the adapter in training.
        asked: (item, target) of each sample (see `examples.sampled_items`).
        named: prompts name the annotator, as one adapter serves all.
        label_choice: how labels are chosen; see `GenerateConfig`.
        probe: (item, target) of the answers that are only scored, by `scorer`; empty for none.
    """

    dataset: Dataset
    base: LoadedBaseModel
    asked: Asked
    named: bool = False
    label_choice: str = "auto"
    probe: Asked = ()
    scorer: ProbeScorer | None = None

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to generate."""
        return not self.asked and not self.probe

    @property
    def config(self) -> GenerateConfig:
        """Settings of a generation that answers as the samples do."""
        return GenerateConfig(
            "sft", split="validation", named=self.named, temperature=0.0, top_p=1.0,
            max_new_tokens=LONGEST, label_choice=self.label_choice,
        )  # fmt: skip

    def look(self, model) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield events and their figures: a "sample" for each of `asked`, and one "probe".

        The model comes back in the mode, training or not, in which it was.
        """
        for answer in self._answers(model, self.asked):
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

    def _answers(self, model, asked: Asked) -> list[SampledAnswer]:
        training = model.training
        model.eval()
        try:
            texts = self._texts(asked)
        finally:
            model.train(training)
        return [
            SampledAnswer(item.item_id, target, text)
            for (item, target), text in zip(asked, texts, strict=True)
        ]

    def _texts(self, asked: Asked) -> list[str]:
        # A new one each time: it keeps keys and values of the prompts' common beginning.
        backend = TransformersBackend(
            self.base, batch_tokens=BATCH_TOKENS, trains_on=True, relief=_RELIEF
        )
        builder = PromptBuilder(self.dataset, self.config, backend, {}, lambda *_: ())
        requests, longest = [], LONGEST
        for number, (item, target) in enumerate(asked):
            prompt, _, excess = builder.build(target, item)
            if excess < LONGEST:  # else there is no room for an answer at all
                longest = min(longest, LONGEST - excess)
                label = builder.label_choice(target)
                requests.append(GenerationRequest(f"{number:06}", prompt, label=label))
        decoding = replace(decoding_of(self.dataset, self.config), max_new_tokens=longest)
        replies = backend.complete(requests, decoding) if requests else ()
        found = {int(request.key): reply.text for request, reply in replies}
        return [found.get(number, "") for number in range(len(asked))]
