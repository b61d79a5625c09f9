"""Label distributions from the scores of whole label words, as a generation chooses its labels.

A model on this machine, bare or with a trained adapter, is asked with the prompt of a generation;
its answer is begun with "Label:", and each label word is scored with the line break after it
(`imitation.backends.base.LabelChoice`). So labels of several tokens can be told apart, and the
distribution is the one from which a generation takes its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from capo_core.imitation.backends.base import Backend, Decoding, GenerationRequest, LabelChoice
from capo_core.imitation.backends.option_scores import (
    LOG_PROBABILITY,
    TOO_LONG,
    OptionQuestion,
    OptionScorer,
    OptionScores,
)
from capo_core.imitation.generation.requests import LABEL_ROOM, GenerateConfig, answer_style
from capo_core.imitation.prompting.prompts import LABEL_MARK, Prompt, PromptItem, zero_shot
from capo_core.progress import Progress, part_of, silent
from capo_core.task import LabelScale, Task

if TYPE_CHECKING:
    from capo_core.imitation.generation.trained_adapters import TrainedAdapters

_CHUNK = 256  # questions after which scores are saved
_ONE_MORE = Decoding(max_new_tokens=LABEL_ROOM)


@dataclass(frozen=True)
class WordPrompts:
    """The prompts by which label words are scored: those of a generation by the same model.

    Attributes:
        style: see `generation.requests.answer_style`.
        annotator: name in the prompt, where one adapter serves all annotators.
        fixed: the labels stand in the task's order only: an adapter has seen no other.
    """

    style: Any
    annotator: str = ""
    fixed: bool = False

    def build(self, task: Task, item: PromptItem, order: Sequence[int], lines: str) -> Prompt:
        """Return the prompt with the labels in `order`, and `lines` after the item."""
        shown = tuple(task.scale.labels[place] for place in order)
        if shown != task.scale.labels:
            task = replace(task, scale=LabelScale(shown))
        prompt = zero_shot(task, item, annotator=self.annotator, style=self.style)
        return replace(prompt, text=f"{prompt.text}\n{lines}") if lines else prompt

    def one_order(self, task: Task) -> bool:
        """Return whether the prompts name the labels in one order only."""
        return self.fixed or task.scale.ordinal


class LabelWordScorer(OptionScorer):
    """A scorer of whole label words by a backend that scores labels.

    Args:
        target: whose adapter is used; "" for the bare model.
        trained: with the adapter of `target`.
        method: of the training, "sft" or "capo".
    """

    kind = LOG_PROBABILITY
    prefixes = True

    def __init__(
        self,
        backend: Backend,
        *,
        target: str = "",
        trained: TrainedAdapters | None = None,
        method: str = "zero_shot",
    ) -> None:
        config = GenerateConfig(method, label_choice="scores")
        self.name, self.fingerprint = backend.name, backend.fingerprint
        self._backend, self._adapter, named = backend, "", ""
        if trained is not None:
            from capo_core.imitation.models.adapters import adapter_fingerprint
            from capo_core.workspace import content_hash

            config = trained.config_for(config)
            path, named = trained.adapters[target], target if trained.named else ""
            self._adapter = str(path)
            self.name = f"{backend.name} with the {method.upper()} adapter of {target}"
            self.fingerprint = content_hash(backend.fingerprint, adapter_fingerprint(path), named)
        style = answer_style(config, backend).prompt
        self.prompts = WordPrompts(style, named, fixed=trained is not None)

    def score(
        self, questions: Sequence[OptionQuestion], progress: Progress = silent
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        # Those of similar length together, the longest first.
        rows = sorted(questions, key=lambda each: (-len(each.prompt.text), each.key))
        for start in range(0, len(rows), _CHUNK):
            part = part_of(progress, start / len(rows), min(len(rows), start + _CHUNK) / len(rows))
            yield from self._scored(rows[start : start + _CHUNK], part)

    def _scored(
        self, questions: Sequence[OptionQuestion], progress: Progress
    ) -> Iterator[tuple[OptionQuestion, OptionScores]]:
        requests = {
            question.key: GenerationRequest(
                question.key, question.prompt, self._adapter, label=LabelChoice(question.options)
            )
            for question in questions
            if not self._backend.excess(question.prompt, _ONE_MORE)
        }
        scores = {}
        if requests:
            asked = list(requests.values())
            scores = self._backend.label_scores(asked, _ONE_MORE, progress=progress)
        for question in questions:
            if question.key in scores:
                yield question, OptionScores(scores[question.key])
            else:
                yield question, OptionScores(problem=TOO_LONG)


def word_question(key: str, prompt: Prompt, labels: Sequence[str]) -> OptionQuestion:
    """Return the question for the scores of `labels` after "Label:"."""
    return OptionQuestion(key, prompt, tuple(labels), LABEL_MARK)
