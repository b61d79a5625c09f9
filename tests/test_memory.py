"""Memory as the system tells it."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from capo_core import memory


def test_the_peak_holds_what_was_once_needed():
    code = (  # in a process of its own, whose peak nothing else has raised
        "from capo_core import memory; before = memory.peak_bytes()\n"
        "block = bytearray(80_000_000)\n"
        "block[::4096] = b'x' * len(block[::4096])\n"  # pages count once they are touched
        "del block; print(memory.peak_bytes() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 60e6 < int(done.stdout) < 200e6


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
        "from capo_core import memory; print(memory.available_bytes(), memory.ulimit_binds())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    free, binds = done.stdout.split()
    assert 100e6 < int(free) < 900e6 and binds == "True"
    assert memory.ulimit_binds() is False


GIB = 2**30


def cgroup(folder, limit, use, inactive, *, v1=False):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("limit_in_bytes", "usage_in_bytes") if v1 else ("max", "current")
    for name, value in zip(names, (limit, use), strict=True):
        (folder / f"memory.{name}").write_text(f"{value}\n")
    own = "total_inactive_file" if v1 else "inactive_file"
    (folder / "memory.stat").write_text(f"anon 7\n{own} {inactive}\n{own}_more 1\n")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "self")
    monkeypatch.setattr(memory, "_machine_free", lambda: 100 * GIB)
    monkeypatch.setattr(memory, "_limit_free", lambda: 100 * GIB)
    return tmp_path


def test_pages_of_files_that_can_be_given_back_are_free(groups):
    cgroup(groups, 4 * GIB, 3 * GIB, 2 * GIB)  # a container: its group is the root
    assert memory.available_bytes() == 3 * GIB
    cgroup(groups / "memory", 2 * GIB, 1 * GIB, GIB // 2, v1=True)
    assert memory.available_bytes() == 3 * GIB // 2


@pytest.mark.parametrize("v1", [False, True])
def test_the_smallest_limit_on_the_way_up_counts(groups, v1):
    root = groups / "memory" if v1 else groups
    line = "4:cpu,memory:/jobs/7/step" if v1 else "0::/jobs/7/step"
    (groups / "self").write_text(f"9:name=systemd:/\n{line}\n")
    cgroup(root / "jobs/7/step", "max", GIB, 0, v1=v1)
    cgroup(root / "jobs/7", 6 * GIB, GIB, 0, v1=v1)
    cgroup(root / "jobs", 5 * GIB, 3 * GIB, 0, v1=v1)
    cgroup(root / "others", 1 * GIB, 1 * GIB, 0, v1=v1)  # of other processes
    assert memory.available_bytes() == 2 * GIB


def test_without_cgroups_the_machine_counts(groups):
    assert memory.available_bytes() == 100 * GIB
