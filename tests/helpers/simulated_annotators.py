"""Small made-up worlds for tests: datasets and an embedder that needs no model."""

import hashlib

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.task import NLI
from capo_core.text.tokens import tokens


def bag_of_words_vectors(texts: list[str], dimensions: int = 48) -> np.ndarray:
    """Unit vectors: the sum of one fixed random direction a token."""

    def direction(token: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).normal(size=dimensions)

    rows = np.array(
        [sum((direction(t) for t in tokens(text)), np.zeros(dimensions)) for text in texts]
    )
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def world(explain, items: int = 40, annotators: str = "ABCD", label=None, name="world") -> Dataset:
    """A dataset in which annotator a explains item i by `explain(i, a)`; a text of None is none.

    `label(i, a)` gives the label, by default entailment.
    """
    label = label or (lambda i, a: "entailment")
    rows = [
        (f"{i}-{a}", f"i{i}", a, label(i, a), text, "unknown")
        for i in range(items)
        for a in annotators
        if (text := explain(i, a)) is not None
    ]
    return Dataset(
        name,
        NLI,
        pd.DataFrame(
            {
                "item_id": [f"i{i}" for i in range(items)],
                "text_a": [f"premise number {i}" for i in range(items)],
                "text_b": [f"hypothesis number {i}" for i in range(items)],
                "split": "",
            }
        ),
        pd.DataFrame(
            rows,
            columns=["annotation_id", "item_id", "annotator_id", "label", "explanation", "valid"],
        ),
    )
