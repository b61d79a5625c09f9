"""Long computations in detached processes, as folders that anybody can read.

Jobs (`launch`, `record`, `kinds`): reports and calibrations, under `workspace.jobs`. Runs (`runs`,
`submission`, `queue`, `actions`, `run_kinds`, `foreground`): trainings, generations and
evaluations, under `workspace.runs`.
"""
