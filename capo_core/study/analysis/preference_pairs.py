"""Preference pairs for training from the judges' comparisons, filtered by confidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.imitation.prompting.prompts import PLAIN_END, write_response, zero_shot
from capo_core.imitation.prompting.responses import items_of
from capo_core.json_text import json_line
from capo_core.settings import setting, settings
from capo_core.study.analysis.attentiveness_em import votes_of
from capo_core.study.analysis.judge_quality import JudgeQuality
from capo_core.study.design.draft import Draft
from capo_core.study.tables import COMPARISON, MAIN, from_cell
from capo_core.workspace import atomic_file

CONFIDENT = 0.9
COLUMNS = (
    "prompt", "chosen", "rejected", "item_id", "target_annotator_id", "chosen_source",
    "rejected_source", "confidence", "n_votes", "trial_id",
)  # fmt: skip
RULES = ("quality", "majority", "none")


@settings("pair filter")
class PairFilter:
    """The rule by which comparisons become pairs."""

    rule: str = setting(
        "quality", "Filter",
        "quality: one pair per text pair, the text more likely better by the weighted vote, kept "
        "if that is at least `confident`; majority: one per text pair, by count, even counts left "
        "out; none: one per vote.", choices=RULES,
    )  # fmt: skip
    confident: float = setting(
        CONFIDENT, "Min confidence", "Rule quality: how probable the better text must be.",
        gt=0.5, le=1, step=0.01,
    )  # fmt: skip


def preference_pairs(
    judgments: pd.DataFrame,
    quality: JudgeQuality,
    shown: Mapping[str, tuple[str, str]],
    prompts: Mapping[tuple[str, str], str],
    chosen_by: PairFilter | None = None,
) -> pd.DataFrame:
    """Return COLUMNS, one row a pair; checks, practice, ties and pairs of one source are left out.

    Args:
        shown: trial_id → the two texts, in stored slots a and b.
        prompts: (item_id, target_annotator_id) → the prompt both texts answer.

    Raises:
        DataError: a trial's texts or prompt are missing.
    """
    chosen_by = chosen_by or PairFilter()
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] == MAIN)]
    facts = rows.drop_duplicates("trial_id").set_index("trial_id")
    picks = _picks(judgments, quality, chosen_by)
    picks = picks[picks["trial_id"].isin(facts.index)]
    result = []
    for trial, source, confidence, n in picks.itertuples(index=False):
        fact = facts.loc[trial]
        texts = shown.get(trial)
        prompt = prompts.get((fact["item_id"], fact["target_annotator_id"]))
        if texts is None or prompt is None:
            raise DataError(
                f"the {'texts' if texts is None else 'prompt'} of trial {trial} are missing",
                expected="the texts and the prompt of every comparison",
            )
        at = 0 if fact["source_a"] == source else 1
        sources = (fact["source_a"], fact["source_b"])
        result.append(
            (prompt, texts[at], texts[1 - at], fact["item_id"], fact["target_annotator_id"],
             sources[at], sources[1 - at], confidence, n, trial)
        )  # fmt: skip
    return pd.DataFrame(result, columns=list(COLUMNS))


def _picks(judgments: pd.DataFrame, quality: JudgeQuality, chosen_by: PairFilter) -> pd.DataFrame:
    """Return trial_id, the source preferred, the confidence, and the number of votes."""
    text_pairs = quality.text_pairs[quality.text_pairs["source_a"] != ""]
    if chosen_by.rule == "none":
        votes = votes_of(judgments)
        named = text_pairs.set_index("trial_id")
        trial = np.array(votes.text_pairs, dtype=object)[votes.text_pair]
        counted = np.isin(trial, named.index) & ~votes.repeat
        trial, first = trial[counted], votes.first[counted]
        source = np.where(first, named.loc[trial, "source_a"], named.loc[trial, "source_b"])
        return pd.DataFrame({"trial_id": trial, "source": source, "confidence": 1.0, "n": 1})
    if chosen_by.rule == "majority":
        share = text_pairs["votes_a"] / text_pairs["n_votes"].clip(lower=1)
        keep = (text_pairs["n_votes"] > 0) & (share != 0.5)
    else:
        share = text_pairs["better_a"]
        keep = (text_pairs["n_votes"] > 0) & (np.maximum(share, 1 - share) >= chosen_by.confident)
    source = np.where(share > 0.5, text_pairs["source_a"], text_pairs["source_b"])
    table = pd.DataFrame(
        {
            "trial_id": text_pairs["trial_id"],
            "source": source,
            "confidence": np.maximum(share, 1 - share),
            "n": text_pairs["n_votes"],
        }
    )
    return table[keep].reset_index(drop=True)


def pairs_of(
    draft: Draft,
    dataset: Dataset,
    judgments: pd.DataFrame,
    quality: JudgeQuality,
    chosen_by: PairFilter | None = None,
) -> pd.DataFrame:
    """Return `preference_pairs` with the study's own texts, in the form that training reads.

    A prompt ends where the answer begins; texts are as they were shown.
    """
    rows = draft.texts.set_index("text_id")
    answers = {
        name: write_response(row["label"], row["explanation"]) for name, row in rows.iterrows()
    }
    trials = draft.trials[draft.trials["kind"] == COMPARISON]
    shown = {}
    for trial in trials.itertuples(index=False):
        first, second = from_cell(trial.text_ids)
        shown[trial.trial_id] = (answers[first], answers[second])
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
    """Write JSONL, one pair a line, with the keys of TRL and LLaMA-Factory."""
    lines = [json_line(row) for row in pairs.to_dict("records")]
    with atomic_file(path, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path
