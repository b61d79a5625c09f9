"""Pairs as preference data for other trainers: JSONL with `prompt`, `chosen` and `rejected`."""

from __future__ import annotations

import json
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.imitation.history import items_of
from capo_core.imitation.pairs import Pairs, prove_held_out
from capo_core.imitation.prompts import zero_shot
from capo_core.imitation.render import PLAIN_END
from capo_core.imitation.response import write_response
from capo_core.workspace import atomic_file


def preference_rows(pairs: Pairs, dataset: Dataset) -> list[dict]:
    """One record a pair, with what our own training reads.

    `prompt` ends where the answer begins, so that prompt + chosen is one text (the form that TRL
    calls standard, explicit prompt; the trainer adds the end token). A chat model's template is
    not applied: its trainer does that.
    """
    prompts = {
        item.item_id: zero_shot(dataset.task, item).text + PLAIN_END
        for item in items_of(dataset, pairs.split)
    }
    said = dataset.annotations
    columns = (said[name] for name in ("annotation_id", "label", "explanation"))
    responses = {
        annotation_id: write_response(label, explanation)
        for annotation_id, label, explanation in zip(*columns, strict=True)
    }
    return [
        {
            "prompt": prompts[row.item_id],
            "chosen": responses[row.chosen_annotation_id],
            "rejected": responses[row.rejected_annotation_id],
            "item_id": row.item_id,
            "target_annotator": row.target_annotator_id,
            "rejected_annotator": row.rejected_annotator_id,
            "same_label": row.same_label == "true",
            "weight": float(row.weight),
        }
        for row in pairs.frame.itertuples(index=False)
    ]


def export_pairs(pairs: Pairs, dataset: Dataset, path: Path | str) -> Path:
    """Write `preference_rows` to a file, one JSON object a line.

    Pairs of the training part are proved to be held out from validation and test first.

    Raises:
        DataError: something in the pairs is tested on (see `prove_held_out`), or the place cannot
            be written.
    """
    path = Path(path)
    if pairs.split == "train":
        prove_held_out(pairs, dataset)
    if path.is_dir():
        raise DataError("this is a folder", where=str(path), todo="name a file in it")
    lines = (json.dumps(row, ensure_ascii=False) for row in preference_rows(pairs, dataset))
    text = "".join(f"{line}\n" for line in lines)
    try:
        with atomic_file(path) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"the file cannot be written ({error.strerror or error})", where=str(path)
        ) from error
    return path
