"""What an experiment can show before it starts: assumptions, edges, and the words for them."""

import json
import math
from dataclasses import replace

import pytest
from helpers.comparisons import world
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.runs import queue
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.detectable import IMITATION, LABELS, detectable_plan
from capo_core.stats.power import PairedDesign
from capo_core.workspace import Workspace


def config(data, **changes):
    given = {"targets": data.annotators, "methods": ("zero_shot", "icl"), **changes}
    return ExperimentConfig(data.name, **given)


def test_it_is_the_design_with_the_assumptions_that_are_said():
    data = world(items=160, held_out=100)
    plan = detectable_plan(config(data), data)
    assert (plan.items, plan.labelled, plan.targets, plan.seeds) == (100, 100, 3, 1)
    assert plan.comparisons == 1 + 2 * 2
    discordant, targets, seeds = IMITATION
    design = PairedDesign(100, 3, 1, math.sqrt(discordant), targets, seeds)
    assert plan.imitation == pytest.approx(design.smallest_difference(comparisons=5))
    assert "100 items × 3 annotators × 1 seed" in plan.statement.text
    assert f"{100 * plan.imitation:.0f} points or more" in plan.statement.text


def test_more_seeds_and_items_show_more_and_more_methods_less():
    data = world(items=160, held_out=100)
    usual = detectable_plan(config(data), data)
    assert detectable_plan(config(data, seeds=(0, 1, 2)), data).imitation < usual.imitation
    fewer = detectable_plan(config(data, generate={"items": 40}), data)
    assert fewer.items == 40 and fewer.imitation > usual.imitation
    more = detectable_plan(config(data, methods=("zero_shot", "icl", "profile", "sft")), data)
    assert more.comparisons == 14 and more.imitation > usual.imitation


def test_labels_go_by_how_people_differ():
    """ann gives label n mod 3 and each of the others the next one: nobody agrees with anybody, so
    that two of them never differ in being right; what is assumed is not below a tenth."""
    data = world(items=160, held_out=100)
    plan = detectable_plan(config(data), data)
    assert plan.measured and plan.discordant == 0.1
    rows = data.annotations
    split = data.items.set_index("item_id")["split"]
    train = rows["item_id"].map(split) == "train"
    # bob and cyd agree on training items: of three as the target, ann has nobody right and the
    # other two have exactly one each.
    both = rows["label"].where(~(train & (rows["annotator_id"] == "cyd")))
    bob = rows[rows["annotator_id"] == "bob"].set_index("item_id")["label"]
    changed = replace(data, annotations=rows.assign(label=both.fillna(rows["item_id"].map(bob))))
    assert detectable_plan(config(changed), changed).discordant == pytest.approx(2 / 3)


def test_two_annotators_leave_the_assumption():
    data = world(items=160, held_out=100)
    rows = data.annotations[data.annotations["annotator_id"] != "cyd"]
    two = replace(data, annotations=rows.reset_index(drop=True))
    plan = detectable_plan(config(two), two)
    assert not plan.measured and plan.discordant == LABELS[0]


def test_too_few_items_are_said_in_words():
    data = world(items=40, held_out=4)
    plan = detectable_plan(config(data), data)
    assert math.isnan(plan.imitation) and "too few items" in plan.statement.text
    assert plan.to_dict()["imitation"] is None and "sentence" in plan.to_dict()


def test_an_annotator_without_held_out_labels_shows_none_in_labels():
    data = world(items=160, held_out=100)
    rows = data.annotations
    split = data.items.set_index("item_id")["split"]
    rows = rows[(rows["annotator_id"] != "cyd") | (rows["item_id"].map(split) == "train")]
    part = replace(data, annotations=rows.reset_index(drop=True))
    plan = detectable_plan(config(part), part)
    assert plan.labelled == 0 and math.isnan(plan.labels)
    assert "none in label accuracy, on 0 labelled items" in plan.statement.text


def test_a_margin_of_the_evaluation_is_that_of_the_plan():
    data = world(items=160, held_out=100)
    wide = detectable_plan(config(data, evaluate={"margin": 0.3}), data)
    assert wide.margin == 0.3 and wide.equivalence_items < 100
    assert "more than these" not in wide.statement.text
    usual = detectable_plan(config(data), data)
    assert (
        usual.equivalence_items == 343 and "343 items per annotator: more" in usual.statement.text
    )


def test_a_dataset_without_such_items_is_an_error():
    data = world()
    none = replace(data, items=data.items.assign(split="train"))
    with pytest.raises(ConfigError):
        detectable_plan(config(none), none)


def test_the_command_says_it_before_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(queue, "_start", lambda *_: None)
    data = world(items=160, held_out=100)
    Catalog(Workspace(tmp_path)).add(data)
    asked = ["experiment", "start", "--dataset", data.name, "--annotator", "all", "--method",
             "zero_shot", "icl", "--allow-embedded"]  # fmt: skip
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0, said.output
    assert "What these items can show" in " ".join(said.output.split())
    raw = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    plan = detectable_plan(config(data), data)
    assert raw["detectable"]["imitation"] == pytest.approx(plan.imitation)
