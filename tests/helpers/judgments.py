"""Judgments made by hand or by simulated judges, without a study on disk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from capo_core.study.analysis.attentiveness_em import Votes
from capo_core.study.tables import ASSIGNMENTS, JUDGMENTS, SEALED, TEXTS, TRIALS, as_cell, frame_of

PEOPLE = ("ann-1", "ann-2", "ann-3")
PLAIN = {
    "study_id": "s", "judge_id": "J01", "trial_id": "T1", "kind": "comparison", "purpose": "main",
    "mirror_of": "", "item_id": "i1", "target_annotator_id": "ann-1", "source_a": "human",
    "source_b": "sft", "source": "", "truth": "", "displayed": '{"cards":[],"slots":[0,1]}',
    "answer": "a", "side": "left", "confidence": "", "reason": "", "words_a": 10, "words_b": 10,
    "words": 20, "duration_s": 10.0, "answered": "2026-01-01T00:00:00+00:00", "changes": 0,
}  # fmt: skip


def judgments(*rows: dict) -> pd.DataFrame:
    """JUDGMENTS from what differs from PLAIN."""
    return frame_of(JUDGMENTS, [PLAIN | row for row in rows])


def attribution(judge: str, trial: str, answer: str, truth: str = "ann-1", **more) -> dict:
    return {
        "judge_id": judge, "trial_id": trial, "item_id": trial, "kind": "attribution",
        "target_annotator_id": "", "source_a": "", "source_b": "", "source": "human",
        "truth": truth, "answer": answer, "side": "", "words_a": 0, "words_b": 0,
    } | more  # fmt: skip


def drawn_votes(
    rng, eta, text_pairs: int, per_pair: int, mu: float = 0.75, known: int = 0, repeats: int = 0
) -> Votes:
    """Votes of random judges; the first `known` text pairs are checks, `repeats` votes are repeated
    by their judges. One pair of sources."""
    judge = np.concatenate([rng.choice(len(eta), per_pair, False) for _ in range(text_pairs)])
    text_pair = np.repeat(np.arange(text_pairs), per_pair)
    again = rng.choice(len(judge), repeats, replace=False)
    judge, text_pair = np.append(judge, judge[again]), np.append(text_pair, text_pair[again])
    better = rng.random(text_pairs) < mu
    attends = rng.random(len(judge)) < eta[judge]
    first = np.where(attends, better[text_pair], rng.random(len(judge)) < 0.5)
    truth = np.where(np.arange(text_pairs) < known, better.astype(float), np.nan)
    return Votes(
        judge, text_pair, first, np.zeros(text_pairs, dtype=int), truth,
        tuple(f"J{k:02}" for k in range(len(eta))), tuple(f"T{k:04}" for k in range(text_pairs)),
        (("human", "sft"),), np.arange(len(judge)) >= text_pairs * per_pair,
        np.zeros(len(eta), dtype=int),
    )  # fmt: skip


def small_draft(judges: int = 4, comparisons: int = 30, others: int = 12, checks: int = 4):
    """Tables of a draft in which all judges see all trials: comparisons (the last ones checks, two
    mirrored), attributions by human and sft, reasoning trials."""
    trials, texts, sealed = [], [], []

    def add(trial: str, kind: str, sources: list[str], purpose="main", of="", truth="") -> None:
        ids = [f"X{trial}{k}" for k in range(len(sources))]
        target = "" if kind == "attribution" else "ann-1"
        item = f"i{of or trial}"
        trials.append(
            {"trial_id": trial, "kind": kind, "phase": "main", "item_id": item,
             "target_annotator_id": target, "text_ids": as_cell(ids)}
        )  # fmt: skip
        for slot, (text, source) in enumerate(zip(ids, sources, strict=True)):
            texts.append(
                {"text_id": text, "item_id": item, "text_a": "a", "text_b": "", "label": "yes",
                 "explanation": "word " * (5 + 3 * slot)}
            )  # fmt: skip
            sealed.append(
                {"trial_id": trial, "slot": slot, "text_id": text, "source": source,
                 "annotator_id": "ann-1", "run_id": "", "purpose": purpose, "mirror_of": of,
                 "truth": truth}
            )  # fmt: skip

    for k in range(comparisons):
        pair = ["human", "sft"] if k % 2 else ["sft", "human"]
        if k < comparisons - checks:
            add(f"C{k:03}", "comparison", pair)
        else:
            add(f"C{k:03}", "comparison", ["human", "other_human"], "check", truth="a")
    for k in range(2):
        pair = ["human", "sft"] if k % 2 else ["sft", "human"]
        add(f"M{k:03}", "comparison", pair, "mirror", of=f"C{k:03}")
    for k in range(others):
        source = "human" if k % 2 else "sft"
        add(f"A{k:03}", "attribution", [source], truth=PEOPLE[k % 3])
        add(f"R{k:03}", "reasoning", [source, "human"])
    assignments = [
        {"judge_slot": f"J{j + 1:02}", "trial_id": row["trial_id"], "position": p + 1,
         "order": as_cell({"cards": list(PEOPLE) if row["kind"] == "attribution" else [],
                           "slots": _slots(row, j, p)})}
        for j in range(judges)
        for p, row in enumerate(trials)
    ]  # fmt: skip
    return SimpleNamespace(
        trials=frame_of(TRIALS, trials),
        texts=frame_of(TEXTS, texts),
        sealed=frame_of(SEALED, sealed),
        assignments=frame_of(ASSIGNMENTS, assignments),
    )


def _slots(row: dict, judge: int, position: int) -> list[int]:
    if row["kind"] != "comparison":
        return [0]
    turned = (judge + position + (row["trial_id"][0] == "M")) % 2
    return [1, 0] if turned else [0, 1]
