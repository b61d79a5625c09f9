"""A real PostgreSQL server for a test, started as a user without rights, on a socket only."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


def _nobody() -> dict[str, object]:
    """How a command is run without rights: PostgreSQL refuses to be started by root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    """Runs from construction to `stop`. `database` makes a new one and gives its address."""

    def __init__(self, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="capo-pg-"))
        self.options, self.made, self.process = options, 0, None
        self.as_user = _nobody()
        if self.as_user:
            os.chown(self.folder, self.as_user["user"], self.as_user["group"])
        self.bin = binaries()
        self._run("initdb", "-D", "data", "-U", "capo", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.bin / "postgres"), "-D", "data", "-k", str(self.folder),
                    "-c", "listen_addresses=", "-c", "max_connections=150", *self.options,
                ],
                cwd=self.folder, stdout=log, stderr=log, **self.as_user,
            )  # fmt: skip
        deadline = time.monotonic() + 240
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.1)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user="capo", dbname="postgres", autocommit=True
        )

    def database(self) -> str:
        self.made += 1
        name = f"capo{self.made}"
        with contextlib.closing(self.connect()) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://capo@/{name}?host={self.folder}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)  # at once: the data go as well
        self.process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name: str, *args: str) -> None:
        done = subprocess.run(
            [str(self.bin / name), *args],
            cwd=self.folder, capture_output=True, text=True, check=False, **self.as_user,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)


def running(*options: str) -> Iterator[Server]:
    """For a fixture: `yield from running()`; skips, with the reason, where there is none."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    server = Server(*options)
    yield server
    server.stop()
