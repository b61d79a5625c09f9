"""A machine that lacks memory, disk or rights: an error that can be read, and no trace."""

import errno
import os
import subprocess
import sys

import pytest
import typer

from capo_core.cli.support import print_errors
from capo_core.errors import DataError, RunError, plain_error, shortage_of

LOADER = "libtorch_cpu.so: failed to map segment from shared object"


@pytest.mark.parametrize("error", [ImportError(LOADER), OSError(LOADER), MemoryError()])
def test_a_command_says_that_memory_ended(error, capsys):
    with pytest.raises(typer.Exit), print_errors():
        raise error
    told = capsys.readouterr().err
    assert "error: there is not enough memory" in told and "ulimit -v" in told


def of_the_system(number, *names):
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (of_the_system(errno.ENOSPC), "error: the disk is full. What to do: free some space"),
        (of_the_system(errno.EROFS, "w/runs.lock"), "w/runs.lock: the file cannot be read or"),
        (of_the_system(errno.EACCES, "w/runs.lock"), "(Permission denied). What to do:"),
        (of_the_system(errno.EISDIR, "a.html"), "a.html: the file cannot be used"),
        (of_the_system(errno.EMFILE, "a.html"), "ulimit -n"),
        (of_the_system(errno.EIO), "the disk does not answer"),
    ],
)
def test_a_command_says_what_the_disk_lacks(error, words, capsys):
    with pytest.raises(typer.Exit), print_errors():
        raise error
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "error",
    [
        ImportError("no module named x"),
        OSError(2, "no such file"),
        of_the_system(errno.EACCES),  # of a connection: there is no file
        of_the_system(errno.EPIPE),  # whoever read the output has gone: Click ends the command
        ValueError("a defect"),
    ],
)
def test_other_errors_stay_as_they_are(error):
    assert shortage_of(error) is None and plain_error(error) is None
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
    assert not ended_well(fails(of_the_system(errno.ENOSPC)), heartbeat)
    assert outcomes[2][:2] == ("failed", "the disk is full.") and "free some" in outcomes[2][2]
    with pytest.raises(KeyboardInterrupt):
        ended_well(fails(KeyboardInterrupt()), heartbeat)


def test_the_error_is_one_of_a_run():
    assert isinstance(shortage_of(MemoryError()), RunError)
    assert isinstance(plain_error(of_the_system(errno.ENOSPC)), DataError)
