"""Estimates of human label distributions by a language model, from a few explanations.

Chen et al. 2024 (Findings of EMNLP): the item is shown with explanations and the labels as options;
the scores of the options' first tokens become a distribution; the mean over the orders of the
options averages out position bias. Explanations are shown together ("serial") or one at a time with
the distributions averaged ("parallel").

Section 3: p_norm divides the first tokens' scores by their sum, p_softmax is their softmax at a
temperature (20 in the paper, which flattens the distribution).

Instead of first tokens, whole label words can be scored as a generation does (`word_scores`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from capo_core.distributions.judgments import Judgments, LabelDistribution
from capo_core.distributions.option_prompts import (
    ALL,
    CAREFULLY,
    LABELS,
    LETTERS,
    ONE,
    OPTIONS,
    ORDERS,
    WORDS,
    ShownExplanation,
    comment_lines,
    orders_of,
    question_prompt,
)
from capo_core.distributions.position_bias import PositionBias, position_bias
from capo_core.distributions.variation import chosen_explanations
from capo_core.distributions.word_scores import WordPrompts, word_question
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import count
from capo_core.imitation.backends.option_scores import (
    FREQUENCY,
    LOG_PROBABILITY,
    LOGIT,
    OptionQuestion,
    OptionScorer,
    OptionScores,
)
from capo_core.imitation.generation.label_prior import LABEL_PRIORS, LabelPrior
from capo_core.imitation.prompting.prompts import PromptItem
from capo_core.progress import Progress, silent
from capo_core.settings import as_json, setting, settings
from capo_core.stats.intervals import json_value
from capo_core.task import Task
from capo_core.workspace import content_hash

NORM, SOFTMAX = "norm", "softmax"
TRANSFORMS = (NORM, SOFTMAX)


def p_norm(scores: np.ndarray, kind: str = LOGIT) -> np.ndarray:
    """Return scores [n, labels] divided by their sum.

    Logits as they are; log-probabilities as probabilities, since their own ratios would be turned
    round; frequencies as they are. Rows are NaN where p_norm is not defined: a negative logit, or
    a sum of 0.
    """
    values = np.exp(scores) if kind == LOG_PROBABILITY else np.asarray(scores, dtype=float)
    total = values.sum(axis=1, keepdims=True)
    defined = (values >= 0).all(axis=1, keepdims=True) & (total > 0)
    return np.where(defined, values / np.where(total == 0, 1.0, total), np.nan)


def p_softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return exp(s / T) divided by its sum, for logits or log-probabilities [n, labels]: their
    unknown constant cancels, so that both give the same.
    """
    if not temperature > 0:
        raise ConfigError(f"the temperature is {temperature!r}", expected="a number above 0")
    return softmax(np.asarray(scores, dtype=float) / temperature, axis=1)


def shares_of(scores: np.ndarray, kind: str, transform: str, temperature: float) -> np.ndarray:
    """Return the distributions of scores [n, labels]; drawn answers are counted.

    Raises:
        ConfigError: a softmax of frequencies is asked for.
    """
    if transform == NORM:
        return p_norm(scores, kind)
    if kind == FREQUENCY:
        raise ConfigError(
            "softmax does not apply to frequencies of sampled answers",
            todo="use --transform norm with --by sampling",
        )
    return p_softmax(scores, temperature)


SERIAL, PARALLEL = "serial", "parallel"


@settings("estimate")
class EstimateConfig:
    """Settings of an estimate: prompt, orders, and transform from scores to a distribution."""

    explanations: str = setting(
        "", "Explanations shown", "Source of explanations, such as humans; empty shows none."
    )
    count: int = setting(
        0, "Max explanations per item", "The first ones of an item (0 = all).", ge=0
    )
    how: str = setting(
        SERIAL,
        "Presentation",
        "All explanations in one prompt (serial), or each alone and the distributions averaged "
        "(parallel).",
        choices=(SERIAL, PARALLEL),
    )
    rotations: int = setting(
        1,
        "Orders of explanations",
        "Serial only: number of orders that are asked, each a rotation of the one before.",
        ge=1,
        le=24,
    )
    explicit: bool = setting(
        False, "Show labels", "Whether each explanation's label is shown with it."
    )
    options: str = setting(
        LETTERS,
        "Answer options",
        'letters: A, B, …; labels: the first token of each label after "Label:"; words: whole '
        "label words, with the prompt and the scores by which a generation chooses labels "
        "(models on this machine, and adapters).",
        choices=OPTIONS,
    )
    orders: str = setting(
        ALL,
        "Orders of options",
        "All, rotations (each label once at each position), or one.",
        choices=ORDERS,
    )
    transform: str = setting(
        SOFTMAX,
        "Transform",
        "From scores to shares: softmax at the temperature, or norm (divided by their sum).",
        choices=TRANSFORMS,
    )
    temperature: float = setting(
        20.0, "Temperature", "Temperature of the softmax; 20 as published.", gt=0, le=1000
    )
    items: int = setting(0, "Max items", "Only the first items of the data (0 = all).", ge=0)
    label_prior: str = setting(
        "none",
        "Label prior",
        "annotator: correct the scores of label words so that their mean over training items is "
        "the annotator's distribution of training labels (Saerens et al. 2002); for words only.",
        choices=LABEL_PRIORS,
    )

    def __post_init__(self) -> None:
        if self.label_prior == "none":
            return
        needs = {"options": (self.options, WORDS), "explanations": (self.explanations, "")}
        for name, (value, needed) in needs.items():
            if value != needed:
                raise ConfigError(
                    f"{self.label_prior!r} cannot be used with {name} {value!r}",
                    where="Estimate, label_prior",
                    expected="label words as options (--options words), and no explanations: the "
                    "correction is measured on prompts without them",
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON writes them; `label_prior` only where it is not none, so that
        runs of before there was one keep their names.
        """
        plain = as_json(self)
        if plain["label_prior"] == "none":
            del plain["label_prior"]
        return plain

    def label(self, model: str) -> str:
        """Source name for an estimate with these settings."""
        shown = self.explanations or "no explanations"
        if self.explanations and self.count:
            shown = f"{self.count} of {shown}"
        extra = " with labels" if self.explicit and self.explanations else ""
        how = f", {self.how}" if self.explanations else ""
        scale = f" T={self.temperature:g}" if self.transform == SOFTMAX else ""
        by = ", label words" if self.options == WORDS else ""
        prior = ", annotator's prior" if self.label_prior != "none" else ""
        return f"{model}: {shown}{extra}{how}{by}{prior}, p_{self.transform}{scale}"


@dataclass(frozen=True)
class PlannedQuestion:
    """One question, with its item, view of the explanations, and order."""

    item_id: str
    view: int
    order: int
    question: OptionQuestion


def asked_orders(
    task: Task, config: EstimateConfig, prompts: WordPrompts | None = None
) -> list[tuple[int, ...]]:
    """Return the orders in which the labels are shown; one where the prompts have no other.

    Args:
        prompts: of a model that scores label words; None for one that scores first tokens.
    """
    one = config.options == WORDS and prompts is not None and prompts.one_order(task)
    return orders_of(task.scale.labels, ONE if one else config.orders)


def planned_questions(
    judgments: Judgments,
    config: EstimateConfig,
    prompts: WordPrompts | None = None,
    *,
    leave_out: Collection[str] = (),
) -> tuple[list[PlannedQuestion], int]:
    """Return all questions, by item, view and order; and the number of items without an
    explanation.

    Args:
        prompts: of a model that scores label words (`OptionScorer.prompts`).
        leave_out: items that are not asked about.

    Raises:
        ConfigError: there is no such source of explanations, or the labels have too many orders.
        DataError: no item has an explanation.
    """
    said = _shown_explanations(judgments, config)
    items = judgments.items[~judgments.items["item_id"].isin(set(leave_out))]
    items = items.iloc[: config.items] if config.items else items
    orders = asked_orders(judgments.task, config, prompts)
    found, without = [], 0
    for row in items.itertuples():
        own = said.get(row.item_id, []) if config.explanations else [ShownExplanation("", "")]
        if not own:
            without += 1
            continue
        item = PromptItem(row.item_id, row.text_a, row.text_b)
        for view, shown in enumerate(_views(own, config)):
            for number, order in enumerate(orders):
                question = _question(judgments.task, item, shown, order, config, prompts)
                key = content_hash(question.prompt.text, question.options)[:20]
                question = replace(question, key=f"{key}-{view}-{number}")
                found.append(PlannedQuestion(row.item_id, view, number, question))
    if not found:
        raise DataError(
            f"no item has an explanation of {config.explanations!r}"
            if len(items)
            else "there is no item to ask about",
            where=judgments.name,
        )
    return found, without


def _question(
    task: Task,
    item: PromptItem,
    shown: Sequence[ShownExplanation],
    order: Sequence[int],
    config: EstimateConfig,
    prompts: WordPrompts | None,
) -> OptionQuestion:
    """Return a question without its key."""
    if config.options == WORDS:
        if prompts is None:
            raise ConfigError(_NO_WORDS, todo=_TAKE_LETTERS)
        lines = [*comment_lines(shown, config.explicit), *([CAREFULLY] if shown else [])]
        prompt = prompts.build(task, item, order, "\n".join(lines))
        return word_question("", prompt, task.scale.labels)
    prompt, options, prefix = question_prompt(
        task, item, shown, order, options=config.options, explicit=config.explicit
    )
    return OptionQuestion("", prompt, options, prefix)


_NO_WORDS = "the model does not score label words"
_TAKE_LETTERS = "use letters as options (--options letters), or a model on this machine (--base)"


def _shown_explanations(
    judgments: Judgments, config: EstimateConfig
) -> dict[str, list[ShownExplanation]]:
    if not config.explanations:
        return {}
    frame = chosen_explanations(judgments, [config.explanations])
    found: dict[str, list[ShownExplanation]] = {}
    for row in frame.itertuples():
        own = found.setdefault(row.item_id, [])
        if not config.count or len(own) < config.count:
            own.append(ShownExplanation(row.label, row.explanation))
    return found


def _views(own: list[ShownExplanation], config: EstimateConfig) -> list[list[ShownExplanation]]:
    """Return the sets of explanations shown together, each in its order."""
    if not config.explanations:
        return [[]]
    if config.how == PARALLEL:
        return [[one] for one in own]
    turns = min(config.rotations, len(own))
    return [own[start:] + own[:start] for start in range(turns)]


# From so many questions on, nothing but unanimous draws is more than a clear-cut model.
SUSPICIOUS = 10
UNDEFINED = "p_norm is not defined: a score is negative"


@dataclass(frozen=True)
class DistributionEstimate:
    """Label distributions of a model, with the scores they were computed from.

    Attributes:
        source: the distributions.
        table: item_id, view, order, label, score, share; one row a question and label.
        left_out: problem → number of items left out because of it; `source` lacks them.
        without_explanations: number of items without an explanation, left out.
        bounded: scores a server did not list (see `OptionScores`).
        bias: position bias among the options.
        score_kind: kind of the model's scores.
        notes: caveats, as sentences.
        prior: the correction of the scores of label words; None for none.
    """

    source: LabelDistribution
    config: EstimateConfig
    table: pd.DataFrame = field(repr=False)
    left_out: Mapping[str, int]
    without_explanations: int
    bounded: int
    questions: int
    score_kind: str
    bias: PositionBias | None
    notes: tuple[str, ...] = ()
    prior: LabelPrior | None = None

    def to_dict(self) -> dict:
        shares = dict(zip(self.source.item_ids, self.source.shares.tolist(), strict=True))
        prior = {} if self.prior is None else {"label_prior": as_json(asdict(self.prior))}
        return {
            **prior,
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
            "shares": {item: [json_value(x) for x in row] for item, row in shares.items()},
        }


def estimate(
    judgments: Judgments,
    scorer: OptionScorer,
    config: EstimateConfig | None = None,
    *,
    progress: Progress = silent,
) -> DistributionEstimate:
    """Estimate the model's label distributions on the items; see `estimate_from_scores` for items
    left out.

    Raises:
        ConfigError: the settings do not fit the model or the labels.
        BackendUnavailable: the model is not available, or gives no scores.
        DataError: no item got a distribution.
    """
    config = config or EstimateConfig()
    check_scorer(scorer, config)
    asked, without = planned_questions(judgments, config, scorer.prompts)
    scored = {
        question.key: answer
        for question, answer in scorer.score([one.question for one in asked], progress)
    }
    return estimate_from_scores(judgments, scorer, config, asked, scored, without)


def check_scorer(scorer: OptionScorer, config: EstimateConfig) -> None:
    """Raise `ConfigError` if the model does not support the settings of `config`."""
    if (config.options == WORDS) != (scorer.prompts is not None):
        raise ConfigError(
            f"{scorer.name} does not score label words"
            if config.options == WORDS
            else f"{scorer.name} scores label words, not {config.options}",
            todo=_TAKE_LETTERS if config.options == WORDS else "use --options words",
        )
    if config.options == LABELS and not scorer.prefixes:
        raise ConfigError(
            f"{scorer.name} does not support answers with the prefix 'Label:'",
            todo="use letters as options (--options letters)",
        )
    shares_of(np.zeros((0, 2)), scorer.kind, config.transform, config.temperature)


def estimate_from_scores(
    judgments: Judgments,
    scorer: OptionScorer,
    config: EstimateConfig,
    asked: Sequence[PlannedQuestion],
    scored: Mapping[str, OptionScores],
    without: int,
    *,
    prior: LabelPrior | None = None,
    notes: Sequence[str] = (),
) -> DistributionEstimate:
    """Return the distributions from all scores.

    Args:
        prior: added to the scores of label words before they become shares.
        notes: caveats that come before those found here.

    An item of which a question got no scores, or scores without a distribution, is left out: a
    mean over some orders only would have a position bias. Items left out are counted by reason.
    """
    labels = judgments.task.scale.labels
    answers = [scored[one.question.key] for one in asked]
    scores = np.array([one.scores or (np.nan,) * len(labels) for one in answers], dtype=float)
    weighted = scores + np.array(prior.log_weights if prior else 0.0)
    shares = shares_of(weighted, scorer.kind, config.transform, config.temperature)
    problem: dict[str, str] = {}
    for one, answer, row in zip(asked, answers, shares, strict=True):
        if not np.isfinite(row).all():
            problem.setdefault(one.item_id, answer.problem or UNDEFINED)
    kept = [k for k, one in enumerate(asked) if one.item_id not in problem]
    if not kept:
        raise DataError(
            f"{scorer.name} gave no usable scores for any item "
            f"({'; '.join(f'{n} × {what}' for what, n in Counter(problem.values()).items())})",
            todo="use --transform softmax"
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
    source = LabelDistribution(
        config.label(scorer.name), labels, tuple(means.index), means.to_numpy(),
        about=f"{scorer.kind}s of {'label words' if scorer.prompts else 'first tokens'} of "
        f"{scorer.name}, {count(len(frame), 'question')}",
    )  # fmt: skip
    orders = asked_orders(judgments.task, config, scorer.prompts)
    return DistributionEstimate(
        source, config, _long(frame, scores[kept], labels), Counter(problem.values()), without,
        sum(answer.bounded for answer in answers), len(asked), scorer.kind,
        position_bias(frame, columns, orders) if len(orders) > 1 else None,
        (*notes, *_notes(scores[kept], scorer.kind)), prior,
    )  # fmt: skip


def _notes(scores: np.ndarray, kind: str) -> tuple[str, ...]:
    """Return notes on answers that were not sampled. Counts of options [questions, labels].

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
    """Return the wide `frame` and its `scores` with one row per question and label."""
    parts = []
    for k, label in enumerate(labels):
        part = frame[["item_id", "view", "order"]].assign(
            label=label, score=scores[:, k], share=frame[f"share_{k}"]
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True).sort_values(
        ["item_id", "view", "order"], kind="stable", ignore_index=True
    )
