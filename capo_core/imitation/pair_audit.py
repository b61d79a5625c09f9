"""What is in a set of pairs: a table to read, and its figures."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.imitation.pairs import Pairs
from capo_core.imitation.pairs_config import COUNTS_RESPONSES
from capo_core.text.tokens import words

QUANTILES = {
    "min": 0.0, "p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0,
}  # fmt: skip
AUDIT_COLUMNS = (
    "pair_id", "item_id", "chosen_annotator_id", "rejected_annotator_id", "chosen_label",
    "rejected_label", "same_label", "similarity", "weight", "chosen_words", "rejected_words",
    "length_gap_words", "chosen_explanation", "rejected_explanation",
)  # fmt: skip


def audit(pairs: Pairs, dataset: Dataset) -> pd.DataFrame:
    """One row a pair, with authors, labels, lengths and both texts: columns `AUDIT_COLUMNS`.

    `length_gap_words` is the words of the chosen explanation less those of the rejected one: where
    its median is far from 0, a model can win the contrast by length alone.
    """
    said = dataset.annotations.set_index("annotation_id")
    frame = pairs.frame.rename(columns={"target_annotator_id": "chosen_annotator_id"})
    for side in ("chosen", "rejected"):
        rows = said.loc[frame[f"{side}_annotation_id"]]
        texts = rows["explanation"].tolist()
        frame[f"{side}_label"] = rows["label"].tolist()
        frame[f"{side}_explanation"] = texts
        frame[f"{side}_words"] = [len(words(text)) for text in texts]
    frame["same_label"] = frame["same_label"] == "true"
    frame["length_gap_words"] = frame["chosen_words"] - frame["rejected_words"]
    return frame[list(AUDIT_COLUMNS)]


def summary(pairs: Pairs, dataset: Dataset) -> dict:
    """The audit in figures, as JSON holds them; None where there is no pair to measure."""
    table = audit(pairs, dataset)
    counted = pairs.dropped
    return {
        "dataset": dataset.name,
        "fingerprint": pairs.dataset_fingerprint,
        "target": pairs.target,
        "split": pairs.split,
        "config": asdict(pairs.config),
        "pairs": len(table),
        "items": int(table["item_id"].nunique()),
        "chosen_responses": int(pairs.frame["chosen_annotation_id"].nunique()),
        "rejected_by_annotator": {
            str(who): int(count)
            for who, count in table["rejected_annotator_id"].value_counts().items()
        },
        "dropped_responses": {name: counted[name] for name in counted if name in COUNTS_RESPONSES},
        "dropped_pairs": {name: counted[name] for name in counted if name not in COUNTS_RESPONSES},
        "items_without": list(pairs.items_without),
        "same_label_share": float(table["same_label"].mean()) if len(table) else None,
        "similarity": quantiles(table["similarity"]),
        "length_gap_words": quantiles(table["length_gap_words"]),
        "weight": quantiles(table["weight"]),
    }


def quantiles(values: pd.Series) -> dict[str, float | int | None]:
    """`n`, and the quantiles named in `QUANTILES` (linear between values); None of no value."""
    if not len(values):
        return {"n": 0, **dict.fromkeys(QUANTILES)}
    return {
        "n": len(values),
        **{name: float(values.quantile(share)) for name, share in QUANTILES.items()},
    }
