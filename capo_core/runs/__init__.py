"""Runs: long computations in detached processes, as folders that any process can read.

From the ground up: `request` (what to do) and `checks` of its settings, `status` and `run` (the
folder), `dependencies`, `process` and `slurm` (where a worker starts), `queue`, `submit`, `actions`
(stop, resume, repeat, delete), `kinds` (the work of each kind) and `worker`. `experiments` plans
many runs at once; `summary`, `events` and `comparisons` read finished ones.
"""
