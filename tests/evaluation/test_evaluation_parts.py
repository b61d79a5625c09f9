"""Caricatures, seeds, saturated differences, crowds, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.evaluation_tables import CONFIG, VIEW, copies

from capo_core.data.splits import assign_splits
from capo_core.errors import CapoError, ConfigError
from capo_core.evaluation.compute import caricatures, compute_report
from capo_core.evaluation.measures.registry import FAMILIES, MEASURES, find_measure
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, held_out_items
from capo_core.evaluation.table import ALL, TableConfig, evaluate
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stats.bootstrap import difference
from capo_core.text.tokens import tokens


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=200, annotators=3, style=1.5, seed=5))
    return assign_splits(made.dataset, seed=1)


def test_a_caricature_is_flagged_by_both_signs_together():
    columns = ["source", "against", "target", "measure", "k", "value", "verdict"]

    def table(attribution, style):
        return pd.DataFrame(
            [
                ("m", HUMAN, ALL, VIEW.name, 1, *attribution),
                ("m", HUMAN, ALL, VIEW.name, 4, 0.0, "undecided"),
                ("m", HUMAN, ALL, "style distance", 0, *style),
                ("m", OTHER, ALL, "style distance", 0, -0.3, "better"),
            ],
            columns=columns,
        )

    def flagged(*rows):
        return caricatures(table(*rows), CONFIG)["caricature"].tolist()

    assert flagged((0.1, "better"), (0.02, "worse")) == [True]
    assert flagged((0.1, "undecided"), (0.02, "worse")) == [False]
    assert flagged((0.1, "better"), (0.02, "undecided")) == [False]
    assert flagged((-0.1, "worse"), (0.02, "worse")) == [False]
    assert flagged((0.1, "better"), (-0.02, "better")) == [False]


def test_an_exaggerated_manner_is_called_a_caricature():
    """Everyone's own most typical words, in every answer: surely theirs, and unlike them."""
    world = assign_splits(
        simulate(SimulationConfig(task="nli", items=160, annotators=3, style=0.6, seed=3)).dataset,
        seed=1,
    )
    ids = held_out_items(world)
    split = world.items.set_index("item_id")["split"]
    rows = world.annotations
    train = rows[rows["item_id"].map(split) == "train"]
    said = train.groupby("annotator_id")["explanation"].agg(lambda t: [set(tokens(x)) for x in t])
    outputs = []
    for who in world.annotators:
        others = [words for other, texts in said.items() if other != who for words in texts]

        def excess(word, own=said[who], rest=others):
            share = np.mean([word in words for words in own])
            return share - np.mean([word in words for words in rest])

        vocabulary = sorted({w for words in said[who] for w in words if w.isalpha()})
        typical = " ".join(sorted(vocabulary, key=excess)[-8:])
        n = len(ids)
        outputs.append(Stream("mask", who, "0", np.arange(n), ("neutral",) * n, (typical,) * n))
    config = replace(CONFIG, families=("style", "attribution"))
    found = compute_report(world, ids, outputs, config)
    row = found.caricatures.query("target == @ALL").iloc[0]
    assert row.attribution_above > 0 and row.style_above > 0 and bool(row.caricature)
    text = next(s.text for s in found.statements if s.topic == "caricature")
    assert text.startswith("mask is a caricature of its targets")


def test_seeds_are_replicates_with_their_spread(world):
    ids = held_out_items(world)
    half = np.arange(0, len(ids), 2)
    one = copies(world, ids, "m", lambda t: t)
    two = [
        replace(
            s,
            replicate="1",
            labels=tuple("" if i in half else x for i, x in zip(s.item, s.labels, strict=True)),
        )
        for s in one
    ]
    config = replace(CONFIG, families=("labels",))
    found = evaluate(world, ids, [*one, *two], config)
    row = found.scores.query("measure == 'label accuracy' and target == @ALL").iloc[0]
    first, second = 1.0, np.mean([np.mean([x != "" for x in s.labels]) for s in two])
    assert row["value"] == pytest.approx((first + second) / 2)
    assert row["seed_spread"] == pytest.approx(np.std([first, second], ddof=1))
    assert row["replicates"] == 6 and row["n"] == sum(len(s) for s in one)


def test_saturated_differences_keep_an_interval(world):
    from capo_core.evaluation.measures.attribution import item_mean

    every = item_mean(np.ones(20), np.arange(20), n_items=20)
    never = item_mean(np.zeros(20), np.arange(20), n_items=20)
    found = difference(every, never).estimate()
    # Newcombe, method 10: 1 − √((1 − .839)² + (.161 − 0)²)
    assert found.value == 1 and found.high == 1
    assert found.low == pytest.approx(1 - np.hypot(1 - 0.8389, 0.1611), abs=1e-3)


def test_every_measure_is_described():
    for one in [*MEASURES.values(), find_measure(VIEW.name)]:
        assert len(one.meaning) > 60 and one.meaning.endswith(".")
        assert one.better in ("higher", "lower", "1", "as the human")
        assert one.family in FAMILIES
    with pytest.raises(ConfigError, match="bleu"):
        find_measure("bleu")


def test_bad_streams_are_told(world):
    ids = held_out_items(world)
    good = copies(world, ids, "m", lambda t: t)[0]
    for bad, match in (
        (replace(good, source=HUMAN), "cannot be named"),
        (replace(good, item=np.zeros(len(good), dtype=int)), "two responses"),
        (replace(good, target="nobody"), "nobody"),
        (replace(good, labels=("maybe",) * len(good)), "maybe"),
    ):
        with pytest.raises(CapoError, match=match):
            compute_report(world, ids, [bad], CONFIG)
    with pytest.raises(ConfigError, match="charm"):
        TableConfig(families=("charm",))


def test_crowd_distributions_are_used_where_there_are_some(world):
    ids = held_out_items(world)
    label = world.task.scale.labels[0]
    crowd = pd.DataFrame({"item_id": list(ids), "label": label, "count": 100})
    config = replace(CONFIG, families=("soft",))
    found = compute_report(
        replace(world, crowd=crowd), ids, copies(world, ids, "copy", lambda t: t), config
    )
    rows = world.annotations[world.annotations["item_id"].isin(ids)]
    share = rows.assign(hit=rows["label"] == label).groupby("item_id")["hit"].mean()
    # All other labels together are as far off as this one is short: 2 · (1 − share).
    expected = 2 * (1 - share.reindex(list(ids))).mean()
    row = found.row("copy", "Manhattan distance to the crowd")
    assert row.value == pytest.approx(expected, abs=0.02)
