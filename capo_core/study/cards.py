"""Reference cards: how each annotator answers, shown beside every trial that asks about them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.imitation.history import Response, responses
from capo_core.study.sources import as_shown
from capo_core.study.tables import CARDS, as_cell, frame_of, from_cell


def reference_cards(dataset: Dataset, examples: int, seed: int) -> pd.DataFrame:
    """The table CARDS, for every annotator, from the training part alone.

    Items that most annotators answered come first, so that the cards show different people on the
    same items: they then differ by manner, not by subject. Items whose texts stand in the
    validation or test part too are never on a card (see `imitation.history`).

    Raises:
        DataError: an annotator has fewer training explanations than a card needs.
        ConfigError: there is no training part.
    """
    kept = responses(dataset, split="train")
    answered = Counter(item for item, _ in {(r.item_id, r.annotator_id) for r in kept})
    rng = np.random.default_rng([seed, 11])
    chance = {item: rng.random() for item in sorted(answered)}
    texts = dataset.items.set_index("item_id")
    rows = []
    for annotator in dataset.annotators:
        own: dict[str, Response] = {}
        for response in kept:
            if response.annotator_id == annotator:
                own.setdefault(response.item_id, response)
        chosen = sorted(own, key=lambda item: (-answered[item], chance[item]))[:examples]
        if len(chosen) < examples:
            raise DataError(
                f"annotator {annotator!r} has explanations on {len(chosen)} training items",
                where=dataset.name,
                expected=f"at least {examples}, which a reference card shows",
                todo="put fewer examples on a card, or leave this annotator out of the data",
            )
        cell = [
            [
                *(as_shown(texts.at[item, column]) for column in ("text_a", "text_b")),
                own[item].label,
                as_shown(own[item].explanation),
            ]
            for item in chosen
        ]
        rows.append({"annotator_id": annotator, "examples": as_cell(cell)})
    return frame_of(CARDS, rows)


def card_explanations(cards: pd.DataFrame) -> list[str]:
    """All explanations that stand on cards."""
    return [example[3] for cell in cards["examples"] for example in from_cell(cell)]
