"""Micro-batches: as few as fit, and memory that does not grow with a step's items."""

import re
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig

from capo_core.errors import RunError
from capo_core.formatting import size
from capo_core.imitation.training import micro_batches as module
from capo_core.imitation.training.micro_batches import (
    FEWEST_TOKENS,
    MOST_TOKENS,
    STEP_BYTES,
    by_length,
    bytes_per_token,
    check_room,
    micro_batches,
    tokens_that_fit,
)

ROWS = st.lists(st.lists(st.integers(20, 200), min_size=1, max_size=4), min_size=1, max_size=40)


def positions(part, rows, shared):
    lengths = [length - shared for item in part for length in rows[item]]
    return shared + len(lengths) * max(lengths)


@given(rows=ROWS, limit=st.integers(64, 2000), shared=st.integers(0, 19))
def test_every_item_comes_once_and_batches_fit(rows, limit, shared):
    for parts in (
        micro_batches(range(len(rows)), rows, limit, shared),
        by_length(rows, limit, shared),
    ):
        assert sorted(chain(*parts)) == list(range(len(rows)))
        for part in parts:
            assert len(part) == 1 or positions(part, rows, shared) <= limit


def test_a_step_that_fits_is_one_batch_in_its_order():
    assert micro_batches([2, 0, 1], [[50], [60], [70]], 210) == [[2, 0, 1]]


def test_a_step_that_does_not_fit_is_divided_evenly_by_length():
    rows = [[100], [10], [100], [10]]
    assert micro_batches(range(4), rows, 200) == [[1, 3], [0, 2]]
    assert micro_batches(range(3), rows, 200) == [[1, 0], [2]]


def test_what_all_rows_share_counts_once():
    rows = [[100]] * 8
    assert len(micro_batches(range(8), rows, 240)) == 4
    assert len(micro_batches(range(8), rows, 240, shared=80)) == 1  # 80 + 8 * 20


def test_a_batch_has_no_more_items_than_asked():
    assert [len(part) for part in by_length([[10]] * 5, 1000, most=2)] == [2, 2, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_larger_model_has_fewer_positions(dtype):
    small = AutoConfig.for_model(
        "llama", num_hidden_layers=4, hidden_size=64, intermediate_size=96, vocab_size=500
    )
    large = AutoConfig.for_model("llama", num_hidden_layers=30, hidden_size=2048)
    huge = AutoConfig.for_model("llama", num_hidden_layers=80, hidden_size=16384)
    cpu = torch.device("cpu")
    assert bytes_per_token(small, dtype) < bytes_per_token(large, dtype)
    assert tokens_that_fit(small, dtype, cpu) == MOST_TOKENS
    assert FEWEST_TOKENS <= tokens_that_fit(large, dtype, cpu) < MOST_TOKENS
    assert tokens_that_fit(huge, dtype, cpu) == FEWEST_TOKENS


def test_less_memory_than_a_step_needs_is_an_error_with_a_setting_that_helps(monkeypatch):
    config = AutoConfig.for_model(
        "llama", hidden_size=576, intermediate_size=1536, num_hidden_layers=30, vocab_size=49152,
        num_attention_heads=9,
    )  # fmt: skip
    rows = [[150, 140], [160]] * 50
    weights = 2 * 30 * 9 * 160  # of attention, of the longest row, in all layers
    each = bytes_per_token(config, torch.bfloat16) + weights
    monkeypatch.setattr(module, "available_bytes", lambda: 2000 * each + STEP_BYTES)
    check_room(config, torch.bfloat16, rows, 2000)
    check_room(config, torch.bfloat16, rows, 6000, checkpointing=True)
    # Only the layers need less with it: the logits, a quarter of everything here, are all there.
    logits = 49152 * (2 + 3 * 4) // 2
    assert logits < bytes_per_token(config, torch.bfloat16, checkpointing=True) < each // 3
    with pytest.raises(RunError, match="12,000 tokens") as raised:
        check_room(config, torch.bfloat16, rows, 12000, checkpointing=True)
    assert "gradient_checkpointing" not in raised.value.todo
    check_room(config, torch.bfloat16, [[700]], 8000)  # no more than there is to compute
    with pytest.raises(RunError):  # a row as long as this holds more weights a position
        check_room(config, torch.bfloat16, [[1900]], 8000)
    with pytest.raises(RunError, match="4,000 tokens") as raised:
        check_room(config, torch.bfloat16, rows, 4000, where="run-1")
    named = int(
        re.search(r"batch_tokens to ([\d,]+) \(the same result\)", raised.value.todo)[1].replace(
            ",", ""
        )
    )
    assert 1600 < named < 2000
    # The setting that is named is one that fits, and what the step takes beside it counts.
    check_room(config, torch.bfloat16, rows, named)
    with pytest.raises(RunError, match="2,100 tokens"):
        check_room(config, torch.bfloat16, rows, 2100)
    with pytest.raises(RunError) as raised:  # one item alone is too long: no setting of that kind
        check_room(config, torch.bfloat16, [[2500]], 4000)
    assert raised.value.todo.startswith("switch on gradient_checkpointing, lower max_tokens, close")


def test_only_what_helps_is_named_where_memory_is_short(monkeypatch):
    config = AutoConfig.for_model(
        "llama", hidden_size=576, intermediate_size=1536, num_hidden_layers=30, vocab_size=49152,
        num_attention_heads=9,
    )  # fmt: skip
    each = bytes_per_token(config, torch.bfloat16) + 2 * 30 * 9 * 160

    def todo(free: int) -> str:
        monkeypatch.setattr(module, "available_bytes", lambda: free)
        with pytest.raises(RunError) as raised:
            check_room(config, torch.bfloat16, [[150], [160]] * 50, 600)
        return raised.value.todo

    monkeypatch.setattr(module, "ulimit_binds", lambda: True)
    lacking = size(585 * each + STEP_BYTES)
    assert todo(15 * each) == f"raise the limit (`ulimit -v`) by {lacking} or more"
    monkeypatch.setattr(module, "ulimit_binds", lambda: False)
    assert todo(15 * each) == "close other programs, or use a machine with more memory"
    # What a step takes beside its activations must have room too.
    assert todo(150 * each) == "close other programs, or use a machine with more memory"
    assert todo(400 * each).startswith("switch on gradient_checkpointing and set batch_tokens to ")
    assert todo(590 * each).startswith("set batch_tokens to 320 (the same result), switch on")
