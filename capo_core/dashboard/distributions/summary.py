"""Names, colours and sentences of the page Distributions, made from the numbers; no Streamlit here.

Annotators and methods have the colours they have everywhere; the crowd is drawn in ink, as
annotators are; other sources have colours of their own.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

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
from capo_core.formatting import count, number, short, with_interval
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


def headline(table: pd.DataFrame, apart: pd.DataFrame, against: str, measure: str) -> str:
    """Return a sentence on the closest source, its significance, and the floor.

    Args:
        table: `Comparison.table` of all sources shown.
        apart: `Comparison.differences` of the nearest and the next, if there are two; and of the
            nearest and uniform.
    """
    order = nearest(table, measure)
    floor = _row(table, UNIFORM, measure)
    if not order and floor is not None:
        return (
            f"No source other than the uniform baseline is compared with {called(against)} yet: "
            f"{measure} {with_interval(floor.value, floor.low, floor.high)} on "
            f"{count(int(floor.n), 'item')}."
        )
    if not order:
        return f"No source has an item in common with {called(against)}, so nothing is compared."
    best = _row(table, order[0], measure)
    value = f"{measure} {with_interval(best.value, best.low, best.high)}"
    n = count(int(best.n), "item")
    if floor is not None and floor.value <= best.value:
        end = (
            f"{measure} {number(floor.value)}); the closest, {called(order[0])}, has {value} on {n}"
        )
        surely = _nearer(apart, order[0], UNIFORM, measure)
        if surely == UNIFORM:
            return (
                f"The uniform baseline is significantly closer to {called(against)} than every "
                f"source ({end}."
            )
        return (
            f"No source is significantly closer to {called(against)} than the uniform baseline "
            f"({end}."
        )
    begin = (
        f"Of {len(order)} sources, {called(order[0])} is closest to {called(against)}"
        if len(order) > 1
        else f"{called(order[0])} is compared with {called(against)}"
    )
    middle = ""
    if len(order) > 1:
        nearer = _nearer(apart, order[0], order[1], measure)
        middle = {
            order[0]: f", significantly closer than {called(order[1])}",
            order[1]: f", but on their common items {called(order[1])} is significantly closer",
        }.get(nearer, f"; the difference from {called(order[1])} is not significant")
    end = f"; uniform baseline {number(floor.value)}" if floor is not None else ""
    if floor is not None and _nearer(apart, order[0], UNIFORM, measure) == UNIFORM:
        end += " (significantly closer on the same items)"
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
    """Return the notes of a reading as sentences, without the one on simulated data that the page
    shows anyway."""
    return [
        _capital(note.rstrip(".")) + "." for note in notes if not note.startswith("simulated data")
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_coverage(coverage: pd.DataFrame, against: str) -> list[str]:
    """Return the notes on items that only one side has, by source."""
    said = []
    for column, what in (
        ("only_against", f"Items of {called(against)} that a source lacks"),
        ("only_source", f"Items that {called(against)} lacks"),
    ):
        rows = coverage[coverage[column] > 0]
        alike: dict[int, list[str]] = {}
        for row in rows.itertuples():
            alike.setdefault(int(getattr(row, column)), []).append(row.source)
        if alike:
            parts = [f"{listed(names)} {number:,}" for number, names in alike.items()]
            said.append(f"{what} are excluded: {', '.join(parts)}.")
    return said


def listed(names: Sequence[str]) -> str:
    """ "“single label”, “annotator A” and uniform"; of many the first three and how many more."""
    parts = [called(name, 60) for name in names]  # estimates differ at their ends
    if len(parts) > 4:
        return f"{', '.join(parts[:3])} and {len(parts) - 3} more"
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def of_kl(table: pd.DataFrame, clip: float, silent: Collection[str]) -> str:
    """A warning where zeros, not judgments, decide the KL; "" elsewhere.

    Args:
        silent: the sources with a share of `clip` or less.
    """
    rows = table[table["measure"] == KL].dropna(subset=["value"])
    floor = rows.loc[rows["source"] == UNIFORM, "value"]
    ruled = rows[rows["source"].isin(silent)]
    if not len(floor) or not (ruled["value"] > floor.iloc[0]).any():
        return ""
    return (
        f"KL is dominated by labels that a source never uses (clipped at {clip:g}); prefer JSD or "
        "TVD here."
    )


def halves_said(frame: pd.DataFrame | None, source: str, against: str, measure: str) -> str:
    """Return a sentence on the distance on more and on less disputed items."""
    if frame is None:
        return "Too few items, or all have the same entropy: no comparison of halves."
    calm, torn = frame.iloc[0], frame.iloc[1]
    apart = torn["low"] > calm["high"] or torn["high"] < calm["low"]
    how = (
        ("farther away" if torn["value"] > calm["value"] else "closer")
        if apart
        else "about as far away"
    )
    return _capital(
        f"{called(source)} is {how} where {called(against)} "
        f"{'is' if against == CROWD else 'is more'} divided: {measure} "
        f"{with_interval(torn['value'], torn['low'], torn['high'])} on the more disputed "
        f"{int(torn['n']):,} items, {with_interval(calm['value'], calm['low'], calm['high'])} on "
        f"the other {int(calm['n']):,}."
    )


def trained_said(rows: pd.DataFrame, apart: pd.DataFrame, against: str) -> str:
    """Return a sentence on the best source for training by KL, and its significance.

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
        over = _over_floor(rows, apart, best.source)
        return f"A classifier trained on {called(best.source)} reaches {value}{over}."
    second = str(own["source"].iloc[1])
    sure = ""
    if len(apart):
        pair = apart[(apart["measure"] == KL) & apart["source"].isin([best.source, second])]
        pair = pair[pair["against"].isin([best.source, second])]
        if len(pair):
            row = pair.iloc[0]
            sure = (
                f", significantly closer than one trained on {called(second)}"
                if row["low"] > 0 or row["high"] < 0
                else f"; the difference from {called(second)} is not significant"
            )
    return (
        f"Of {count(len(own), 'source')}, training on {called(best.source)} brings a classifier "
        f"closest to {called(against)} ({value}){sure}{_over_floor(rows, apart, best.source)}."
    )


def _over_floor(rows: pd.DataFrame, apart: pd.DataFrame, source: str) -> str:
    """Return the end of the sentence: the KL of the mean distribution for every item, and whether
    it is significantly farther away."""
    floor = f"floor: mean of {source}"
    own = rows[(rows["source"] == floor) & (rows["measure"] == KL)]
    if own.empty or not len(apart):
        return ""
    pair = apart[
        (apart["measure"] == KL) & (apart["source"] == source) & (apart["against"] == floor)
    ]
    sure = len(pair) and float(pair["high"].iloc[0]) < 0
    end = "" if sure else ", not significantly farther away"
    return f"; its mean distribution for every item: {number(float(own['value'].iloc[0]))}{end}"


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
