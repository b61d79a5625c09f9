"""Imitated crowd: what a team of imitated annotators says of other items, and whether it transfers.

k adapters, each fine-tuned on one annotator's labels, estimate the labels of items (`estimate`,
whole label words); the team is the mean of their distributions. What it says of a dataset that
nobody of them annotated is worth something only where it is nearer to a crowd than what is known
without reading an item. So it is measured twice, by the same distances: at home, on items of the
annotators' own dataset that no adapter was trained on, and away. Beside the team stand

- its parts, one by one, and their mean distance (what averaging alone brings),
- the team without the items: its own mean distribution, for every item the same (what it knows of
  items is the difference from this),
- the annotators' mean distribution of training labels, for every item the same,
- uniform, and at home the annotators themselves.

Intervals: Bayesian bootstrap over items; differences are paired by item, tested by sign flips, and
adjusted after Holm within a place and distance. Home and away have no item in common, so that their
difference is one of independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.compare import (
    CompareConfig,
    item_values,
    weights_of,
)
from capo_core.distributions.judgments import (
    CROWD,
    UNIFORM,
    Judgments,
    LabelDistribution,
    mean_of,
    no_explanations,
)
from capo_core.distributions.paired import UNDECIDED, MeasuredPair, interval, tested
from capo_core.distributions.sources import ANNOTATORS
from capo_core.distributions.transfer_report import (
    AWAY,
    BLIND,
    CHANGES,
    DIFFERENCES,
    FURTHER,
    HOME,
    MEASURES,
    NEARER,
    PARTS_MEAN,
    ROWS,
    TEAM,
    TRAINING,
    Transfer,
)
from capo_core.errors import DataError
from capo_core.formatting import count, listed
from capo_core.provenance import kind_of


def training_distribution(dataset: Dataset, annotators: Sequence[str]) -> np.ndarray:
    """Return the mean over annotators of their distributions of training labels [labels].

    Raises:
        DataError: one of them has no training label.
    """
    split = dataset.items.set_index("item_id")["split"]
    rows = dataset.annotations[dataset.annotations["item_id"].map(split) == "train"]
    found = []
    for name in annotators:
        own = rows.loc[rows["annotator_id"] == name, "label"]
        if own.empty:
            raise DataError(f"annotator {name!r} has no training label", where=dataset.name)
        shares = own.value_counts(normalize=True)
        found.append([float(shares.get(label, 0.0)) for label in dataset.task.scale.labels])
    return np.mean(found, axis=0)


def check_transfer(home: Judgments, away: Judgments, members: Sequence[str]) -> None:
    """Check that a team can be measured, before hours of estimates go by.

    The other data may have no crowd: what the team says there is a statement then.

    Raises:
        DataError: fewer than two members, other labels, no crowd at home, or too few items that are
            not at home as well.
    """
    if len(members) < 2:
        raise DataError(
            "a team has two imitated annotators or more", where=home.name,
            todo="name an adapter for each of several annotators",
        )  # fmt: skip
    if home.task.scale != away.task.scale:
        raise DataError(
            f"the labels of {away.name} are not those of {home.name}",
            expected=f"the labels {listed(list(home.task.scale.labels))}",
        )
    if not has_crowd(home):
        raise DataError(
            f"the adapters' own dataset {home.name} has no crowd, so that what the team knows of "
            "items cannot be measured at home",
            todo="train the adapters on a dataset that has label distributions of many people "
            "beside its annotators, as VariErr has (data fetch varierr)",
        )
    same = _at_home_too(home, away)
    items = away.source(CROWD).item_ids if has_crowd(away) else tuple(away.items["item_id"])
    left = len(set(items) - same)
    if left < 2:
        what = f"{count(left, 'item')} with a crowd" if has_crowd(away) else count(left, "item")
        raise DataError(
            f"the other data {away.name} have {what} that {home.name} does not have as well",
            expected="two items or more",
        )


def has_crowd(judgments: Judgments) -> bool:
    """Return whether there are label distributions of many people."""
    return any(one.name == CROWD and one.item_ids for one in judgments.sources)


def _at_home_too(home: Judgments, away: Judgments) -> set[str]:
    """Return the items of the other data that have the texts of a home item."""
    known = set(zip(home.items["text_a"], home.items["text_b"], strict=True))
    texts = zip(away.items["item_id"], away.items["text_a"], away.items["text_b"], strict=True)
    return {item for item, *pair in texts if tuple(pair) in known}


def measure_transfer(
    home: Judgments,
    away: Judgments,
    estimates: Mapping[str, tuple[LabelDistribution, LabelDistribution]],
    training: np.ndarray,
    dataset: Dataset,
    *,
    model: str,
    members: Mapping[str, str],
    seeds: Sequence[int] = (),
    settings: Mapping[str, Any] | None = None,
    config: CompareConfig | None = None,
) -> Transfer:
    """Return the distances of the team to the crowd at home and away, and what it says of items.

    Args:
        home, away: judgments; those at home have a source `CROWD`. Items of `away` that have the
            texts of a home item are left out.
        estimates: annotator → their distributions at home (on items the adapter was not trained
            on) and away.
        training: of `training_distribution`.
        dataset: of the home judgments.
        model: base of the adapters; members: annotator → training run; seeds: of their training.
        settings: `transfer_report.SETTINGS`.

    Raises:
        DataError: as of `check_transfer`, or no common item.
    """
    config = config or CompareConfig()
    check_transfer(home, away, [*estimates])
    same = _at_home_too(home, away)
    asked = set.intersection(*(set(each[1].item_ids) for each in estimates.values()))
    rows: list[tuple] = []
    apart: list[tuple] = []
    kept: dict[str, dict[str, dict[str, tuple[float, np.ndarray]]]] = {}
    said: dict[str, Judgments] = {}
    for number, (place, judgments) in enumerate(((HOME, home), (AWAY, away))):
        parts = {who: pair[number] for who, pair in estimates.items()}
        sources = _sources(judgments, parts, training, leave_out=same if place == AWAY else set())
        said[place] = _said(judgments, sources)
        if not has_crowd(judgments):
            continue
        crowd = judgments.source(CROWD)
        items = sources[TEAM].item_ids
        values = _values(crowd.rows(items), sources, items, judgments, config)
        weights = weights_of(len(items), config)
        kept[place] = {}
        for source, by_measure in values.items():
            kept[place][source] = {}
            for measure, by_item in by_measure.items():
                draws = weights @ by_item
                rows.append((place, source, measure, float(by_item.mean()),
                             *interval(draws, len(items)), len(items)))  # fmt: skip
                kept[place][source][measure] = float(by_item.mean()), draws
        apart += _apart(place, values, weights, config)
    return Transfer(
        dataset.name, away.name, dataset.fingerprint, kind_of(dataset.simulated), away.data, model,
        dict(members), tuple(sorted({*seeds, config.seed})),
        pd.DataFrame(rows, columns=list(ROWS)),
        pd.DataFrame(apart, columns=list(DIFFERENCES)),
        _changes(kept, {place: int(next(r[6] for r in rows if r[0] == place)) for place in kept}),
        len(same & asked), _notes(home, away, len(same & asked)), dict(settings or {}),
        away.fingerprint, said,
    )  # fmt: skip


def _sources(
    judgments: Judgments,
    parts: Mapping[str, LabelDistribution],
    training: np.ndarray,
    leave_out: set[str],
) -> dict[str, LabelDistribution]:
    """Return the sources of a place on the items that all parts have, and the crowd if there is
    one."""
    team = mean_of(TEAM, [*parts.values()])
    crowd = set(judgments.source(CROWD).item_ids) if has_crowd(judgments) else set(team.item_ids)
    items = tuple(item for item in team.item_ids if item in crowd and item not in leave_out)
    people = [one for one in judgments.sources if one.name == ANNOTATORS]
    people = people if has_crowd(judgments) else []
    if people:  # at home all sources are on the items that the annotators labelled
        labelled = set(people[0].item_ids)
        items = tuple(item for item in items if item in labelled)
    if len(items) < 2:
        raise DataError(
            f"{count(len(items), 'item')} with estimates of every imitated annotator"
            + " and a crowd" * has_crowd(judgments),
            where=judgments.name,
            expected="two items or more that no adapter was trained on",
        )
    labels = team.labels

    def on_items(one: LabelDistribution, name: str) -> LabelDistribution:
        return LabelDistribution(name, labels, items, one.rows(items))

    def constant(name: str, shares: np.ndarray) -> LabelDistribution:
        return LabelDistribution(name, labels, items, np.tile(shares, (len(items), 1)))

    found = {TEAM: on_items(team, TEAM)}
    found |= {f"imitated {who}": on_items(one, f"imitated {who}") for who, one in parts.items()}
    found[BLIND] = constant(BLIND, found[TEAM].shares.mean(axis=0))
    found[TRAINING] = constant(TRAINING, training)
    found[UNIFORM] = constant(UNIFORM, np.full(len(labels), 1 / len(labels)))
    if people:
        found[ANNOTATORS] = on_items(people[0], ANNOTATORS)
    return found


def _said(judgments: Judgments, sources: Mapping[str, LabelDistribution]) -> Judgments:
    """Return what the team and its parts say of the items that count, beside the crowd."""
    items = sources[TEAM].item_ids
    names = [name for name in sources if name == TEAM or name.startswith("imitated ")]
    kept = [sources[name] for name in names]
    if has_crowd(judgments):
        crowd = judgments.source(CROWD)
        kept.append(replace(crowd, item_ids=items, shares=crowd.rows(items), people=None))
    table = judgments.items.set_index("item_id").loc[list(items)].reset_index()
    return Judgments(
        judgments.name, judgments.task, table[["item_id", "text_a", "text_b"]], tuple(kept),
        no_explanations(), data=judgments.data,
    )  # fmt: skip


def _values(
    crowd: np.ndarray,
    sources: Mapping[str, LabelDistribution],
    items: Sequence[str],
    judgments: Judgments,
    config: CompareConfig,
) -> dict[str, dict[str, np.ndarray]]:
    """Return source → distance → [items]; the mean of the parts stands behind the team."""
    scale = judgments.task.scale
    found = {
        name: {
            measure: values
            for measure, values in item_values(crowd, one.rows(items), scale, config.clip).items()
            if measure in MEASURES
        }
        for name, one in sources.items()
    }
    parts = [name for name in found if name.startswith("imitated ") and name != TEAM]
    mean = {
        measure: np.mean([found[name][measure] for name in parts], axis=0) for measure in MEASURES
    }
    return {TEAM: found.pop(TEAM), PARTS_MEAN: mean, **found}


def _apart(
    place: str,
    values: Mapping[str, Mapping[str, np.ndarray]],
    weights: np.ndarray,
    config: CompareConfig,
) -> list[tuple]:
    """Return the team minus each other source that is no single part."""
    others = [name for name in values if name != TEAM and not name.startswith("imitated ")]
    rows = []
    for measure in MEASURES:
        pairs = []
        for name in others:
            by_item = values[TEAM][measure] - values[name][measure]
            pairs.append(
                MeasuredPair(TEAM, name, float(by_item.mean()), weights @ by_item, len(by_item),
                             by_item)
            )  # fmt: skip
        for _, against, _, value, low, high, n, p, p_holm, nearer, _ in tested(
            measure, pairs, higher_is_closer=False, seed=config.seed
        ):
            verdict = UNDECIDED if nearer == UNDECIDED else NEARER if nearer == TEAM else FURTHER
            rows.append((place, against, measure, value, low, high, n, p, p_holm, verdict))
    return rows


def _changes(
    kept: Mapping[str, Mapping[str, Mapping[str, tuple[float, np.ndarray]]]], n: Mapping[str, int]
) -> pd.DataFrame:
    """Return how the team's differences change from home to away, on independent items."""
    rows = []
    for against in kept.get(AWAY, ()):
        if against == TEAM or against.startswith("imitated ") or against not in kept[HOME]:
            continue
        for measure in MEASURES:
            sides = [
                tuple(
                    a - b for a, b in zip(kept[place][TEAM][measure], kept[place][against][measure],
                                          strict=True)
                )
                for place in (AWAY, HOME)
            ]  # fmt: skip
            # The draws of both places come from equal seeds: one of them is turned round.
            draws = sides[0][1] - sides[1][1][::-1]
            rows.append((against, measure, sides[0][0] - sides[1][0],
                         *interval(draws, min(n.values())), n[HOME], n[AWAY]))  # fmt: skip
    return pd.DataFrame(rows, columns=list(CHANGES))


def _notes(home: Judgments, away: Judgments, left_out: int) -> tuple[str, ...]:
    if not left_out:
        return ()
    has = count(left_out, "item")
    return (f"{has} of {away.name} that {home.name} has as well: left out.",)
