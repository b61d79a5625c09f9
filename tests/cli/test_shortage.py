"""A limit on memory below what the libraries need: an error that can be read, and no trace."""

import subprocess
import sys

import pytest
import typer

from capo_core.cli.support import print_errors
from capo_core.errors import RunError, shortage_of

LOADER = "libtorch_cpu.so: failed to map segment from shared object"


@pytest.mark.parametrize("error", [ImportError(LOADER), OSError(LOADER), MemoryError()])
def test_a_command_says_that_memory_ended(error, capsys):
    with pytest.raises(typer.Exit), print_errors():
        raise error
    told = capsys.readouterr().err
    assert "error: there is not enough memory" in told and "ulimit -v" in told


@pytest.mark.parametrize("error", [ImportError("no module named x"), OSError(2, "no such file")])
def test_other_errors_stay_as_they_are(error):
    assert shortage_of(error) is None
    with pytest.raises(type(error)), print_errors():
        raise error


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not enforce the limit")
def test_torch_under_a_limit_that_is_too_low(tmp_path):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (600_000_000,) * 2)\n"
        "sys.argv = ['capo', 'train', 'sft', '--annotator', 'A', '--dataset', 'demo-nli']\n"
        "from capo_core.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        timeout=120, env={"CAPO_WORKSPACE": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert "not enough memory" in done.stderr


def test_a_run_of_the_queue_says_so_too(tmp_path):
    from types import SimpleNamespace

    from capo_core.runs.worker import ended_well

    outcomes = []
    heartbeat = SimpleNamespace(finish=lambda *told: outcomes.append(told))

    def fails(error):
        def work():
            raise error

        return work

    panic = type("PanicException", (BaseException,), {})
    assert not ended_well(fails(ImportError(LOADER)), heartbeat)
    assert not ended_well(fails(panic("PyObject pointer is null")), heartbeat)
    assert outcomes[0][0] == "failed" and "not enough memory" in outcomes[0][1]
    assert outcomes[1][0] == "failed" and "PanicException" in outcomes[1][1]
    with pytest.raises(KeyboardInterrupt):
        ended_well(fails(KeyboardInterrupt()), heartbeat)


def test_the_error_is_one_of_a_run():
    assert isinstance(shortage_of(MemoryError()), RunError)
