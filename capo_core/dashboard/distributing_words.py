"""What the page Distributions says in sentences, made from the numbers. No Streamlit here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from capo_core.dashboard.distributing_looks import source_name
from capo_core.dashboard.words import count, number, short, with_interval
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.judgments import CROWD, UNIFORM
from capo_core.distributions.measuring import KL
from capo_core.distributions.metrics import CLIP


def called(name: str, limit: int = 48) -> str:
    """A source within a sentence: “annotators, valid”; the crowd and uniform as they are."""
    if name == CROWD:
        return "the crowd"
    if name == UNIFORM:
        return "uniform"
    return f"“{short(source_name(name), limit)}”"


def nearest(table: pd.DataFrame, measure: str) -> list[str]:
    """The sources that know something, the nearest first; those without a value left out."""
    rows = table[(table["measure"] == measure) & table["value"].notna()]
    rows = rows[rows["source"] != UNIFORM]
    return rows.sort_values("value", kind="stable")["source"].tolist()


def headline(table: pd.DataFrame, apart: pd.DataFrame, against: str, measure: str) -> str:
    """Who comes nearest, how surely, and where the floor is; one sentence.

    Args:
        table: `Comparison.table` of all sources shown.
        apart: `Comparison.differences` of the nearest and the next, if there are two; and of the
            nearest and uniform.
    """
    order = nearest(table, measure)
    if not order:
        return f"No source has an item in common with {called(against)}, so nothing is compared."
    best = _row(table, order[0], measure)
    floor = _row(table, UNIFORM, measure)
    value = f"{measure} {with_interval(best.value, best.low, best.high)}"
    n = count(int(best.n), "item")
    if floor is not None and floor.value <= best.value:
        end = f"{number(floor.value)}; {called(order[0])}, the nearest, has {value} on {n}"
        surely = _nearer(apart, order[0], UNIFORM, measure)
        if surely == UNIFORM:
            return (
                f"By {measure}, no source comes as near to {called(against)} as uniform, which "
                f"knows nothing and has {end}."
            )
        return (
            f"By {measure}, no source comes nearer to {called(against)} beyond doubt than uniform, "
            f"which knows nothing and has {end}."
        )
    begin = (
        f"Of {len(order)} sources, {called(order[0])} comes nearest to {called(against)}"
        if len(order) > 1
        else f"{called(order[0])} is compared with {called(against)}"
    )
    middle = ""
    if len(order) > 1:
        nearer = _nearer(apart, order[0], order[1], measure)
        middle = (
            f", nearer than {called(order[1])} beyond doubt"
            if nearer == order[0]
            else f", though not to be told from {called(order[1])}"
        )
    end = f"; uniform, which knows nothing, has {number(floor.value)}" if floor is not None else ""
    return _capital(f"{begin} ({value} on {n}){middle}{end}.")


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
    """Notes of a reading as sentences; what the page says of simulated data anyway, left out."""
    return [
        _capital(note.rstrip(".")) + "." for note in notes if not note.startswith("simulated data")
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_coverage(coverage: pd.DataFrame, against: str) -> list[str]:
    """What is said of items that only one side has; sources with the same numbers together."""
    alike: dict[tuple[int, int, int], list[str]] = {}
    for row in coverage.itertuples():
        if row.only_source or row.only_against:
            key = (int(row.both), int(row.only_source), int(row.only_against))
            alike.setdefault(key, []).append(row.source)
    said = []
    for (both, more, fewer), names in alike.items():
        who = _and([called(name, 32) for name in names])
        parts = []
        if fewer:
            parts.append(f"{fewer:,} of {called(against)} {'is' if fewer == 1 else 'are'} not in "
                         f"{'it' if len(names) == 1 else 'each of them'}")  # fmt: skip
        if more:
            parts.append(f"{more:,} {'is' if more == 1 else 'are'} not in {called(against)}")
        said.append(
            _capital(f"{who}: {count(both, 'item')} compared; {', '.join(parts)}, left out.")
        )
    return said


def _and(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    if len(parts) > 4:
        return f"{', '.join(parts[:3])} and {len(parts) - 3} more"
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def of_kl(table: pd.DataFrame, clip: float) -> str:
    """A warning where zeros, not judgments, decide the KL; "" elsewhere."""
    rows = table[table["measure"] == KL].dropna(subset=["value"])
    floor = rows.loc[rows["source"] == UNIFORM, "value"]
    if not len(floor) or not (rows["value"] > floor.iloc[0]).any():
        return ""
    return (
        f"KL is ruled by labels to which a source gives nothing at all: they count as {clip:g}. A "
        "source of a few labels is punished for its silence; JSD and TVD are not."
    )


def halves_said(frame: pd.DataFrame | None, source: str, against: str, measure: str) -> str:
    """What the map shows, in a sentence."""
    if frame is None:
        return "There are too few items, or all are equally disputed, to set halves apart."
    calm, torn = frame.iloc[0], frame.iloc[1]
    apart = torn["low"] > calm["high"] or torn["high"] < calm["low"]
    how = (
        ("farther off" if torn["value"] > calm["value"] else "nearer")
        if apart
        else "about as far off"
    )
    return _capital(
        f"{called(source)} is {how} where {called(against)} "
        f"{'is' if against == CROWD else 'is more'} divided: {measure} "
        f"{with_interval(torn['value'], torn['low'], torn['high'])} on the more disputed half "
        f"({int(torn['n']):,} items), {with_interval(calm['value'], calm['low'], calm['high'])} on "
        f"the other ({int(calm['n']):,})."
    )


def command(
    dataset: str, files: Sequence[str], config: CompareConfig, shown: Sequence[str] = ()
) -> str:
    """The command that prints the same table."""
    words = ["python", "-m", "capo_core", "distributions", "compare"]
    words += data_options(dataset, files)
    if config.against != CROWD:
        words += ["--against", config.against]
    if config.clip != CLIP:
        words += ["--clip", f"{config.clip:g}"]
    for name in shown:
        words += ["--source", name]
    return shlex.join(words)


def data_options(dataset: str, files: Sequence[str]) -> list[str]:
    """What names the data on the command line."""
    words = ["--dataset", dataset] if dataset else []
    for name in files:
        words += ["--file", f"{name}.json"]
    return words


def methods_paragraph(
    name: str, config: CompareConfig, table: pd.DataFrame, fingerprints: Mapping[str, str]
) -> str:
    """How the numbers came about, for a paper."""
    sizes = table.groupby("source", sort=False)["n"].first()
    n = f"{int(sizes.min()):,}" if sizes.nunique() == 1 else f"{sizes.min():,} to {sizes.max():,}"
    what = ", ".join(source_name(source) for source in sizes.index)
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


def trained_said(rows: pd.DataFrame, apart: pd.DataFrame, against: str) -> str:
    """Which source teaches best by KL, and whether that is beyond doubt; one sentence.

    Args:
        rows: scores of one set: source, measure, value, low, high, n, seeds (0 for a floor).
        apart: differences of that set.
    """
    own = rows[(rows["measure"] == KL) & (rows["seeds"] > 0)].dropna(subset=["value"])
    if own.empty:
        return "This training has no scores."
    own = own.sort_values("value", kind="stable")
    best = next(own.itertuples())
    value = f"KL {with_interval(best.value, best.low, best.high)}, {count(int(best.n), 'item')}"
    if len(own) == 1:
        return f"Taught by {called(best.source)}, a classifier comes to {value}."
    second = str(own["source"].iloc[1])
    sure = ""
    if len(apart):
        pair = apart[(apart["measure"] == KL) & apart["source"].isin([best.source, second])]
        pair = pair[pair["against"].isin([best.source, second])]
        if len(pair):
            row = pair.iloc[0]
            sure = (
                f", nearer than taught by {called(second)} beyond doubt"
                if row["low"] > 0 or row["high"] < 0
                else f", though not to be told from {called(second)}"
            )
    return (
        f"Of {len(own)} sources, {called(best.source)} teaches a classifier best what "
        f"{called(against)} says ({value}){sure}."
    )
