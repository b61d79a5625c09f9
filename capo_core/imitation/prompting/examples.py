"""Selection of in-context examples among an annotator's own responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.formatting import quoted_names
from capo_core.imitation.prompting.prompts import Example, PromptItem
from capo_core.imitation.prompting.responses import history, items_of, text_key
from capo_core.workspace import content_hash

EXAMPLE_SELECTIONS = ("random", "nearest")

# Texts to unit-length vectors, float32 [n, dim]; `text.embeddings.Embedder` is one.
Embed = Callable[[Sequence[str]], np.ndarray]


class ExamplePool:
    """An annotator's training responses as a source of examples for many items.

    An item occurs once, with one of its responses if there are two. Neither the item in question
    nor one with the same texts is ever among its examples.

    Args:
        how: "random": the same examples, in the same order, for all items (a server can cache
            them); "nearest": those with the most similar input, the most similar last, next to
            the question.
        seed: of the draw, and of the order of equally similar inputs; the order of the dataset's
            rows does not matter.
        embed: needed for "nearest" only.

    Raises:
        ConfigError: an unknown selection, "nearest" without `embed`, an unknown annotator, or one
            without training responses.
    """

    def __init__(
        self,
        dataset: Dataset,
        annotator: str,
        *,
        how: str = "random",
        seed: int = 0,
        embed: Embed | None = None,
    ) -> None:
        if how not in EXAMPLE_SELECTIONS:
            raise ConfigError(
                f"the example selection {how!r} is unknown",
                expected=f"one of {quoted_names(EXAMPLE_SELECTIONS)}",
            )
        if how == "nearest" and embed is None:
            raise ConfigError("choosing the nearest examples needs embeddings of the inputs")
        self.annotator, self.how, self._embed = annotator, how, embed
        found = history(dataset, annotator, least=1).responses
        items = {item.item_id: item for item in items_of(dataset, "train")}
        drawn = sorted(found, key=lambda response: content_hash(seed, response.annotation_id))
        first = {response.item_id: response for response in reversed(drawn)}
        self._examples = [
            Example(items[response.item_id], response.label, response.explanation)
            for response in drawn
            if first[response.item_id] is response
        ]
        self._keys = [text_key(e.item.text_a, e.item.text_b) for e in self._examples]
        self._vectors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._examples)

    def choose(self, n: int, item: PromptItem | None = None) -> list[Example]:
        """Return `n` examples for `item`; for None, of the annotator in general (a profile).

        Raises:
            ConfigError: `n` is below 1 or too large; or "nearest" without an item.
        """
        if n < 1:
            raise ConfigError(f"{n} examples cannot be selected", expected="1 or more")
        if item is None and self.how == "nearest":
            raise ConfigError("the nearest examples need an item")
        key = None if item is None else text_key(item.text_a, item.text_b)
        open_to = [
            place
            for place, example in enumerate(self._examples)
            if item is None or (example.item.item_id != item.item_id and self._keys[place] != key)
        ]
        if len(open_to) < n:
            raise ConfigError(
                f"annotator {self.annotator!r} has {len(open_to)} examples, fewer than {n}",
                todo=f"use at most {len(open_to)}, or choose another annotator",
            )
        if self.how == "nearest":
            near = self._nearness(item)[open_to]
            order = np.argsort(-near, kind="stable")[:n][::-1]
            return [self._examples[open_to[place]] for place in order]
        return [self._examples[place] for place in open_to[:n]]

    def _nearness(self, item: PromptItem) -> np.ndarray:
        """Return the cosine of each example's input with the item's, float [examples]."""
        if self._vectors is None:
            self._vectors = self._embed([_input(example.item) for example in self._examples])
        return self._vectors @ self._embed([_input(item)])[0]


def _input(item: PromptItem) -> str:
    return f"{item.text_a}\n{item.text_b}".strip()
