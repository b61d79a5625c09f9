"""A real Slurm with one node, made of Debian's packages, as long as a test needs it.

    apt-get install slurmctld slurmd slurm-client munge

Needs to be root, and the packages; `why_not()` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "munged", "mungekey")


def why_not() -> str:
    """Why a node cannot be started here; "" where it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "starting a Slurm needs root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian's slurmctld, slurmd, munge)"
    if find_spec("submitit") is None:
        return "submitit is not installed"
    return ""


class Node:
    """A controller and one node on this machine, with files under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._started: list[subprocess.Popen] = []

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.conf), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}

    def start(self) -> None:
        """Begin, and wait until the node takes jobs."""
        for name in ("state", "spool", "munge", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder / "munge", 0o755)  # noqa: PTH101
        key, munge = self.folder / "munge.key", self.folder / "munge" / "socket"
        self._do("mungekey", "--create", "--keyfile", str(key))
        key.chmod(0o600)
        self._write(munge)
        self._run("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}",
                  f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/munge/log",
                  f"--seed-file={self.folder}/munge/seed")  # fmt: skip
        self._until(munge.exists)
        self._run("slurmctld", "-D", "-f", str(self.conf))
        self._run("slurmd", "-D", "-f", str(self.conf), "-N", "capo")
        self._until(lambda: "idle" in self._said("sinfo", "--noheader", "--format=%T"))

    def stop(self) -> None:
        """End what was started, the last first."""
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write(self, munge: Path) -> None:
        ports = [_free_port(), _free_port()]
        cores = os.cpu_count() or 1
        self.conf.write_text(
            f"""ClusterName=capo
SlurmctldHost={socket.gethostname()}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/log/slurmctld
SlurmdLogFile={self.folder}/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=capo NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=capo Default=YES MaxTime=INFINITE State=UP
""",
            encoding="utf-8",
        )

    def _run(self, *command: str) -> None:
        log = (self.folder / "log" / f"{command[0]}.out").open("wb")
        self._started.append(
            subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ,
                             **self.environment})
        )  # fmt: skip

    def _do(self, *command: str) -> None:
        subprocess.run(command, check=True, env={**os.environ, **self.environment})

    def _said(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, **self.environment})  # fmt: skip
        return done.stdout

    def _until(self, true) -> None:
        end = time.time() + 60
        while time.time() < end:
            if true():
                return
            time.sleep(0.2)
        logs = "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-1500:]}"
            for path in (self.folder / "log").iterdir()
        )
        raise RuntimeError(f"Slurm does not begin\n{logs}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
