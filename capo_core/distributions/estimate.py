"""What would many people say? A model's label distribution from a few explanations.

Chen et al. 2024 (Findings of EMNLP): the item is shown with explanations and the labels as
options; the scores of the options' first tokens become a distribution; the mean over the orders
of the options takes a preference for a place out. Explanations are shown together ("serial") or
one at a time, the distributions averaged ("parallel").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from capo_core.distributions.ask import Asked, what_to_ask
from capo_core.distributions.estimate_config import EstimateConfig
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.normalise import NORM, shares_of
from capo_core.distributions.position import PositionBias, position_bias
from capo_core.distributions.questions import LABELS, orders_of
from capo_core.distributions.source import Source
from capo_core.errors import ConfigError, DataError
from capo_core.imitation.backends.scoring import FREQUENCY, Scored, Scorer
from capo_core.progress import Progress, silent
from capo_core.stability.intervals import plain

# From so many questions on, nothing but unanimous draws is more than a clear-cut model.
SUSPICIOUS = 10
UNDEFINED = "p_norm is not defined: a score is negative"


@dataclass(frozen=True)
class Estimate:
    """A model's label distributions, and what is to be known of how they came about.

    Attributes:
        source: the distributions.
        table: item_id, view, order, label, score, share; one row a question and label.
        left_out: problem → items left out for it; `source` lacks them.
        without_explanations: items that had none to show, left out.
        bounded: scores a server did not list (see `scoring.Scored`).
        bias: preference for a place among the options.
        score_kind: what the model's scores are.
        notes: what a reader must know before believing it, in sentences.
    """

    source: Source
    config: EstimateConfig
    table: pd.DataFrame = field(repr=False)
    left_out: Mapping[str, int]
    without_explanations: int
    bounded: int
    questions: int
    score_kind: str
    bias: PositionBias | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        shares = dict(zip(self.source.item_ids, self.source.shares.tolist(), strict=True))
        return {
            "name": self.source.name,
            "about": self.source.about,
            "settings": self.config.to_dict(),
            "score_kind": self.score_kind,
            "labels": list(self.source.labels),
            "n": len(shares),
            "questions": self.questions,
            "left_out": dict(self.left_out),
            "without_explanations": self.without_explanations,
            "bounded_scores": self.bounded,
            "position_bias": None if self.bias is None else self.bias.to_dict(),
            "notes": list(self.notes),
            "shares": {item: [plain(x) for x in row] for item, row in shares.items()},
        }


def estimate(
    judgments: Judgments,
    scorer: Scorer,
    config: EstimateConfig | None = None,
    *,
    progress: Progress = silent,
) -> Estimate:
    """The model's distributions on the items; see `finish` for what is left out.

    Raises:
        ConfigError: the settings do not fit the model or the labels.
        BackendUnavailable: the model cannot be asked, or gives no scores.
        DataError: not one item got a distribution.
    """
    config = config or EstimateConfig()
    check_scorer(scorer, config)
    asked, without = what_to_ask(judgments, config)
    scored = {
        question.key: answer
        for question, answer in scorer.score([one.question for one in asked], progress)
    }
    return finish(judgments, scorer, config, asked, scored, without)


def check_scorer(scorer: Scorer, config: EstimateConfig) -> None:
    """`ConfigError` where a model cannot be asked as `config` says."""
    if config.options == LABELS and not scorer.prefixes:
        raise ConfigError(
            f"{scorer.name} cannot be made to begin its answer with 'Label:'",
            todo="take letters as options (--options letters)",
        )
    shares_of(np.zeros((0, 2)), scorer.kind, config.transform, config.temperature)


def finish(
    judgments: Judgments,
    scorer: Scorer,
    config: EstimateConfig,
    asked: Sequence[Asked],
    scored: Mapping[str, Scored],
    without: int,
) -> Estimate:
    """The distributions from all scores.

    An item of which a question got no scores, or scores without a distribution, is left out: a
    mean over some orders only would prefer a place. What is left out is counted by its reason.
    """
    labels = judgments.task.scale.labels
    answers = [scored[one.question.key] for one in asked]
    scores = np.array([one.scores or (np.nan,) * len(labels) for one in answers], dtype=float)
    shares = shares_of(scores, scorer.kind, config.transform, config.temperature)
    problem: dict[str, str] = {}
    for one, answer, row in zip(asked, answers, shares, strict=True):
        if not np.isfinite(row).all():
            problem.setdefault(one.item_id, answer.problem or UNDEFINED)
    kept = [k for k, one in enumerate(asked) if one.item_id not in problem]
    if not kept:
        raise DataError(
            f"{scorer.name} gave no item a distribution "
            f"({'; '.join(f'{n} × {what}' for what, n in Counter(problem.values()).items())})",
            todo="take --transform softmax"
            if UNDEFINED in problem.values() and config.transform == NORM
            else "try --by sampling, other options, or another model",
        )
    frame = pd.DataFrame(
        [(asked[k].item_id, asked[k].view, asked[k].order) for k in kept],
        columns=["item_id", "view", "order"],
    )
    columns = [f"share_{k}" for k in range(len(labels))]
    frame[columns] = shares[kept]
    means = frame.groupby("item_id", sort=False)[columns].mean()
    source = Source(
        config.label(scorer.name), labels, tuple(means.index), means.to_numpy(),
        about=f"{scorer.kind}s of first tokens of {scorer.name}, {len(frame)} questions",
    )  # fmt: skip
    orders = orders_of(labels, config.orders)
    return Estimate(
        source, config, _long(frame, scores[kept], labels), Counter(problem.values()), without,
        sum(answer.bounded for answer in answers), len(asked), scorer.kind,
        position_bias(frame, columns, orders) if len(orders) > 1 else None,
        _notes(scores[kept], scorer.kind),
    )  # fmt: skip


def _notes(scores: np.ndarray, kind: str) -> tuple[str, ...]:
    """Were the answers drawn at all? Counts of options [questions, labels].

    Some servers give the likeliest answer each time, whatever temperature is asked for
    (`transformers serve` does, where the model's own settings do not say do_sample): all shares
    are then 0 or 1.
    """
    drawn = scores.sum(axis=1)
    unanimous = (scores.max(axis=1) == drawn) & (drawn > 1)
    if kind != FREQUENCY or len(scores) < SUSPICIOUS or not unanimous.all():
        return ()
    return (
        f"each of {len(scores)} questions got one and the same answer in all its draws: the server "
        "seems to give the likeliest answer and not to draw (transformers serve draws where the "
        "model's generation_config.json says do_sample); these are no shares of answers",
    )


def _long(frame: pd.DataFrame, scores: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """The wide `frame` and its `scores` as one row a question and label."""
    parts = []
    for k, label in enumerate(labels):
        part = frame[["item_id", "view", "order"]].assign(
            label=label, score=scores[:, k], share=frame[f"share_{k}"]
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True).sort_values(
        ["item_id", "view", "order"], kind="stable", ignore_index=True
    )
