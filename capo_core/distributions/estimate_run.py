"""Estimate as a resumable run: every score is written to disk before the next question.

scores.jsonl    {"key", "scores", "problem", "bounded"}, one line per question, as they arrive
estimate.json   the distributions and their metadata; atomic, at the end
scores.parquet  item_id, view, order, label, score, share
"""

from __future__ import annotations

import json
import math
from typing import Any

from capo_core.distributions.estimate import (
    DistributionEstimate,
    EstimateConfig,
    check_scorer,
    estimate_from_scores,
    planned_questions,
)
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.store import ESTIMATE
from capo_core.imitation.backends.option_scores import OptionScorer, OptionScores
from capo_core.json_text import json_line
from capo_core.progress import Progress, silent
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import atomic_file, write_json

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
    progress: Progress = silent,
) -> DistributionEstimate:
    """Run or resume an estimate; an interrupted run asks only questions without a score.

    Raises:
        see `estimate.estimate`; RunError where the folder holds another run.
    """
    check_scorer(scorer, config)
    folder.claim(run_config(judgments, scorer, config))
    asked, without = planned_questions(judgments, config)
    with folder.lock():
        folder.forget_stop()
        scored = _kept(folder)
        left = [one.question for one in asked if one.question.key not in scored]
        folder.log("begin", questions=len(asked), kept=len(asked) - len(left))
        done = len(asked) - len(left)

        def told(what: str, share: float) -> None:
            progress(what, (done + share * len(left)) / max(1, len(asked)))

        if left:
            with (
                disk_errors(folder.path),
                (folder.path / LINES).open("a", encoding="utf-8") as file,
            ):
                for question, answer in scorer.score(left, told):
                    scored[question.key] = answer
                    file.write(
                        json_line({"key": question.key, **_plain(answer)}, ascii_only=True) + "\n"
                    )
                    file.flush()
        found = estimate_from_scores(judgments, scorer, config, asked, scored, without)
        with disk_errors(folder.path):
            with atomic_file(folder.path / TABLE) as file:
                found.table.to_parquet(file, index=False)
            write_json(folder.path / ESTIMATE, found.to_dict())
        summary = {name: value for name, value in found.to_dict().items() if name != "shares"}
        folder.finish(summary)
    return found


def _kept(folder: RunFolder) -> dict[str, OptionScores]:
    """Return scores of an earlier, interrupted run; an incomplete last line is asked again."""
    path = folder.path / LINES
    if not path.exists():
        return {}
    found = {}
    whole, _, torn = path.read_text(encoding="utf-8").rpartition("\n")
    for line in whole.splitlines():
        row = json.loads(line)
        # JSON has no −∞, the score of an option without any probability: it is written as null.
        scores = tuple(-math.inf if score is None else score for score in row["scores"])
        found[row["key"]] = OptionScores(scores, row["problem"], row["bounded"])
    if torn:
        with disk_errors(path), atomic_file(path, "w") as file:
            file.write(f"{whole}\n" if whole else "")
    return found


def _plain(answer: OptionScores) -> dict[str, Any]:
    return {"scores": list(answer.scores), "problem": answer.problem, "bounded": answer.bounded}
