"""Label words of an annotator's own, in place of the task's.

A model that reads "neutral" follows what the word means to it, whatever the annotator uses it for.
With abstract words, other ones for each annotator, it has nothing but this annotator's examples to
learn a label from (labels without a relation to their meaning: Wei et al. 2023, arXiv 2303.03846;
symbol tuning: Wei et al. 2023, arXiv 2305.08298).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from capo_core.imitation.prompting.prompts import Example
from capo_core.task import LabelScale, Task
from capo_core.workspace import content_hash

_CONSONANTS, _VOWELS = "bfklmnprstvz", "aeiou"  # no word of English is made of them (c-v-c + "ux")
_INSTRUCTION = "The annotator has label words of their own; the answers below show what they mean."


@dataclass(frozen=True)
class OwnLabelWords:
    """A task as its prompts name it, with a label word for each label.

    Attributes:
        task: with the words as labels, in the order of the original labels.
        labels: the original labels.
    """

    task: Task
    labels: tuple[str, ...]

    def examples(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples with the label words in place of the labels."""
        words = dict(zip(self.labels, self.task.scale.labels, strict=True))
        return [replace(each, label=words[each.label]) for each in examples]

    def label_of(self, word: str) -> str:
        """Return the label of a word; "" for "" (no label was read)."""
        return word and self.labels[self.task.scale.labels.index(word)]


def task_words(task: Task) -> OwnLabelWords:
    """Return the task with its own labels as words."""
    return OwnLabelWords(task, task.scale.labels)


def own_label_words(task: Task, annotator: str) -> OwnLabelWords:
    """Return abstract label words for the annotator; the same ones each time.

    >>> from capo_core.task import NLI
    >>> own_label_words(NLI, "A").task.scale.labels
    ('lalux', 'zinux', 'temux')
    """
    every = [f"{a}{b}{c}ux" for a in _CONSONANTS for b in _VOWELS for c in _CONSONANTS]
    draw = random.Random(content_hash("label words", annotator))
    words = tuple(draw.sample(every, len(task.scale.labels)))
    own = replace(task, scale=LabelScale(words), instruction=_INSTRUCTION)
    return OwnLabelWords(own, task.scale.labels)
