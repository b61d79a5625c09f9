"""Suitability of the embedded base model for a dataset: it knows simulated texts only.

Its tokenizer was learnt from the simulator's texts, so a word that it holds as one token is one
the model has seen. Of the words of simulated items 96 to 100 % are; of VariErr's 63 %, of LeWiDi
Paraphrase's 69 % (most of them "the", "is", "of"). Nothing here needs torch.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import pandas as pd

from capo_core.errors import ConfigError
from capo_core.formatting import percent
from capo_core.imitation.models.registry import EMBEDDED_NAME, KNOWN_MODELS, SMOLLM2
from capo_core.shipped import EMBEDDED_BASE

KNOWN_SHARE = 0.9  # of words, from which on the data count as the simulator's
FEWEST_WORDS = 100  # a share of fewer says too little
_MOST_ITEMS = 500
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")


class ItemTexts(Protocol):
    """Items with texts (`item_id`, `text_a`, `text_b`): a dataset, or judgments on items."""

    @property
    def name(self) -> str: ...

    @property
    def items(self) -> pd.DataFrame: ...

    @property
    def fingerprint(self) -> str: ...


def known_word_share(dataset: ItemTexts, folder: Path = EMBEDDED_BASE) -> float | None:
    """Return the share of words of the items' texts that the embedded base model knows.

    None where the texts have fewer than `FEWEST_WORDS` words, or there is no tokenizer.
    """
    return _share(dataset.fingerprint, _Texts(dataset), folder / "tokenizer.json")


def unsuitable(dataset: ItemTexts) -> str:
    """Return why the embedded base model cannot be used on `dataset`; "" where it can."""
    if getattr(dataset, "simulated", False):
        return ""
    share = known_word_share(dataset)
    if share is None or share >= KNOWN_SHARE:
        return ""
    embedded, other = KNOWN_MODELS[EMBEDDED_NAME], KNOWN_MODELS[SMOLLM2]
    measured = ""
    if embedded.measured and other.measured:
        one, two = embedded.measured[0], other.measured[0]
        measured = (
            f" On real data it learns no sensible text: {one.what} {one.value:.2f}, against "
            f"{two.value:.2f} of {other.title} ({one.on})."
        )
    return (
        f"The embedded base model was made for simulated data, and knows {percent(share)} of the "
        f"words of {dataset.name} (of the demo data, 96\u00a0% or more).{measured}"
    )


def suggested_base(dataset: ItemTexts) -> str:
    """Return the name of the base model to begin with on `dataset`."""
    return SMOLLM2 if unsuitable(dataset) else EMBEDDED_NAME


def check_suitable(dataset: ItemTexts, base: str, *, allow_embedded: bool = False) -> None:
    """Raise `ConfigError` if `base` is the embedded base model and `dataset` is not for it.

    Args:
        allow_embedded: use it all the same.
    """
    why = unsuitable(dataset) if base == EMBEDDED_NAME and not allow_embedded else ""
    if why:
        title = KNOWN_MODELS[SMOLLM2].title
        raise ConfigError(
            why[0].lower() + why[1:],
            todo=f"use {title} (models get {SMOLLM2}, once; then the base model '{SMOLLM2}'), or "
            "another model; or allow the embedded one all the same",
            option=f"--base {SMOLLM2}, --allow-embedded",
        )


class _Texts:
    """The texts of a dataset's items; equal to any other, so that the fingerprint is the key."""

    def __init__(self, dataset: ItemTexts) -> None:
        self.dataset = dataset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Texts)

    def __hash__(self) -> int:
        return 0

    def words(self) -> list[str]:
        items = self.dataset.items.head(_MOST_ITEMS)
        texts = [*items["text_a"], *items["text_b"]]
        return [word for text in texts for word in _WORD.findall(str(text))]


@lru_cache(maxsize=32)
def _share(fingerprint: str, texts: _Texts, tokenizer_file: Path) -> float | None:
    from tokenizers import Tokenizer

    words = texts.words()
    if len(words) < FEWEST_WORDS or not tokenizer_file.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    distinct = sorted(set(words))
    # With the space before it, as most words stand in a text.
    pieces = tokenizer.encode_batch([f" {word}" for word in distinct], add_special_tokens=False)
    known = {word for word, piece in zip(distinct, pieces, strict=True) if len(piece.ids) == 1}
    return sum(word in known for word in words) / len(words)
