"""Estimate as a resumable run: every score is written to disk before the next question.

scores.jsonl    {"key", "scores", "problem", "bounded"}, one line per question, as they arrive
calibration.json  the correction of the scores by an annotator's training labels, where asked for
estimate.json   the distributions and their metadata; atomic, at the end
scores.parquet  item_id, view, order, label, score, share
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.estimate import (
    DistributionEstimate,
    EstimateConfig,
    check_scorer,
    estimate_from_scores,
    planned_questions,
)
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.store import ESTIMATE
from capo_core.errors import ConfigError
from capo_core.imitation.backends.option_scores import OptionScorer, OptionScores
from capo_core.imitation.generation.generate import CALIBRATION
from capo_core.imitation.generation.label_prior import LabelPrior, fit_label_prior
from capo_core.imitation.generation.requests import prior_items
from capo_core.imitation.generation.trained_adapters import EVERYONE
from capo_core.imitation.prompting.responses import history
from capo_core.json_text import json_line
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import atomic_file, read_saved, write_json

LINES, TABLE = "scores.jsonl", "scores.parquet"
STAGE = "estimate"


def run_config(
    judgments: Judgments, scorer: OptionScorer, config: EstimateConfig
) -> dict[str, Any]:
    """Return the settings that identify an estimate; saved as its config.json."""
    return {
        "stage": STAGE,
        "target": "all",
        "dataset": {"name": judgments.name, "fingerprint": judgments.fingerprint},
        "base": {"name": scorer.name, "fingerprint": scorer.fingerprint},
        "score_kind": scorer.kind,
        "settings": config.to_dict(),
    }


def run_estimate(
    judgments: Judgments,
    scorer: OptionScorer,
    config: EstimateConfig,
    folder: RunFolder,
    *,
    leave_out: Collection[str] = (),
    notes: Sequence[str] = (),
    prior: Callable[[], LabelPrior] | None = None,
    progress: Progress = silent,
) -> DistributionEstimate:
    """Run or resume an estimate; an interrupted run asks only questions without a score.

    Args:
        leave_out: items that are not asked about; `notes` says why.
        prior: measures the correction of the label words' scores (see `annotator_prior`), once for
            a run.

    Raises:
        see `estimate.estimate`; RunError where the folder holds another run.
    """
    check_scorer(scorer, config)
    folder.claim(run_config(judgments, scorer, config))
    asked, without = planned_questions(judgments, config, scorer.prompts, leave_out=leave_out)
    with folder.lock():
        folder.forget_stop()
        correction = _prior_of(folder, prior)
        scored = _saved_scores(folder)
        left = [one.question for one in asked if one.question.key not in scored]
        folder.log("begin", questions=len(asked), kept=len(asked) - len(left))
        done = len(asked) - len(left)

        def report_progress(what: str, share: float) -> None:
            progress(what, (done + share * len(left)) / max(1, len(asked)))

        if left:
            with (
                disk_errors(folder.path),
                (folder.path / LINES).open("a", encoding="utf-8") as file,
            ):
                for question, answer in scorer.score(left, report_progress):
                    scored[question.key] = answer
                    file.write(
                        json_line({"key": question.key, **_plain(answer)}, ascii_only=True) + "\n"
                    )
                    file.flush()
        found = estimate_from_scores(
            judgments, scorer, config, asked, scored, without, prior=correction, notes=notes
        )
        with disk_errors(folder.path):
            with atomic_file(folder.path / TABLE) as file:
                found.table.to_parquet(file, index=False)
            write_json(folder.path / ESTIMATE, found.to_dict())
        summary = {name: value for name, value in found.to_dict().items() if name != "shares"}
        folder.finish(summary)
    return found


def annotator_prior(
    dataset: Dataset,
    target: str,
    judgments: Judgments,
    scorer: OptionScorer,
    config: EstimateConfig,
    *,
    progress: Progress = silent,
) -> LabelPrior:
    """Return the correction that makes the mean over training items an annotator's distribution of
    training labels, as in a generation (`imitation.generation.label_prior`).

    The mean is over the same orders of the labels as the estimate's.

    Args:
        target: an annotator, or "all" for the training labels of all annotators together.
        judgments: of the estimate; its task is that of `dataset`.

    Raises:
        ConfigError: the annotator is unknown, or the labels are others.
    """
    if dataset.task.scale != judgments.task.scale:
        raise ConfigError(
            f"the labels of {judgments.name} are not those of {dataset.name}",
            todo="take the label prior of the same dataset (--dataset), or none",
        )
    targets = list(dataset.annotators) if target == EVERYONE else [target]
    items = prior_items(dataset, targets, 0)
    frame = pd.DataFrame([asdict(item) for item in items])
    training = replace(judgments, items=frame, sources=(), explanations=judgments.explanations[:0])
    asked, _ = planned_questions(training, replace(config, items=0), scorer.prompts)
    questions = [one.question for one in asked]
    scores = {question.key: answer.scores for question, answer in scorer.score(questions, progress)}
    table = np.array([scores[each.key] for each in questions if scores[each.key]])
    if not len(table):
        raise ConfigError(
            "the prompts of all training items are too long",
            where=scorer.name,
            todo="set the label prior to none",
        )
    labels = [each.label for who in targets for each in history(dataset, who, least=1).responses]
    return fit_label_prior(table, labels, dataset.task.scale.labels)


def _prior_of(folder: RunFolder, measure: Callable[[], LabelPrior] | None) -> LabelPrior | None:
    """Return the run's correction: the saved one, or a new one, which is saved."""
    if measure is None:
        return None
    path = folder.path / CALIBRATION
    if path.exists():
        return read_saved(
            path,
            LabelPrior.from_dict,
            "the label prior of this run",
            "delete the file and resume the run: the prior is computed again",
        )
    found = measure()
    with disk_errors(path):
        write_json(path, asdict(found))
    return found


def _saved_scores(folder: RunFolder) -> dict[str, OptionScores]:
    """Return scores of an earlier, interrupted run; what is in no readable line is asked again.

    A killed process leaves the beginning of a line, a power cut also lines of null bytes.
    """
    path = folder.path / LINES
    if not path.exists():
        return {}
    found, kept = {}, b""
    content = path.read_bytes()
    for line in content.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
            # JSON has no −∞, the score of an option without any probability: it is written as null.
            scores = tuple(-math.inf if score is None else score for score in row["scores"])
            found[row["key"]] = OptionScores(scores, row["problem"], row["bounded"])
        except (ValueError, KeyError, TypeError):
            continue
        kept += line + b"\n"
    if kept != content:
        with disk_errors(path), atomic_file(path) as file:
            file.write(kept)
    return found


def _plain(answer: OptionScores) -> dict[str, Any]:
    return {"scores": list(answer.scores), "problem": answer.problem, "bounded": answer.bounded}
