"""May the dashboard listen where it is told to? `make app` asks before it starts the server.

    python -m capo_core.dashboard.app.binding

ends with 0 where it may, else with 2 and the reason. `app.py` asks again at every visit, for a
server that was started in another way.
"""

from __future__ import annotations

import os
import sys

from capo_core.dashboard.app import access

ADDRESS = "STREAMLIT_SERVER_ADDRESS"  # goes before the configuration's file


def main() -> int:
    reason = access.why_closed(os.environ.get(ADDRESS))
    if reason is not None:
        print(reason, file=sys.stderr)
    return 2 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
