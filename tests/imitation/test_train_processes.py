"""Two processes learn what one learns, from the same items a step."""

import os
import subprocess
import sys
from pathlib import Path

from helpers import train_pair
from helpers.tiny_training import tiny_base
from safetensors.torch import load_file

from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.run_folder import RunFolder

HELPERS = Path(__file__).parents[1] / "helpers"


def test_two_processes_learn_what_one_does(tmp_path):
    base = tiny_base(tmp_path / "base")
    train_pair.train(base, tmp_path, "one")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", "2", str(HELPERS / "train_pair.py"), base, str(tmp_path)),
        ],
        env={
            **os.environ,
            "PYTHONPATH": f"{HELPERS.parent}{os.pathsep}{HELPERS.parents[1]}",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for stage in ("sft", "capo"):
        one = load_file(tmp_path / f"one-{stage}" / "adapter" / WEIGHTS)
        two = load_file(tmp_path / f"two-{stage}" / "adapter" / WEIGHTS)
        assert max((one[name] - two[name]).abs().max().item() for name in one) < 1e-5
        told = [RunFolder(tmp_path / f"{name}-{stage}").events() for name in ("one", "two")]
        steps = [[e["step"] for e in events if e["event"] == "step"] for events in told]
        assert steps[0] == steps[1] == list(range(1, 11))  # only one process writes
        assert {e["processes"] for e in told[1] if "processes" in e} == {2}
    assert RunFolder(tmp_path / "two-sft").events("resumed")[0]["step"] == 4
    for index in (0, 1):
        assert "epochs was 2 and is 9 now" in (tmp_path / f"refused-{index}").read_text()
