"""Memory as the system tells it."""

from __future__ import annotations

import sys
import types

from capo_core.runs import memory


def test_the_peak_holds_what_was_once_needed():
    memory.forget_peak()
    before = memory.peak_bytes()
    block = bytearray(80_000_000)
    block[::4096] = b"x" * len(block[::4096])  # pages count once they are touched
    del block
    assert memory.peak_bytes() - before > 60e6


def test_a_library_that_is_just_being_imported_is_no_error(monkeypatch):
    # The heartbeat looked at torch in the middle of its import once, and fell silent for good.
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert memory.gpu_peak_bytes() == 0


def test_what_is_free_is_less_than_what_there_is():
    assert 0 < memory.available_bytes() < 1e14
