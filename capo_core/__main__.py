"""`python -m capo_core …`, and the command `capo` of an installed package."""

import os

# Before anything loads OpenMP: spinning threads cost 3 to 15 times the time on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from capo_core.cli import main

if __name__ == "__main__":
    main()
