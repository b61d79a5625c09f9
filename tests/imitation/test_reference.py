"""The reference's scores: right, computed once, and never another model's."""

from __future__ import annotations

import pytest
import torch
from helpers.architectures import ragged_batch, tiny_model

from capo_core.errors import Stopped
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.capo import reference_scores
from capo_core.imitation.training.scoring.engines import GroupEngine, PairsEngine, TreeEngine

KEY = {"base": "b" * 8, "adapter": "a" * 8}
BATCH = [*ragged_batch(1), *ragged_batch(2), Rendered((5, 6), ())]


class Counting(GroupEngine):
    def __init__(self):
        self.calls = 0

    def score(self, model, batch, *, pad_id):
        self.calls += 1
        assert not torch.is_grad_enabled() and not model.training
        return super().score(model, batch, pad_id=pad_id)


def scored(folder, *, model=None, engine=None, batch=BATCH, key=KEY, **settings):
    model = model or tiny_model("llama", lora=True)
    return reference_scores(
        model, engine or TreeEngine(), batch, cache_folder=folder, key=key, pad_id=0, **settings
    )


def test_scores_stand_in_the_order_of_the_items(tmp_path):
    model = tiny_model("llama", lora=True).train()
    found = scored(tmp_path, model=model, batch_tokens=64)
    assert model.training
    assert [len(part) for part in found] == [len(item.responses) for item in BATCH]
    wanted = PairsEngine().score(model.eval(), BATCH, pad_id=0).log_probs.detach()
    torch.testing.assert_close(torch.cat(found), wanted, atol=1e-4, rtol=0)
    assert not torch.cat(found).requires_grad


def test_the_second_time_they_are_read(tmp_path):
    engine, model = Counting(), tiny_model("llama")
    first = scored(tmp_path, engine=engine, model=model)
    calls = engine.calls
    second = scored(tmp_path, engine=engine, model=model)
    assert calls > 0 and engine.calls == calls
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("change", ["key", "tokens", "engine", "dtype"])
def test_anything_else_is_computed_anew(tmp_path, change):
    settings = {"engine": Counting(), "model": tiny_model("llama")}
    scored(tmp_path, **settings)
    before = settings["engine"].calls
    if change == "key":
        settings["key"] = {**KEY, "adapter": "c" * 8}
    if change == "tokens":
        settings["batch"] = BATCH[::-1]
    if change == "dtype":
        settings["model"] = tiny_model("llama").to(torch.bfloat16)
    if change == "engine":
        settings["engine"].name = "another"
    scored(tmp_path, **settings)
    assert settings["engine"].calls == 2 * before


def test_a_damaged_cache_is_computed_again(tmp_path):
    engine, model = Counting(), tiny_model("llama")
    wanted = scored(tmp_path, engine=engine, model=model)
    calls = engine.calls
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-4], b"x" * len(whole)):
        file.write_bytes(damaged)
        found = scored(tmp_path, engine=engine, model=model)
        assert all(torch.equal(a, b) for a, b in zip(wanted, found, strict=True))
    assert engine.calls == 5 * calls
    assert file.read_bytes() == whole


def test_stopping_keeps_nothing(tmp_path):
    def stop(_, share):
        if share > 0:
            raise Stopped("stopped")

    model = tiny_model("llama").train()
    with pytest.raises(Stopped):
        scored(tmp_path, model=model, batch_tokens=64, progress=stop)
    assert list(tmp_path.iterdir()) == [] and model.training
