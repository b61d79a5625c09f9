"""The claims of an evaluation: one function for each claim, from the tables of its report.

A function looks at tables alone, so that a report that was saved earlier, or one annotator of it,
is judged as a new one is. No order is claimed that the interval of its difference does not carry
(`stats.significance.carries_order`), and everything is over the annotators and items of
`coverage`. `evaluation.summary` puts the findings into words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from capo_core.evaluation.coverage import NO_COMMON_TARGET, averaged_targets
from capo_core.evaluation.eyes import EyeComparison, compare_eyes, eye_in_words
from capo_core.evaluation.human_distance import AT_LEVEL, OVERSHOOT, UNDERSHOOT
from capo_core.evaluation.likelihood import MEASURE as LIKELIHOOD_MEASURE
from capo_core.evaluation.referee.claims import referee_findings
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.streams import GUESS, HUMAN, OTHER
from capo_core.evaluation.table import ALL
from capo_core.findings import (
    DECIDED,
    UNDECIDED,
    UNDEFINED,
    ComparisonSet,
    Finding,
)
from capo_core.formatting import FEW, Named
from capo_core.stats.significance import FEWEST, side_of_chance

# What distance from the human never shows: that takes an equivalence test with a margin fixed
# before (and a difference that is not significant is no proof of none).
NO_EQUIVALENCE = (
    "indistinguishable", "identical", "human-level", "at the human's level", "as good as",
    "equal to the human", "beyond doubt",
)  # fmt: skip
_NO_WINNER = ("is nearest", "is the nearest", "best", "wins", "outperforms")
CONFUSED_FROM = 0.4  # share of texts given to one wrong annotator from which it is said
LABELS, STYLE, OVERLAP = "label accuracy", "style distance", "ROUGE-L"


def findings(report: EvaluationReport, target: str = ALL) -> tuple[Finding, ...]:
    """Return everything that can be said of a report, the most important first.

    Args:
        target: one imitated annotator; `ALL`: means over those whom every method imitates.
    """
    found = (
        imitation(report, target),
        eyes(report, target),
        missing(report),
        left_out(report) if target == ALL else None,
        likelihood(report, target),
        confusion(report, target),
        *(llm_judge(report, judge, target) for judge in report.llm_judges),
        labels(report, target),
        overlap(report, target),
        caricature(report, target),
        self_similarity(report, target),
        seeds(report, target),
        readable(report) if target == ALL else None,
        *referee_findings(report, target),
    )
    return tuple(one for one in found if one is not None)


def compared_targets(report: EvaluationReport, measure: str, k: int) -> tuple[str, ...]:
    """Return the annotators that the rows `ALL` of a measure are averaged over."""
    defined = {
        (row.source, target)
        for target in report.annotators
        for row in report.rows(measure, k, target)
        if not math.isnan(row.value)
    }
    if not defined:  # of label distributions, which are over all annotators from the start
        known = any(not math.isnan(row.value) for row in report.rows(measure, k))
        return report.annotators if known else ()
    return tuple(averaged_targets(defined, report.targets))


def imitation(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return which method is nearest to the targets' own texts in attribution, and how each stands
    to them, to other people's texts (floor) and to chance.

    Distance counts both ways: beyond the human is as far as below. At the smallest k that has
    scores, since with many texts together everything is attributed rightly.
    """
    if not (report.scores["family"] == "attribution").any():
        return None
    name = report.config.views[0].name
    away = report.human_distance
    k = next((k for k in sorted(report.config.pool) if away.rows(name, k, target)), None)
    if k is None:
        return _no_imitation(report, name, target)
    ranked = away.rows(name, k, target)
    compared = _compared(report, name, k, target)
    methods = [_standing(report, row, target, compared) for row in ranked]
    best, *others = methods
    for other in others:
        other.update(_further(report, best["method"].key, other["method"].key, name, k, target))
    undecided = [other for other in others if other["order"] != "further"]
    reference = {row.source: row for row in report.rows(name, k, target)}
    row = reference[ranked[0].source]
    values = {
        "methods": methods,
        "k": k,
        "human": ranked[0].human,
        "human_n": int(reference[HUMAN].n) if HUMAN in reference else 0,
        "floor": row.floor,
        "chance": row.chance,
        "single": len(compared.targets) == 1,
    }
    runner_up = (undecided or others or [None])[0]
    if runner_up is not None:
        decided, interval = not undecided, (runner_up["further_low"], runner_up["further_high"])
        reason = "" if decided else "the differences in distance are not significant"
    else:
        decided, interval = best["level"] != AT_LEVEL, (best["gap_low"], best["gap_high"])
        reason = "" if decided else "the difference from the human is not significant"
    return Finding(
        "headline",
        DECIDED if decided else UNDECIDED,
        values,
        int(best["n"]),
        "texts" if k == 1 else "groups of texts",
        interval,
        compared,
        reason,
        NO_EQUIVALENCE + (() if decided else _NO_WINNER),
    )


def _no_imitation(report: EvaluationReport, name: str, target: str) -> Finding:
    alone = any(
        row.source in report.method_names and not math.isnan(row.value)
        for k in report.config.pool
        for one in report.annotators
        for row in report.rows(name, k, one)
    )
    reason = "no method has a score of attribution"
    if alone:
        reason = "no held-out texts of the imitated annotators are there to compare with"
        if target == ALL and not report.targets:
            reason = NO_COMMON_TARGET
    compared = ComparisonSet(report.targets, 0, name, 0, report.method_names)
    return Finding("headline", UNDEFINED, compared=compared, reason=reason,
                   must_not=NO_EQUIVALENCE + _NO_WINNER)  # fmt: skip


def _compared(report: EvaluationReport, name: str, k: int, target: str) -> ComparisonSet:
    targets = compared_targets(report, name, k) if target == ALL else (target,)
    methods = report.method_names
    rows = [row for row in report.rows(name, k, target) if row.source in methods]
    scored = {row.source for row in rows if not math.isnan(row.value)}
    away = report.human_distance.rows(name, k, target)
    alone = [row.n for one in targets for row in report.rows(name, k, one) if row.source in methods]
    return ComparisonSet(
        targets,
        int(max([row.n for row in away] or alone, default=report.n_items)),
        name,
        k,
        tuple(method for method in methods if method in scored),
        {row.source: row.note or "not computed" for row in rows if row.source not in scored},
    )


def _standing(
    report: EvaluationReport, row: Any, target: str, compared: ComparisonSet
) -> dict[str, Any]:
    """Return how one method stands to the human, to other people and to chance."""
    single = [
        one
        for annotator in compared.targets
        for one in report.human_distance.rows(row.measure, row.k, annotator)
        if one.source == row.source
    ]
    score = report.row(row.source, row.measure, row.k, target)
    other = report.difference(row.source, OTHER, row.measure, row.k, target)
    above_floor = other is not None and other.verdict != "undecided" and other.value > 0
    return {
        "method": Named("method", row.source),
        "value": row.value,
        "low": score["low"],
        "high": score["high"],
        "n": int(score["n"]),
        "human": row.human,
        "gap": row.gap,
        "gap_low": row.gap_low,
        "gap_high": row.gap_high,
        "distance": row.distance,
        "level": row.level,
        "n_items": int(row.n),
        # An interval without 0 that the items do not carry.
        "too_few": bool(row.level == AT_LEVEL and (row.gap_low > 0 or row.gap_high < 0)),
        "beyond": _annotators([one.target for one in single if one.level == OVERSHOOT]),
        "below": _annotators([one.target for one in single if one.level == UNDERSHOOT]),
        "above_floor": above_floor if other is not None else None,
        "above_chance": _side(score),
    }


def _annotators(names: Sequence[str]) -> list[Named]:
    return [Named("annotator", name) for name in names]


def _side(row: Any) -> str:
    """Return where the share of a row of scores is decided to be, see `side_of_chance`."""
    return side_of_chance(row.value, row.low, row.high, int(row.n), row.chance)


def _further(
    report: EvaluationReport, best: str, other: str, name: str, k: int, target: str
) -> dict[str, Any]:
    """Return by how much `other` is further from the human than `best`, and whether it is."""
    row = report.human_distance.further(other, best, name, k, target)
    if row is None:
        nothing = dict.fromkeys(("further", "further_low", "further_high", "p"), math.nan)
        return {**nothing, "order": "undecided"}
    return {
        "further": row.value, "further_low": row.low, "further_high": row.high, "p": row.p_holm,
        "order": "further" if row.verdict == "further" else "undecided",
    }  # fmt: skip


def _methods_by(
    report: EvaluationReport, measure: str, target: str, k: int = 0, *, highest: bool = True
) -> list[Any]:
    """Return the rows of methods by a measure, the highest (or lowest) value first."""
    known = [
        row
        for row in report.rows(measure, k, target)
        if row.source in report.method_names and not math.isnan(row.value)
    ]
    return sorted(known, key=lambda row: row.value, reverse=highest)


def labels(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return whether a method's labels are the target's more often than always the most frequent
    label is, and whether one method is ahead of the others.

    Both are paired differences by item. Reports of earlier versions have none with the most
    frequent label, and then nothing is decided about it.
    """
    ranked = _methods_by(report, LABELS, target)
    if not ranked:
        return None
    against = {
        row.source: report.difference(row.source, GUESS, LABELS, 0, target) for row in ranked
    }
    methods = []
    for row in ranked:
        found = against[row.source]
        known = found is not None
        decided = known and found.verdict in ("better", "worse")
        methods.append({
            "method": Named("method", row.source), "value": row.value, "low": row.low,
            "high": row.high, "n": int(row.n),
            "gain": found.value if known else math.nan,
            "gain_low": found.low if known else math.nan,
            "gain_high": found.high if known else math.nan,
            "p": found.p_holm if known else math.nan,
            "against_frequent": found.verdict if decided else "undecided",
        })  # fmt: skip
    best = ranked[0]
    rivals = []
    for row in ranked[1:]:
        found = report.difference(best.source, row.source, LABELS, 0, target)
        if found is None or found.verdict != "better":
            rivals.append({"method": Named("method", row.source), "value": row.value,
                           "n": int(row.n)})  # fmt: skip
    compared = _compared(report, LABELS, 0, target)
    better = [one for one in methods if one["against_frequent"] == "better"]
    first = (better or methods)[0]
    values = {
        "methods": methods, "rivals": rivals, "better": [one["method"] for one in better],
        "floor": best.floor, "frequent": best.chance, "single": len(compared.targets) == 1,
        "tested": any(found is not None for found in against.values()),
    }  # fmt: skip
    return Finding(
        "label",
        DECIDED if better else UNDECIDED,
        values,
        int(best.n),
        "answers",
        (first["gain_low"], first["gain_high"]),
        compared,
        "" if better else "no method is significantly better than the most frequent label",
        NO_EQUIVALENCE + (("best", "ahead of") if rivals else ()),
    )


def overlap(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return whether the method with the most lexical overlap (ROUGE-L) with the target's texts has
    more of it than another annotator's texts on the same items."""
    ranked = _methods_by(report, OVERLAP, target)
    if not ranked or pd.isna(ranked[0].floor):
        return None
    best = ranked[0]
    found = report.difference(best.source, OTHER, OVERLAP, 0, target)
    order = found.verdict if found is not None else "undecided"
    decided = order in ("better", "worse")
    return Finding(
        "text",
        DECIDED if decided else UNDECIDED,
        {
            "method": Named("method", best.source), "value": best.value, "low": best.low,
            "high": best.high, "floor": best.floor, "order": order,
            "difference": math.nan if found is None else found.value,
        },
        int(best.n),
        "texts",
        None if found is None else (found.low, found.high),
        _compared(report, OVERLAP, 0, target),
        "" if decided else "the difference from another annotator's texts is not significant",
        NO_EQUIVALENCE,
    )  # fmt: skip


def caricature(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return the methods that are attributed to the target more often than its own texts, in a
    style that is further from the target's; both significant.

    None where no method is; where attribution and style were not both compared with the human, too.
    """
    table = report.caricatures
    rows = table[(table["target"] == target) & table["caricature"].astype(bool)]
    name, k = report.config.views[0].name, min(report.config.pool)
    distances = {row.source: row for row in report.human_distance.rows(name, k, target)}
    methods = []
    for row in rows.itertuples():
        attributed = report.difference(row.source, HUMAN, name, k, target)
        style = report.difference(row.source, HUMAN, STYLE, 0, target)
        # The interval that the sentence on imitation prints of the same difference.
        away = distances.get(row.source)
        low, high = (
            (away.gap_low, away.gap_high)
            if away is not None and away.gap_low > 0
            else (attributed.low, attributed.high)
        )
        single = table[(table["source"] == row.source) & (table["target"] != ALL)]
        methods.append({
            "method": Named("method", row.source), "above": row.attribution_above,
            "low": low, "high": high, "style": row.style_above,
            "n": int(min(attributed.n, style.n)),
            "style_low": style.low, "style_high": style.high,
            "targets": _annotators(single[single["caricature"].astype(bool)]["target"]),
        })  # fmt: skip
    compared = _compared(report, name, k, target)
    if not methods:
        return None
    first = methods[0]
    return Finding("caricature", DECIDED, {"methods": methods}, compared.n_items, "items",
                   (first["low"], first["high"]), compared,
                   must_not=("better", "best", "nearest", "gain"))  # fmt: skip


def self_similarity(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return the methods whose texts are more like one another than the target's own are."""
    rows = report.differences
    rows = rows[(rows["measure"] == "self-similarity") & (rows["against"] == HUMAN)]
    rows = rows[(rows["target"] == target) & (rows["value"] > 0) & (rows["verdict"] == "worse")]
    if not len(rows):
        return None
    methods = [
        {"method": Named("method", row.source), "gain": row.value, "low": row.low,
         "high": row.high, "n": int(row.n)}
        for row in rows.itertuples()
    ]  # fmt: skip
    return Finding("diversity", DECIDED, {"methods": methods}, int(rows["n"].min()), "texts",
                   (methods[0]["low"], methods[0]["high"]),
                   _compared(report, "self-similarity", 0, target))  # fmt: skip


def confusion(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return the most frequent confusion of a method, where it is frequent, among those of
    `FEWEST` texts or more; of few texts also a whole number of them (ties are shared)."""
    rows = report.confusion
    hits = rows["share"] * rows["n"]
    whole = (hits - hits.round()).abs() < 1e-6
    rows = rows[(rows["n"] >= FEWEST) & (whole | (rows["n"] > FEW))]
    rows = rows[~rows["source"].isin([HUMAN, OTHER]) & (rows["attributed"] != rows["target"])]
    rows = rows[rows["view"] == report.config.views[0].name]
    rows = rows[rows["target"].isin(report.targets if target == ALL else [target])]
    rows = rows.sort_values("share", ascending=False, kind="stable")
    if not len(rows) or rows.iloc[0].share < CONFUSED_FROM:
        return None
    worst = rows.iloc[0]
    return Finding(
        "confusion",
        UNDECIDED,  # the most frequent one of many is a description, no order
        {
            "share": worst.share, "method": Named("method", worst.source), "n": int(worst.n),
            "target": Named("annotator", worst.target),
            "attributed": Named("annotator", worst.attributed),
        },
        int(worst.n),
        "texts",
        None,
        ComparisonSet((worst.target,), int(worst.n), worst.view, 1, (worst.source,)),
        "the most frequent of several confusions; its order among them was not tested",
        ("significant",),
    )  # fmt: skip


def llm_judge(
    report: EvaluationReport, judge: Mapping[str, Any], target: str = ALL
) -> Finding | None:
    """Return how an LLM judge names the authors of people's texts, and what it says of methods if
    it is significantly better than chance at that."""
    measure, k = judge["measure"], judge["config"]["k"]
    own = report.row(HUMAN, measure, k, target)
    values: dict[str, Any] = {"judge": judge["judge"], "methods": [], "of_use": False}
    for key in ("positions", "position_p"):
        values[key] = judge.get(key)
    if own is None or pd.isna(own["value"]):
        return Finding("judge", UNDEFINED, values, compared=_compared(report, measure, k, target),
                       reason="it was not tried on the targets' own texts")  # fmt: skip
    of_use = _side(own) == "above"
    values |= {
        "human": own["value"], "low": own["low"], "high": own["high"], "chance": own["chance"],
        "of_use": of_use,
    }  # fmt: skip
    if of_use:
        values["methods"] = [
            {"method": Named("method", row.source), "value": row.value, "low": row.low,
             "high": row.high, "n": int(row.n)}
            for row in _methods_by(report, measure, target, k)
        ]  # fmt: skip
    return Finding(
        "judge",
        DECIDED if of_use else UNDECIDED,
        values,
        int(own["n"]),
        "trials",
        (own["low"], own["high"]),
        _compared(report, measure, k, target),
        "" if of_use else "it is not significantly better than chance on people's texts",
        ("best", "nearest"),
    )


def likelihood(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return how well the annotators' adapters name people's authors, and which sources they wrote
    themselves."""
    about = report.likelihood
    rows = report.scores[report.scores["measure"] == LIKELIHOOD_MEASURE]
    rows = rows[(rows["source"] == HUMAN) & (rows["target"] == target) & rows["value"].notna()]
    if not about or not len(rows):
        return None
    row = rows.sort_values("k").iloc[0]
    side = _side(row)
    return Finding(
        "likelihood",
        DECIDED if side else UNDECIDED,
        {
            "value": row.value, "low": row.low, "high": row.high, "chance": row.chance,
            "side": side, "k": int(row.k), "texts": about["calibration_texts"],
            "same_training": [Named("method", name) for name in about["same_training"]],
        },
        int(row.n),
        "texts" if row.k == 1 else "groups of texts",
        (row.low, row.high),
        _compared(report, LIKELIHOOD_MEASURE, int(row.k), target),
        "" if side else "not significantly different from chance",
    )  # fmt: skip


def eyes(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return whether independent measures of imitation name different methods as nearest; None
    where they agree, or there are fewer than two."""
    away = report.human_distance
    if not len(away.contrasts):  # reports of earlier versions
        return None
    k = min(report.config.pool)
    found = compare_eyes(away if target == ALL else away.of_target(target), k)
    targets = report.targets if target == ALL else (target,)
    return None if found is None else of_eyes(found, targets, report.n_items)


def of_eyes(found: EyeComparison, targets: Sequence[str], n_items: int) -> Finding | None:
    """Return the finding on a comparison of measures; None where they agree."""
    if not found.differ:
        return None
    taus = [one.tau for one in found.agreements if not math.isnan(one.tau)]
    return Finding(
        "eyes",
        DECIDED if found.significant else UNDECIDED,
        {
            "nearest": [
                {"method": Named("method", method), "eye": eye_in_words(eye)}
                for eye, method in found.nearest.items()
            ],
            "tau_low": min(taus, default=math.nan), "tau_high": max(taus, default=math.nan),
            "n_methods": len(found.methods),
        },
        len(found.methods),
        "methods",
        None,
        ComparisonSet(tuple(targets), n_items, "", found.k, found.methods),
        "" if found.significant else "none of the differences is significant by itself",
        ("best", "is nearest"),
    )  # fmt: skip


def seeds(report: EvaluationReport, target: str = ALL) -> Finding | None:
    """Return the spread of attribution over runs and samples of each method that has several."""
    name, k = report.config.views[0].name, min(report.config.pool)
    rows = [row for row in _methods_by(report, name, target, k) if pd.notna(row.seed_spread)]
    if not rows:
        return None
    methods = [
        {"method": Named("method", row.source), "spread": row.seed_spread, "n": int(row.replicates)}
        for row in rows
    ]
    return Finding("seeds", DECIDED, {"methods": methods}, min(one["n"] for one in methods),
                   "values", None, _compared(report, name, k, target))  # fmt: skip


def readable(report: EvaluationReport) -> Finding | None:
    """Return how many answers have a label and an explanation; None where all have."""
    rows = [s for s in report.sources if s.name in report.method_names and s.unread]
    if not rows:
        return None
    methods = [
        {"method": Named("method", one.name), "readable": one.responses - one.unread,
         "n": one.responses}
        for one in rows
    ]  # fmt: skip
    return Finding("unread", DECIDED, {"methods": methods}, sum(one.responses for one in rows),
                   "answers", None, ComparisonSet(report.targets, report.n_items))  # fmt: skip


def left_out(report: EvaluationReport) -> Finding | None:
    """Return what is outside the comparison: annotators whom not every method imitates, and answers
    to items that not every method answered."""
    methods = [source for source in report.sources if source.name in report.method_names]
    imitated = list(dict.fromkeys(name for one in methods for name in one.targets))
    apart = [name for name in report.annotators if name in imitated and name not in report.targets]
    dropped = [
        {"method": Named("method", one.name), "left_out": one.left_out}
        for one in methods
        if one.left_out
    ]
    if not apart and not dropped:
        return None
    values = {
        "apart": _annotators(apart), "dropped": dropped, "targets": _annotators(report.targets),
        "n_methods": len(methods),
    }  # fmt: skip
    return Finding("left out", DECIDED, values, sum(one["left_out"] for one in dropped), "answers",
                   None, ComparisonSet(report.targets, report.n_items))  # fmt: skip


def missing(report: EvaluationReport) -> Finding | None:
    """Return the methods that were expected and have no result; None where none is missing."""
    statement = next((one for one in report.statements if one.topic == "missing"), None)
    if statement is None:
        return None
    return Finding("missing", DECIDED, {"statement": statement})


def clearly_nearest(report: EvaluationReport, measure: str, k: int, target: str = ALL) -> str:
    """Return the method that may be set in bold: significantly better by this measure than every
    other, and not beyond the human's own value; "" for none.

    Where the human's value is the aim, better is nearer to it. A method alone is compared with
    nothing.
    """
    names = report.method_names
    won = {name: set(_beaten(report, name, measure, k, target)) for name in names}
    first = next((name for name in names if len(won[name]) == len(names) - 1 > 0), "")
    row = report.row(first, measure, k, target) if first else None
    if row is None or is_beyond(row["value"], row["ceiling"], row["better"]):
        return ""
    return first


def _beaten(
    report: EvaluationReport, name: str, measure: str, k: int, target: str
) -> Iterator[str]:
    for other in report.method_names:
        if other != name:
            found = report.difference(name, other, measure, k, target)
            if found is not None and found.verdict == "better":
                yield other


def is_beyond(value: float, human: float, better: str) -> bool:
    """Return whether a value is beyond the human's own, in the direction `better`."""
    if math.isnan(human):
        return False
    return value < human if better == "lower" else value > human
