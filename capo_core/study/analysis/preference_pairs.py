"""Preference pairs for training from the judges' comparisons: by majority, or by confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError, StudyError
from capo_core.export_formats import json_lines
from capo_core.formatting import count
from capo_core.imitation.prompting.prompts import PLAIN_END, write_response, zero_shot
from capo_core.imitation.prompting.responses import items_of
from capo_core.provenance import Provenance
from capo_core.settings import setting, settings
from capo_core.stats.intervals import json_rows
from capo_core.study.analysis.attentiveness_em import votes_of
from capo_core.study.analysis.judge_quality import JudgeQuality
from capo_core.study.analysis.pair_posterior import mu_priors, pair_posterior
from capo_core.study.design.draft import Draft
from capo_core.study.tables import COMPARISON, MAIN, TIE, from_cell
from capo_core.workspace import atomic_file

CONFIDENT = 0.9
VOTES = 3
COLUMNS = (
    "prompt", "chosen", "rejected", "item_id", "target_annotator_id", "chosen_source",
    "rejected_source", "rule", "confidence", "n_votes", "votes_chosen", "votes_rejected", "ties",
    "trial_id",
)  # fmt: skip
TRIAL_VOTES = (
    "trial_id", "item_id", "target_annotator_id", "source_a", "source_b", "votes_a", "votes_b",
    "ties",
)  # fmt: skip
MAJORITY, QUALITY, NONE = "majority", "quality", "none"
RULES = (MAJORITY, QUALITY, NONE)


@settings("pair filter")
class PairFilter:
    """The rule by which comparisons become pairs."""

    rule: str = setting(
        MAJORITY, "Filter",
        "majority: one pair per text pair, the text that more than half of its answers prefer; "
        "quality: one per text pair, the text more likely better by votes weighted by the judges' "
        "attentiveness, kept if that is at least `confident`; none: one per vote.", choices=RULES,
    )  # fmt: skip
    confident: float = setting(
        CONFIDENT, "Min confidence", "Rule quality: how probable the better text must be.",
        gt=0.5, le=1, step=0.01,
    )  # fmt: skip
    min_votes: int = setting(
        VOTES, "Min votes",
        "Rule majority: how many votes a text pair needs. Mirrored repeats, attention checks and "
        "ties are no votes.", ge=1, le=1000,
    )  # fmt: skip


def trial_votes(judgments: pd.DataFrame) -> pd.DataFrame:
    """Return TRIAL_VOTES, one row a main comparison of two sources; a and b are stored slots."""
    rows = judgments[(judgments["kind"] == COMPARISON) & (judgments["purpose"] == MAIN)]
    rows = rows[rows["source_a"] != rows["source_b"]]
    answers = (rows["answer"] == each for each in ("a", "b", TIE))
    counted = rows.assign(**dict(zip(TRIAL_VOTES[-3:], answers, strict=True)))
    facts = dict.fromkeys(TRIAL_VOTES[1:5], "first")
    each = counted.groupby("trial_id", sort=True)
    table = each.agg(facts | dict.fromkeys(TRIAL_VOTES[-3:], "sum")).reset_index()
    return table.astype(dict.fromkeys(TRIAL_VOTES[-3:], int))[list(TRIAL_VOTES)]


def preference_pairs(
    judgments: pd.DataFrame,
    quality: JudgeQuality,
    shown: Mapping[str, tuple[str, str]],
    prompts: Mapping[tuple[str, str], str],
    chosen_by: PairFilter | None = None,
) -> pd.DataFrame:
    """Return COLUMNS, one row a pair; checks, practice, repeats, ties and pairs of one source are
    left out, and so is a text pair without more votes for one text than for the other.

    confidence is the probability that `chosen` is the better text; NaN by the other rules, which
    know none.

    Args:
        shown: trial_id → the two texts, in stored slots a and b.
        prompts: (item_id, target_annotator_id) → the prompt both texts answer.

    Raises:
        DataError: a trial's texts or prompt are missing.
        StudyError: rule quality, and the judges' attentiveness or μ is not known.
    """
    chosen_by = chosen_by or PairFilter()
    result = []
    for trial, slot, confidence in _picks(judgments, quality, chosen_by):
        texts = shown.get(trial.trial_id)
        prompt = prompts.get((trial.item_id, trial.target_annotator_id))
        if texts is None or prompt is None:
            raise DataError(
                f"the {'texts' if texts is None else 'prompt'} of trial {trial.trial_id} are "
                "missing",
                expected="the texts and the prompt of every comparison",
            )
        sources, votes = (trial.source_a, trial.source_b), (trial.votes_a, trial.votes_b)
        result.append(
            (prompt, texts[slot], texts[1 - slot], trial.item_id, trial.target_annotator_id,
             sources[slot], sources[1 - slot], chosen_by.rule, confidence, sum(votes),
             votes[slot], votes[1 - slot], trial.ties, trial.trial_id)
        )  # fmt: skip
    return pd.DataFrame(result, columns=list(COLUMNS))


def _picks(
    judgments: pd.DataFrame, quality: JudgeQuality, chosen_by: PairFilter
) -> Iterator[tuple[Any, int, float]]:
    """Yield a row of `trial_votes`, the slot preferred (0 or 1) and the confidence."""
    better = (
        better_texts(judgments, quality) if chosen_by.rule == QUALITY else pd.Series(dtype=float)
    )
    for trial in trial_votes(judgments).itertuples(index=False):
        votes = (trial.votes_a, trial.votes_b)
        if chosen_by.rule == NONE:
            for slot in (0, 1):
                yield from [(trial, slot, math.nan)] * votes[slot]
            continue
        if votes[0] == votes[1]:
            continue
        slot = int(votes[1] > votes[0])
        if chosen_by.rule == MAJORITY:
            if sum(votes) >= chosen_by.min_votes and 2 * votes[slot] > sum(votes) + trial.ties:
                yield trial, slot, math.nan
            continue
        first = better[trial.trial_id]
        confidence = float(first if slot == 0 else 1 - first)
        if confidence >= chosen_by.confident:
            yield trial, slot, confidence


def better_texts(judgments: pd.DataFrame, quality: JudgeQuality) -> pd.Series:
    """Return trial_id → probability that the text in slot a is the better one (`pair_posterior`).

    Raises:
        StudyError: the judges' attentiveness or μ is not known.
    """
    if why := quality.why_not_weighted:
        raise StudyError(
            f"votes cannot be weighted by the judges' attentiveness: {why}",
            where="preference pairs by quality",
            todo="export them by majority, or collect more judgments (three judges for each "
            "trial, and attention checks, identify attentiveness)",
        )
    votes = votes_of(judgments)
    posterior = pair_posterior(votes, mu_priors(votes, quality.given))
    first = pd.Series(posterior.better, index=pd.Index(votes.text_pairs))  # by name of source
    facts = trial_votes(judgments).set_index("trial_id")
    turned = (facts["source_a"] > facts["source_b"]).to_numpy(bool)
    chance = first.reindex(facts.index)
    return chance.where(~turned, 1 - chance)


def selection_words(
    judgments: pd.DataFrame, pairs: pd.DataFrame, chosen_by: PairFilter
) -> tuple[str, ...]:
    """Return how many pairs there are, what was left out, and what a pair of this rule rests on."""
    votes = trial_votes(judgments)
    n = votes["votes_a"] + votes["votes_b"]
    compared = count(len(votes), "text pair")
    if chosen_by.rule == NONE:
        return (
            f"{count(len(pairs), 'pair')}, one for each vote on {compared}.",
            "A vote of a judge who guesses is a pair like any other.",
        )
    words = f"{count(len(pairs), 'pair')} from {compared}"
    even = int((votes["votes_a"] == votes["votes_b"]).sum())
    if chosen_by.rule == MAJORITY:
        few = n < chosen_by.min_votes
        rest = int((~few).sum()) - len(pairs)
        left = [
            f"{int(few.sum()):,} with fewer than {count(chosen_by.min_votes, 'vote')}",
            f"{rest:,} without a majority",
        ]
        told = (
            "A majority says how judges voted, not how surely: three votes given at random have "
            "one too."
        )
    else:
        left = [
            f"{even:,} with as many votes for one text as for the other",
            f"{len(votes) - even - len(pairs):,} below a confidence of {chosen_by.confident:g}",
        ]
        told = (
            "The confidence averages over what is not known of judges and sources; it takes every "
            "item to have one better text."
        )
    return f"{words}; left out: {', '.join(left)}.", told


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


def write_pairs(pairs: pd.DataFrame, path: Path, provenance: Provenance) -> Path:
    """Write JSONL, one pair a line, with the keys of TRL and LLaMA-Factory."""
    with atomic_file(path, "w") as file:
        file.write(as_jsonl(pairs, provenance))
    return path


def as_jsonl(pairs: pd.DataFrame, provenance: Provenance) -> str:
    """Return one pair a line; a confidence that is not known is null."""
    return json_lines(json_rows(pairs), provenance)
