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
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.distributions.compare import (
    JSD,
    KL,
    TVD,
    CompareConfig,
    item_values,
    measure_title,
    weights_of,
)
from capo_core.distributions.judgments import CROWD, UNIFORM, Judgments, LabelDistribution, mean_of
from capo_core.distributions.paired import UNDECIDED, MeasuredPair, interval, tested
from capo_core.distributions.sources import ANNOTATORS
from capo_core.errors import DataError
from capo_core.formatting import count, listed, with_interval
from capo_core.provenance import UNKNOWN, Provenance, kind_of, together
from capo_core.stats.intervals import json_rows

HOME, AWAY = "home", "away"
PLACES = {
    HOME: "At home, on items that no adapter was trained on",
    AWAY: "Away, on items of the other data",
}
TEAM, PARTS_MEAN = "imitated team", "mean of its parts"
BLIND, TRAINING = "the team without the items", "annotators' training labels"
MEASURES = (JSD, TVD, KL)
ROWS = ("place", "source", "measure", "value", "low", "high", "n")
DIFFERENCES = (
    "place", "against", "measure", "value", "low", "high", "n", "p", "p_holm", "verdict",
)  # fmt: skip
CHANGES = ("against", "measure", "value", "low", "high", "n_home", "n_away")
NEARER, FURTHER = "nearer", "further away"


@dataclass(frozen=True)
class Transfer:
    """Distances of an imitated team to the crowd, at home and away.

    Attributes:
        home, away: names of the data; fingerprint: of the home dataset.
        home_data, away_data: whose judgments those are, as `Provenance.data`.
        members: annotator → name of the run that trained the adapter.
        seeds: of the adapters' training, and of intervals and tests.
        rows: ROWS. differences: DIFFERENCES, the team minus another source; below 0 is nearer.
        changes: CHANGES, that difference away minus at home: above 0, the team loses when it
            leaves.
        left_out: items of the other data that are also items of the home dataset.
        notes: what limits it, as sentences.
    """

    home: str
    away: str
    fingerprint: str
    home_data: str
    away_data: str
    model: str
    members: Mapping[str, str]
    seeds: tuple[int, ...]
    rows: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    changes: pd.DataFrame = field(repr=False)
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """Return the origin of its exports."""
        n = self.rows.groupby("place", sort=False)["n"].max()
        return Provenance(
            self.home,
            self.fingerprint,
            together((self.home_data, self.away_data)),
            models=(self.model,),
            seeds=self.seeds,
            n=(("item", int(n.sum())), ("imitated annotator", len(self.members))),
            details=(
                ("data at home", self.home_data),
                ("other data", f"{self.away} ({self.away_data})"),
                ("adapters", ", ".join(self.members.values())),
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        return {
            "home": self.home,
            "away": self.away,
            "fingerprint": self.fingerprint,
            "simulated": self.provenance.simulated,
            "home_data": self.home_data,
            "away_data": self.away_data,
            "model": self.model,
            "members": dict(self.members),
            "seeds": list(self.seeds),
            "rows": json_rows(self.rows),
            "differences": json_rows(self.differences),
            "changes": json_rows(self.changes),
            "left_out": self.left_out,
            "notes": list(self.notes),
            "statements": self.statements(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Transfer:
        """Return the result that `to_dict` wrote, also in an earlier version, which said of the
        home data alone whether they are simulated, and not the seeds of the adapters."""
        frames = (
            pd.DataFrame(raw[name], columns=list(columns))
            for name, columns in (
                ("rows", ROWS), ("differences", DIFFERENCES), ("changes", CHANGES),
            )
        )  # fmt: skip
        return cls(
            raw["home"], raw["away"], raw["fingerprint"],
            raw.get("home_data", kind_of(raw["simulated"])), raw.get("away_data", UNKNOWN),
            raw["model"], raw["members"], tuple(raw.get("seeds", (CompareConfig().seed,))),
            *frames, raw["left_out"], tuple(raw["notes"]),
        )  # fmt: skip

    def row(self, place: str, source: str, measure: str = JSD) -> Any:
        """Return one row of `rows`."""
        rows = self.rows
        here = (rows["place"] == place) & (rows["source"] == source) & (rows["measure"] == measure)
        return rows[here].iloc[0]

    def difference(self, place: str, against: str, measure: str = JSD) -> Any:
        """Return the team minus another source."""
        rows = self.differences
        here = rows["against"].eq(against) & rows["measure"].eq(measure)
        return rows[here & rows["place"].eq(place)].iloc[0]

    def statements(self, measure: str = JSD) -> list[str]:
        """Return what came out, in sentences: at home, away, and whether it transfers."""
        found = [self._place(place, measure) for place in (HOME, AWAY)]
        return [self._verdict(measure), *found, *self.notes]

    def _verdict(self, measure: str) -> str:
        without = (BLIND, TRAINING, UNIFORM)
        nearer = {
            place: [
                name for name in without if self.difference(place, name, measure).verdict == NEARER
            ]
            for place in (HOME, AWAY)
        }
        team = f"The team of {count(len(self.members), 'imitated annotator')}"
        if len(nearer[AWAY]) == len(without):
            return (
                f"It transfers: on the other data {team.lower()} is nearer to the crowd than "
                f"everything that is known without reading an item."
            )
        missing = [name for name in without if name not in nearer[AWAY]]
        text = (
            f"Nothing is shown to transfer: on the other data {team.lower()} is not significantly "
            f"nearer to the crowd than {listed(missing, 'or')}"
        )
        if len(nearer[HOME]) < len(without):
            at_home = [name for name in without if name not in nearer[HOME]]
            return f"{text}; at home it is not nearer than {listed(at_home, 'or')} either."
        return f"{text}; at home it is nearer than all of these."

    def _place(self, place: str, measure: str) -> str:
        one = self.row(place, TEAM, measure)
        rows = self.differences
        rows = rows[rows["place"].eq(place) & rows["measure"].eq(measure)]
        by_verdict = {
            verdict: [
                f"{_in_prose(row.against)} ({_shown(self.row(place, row.against, measure))})"
                for row in rows[rows["verdict"] == verdict].itertuples()
            ]
            for verdict in (NEARER, UNDECIDED, FURTHER)
        }
        words = {
            NEARER: "nearer than",
            UNDECIDED: "not significantly different from",
            FURTHER: "further away than",
        }
        parts = [f"{words[v]} {listed(found)}" for v, found in by_verdict.items() if found]
        return (
            f"{PLACES[place]} (n = {int(one.n):,}): {measure_title(measure)} of the team to the "
            f"crowd {_shown(one)}; {'; '.join(parts)}."
        )


def _in_prose(source: str) -> str:
    return f"the {source}" if source == PARTS_MEAN else source


def _shown(row: Any) -> str:
    return with_interval(float(row.value), float(row.low), float(row.high))


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
    config: CompareConfig | None = None,
) -> Transfer:
    """Return the distances of the team to the crowd at home and away.

    Args:
        home, away: judgments with a source `CROWD`; items of `away` that have the texts of a home
            item are left out.
        estimates: annotator → their distributions at home (on items the adapter was not trained
            on) and away.
        training: of `training_distribution`.
        dataset: of the home judgments.
        model: base of the adapters; members: annotator → training run; seeds: of their training.

    Raises:
        DataError: fewer than two imitated annotators, other labels, no crowd, or no common item.
    """
    config = config or CompareConfig()
    if len(estimates) < 2:
        raise DataError(
            "a team has two imitated annotators or more", where=home.name,
            todo="name an adapter for each of several annotators",
        )  # fmt: skip
    if home.task.scale != away.task.scale:
        raise DataError(
            f"the labels of {away.name} are not those of {home.name}",
            expected=f"the labels {listed(list(home.task.scale.labels))}",
        )
    known = set(zip(home.items["text_a"], home.items["text_b"], strict=True))
    texts = zip(away.items["item_id"], away.items["text_a"], away.items["text_b"], strict=True)
    same = {item for item, *pair in texts if tuple(pair) in known}
    asked = set.intersection(*(set(each[1].item_ids) for each in estimates.values()))
    rows: list[tuple] = []
    apart: list[tuple] = []
    kept: dict[str, dict[str, dict[str, tuple[float, np.ndarray]]]] = {}
    for number, (place, judgments) in enumerate(((HOME, home), (AWAY, away))):
        parts = {who: pair[number] for who, pair in estimates.items()}
        sources = _sources(judgments, parts, training, leave_out=same if place == AWAY else set())
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
        len(same & asked), _notes(home, away, len(same & asked)),
    )  # fmt: skip


def _sources(
    judgments: Judgments,
    parts: Mapping[str, LabelDistribution],
    training: np.ndarray,
    leave_out: set[str],
) -> dict[str, LabelDistribution]:
    """Return the sources of a place on the items that the crowd and all parts have."""
    if not any(one.name == CROWD for one in judgments.sources):
        raise DataError(
            "there is no crowd to compare with", where=judgments.name,
            todo="name data with the label distributions of many people",
        )  # fmt: skip
    team = mean_of(TEAM, [*parts.values()])
    crowd = set(judgments.source(CROWD).item_ids)
    items = tuple(item for item in team.item_ids if item in crowd and item not in leave_out)
    people = [one for one in judgments.sources if one.name == ANNOTATORS]
    if people:  # at home all sources are on the items that the annotators labelled
        labelled = set(people[0].item_ids)
        items = tuple(item for item in items if item in labelled)
    if len(items) < 2:
        raise DataError(
            f"{count(len(items), 'item')} has estimates of every imitated annotator and a crowd",
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
    for against in kept[AWAY]:
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


NOTE = (
    "Distances to the crowd, lower is nearer; 95 % intervals over items. In brackets: what the "
    "team is beside this source, paired by item (Holm-adjusted over the sources of a place). All "
    "distributions are label probabilities, not drawn answers: the team has no more answers than "
    "one of its parts, so what it gains over the mean of its parts is averaging different models, "
    "not a larger sample (of drawn answers, see the team at an equal count by the "
    "command “distributions compare”)."
)


def table(result: Transfer, measure: str = JSD) -> tuple[list[str], list[list[str]]]:
    """Return columns and cells as text: a row a source, one column a place and the change."""
    n = {place: int(result.row(place, TEAM, measure).n) for place in PLACES}
    names = [
        "source",
        f"home: {result.home} (n = {n[HOME]:,})",
        f"away: {result.away} (n = {n[AWAY]:,})",
        "team minus source: away minus home",
    ]
    rows = []
    for source in dict.fromkeys(result.rows["source"]):
        cells = [source]
        for place in PLACES:
            own = result.rows
            here = own["place"].eq(place) & own["source"].eq(source) & own["measure"].eq(measure)
            if not here.any():
                cells.append("–")
                continue
            apart = result.differences
            there = apart["place"].eq(place) & apart["against"].eq(source)
            there &= apart["measure"].eq(measure)
            verdict = f" ({apart[there]['verdict'].iloc[0]})" if there.any() else ""
            cells.append(_shown(own[here].iloc[0]) + verdict)
        change = result.changes
        change = change[change["against"].eq(source) & change["measure"].eq(measure)]
        cells.append(_shown(change.iloc[0]) if len(change) else "–")
        rows.append(cells)
    return names, rows


def to_markdown(result: Transfer, provenance: Provenance) -> str:
    """Return the result as Markdown: statements, a table for each distance, provenance."""
    from capo_core.export_formats import markdown_section

    lines = [f"# {provenance.titled(f'Imitated crowd: {result.home} to {result.away}')}", ""]
    lines += [line for text in result.statements() for line in (provenance.marked(text), "")]
    for measure in MEASURES:
        names, rows = table(result, measure)
        lines += [f"## {measure_title(measure)}", "", f"| {' | '.join(names)} |"]
        lines += ["|---|" + "---:|" * (len(names) - 1)]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        lines.append("")
    lines += [NOTE, "", *markdown_section(provenance)]
    return "\n".join(lines)
