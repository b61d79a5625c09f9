"""Adapters that were really trained, several in one batch: each answers as it would alone."""

import pytest
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset

from capo_core.errors import RunError
from capo_core.imitation.backends.transformers import TransformersBackend
from capo_core.imitation.generation.generate import generate
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.generation.trained_adapters import collect_adapters
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.config import AdapterSettings
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder

WHO = ("A", "B")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A base, and for each of two annotators an SFT run and a CAPO run after it."""
    home, data = tmp_path_factory.mktemp("trained"), tiny_dataset(test=4)
    base = tiny_base(home / "base")
    # Just enough for words of each annotator to come up in greedy answers.
    lora = AdapterSettings(rank=8, alpha=32)
    before = sft_config(epochs=12, learning_rate=2e-2, patience=0, lora=lora)
    after = capo_config(epochs=2, learning_rate=1e-2, patience=0)
    for who in WHO:
        sft = RunFolder(home / f"sft-{who}")
        train_sft(data, who, before, base, sft)
        train_capo(data, who, after, sft, RunFolder(home / f"capo-{who}"))
    return home


def answered(home, method, targets, folder, **more):
    data = tiny_dataset(test=4)
    runs = [RunFolder(home / f"{method}-{who}") for who in targets]
    backend = TransformersBackend(load_base_model(str(home / "base"), device="cpu"), **more)
    config = GenerateConfig(method, temperature=0, max_new_tokens=24)
    frame = generate(
        data,
        targets,
        config,
        backend,
        folder,
        adapters=collect_adapters(runs, method, targets, data).adapters,
    )
    return {
        who: frame.loc[frame["target_annotator_id"] == who, "raw_text"].tolist() for who in targets
    }


@pytest.mark.parametrize("method", ["sft", "capo"])
def test_a_mixed_batch_gives_what_each_adapter_gives_alone(home, tmp_path, method):
    together = answered(home, method, WHO, RunFolder(tmp_path / "both"))
    for who in WHO:
        alone = answered(home, method, [who], RunFolder(tmp_path / who))
        assert together[who] == alone[who] and len(alone[who]) == 4
        one_by_one = answered(home, method, [who], RunFolder(tmp_path / f"1{who}"), batch_tokens=1)
        assert one_by_one == alone
    assert together["A"] != together["B"]


def test_what_was_trained_shows(home, tmp_path):
    """Each has words of its own annotator and none of the other's; CAPO's adapter is not SFT's."""
    sft = answered(home, "sft", WHO, RunFolder(tmp_path / "sft"))
    for who, words in (("A", "premise says"), ("B", "hard to say")):
        assert [name for name, texts in sft.items() if any(words in text for text in texts)] == [
            who
        ]
    assert answered(home, "capo", WHO, RunFolder(tmp_path / "capo")) != sft


def test_a_control_is_taken_for_nothing_else(home, tmp_path):
    data = tiny_dataset(test=4)
    control = RunFolder(tmp_path / "control")
    base = str(home / "base")
    train_sft(data, "A", sft_config(shuffled=True, epochs=1), base, control)
    usual = RunFolder(home / "sft-A")
    assert collect_adapters([control], "sft_shuffled", ["A"], data).adapters["A"].is_dir()
    assert collect_adapters([usual], "sft_long", ["A"], data).adapters["A"].is_dir()
    with pytest.raises(RunError, match="the run is a control"):
        collect_adapters([control], "sft", ["A"], data)
    with pytest.raises(RunError, match="trained on the annotators as they are"):
        collect_adapters([usual], "sft_shuffled", ["A"], data)
    with pytest.raises(RunError, match="the run is of the stage 'capo'"):
        collect_adapters([RunFolder(home / "capo-A")], "sft_long", ["A"], data)
