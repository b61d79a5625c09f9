"""Here so that tests of every folder find the helpers that lie beside this file.

Property tests draw the same cases in every run, so that a result can be repeated; new cases are
drawn with `CAPO_NEW_CASES=1`.
"""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: with more threads than cores, each product waits for its slowest.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long a case takes to draw depends on what else the machine does: no reason to fail.
BUSY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **BUSY)
settings.register_profile("new", **BUSY)
settings.load_profile("new" if os.environ.get("CAPO_NEW_CASES") else "same")


@pytest.fixture(autouse=True)
def main_module():
    """Put `__main__` back after each test.

    Streamlit's AppTest leaves its temporary script there, and a process started later by
    `multiprocessing` runs the file of `__main__` before anything else.
    """
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
