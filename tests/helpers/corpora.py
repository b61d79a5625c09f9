"""Small datasets written out in a test."""

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.task import NLI, Task


def dataset(rows, *, text_a: str = "a red fox", text_b: str = "", task: Task = NLI) -> Dataset:
    """Rows (item, annotator, explanation) or (item, annotator, explanation, label).

    The label is "neutral" where none is given; annotation k is called "xk"; all items have the
    same texts.
    """
    full = [(*row, "neutral")[:4] for row in rows]
    items = list(dict.fromkeys(item for item, *_ in full))
    return Dataset(
        "made by hand",
        task,
        pd.DataFrame({"item_id": items, "text_a": text_a, "text_b": text_b, "split": ""}),
        pd.DataFrame(
            {
                "annotation_id": [f"x{k}" for k in range(len(full))],
                "item_id": [item for item, *_ in full],
                "annotator_id": [who for _, who, *_ in full],
                "label": [label for *_, label in full],
                "explanation": [said for _, _, said, _ in full],
                "valid": "unknown",
            }
        ),
    )
