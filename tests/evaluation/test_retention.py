"""Retention: perplexities and shares with intervals, the best point by its formula, the file."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.evaluation_tables import made_up_vectors

from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.retention import (
    GENERAL,
    IMITATION,
    LABELS,
    MEANING,
    OTHER_TASK,
    OTHERS,
    OWN,
    Retention,
    RetentionConfig,
    RetentionPoint,
    RetentionScores,
    ScoredTexts,
    best_point,
    load,
    majority_labels,
    points_table,
    retention_scores,
    save,
    token_surprisal,
)
from capo_core.evaluation.retention_words import more_typical, sentence, why_no_best_point
from capo_core.evaluation.streams import HUMAN, OTHER, held_out_items, human_streams
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.text.embeddings import Embedder

N_PASSAGES = 40


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=150, annotators=3, style=1.2, seed=5))
    return assign_splits(made.dataset, seed=1)


@pytest.fixture(scope="module")
def way(world):
    """Three points for A: mute, a copy of A, a copy of B; forgetting as it goes on."""
    ids = held_out_items(world)
    own = next(s for s in human_streams(world, ids) if (s.source, s.target) == (HUMAN, "A"))
    ids = tuple(ids[i] for i in own.item)
    streams = human_streams(world, ids)
    other = next(s for s in streams if (s.source, s.target, s.replicate) == (OTHER, "A", "B"))
    own = next(s for s in streams if (s.source, s.target) == (HUMAN, "A"))
    n = len(ids)
    rng = np.random.default_rng(0)
    sizes = {OWN: n, OTHERS: 2 * n, GENERAL: N_PASSAGES}
    scored = ScoredTexts(
        {name: np.arange(size) % (N_PASSAGES if name == GENERAL else n)
         for name, size in sizes.items()},
        {name: rng.integers(5, 30, size) for name, size in sizes.items()},
        {OWN: n, OTHERS: n, GENERAL: N_PASSAGES},
    )  # fmt: skip

    def point(stage, strength, labels, texts, nats):
        noise = rng.normal(1.0, 0.1, N_PASSAGES)
        log_probs = {
            OWN: -1.5 * scored.tokens[OWN],
            OTHERS: -2.0 * scored.tokens[OTHERS],
            GENERAL: -nats * noise * scored.tokens[GENERAL],
        }
        return RetentionPoint(stage, strength, labels, texts, log_probs)

    blank = ("",) * n
    copied = dict(zip(other.item, zip(other.labels, other.explanations, strict=True), strict=True))
    b = [copied.get(i, ("", "")) for i in range(n)]
    points = [
        point("sft", 0.0, blank, blank, 1.0),
        point("sft", 1.0, own.labels, own.explanations, 1.2),
        point("capo", 1.0, tuple(x for x, _ in b), tuple(t for _, t in b), 1.6),
    ]
    found = retention_scores(world, "A", ids, points, scored, Embedder(encode=made_up_vectors))
    return ids, points, scored, found


def test_perplexity_is_that_of_all_tokens_and_its_influence_the_derivative():
    rng = np.random.default_rng(1)
    tokens, unit = rng.integers(2, 20, 30), rng.integers(0, 8, 30)
    log_probs = -rng.gamma(2.0, 1.0, 30) * tokens
    found = token_surprisal(log_probs, tokens, unit, 8)
    assert np.exp(found.value) == pytest.approx(np.exp(-log_probs.sum() / tokens.sum()))
    for one in range(8):
        weight = 1.0 + 1e-6 * (unit == one)
        moved = -(weight * log_probs).sum() / (weight * tokens).sum()
        assert found.influence[0, one] == pytest.approx((moved - found.value) / 1e-6, abs=1e-5)


def test_intervals_of_a_change_are_those_of_a_bootstrap_over_passages(way):
    _, points, scored, found = way
    row = points_table(points, found).query("measure == @GENERAL and at == 2").iloc[0]
    rng = np.random.default_rng(2)
    tokens = scored.tokens[GENERAL]
    draws = rng.integers(0, N_PASSAGES, (4000, N_PASSAGES))

    def nats(point):
        return -point.log_probs[GENERAL][draws].sum(1) / tokens[draws].sum(1)

    low, high = np.quantile(np.exp(nats(points[2]) - nats(points[0])), [0.025, 0.975])
    assert (row.change_low, row.change_high) == pytest.approx((low, high), rel=0.03)
    assert row.change_low < row.change < row.change_high and row.n == N_PASSAGES


def test_the_base_is_the_base_and_copies_are_at_the_lines(world, way):
    ids, points, _, found = way
    frame = points_table(points, found).set_index(["at", "measure"])
    assert set(frame.index.get_level_values("measure")) == set(MEANING) - {OTHER_TASK}
    for name in (GENERAL, OWN, OTHERS):
        assert frame.loc[(0.0, name), ["change", "change_low", "change_high"]].tolist() == [1, 1, 1]
    assert frame.loc[(0.0, IMITATION), "value"] == 0 == frame.loc[(0.0, LABELS), "value"]
    lines = found.lines.set_index(["measure", "line"])["value"]
    assert frame.loc[(1.0, IMITATION), "value"] == pytest.approx(lines[IMITATION, "ceiling"])
    assert frame.loc[(1.0, LABELS), "value"] == pytest.approx(lines[LABELS, "ceiling"])
    assert lines[IMITATION, "chance"] == pytest.approx(1 / 3)
    assert frame.loc[(2.0, IMITATION), "value"] < lines[IMITATION, "ceiling"] - 0.2
    assert frame.loc[(1.0, OWN), "value"] == pytest.approx(np.exp(1.5))
    assert frame.loc[(1.0, LABELS), "n"] == len(ids)


def test_the_most_frequent_labels_are_all_of_them_and_only_valid_ones(world):
    ids = world.items["item_id"].iloc[:2].tolist()
    rows = world.annotations[world.annotations["item_id"].isin(ids)].copy()
    labels = ["neutral", "neutral", "entailment", "neutral", "entailment", "contradiction"]
    rows = rows.groupby("item_id", sort=False).head(3)
    rows["label"], rows["valid"] = labels, ["true"] * 5 + ["false"]
    found = majority_labels(replace(world, annotations=rows), [*ids, "i-unknown"])
    assert found == [{"neutral"}, {"neutral", "entailment"}, frozenset()]


def hand_made(shares, nats, own=0.9, chance=0.25, n=50):
    """Points whose shares and perplexities are the same in every item and passage."""
    points = [
        RetentionPoint("sft", s, (), (), {GENERAL: np.full(n, -10.0 * x)})
        for s, x in zip(np.linspace(0, 1, len(shares)), nats, strict=True)
    ]
    hits = np.repeat(np.array(shares)[:, None], n, axis=1)
    found = RetentionScores({}, hits, np.full(n, own), chance, None)
    scored = ScoredTexts({GENERAL: np.arange(n)}, {GENERAL: np.full(n, 10)}, {GENERAL: n})
    return best_point(points, found, scored)


def test_the_best_point_is_that_of_the_formula():
    shares, nats = [0.25, 0.7, 0.9], [1.0, 1.2, 2.5]
    best = hand_made(shares, nats)
    expected = []
    for share, x in zip(shares, nats, strict=True):
        imitated, kept = (share - 0.25) / 0.65, np.exp(1.0 - x)
        expected.append(2 * imitated * kept / (imitated + kept))
    assert best.strength == [0.0, 0.5, 1.0][int(np.argmax(expected))] == 0.5
    assert best.score == pytest.approx(max(expected))
    assert best.kept == pytest.approx(np.exp(-0.2)) and best.support == 1
    # Nothing is forgotten: full strength. More than the target's own texts is no more than all.
    assert hand_made(shares, [1.0, 1.0, 1.0]).strength == 1.0
    assert hand_made([0.25, 0.95, 1.0], [1.0, 1.1, 1.2]).imitation == 1.0
    # A better perplexity than the base's keeps no more than all.
    assert hand_made(shares, [1.0, 0.5, 0.9]).kept == 1.0


def test_where_nothing_is_gained_there_is_no_best_point(way):
    _, points, scored, found = way
    assert hand_made([0.25, 0.2, 0.1], [1.0, 1.0, 1.0]) is None
    assert hand_made([0.25, 0.9, 0.9], [1.0, 1.0, 1.0], own=0.25) is None
    text = sentence(None, points_table(points, found), found, scored, "text of x.txt")
    assert "more typical" not in text
    assert "no best point" in text and "text of x.txt" in text


def test_more_typical_than_the_human_is_a_paired_difference(way):
    """Formerly by the model's interval against the point estimate of the human: .70 [.52–.85] of
    20 items above .50 [.29–.71]."""
    own = np.array([1.0] * 10 + [0.0] * 10)
    few = np.array([1.0] * 6 + [0.0] * 4 + [1.0] * 8 + [0.0] * 2)  # .70: 8 items up, 4 down
    many = np.array([1.0] * 18 + [0.0] * 2)  # .90: 8 up, none down

    def scores(hit, own):
        return RetentionScores({}, np.stack([np.zeros(len(own)), hit]), own, 1 / 4, None)

    assert not more_typical(scores(few, own)) and more_typical(scores(many, own))
    assert not more_typical(scores(own, many))  # less typical
    assert not more_typical(scores(np.ones(5), np.zeros(5)))  # fewer than six items
    assert not more_typical(scores(many, np.full(20, np.nan)))
    assert more_typical(scores(np.append(many, 0), np.append(own, np.nan)))
    _, points, scored, found = way
    n = len(found.own)
    given = np.stack([np.zeros(n), np.zeros(n), np.ones(n)])
    frame = points_table(points, found)
    for wrong, said in ((n // 2, True), (4, False)):
        human = np.where(np.arange(n) < wrong, 0.0, 1.0)
        text = sentence(None, frame, replace(found, hits=given, own=human), scored, "text")
        assert ("more typical than the human" in text) == said


def test_the_reason_for_no_best_point_is_the_true_one(way):
    """Formerly "gives no more to the target than a guess would" also of a model far above chance,
    where the classifier does not know the target's own texts."""
    _, points, scored, found = way
    n = len(found.own)
    frame = points_table(points, found)
    unknown = replace(found, hits=np.ones_like(found.hits), own=np.zeros(n))
    assert best_point(points, unknown, scored) is None
    text = sentence(None, frame, unknown, scored, "text")
    assert "no best point: the classifier gives the target's own texts to the target no" in text
    nothing = replace(found, hits=np.zeros_like(found.hits), own=np.ones(n))
    assert best_point(points, nothing, scored) is None
    text = sentence(None, frame, nothing, scored, "text")
    assert "no best point: at no strength is more given" in text
    assert "wrote nothing" in why_no_best_point(replace(found, own=np.full(n, np.nan)))


def test_a_few_texts_do_not_say_that_something_was_forgotten(way):
    _, points, scored, found = way
    frame = points_table(points, found)
    assert "something was forgotten" in sentence(None, frame, found, scored, "text")
    few = replace(scored, unit=scored.unit | {GENERAL: scored.unit[GENERAL] % 5})
    text = sentence(None, frame, found, few, "text")
    assert "so that something was forgotten" not in text
    assert "of 5 passages: too few to say whether something was forgotten" in text


def test_the_support_of_two_points_alike_is_shared():
    rng = np.random.default_rng(3)
    n = 60
    points = [
        RetentionPoint("sft", s, (), (), {OTHERS: -10.0 * rng.normal(1.0, 0.2, n)})
        for s in (0.0, 0.5, 1.0)
    ]
    hits = np.stack([np.zeros(n), rng.permutation(np.arange(n) % 2), np.arange(n) % 2])
    found = RetentionScores({}, hits, np.ones(n), 1 / 3, None)
    scored = ScoredTexts({OTHERS: np.arange(n)}, {OTHERS: np.full(n, 10)}, {OTHERS: n})
    best = best_point(points, found, scored)
    assert 0.4 < best.support < 0.95
    assert (best.at_low, best.at_high) == (0.5, 1.0) and not best.overshoot(1.0)


def test_full_strength_beyond_the_interval_of_the_best_one_is_an_overshoot(way):
    best = hand_made([0.25, 0.7, 0.9], [1.0, 1.2, 2.5])
    assert (best.at, best.at_low, best.at_high) == (0.5, 0.5, 0.5)
    assert best.overshoot(1.0) and not best.overshoot(0.5)
    assert not hand_made([0.25, 0.7, 0.9], [1.0, 1.0, 1.0]).overshoot(1.0)  # best at full strength
    _, points, scored, found = way
    frame = points_table(points, found)
    text = sentence(best, frame, found, scored, "text")
    assert "strength 0.5 of SFT [0.5 alone]" in text and "Overshoot: full strength" in text
    wide = replace(best, at_high=2.0)
    text = sentence(wide, frame, found, scored, "text")
    assert "[0.5–2]" in text and "No overshoot is shown" in text and "Overshoot:" not in text


def test_the_file_comes_back_and_a_damaged_one_is_told(way, tmp_path):
    ids, points, scored, found = way
    frame, best = points_table(points, found), best_point(points, found, scored)
    assert (best.stage, best.at) == ("sft", 1.0)
    made = Retention(
        "d", "f", True, "A", "embedded", {"sft": "run"}, len(ids), "text", GENERAL,
        RetentionConfig(), frame, found.lines, best,
        sentence(best, frame, found, scored, "text"),
    )  # fmt: skip
    assert "something was forgotten" in made.sentence and "strength 1 of SFT" in made.sentence
    save(made, tmp_path)
    again = load(tmp_path)
    assert again.to_dict() == made.to_dict() and again.config == made.config
    assert again.curve(GENERAL)["at"].tolist() == [0, 1, 2]
    assert again.line(IMITATION, "chance")["value"] == pytest.approx(1 / 3)
    assert again.line(GENERAL, "floor") is None
    for text in ("{", "[]", '{"format": 9}', '{"format": 1}'):
        (tmp_path / "retention.json").write_text(text)
        with pytest.raises(DataError, match="retention"):
            load(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"strengths": (0.5, 1.0)}, {"strengths": (0.0, 1.0, 0.5)}, {"strengths": (0.0, 1.0, 2.0)},
     {"split": "train"}, {"items": -1}, {"passages": 0}, {"max_new_tokens": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_told(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RetentionConfig(**wrong)
