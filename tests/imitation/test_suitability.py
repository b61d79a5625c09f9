"""The embedded base model is for simulated data, and is refused on others unless allowed."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from helpers.tiny_training import tiny_dataset
from typer.testing import CliRunner

from capo_core.cli import app
from capo_core.data.catalog import Catalog
from capo_core.errors import ConfigError
from capo_core.imitation.embedded_base import suitability
from capo_core.imitation.embedded_base.suitability import (
    KNOWN_SHARE,
    check_suitable,
    known_word_share,
    suggested_base,
    unsuitable,
)
from capo_core.runs.experiments import store
from capo_core.runs.experiments.config import ExperimentConfig, from_preset
from capo_core.runs.kinds.training import run_training, sft_request
from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.workspace import Workspace

PREMISE = (
    "Photosynthesis converts electromagnetic radiation into carbohydrates; chloroplasts of "
    "vascular plants contain thylakoid membranes, number {}."
)


def real_dataset(items: int = 20):
    """The tiny dataset with texts that no simulator wrote."""
    data = tiny_dataset(items - 6)
    texts = [PREMISE.format(n) for n in range(len(data.items))]
    return replace(data, name="real", items=data.items.assign(text_a=texts))


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    workspace = Workspace.default()
    Catalog(workspace).add(real_dataset())
    return workspace


@pytest.mark.parametrize("task", ["nli", "paraphrase"])
def test_simulated_texts_are_known_whatever_the_seed(task):
    made = simulate(SimulationConfig(task=task, items=60, seed=123)).dataset
    assert known_word_share(made) > 0.93
    # Also where an import has lost that they are simulated.
    assert unsuitable(replace(made, simulated=False)) == ""


def test_other_texts_are_not(tmp_path):
    data = real_dataset()
    assert known_word_share(data) < 0.5 < KNOWN_SHARE
    why = unsuitable(data)
    assert "words of real" in why and "4.87" in why and "1.58" in why
    assert suggested_base(data) == "smollm2"
    assert suggested_base(Catalog(Workspace(tmp_path)).load("demo-nli")) == "embedded"
    with pytest.raises(ConfigError, match="models get smollm2") as caught:
        check_suitable(data, "embedded")
    assert caught.value.option == "--base smollm2, --allow-embedded"
    check_suitable(data, "embedded", allow_embedded=True)
    check_suitable(data, "some/model")


def test_a_share_of_few_words_is_none():
    few = real_dataset(8)
    short = few.items.assign(text_a="Thylakoid.", text_b="")
    assert known_word_share(replace(few, items=short)) is None
    assert unsuitable(replace(few, items=short)) == ""


def test_commands_refuse_it_and_can_be_told_otherwise(workspace, monkeypatch):
    trained = []
    monkeypatch.setattr(
        "capo_core.runs.kinds.training.run_training",
        lambda request, *args, **named: trained.append(named) or run_training(
            request, *args, **named
        ),
    )  # fmt: skip
    call = CliRunner().invoke
    for command in (
        ["train", "sft"],
        ["generate", "--method", "zero_shot"],
        ["profile", "write"],
        ["experiment", "start", "--method", "zero_shot"],
    ):
        refused = call(app, [*command, "--dataset", "real", "--annotator", "A"])
        assert refused.exit_code == 2, (command, refused.output)
        assert "made for simulated data" in refused.stderr, command
        assert "--allow-embedded" in refused.stderr, command
    assert trained[0]["allow_embedded"] is False
    assert not list(workspace.runs.glob("*/config.json"))


def test_an_experiment_says_that_it_is_allowed_and_keeps_its_name_otherwise(workspace):
    config = from_preset("minutes", "real", ("A",), methods=("zero_shot",))
    assert "allow_embedded" not in config.to_dict()
    with pytest.raises(ConfigError, match="made for simulated data"):
        store.start(workspace, config)
    allowed = config.with_changes(allow_embedded=True)
    assert ExperimentConfig.from_dict(json.loads(json.dumps(allowed.to_dict()))) == allowed
    assert allowed.experiment_id != config.experiment_id
    data = Catalog(workspace).load("real")
    store.check_base(allowed, data)
    store.check_base(config.with_changes(server="some-model"), data)


def test_a_run_that_was_begun_before_goes_on(workspace, monkeypatch):
    data = real_dataset()
    asked = []
    monkeypatch.setattr(
        suitability, "unsuitable", lambda dataset: asked.append(dataset) or "it is not for it"
    )
    from helpers.tiny_training import sft_config

    request = sft_request(data, "A", sft_config(epochs=1), "embedded")
    with pytest.raises(ConfigError, match="it is not for it"):
        run_training(request, workspace, dataset=data, allow_embedded=False)
    done = run_training(request, workspace, dataset=data)
    assert run_training(request, workspace, dataset=data, allow_embedded=False) == done
    assert len(asked) == 1


def test_its_texts_are_read_once_for_a_fingerprint(monkeypatch):
    data = real_dataset(30)
    known_word_share(data)
    monkeypatch.setattr(pd.DataFrame, "head", lambda *_: pytest.fail("read again"))
    known_word_share(replace(data, name="the same under another name"))
