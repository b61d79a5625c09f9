"""The pre-flight check of an experiment: one run of each kind, as a table with obstacles.

    for each in checks_of(plan_runs(config)):
        each.measure(workspace)
    found = experiment_preflight(workspace, config)
    found.passed, found.obstacles, found.rows()

Page and command line show the same table. What was measured is saved by the settings of each run,
so that a check is made once; memory and disk are held against what is free when it is shown.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.formatting import capitalised, count, duration, elapsed, listed, size
from capo_core.imitation.prompting.prompts import METHOD_TITLES, METHODS
from capo_core.memory import available_bytes
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import PlannedRun, plan_runs
from capo_core.runs.preflight import report
from capo_core.runs.preflight.remedies import Obstacle, obstacles
from capo_core.runs.preflight.report import Preflight
from capo_core.runs.summary import STAGE_NAMES
from capo_core.workspace import Workspace, make_folder

PASSED, BLOCKED, OPEN = "passed", "blocked", "not checked"
SERVER_S = 600.0  # for which what a server said is believed
# Kinds of runs whose needs are not measured, as a list names them.
_UNMEASURED = {
    "profile": "profiles",
    "evaluate": "evaluation",
    "judge": "the LLM judge",
    "retention": "retention",
}


@dataclass(frozen=True)
class Check:
    """A run that stands for all of its kind in an experiment.

    Attributes:
        runs: how many runs it stands for.
        work: their time as a multiple of its own: trainings of more epochs take longer.
    """

    planned: PlannedRun
    runs: int = 1
    work: float = 1.0

    @property
    def kind(self) -> str:
        return self.planned.request.kind

    @property
    def server(self) -> str:
        """The model at a server that the run asks; "" for a model on this machine."""
        return str(self.planned.request.settings.get("server") or "")

    @property
    def asked(self) -> dict[str, Any]:
        """Return the settings of a run of the kind "preflight"."""
        return {"kind": self.kind, "settings": self.planned.request.settings}

    @property
    def title(self) -> str:
        method = METHOD_TITLES.get(self.planned.method, "")
        if self.kind == "judge":
            return f"LLM judge {self.server}"
        if self.kind == "generate":
            return f"Generate: {method}" + (f", {self.server}" if self.server else "")
        # CAPO without calibration is checked beside CAPO, and goes by its method's name.
        name = (method if self.kind == "train_capo" else "") or STAGE_NAMES[self.kind]
        return f"{name} for {self.planned.request.settings['target']}"

    def saved(self, workspace: Workspace) -> Preflight | None:
        """Return the saved result against what is free now; None where there is none, or what a
        server said is too old."""
        found = report.saved_preflight(workspace, self.kind, self.planned.request.settings)
        if found is None or (self.server and time.time() - found.made > SERVER_S):
            return None
        if self.server:
            return found
        make_folder(workspace.root)
        return report.refreshed(
            found,
            memory_free=available_bytes(),
            disk_free=shutil.disk_usage(workspace.root).free,
        )

    def forget(self, workspace: Workspace) -> None:
        """Delete the saved result."""
        report.forget_preflight(workspace, self.kind, self.planned.request.settings)

    def measure(self, workspace: Workspace) -> Preflight:
        """Measure in a process of its own, and save the result.

        Raises:
            RunError: the dry step failed.
        """
        from capo_core.runs.preflight.dry_run import estimate_run

        found = estimate_run(workspace, self.planned.request)
        report.save_preflight(found, workspace, self.planned.request.settings)
        return found


def checks_of(planned: Sequence[PlannedRun]) -> list[Check]:
    """Return the runs to check, each for all that cost as much: the first training of each stage,
    CAPO with calibration apart from CAPO without; for each model on this machine that answers the
    first generation with examples and the first without; one generation for a server; an LLM judge
    at a server."""
    found = [
        Check(same[0], len(same), sum(map(_epochs, same)) / _epochs(same[0]))
        for kind in STAGE_NAMES
        for same in _alike(planned, kind, lambda each: _settings(each).get("calibrate", False))
    ]
    for same in _alike(planned, "generate", _answers_alike):
        longest = [each for each in same if METHODS[each.method].examples] or same
        found.append(Check(longest[0], len(same), float(len(same))))
    found += [
        Check(each)
        for each in planned
        if each.request.kind == "judge" and each.request.settings.get("server")
    ]
    return found


def _alike(
    planned: Sequence[PlannedRun], kind: str, how: Callable[[PlannedRun], Hashable]
) -> list[list[PlannedRun]]:
    """Return the runs of a kind in groups of the same `how`, in the order of the plan."""
    groups: dict[Hashable, list[PlannedRun]] = {}
    for each in planned:
        if each.request.kind == kind:
            groups.setdefault(how(each), []).append(each)
    return list(groups.values())


def _settings(planned: PlannedRun) -> dict[str, Any]:
    return planned.request.settings["config"]


def _epochs(planned: PlannedRun) -> int:
    return int(_settings(planned)["epochs"])


def _answers_alike(planned: PlannedRun) -> Hashable:
    """Return the model that answers and, on this machine, whether it reads examples first."""
    server = str(planned.request.settings.get("server") or "")
    return server, not server and METHODS[planned.method].examples


@dataclass(frozen=True)
class ExperimentPreflight:
    """Knowledge of an experiment before its start.

    Attributes:
        checks: the runs that stand for all others.
        found: the result of each; None for one that is not checked.
        planned: all runs of the experiment.
    """

    config: ExperimentConfig
    planned: tuple[PlannedRun, ...]
    checks: tuple[Check, ...]
    found: tuple[Preflight | None, ...]

    @property
    def complete(self) -> bool:
        """Return whether all runs were checked."""
        return None not in self.found

    @property
    def passed(self) -> bool:
        """Return whether all runs were checked and can work."""
        return self.complete and all(each.possible for each in self.found if each is not None)

    @property
    def blocked(self) -> bool:
        """Return whether a run cannot work."""
        return any(each is not None and not each.possible for each in self.found)

    @property
    def obstacles(self) -> list[tuple[Check, Obstacle]]:
        """The obstacles of all checked runs; one that several runs share is named once."""
        seen: dict[Any, tuple[Check, Obstacle]] = {}
        for check, each in zip(self.checks, self.found, strict=True):
            if each is None:
                continue
            for one in obstacles(each, check.planned.request, self.config):
                key = (one.what, *(each.options for each in one.remedies))
                seen.setdefault(key, (check, one))
        return sorted(seen.values(), key=lambda pair: not pair[1].blocks)

    @property
    def warnings(self) -> list[str]:
        """The remarks of all checked runs, each once."""
        every = [text for each in self.found if each is not None for text in each.warnings]
        return list(dict.fromkeys(every))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a check, with numbers as they were measured: check, runs, state,
        median_tokens, p95_tokens, max_tokens, token_limit, memory_bytes, memory_free, gpu_bytes,
        seconds (of one run), total_seconds, disk_bytes (of one run), disk_free; None is unknown."""
        rows = []
        for check, each in zip(self.checks, self.found, strict=True):
            row: dict[str, Any] = {"check": check.title, "runs": check.runs, "state": OPEN}
            if each is not None:
                tokens = each.tokens
                row |= {
                    "state": PASSED if each.possible else BLOCKED,
                    "median_tokens": tokens.median if tokens else None,
                    "p95_tokens": tokens.p95 if tokens else None,
                    "max_tokens": tokens.longest if tokens else None,
                    "token_limit": tokens.limit if tokens else None,
                    "memory_bytes": each.memory_bytes,
                    "memory_free": each.memory_free,
                    "gpu_bytes": each.gpu_bytes,
                    "seconds": each.seconds,
                    "total_seconds": None if each.seconds is None else each.seconds * check.work,
                    "disk_bytes": each.disk_bytes,
                    "disk_free": each.disk_free,
                }
            rows.append(row)
        return rows

    def table(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return the table as texts: the header, and a row for each quantity.

        The columns are the quantity, each check, and what is free or the total.
        """
        rows = self.rows()

        def texts(form) -> list[str]:
            return [form(row) if row["state"] != OPEN else "…" for row in rows]

        def of(name: str, form=lambda value: f"{value:,}"):
            return lambda row: "" if row.get(name) is None else form(row[name])

        def most(row) -> str:
            if row.get("max_tokens") is None:
                return ""
            return f"{row['max_tokens']:,} / {row['token_limit']:,}"

        def first(name: str) -> str:
            known = [row[name] for row in rows if row.get(name) is not None]
            return size(known[0]) + " free" if known else ""

        total = self.total_seconds
        lines = [
            ("Tokens, median", *texts(of("median_tokens")), ""),
            ("Tokens, p95", *texts(of("p95_tokens")), ""),
            ("Tokens, max / limit", *texts(most), ""),
            ("Memory", *texts(of("memory_bytes", size)), first("memory_free")),
            ("GPU memory", *texts(of("gpu_bytes", size)), ""),
            ("Time, one run", *texts(of("seconds", lambda s: elapsed(max(1, s)))), ""),
            (
                "Time, all of them",
                *texts(of("total_seconds", lambda s: elapsed(max(1, s)))),
                f"{duration(total)} in total" if total else "",
            ),
            ("Disk, one run", *texts(of("disk_bytes", size)), first("disk_free")),
            ("Runs", *(f"{row['runs']:,}" for row in rows), f"{len(self.planned):,} in total"),
            ("Check", *("…" if row["state"] == OPEN else row["state"] for row in rows), ""),
        ]
        titles = [row["check"] for row in rows]
        kept = [line for line in lines if line[0] in _ALWAYS or set(line[1:-1]) - {"", "…"}]
        return ["", *titles, ""], kept

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON: rows, obstacles with their remedies, whether it passed."""
        return {
            "dataset": self.config.dataset,
            "passed": self.passed,
            "checks": self.rows(),
            "obstacles": [
                {
                    "check": check.title,
                    "what": one.what,
                    "todo": one.todo,
                    "blocks": one.blocks,
                    "remedies": [
                        {"label": each.label, "changes": dict(each.changes)}
                        for each in one.remedies
                    ],
                }
                for check, one in self.obstacles
            ],
            "total_seconds": self.total_seconds or None,
            "sentence": self.sentence,
            "warnings": self.warnings,
        }

    @property
    def total_seconds(self) -> float:
        """Return the computing time of all runs whose kind was measured."""
        return sum(row.get("total_seconds") or 0.0 for row in self.rows())

    @property
    def sentence(self) -> str:
        """Return time, memory and disk of the experiment, and what is not in them."""
        known = [each for each in self.found if each is not None]
        if not known:
            return ""
        disk = sum(
            (each.disk_bytes or 0) * check.runs
            for check, each in zip(self.checks, self.found, strict=True)
            if each is not None
        )
        memory = max((each.memory_bytes or 0 for each in known), default=0)
        kinds = {check.kind for check, each in zip(self.checks, self.found, strict=True)
                 if each is not None}  # fmt: skip
        missing = sorted(
            _UNMEASURED.get(kind, kind)
            for kind in {each.request.kind for each in self.planned} - kinds
            if kind in _UNMEASURED
        )
        runs = sum(check.runs for check, each in zip(self.checks, self.found, strict=True)
                   if each is not None)  # fmt: skip
        parts = []
        if self.total_seconds:
            parts.append(f"In total about {duration(self.total_seconds)} for {count(runs, 'run')}")
            if missing:
                parts.append(f"without {listed(missing)}, which cannot be estimated")
        if memory:
            parts.append(f"at most {size(memory)} of memory at once")
        if disk:
            parts.append(f"{size(disk)} of disk space")
        text = ", ".join(parts)
        return f"{capitalised(text)}." if text else ""


_ALWAYS = ("Runs", "Check")


def experiment_preflight(
    workspace: Workspace, config: ExperimentConfig, planned: Sequence[PlannedRun] | None = None
) -> ExperimentPreflight:
    """Return what is known so far; nothing is measured.

    Args:
        planned: the runs of `config`, where they are known.
    """
    runs = tuple(plan_runs(config) if planned is None else planned)
    checks = tuple(checks_of(runs))
    return ExperimentPreflight(
        config, runs, checks, tuple(check.saved(workspace) for check in checks)
    )


def announce(workspace: Workspace, checks: Sequence[Check]) -> None:
    """Save the requests of the checked runs: CAPO begins with an adapter whose training is only
    planned."""
    for check in checks:
        report.announce_request(workspace, check.planned.run_id, check.planned.request)
