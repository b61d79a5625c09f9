"""The three ways give the same log-probabilities, and the same gradients, on many architectures."""

from __future__ import annotations

import pytest
import torch
from helpers.architectures import (
    ARCHITECTURES,
    VOCABULARY,
    by_hand,
    gradients,
    ragged_batch,
    tiny_model,
    with_lora,
)

from capo_core.errors import DataError
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.scoring import base
from capo_core.imitation.training.scoring.base import lay_out
from capo_core.imitation.training.scoring.engines import GroupEngine, PairsEngine, TreeEngine, sees

FAST = [GroupEngine(), TreeEngine()]


@pytest.mark.parametrize("lora", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_engine_gives_the_same_scores_and_gradients(kind, lora):
    model = tiny_model(kind, lora=lora, **ARCHITECTURES[kind]).eval()
    batch = ragged_batch()
    wanted = by_hand(model, batch)
    slope = gradients(model, wanted)
    assert wanted.abs().mean() > 3 and slope.abs().max() > 0.1  # there is something to get wrong
    for engine in [PairsEngine(), *FAST]:
        table = engine.score(model, batch, pad_id=0)
        torch.testing.assert_close(table.log_probs, wanted, atol=1e-4, rtol=0)
        torch.testing.assert_close(gradients(model, table.log_probs), slope, atol=1e-4, rtol=1e-4)
        assert table.tokens.tolist() == [7, 3, 9, 5, 1, 8, 2, 6]
        assert table.engine == engine.name


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3_text", "phi3", "gpt2"])
def test_the_tree_under_eager_attention(kind):
    model = tiny_model(kind, attention="eager").eval()
    assert model.config._attn_implementation == "eager"
    batch = ragged_batch()
    table = TreeEngine().score(model, batch, pad_id=0)
    torch.testing.assert_close(table.log_probs, by_hand(model, batch), atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", [PairsEngine(), *FAST], ids=lambda engine: engine.name)
def test_padding_and_neighbours_change_nothing(engine):
    model, batch = tiny_model("llama").eval(), ragged_batch()
    together = engine.score(model, batch, pad_id=0).log_probs
    alone = torch.cat([engine.score(model, [each], pad_id=0).log_probs for each in batch])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    other = engine.score(model, batch, pad_id=VOCABULARY - 1).log_probs
    torch.testing.assert_close(together, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("engine", FAST, ids=lambda engine: engine.name)
def test_gradient_checkpointing_changes_neither_scores_nor_gradients(engine):
    model, batch = tiny_model("llama", lora=True).train(), ragged_batch()
    table = engine.score(model, batch, pad_id=0)
    slope = gradients(model, table.log_probs)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    again = engine.score(model, batch, pad_id=0)
    torch.testing.assert_close(again.log_probs, table.log_probs)
    torch.testing.assert_close(gradients(model, again.log_probs), slope)


@pytest.mark.parametrize("engine", FAST, ids=lambda engine: engine.name)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_bfloat16_by_autocast_and_by_weights(engine, attention):
    model, batch = tiny_model("llama", attention=attention).eval(), ragged_batch()
    exact = by_hand(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        cast = engine.score(model, batch, pad_id=0)
    half = engine.score(model.to(torch.bfloat16), batch, pad_id=0)
    for table in (cast, half):
        assert table.log_probs.dtype == torch.float32
        # 8 bits of mantissa: logits of about 4 are off by about 0.01, a token by about as much.
        assert ((table.log_probs - exact).abs() / table.tokens).max() < 0.05


@pytest.mark.parametrize("engine", FAST, ids=lambda engine: engine.name)
@pytest.mark.parametrize("kind", ["llama", "gemma2", "cohere", "granite"])
def test_many_logits_are_computed_in_parts(monkeypatch, engine, kind):
    model = tiny_model(kind, lora=True, **ARCHITECTURES[kind]).eval()
    batch = ragged_batch()
    whole = engine.score(model, batch, pad_id=0).log_probs
    slope = gradients(model, whole)
    seen = []
    monkeypatch.setattr(base, "MANY_LOGITS", 10 * VOCABULARY)
    monkeypatch.setattr(
        base,
        "target_log_probs",
        lambda logits, targets, real=base.target_log_probs: (
            seen.append(len(targets)) or real(logits, targets)
        ),
    )
    parts = engine.score(model, batch, pad_id=0).log_probs
    assert len(seen) > 5 and max(seen) <= 5  # 41 targets, half of ten at a time
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradients(model, parts), slope, atol=1e-5, rtol=1e-4)


def test_an_unknown_change_of_the_logits_is_not_computed_in_parts(monkeypatch):
    model, batch = tiny_model("llama").eval(), ragged_batch()
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda **inputs: _divided(forward(**inputs)))
    whole = GroupEngine().score(model, batch, pad_id=0).log_probs
    monkeypatch.setattr(base, "MANY_LOGITS", 10)
    assert base.after_head(model) is None
    torch.testing.assert_close(GroupEngine().score(model, batch, pad_id=0).log_probs, whole)


def _divided(output):
    output.logits = output.logits / 4
    return output


def test_the_tree_computes_the_prompt_once_and_no_end_token():
    batch = ragged_batch()
    model = tiny_model("llama").eval()
    # Row of the third item: 20 + (1 + 8 + 2 + 6) - 4 end tokens = 33; the others are padded to it.
    assert TreeEngine().score(model, batch, pad_id=0).computed_tokens == 3 * 33
    # 8 rows as long as the longest text: 20 + 8 - 1.
    assert GroupEngine().score(model, batch, pad_id=0).computed_tokens == 8 * 27


def test_layout_of_one_item():
    layout = lay_out([Rendered((10, 11, 12), ((20, 21, 2), (2,), (30, 2)))], pad_id=0)
    assert layout.ids.tolist() == [[10, 11, 12, 20, 21, 30]]
    assert layout.positions.tolist() == [[0, 1, 2, 3, 4, 3]]
    assert layout.segments.tolist() == [[0, 0, 0, 1, 1, 3]]
    assert layout.targets.tolist() == [20, 21, 2, 2, 30, 2]
    assert layout.columns.tolist() == [2, 3, 4, 2, 2, 5]
    assert layout.owner.tolist() == [0, 0, 0, 1, 2, 2]
    assert layout.place.tolist() == [0, 1, 2, 0, 0, 1]


def test_a_branch_sees_the_prompt_and_itself():
    seen = sees(torch.tensor([[0, 0, 1, 2, 2, -1]]))[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [1, 1, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]


def test_a_window_sends_long_texts_the_group_way():
    model = tiny_model("mistral", sliding_window=24).eval()
    batch = ragged_batch()  # the longest text has 28 tokens
    table = TreeEngine(window=24).score(model, batch, pad_id=0)
    assert table.engine == "group"
    torch.testing.assert_close(table.log_probs, by_hand(model, batch), atol=1e-4, rtol=0)
    assert TreeEngine(window=24).score(model, batch[:2], pad_id=0).engine == "tree"


@pytest.mark.parametrize("batch", [[], [Rendered((), ((5, 2),))], [Rendered((5,), ((),))]])
def test_what_has_no_log_probability_is_refused(batch):
    with pytest.raises(DataError):
        GroupEngine().score(tiny_model("llama"), batch, pad_id=0)


def test_an_item_without_responses_adds_nothing():
    model, batch = tiny_model("llama").eval(), ragged_batch()
    more = [batch[0], Rendered((5, 6), ()), *batch[1:]]
    for engine in [PairsEngine(), *FAST]:
        alone = engine.score(model, batch, pad_id=0).log_probs
        torch.testing.assert_close(engine.score(model, more, pad_id=0).log_probs, alone)


def test_the_model_of_several_processes_may_be_wrapped():
    class Wrapped(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module, self.calls = module, 0

        def forward(self, **inputs):
            self.calls += 1
            return self.module(**inputs)

    inner = with_lora(tiny_model("llama")).eval()
    wrapped, batch = Wrapped(inner), ragged_batch()
    for engine in [PairsEngine(), *FAST]:
        wanted = engine.score(inner, batch, pad_id=0).log_probs
        torch.testing.assert_close(engine.score(wrapped, batch, pad_id=0).log_probs, wanted)
    assert wrapped.calls == 3  # gradients are averaged over processes only through the wrapper
