"""Names, colours and sentences of the page Distributions, made from the numbers; no Streamlit here.

Annotators and methods have the colours they have everywhere; the crowd is drawn in ink, as
annotators are; other sources have colours of their own.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from capo_core.dashboard.ui.theme import (
    DASHES,
    METHOD_LOOKS,
    NEUTRAL,
    SYMBOLS,
    Look,
    human_look,
    looks,
    method_name,
)
from capo_core.distributions.compare import KL, CompareConfig
from capo_core.distributions.judgments import CROWD, UNIFORM
from capo_core.distributions.sources import ANNOTATORS, HUMANS, SINGLE
from capo_core.formatting import Named, Statement, capitalised, measured, short
from capo_core.stats.distances import CLIP

_OWN = {
    ANNOTATORS: Look("#9466C7", "circle", "solid"),
    f"{ANNOTATORS}, valid": Look("#A9714B", "square", "dash"),
    SINGLE: Look("#C98A1B", "diamond", "dot"),
    UNIFORM: Look(NEUTRAL, "circle-open", "dot"),
}
_MORE = ("#2A9D8F", "#B3586B", "#5E9A4C", "#4E8FB0", "#C0589A", "#6B8E23", "#B08CE0")
_EACH = "annotator "


def source_looks(
    names: Sequence[str], annotators: Sequence[str], *, dark: bool = False
) -> dict[str, Look]:
    """A look per source, the same whichever of them are shown.

    Args:
        names: all sources there are, in their order.
        annotators: the dataset's, in their order.
    """
    people, found, more = looks(annotators), {}, 0
    for name in names:
        head = name.split(" ")[0]
        if name in (CROWD, HUMANS):
            found[name] = human_look(dark=dark)
        elif name in _OWN:
            found[name] = _OWN[name]
        elif name.removeprefix(_EACH) in people and name.startswith(_EACH):
            found[name] = people[name.removeprefix(_EACH)]
        elif head in METHOD_LOOKS:
            color, symbol, dash = METHOD_LOOKS[head]
            again = sum(other.split(" ")[0] == head for other in found)
            found[name] = Look(color, SYMBOLS[(SYMBOLS.index(symbol) + again) % len(SYMBOLS)], dash)
        else:
            found[name] = Look(
                _MORE[more % len(_MORE)],
                SYMBOLS[(more + 3) % len(SYMBOLS)],
                DASHES[(more + 1) % len(DASHES)],
            )
            more += 1
    return found


def source_name(name: str) -> str:
    """A source's name for the screen: "capo team" → "CAPO team"."""
    return method_name(name)


def called(name: str, limit: int = 48) -> str:
    """Return the name of a source within a sentence: “annotators, valid”; the crowd and uniform
    without quotes."""
    if name == CROWD:
        return "the crowd"
    if name == UNIFORM:
        return "uniform"
    return f"“{short(source_name(name), limit)}”"


def nearest(table: pd.DataFrame, measure: str) -> list[str]:
    """Return the sources other than uniform, closest first; those without a value left out."""
    rows = table[(table["measure"] == measure) & table["value"].notna()]
    rows = rows[rows["source"] != UNIFORM]
    return rows.sort_values("value", kind="stable")["source"].tolist()


def headline(table: pd.DataFrame, apart: pd.DataFrame, against: str, measure: str) -> Statement:
    """Return a statement on the closest source, its significance, and the floor.

    Args:
        table: `Comparison.table` of all sources shown.
        apart: `Comparison.differences` of the nearest and the next, if there are two; and of the
            nearest and uniform.
    """
    order = nearest(table, measure)
    floor = _row(table, UNIFORM, measure)
    values: dict[str, Any] = {"against": _source(against), "measure": measure}
    if not order and floor is not None:
        return Statement(
            "headline",
            "No source other than the uniform baseline is compared with {against} yet: {measure} "
            "{floor} on {n:count item}.",
            values | {"floor": _measured(floor), "n": int(floor.n)},
        )
    if not order:
        template = "No source has an item in common with {against}, so nothing is compared."
        return Statement("headline", template, values)
    best = _row(table, order[0], measure)
    values |= {"best": _source(order[0]), "value": _measured(best), "n": int(best.n)}
    if floor is not None:
        values["floor"] = float(floor.value)
        against_floor = _nearer(apart, order[0], UNIFORM, measure)
    if floor is not None and floor.value <= best.value:
        head = (
            "The uniform baseline is significantly closer to {against} than every source"
            if against_floor == UNIFORM
            else "No source is significantly closer to {against} than the uniform baseline"
        )
        tail = (
            "({measure} {floor:number}); the closest, {best}, has {measure} {value} on "
            "{n:count item}."
        )
        return Statement("headline", f"{head} {tail}", values)
    template = "{best} is compared with {against} ({measure} {value} on {n:count item})"
    if len(order) > 1:
        template = (
            "Of {sources:,} sources, {best} is closest to {against} ({measure} {value} on "
            "{n:count item})"
        )
        template += {
            order[0]: ", significantly closer than {second}",
            order[1]: ", but on their common items {second} is significantly closer",
        }.get(
            _nearer(apart, order[0], order[1], measure),
            "; the difference from {second} is not significant",
        )
        values |= {"sources": len(order), "second": _source(order[1])}
    if floor is not None:
        template += "; uniform baseline {floor:number}"
        if against_floor == UNIFORM:
            template += " (significantly closer on the same items)"
    return Statement("headline", f"{template}.", values)


def in_words(statement: Statement) -> str:
    """Return a statement as a sentence of this page, its sources named by `called`."""
    return capitalised(statement.render(_title))


def _title(kind: str, key: str) -> str:
    return called(key) if kind == "source" else key


def _source(name: str) -> Named:
    return Named("source", name)


def _measured(row: Any) -> Statement:
    return measured(float(row.value), float(row.low), float(row.high))


def _nearer(apart: pd.DataFrame, first: str, second: str, measure: str) -> str:
    rows = apart[(apart["measure"] == measure)]
    for a, b in ((first, second), (second, first)):
        found = rows[(rows["source"] == a) & (rows["against"] == b)]
        if len(found):
            return str(found["nearer"].iloc[0])
    return ""


def _row(table: pd.DataFrame, source: str, measure: str):
    rows = table[(table["source"] == source) & (table["measure"] == measure)]
    rows = rows[rows["value"].notna()]
    return next(rows.itertuples(), None)


def sentences(notes: Sequence[str]) -> list[str]:
    """Return the notes of a reading as sentences, without the one on simulated data that the page
    shows anyway."""
    return [
        capitalised(note.rstrip(".")) + "."
        for note in notes
        if not note.startswith("simulated data")
    ]


def of_coverage(coverage: pd.DataFrame, against: str) -> list[Statement]:
    """Return the statements on items that only one side has, by source."""
    found = []
    for column, what in (
        ("only_against", "Items of {against} that a source lacks"),
        ("only_source", "Items that {against} lacks"),
    ):
        rows = coverage[coverage[column] > 0]
        alike: dict[int, list[str]] = {}
        for row in rows.itertuples():
            alike.setdefault(int(getattr(row, column)), []).append(row.source)
        if alike:
            values: dict[str, Any] = {"against": _source(against)}
            parts = []
            for k, (n, names) in enumerate(alike.items()):
                values |= {f"names{k}": listed(names), f"n{k}": n}
                parts.append(f"{{names{k}}} {{n{k}:,}}")
            template = f"{what} are excluded: {', '.join(parts)}."
            found.append(Statement("coverage", template, values))
    return found


def listed(names: Sequence[str]) -> str:
    """ "“single label”, “annotator A” and uniform"; of many the first three and how many more."""
    parts = [called(name, 60) for name in names]  # estimates differ at their ends
    if len(parts) > 4:
        return f"{', '.join(parts[:3])} and {len(parts) - 3} more"
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def of_kl(table: pd.DataFrame, clip: float, silent: Collection[str]) -> Statement | None:
    """Return a warning where zeros, not judgments, decide the KL; None elsewhere.

    Args:
        silent: the sources with a share of `clip` or less.
    """
    rows = table[table["measure"] == KL].dropna(subset=["value"])
    floor = rows.loc[rows["source"] == UNIFORM, "value"]
    ruled = rows[rows["source"].isin(silent)]
    if not len(floor) or not (ruled["value"] > floor.iloc[0]).any():
        return None
    return Statement(
        "KL",
        "KL is dominated by labels that a source never uses (clipped at {clip:g}); prefer JSD or "
        "TVD here.",
        {"clip": clip},
    )


def of_halves(frame: pd.DataFrame | None, source: str, against: str, measure: str) -> Statement:
    """Return a statement on the distance on more and on less disputed items."""
    if frame is None:
        template = "Too few items, or all have the same entropy: no comparison of halves."
        return Statement("halves", template)
    calm, torn = (next(frame.iloc[[k]].itertuples()) for k in (0, 1))
    apart = torn.low > calm.high or torn.high < calm.low
    how = "about as far away"
    if apart:
        how = "farther away" if torn.value > calm.value else "closer"
    return Statement(
        "halves",
        f"{{source}} is {how} where {{against}} {'is' if against == CROWD else 'is more'} divided: "
        "{measure} {torn} on the more disputed {n_torn:count item}, {calm} on the other "
        "{n_calm:,}.",
        {
            "source": _source(source), "against": _source(against), "measure": measure,
            "torn": _measured(torn), "calm": _measured(calm),
            "n_torn": int(torn.n), "n_calm": int(calm.n),
        },
    )  # fmt: skip


def of_training(rows: pd.DataFrame, apart: pd.DataFrame, against: str) -> Statement:
    """Return a statement on the best source for training by KL, and its significance.

    Args:
        rows: scores of one set: source, measure, value, low, high, n, seeds (0 for a floor).
        apart: differences of that set.
    """
    own = rows[(rows["measure"] == KL) & (rows["seeds"] > 0)].dropna(subset=["value"])
    if own.empty:
        return Statement("training", "This training has no scores.")
    own = own.sort_values("value", kind="stable")
    best = next(own.itertuples())
    values: dict[str, Any] = {
        "best": _source(best.source), "value": _measured(best), "n": int(best.n),
    }  # fmt: skip
    end, floor = _over_floor(rows, apart, best.source)
    if len(own) == 1:
        template = "A classifier trained on {best} reaches KL {value}, {n:count item}"
        return Statement("training", f"{template}{end}.", values | floor)
    second = str(own["source"].iloc[1])
    sure = ""
    if len(apart):
        pair = apart[(apart["measure"] == KL) & apart["source"].isin([best.source, second])]
        pair = pair[pair["against"].isin([best.source, second])]
        if len(pair):
            row = pair.iloc[0]
            sure = (
                ", significantly closer than one trained on {second}"
                if row["low"] > 0 or row["high"] < 0
                else "; the difference from {second} is not significant"
            )
    values |= {"second": _source(second), "sources": len(own), "against": _source(against)}
    template = (
        "Of {sources:count source}, training on {best} brings a classifier closest to {against} "
        "(KL {value}, {n:count item})"
    )
    return Statement("training", f"{template}{sure}{end}.", values | floor)


def _over_floor(
    rows: pd.DataFrame, apart: pd.DataFrame, source: str
) -> tuple[str, dict[str, float]]:
    """Return the end of the statement and its value: the KL of the mean distribution for every
    item, and whether it is significantly farther away."""
    floor = f"floor: mean of {source}"
    own = rows[(rows["source"] == floor) & (rows["measure"] == KL)]
    if own.empty or not len(apart):
        return "", {}
    pair = apart[
        (apart["measure"] == KL) & (apart["source"] == source) & (apart["against"] == floor)
    ]
    sure = len(pair) and float(pair["high"].iloc[0]) < 0
    end = "" if sure else ", not significantly farther away"
    return (
        f"; its mean distribution for every item: {{floor:number}}{end}",
        {"floor": float(own["value"].iloc[0])},
    )


def command(
    dataset: str,
    files: Sequence[str],
    config: CompareConfig,
    shown: Sequence[str] = (),
    runs: Sequence[str] = (),
) -> str:
    """The command that prints the same table; `runs` are the finished estimates in it."""
    words = ["python", "-m", "capo_core", "distributions", "compare"]
    words += data_options(dataset, files)
    for name in runs:
        words += ["--run", name]
    if config.against != CROWD:
        words += ["--against", config.against]
    if config.clip != CLIP:
        words += ["--clip", f"{config.clip:g}"]
    for name in shown:
        words += ["--source", name]
    return shlex.join(words)


def data_options(dataset: str, files: Sequence[str]) -> list[str]:
    """Return the options that name the data on the command line."""
    words = ["--dataset", dataset] if dataset else []
    for name in files:
        words += ["--file", f"{name}.json"]
    return words


def methods_paragraph(
    name: str, config: CompareConfig, table: pd.DataFrame, fingerprints: Mapping[str, str]
) -> str:
    """Return the methods paragraph for a paper."""
    sizes = table.groupby("source", sort=False)["n"].first()
    n = f"{int(sizes.min()):,}" if sizes.nunique() == 1 else f"{sizes.min():,} to {sizes.max():,}"
    what = ", ".join(called(source) for source in sizes.index)
    prints = "; ".join(f"{key} {value[:16]}" for key, value in fingerprints.items())
    return (
        f"Label distributions of {what} were compared with {called(config.against)} on {n} items "
        f"of {name} ({prints}), item by item, and averaged: Kullback–Leibler divergence "
        f"KL({source_name(config.against)} ‖ source) in nats (shares clipped at {config.clip:g} "
        "and renormalised), Jensen–Shannon distance (square root, natural logarithm; Endres & "
        "Schindelin, 2003), total variation distance, Manhattan distance and, on ordinal scales, "
        "Wasserstein-1 in points of the scale; the correlation of entropies over items; and the "
        "distance correlation of the two [items × labels] tables (Székely et al., 2007). "
        f"Intervals are 95 %, by a Bayesian bootstrap over items (Rubin, 1981; {config.draws:,} "
        f"draws, seed {config.seed}); differences of two sources use the same draws. Items of one "
        "side only are left out and counted."
    )
