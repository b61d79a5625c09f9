"""Choosing a few of many explanations, and putting a model's in the place of people's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import SAID, Judgments
from capo_core.distributions.variation import chosen_explanations
from capo_core.errors import ConfigError
from capo_core.imitation.generate_config import seed_of

FIRST, LONGEST = "first", "longest"
GREEDY, REPRESENTATIVE, PREFERRED = "greedy", "representative", "human-preferred"
WAYS = (FIRST, LONGEST, GREEDY, REPRESENTATIVE, PREFERRED)

# (item_id, source, position) → how many people preferred this explanation, or another score.
Votes = Mapping[tuple[str, str, int], float]


def select(
    judgments: Judgments,
    source: str,
    count: int,
    way: str,
    *,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    votes: Votes | None = None,
) -> pd.DataFrame:
    """`count` explanations of each item (fewer where there are fewer), as a source of its own.

    greedy: the one nearest to all others first, then each time the one farthest from those
    chosen: as varied as possible. representative: those nearest to the mean of all. Both need
    `embed`, unit vectors [n, dim]. human-preferred: the most voted ones, of equals the first.

    Returns:
        A table `SAID` whose source says how it was chosen.

    Raises:
        ConfigError: no such way or source, or what it needs is not given.
    """
    if way not in WAYS or count < 1:
        raise ConfigError(
            f"{count} explanations cannot be chosen by {way!r}",
            expected=f"1 or more, by {', '.join(WAYS)}",
        )
    if way == PREFERRED and not votes:
        raise ConfigError(
            "nobody's preferences are known",
            todo="give a table of votes: item_id, source, position, votes (--votes)",
        )
    said = chosen_explanations(judgments, [source])
    vectors = None
    if way in (GREEDY, REPRESENTATIVE):
        if embed is None:
            raise ConfigError(f"choosing by {way!r} needs a sentence encoder")
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
    """Rows of unit vectors [n, dim]: the most central, then each time the one whose nearest chosen
    neighbour is farthest (Gonzalez 1985)."""
    alike = vectors @ vectors.T
    chosen = [int(np.argmax(alike.sum(axis=1)))]
    while len(chosen) < min(count, len(vectors)):
        nearest = alike[:, chosen].max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
    return chosen


def replaced(
    judgments: Judgments, people: str, model: str, share: float, *, seed: int = 0
) -> tuple[pd.DataFrame, int]:
    """People's explanations with a share of each item's replaced by a model's.

    A replaced one gives way to a model's for the same label that is not used yet, so that the
    labels stay those of the people. Which ones are replaced is drawn for each item; a greater
    share replaces the same ones and more.

    Returns:
        A table `SAID` under a source of its own, and how many could not be replaced because the
        model has none for that label.

    Raises:
        ConfigError: the share is out of range, or there is no such source.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"the share replaced is {share!r}", expected="a number from 0 to 1")
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
    return frame[SAID.names].reset_index(drop=True)
