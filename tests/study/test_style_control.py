"""Preferences with length and overlap held equal: found where put in, else refused in words."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.judgments import judgments

from capo_core.study.analysis.preferences import wins
from capo_core.study.analysis.style_control import LENGTH, OVERLAP, style_control, text_style
from capo_core.study.tables import TEXTS, TRIALS, as_cell, frame_of


def compared(n=900, gap=0.0, by_length=0.0, by_overlap=0.0, nu=0.0, longer=0.7, seed=1):
    """Comparisons of human and sft, sft's texts longer by `longer` doublings on average; the gap in
    log-odds is for human."""
    rng = np.random.default_rng(seed)
    judge_effect = rng.normal(0, 0.3, 12)
    rows = []
    for k in range(n):
        ratio = rng.normal(-longer, 0.8)  # human against sft, in doublings
        overlap = rng.uniform(0, 1, 2)
        judge = int(rng.integers(12))
        lead = gap + by_length * ratio + by_overlap * 10 * (overlap[0] - overlap[1])
        lead += judge_effect[judge]
        weights = [*np.exp([lead / 2, -lead / 2]), nu]
        answer = rng.choice(["a", "b", "tie"], p=np.array(weights) / sum(weights))
        words = np.maximum(np.round(np.array([20.0, 20 * 2**-ratio])), 1).astype(int)
        row = {"trial_id": f"T{k}", "judge_id": f"J{judge}", "item_id": f"i{k % 90}",
               "answer": answer, "words_a": words[0], "words_b": words[1]}  # fmt: skip
        style = overlap
        if k % 2:  # the other slot first
            turned = {"a": "b", "b": "a"}.get(answer, answer)
            row |= {"source_a": "sft", "source_b": "human", "words_a": words[1],
                    "words_b": words[0], "answer": turned}  # fmt: skip
            style = overlap[::-1]
        rows.append((row, *style))
    frame = judgments(*(row for row, *_ in rows))
    return frame.assign(overlap_a=[r[1] for r in rows], overlap_b=[r[2] for r in rows])


def share(gap, nu=0.0):
    up, down = np.exp(gap / 2), np.exp(-gap / 2)
    return (up + nu / 2) / (up + down + nu)


@pytest.mark.parametrize("nu", [0.0, 0.8])
def test_a_preference_that_is_length_goes_away_and_one_that_is_not_stays(nu):
    frame = compared(by_length=1.0, nu=nu)
    found = style_control(frame)
    row = found.pairs.iloc[0]
    assert row["raw_high"] < 0.5  # sft is longer, and wins
    assert row["low"] < 0.5 < row["high"]
    assert row["longer_a"] == pytest.approx(2**-0.7, rel=0.1)
    effects = found.effects.set_index("covariate")
    assert effects.loc[LENGTH, "low"] < math.e < effects.loc[LENGTH, "high"]
    assert effects.loc[OVERLAP, "low"] < 1 < effects.loc[OVERLAP, "high"]
    better = style_control(compared(gap=1.2, by_length=1.0, nu=nu)).pairs.iloc[0]
    assert better["low"] < share(1.2, nu) < better["high"] and better["low"] > 0.5


def test_overlap_is_held_equal_too():
    effects = style_control(compared(by_overlap=0.3, longer=0)).effects.set_index("covariate")
    assert effects.loc[OVERLAP, "low"] < math.exp(0.3) < effects.loc[OVERLAP, "high"]
    assert effects.loc[OVERLAP, "low"] > 1


def test_without_covariates_that_matter_the_model_repeats_the_raw_share():
    frame = compared(gap=0.8)
    row = style_control(frame).pairs.iloc[0]
    raw = wins(frame).iloc[0]
    assert row["raw_a"] == raw["share_a"]
    assert row["controlled_a"] == pytest.approx(raw["share_a"], abs=0.02)
    assert row["high"] - row["low"] == pytest.approx(raw["high"] - raw["low"], rel=0.35)


def test_without_overlap_only_length_is_held_equal_and_that_is_said():
    frame = compared(n=200).drop(columns=["overlap_a", "overlap_b"])
    found = style_control(frame)
    assert found.effects["covariate"].tolist() == [LENGTH]
    assert found.note == "The overlap with the input of these texts is not known."
    assert found.pairs["controlled_a"].notna().all()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda frame: frame.iloc[:20], "fewer than 30 comparisons"),
        (lambda frame: frame.assign(words_a=9, words_b=9, overlap_a=0.5, overlap_b=0.5),
         "no covariate differs"),
        (lambda frame: frame.assign(answer=np.where(frame["source_a"] == "human", "a", "b")),
         "never lost"),
        (lambda frame: frame.assign(answer="tie"), "never lost"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_in_words(change, words):
    found = style_control(change(compared(n=200)))
    row = found.pairs.iloc[0]
    assert math.isnan(row["controlled_a"]) and words in f"{found.note} {row['note']}"
    assert not math.isnan(row["raw_a"])
    assert style_control(judgments({"kind": "reasoning"})) is None


def test_length_that_is_the_source_cannot_be_separated():
    frame = compared(n=200)
    human_first = (frame["source_a"] == "human").to_numpy()
    fixed = frame.assign(
        words_a=np.where(human_first, 10, 20), words_b=np.where(human_first, 20, 10),
        overlap_a=0.5, overlap_b=0.5,
    )  # fmt: skip
    found = style_control(fixed)
    assert "cannot be separated" in found.note and found.pairs["controlled_a"].isna().all()


def test_overlap_is_the_share_of_words_that_the_item_has():
    draft = SimpleNamespace(
        texts=frame_of(TEXTS, [
            {"text_id": name, "item_id": "i", "text_a": "The cat sleeps.", "text_b": "A dog barks",
             "label": "yes", "explanation": explanation}
            for name, explanation in (("X", "the cat is here"), ("Y", "Nothing alike"))
        ]),
        trials=frame_of(TRIALS, [
            {"trial_id": "T", "kind": "comparison", "phase": "main", "item_id": "i",
             "target_annotator_id": "ann", "text_ids": as_cell(["X", "Y"])}
        ]),
    )  # fmt: skip
    assert text_style(draft).values.tolist() == [["T", 0.5, 0.0]]


def test_tables_are_json():
    told = style_control(compared(n=100)).to_dict()
    assert {"pairs", "effects", "note"} == set(told)
    assert isinstance(pd.DataFrame(told["pairs"]), pd.DataFrame)
