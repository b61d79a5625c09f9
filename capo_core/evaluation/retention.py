"""Retention: the capabilities a base model keeps after fine-tuning, by adapter strength.

A run "retention" writes `retention.json` to its folder; `load` reads it. Strength 0 is the base and
1 the trained adapter. Where CAPO started from an SFT adapter, the path has two stages:

    at 0 … 1   base → SFT:   W = W_base + s · ΔW_sft
    at 1 … 2   SFT → CAPO:   W = W_base + (1 − s) · ΔW_sft + s · ΔW_capo

(see `imitation.models.adapter_strength`). The same measures are computed at each point on the same
held-out items, from the answers generated at that strength and the likelihood of fixed texts. The
best point balances imitation and retention (`BestPoint`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.evaluation.measures.attribution import View, attributed, given_to, item_mean
from capo_core.evaluation.measures.labels import label_accuracy
from capo_core.evaluation.streams import HUMAN, OTHER, Stream, human_streams
from capo_core.settings import as_json, setting, settings
from capo_core.stats.bootstrap import DRAWS, Score, difference, mean
from capo_core.stats.intervals import Z95, bayesian_weights, frame_of, json_rows, json_value
from capo_core.text.embeddings import Embedder
from capo_core.workspace import read_saved, write_json

FORMAT = 1
FILE = "retention.json"
SHIPPED_TASK, NO_TASK = "auto", "none"  # values of `RetentionConfig.other_task`
VIEW = View()
GENERAL = "perplexity of general text"
OTHERS = "perplexity of others' responses"
OWN = "perplexity of the target's responses"
OTHER_TASK = "perplexity of another task's responses"
LABELS = "label accuracy (majority)"
IMITATION = VIEW.name
# In the order of interest: what is gained, and what is lost.
MEANING = {
    IMITATION: "Share of the model's explanations, one by one, that a classifier gives to the "
    "target; it knows only what people wrote on training items.",
    OWN: "How surprised the model is by each token of what the target wrote on held-out items: "
    "exp of the mean −log p. Lower is better imitation.",
    GENERAL: "The same of general text that has nothing to do with the target. It grows where the "
    "model forgets.",
    OTHERS: "The same of what other annotators wrote on the same held-out items. A model that "
    "writes like the target alone finds them less likely.",
    OTHER_TASK: "The same of the responses to held-out items of another task, each after its own "
    "prompt. It grows where the model forgets tasks that it was not trained on.",
    LABELS: "Share of the model's labels that most annotators gave (where several are as frequent, "
    "any of them): the task itself, whoever is imitated. What cannot be read is wrong.",
}
POINTS = ("stage", "strength", "at", "measure", "value", "low", "high", "n", "change",
          "change_low", "change_high")  # fmt: skip
LINES = ("measure", "line", "value", "low", "high", "n", "meaning")
_NUMBERS = ("strength", "at", "value", "low", "high", "change", "change_low", "change_high")


@settings("retention")
class RetentionConfig:
    """Settings of a retention measurement.

    A strength chosen by its figures is fitted to the items, which is why they are not test items.
    """

    strengths: tuple[float, ...] = setting(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "Adapter strengths",
        "Ascending from 0 (base model) to 1 (trained adapter); the same in both stages.",
        ge=0,
        le=1,
    )
    split: str = setting(
        "validation",
        "Split",
        "Items that are answered. Choosing a strength by test items would fit it to them.",
        choices=("validation", "test"),
    )
    items: int = setting(
        60,
        "Items",
        "Number of items sampled (0 = all).",
        ge=0,
        usual=(0, 100_000),
    )
    passages: int = setting(
        96,
        "General passages",
        "Passages of general text whose perplexity is measured.",
        ge=1,
        usual=(1, 100_000),
    )
    max_new_tokens: int = setting(
        96, "Max new tokens", "Length limit of an answer; drawn at temperature 0.", ge=1, le=8192
    )
    seed: int = setting(0, "Random seed", "Seed of the items and of the general text.", ge=0)
    other_task: str = setting(
        SHIPPED_TASK,
        "Other task",
        "Dataset of another task, of whose responses the perplexity is measured. auto: the shipped "
        "one (paraphrase judgments; for these, natural language inference); none: not measured.",
    )
    label_choice: str = setting(
        "auto",
        "Label choice",
        "How an answer's label is chosen, as in a generation: by the scores of the label words, or "
        "generated as the model writes it. auto: scores; generated for the embedded base model.",
        choices=("auto", "scores", "generated"),
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON writes them; `label_choice` only where it is not auto."""
        plain = as_json(self)
        if plain["label_choice"] == "auto":
            del plain["label_choice"]
        return plain

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RetentionConfig:
        """Return the settings that `to_dict` wrote, or a former build, which measured no other
        task."""
        return cls(**{"other_task": NO_TASK, **raw})

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.strengths))
        if not ascending or (self.strengths[:1], self.strengths[-1:]) != ((0.0,), (1.0,)):
            raise ConfigError(
                f"{list(self.strengths)} cannot be used",
                where="retention, strengths",
                expected="ascending from 0 to 1",
            )


@dataclass(frozen=True)
class BestPoint:
    """Point with the best balance of imitation and retention.

        score = 2 · I · R / (I + R)
        I = (attribution − chance) / (ceiling − chance)      within 0 … 1
        R = perplexity at the base / perplexity at the point  at most 1

    I is the gain over chance as a share of that of the target's own texts; R is of general text,
    where there is some, else of the others' responses. Their harmonic mean is high only where both
    are.

    Attributes:
        support: share of bootstrap draws over items and passages in which this point is the best.
        at_low, at_high: 95 % of the best places on the path in these draws (percentiles; places
            between two measured strengths do not occur). NaN in measurements of earlier versions.
    """

    stage: str
    strength: float
    at: float
    score: float
    imitation: float
    kept: float
    support: float
    at_low: float = math.nan
    at_high: float = math.nan

    def overshoot(self, end: float) -> bool:
        """Return whether the best place is below the end of the path, and so is its interval."""
        return self.at > 0 and self.at_high < end

    def interval_text(self) -> str:
        """Return the 95 % interval of the best place, "[0.5–1]": up to 1 strengths of SFT, above 1
        plus those of CAPO; "[0.5 alone]" where it holds no other; "" where it is not known."""
        if math.isnan(self.at_low):
            return ""
        ends = [f"{end:g}" for end in (self.at_low, self.at_high)]
        return f"[{ends[0]} alone]" if ends[0] == ends[1] else f"[{'–'.join(ends)}]"


@dataclass(frozen=True)
class Retention:
    """Measurements at all strengths of a run's adapters.

    Attributes:
        target: the imitated annotator; `runs`: its trainings, {"sft": run id} or {"sft", "capo"}.
        general: description of the general text; "" where there is none; `other_task` that of the
            other task's responses.
        general_fingerprint: of the passages that were read (the guide, or a file); "" of the
            embedded base's, which its seed draws, and of measurements of earlier builds.
        unit_of_kept: the measure that R of the best point is computed from.
        points: POINTS, one row a point and measure (`MEANING` has the measures); `change` is
            against the base and paired by item: a ratio for perplexities, else a difference.
        lines: LINES, reference values: chance, floor and ceiling of shares.
        best: None where undefined; `sentence` (of `retention_words`) gives the reason.
        parameters: stage → trainable parameters of its adapter; empty where they are not known.
        label_choice: how the answers' labels were chosen: "scores" or "generated" (all
            measurements of 0.2.0 and before).
    """

    dataset: str
    fingerprint: str
    simulated: bool
    target: str
    base: str
    runs: dict[str, str]
    n_items: int
    general: str
    unit_of_kept: str
    config: RetentionConfig
    points: pd.DataFrame = field(repr=False)
    lines: pd.DataFrame = field(repr=False)
    best: BestPoint | None
    sentence: str
    label_choice: str = "generated"
    parameters: dict[str, int] = field(default_factory=dict)
    other_task: str = ""
    general_fingerprint: str = ""

    @property
    def texts(self) -> str:
        """Return what the perplexities are of, as sentences; "" where there is nothing to say."""
        parts = [("General text", self.general), ("Other task", self.other_task)]
        return " ".join(f"{name}: {about}." for name, about in parts if about)

    @property
    def overshoots(self) -> bool:
        """Return whether full strength lies beyond the interval of the best point."""
        return self.best is not None and self.best.overshoot(float(self.points["at"].max()))

    def curve(self, measure: str) -> pd.DataFrame:
        """Return the points of one measure, from the base on."""
        return self.points[self.points["measure"] == measure].sort_values("at")

    def line(self, measure: str, line: str) -> pd.Series | None:
        """Return "chance", "floor" or "ceiling" of a measure; None if it does not exist."""
        rows = self.lines[(self.lines["measure"] == measure) & (self.lines["line"] == line)]
        return rows.iloc[0] if len(rows) else None

    def to_dict(self) -> dict[str, Any]:
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            "format": FORMAT,
            **plain,
            "config": self.config.to_dict(),
            "points": json_rows(self.points),
            "lines": json_rows(self.lines),
            "best": {k: json_value(v) for k, v in asdict(self.best).items()} if self.best else None,
            "overshoot": self.overshoots,
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Retention:
        """Return the retention that `to_dict` serialised.

        Raises:
            DataError: the format version differs.
        """
        if raw.get("format") != FORMAT:
            raise DataError(f"not a retention result of format {FORMAT}", todo="measure it again")
        later = {"parameters": {}, "other_task": "", "general_fingerprint": ""}
        raw = {"label_choice": "generated", **later, **raw}
        values = {each.name: raw[each.name] for each in fields(cls)}
        return cls(
            **{
                **values,
                "config": RetentionConfig.from_dict(raw["config"]),
                "points": frame_of(raw["points"], POINTS, _NUMBERS),
                "lines": frame_of(raw["lines"], LINES, _NUMBERS),
                "best": _best_from(raw["best"]) if raw["best"] else None,
            }
        )


def _best_from(raw: Mapping[str, Any]) -> BestPoint:
    return BestPoint(**{key: math.nan if value is None else value for key, value in raw.items()})


def save(found: Retention, folder: Path) -> None:
    """Write retention.json into a run's folder; atomic."""
    write_json(folder / FILE, found.to_dict())


def load(folder: Path) -> Retention:
    """Return the retention saved in a run's folder.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    return read_saved(
        folder / FILE, Retention.from_dict, "the retention result", "measure it again"
    )


PERPLEXITIES = (OWN, GENERAL, OTHERS, OTHER_TASK)


@dataclass(frozen=True)
class ScoredTexts:
    """Texts whose likelihood is measured, by measure (those of `PERPLEXITIES` of which there are
    texts).

    Attributes:
        unit: [n] the item or passage of each response, 0 to `n_units` − 1.
        tokens: [n] tokens of each response.
    """

    unit: Mapping[str, np.ndarray]
    tokens: Mapping[str, np.ndarray]
    n_units: Mapping[str, int]

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(name for name in PERPLEXITIES if name in self.unit)


@dataclass(frozen=True)
class RetentionPoint:
    """Outputs of one model at one adapter strength.

    Attributes:
        stage: "sft" (between base and SFT adapter) or "capo" (between SFT and CAPO adapter).
        labels, explanations: its answers, one an item; "" where it could not be read.
        log_probs: by measure, [n] in nats, summed over the tokens of each response.
    """

    stage: str
    strength: float
    labels: tuple[str, ...]
    explanations: tuple[str, ...]
    log_probs: Mapping[str, np.ndarray]

    @property
    def at(self) -> float:
        """Position on the path: 0 the base, 1 SFT, 2 CAPO."""
        return self.strength + (1.0 if self.stage == "capo" else 0.0)


@dataclass(frozen=True)
class RetentionScores:
    """Scores of all points, with their reference values.

    Attributes:
        scores: measure → a score for each point. A perplexity's is the mean −log p of a token.
        hits: [points, items], share of an item's explanation that is attributed to the target.
        own: [items], the same of the target's own text; NaN where there is none.
        chance: accuracy of a random attribution.
        lines: LINES.
    """

    scores: dict[str, list[Score]]
    hits: np.ndarray
    own: np.ndarray
    chance: float
    lines: pd.DataFrame


def token_surprisal(
    log_probs: np.ndarray, tokens: np.ndarray, unit: np.ndarray, n_units: int
) -> Score:
    """Return the mean −log p per token in nats, with the influence of each item or passage."""
    total = tokens.sum()
    value = float(-log_probs.sum() / total)
    influence = np.zeros((1, n_units))
    np.add.at(influence[0], unit, (-log_probs - value * tokens) / total)
    return Score(value, influence, len(log_probs), share=False, bounds=(0.0, math.inf))


def majority_labels(dataset: Dataset, item_ids: Sequence[str]) -> list[frozenset[str]]:
    """Return the most frequent label or labels of each item; invalid responses do not count."""
    rows = dataset.annotations[dataset.annotations["valid"] != "false"]
    counts = rows.groupby(["item_id", "label"]).size()
    top = counts[counts == counts.groupby("item_id").transform("max")].reset_index()
    found = top.groupby("item_id")["label"].agg(frozenset)
    return [found.get(item_id, frozenset()) for item_id in item_ids]


def retention_scores(
    dataset: Dataset,
    target: str,
    item_ids: tuple[str, ...],
    points: Sequence[RetentionPoint],
    scored: ScoredTexts,
    embedder: Embedder,
) -> RetentionScores:
    """Return all scores of all points.

    Raises:
        DataError: an annotator has no explanation in the training split.
    """
    every = np.arange(len(item_ids))
    streams = [
        Stream("model", target, str(point.at), every, point.labels, point.explanations)
        for point in points
    ]
    people = [s for s in human_streams(dataset, item_ids) if s.target == target and len(s)]
    found = attributed(dataset, item_ids, [*streams, *people], VIEW, embedder).streams
    column = dataset.annotators.index(target)
    given = [given_to(scores)[:, column] for scores in found]
    n, frequent = len(item_ids), majority_labels(dataset, item_ids)
    scores = {
        IMITATION: [item_mean(hit, every, n_items=n) for hit in given[: len(points)]],
        LABELS: [label_accuracy(stream, frequent) for stream in streams],
    }
    for name in scored.measures:
        about = (scored.tokens[name], scored.unit[name], scored.n_units[name])
        scores[name] = [token_surprisal(point.log_probs[name], *about) for point in points]
    stand = {
        who: [
            item_mean(hit, stream.item, n_items=n)
            for stream, hit in zip(people, given[len(points) :], strict=True)
            if stream.source == who
        ]
        for who in (HUMAN, OTHER)
    }
    own = np.full(n, np.nan)
    human = next((i for i, s in enumerate(people) if s.source == HUMAN), None)
    if human is not None:
        own[people[human].item] = given[len(points) + human]
    lines = [_chance_of_author(dataset)]
    lines += [(IMITATION, *_line("ceiling", stand[HUMAN], "the target's own held-out texts")),
              (IMITATION, *_line("floor", stand[OTHER], "other annotators' texts"))]  # fmt: skip
    said = [label_accuracy(s, frequent) for s in people if s.source == HUMAN]
    guess = Stream("", target, "", every, (_common_label(dataset),) * n, ("",) * n)
    lines += [
        (LABELS, *_line("ceiling", [s for s in said if s], "the target's own labels")),
        (LABELS, *_line("chance", [label_accuracy(guess, frequent)],
                        "the most frequent label of the training items, every time")),
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=list(LINES))
    return RetentionScores(scores, np.array(given[: len(points)]), own, 1 / len(dataset.annotators),
                   frame[frame["n"] > 0].reset_index(drop=True))  # fmt: skip


def points_table(points: Sequence[RetentionPoint], found: RetentionScores) -> pd.DataFrame:
    """Return POINTS; changes are against the first point, which is the base."""
    rows = []
    for name, scores in found.scores.items():
        for point, score in zip(points, scores, strict=True):
            apart = difference(score, scores[0])
            if name in PERPLEXITIES:
                half, wide = Z95 * score.error, Z95 * apart.error
                low_high = np.exp([score.value, score.value - half, score.value + half])
                change = np.exp([apart.value, apart.value - wide, apart.value + wide])
            else:
                shown, moved = score.estimate(), apart.estimate()
                low_high = (shown.value, shown.low, shown.high)
                change = (moved.value, moved.low, moved.high)
            rows.append((point.stage, point.strength, point.at, name, *map(float, low_high),
                         score.n, *map(float, change)))  # fmt: skip
    return pd.DataFrame(rows, columns=list(POINTS))


def _line(name: str, scores: Sequence[Score], meaning: str) -> tuple:
    if not scores:
        return name, math.nan, math.nan, math.nan, 0, meaning
    shown = mean(list(scores)).estimate()
    return name, shown.value, shown.low, shown.high, shown.n, meaning


def _chance_of_author(dataset: Dataset) -> tuple:
    share, count = 1 / len(dataset.annotators), len(dataset.annotators)
    return IMITATION, "chance", share, share, share, count, "one in the number of annotators"


def _common_label(dataset: Dataset) -> str:
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations
    rows = rows[(rows["valid"] != "false") & (rows["item_id"].map(split) == "train")]
    return str(rows["label"].value_counts().sort_index(kind="stable").idxmax())


def retained_measure(scored: ScoredTexts) -> str:
    """Return the measure of retention: perplexity of general text, where there is some."""
    return GENERAL if GENERAL in scored.unit else OTHERS


def best_point(
    points: Sequence[RetentionPoint], found: RetentionScores, scored: ScoredTexts
) -> BestPoint | None:
    """Return the point with the highest score (see `BestPoint`), the first of equals.

    None where it is undefined: the classifier does not attribute the target's own texts to the
    target above chance, or no point is above chance.
    """
    name = retained_measure(scored)
    imitated, kept, score = _scores(points, found, scored, name, None, None)
    if not np.isfinite(score[0]).all() or score[0].max() <= 0:
        return None
    best = int(score[0].argmax())
    places: list[np.ndarray] = []
    rng = np.random.default_rng(0x0BE57)
    n_items = found.hits.shape[1]
    # Others' responses are on the same items; general text has passages of its own.
    same = name != GENERAL
    n_units = scored.n_units[name]
    for weights in bayesian_weights(rng, DRAWS, n_items + (0 if same else n_units)):
        items, units = weights[:, :n_items], weights if same else weights[:, n_items:]
        drawn = _scores(points, found, scored, name, items, units)[2]
        # A draw in which nothing is defined has no best point.
        places.append(np.nan_to_num(drawn, nan=-1.0).argmax(axis=1)[drawn.max(axis=1) > 0])
    point, found_best = points[best], np.concatenate(places)
    at = np.array([each.at for each in points])[found_best]
    ends = np.percentile(at, [2.5, 97.5], method="inverted_cdf") if len(at) else [math.nan] * 2
    return BestPoint(
        point.stage, point.strength, point.at, float(score[0, best]), float(imitated[0, best]),
        float(kept[0, best]), float((found_best == best).sum()) / DRAWS, *map(float, ends),
    )  # fmt: skip


def _scores(points, found: RetentionScores, scored: ScoredTexts, name: str, items, units):
    """Return I, R and their harmonic mean, each [draws, points]; NaN where they are undefined."""
    n_items = found.hits.shape[1]
    items = np.ones((1, n_items)) if items is None else items
    units = np.ones((1, scored.n_units[name])) if units is None else units
    there = np.isfinite(found.own)
    own = items[:, there] @ found.own[there] / items[:, there].sum(axis=1)
    room = own - found.chance
    share = items @ found.hits.T / items.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        imitated = np.where(room[:, None] > 0, (share - found.chance) / room[:, None], np.nan)
        imitated = np.clip(imitated, 0.0, 1.0)
        by_response = units[:, scored.unit[name]]
        tokens = by_response @ scored.tokens[name]
        logs = np.stack([by_response @ point.log_probs[name] for point in points], axis=1)
        nats = -logs / tokens[:, None]
        kept = np.minimum(1.0, np.exp(nats[:, :1] - nats))
        score = 2 * imitated * kept / (imitated + kept)
    return imitated, kept, score
