"""The claims of a stability report: one function for each claim, from its tables.

`stability.summary` puts the findings into words; page, overview, command line and JSON show them.
No order is claimed that the intervals do not carry: of two accuracies, one is higher where their
95 % intervals do not overlap (which is stricter than a test of the difference) and have a width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from capo_core.findings import DECIDED, UNDECIDED, ComparisonSet, Finding
from capo_core.stats.significance import SIGNIFICANCE_LEVEL
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS

IDENTIFYING = 0.9  # accuracies whose intervals begin here are called identifying
NEARLY_SUFFICIENT = 0.8  # from here on a single explanation is called nearly sufficient
MASKED = "mask_input"  # the reduction that headlines are about, where it was computed
# Controls that use no explanation: they belong to every representation.
TEXTLESS = ("label", "length", "formatting", "input")
MOST_POOLED = 16  # explanations in a headline; larger groups are few and uncertain

Tables = Mapping[str, pd.DataFrame]
# Accuracies say nothing of how alike annotators are, and a null that is not exceeded is no proof.
_NO_PROOF = ("beyond doubt", "proves", "indistinguishable", "identical", "hardly differs")


def findings(tables: Tables) -> tuple[Finding, ...]:
    """Return everything that the tables show, the most important first."""
    made = (
        identification(tables["ladder"]),
        confound(tables["ladder"]),
        reduction(tables),
        representations(tables["ladder"]),
        labels(tables["controls"]),
        variance(tables["variance"]),
        null(tables),
        leak(tables["controls"]),
        unsupervised(tables["unsupervised"]),
    )
    return tuple(finding for finding in made if finding is not None)


def of_view(tables: Tables, view: str) -> Tables:
    """Return the tables with the rows of one representation, and those that belong to none.

    Findings of them are about this representation; what was measured with another one only (as the
    leak of centering, with the first) is not found.
    """
    found = dict(tables)
    for name in ("ladder", "controls", "variance", "unsupervised"):
        frame = tables[name]
        if len(frame):
            here = frame["representation"] == view
            if name == "controls":
                here |= frame["control"].isin(TEXTLESS)
            found[name] = frame[here]
    return found


def row_of(frame: pd.DataFrame, **wanted: Any) -> pd.Series | None:
    """Return the first row with these values; None without one."""
    for column, value in wanted.items():
        if column not in frame:
            return None
        frame = frame[frame[column] == value]
    return frame.iloc[0] if len(frame) else None


def main_view(frame: pd.DataFrame) -> str | None:
    """Return the representation of headlines: the first measured one in the registry's order."""
    measured = set(frame["representation"]) if len(frame) else set()
    return next((name for name in REPRESENTATIONS if name in measured), None)


def main_reduction(frame: pd.DataFrame, view: str) -> str:
    """Return the reduction of headlines: masking where it was computed, else the first one."""
    computed = set(frame.loc[frame["representation"] == view, "reduction"])
    if MASKED in computed:
        return MASKED
    return next((name for name in REDUCTIONS if name in computed), min(computed))


def _point(row: Any) -> dict[str, Any]:
    """Return an accuracy with its interval, as values of a finding."""
    return {
        "value": float(row.accuracy), "low": float(row.low), "high": float(row.high),
        "k": int(row.k), "n": int(row.n_items), "chance": float(row.chance),
    }  # fmt: skip


def _p(row: Any) -> float:
    return _number(getattr(row, "p_value", None))


def _number(value: Any) -> float:
    """Return the value as a number; NaN where it is not defined."""
    return math.nan if value is None or pd.isna(value) else float(value)


def _over(row: Any, level: float) -> bool:
    """Return whether an interval lies above a level; one without width carries nothing."""
    return bool(level < row.low < row.high)


def _apart(row: Any, other: Any) -> bool:
    """Return whether the interval of `row` lies above that of `other`, and both have a width."""
    return bool(_over(row, other.high) and other.low < other.high)


def _above_chance(row: Any) -> bool:
    """Return whether an accuracy is above chance, by its interval and, where there is one, by the
    permutation null."""
    p = _p(row)
    return _over(row, row.chance) and not p > SIGNIFICANCE_LEVEL


def headline_points(
    ladder: pd.DataFrame, view: str | None = None, reduction: str | None = None
) -> tuple[pd.Series, pd.Series] | None:
    """Return the rows of the ladder that a headline is about: the smallest k, and the pooled one.

    The pooled one is the largest k up to `MOST_POOLED`.

    Args:
        view, reduction: another representation or reduction than the main one.
    """
    view = view or main_view(ladder)
    if view is None or ladder.empty or view not in set(ladder["representation"]):
        return None
    reduction = reduction or main_reduction(ladder, view)
    rows = ladder[(ladder["representation"] == view) & (ladder["reduction"] == reduction)]
    if rows.empty:
        return None
    single = rows[rows["k"] == rows["k"].min()].iloc[0]
    return single, rows[rows["k"] <= max(MOST_POOLED, single.k)].sort_values("k").iloc[-1]


def identification(
    ladder: pd.DataFrame, view: str | None = None, reduction: str | None = None
) -> Finding | None:
    """Return the attribution accuracy from one explanation, and from several pooled, under one
    reduction.

    Args:
        view, reduction: None for those of headlines.
    """
    points = headline_points(ladder, view, reduction)
    if points is None:
        return None
    single, pooled = points
    view, reduction = single.representation, single.reduction
    confounded = _shared(single) == 0
    above = _above_chance(single) and not confounded
    why = "items and annotators are confounded" if confounded else ""
    return Finding(
        "headline",
        DECIDED if above else UNDECIDED,
        {
            "view": view, "reduction": reduction, "single": _point(single), "p": _p(single),
            "pooled": _point(pooled) if pooled.k > single.k else None,
            "sufficient": bool(above and single.low >= NEARLY_SUFFICIENT),
            "confounded": confounded, "single_places": _places(single),
            "pooled_places": _places(pooled) if pooled.k > single.k else None,
        },
        int(single.n_items),
        "items",
        (float(single.low), float(single.high)),
        ComparisonSet((), int(single.n_items), view, int(single.k)),
        "" if above else why or "a single explanation is not significantly above chance",
        _NO_PROOF,
    )  # fmt: skip


def _shared(row: pd.Series) -> float:
    """Return the number of items with two annotators or more; NaN in former reports."""
    return _number(row.get("n_shared"))


def _places(row: pd.Series) -> dict[str, float] | None:
    """Return accuracy within the likeliest five and mean rank; None for few annotators."""
    names = [f"{name}{end}" for name in ("top5", "mean_rank") for end in ("", "_low", "_high")]
    if any(row.get(name) is None or pd.isna(row.get(name)) for name in names):
        return None
    return {name: float(row[name]) for name in names} | {"annotators": int(row["n_annotators"])}


def confound(ladder: pd.DataFrame) -> Finding | None:
    """Return how many items have one annotator only, where that is most or all of them.

    On such items texts cannot be shuffled between annotators, and what an item is about cannot be
    told from who wrote of it.
    """
    points = headline_points(ladder)
    if points is None:
        return None
    single = points[0]
    shared, items = _shared(single), int(single.n_items)
    if not shared < items / 2:  # also where it is not known
        return None
    return Finding(
        "confound",
        DECIDED,
        {"shared": int(shared), "items": items},
        items,
        "items",
        None,
        ComparisonSet((), items, "", int(single.k)),
        "",
        _NO_PROOF,
    )


def reduction(tables: Tables) -> Finding | None:
    """Return what masking the input words changes, against masking as many random words."""
    ladder, controls = tables["ladder"], tables["controls"]
    view = main_view(ladder)
    keys = {"representation": view, "k": 1}
    before = row_of(ladder, reduction="none", **keys)
    after = row_of(ladder, reduction=MASKED, **keys)
    random = row_of(controls, control=REDUCTIONS[MASKED].control.name, **keys)
    if before is None or after is None or random is None:
        return None
    over = _apart(after, random)
    return Finding(
        "reduction",
        DECIDED if over else UNDECIDED,
        {
            "view": view, "before": _point(before), "after": _point(after),
            "random": _point(random), "gain": float(after.accuracy - before.accuracy),
            "over_control": float(after.accuracy - random.accuracy),
            "saturated": bool(before.low >= NEARLY_SUFFICIENT and _shared(before) != 0),
        },
        int(after.n_items),
        "items",
        (float(after.low - random.high), float(after.high - random.low)),
        ComparisonSet((), int(after.n_items), view, 1),
        "" if over else "the intervals of masking and of its control overlap",
        _NO_PROOF,
    )  # fmt: skip


def representations(ladder: pd.DataFrame) -> Finding | None:
    """Return which representation names annotators best from one explanation; decided where the
    interval of the highest accuracy is above all others."""
    rows = ladder
    if len(ladder):
        rows = ladder[(ladder["k"] == 1) & (ladder["reduction"] == "none")]
    if len(rows) < 2:
        return None
    ranked = list(rows.sort_values("accuracy", ascending=False, kind="stable").itertuples())
    best, others = ranked[0], ranked[1:]
    tied = [row for row in others if not _apart(best, row)]
    below = [row for row in others if _apart(best, row)]
    return Finding(
        "views",
        UNDECIDED if tied else DECIDED,
        {
            "best": {"view": best.representation, **_point(best)},
            "tied": [{"view": row.representation, **_point(row)} for row in tied],
            "below": [{"view": row.representation, **_point(row)} for row in below],
        },
        int(best.n_items),
        "items",
        (float(best.low), float(best.high)),
        ComparisonSet((), int(best.n_items), "", 1, tuple(row.representation for row in ranked)),
        "intervals overlap" if tied else "",
        ("highest",) if tied else (),
    )  # fmt: skip


def labels(controls: pd.DataFrame) -> Finding | None:
    """Return how well annotators are named from labels alone, and from texts with equal labels."""
    rows = controls[controls["control"] == "label"] if len(controls) else controls
    if rows.empty:
        return None
    rows = rows.sort_values("k")
    single, most = rows.iloc[0], rows.iloc[-1]
    above = _above_chance(single)
    same = controls[(controls["control"] == "same_label") & (controls["reduction"] == "none")]
    matched = None
    if len(same):
        # The representation of headlines: the highest of several would be above 50 % more often.
        view = main_view(same)
        row = same.iloc[0] if view is None else row_of(same, representation=view)
        matched = {
            "view": row.representation, "value": float(row.accuracy), "low": float(row.low),
            "high": float(row.high), "pairs": int(row.n_groups), "above": _over(row, 0.5),
        }  # fmt: skip
    return Finding(
        "label",
        DECIDED if above else UNDECIDED,
        {
            "single": _point(single), "most": _point(most), "above": above,
            "identifying": bool(most.low >= IDENTIFYING),
            "pooling": _apart(most, single), "same_label": matched,
        },
        int(single.n_items),
        "items",
        (float(single.low), float(single.high)),
        ComparisonSet((), int(single.n_items), "label", int(single.k)),
        "" if above else "labels alone are not significantly above chance",
        _NO_PROOF,
    )  # fmt: skip


def variance(frame: pd.DataFrame) -> Finding | None:
    """Return the shares of item, annotator and residual in the variance of a representation.

    Decided: the annotator's share has an interval above 0, and the item's does not overlap with it.
    """
    view = main_view(frame)
    row = row_of(frame, representation=view, reduction="none") if view else None
    if row is None or pd.isna(row["item"]):
        return None
    low, high = (_number(row.get(f"annotator_{end}")) for end in ("low", "high"))
    item, annotator = float(row["item"]), float(row["annotator"])
    order = _larger_share(row)
    masked = row_of(frame, representation=view, reduction=MASKED)
    after = _larger_share(masked) if order and masked is not None else ""
    return Finding(
        "variance",
        DECIDED if order else UNDECIDED,
        {
            "view": view, "item": item, "annotator": annotator, "low": low, "high": high,
            "item_low": _number(row.get("item_low")), "item_high": _number(row.get("item_high")),
            "residual": float(row["residual"]), "positive": 0 < low < high, "order": order,
            "ratio": item / annotator if order == "item" else math.nan,
            "masked": masked["item"] / masked["annotator"] if after == "item" else None,
        },
        int(row["n_items"]),
        "items",
        (low, high),
        ComparisonSet((), int(row["n_items"]), view),
        "" if order else "the annotator's share is not significantly above 0, or as the item's",
        _NO_PROOF,
    )  # fmt: skip


def _larger_share(row: pd.Series) -> str:
    """Return which of the shares of "item" and "annotator" is larger by intervals that do not
    overlap, the annotator's above 0; "" where none is, or where one has no interval (as in former
    reports)."""
    low, high = (_number(row.get(f"annotator_{end}")) for end in ("low", "high"))
    item_low, item_high = (_number(row.get(f"item_{end}")) for end in ("low", "high"))
    if not (0 < low < high and item_low < item_high):
        return ""
    return "item" if item_low > high else "annotator" if item_high < low else ""


def null(tables: Tables) -> Finding | None:
    """Return the largest p-value of the ladder under the permutation null, and what the input texts
    reach, which are the same for all annotators."""
    ladder, controls = tables["ladder"], tables["controls"]
    tested = ladder[ladder["p_value"].notna()] if "p_value" in ladder else ladder.iloc[:0]
    if tested.empty:
        return None
    worst = tested.sort_values("p_value").iloc[-1]
    given = row_of(controls, control="input", k=1)
    known = given is not None and not math.isnan(_p(given))
    all_above = bool(worst.p_value <= SIGNIFICANCE_LEVEL)
    return Finding(
        "null",
        DECIDED if all_above else UNDECIDED,
        {
            "points": len(tested), "p": float(worst.p_value), "view": worst.representation,
            "reduction": worst.reduction, "k": int(worst.k),
            "input": _point(given) if known else None, "input_p": _p(given) if known else math.nan,
        },
        len(tested),
        "points of the ladder",
        None,
        ComparisonSet((), int(worst.n_items), worst.representation, int(worst.k)),
        "" if all_above else "not every point of the ladder exceeds the null",
        _NO_PROOF,
    )  # fmt: skip


def leak(controls: pd.DataFrame) -> Finding | None:
    """Return whether centering by item would leak other annotators' texts."""
    others = row_of(controls, control="others_mean", k=1)
    centred = row_of(controls, control="item_centred", k=1)
    if others is None or centred is None or _shared(others) == 0:
        return None
    leaks = _over(others, others.chance)
    return Finding(
        "leak",
        DECIDED if leaks else UNDECIDED,
        {"others": _point(others), "centred": float(centred.accuracy), "leaks": leaks},
        int(others.n_items),
        "items",
        (float(others.low), float(others.high)),
        ComparisonSet((), int(others.n_items), "", 1),
        "" if leaks else "not significantly above chance",
    )


def unsupervised(frame: pd.DataFrame) -> Finding | None:
    """Return how often two explanations of one annotator are closer than two of different ones."""
    view = main_view(frame)
    if view is None:
        return None
    reduction = main_reduction(frame, view)
    rows = frame[(frame["representation"] == view) & (frame["reduction"] == reduction)]
    rows = rows.sort_values("k")
    first, last = rows.iloc[0], rows[rows["k"] <= max(MOST_POOLED, rows["k"].min())].iloc[-1]

    def auc(row: Any) -> dict[str, Any]:
        return {"value": float(row.auc), "low": float(row.low), "high": float(row.high),
                "k": int(row.k)}  # fmt: skip

    above = _over(first, 0.5)
    return Finding(
        "unsupervised",
        DECIDED if above else UNDECIDED,
        {"view": view, "reduction": reduction, "first": auc(first),
         "last": auc(last) if last.k > first.k else None},
        int(getattr(first, "n_items", 0) or 0),
        "items",
        (float(first.low), float(first.high)),
        ComparisonSet((), int(getattr(first, "n_items", 0) or 0), view, int(first.k)),
        "" if above else "not significantly above chance",
    )  # fmt: skip


def above_controls(ladder_rows: pd.DataFrame, control_rows: pd.DataFrame, k: int) -> Finding | None:
    """Return whether the best reduction at one k exceeds all controls, by their intervals.

    Item-centred vectors are shown beside the controls and are none: they contain the explanation
    itself, and a leak.

    Args:
        ladder_rows: of one representation and k; control_rows: of the same k.
    """
    control_rows = control_rows[control_rows["control"] != "item_centred"]
    if control_rows.empty or ladder_rows.empty:
        return None
    best = ladder_rows.iloc[int(ladder_rows["accuracy"].argmax())]
    strongest = control_rows.iloc[int(control_rows["high"].argmax())]
    order = "above" if _apart(best, strongest) else "below" if _apart(strongest, best) else ""
    return Finding(
        "controls",
        DECIDED if order else UNDECIDED,
        {"reduction": best.reduction, "control": strongest.control, "order": order, "k": int(k)},
        int(best.n_items),
        "items",
        (float(best.low - strongest.high), float(best.high - strongest.low)),
        ComparisonSet((), int(best.n_items), best.representation, int(k)),
        "" if order else "their intervals overlap",
    )
