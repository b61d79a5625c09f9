"""The answers that a training writes beside its steps, in the pre-flight check."""

import pytest
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset

from capo_core.imitation.training.calibration import STRENGTHS
from capo_core.runs.preflight import dry_run
from capo_core.runs.preflight.report import announce_request
from capo_core.runs.request import RunRequest
from capo_core.workspace import Workspace

EACH_S, EACH_BYTES = 1e6, 10**12


@pytest.fixture
def estimate(tmp_path, monkeypatch):
    """The estimate of a training on tiny data, where answers take much time and memory."""
    workspace, base = Workspace(tmp_path), tiny_base(tmp_path / "base")
    monkeypatch.setattr(dry_run, "load_dataset", lambda *_: tiny_dataset(validation=5))
    asked: list[int] = []

    def answering(backend, rows, decoding) -> float:
        asked.append(len(rows))
        return EACH_S

    monkeypatch.setattr(dry_run, "_answering_seconds", answering)
    monkeypatch.setattr(dry_run.memory, "peak_bytes", lambda: EACH_BYTES * (1 + len(asked)))
    sft = {"dataset": "tiny", "target": "A", "base": base, "config": sft_config().to_dict()}
    announce_request(workspace, "the-sft", RunRequest("train_sft", sft))

    def of(config) -> tuple[dict, list[int]]:
        asked.clear()
        capo = {"dataset": "tiny", "target": "A", "sft": "the-sft", "config": config.to_dict()}
        kind, settings = "train_capo", capo
        if type(config) is type(sft_config()):
            kind, settings = "train_sft", sft | {"config": config.to_dict()}
        return dry_run.estimate_training(kind, settings, workspace), list(asked)

    return of


def test_a_calibration_counts_with_its_answers_at_every_strength(estimate):
    plain, asked = estimate(capo_config())
    assert not asked and plain["seconds"] < EACH_S
    assert "calibration answers" not in plain["counts"]
    found, asked = estimate(capo_config(calibrate=True))
    assert asked == [5]  # one dry batch of the validation items that the target explained
    assert found["counts"]["calibration answers"] == len(STRENGTHS) * 5
    assert 0 < found["seconds"] - len(STRENGTHS) * EACH_S < EACH_S
    # The peak is read after the dry batch: it is that of the training or that of the answers; what
    # it is above the loaded model grows while the training goes on.
    assert found["memory_bytes"] == (2 + dry_run.GROWTH) * EACH_BYTES
    assert any("all strengths" in each for each in found["warnings"])


def test_samples_and_probes_count_whenever_they_are_written(estimate):
    found, asked = estimate(sft_config(sample_every=3, samples=1, probe_items=2))
    assert found["counts"]["steps"] == 8
    assert asked == [3]
    assert found["counts"]["answers while training"] == 4 * 3  # at the start, at 3, 6 and 8
    assert 0 < found["seconds"] - 4 * EACH_S < EACH_S


def test_a_dry_batch_gives_the_pace_of_full_answers(tmp_path):
    """Answers that are written, on a real backend: all rows, at full length."""
    from capo_core.imitation.backends.base import Decoding, GenerationRequest
    from capo_core.imitation.backends.transformers import TokenizedRequest, TransformersBackend
    from capo_core.imitation.models.base_model import load_base_model
    from capo_core.imitation.prompting.prompts import PromptItem, prompt_ids, zero_shot

    base = load_base_model(tiny_base(tmp_path / "base"))
    prompt = zero_shot(tiny_dataset().task, PromptItem("i", "The cat runs.", "A cat is there."))
    rows = [
        TokenizedRequest(GenerationRequest(str(n), prompt), prompt_ids(prompt, base.tokenizer))
        for n in range(3)
    ]
    assert dry_run._answering_seconds(TransformersBackend(base), rows, Decoding()) > 0
