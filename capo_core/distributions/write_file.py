"""Explanations as a file that `read_file` reads again beside the data's own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from capo_core.data.mapping import normal
from capo_core.distributions.judgments import Judgments
from capo_core.errors import DataError
from capo_core.workspace import atomic_file


def write_explanations(judgments: Judgments, said: pd.DataFrame, path: Path) -> None:
    """One JSON object an item that has an explanation: its texts, and pairs under each source.

    Raises:
        DataError: the file cannot be written.
    """
    names = [normal(role) for role in (judgments.task.role_a, judgments.task.role_b)]
    keys = ("premise", "hypothesis") if names == ["premise", "hypothesis"] else ("text_a", "text_b")
    by_item = dict(list(said.groupby("item_id", sort=False)))
    try:
        with atomic_file(path, "w") as file:
            for row in judgments.items.itertuples():
                rows = by_item.get(row.item_id)
                if rows is None:
                    continue
                pairs = {
                    source: list(zip(own["explanation"], own["label"], strict=True))
                    for source, own in rows.groupby("source", sort=False)
                }
                texts = {keys[0]: row.text_a, **({keys[1]: row.text_b} if row.text_b else {})}
                file.write(json.dumps({**texts, **pairs}, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"the file cannot be written ({error.strerror})", where=str(path)) from None
