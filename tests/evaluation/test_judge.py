"""The judge: strict reading, balanced cards, its own accuracy, its bias to a position."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from capo_core.data.splits import assign_splits
from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.evaluation.llm_judge.judge import LlmJudgeResult, position_shares, run_llm_judge
from capo_core.evaluation.llm_judge.trials import (
    LlmJudgeConfig,
    llm_judge_prompt,
    plan_trials,
    read_answer,
)
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items, human_streams
from capo_core.imitation.backends.fake import FakeBackend
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.task import NLI
from capo_core.text.tokens import normalise


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=120, annotators=3, style=1.0, seed=5))
    return assign_splits(made.dataset, seed=1)


@pytest.fixture(scope="module")
def human(world):
    return [s for s in human_streams(world, held_out_items(world)) if s.source == HUMAN]


def omniscient(world):
    """A judge that looks the text up: right always."""
    author = {normalise(r.explanation): r.annotator_id for r in world.annotations.itertuples()}

    def answer(request):
        text = re.search(r"about (?:another|other) items?:\n- (.*)", request.prompt.text)[1]
        cards = request.prompt.text.split("One of them wrote")[0]
        for letter, card in re.findall(r"Annotator ([A-Z]):\n((?:- .*\n?)+)", cards):
            if author[card.splitlines()[0][2:]] == author[text]:
                return f"Answer: {letter}"
        raise AssertionError("no card of the author")

    return FakeBackend(answer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: B", 1),
        ("answer: c.", 2),
        ("**Answer:** B", 1),
        ("Answer: Annotator A", 0),
        ("B", 1),
        ("(C)", 2),
        ("<think>Answer: A? no</think>\nAnswer: B", 1),
        ("It is short and hedges.\n\nAnswer: B", 1),
        ("Answer: B\nAnswer: B", 1),
        ("Answer: A\nAnswer: B", None),
        ("Answer: D", None),
        ("Answer: A or B", None),
        ("A text by B", None),
        ("<think>Answer: A", None),
        ("I cannot tell", None),
        ("Answer: letter", None),
        ("", None),
    ],
)
def test_only_a_clear_letter_is_an_answer(text, expected):
    assert read_answer(text, 3) == expected


def test_the_prompt_shows_cards_in_order_and_no_names():
    cards = {"ann": ["It's CLEAR."], "bo": ["maybe"]}
    text = llm_judge_prompt(NLI, cards, ("bo", "ann"), ["Who knows!"]).text
    assert text.index("- maybe") < text.index("- it's clear") < text.index("- who knows\n")
    assert not re.search(r"\b(ann|bo)\b", text) and "from A to B" in text
    with pytest.raises(ConfigError, match="27 annotators"):
        llm_judge_prompt(NLI, {}, [str(i) for i in range(27)], ["x"])


def test_one_annotator_alone_is_not_judged(world, human):
    """Finding: "100 % of 4 trials (chance 100 %), no better than a guess"."""
    rows = world.annotations
    alone = replace(world, annotations=rows[rows["annotator_id"] == world.annotators[0]])
    with pytest.raises(DataError, match="nobody to mistake them for"):
        plan_trials(alone, human, LlmJudgeConfig())


def test_each_annotator_stands_equally_often_in_each_position(world, human):
    config = LlmJudgeConfig(trials=9, seed=3)
    trials = plan_trials(world, human, config)
    assert len(trials) == 27
    seen = Counter((who, place) for t in trials for place, who in enumerate(t.order))
    assert set(seen.values()) == {9}
    again = plan_trials(world, human, config)
    assert [t.key for t in again] == [t.key for t in trials]
    assert len({t.key for t in trials}) == 27
    assert [t.key for t in plan_trials(world, human, LlmJudgeConfig(trials=9, seed=4))] != [
        t.key for t in trials
    ]
    # What a stream is asked does not hang on the streams beside it.
    assert [t.key for t in plan_trials(world, human[1:], config)] == [t.key for t in trials[9:]]


def test_cards_hold_training_texts_of_the_right_person_only(world, human):
    split = world.items.set_index("item_id")["split"]
    rows = world.annotations
    train = rows[rows["item_id"].map(split) == "train"]
    texts = {a: set(train[train["annotator_id"] == a]["explanation"].map(normalise)) for a in "ABC"}
    trials = plan_trials(world, human, LlmJudgeConfig(trials=6, cards=4))
    assert len(trials) >= 18
    for trial in trials:
        shown = re.findall(r"Annotator [A-Z]:\n((?:- .*\n){3}- .*)", trial.prompt.text)
        for who, card in zip(trial.order, shown, strict=True):
            assert {line[2:] for line in card.splitlines()} <= texts[who]


def test_a_judge_who_knows_is_right_and_has_no_bias(world, human):
    found = run_llm_judge(
        world, held_out_items(world), human, omniscient(world), LlmJudgeConfig(cards=3, trials=12)
    )
    row = found.table.query("source == @HUMAN and target == 'all'").iloc[0]
    assert row.value == 1 and row.n == 36 and row.unread == 0
    assert row.low == pytest.approx(36 / (36 + 1.959964**2), abs=1e-4)  # Wilson at 36 of 36
    assert set(found.positions["answers"]) == {12} and found.position_p == 1
    assert "100\u00a0%" in found.sentence and "favours" not in found.sentence
    # What everybody wrote is never taken for another's.
    floor = found.table.query("source == @OTHER")
    assert (floor["value"] == 0).all() and len(floor) == 4
    again = LlmJudgeResult.from_dict(found.to_dict())
    assert again.to_dict() == found.to_dict() and again.sentence == found.sentence


def test_a_judge_who_always_names_the_first_card_is_found_out(world, human):
    ids = held_out_items(world)
    found = run_llm_judge(
        world, ids, human, FakeBackend(lambda r: "Answer: A"), LlmJudgeConfig(trials=12)
    )
    shares = found.table.query("target == 'all'").set_index("source")["value"]
    assert shares.to_dict() == pytest.approx({HUMAN: 1 / 3, OTHER: 1 / 3})
    assert found.positions["share"].tolist() == [1, 0, 0] and found.position_p < 1e-9
    assert "no better than a guess" in found.sentence and "favours positions: A" in found.sentence


def test_what_cannot_be_read_is_counted_and_given_to_nobody(world, human):
    ids = held_out_items(world)
    found = run_llm_judge(
        world, ids, human, FakeBackend(lambda r: "hard to say"), LlmJudgeConfig(trials=3)
    )
    assert (found.table["value"] == 0).all()
    unread = found.table.set_index(["source", "target"])["unread"]
    assert unread[HUMAN, "all"] == 9 and unread[HUMAN, "A"] == 3 and unread[OTHER, "A"] == 6
    assert set(found.answers["problem"]) == {"no single letter"}
    assert np.isnan(found.position_p) and found.to_dict()["position_p"] is None
    cut = run_llm_judge(
        world,
        ids,
        human,
        FakeBackend(lambda r: "well I think Answer: A"),
        LlmJudgeConfig(trials=1, max_new_tokens=2),
    )
    assert set(cut.answers["problem"]) == {"cut before the answer"}


def test_pools_have_different_texts_and_leave_silence_out(world):
    stream = Stream("m", "A", "", np.arange(7), ("",) * 7, ("x", "", "y", "z", "u", "v", "w"))
    trials = plan_trials(world, [stream], LlmJudgeConfig(k=3))
    rows = [row for trial in trials for row in trial.rows]
    assert len(trials) == 2 and len(set(rows)) == 6 and 1 not in rows
    assert "these 3 explanations, about other items" in trials[0].prompt.text


def test_position_shares_equal_scipy():
    named = pd.Series(["A"] * 12 + ["B"] * 5 + ["C"] * 7 + [""] * 4)
    table, p_value = position_shares(named, 3)
    assert p_value == pytest.approx(stats.chisquare([12, 5, 7]).pvalue)
    assert table["expected"].tolist() == pytest.approx([1 / 3] * 3)
    assert table["share"].tolist() == pytest.approx([12 / 24, 5 / 24, 7 / 24])


def test_bad_input_is_told(world, human):
    with pytest.raises(DataError, match="fewer texts per card"):
        plan_trials(world, human, LlmJudgeConfig(cards=5000))
    with pytest.raises(ConfigError, match="LLM judge, "):
        LlmJudgeConfig(k=0)

    class Silent(FakeBackend):
        def complete(self, requests, decoding, **_):
            yield from ()

    with pytest.raises(BackendUnavailable, match="3 of 3"):
        run_llm_judge(world, held_out_items(world), human, Silent(), LlmJudgeConfig(trials=1))
