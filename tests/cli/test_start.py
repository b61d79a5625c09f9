"""The command that starts the dashboard, with another program in the server's place."""

import os
import signal
import subprocess
import sys

import pytest

COMMAND = """
import subprocess, sys, time
from capo_core.cli import start
popen = subprocess.Popen
program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
start.subprocess.run = lambda *args, **more: subprocess.CompletedProcess(args, 0)
start.subprocess.Popen = lambda command: popen([sys.executable, "-c", program])
start.start(port=8501, headless=True, judges_only=False, demo=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_a_stopped_command_leaves_no_server():
    """Finding: after `kill` the server went on, and the port stayed taken."""
    command = subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True)
    server = int(command.stdout.readline())
    command.send_signal(signal.SIGTERM)
    command.wait(timeout=120)
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
