"""Memory as the system tells it."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from capo_core import memory


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


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not enforce the limit")
def test_a_limit_on_addresses_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (900_000_000,) * 2)\n"
        "from capo_core import memory; print(memory.available_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 100e6 < int(done.stdout) < 900e6
