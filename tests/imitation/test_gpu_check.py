"""The script for a GPU runs through on a CPU with a tiny shape, and what it counts is in order."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_check.py"


def test_the_script_for_a_gpu_on_a_tiny_shape():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--shapes", "tiny", "--device", "cpu", "--items", "3"],
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = json.loads(done.stdout)["shapes"]
    assert found["parameters"] > 50_000
    # Three pairs an item against four responses, and against one prompt with its branches.
    tokens = {name: found[name]["computed_tokens"] for name in ("pairs", "group", "tree")}
    assert tokens["tree"] < tokens["group"] < tokens["pairs"]
    assert "computed once" in found["tree_reason"]
    for name in tokens:
        # On a busy CPU the rate of products, taken at another moment, bounds nothing.
        assert found[name]["seconds"] > 0 and found[name]["share_of_peak"] > 0
    assert found["quantised"] == "needs a GPU and the package bitsandbytes"
