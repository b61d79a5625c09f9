"""Estimates by whole label words: as a generation chooses its labels, bare and with adapters."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.distribution_sources import judgments, source
from helpers.generation import base_with_adapters, local_backend, split_dataset
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.catalog import Catalog
from capo_core.distributions.estimate import (
    EstimateConfig,
    estimate,
    planned_questions,
)
from capo_core.distributions.estimate_run import annotator_prior, run_estimate
from capo_core.distributions.sources import dataset_judgments
from capo_core.distributions.word_scores import LabelWordScorer
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.imitation.backends.base import LabelChoice
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.outputs import read_label_probabilities
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.generation.trained_adapters import TrainedAdapters, adapter_of_run
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.prompts import label_lines
from capo_core.run_folder import RunFolder
from capo_core.runs.checks import check
from capo_core.runs.request import RunRequest
from capo_core.task import NLI, LabelScale, Task
from capo_core.workspace import Workspace, write_json

WORDS = EstimateConfig(options="words", temperature=1.0)
LABELS = NLI.scale.labels
TEST = [f"i{k}" for k in range(20, 26)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return base_with_adapters(tmp_path_factory.mktemp("tiny"), "run1/adapter", positions=2048)


@pytest.fixture(scope="module")
def backend(place):
    return local_backend(place)


def on_test_items(data):
    found = dataset_judgments(data)
    items = found.items[found.items["item_id"].isin(TEST)]
    return replace(found, items=items, sources=(), explanations=found.explanations[:0])


@pytest.mark.parametrize("trained", [False, True], ids=["bare", "adapter"])
def test_the_distribution_is_the_one_a_generation_draws_its_label_from(
    place, backend, trained, tmp_path
):
    data = split_dataset()
    adapters = {"1": place / "run1" / "adapter"}
    method = "sft" if trained else "zero_shot"
    config = GenerateConfig(method, label_choice="scores", max_new_tokens=4)
    folder = RunFolder(tmp_path / "r")
    generate(data, ("1",), config, backend, folder, adapters=adapters if trained else None)
    expected = read_label_probabilities(folder.path).set_index("item_id")[list(LABELS)].loc[TEST]

    more = {}
    if trained:
        found = TrainedAdapters(adapters, "b", backend.fingerprint, False)
        more = {"target": "1", "trained": found, "method": "sft"}
    scorer = LabelWordScorer(backend, **more)
    made = estimate(on_test_items(data), scorer, replace(WORDS, orders="one"))
    assert list(made.source.item_ids) == TEST
    np.testing.assert_allclose(made.source.shares, expected.to_numpy(), atol=2e-4)
    assert made.bias is None and made.score_kind == "log-probability"
    assert ("with the SFT adapter of 1" in scorer.name) == trained


def test_all_orders_are_asked_of_a_bare_model_and_one_of_an_adapter(place, backend):
    data = on_test_items(split_dataset())
    bare = LabelWordScorer(backend)
    asked, _ = planned_questions(data, replace(WORDS, items=1), bare.prompts)
    orders = {"contradiction": 0}
    for one in asked:
        lines = [line for line in one.question.prompt.text.splitlines() if line.startswith("- ")]
        orders[tuple(line[2:].partition(":")[0] for line in lines)] = 1
        # The meaning of a label goes with it wherever it stands.
        assert any(line.startswith("- neutral: the premise does not tell") for line in lines)
        assert one.question.options == LABELS  # scores stay in the task's order
    assert len(asked) == 6 and len(orders) == 7
    fixed = replace(bare.prompts, fixed=True)
    assert len(planned_questions(data, replace(WORDS, items=1), fixed)[0]) == 1
    scale = LabelScale(("-2", "-1", "0"), ordinal=True)
    numbers = judgments(source("c", [[1, 0, 0]], labels=scale.labels), task=Task("t", scale))
    assert len(planned_questions(numbers, WORDS, bare.prompts)[0]) == 1
    # What first tokens cannot do: labels that begin with the same one are told apart.
    assert estimate(numbers, bare, WORDS).source.shares.sum() == pytest.approx(1)


def test_comments_stand_after_the_item(backend):
    found = judgments(source("crowd", [[0.2, 0.5, 0.3]]),
                      said=[("i0", "humans", 0, "neutral", "Nobody knows.")])  # fmt: skip
    config = replace(WORDS, explanations="humans", explicit=True, orders="one")
    ((one,), _) = planned_questions(found, config, LabelWordScorer(backend).prompts)
    item, _, comment = one.question.prompt.text.partition("Hypothesis: B\n")
    assert "Comment" not in item and comment.startswith(
        "Comment 1: Nobody knows. So I choose neutral.\nBase your choice on the comments"
    )


def test_the_prior_makes_the_mean_over_training_items_that_of_the_labels(backend, tmp_path):
    data, scorer = split_dataset(), LabelWordScorer(backend)
    found, folder = on_test_items(data), RunFolder(tmp_path / "r")
    config = replace(WORDS, label_prior="annotator", orders="rotations")
    calls = []

    def measure():
        calls.append(1)
        return annotator_prior(data, "1", found, scorer, config)

    made = run_estimate(found, scorer, config, folder, prior=measure)
    prior = made.prior
    given = data.annotations[data.annotations["annotator_id"] == "1"]["label"][:20].value_counts()
    expected = [(given.get(label, 0) + 0.5) / 21.5 for label in LABELS]
    assert prior.prior == pytest.approx(expected) and prior.items == 20 * 3
    training = dataset_judgments(data)
    training = replace(training, items=training.items.iloc[:20], sources=(),
                       explanations=training.explanations[:0])  # fmt: skip
    rows = estimate(training, scorer, replace(WORDS, orders="rotations")).table.pivot_table(
        index=["item_id", "order"], columns="label", values="score")[list(LABELS)]  # fmt: skip
    choice = LabelChoice(LABELS, log_weights=prior.log_weights)
    mean = np.mean([choice.probabilities(row) for row in rows.to_numpy()], axis=0)
    assert mean == pytest.approx(expected, abs=2e-3)
    plain = estimate(found, scorer, replace(WORDS, orders="rotations"))
    assert abs(made.source.shares - plain.source.shares).max() > 0.01
    assert json.loads((folder.path / "estimate.json").read_text())["label_prior"]["items"] == 60
    # A resumed run goes on with the saved correction.
    saved = json.loads((folder.path / "calibration.json").read_text())
    again = RunFolder(tmp_path / "again")
    again.path.mkdir()
    write_json(again.path / "calibration.json", {**saved, "log_weights": [0.0, 0.0, 0.0]})
    kept = run_estimate(found, scorer, config, again, prior=measure)
    np.testing.assert_allclose(kept.source.shares, plain.source.shares, atol=1e-4)
    assert len(calls) == 1
    for damaged in ("[", "[]", '{"log_weights": [0'):
        (again.path / "calibration.json").write_text(damaged)
        again.forget_result()
        with pytest.raises(DataError, match=r"label prior of this run .+ What to do: delete the"):
            run_estimate(found, scorer, config, again, prior=measure)
    everybody = annotator_prior(data, "all", found, scorer, replace(config, orders="one"))
    assert everybody.prior != prior.prior and sum(everybody.prior) == pytest.approx(1)


def test_settings_that_do_not_fit_are_refused(backend):
    with pytest.raises(ConfigError, match="label_prior"):
        EstimateConfig(label_prior="annotator")
    with pytest.raises(ConfigError, match="explanations"):
        replace(WORDS, label_prior="annotator", explanations="humans")
    assert "label_prior" not in EstimateConfig().to_dict()
    with pytest.raises(ConfigError, match="scores label words, not letters"):
        estimate(on_test_items(split_dataset()), LabelWordScorer(backend), EstimateConfig())
    asked = {"dataset": "d", "judgments": "j", "base": "b", "by": "logits"}
    for more, what in (
        ({"by": "sampling", "config": WORDS.to_dict()}, "this machine only"),
        ({"adapter": "r", "config": {"options": "letters"}}, "not asked with letters"),
        ({"config": replace(WORDS, label_prior="annotator").to_dict()}, "no annotator is named"),
    ):
        with pytest.raises(ConfigError, match=what):
            check(RunRequest("estimate", {**asked, **more}))


def trained_run(workspace, place, data, name="trained", **config):
    """A finished SFT run with the tiny adapter; its folder."""
    import shutil

    base = load_base_model(str(place / "base"), device="cpu")
    folder = RunFolder(workspace.runs / name)
    shutil.copytree(place / "run1" / "adapter", folder.path / "adapter")
    described = {
        "stage": "sft", "target": "1",
        "dataset": {"name": data.name, "fingerprint": data.fingerprint,
                    "split": data.split_fingerprint},
        "base": {"name": str(place / "base"), "fingerprint": base.fingerprint},
        "settings": {}, **config,
    }  # fmt: skip
    write_json(folder.path / "config.json", described)
    write_json(folder.path / "result.json", {})
    return folder


def test_the_command_takes_an_adapter_and_leaves_its_training_items_out(
    place, tmp_path, monkeypatch
):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    data, workspace = split_dataset(), Workspace(tmp_path)
    Catalog(workspace).add(data)
    run = trained_run(workspace, place, data)
    assert run.done
    line = ["distributions", "estimate", "--dataset", data.name, "--adapter", run.run_id]
    done = CliRunner().invoke(app, [*line, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["settings"]["options"] == "words" and result["settings"]["temperature"] == 1
    held_out = sorted(set(data.items["item_id"]) - {f"i{k}" for k in range(20)})
    assert result["n"] == result["questions"] == len(held_out)
    assert result["notes"] == ["20 items that the adapter was trained on, left out"]
    wrong = CliRunner().invoke(app, [*line, "--annotator", "2"])
    assert wrong.exit_code == 2 and "the adapter is of annotator '1', not '2'" in wrong.output
    shared = trained_run(workspace, place, data, "shared", target="all", settings={"shared": True})
    with pytest.raises(ConfigError, match="serves all annotators"):
        adapter_of_run(shared)
    assert adapter_of_run(shared, "2")[0].named
    with pytest.raises(RunError, match="stage 'generate'"):
        adapter_of_run(trained_run(workspace, place, data, "other", stage="generate"))


def test_the_embedded_base_model_is_refused_on_texts_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path))
    text = "Photosynthesis converts electromagnetic radiation; chloroplasts contain thylakoids, {}."
    told = {"hypothesis": "Vascular plants respire.", "label_distribution": [0.2, 0.5, 0.3]}
    rows = [{"premise": text.format(n), "item_id": f"p{n}", **told} for n in range(12)]
    path = tmp_path / "real.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    for command in (["estimate"], ["explain", "--out", str(tmp_path / "x.jsonl")]):
        done = CliRunner().invoke(app, ["distributions", *command, "--file", str(path)])
        assert done.exit_code == 2 and "was made for simulated data" in done.output
    line = ["distributions", "estimate", "--file", str(path), "--allow-embedded", "--items", "1"]
    assert CliRunner().invoke(app, line).exit_code == 0


def test_meanings_follow_their_labels():
    turned = Task("t", LabelScale(("Neutral", "Contradiction", "Entailment")))
    assert "- Entailment: if the premise is true, the hypothesis is true too" in label_lines(turned)
    assert label_lines(Task("t", LabelScale(("b", "a")))) == "The labels are:\n- b\n- a"
