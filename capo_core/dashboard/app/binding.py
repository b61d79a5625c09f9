"""Check of the address the dashboard is to listen on; `capo app` runs it before the server.

    python -m capo_core.dashboard.app.binding

exits with 0 if the address is safe, else with 2 and the reason. `access` checks again at every
visit, for a server that was started in another way.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import capo_core.dashboard
from capo_core.dashboard.app import access

CONFIG = Path(capo_core.dashboard.__path__[0]) / "start" / ".streamlit" / "config.toml"

ADDRESS = "STREAMLIT_SERVER_ADDRESS"  # takes precedence over the configuration file


def main() -> int:
    """Check the address of the environment or the configuration; return the exit code."""
    configured = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["server"]["address"]
    # A variable that is set and empty means all addresses to Streamlit, and is not "not set".
    reason = access.why_closed(os.environ.get(ADDRESS, configured))
    if reason is not None:
        print(reason, file=sys.stderr)
    return 2 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
