"""The order of the data and the learning rate, as pure functions."""

from itertools import chain

import pytest

from capo_core.errors import ConfigError
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.training.config import AdapterSettings, CapoConfig, SftConfig
from capo_core.imitation.training.loop import (
    learning_rate,
    step_count,
    steps_of_epoch,
)
from capo_core.imitation.training.micro_batches import share_of_step


def test_every_item_comes_once_an_epoch():
    lengths = [(7 * n) % 50 for n in range(101)]
    config = SftConfig(items_per_step=8)
    steps = steps_of_epoch(lengths, config, 3)
    assert sorted(chain(*steps)) == list(range(101))
    assert len(steps) == step_count(101, config) == 13  # 12 · 8 + 5


def test_the_order_depends_on_seed_and_epoch_alone():
    lengths = list(range(40))
    orders = [
        steps_of_epoch(lengths, SftConfig(items_per_step=4, seed=seed), epoch)
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2] and orders[0] != orders[3]


def test_items_of_one_step_are_of_like_length():
    lengths = [(37 * n) % 64 for n in range(64)]  # each of 0 … 63 once
    steps = steps_of_epoch(lengths, SftConfig(items_per_step=8), 0)  # one window holds all 8 steps
    spreads = [max(lengths[i] for i in step) - min(lengths[i] for i in step) for step in steps]
    assert spreads == [7] * 8


def test_without_shuffling_items_come_as_they_stand():
    config = SftConfig(items_per_step=2, shuffle=False)
    assert steps_of_epoch([5, 1, 9], config, 4) == [[0, 1], [2]]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_processes_and_micro_batches_share_a_step(processes, accumulation):
    step = [9, 4, 7, 1]
    parts = [share_of_step(step, index, processes, accumulation) for index in range(processes)]
    assert sorted(chain(*chain(*parts))) == sorted(step)
    assert all(len(part) <= accumulation for part in parts)


def test_the_learning_rate_rises_and_falls():
    config = SftConfig(learning_rate=1.0, warmup_share=0.2, schedule="linear")
    # ⌈0.2 · 10⌉ = 2 warm steps of thirds, then from 1 to 0 over 8 steps.
    expected = [1 / 3, 2 / 3, *(1 - k / 8 for k in range(8))]
    assert [learning_rate(step, 10, config) for step in range(10)] == pytest.approx(expected)
    constant = SftConfig(learning_rate=0.5, warmup_share=0, schedule="constant")
    assert {learning_rate(step, 7, constant) for step in range(7)} == {0.5}
    cosine = SftConfig(learning_rate=1.0, warmup_share=0, schedule="cosine")
    assert learning_rate(5, 10, cosine) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": 0},
        {"items_per_step": 0},
        {"schedule": "steep"},
        {"precision": "fp16"},
        {"warmup_share": 1.0},
        {"max_grad_norm": -1},
        {"patience": -1},
    ],
)
def test_a_wrong_setting_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SftConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"loss": "dpo"}, {"beta": 0}, {"nll": -1}, {"label_smoothing": 0.5}, {"engine": "fast"}],
)
def test_a_wrong_setting_of_capo_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CapoConfig(**wrong)


def test_settings_come_back_from_json():
    sft = SftConfig(lora=AdapterSettings(rank=2, target_modules=["q_proj", "v_proj"]), epochs=9)
    assert SftConfig.from_dict(sft.to_dict()) == sft
    capo = CapoConfig(pairs=PairsConfig(max_rejected=1), beta=0.3)
    assert CapoConfig.from_dict(capo.to_dict()) == capo
    with pytest.raises(ConfigError, match="epoch_count"):
        SftConfig.from_dict({"epoch_count": 3})


def test_small_bases_learn_with_larger_steps_unless_told():
    small, large = SftConfig.RATES
    assert SftConfig().rate_for(5_000_000) == small > large == SftConfig().rate_for(10**9)
    assert SftConfig(learning_rate=0.1).rate_for(10**9) == 0.1
