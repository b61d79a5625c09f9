"""From a study on disk to preference pairs in files: texts, prompts and answers put together."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.imitation.history import items_of
from capo_core.imitation.prompts import zero_shot
from capo_core.imitation.render import PLAIN_END
from capo_core.imitation.response import write_response
from capo_core.study.design import Draft
from capo_core.study.preference_pairs import Filter, preference_pairs
from capo_core.study.quality import JudgeQuality
from capo_core.study.tables import COMPARISON, from_cell
from capo_core.workspace import atomic_file


def pairs_of(
    draft: Draft,
    dataset: Dataset,
    judgments: pd.DataFrame,
    quality: JudgeQuality,
    chosen_by: Filter | None = None,
) -> pd.DataFrame:
    """`preference_pairs` with the study's own texts, in the form our training reads.

    A prompt ends where the answer begins; texts are as they were shown.
    """
    rows = draft.texts.set_index("text_id")
    said = {name: write_response(row["label"], row["explanation"]) for name, row in rows.iterrows()}
    trials = draft.trials[draft.trials["kind"] == COMPARISON]
    shown = {}
    for trial in trials.itertuples(index=False):
        first, second = from_cell(trial.text_ids)
        shown[trial.trial_id] = (said[first], said[second])
    prompts = {
        item.item_id: zero_shot(dataset.task, item).text + PLAIN_END
        for item in items_of(dataset, draft.config.split)
    }
    asked = {
        (trial.item_id, trial.target_annotator_id): prompts[trial.item_id]
        for trial in trials.itertuples(index=False)
        if trial.item_id in prompts
    }
    return preference_pairs(judgments, quality, shown, asked, chosen_by)


def write_pairs(pairs: pd.DataFrame, path: Path) -> Path:
    """JSONL, one pair a line, names as TRL and LLaMA-Factory know them."""
    lines = [json.dumps(row, ensure_ascii=False) for row in pairs.to_dict("records")]
    with atomic_file(path, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path
