"""Explanations written by a model, selection of a subset, and replacement of people's by a model's.

"label-free" explains every label of the scale for every item; "guided" explains the labels that a
source of people's explanations or labels has, as often as they gave them (Chen et al. 2025,
Findings of ACL). The answer format is the project's own with a single label as the option, so that
models fine-tuned here follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import EXPLANATIONS, Judgments
from capo_core.distributions.variation import chosen_explanations
from capo_core.errors import ConfigError, RunError
from capo_core.imitation.backends.base import Backend, Decoding, GenerationRequest, stop_fields
from capo_core.imitation.generation.requests import seed_of
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.prompts import Prompt, PromptItem, zero_shot
from capo_core.progress import Progress, part_of, silent
from capo_core.settings import setting, settings
from capo_core.task import LabelScale, Task
from capo_core.workspace import content_hash

LABEL_FREE, GUIDED = "label-free", "guided"


@settings("explanations")
class ExplainConfig:
    """Settings of generated explanations: labels to explain, and sampling."""

    mode: str = setting(
        LABEL_FREE,
        "Mode",
        "Explain every label (label-free), or the labels that a source has (guided).",
        choices=(LABEL_FREE, GUIDED),
    )
    by: str = setting(
        "",
        "Guided by",
        "Guided only: source of labels (annotators); each label is explained as often as given.",
    )
    count: int = setting(
        1, "Explanations per label", "Label-free only: number for each label.", ge=1, le=20
    )
    tries: int = setting(
        3,
        "Max draws",
        "An answer that cannot be read or argues for another label is drawn again.",
        ge=1,
        le=20,
    )
    temperature: float = setting(0.7, "Temperature", "Sampling temperature.")
    top_p: float = setting(0.95, "Top-p", "Nucleus sampling threshold.")
    max_new_tokens: int = setting(96, "Max new tokens", "Length limit of an answer.")
    items: int = setting(0, "Max items", "Only the first items of the data (0 = all).", ge=0)
    seed: int = setting(0, "Random seed", "Seed of the draws.", ge=0)

    def __post_init__(self) -> None:
        if bool(self.by) != (self.mode == GUIDED):
            raise ConfigError(
                f"{self.by!r} cannot be used",
                where="explanations, by",
                expected="a source of labels, for guided only",
            )
        Decoding(self.temperature, self.top_p, self.max_new_tokens)

    def source(self, model: str) -> str:
        """Source name of the explanations."""
        return f"{model}, {self.mode}" + (f" by {self.by}" if self.by else "")


@dataclass(frozen=True)
class GeneratedExplanations:
    """Generated explanations (`EXPLANATIONS`), with the number requested and the number missing."""

    frame: pd.DataFrame
    wanted: int
    missing: int


def explain(
    judgments: Judgments,
    backend: Backend,
    config: ExplainConfig | None = None,
    *,
    progress: Progress = silent,
) -> GeneratedExplanations:
    """Generate explanations of labels by a model; answers in the wrong format are counted.

    Raises:
        ConfigError: there is no such source of labels.
        RunError: no answer could be used.
        BackendUnavailable: the model is no longer available.
    """
    config = config or ExplainConfig()
    wanted = _wanted(judgments, config)
    decoding = Decoding(
        config.temperature, config.top_p, config.max_new_tokens, stop_fields(judgments.task)
    )
    found: dict[int, str] = {}
    for attempt in range(config.tries):
        left = [number for number in range(len(wanted)) if number not in found]
        requests = [
            GenerationRequest(
                f"{number}-{attempt}",
                prompt_for(judgments.task, *wanted[number][:2]),
                seed=seed_of(config.seed, content_hash(*map(str, wanted[number])), str(attempt)),
            )
            for number in left
        ]  # fmt: skip
        part = part_of(progress, attempt / config.tries, (attempt + 1) / config.tries)
        for request, reply in backend.complete(requests, decoding, progress=part):
            number = int(request.key.partition("-")[0])
            read = parse_response(reply.text, judgments.task)
            if read.label == wanted[number][1] and read.explanation.strip():
                found[number] = read.explanation.strip()
    if not found:
        raise RunError(
            f"{backend.name} wrote no usable explanation ({len(wanted)} requested)",
            todo="try another model, or more draws (--tries)",
        )
    rows = [
        (item.item_id, config.source(backend.name), position, label, found[number])
        for number, (item, label, position) in enumerate(wanted)
        if number in found
    ]
    frame = pd.DataFrame(rows, columns=EXPLANATIONS.names)
    return GeneratedExplanations(frame, len(wanted), len(wanted) - len(found))


def prompt_for(task: Task, item: PromptItem, label: str) -> Prompt:
    """Return the prompt for an explanation of `item` with the given label."""
    return zero_shot(replace(task, scale=LabelScale((label,), task.scale.ordinal)), item)


def _wanted(judgments: Judgments, config: ExplainConfig) -> list[tuple[PromptItem, str, int]]:
    """Return (item, label, position) of every explanation to generate."""
    rows = judgments.items.iloc[: config.items] if config.items else judgments.items
    times = _times(judgments, config)
    wanted = []
    for row in rows.itertuples():
        item = PromptItem(row.item_id, row.text_a, row.text_b)
        labels = [
            label
            for label, count in zip(
                judgments.task.scale.labels, times.get(row.item_id, ()), strict=False
            )
            for _ in range(int(count))
        ]
        wanted += [(item, label, position) for position, label in enumerate(labels)]
    if not wanted:
        raise ConfigError(f"{config.by!r} has no labels for these items")
    return wanted


def _times(judgments: Judgments, config: ExplainConfig) -> dict[str, Sequence[float]]:
    """Return the number of explanations to generate for each label of each item."""
    if config.mode == LABEL_FREE:
        each = [config.count] * len(judgments.task.scale.labels)
        return dict.fromkeys(judgments.items["item_id"], each)
    source = judgments.source(config.by)
    if not np.isfinite(source.people).all():
        raise ConfigError(
            f"the source {config.by!r} has no number of annotators per item",
            expected="a source of single labels, such as annotators",
        )
    counts = np.rint(source.shares * source.people[:, None])
    return dict(zip(source.item_ids, counts.tolist(), strict=True))


FIRST, LONGEST = "first", "longest"
GREEDY, REPRESENTATIVE, PREFERRED = "greedy", "representative", "human-preferred"
SELECTIONS = (FIRST, LONGEST, GREEDY, REPRESENTATIVE, PREFERRED)

# (item_id, source, position) → how many people preferred this explanation, or another score.
Votes = Mapping[tuple[str, str, int], float]


def select_explanations(
    judgments: Judgments,
    source: str,
    count: int,
    way: str,
    *,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    votes: Votes | None = None,
) -> pd.DataFrame:
    """Return `count` explanations of each item (fewer if it has fewer), as a source of its own.

    greedy: the one nearest to all others first, then each time the one farthest from those
    chosen: as varied as possible. representative: those nearest to the mean of all. Both need
    `embed`, unit vectors [n, dim]. human-preferred: the most voted ones, of equals the first.

    Returns:
        A table `EXPLANATIONS` whose source names the selection.

    Raises:
        ConfigError: unknown selection or source, or `embed` or `votes` is missing.
    """
    if way not in SELECTIONS or count < 1:
        raise ConfigError(
            f"{count} explanations cannot be selected by {way!r}",
            expected=f"1 or more, by {', '.join(SELECTIONS)}",
        )
    if way == PREFERRED and not votes:
        raise ConfigError(
            "human-preferred selection needs votes",
            todo="provide a CSV file with item_id, source, position, votes (--votes)",
        )
    said = chosen_explanations(judgments, [source])
    vectors = None
    if way in (GREEDY, REPRESENTATIVE):
        if embed is None:
            raise ConfigError(f"selection by {way!r} needs a sentence encoder")
        vectors = np.asarray(embed(said["explanation"].tolist()), dtype=float)
    kept: list[int] = []
    for _, rows in said.groupby("item_id", sort=False):
        own = rows.index.to_numpy()
        if way == LONGEST:
            order = np.argsort([-len(text) for text in rows["explanation"]], kind="stable")
        elif way == PREFERRED:
            keys = zip(rows["item_id"], rows["source"], rows["position"], strict=True)
            scores = [votes.get((item, who, int(place)), 0.0) for item, who, place in keys]
            order = np.argsort([-score for score in scores], kind="stable")
        elif way == GREEDY:
            order = farthest_first(vectors[own], count)
        elif way == REPRESENTATIVE:
            order = np.argsort(-(vectors[own] @ vectors[own].mean(axis=0)), kind="stable")
        else:
            order = np.arange(len(own))
        kept += own[np.asarray(order[:count])].tolist()
    found = said.loc[kept].assign(source=f"{source}, {count} {way}")
    return _numbered(found)


def farthest_first(vectors: np.ndarray, count: int) -> list[int]:
    """Return rows of unit vectors [n, dim]: the most central first, then each time the one whose
    nearest chosen neighbour is farthest (Gonzalez 1985).
    """
    alike = vectors @ vectors.T
    chosen = [int(np.argmax(alike.sum(axis=1)))]
    while len(chosen) < min(count, len(vectors)):
        nearest = alike[:, chosen].max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
    return chosen


def replace_explanations(
    judgments: Judgments, people: str, model: str, share: float, *, seed: int = 0
) -> tuple[pd.DataFrame, int]:
    """Return people's explanations with a share of each item's replaced by a model's.

    A replaced one gives way to a model's for the same label that is not used yet, so that the
    labels stay those of the people. Which ones are replaced is drawn for each item; a greater
    share replaces the same ones and more.

    Returns:
        A table `EXPLANATIONS` under a source of its own, and how many could not be replaced because
        the model has none for that label.

    Raises:
        ConfigError: the share is out of range, or there is no such source.
    """
    if not 0 <= share <= 1:
        raise ConfigError(
            f"{share!r} is not a valid share of replaced explanations",
            expected="a number from 0 to 1",
        )
    own, other = (chosen_explanations(judgments, [name]) for name in (people, model))
    stock: dict[tuple[str, str], list[str]] = {}
    for row in other.itertuples():
        stock.setdefault((row.item_id, row.label), []).append(row.explanation)
    texts, missing = own["explanation"].tolist(), 0
    for item, rows in own.groupby("item_id", sort=False):
        drawn = np.random.default_rng(seed_of(seed, str(item))).permutation(rows.index.to_numpy())
        for row in drawn[: round(share * len(drawn))]:
            left = stock.get((str(item), own.at[row, "label"]))
            if left:
                texts[row] = left.pop(0)
            else:
                missing += 1
    name = f"{people}, {share:.0%} by {model}"
    return _numbered(own.assign(explanation=texts, source=name)), missing


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(position=frame.groupby("item_id", sort=False).cumcount())
    return frame[EXPLANATIONS.names].reset_index(drop=True)
