"""Killed with SIGKILL at any moment, and gone on with: as if nothing had happened."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from helpers import training_process
from helpers.tiny_training import tiny_base
from safetensors.torch import load_file

from capo_core.imitation.models.adapters import WEIGHTS
from capo_core.run_folder import RunFolder


@pytest.fixture
def processes(monkeypatch):
    """Processes that begin with everything imported, so that one is ready in a moment."""
    # What the server of processes imports it looks for there alone.
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tests}{os.pathsep}{tests.parent}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.training_process"])
    return context


@pytest.mark.parametrize(
    ("stage", "kills"),
    [
        ("sft", 3),
        pytest.param("sft", 20, marks=pytest.mark.slow),
        pytest.param("capo", 20, marks=pytest.mark.slow),
    ],
)
def test_killed_and_gone_on_with(processes, tmp_path, stage, kills):
    base, home = tiny_base(tmp_path / "base"), str(tmp_path)
    epochs = 2 * kills  # of 4 steps: 8 a kill, of which each life does 1 to about 7

    def live(name: str, stage: str = stage, kill_seed: int | None = None) -> int:
        process = processes.Process(
            target=training_process.run, args=(stage, base, home, name, epochs, kill_seed)
        )
        process.start()
        process.join(600)
        return process.exitcode

    if stage == "capo":
        assert live("before", "sft") == 0
    assert live("straight") == 0
    broken = RunFolder(tmp_path / "broken")
    for seed in range(kills):
        assert live("broken", kill_seed=seed) == -signal.SIGKILL
        assert not broken.done
    assert live("broken") == 0
    one = load_file(tmp_path / "straight" / "adapter" / WEIGHTS)
    other = load_file(broken.adapter / WEIGHTS)
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [event["step"] for event in broken.events("step")]
    assert steps == list(range(1, 4 * epochs + 1))
    assert broken.result["steps"] == 4 * epochs


REAL = "CAPO_TEST_BASE"


@pytest.mark.slow
def test_a_real_model_killed_twenty_times(processes, tmp_path):
    """The base model is a folder, or a name as in `--base` (of the workspace `CAPO_WORKSPACE`)."""
    base, home, kills = os.environ.get(REAL, ""), str(tmp_path), 20
    if not base:
        pytest.skip(f"set {REAL} to a real base model (smollm2, or its folder) to train it here")
    epochs = 10  # of 5 steps: 50, of which each of the 16 lives that get to training does 2 or 3

    def live(name: str, kill_seed: int | None = None) -> int:
        process = processes.Process(
            target=training_process.run_real, args=(base, home, name, epochs, kill_seed)
        )
        process.start()
        process.join(3600)
        return process.exitcode

    broken = RunFolder(tmp_path / "broken")
    for seed in range(kills):
        assert live("broken", seed) == -signal.SIGKILL
        assert not broken.done
    assert live("broken") == 0 == live("straight")
    one = load_file(tmp_path / "straight" / "adapter" / WEIGHTS)
    other = load_file(broken.adapter / WEIGHTS)
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [event["step"] for event in broken.events("step")]
    assert steps == list(range(1, 5 * epochs + 1))
    assert len(broken.events("resumed")) >= 16
