"""Calibrated CAPO: the adapter of a run is exactly between SFT and CAPO, and resumes."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from helpers.generation import logits
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset
from peft import PeftModel
from safetensors.torch import load_file

from capo_core.errors import ConfigError, Stopped
from capo_core.imitation.backends.base import GenerationRequest
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.label_prior import fit_label_prior
from capo_core.imitation.generation.requests import (
    GenerateConfig,
    PromptBuilder,
    decoding_of,
    prior_requests,
    seed_of,
)
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.prompting.responses import history, items_of
from capo_core.imitation.training import calibration
from capo_core.imitation.training.calibration import (
    ANSWERS,
    BATCH_TOKENS,
    FULL,
    STRENGTHS,
    answers_by_strength,
)
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.sft import train_sft
from capo_core.progress import silent
from capo_core.run_folder import RunFolder

LONGEST = 24  # tokens of an answer: the model is random, and seldom ends one


def short(data, config):
    return replace(decoding_of(data, config), max_new_tokens=LONGEST)


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    monkeypatch.setattr(calibration, "decoding_of", short)


@dataclass
class Chosen:
    strength: float

    def to_dict(self):
        return {"strength": self.strength}


class Yardstick:
    """Chooses a strength that was fixed before, and keeps what it was shown."""

    def __init__(self, strength: float, items=("i14", "i16"), most: int = 99):
        self.strength, self.item_ids, self.seen, self.most = strength, items, {}, most

    def is_enough(self, answers):
        return len(answers) >= self.most

    def choose(self, answers):
        self.seen = answers
        return Chosen(self.strength)


@pytest.fixture(scope="module")
def sft(tmp_path_factory):
    home = tmp_path_factory.mktemp("calibrated")
    folder = RunFolder(home / "sft")
    train_sft(tiny_dataset(), "A", sft_config(), tiny_base(home / "base"), folder)
    return folder


def calibrated(sft, folder, yardstick, **more):
    config = capo_config(calibrate=True, learning_rate=3e-2, epochs=3)
    return train_capo(
        tiny_dataset(), "A", config, sft, RunFolder(folder), yardstick=yardstick, **more
    )


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_adapter_is_exactly_between_both(sft, tmp_path, strength):
    yardstick = Yardstick(strength)
    result = calibrated(sft, tmp_path / "capo", yardstick)
    assert result.calibration == {"strength": strength}
    assert list(yardstick.seen) == list(STRENGTHS)
    assert [answer.item_id for answer in yardstick.seen[0.5]] == ["i14", "i16"]
    name = sft.config["base"]["name"]
    base = load_base_model(name, device="cpu")
    blend = Blend(base, {"sft": sft.adapter, "capo": tmp_path / "capo" / FULL})
    blend.set({"sft": 1 - strength, "capo": strength})
    wanted = logits(base.model)
    blend.set({"sft": 1})
    assert (logits(base.model) - wanted).abs().max() > 1e-3 or strength == 0
    plain = load_base_model(name, device="cpu").model
    found = PeftModel.from_pretrained(plain, str(tmp_path / "capo" / "adapter")).eval()
    torch.testing.assert_close(logits(found), wanted, atol=1e-4, rtol=0)


def test_answers_at_each_strength_are_those_of_a_model_read_anew(sft, tmp_path):
    # The common beginning of the prompts is computed once a strength, not once for all.
    yardstick, folder = Yardstick(0.0), tmp_path / "capo"
    calibrated(sft, folder, yardstick)
    data = tiny_dataset()
    for strength in (0.5, 1.0):
        base = load_base_model(sft.config["base"]["name"], device="cpu")
        blend = Blend(base, {"sft": sft.adapter, "capo": folder / FULL})
        blend.set({"sft": 1 - strength, "capo": strength})
        backend = TransformersBackend(base, batch_tokens=BATCH_TOKENS)
        config = GenerateConfig("capo", split="validation")
        builder = PromptBuilder(data, config, backend, {}, lambda *_: ())
        items = {item.item_id: item for item in items_of(data, "validation")}
        requests = [
            GenerationRequest(
                item, builder.build("A", items[item])[0], seed=seed_of(0, "A", item, "0"),
                label=builder.label_choice("A"),
            )
            for item in yardstick.item_ids
        ]  # fmt: skip
        replies = backend.complete(requests, short(data, config))
        fresh = {request.key: reply.text for request, reply in replies}
        assert [answer.text for answer in yardstick.seen[strength]] == [
            fresh[item] for item in yardstick.item_ids
        ]


def test_labels_are_chosen_as_by_a_generation_with_the_annotators_prior(sft, tmp_path):
    yardstick, folder = Yardstick(0.0), tmp_path / "capo"
    calibrated(sft, folder, yardstick)
    data = tiny_dataset()
    base = load_base_model(sft.config["base"]["name"], device="cpu")
    ends = {"sft": sft.adapter, "capo": folder / FULL}
    found = answers_by_strength(
        data, "A", yardstick, base, ends, RunFolder(tmp_path / "again"), silent, seed=0,
        label_prior="annotator",
    )  # fmt: skip
    assert [each.text for each in found[0.0]] != [each.text for each in yardstick.seen[0.0]]
    labels = data.task.scale.labels
    for strength in (0.0, 1.0):
        base = load_base_model(sft.config["base"]["name"], device="cpu")
        Blend(base, ends).set({"sft": 1 - strength, "capo": strength})
        backend = TransformersBackend(base, batch_tokens=BATCH_TOKENS)
        config = GenerateConfig("capo", split="validation", label_prior="annotator")
        asked = prior_requests(
            data, "A", config, backend, adapters={"A": ""}, profiles={}, choose=lambda *_: ()
        )
        scores = backend.label_scores(asked, decoding_of(data, config))
        given = [each.label for each in history(data, "A", least=1).responses]
        prior = fit_label_prior(np.array([scores[each.key] for each in asked]), given, labels)
        builder = PromptBuilder(data, config, backend, {}, lambda *_: ())
        items = {item.item_id: item for item in items_of(data, "validation")}
        requests = [
            GenerationRequest(
                item, builder.build("A", items[item])[0], seed=seed_of(0, "A", item, "0"),
                label=builder.label_choice("A", prior),
            )
            for item in yardstick.item_ids
        ]  # fmt: skip
        replies = backend.complete(requests, short(data, config))
        fresh = {request.key: reply.text for request, reply in replies}
        assert [answer.text for answer in found[strength]] == [
            fresh[item] for item in yardstick.item_ids
        ]


def test_a_run_hands_its_label_prior_on(sft, tmp_path, monkeypatch):
    handed = []

    def answers(*args, label_prior, **kwargs):
        handed.append(label_prior)
        return {0.0: []}

    monkeypatch.setattr(calibration, "answers_by_strength", answers)
    for name in ("none", "annotator"):
        config = capo_config(calibrate=True, calibrate_label_prior=name)
        train_capo(tiny_dataset(), "A", config, sft, RunFolder(tmp_path / name),
                   yardstick=Yardstick(0.0))  # fmt: skip
    assert handed == ["none", "annotator"]


def test_runs_of_former_builds_keep_their_settings():
    assert "calibrate_label_prior" not in CapoConfig(calibrate=True).to_dict()
    kept = CapoConfig(calibrate=True, calibrate_label_prior="annotator").to_dict()
    assert CapoConfig.from_dict(kept).calibrate_label_prior == "annotator"


def test_stopped_between_strengths_it_goes_on_with_the_next(sft, tmp_path):
    def stop(words, share):
        if "strength 0.5" in words:
            raise Stopped("stopped")

    folder = tmp_path / "capo"
    with pytest.raises(Stopped):
        calibrated(sft, folder, Yardstick(0.25), progress=stop)
    done = sorted(path.name for path in (folder / ANSWERS).iterdir())
    assert done == ["0.1.json", "0.2.json", "0.3.json", "0.json"]
    assert not RunFolder(folder).done
    kept = json.loads((folder / ANSWERS / "0.2.json").read_text())
    (folder / ANSWERS / "0.2.json").write_text(json.dumps({**kept, "i14": "kept"}))
    yardstick = Yardstick(0.25)
    resumed = calibrated(sft, folder, yardstick)
    assert [answer.text for answer in yardstick.seen[0.2]] == ["kept", kept["i16"]]
    straight = calibrated(sft, tmp_path / "straight", Yardstick(0.25))
    assert resumed.steps == straight.steps
    one = load_file(folder / "adapter" / WEIGHTS)
    other = load_file(tmp_path / "straight" / "adapter" / WEIGHTS)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_strengths_that_cannot_be_nearer_are_not_answered(sft, tmp_path):
    yardstick, folder = Yardstick(0.1, most=3), tmp_path / "capo"
    result = calibrated(sft, folder, yardstick)
    assert list(yardstick.seen) == list(STRENGTHS[:3]) and result.calibration == {"strength": 0.1}
    assert len(list((folder / ANSWERS).iterdir())) == 3


def test_without_a_yardstick_it_is_refused(sft, tmp_path):
    with pytest.raises(ConfigError, match="nothing to choose a strength by"):
        calibrated(sft, tmp_path / "capo", None)


def test_a_shared_adapter_has_no_strength_of_its_own():
    with pytest.raises(ConfigError, match="calibrate"):
        CapoConfig(calibrate=True, shared=True)
