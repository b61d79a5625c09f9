"""The table of methods on simulated annotators: ceiling, floor, caught cheats, clear errors."""

import numpy as np
import pandas as pd
import pytest

from capo_core.data.splits import assign_splits
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.measures.attribution import View
from capo_core.evaluation.measures.labels import (
    label_accuracy,
    label_error,
    majority_label,
    own_labels,
)
from capo_core.evaluation.streams import HUMAN, OTHER, held_out_items, human_streams, output_streams
from capo_core.evaluation.table import ALL, TableConfig, evaluate
from capo_core.simulation.simulate import SimulationConfig, simulate

WORDS = TableConfig(views=(View("words", "mask_input"),), pool=(1, 4))


@pytest.fixture(scope="module")
def world():
    made = simulate(SimulationConfig(task="nli", items=250, annotators=3, style=1.5, seed=5))
    return assign_splits(made.dataset, seed=1)


def outputs_like(dataset, author, target, item_ids):
    """An outputs table in which `author`'s own words are passed off as an imitation of `target`."""
    rows = dataset.annotations
    rows = rows[(rows["annotator_id"] == author) & rows["item_id"].isin(item_ids)]
    rows = rows.drop_duplicates("item_id")
    return pd.DataFrame(
        {
            "target_annotator_id": target,
            "item_id": rows["item_id"],
            "sample": "0",
            "label": rows["label"],
            "explanation": rows["explanation"],
        }
    )


def value(evaluation, source, k, target=ALL):
    name = WORDS.views[0].name
    rows = evaluation.scores.query("source == @source and target == @target and k == @k")
    return rows[rows["measure"] == name].iloc[0]


def test_ceiling_is_far_above_chance_and_floor_below(world):
    ids = held_out_items(world)
    found = evaluate(world, ids, human_streams(world, ids), WORDS)
    assert found.chance == pytest.approx(1 / 3)
    for k in (1, 4):
        ceiling, floor = value(found, HUMAN, k), value(found, OTHER, k)
        assert ceiling["low"] > 1 / 3 > floor["high"]
    assert value(found, HUMAN, 4)["value"] > value(found, HUMAN, 1)["value"]
    # What is given to no other is given to the target: the three shares of one author add up to 1.
    assert value(found, HUMAN, 1)["value"] + 2 * value(found, OTHER, 1)["value"] == pytest.approx(1)


def test_an_imitation_that_is_the_target_scores_as_the_ceiling(world):
    ids = held_out_items(world)
    streams = human_streams(world, ids)
    for target in world.annotators:
        copied = outputs_like(world, target, target, ids)
        streams += output_streams(copied, ids, source="copy")
    found = evaluate(world, ids, streams, WORDS)
    assert value(found, "copy", 1)["value"] == pytest.approx(value(found, HUMAN, 1)["value"])
    paired = found.differences([("copy", HUMAN)]).query("target == @ALL and k == 1")
    row = paired[paired["measure"] == WORDS.views[0].name].iloc[0]
    assert row["value"] == pytest.approx(0, abs=1e-12)
    assert row["high"] - row["low"] == pytest.approx(0, abs=1e-9)


def test_the_classifier_never_sees_held_out_texts(world):
    """Held-out explanations swapped between annotators must not raise what is given to anybody."""
    ids = held_out_items(world)
    a, b = world.annotators[:2]
    found = evaluate(
        world, ids, output_streams(outputs_like(world, a, b, ids), ids, source="swapped"), WORDS
    )
    assert value(found, "swapped", 1, target=b)["high"] < 0.5


def test_unread_answers_are_wrong_and_belong_to_nobody(world):
    ids = held_out_items(world)
    table = outputs_like(world, "A", "A", ids).assign(label="", explanation="")
    found = evaluate(world, ids, output_streams(table, ids, source="mute"), WORDS)
    assert value(found, "mute", 1, target="A")["value"] == 0
    row = found.scores.query("source == 'mute' and measure == 'label accuracy'").iloc[0]
    assert row["value"] == 0


def test_labels_count_any_of_the_targets_own():
    made = simulate(SimulationConfig(task="paraphrase", items=60, second_labels=0.5, seed=2))
    dataset = assign_splits(made.dataset)
    ids = held_out_items(dataset)
    own = own_labels(dataset, ids, "A")
    assert max(len(labels) for labels in own) == 2
    stream = next(s for s in human_streams(dataset, ids) if s.source == HUMAN and s.target == "A")
    assert label_accuracy(stream, own).value == 1
    assert label_error(stream, own).value == 0
    other = next(s for s in human_streams(dataset, ids) if s.source == OTHER and s.target == "A")
    distances = [
        min(abs(int(label) - int(mine)) for mine in own[i])
        for label, i in zip(other.labels, other.item, strict=True)
        if own[i]
    ]
    assert label_error(other, own).value == pytest.approx(np.mean(distances))


def test_majority_label_is_of_training_items_only(world):
    split = world.items.set_index("item_id")["split"]
    rows = world.annotations
    rows = rows[(rows["annotator_id"] == "B") & (rows["item_id"].map(split) == "train")]
    counts = rows["label"].value_counts()
    assert counts[majority_label(world, "B")] == counts.max()


def test_bad_input_is_told(world):
    ids = held_out_items(world)
    table = outputs_like(world, "A", "A", ids).assign(item_id="nowhere")
    with pytest.raises(DataError, match="nowhere"):
        output_streams(table, ids, source="x")
    with pytest.raises(ConfigError, match="representation"):
        View("thoughts")
    with pytest.raises(ConfigError, match="pool"):
        TableConfig(pool=())
    bare = assign_splits(world, (1.0, 0.0, 0.0))
    with pytest.raises(DataError, match="no test items"):
        held_out_items(bare)
    nobody = world.annotations.assign(
        explanation=world.annotations["explanation"].where(
            world.annotations["annotator_id"] != "C", ""
        )
    )
    from dataclasses import replace

    with pytest.raises(DataError, match="'C' has no explanation"):
        evaluate(replace(world, annotations=nobody), ids, human_streams(world, ids), WORDS)
