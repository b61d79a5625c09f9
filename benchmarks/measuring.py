"""Common parts of the benchmarks: time, peak memory, and the machine, as JSON."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def timed(into: dict) -> Iterator[None]:
    """Adds wall_s, cpu_s and load (1 min, at the start) of a block to `into`."""
    load = os.getloadavg()[0]
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into["wall_s"] = round(time.perf_counter() - wall, 2)
    into["cpu_s"] = round(time.process_time() - cpu, 2)
    into["load_before"] = round(load, 2)


def peak_memory_gb() -> float:
    """The most memory this process has held (GB)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def machine() -> dict:
    return {"cores": os.cpu_count(), "python": platform.python_version()}


def shared_data() -> Path:
    """The folder of real data (`CAPO_SHARED`/data)."""
    return Path(os.environ.get("CAPO_SHARED") or ROOT.parent / "shared") / "data"


def report(result: dict) -> None:
    print(json.dumps({"machine": machine(), **result}, indent=2))
