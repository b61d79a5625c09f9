"""Small judgments made by hand, and where the published data lie."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from capo_core.dataset import Dataset
from capo_core.distributions.judgments import (
    EXPLANATIONS,
    Judgments,
    LabelDistribution,
    no_explanations,
)
from capo_core.task import NLI

LABELS = NLI.scale.labels
HJD = (
    Path(os.environ.get("CAPO_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    / "data"
    / "hjd"
)


def published(name):
    """A published file; the test is skipped where the data are not there."""
    path = HJD / name
    if not path.exists():
        pytest.skip(f"the published data are not here ({path}); set CAPO_SHARED to their folder")
    return path


def source(name, shares, items=None, labels=LABELS):
    shares = np.asarray(shares, dtype=float)
    items = items or [f"i{k}" for k in range(len(shares))]
    return LabelDistribution(name, tuple(labels), tuple(items), shares)


def judgments(*sources, said=(), task=NLI):
    """Judgments on all items that any of `sources` has; `said`: (item, source, n, label, text)."""
    items = list(dict.fromkeys(item for one in sources for item in one.item_ids))
    frame = pd.DataFrame({"item_id": items, "text_a": [f"A of {i}" for i in items], "text_b": "B"})
    table = pd.DataFrame(said, columns=EXPLANATIONS.names) if said else no_explanations()
    return Judgments("hand-made", task, frame, sources, table)


def write_lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def row(number, **fields):
    return {"premise": f"Premise {number}.", "hypothesis": f"Hypothesis {number}.", **fields}


def small_dataset(crowd=True):
    """Two items, two annotators; the second item has a tie."""
    items = pd.DataFrame(
        {"item_id": ["x", "y"], "text_a": ["a", "b"], "text_b": ["c", "d"], "split": ""}
    )
    given = [
        ("1", "x", "ann", "neutral", "Because so.", "true"),
        ("2", "x", "bob", "neutral", "It is.", "false"),
        ("3", "y", "ann", "neutral", "", "unknown"),
        ("4", "y", "bob", "entailment", "Surely.", "true"),
    ]
    columns = ["annotation_id", "item_id", "annotator_id", "label", "explanation", "valid"]
    counts = pd.DataFrame(
        {"item_id": ["x", "x", "y"], "label": ["neutral", "entailment", "neutral"],
         "count": [60, 40, 100]}
    )  # fmt: skip
    return Dataset(
        "small", NLI, items, pd.DataFrame(given, columns=columns), counts if crowd else None
    )
