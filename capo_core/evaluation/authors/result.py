"""Attribution accuracy by likelihood at every k, beside classifiers on the very same texts.

A row is one part of the items, one source of texts, and one way to tell authors: by likelihood
under the annotators' own adapters, or by a classifier that learned from the texts on the items the
adapters were trained on. All ways attribute the same groups of texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from capo_core.formatting import (
    Statement,
    listed,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    with_interval,
)
from capo_core.imitation.prompting.prompts import method_name
from capo_core.provenance import Provenance
from capo_core.settings import setting, settings
from capo_core.stats.intervals import json_rows
from capo_core.text.reductions import find_reduction
from capo_core.text.representations import find_representation

LIKELIHOOD = "likelihood"  # beside the representations of the ladder, which are of texts alone
HUMAN, ALL = "human", "all"
HELD_OUT, TEST, TRAIN = "held out", "test", "train"
PARTS = {
    HELD_OUT: "items that no adapter was trained on",
    TEST: "test items alone",
    TRAIN: "leak test: items that the adapters were trained on",
}
ROWS = (
    "part", "source", "target", "representation", "reduction", "k", "accuracy", "low", "high",
    "n_items", "n_texts", "n_groups", "chance", "human", "human_low", "human_high",
)  # fmt: skip
DIFFERENCES = (
    "part", "source", "representation", "reduction", "k", "value", "low", "high", "n_items", "p",
    "p_holm", "verdict",
)  # fmt: skip


@settings("Likeliest author")
class AuthorsConfig:
    """Settings of attribution by likelihood beside classifiers."""

    pool: tuple[int, ...] = setting(
        (1, 2, 4, 8, 16),
        "Explanations pooled",
        "Numbers of explanations of one annotator that are attributed together.",
        ge=1,
        le=1024,
    )
    leak_test: bool = setting(
        False,
        "Leak test",
        "Also score the items that the adapters were trained on: visibly too good, and no result.",
    )
    seed: int = setting(0, "Random seed", "Seed of the random groups.", ge=0, le=2**31)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", tuple(sorted(set(self.pool))) or (1,))


@dataclass(frozen=True)
class AuthorAttribution:
    """Attribution by likelihood and by classifiers, on the same texts.

    Attributes:
        split: fingerprint of the dataset's split. base: the adapters' base model.
        adapters: one entry a set of adapters: split, and annotator → training run.
        items: the number of items of each part, and of each split part that is scored ("test",
            "validation") or left out ("train").
        rows: ROWS. `target` is an annotator, or ALL for the mean over those of the source, each
            counted the same. `human` is the annotators' own accuracy on the targets and items of a
            method; NaN for the human itself.
        differences: DIFFERENCES, likelihood minus each classifier, paired by item, over all
            targets of a source; p by a sign-flip test, corrected after Holm over the classifiers
            and k of a part and source.
        calibration: slope, offsets and texts by set (see `likelihood.LikelihoodCalibration`).
        same_training: methods whose texts one of the adapters wrote, or one trained on from it.
        notes: what a reader must know, as sentences.
    """

    dataset: str
    fingerprint: str
    split: str
    simulated: bool
    annotators: tuple[str, ...]
    base: str
    adapters: tuple[Mapping[str, Any], ...]
    items: Mapping[str, int]
    config: AuthorsConfig
    rows: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    calibration: tuple[Mapping[str, Any], ...] = ()
    same_training: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = math.nan

    @property
    def provenance(self) -> Provenance:
        """Return the origin of its exports."""
        runs = [name for one in self.adapters for name in dict.fromkeys(one["runs"].values())]
        return Provenance(
            self.dataset,
            self.fingerprint,
            "simulated" if self.simulated else "people",
            models=(self.base,),
            seeds=(self.config.seed,),
            n=(("item", self.items[HELD_OUT]), ("annotator", len(self.annotators))),
            details=(("split", self.split[:16]), ("adapters", ", ".join(runs))),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "simulated": self.simulated,
            "annotators": list(self.annotators),
            "base": self.base,
            "adapters": [dict(one) for one in self.adapters],
            "items": dict(self.items),
            "config": self.config.to_dict(),
            "rows": json_rows(self.rows),
            "differences": json_rows(self.differences),
            "calibration": [dict(one) for one in self.calibration],
            "same_training": list(self.same_training),
            "notes": list(self.notes),
            "statements": [one.to_dict() for one in self.statements()],
            "seconds": None if math.isnan(self.seconds) else self.seconds,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> AuthorAttribution:
        """Return the result that `to_dict` wrote."""
        return cls(
            raw["dataset"], raw["fingerprint"], raw["split"], raw["simulated"],
            tuple(raw["annotators"]), raw["base"], tuple(raw["adapters"]), raw["items"],
            AuthorsConfig.from_dict(raw["config"]),
            _frame(raw["rows"], ROWS), _frame(raw["differences"], DIFFERENCES),
            tuple(raw["calibration"]), tuple(raw["same_training"]), tuple(raw["notes"]),
            math.nan if raw["seconds"] is None else raw["seconds"],
        )  # fmt: skip

    def of(self, part: str, source: str = HUMAN, target: str = ALL) -> pd.DataFrame:
        """Return the rows of a part, source and target."""
        rows = self.rows
        here = (rows["part"] == part) & (rows["source"] == source) & (rows["target"] == target)
        return rows[here]

    def ways(self) -> list[tuple[str, str]]:
        """Return the ways to tell authors, (representation, reduction), likelihood first."""
        pairs = zip(self.rows["representation"], self.rows["reduction"], strict=True)
        return list(dict.fromkeys(pairs))

    def statements(self) -> tuple[Statement, ...]:
        """Return what was found, in words: headline, comparison, items, leak test."""
        found = [self._headline(), self._items(), *self._methods(), *self._leak()]
        found += [Statement.plain("note", text) for text in self.notes]
        return tuple(one for one in found if one is not None)

    def _headline(self) -> Statement | None:
        rows = self.of(HELD_OUT)
        own = rows[rows["representation"] == LIKELIHOOD]
        if own.empty:
            return None
        first = own.iloc[0]
        last = own[own["k"] <= 4].iloc[-1]
        template = (
            "The likeliest of {n:count adapter} is the author's own for {one} of single "
            "explanations"
        )
        values: dict[str, Any] = {"n": len(self.annotators), "one": _measured(first)}
        if last["k"] > 1:
            template += " and {more} of {k} together"
            values |= {"k": int(last["k"]), "more": _measured(last)}
        template += " (chance {chance:percent})"
        values["chance"] = first["chance"]
        apart = self.differences
        apart = apart[(apart["part"] == HELD_OUT) & (apart["source"] == HUMAN)]
        apart = apart[apart["k"] == first["k"]]
        parts = []
        for row in apart.itertuples():
            other = rows[
                (rows["representation"] == row.representation)
                & (rows["reduction"] == row.reduction)
                & (rows["k"] == row.k)
            ].iloc[0]
            parts.append(
                Statement(
                    "way",
                    "{name} {value} ({verdict})",
                    {
                        "name": way_title(row.representation, row.reduction).lower(),
                        "value": _measured(other),
                        "verdict": {"undecided": "no significant difference"}.get(
                            row.verdict, f"likelihood is {row.verdict}"
                        ),
                    },
                )
            )
        if parts:
            template += ". On the same single explanations: {parts:apart}"
            values["parts"] = parts
        return Statement("headline", template + ".", values)

    def _items(self) -> Statement:
        held, values = self.of(HELD_OUT), dict(self.items)
        texts = int(held["n_texts"].max())
        parts = [
            Statement("part", f"{{n:,}} {name}", {"n": values[name]})
            for name in ("validation", "test")
            if values.get(name)
        ]
        template = (
            "Scored: {texts:count explanation} of {items:count item} that none of the scoring "
            "adapters was trained on"
        )
        if parts:
            template += " ({parts})"
        left = values.get("left out", 0)
        if left:
            template += (
                "; the other {left:count item} trained every set of adapters there is, and a score "
                "of them would be too good"
            )
        template += (
            ". Scores are calibrated on other items than the one scored ({folds} folds), and the "
            "classifiers learned from the texts on the adapters' training items."
        )
        folds = self.items.get("folds", 5)
        return Statement(
            "items",
            template,
            {
                "texts": texts,
                "items": values[HELD_OUT],
                "parts": parts,
                "left": left,
                "folds": folds,
            },
        )

    def _methods(self) -> list[Statement]:
        found = []
        rows = self.rows[(self.rows["target"] == ALL) & (self.rows["source"] != HUMAN)]
        rows = rows[(rows["representation"] == LIKELIHOOD) & (rows["k"] == min(self.config.pool))]
        for row in rows.itertuples():
            own = _in_percent(row.human, row.human_low, row.human_high)
            text = (
                f"Texts by {method_name(row.source)} are likeliest under the imitated annotator's "
                f"adapter in {_in_percent(row.accuracy, row.low, row.high)} of cases, the "
                f"annotators' own texts on these items in {own} ({row.n_texts:,} texts)."
            )
            if row.source in self.same_training:
                text += " One of these adapters wrote them, or one trained on from it."
            found.append(Statement.plain("method", text))
        return found

    def _leak(self) -> list[Statement]:
        rows = self.of(TRAIN)
        if rows.empty:
            return []
        k = int(rows["k"].min())
        rows = rows[rows["k"] == k]
        own = rows[rows["representation"] == LIKELIHOOD].iloc[0]
        others = [
            f"{way_title(row.representation, row.reduction).lower()} "
            f"{_in_percent(row.accuracy, row.low, row.high)}"
            for row in rows.itertuples()
            if row.representation != LIKELIHOOD
        ]
        held = self.of(HELD_OUT)
        held = held[(held["representation"] == LIKELIHOOD) & (held["k"] == k)].iloc[0]
        text = (
            f"Leak test, no result: on the {int(own['n_items']):,} items that the adapters were "
            f"trained on, the same score names the author of {_measured(own)} of single "
            f"explanations, on items they never saw of {_measured(held)}. Classifiers that never "
            f"saw the item, on the same texts: {listed(others)}."
        )
        return [Statement.plain("leak", text)]


def _frame(rows: list[dict], columns: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    texts = {"part", "source", "target", "representation", "reduction", "verdict"}
    numbers = [name for name in columns if name not in texts]
    return frame.astype(dict.fromkeys(numbers, float)).astype(
        {name: int for name in ("k", "n_items", "n_texts", "n_groups") if name in columns}
    )


def _in_percent(value: float, low: float, high: float) -> str:
    return f"{percent(float(value))} {percent_interval(float(low), float(high))}".strip()


def _measured(row: Any) -> str:
    return _in_percent(row["accuracy"], row["low"], row["high"])


def shown(row: Any) -> str:
    """Return a row's accuracy with its interval."""
    return with_interval(float(row["accuracy"]), float(row["low"]), float(row["high"]))


def way_title(representation: str, reduction: str = "") -> str:
    """Return the title of a way to tell authors, as on pages and in tables."""
    if representation == LIKELIHOOD:
        return "Likelihood under own adapters"
    return f"{find_representation(representation).title}, {find_reduction(reduction).title.lower()}"


HEADER = ("texts", "told by")


def table(result: AuthorAttribution) -> tuple[list[str], list[list[str]]]:
    """Return the columns and cells of the ladder as text, one row a part, source and way."""
    ks = sorted(result.rows["k"].unique())
    rows = []
    of_all = result.rows[result.rows["target"] == ALL]
    for (part, source), own in of_all.groupby(["part", "source"], sort=False):
        for representation, reduction in result.ways():
            here = own[
                (own["representation"] == representation) & (own["reduction"] == reduction)
            ].set_index("k")
            cells = [shown(here.loc[k]) if k in here.index else "–" for k in ks]
            n = int(here["n_items"].max()) if len(here) else 0
            title = f"{method_name(source)}, {PARTS[part]} (n = {n:,})"
            rows.append([title, way_title(representation, reduction), *cells])
    return [*HEADER, *(f"k = {k}" for k in ks)], rows


NOTE = (
    "Attribution accuracy (a method's texts: the share attributed to the imitated annotator), mean "
    "over annotators, 95 % intervals over items. All ways attribute the same groups of texts."
)


def to_markdown(result: AuthorAttribution, provenance: Provenance) -> str:
    """Return the result as Markdown: statements, table, differences, provenance."""
    from capo_core.export_formats import markdown_section

    names, rows = table(result)
    title = f"Likeliest author: {result.dataset}"
    lines = [f"# {provenance.titled(title)}", ""]
    lines += [line for one in result.statements() for line in (provenance.marked(one.text), "")]
    lines += [f"| {' | '.join(names)} |", "|---|---|" + "---:|" * (len(names) - 2)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", NOTE, "", *differences_text(result), "", *markdown_section(provenance)]
    return "\n".join(lines)


def differences_text(result: AuthorAttribution) -> list[str]:
    """Return likelihood minus each classifier on the human texts that no adapter saw, as lines."""
    rows = result.differences
    rows = rows[(rows["part"] == HELD_OUT) & (rows["source"] == HUMAN)]
    return [
        f"- Likelihood minus {way_title(row.representation, row.reduction)}, k = {row.k}: "
        f"{points(row.value)} {points_interval(row.low, row.high)} ({row.verdict}, Holm-adjusted p "
        f"{p_value(row.p_holm)})"
        for row in rows.itertuples()
    ]


def to_latex(result: AuthorAttribution, provenance: Provenance) -> str:
    """Return the ladder as a LaTeX table."""
    from capo_core.export_formats import latex_table

    names, rows = table(result)
    return latex_table(
        names, rows, provenance, caption=f"Likeliest author. {NOTE}", label="likeliest-author"
    )
