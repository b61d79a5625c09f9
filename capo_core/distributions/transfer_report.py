"""Result of an imitated team on other data: its distances to the crowd, what it says, as text.

Other data without a crowd cannot be compared with people: the team's distributions there are a
statement, and whether it is right is left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from capo_core.distributions import store
from capo_core.distributions.compare import JSD, KL, TVD, CompareConfig, measure_title
from capo_core.distributions.judgments import CROWD, UNIFORM, Judgments
from capo_core.distributions.paired import UNDECIDED
from capo_core.formatting import count, listed, number, with_interval
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
SETTINGS = ("label_prior", "home_items", "items")  # items: only the first so many; 0 all
MOST_LABELS = 6  # named in a sentence


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
        settings: SETTINGS that it was computed with; {} of an earlier version, which did not say.
        away_fingerprint: of the other judgments; "" of an earlier version.
        said: place → the team's distributions and those of its parts, with the crowd's where there
            is one; {} of an earlier version.
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
    settings: Mapping[str, Any] = field(default_factory=dict)
    away_fingerprint: str = ""
    said: Mapping[str, Judgments] = field(default_factory=dict, repr=False)

    @property
    def measured(self) -> tuple[str, ...]:
        """The places where there is a crowd to compare with."""
        return tuple(place for place in PLACES if self.rows["place"].eq(place).any())

    def items(self, place: str) -> int:
        """Return how many items of a place the result is about."""
        if place in self.measured:
            return int(self.row(place, TEAM).n)
        return len(self.said[place].items) if place in self.said else 0

    @property
    def provenance(self) -> Provenance:
        """Return the origin of its exports."""
        prior, *limits = self.settings_in_words() or ("",)
        return Provenance(
            self.home,
            self.fingerprint,
            together((self.home_data, self.away_data)),
            models=(self.model,),
            seeds=self.seeds,
            n=(("item", sum(map(self.items, PLACES))), ("imitated annotator", len(self.members))),
            details=(
                ("data at home", self.home_data),
                ("other data", f"{self.away} ({self.away_data})"),
                ("adapters", ", ".join(self.members.values())),
                *((("label prior", prior), ("items asked", "; ".join(limits))) if prior else ()),
                *(
                    (("fingerprint of the other data", self.away_fingerprint[:16]),)
                    if self.away_fingerprint
                    else ()
                ),
            ),
        )

    def settings_in_words(self) -> list[str]:
        """Return the label prior, and which items were asked about at home and away; [] of an
        earlier version."""
        if not self.settings:
            return []
        words = [str(self.settings["label_prior"])]
        for place, name in ((HOME, "home_items"), (AWAY, "items")):
            most = self.settings[name]
            words.append(f"{place}: {f'the first {most:,}' if most else 'all'}")
        return words

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
            "settings": dict(self.settings),
            "away_fingerprint": self.away_fingerprint,
            "said": {place: store.to_dict(one) for place, one in self.said.items()},
            "statements": self.statements(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Transfer:
        """Return the result that `to_dict` wrote, also in an earlier version, which said of the
        home data alone whether they are simulated, and neither seeds, settings nor items."""
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
            *frames, raw["left_out"], tuple(raw["notes"]), dict(raw.get("settings", {})),
            raw.get("away_fingerprint", ""),
            {place: store.from_dict(one) for place, one in raw.get("said", {}).items()},
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
        """Return what came out, in sentences: whether it transfers, at home and away, or what the
        team says away where nothing can be compared; what limits it, and how labels were scored."""
        found = [self._place(place, measure) for place in self.measured]
        first = self._verdict(measure) if AWAY in self.measured else self._not_checked()
        return [first, *found, *self.notes, *self._scored()]

    def _not_checked(self) -> str:
        said = self.said[AWAY]
        shares = said.source(TEAM).shares
        mean = shares.mean(axis=0)
        most = np.bincount(shares.argmax(axis=1), minlength=len(mean))
        order = np.argsort(-mean, kind="stable")[:MOST_LABELS]
        labels = said.task.scale.labels
        parts = [f"{labels[at]} {number(mean[at])} (most probable of {most[at]:,})" for at in order]
        return (
            f"What the team of {count(len(self.members), 'imitated annotator')} says of "
            f"{count(len(said.items), 'item')} of {self.away}, not checked here (no crowd to "
            f"compare with): mean share {', '.join(parts)}. Whether people would say so is not "
            "known."
        )

    def _scored(self) -> list[str]:
        if not self.settings:
            return []
        prior, *limits = self.settings_in_words()
        how = (
            "without a label prior"
            if prior == "none"
            else "corrected by the label prior of each annotator's training labels"
        )
        return [f"Label scores {how}. Items asked about: {', '.join(limits)}."]

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


def item_table(result: Transfer) -> pd.DataFrame:
    """Return what the team says of each item and label, in long form: place, item_id, texts, label,
    the shares of the team and of its parts, and the crowd's (NaN where there is none).

    Without rows for a result of an earlier version, which did not keep them.
    """
    parts = []
    for place, one in result.said.items():
        labels = one.task.scale.labels
        frame = one.items[["item_id", "text_a", "text_b"]]
        frame = frame.loc[frame.index.repeat(len(labels))].reset_index(drop=True)
        frame.insert(0, "place", place)
        frame["label"] = list(labels) * len(one.items)
        for source in one.sources:
            frame[source.name] = source.rows(one.items["item_id"]).ravel()
        parts.append(frame)
    if not parts:
        return pd.DataFrame(columns=["place", "item_id", "text_a", "text_b", "label", TEAM])
    table = pd.concat(parts, ignore_index=True)
    if CROWD in table:  # last, since the other data may have none
        table = table[[*(name for name in table if name != CROWD), CROWD]]
    return table


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
    n = {
        place: f"n = {result.items(place):,}" + ", not checked" * (place not in result.measured)
        for place in PLACES
    }
    names = [
        "source",
        f"home: {result.home} ({n[HOME]})",
        f"away: {result.away} ({n[AWAY]})",
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
