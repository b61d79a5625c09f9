"""Small datasets of responses, written out in a test."""

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.task import NLI, LabelScale, Task

TONE = Task(
    name="tone of a message",
    scale=LabelScale(("friendly", "neither", "not friendly")),
    role_a="message",
    instruction="How does the message sound?",
)


def dataset(rows, *, task=NLI, parts=None, texts=None, valid=None, name="made"):
    """Rows (item, annotator, label, explanation); annotation k is called "xk".

    Args:
        parts: item → split; "train" where it is not named.
        texts: item → (text_a, text_b); ("text of ITEM", "") where it is not named.
        valid: annotation → validity; "unknown" where it is not named.
    """
    parts, texts, valid = parts or {}, texts or {}, valid or {}
    items = list(dict.fromkeys([*(item for item, *_ in rows), *parts, *texts]))
    both = [texts.get(item, (f"text of {item}", "")) for item in items]
    ids = [f"x{k}" for k in range(len(rows))]
    return Dataset(
        name,
        task,
        pd.DataFrame(
            {
                "item_id": items,
                "text_a": [a for a, _ in both],
                "text_b": [b for _, b in both],
                "split": [parts.get(item, "train") for item in items],
            }
        ),
        pd.DataFrame(
            {
                "annotation_id": ids,
                "item_id": [item for item, *_ in rows],
                "annotator_id": [who for _, who, *_ in rows],
                "label": [label for *_, label, _ in rows],
                "explanation": [said for *_, said in rows],
                "valid": [valid.get(each, "unknown") for each in ids],
            }
        ),
    )


def crowd_of(n_items, annotators=("A", "B"), label="neutral", **options):
    """Every annotator explains every item, each in words of their own."""
    rows = [
        (f"i{k}", who, label, f"{who}word{k} {who}other{k} {who}third{k}")
        for k in range(n_items)
        for who in annotators
    ]
    return dataset(rows, **options)
