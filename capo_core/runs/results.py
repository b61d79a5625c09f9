"""The results of runs, for lists of runs: base model, validation loss, scores, memory.

A generation has the scores of its method in the newest evaluation that read it; a training those of
the generation that answered with its adapter, for its annotator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from capo_core.errors import CapoError
from capo_core.evaluation.report import EvaluationReport, load
from capo_core.evaluation.streams import HUMAN
from capo_core.evaluation.table import ALL
from capo_core.runs.kinds.evaluation import REPORT
from capo_core.runs.summary import RunSummary

LABELS = "label accuracy"
_GB = 1e9


@dataclass(frozen=True)
class RunResults:
    """Outcome of a run; None where there is nothing.

    Attributes:
        base: name of the base model, "" where none is known.
        validation_loss: of a training, nats per token (SFT) or the pair loss (CAPO).
        label_accuracy, attribution: shares on the evaluated items; attribution of single texts in
            the first view.
        human: attribution of the target's own texts about the same items.
        n: answers scored.
        peak_gb: most memory held.
        minutes: computing time over all its workers.
    """

    base: str = ""
    validation_loss: float | None = None
    label_accuracy: float | None = None
    attribution: float | None = None
    human: float | None = None
    n: int | None = None
    peak_gb: float | None = None
    minutes: float | None = None


def results_of(found: Sequence[RunSummary]) -> dict[str, RunResults]:
    """Return the results of runs by their names; never raises."""
    by_id = {seen.run_id: seen for seen in found}
    scored: dict[str, dict[str, Any]] = {}  # the newest evaluation last
    done = [seen for seen in found if seen.kind == "evaluate" and seen.state == "succeeded"]
    for seen in sorted(done, key=lambda one: one.status.ended):
        report = _report(seen.run.folder / REPORT)
        for run_id in seen.settings.get("runs", ()) if report is not None else ():
            generation = by_id.get(run_id)
            if generation is None:
                continue
            for target in (ALL, *generation.targets):
                scored.setdefault(run_id, {})[target] = _scores(report, generation.method, target)
            for target, training in _adapters(generation).items():
                scored[training] = {ALL: _scores(report, generation.method, target)}
    return {
        seen.run_id: RunResults(
            base=_base(seen),
            validation_loss=_validation_loss(seen),
            peak_gb=seen.status.peak_bytes / _GB or None,
            minutes=seen.status.duration_s() / 60 or None,
            **_shown(scored.get(seen.run_id, {}), seen.targets),
        )
        for seen in found
    }


GROUP_COLUMNS = ("experiment", "method", "base", "runs", "succeeded", "label_accuracy",
                 "attribution", "human", "n", "validation_loss", "minutes", "peak_gb")  # fmt: skip


def by_experiment(
    found: Sequence[RunSummary], results: Mapping[str, RunResults]
) -> list[dict[str, Any]]:
    """Return one row for each experiment and method, of its seeds and annotators, as GROUP_COLUMNS.

    Shares are means over the generations' answers, the validation loss is the mean over trainings,
    minutes are a sum and the memory is the most. Runs of no method (evaluations) are left out.
    The order is that of `found`.
    """
    groups: dict[tuple[str, str], list[RunSummary]] = {}
    for seen in found:
        if seen.method:
            groups.setdefault((seen.experiment, seen.method), []).append(seen)
    rows = []
    for (experiment, method), runs in groups.items():
        own = [results[seen.run_id] for seen in runs]
        # A training has the scores of the generation that answered with its adapter.
        scored = [results[seen.run_id] for seen in runs if seen.kind == "generate"]
        bases = dict.fromkeys(each.base for each in own if each.base)
        losses = [each.validation_loss for each in own if each.validation_loss is not None]
        peaks = [each.peak_gb for each in own if each.peak_gb]
        rows.append(
            {
                "experiment": experiment,
                "method": method,
                "base": ", ".join(bases),
                "runs": len(runs),
                "succeeded": sum(seen.state == "succeeded" for seen in runs),
                **{name: _mean(scored, name) for name in ("label_accuracy", "attribution",
                                                          "human")},
                "n": sum(each.n or 0 for each in scored) or None,
                "validation_loss": sum(losses) / len(losses) if losses else None,
                "minutes": sum(each.minutes or 0.0 for each in own) or None,
                "peak_gb": max(peaks, default=None),
            }
        )  # fmt: skip
    return rows


def _mean(scored: Sequence[RunResults], name: str) -> float | None:
    """Return the mean of a share over all answers; None where there is none."""
    known = [(getattr(each, name), each.n) for each in scored
             if getattr(each, name) is not None and each.n]  # fmt: skip
    answers = sum(n for _, n in known)
    return sum(value * n for value, n in known) / answers if answers else None


def _shown(scores: dict[str, dict[str, Any]], targets: Sequence[str]) -> dict[str, Any]:
    """Return the scores over all annotators, or those of the only one."""
    found = scores.get(ALL) or {}
    if not found and len(targets) == 1:
        found = scores.get(targets[0], {})
    return found


def _scores(report: EvaluationReport, method: str, target: str) -> dict[str, Any]:
    view = report.config.views[0].name if report.config.views else ""
    found: dict[str, Any] = {}
    for name, source, measure, k in (
        ("label_accuracy", method, LABELS, 0),
        ("attribution", method, view, 1),
        ("human", HUMAN, view, 1),
    ):
        row = report.row(source, measure, k, target)
        if row is not None and row["value"] == row["value"]:
            found[name] = float(row["value"])
            if source == method:
                found["n"] = int(row["n"])
    return found


def _report(path: Path) -> EvaluationReport | None:
    try:
        return _loaded(path, path.stat().st_mtime_ns)
    except (OSError, CapoError):
        return None


@lru_cache(maxsize=16)
def _loaded(path: Path, changed: int) -> EvaluationReport:
    return load(path)


def _json(path: Path) -> Any:
    """Return a file's content, not to be changed; read again only if it has changed."""
    about = path.stat()
    return _parsed(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: int, size: int) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _adapters(generation: RunSummary) -> dict[str, str]:
    """Return target → the training run whose adapter answered."""
    try:
        found = _json(generation.run.folder / "config.json").get("adapters", {})
        return {target: str(each["run"]) for target, each in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _base(seen: RunSummary) -> str:
    try:
        base = _json(seen.run.folder / "config.json")["base"]
        return str(base["name"] if isinstance(base, dict) else base)
    except (OSError, ValueError, KeyError, TypeError):
        return str(seen.settings.get("base", "") or "")


def _validation_loss(seen: RunSummary) -> float | None:
    try:
        value = _json(seen.run.folder / "result.json").get("validation_loss")
        return None if value is None else float(value)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
