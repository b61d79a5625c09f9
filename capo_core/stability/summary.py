"""Statements about a report: sentences generated from its numbers.

Each function looks at the measured tables and returns one statement, or None where its measure was
not computed. Every branch is decided by a number, and no sentence depends on the dataset's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from capo_core.formatting import Statement
from capo_core.text.reductions import REDUCTIONS, find_reduction
from capo_core.text.representations import REPRESENTATIONS, find_representation

IDENTIFYING = 0.9  # accuracies from here on are called identifying
NEARLY_SUFFICIENT = 0.8  # from here on a single explanation is called nearly sufficient
MASKED = "mask_input"  # the reduction that headlines are about, where it was computed
MOST_POOLED = 16  # explanations in a headline; larger groups are few and uncertain

Tables = Mapping[str, pd.DataFrame]


def statements(tables: Tables) -> tuple[Statement, ...]:
    """Return all statements that the tables allow, the most important first."""
    made = (
        _headline(tables),
        _reduction(tables),
        _views(tables),
        _label(tables),
        _variance(tables),
        _null(tables),
        _leak(tables),
        _unsupervised(tables),
    )
    return tuple(statement for statement in made if statement is not None)


def _row(frame: pd.DataFrame, **wanted) -> pd.Series | None:
    """Return the first row with these values; None without one."""
    for column, value in wanted.items():
        if column not in frame:
            return None
        frame = frame[frame[column] == value]
    return frame.iloc[0] if len(frame) else None


def _accuracy(name: str, row: pd.Series) -> tuple[str, dict[str, Any]]:
    """Return a template for an accuracy with its interval, and the values it needs."""
    values = {
        name: float(row.accuracy),
        f"{name}_low": 100 * float(row.low),
        f"{name}_high": 100 * float(row.high),
    }
    return f"{{{name}:percent}} [{{{name}_low:.0f}}–{{{name}_high:.0f}}]", values


def _view(name: str) -> str:
    return find_representation(name).in_words


def _main_view(ladder: pd.DataFrame) -> str | None:
    """Return the representation of headlines: the first measured one in the registry's order."""
    measured = set(ladder["representation"]) if len(ladder) else set()
    return next((name for name in REPRESENTATIONS if name in measured), None)


def _main_reduction(frame: pd.DataFrame, view: str) -> str:
    """Return the reduction of headlines: masking where it was computed, else the first one."""
    computed = set(frame.loc[frame["representation"] == view, "reduction"])
    if MASKED in computed:
        return MASKED
    return next((name for name in REDUCTIONS if name in computed), min(computed))


def _in_words(reduction: str) -> str:
    """Return the end of a phrase, with its space: " with input words masked"; "" for none."""
    return "" if reduction == "none" else f" {find_reduction(reduction).in_words}"


def headline_points(
    ladder: pd.DataFrame, view: str | None = None, reduction: str | None = None
) -> tuple[pd.Series, pd.Series] | None:
    """Return the rows of the ladder that a headline is about: the smallest k, and the pooled one.

    The pooled one is the largest k up to `MOST_POOLED`.

    Args:
        view, reduction: another representation or reduction than the main one.
    """
    view = view or _main_view(ladder)
    if view is None:
        return None
    reduction = reduction or _main_reduction(ladder, view)
    rows = ladder[(ladder["representation"] == view) & (ladder["reduction"] == reduction)]
    if rows.empty:
        return None
    single = rows[rows["k"] == rows["k"].min()].iloc[0]
    return single, rows[rows["k"] <= max(MOST_POOLED, single.k)].sort_values("k").iloc[-1]


def _headline(tables: Tables) -> Statement | None:
    points = headline_points(tables["ladder"])
    if points is None:
        return None
    single, pooled = points
    view, reduction = single.representation, single.reduction
    shown, values = _accuracy("accuracy", single)
    values |= {
        "view": _view(view),
        "reduction": _in_words(reduction),
        "k": int(single.k),
        "chance": float(single.chance),
        "n_items": int(single.n_items),
    }
    template = (
        "Attribution accuracy from {k:count explanation}, by {view}{reduction}: "
        + shown
        + " (chance {chance:percent}, {n_items:count item})"
    )
    if pooled.k > single.k:
        shown, more = _accuracy("pooled", pooled)
        values |= {**more, "k_pooled": int(pooled.k)}
        template += "; from {k_pooled} pooled: " + shown
    template += "."
    if single.p_value is not None and single.p_value > 0.05:
        values["p"] = float(single.p_value)
        template += " A single explanation does not exceed the permutation null (p = {p:.2f})."
    elif single.low >= NEARLY_SUFFICIENT:
        template += (
            " A single explanation is nearly sufficient here: these annotators write very "
            "differently."
        )
    return Statement("headline", template, values)


def _views(tables: Tables) -> Statement | None:
    ladder = tables["ladder"]
    at_one = ladder[(ladder["k"] == 1) & (ladder["reduction"] == "none")]
    if len(at_one) < 2:
        return None
    ranked = at_one.sort_values("accuracy", ascending=False)
    best, worst = ranked.iloc[0], ranked.iloc[-1]
    (highest, values), (lowest, more) = _accuracy("best", best), _accuracy("worst", worst)
    values |= {
        **more,
        "best_view": _view(best.representation),
        "worst_view": _view(worst.representation),
    }
    if best.low <= worst.high:
        template = (
            "From a single explanation, the representations do not differ clearly: {best_view} "
            f"{highest}, {{worst_view}} {lowest}."
        )
    else:
        template = (
            f"From a single explanation, accuracy is highest with {{best_view}} ({highest}) and "
            f"lowest with {{worst_view}} ({lowest})."
        )
    return Statement("views", template, values)


def _reduction(tables: Tables) -> Statement | None:
    ladder, controls = tables["ladder"], tables["controls"]
    view = _main_view(ladder)
    keys = {"representation": view, "k": 1}
    before = _row(ladder, reduction="none", **keys)
    after = _row(ladder, reduction=MASKED, **keys)
    control = REDUCTIONS[MASKED].control
    random = _row(controls, control=control.name, **keys)
    if before is None or after is None or random is None:
        return None
    shown, values = _accuracy("random", random)
    values |= {
        "view": _view(view),
        "before": float(before.accuracy),
        "after": float(after.accuracy),
        "gain": 100 * float(after.accuracy - before.accuracy),
        "over_control": float(after.accuracy - random.accuracy),
    }
    template = (
        "Masking the input words changes the accuracy by {view} by {gain:signed 0} percentage "
        "points, from {before:percent} to {after:percent}; masking as many random words gives "
        f"{shown}. "
    )
    if before.low >= NEARLY_SUFFICIENT:
        template += "With {before:percent} before any masking, input content hides little here."
    elif after.low > random.high:
        template += (
            "Input content therefore obscures the annotators ({over_control:points} above the "
            "control)."
        )
    else:
        template += "This does not exceed the control: input content obscures little here."
    return Statement("reduction", template, values)


def _label(tables: Tables) -> Statement | None:
    controls = tables["controls"]
    rows = controls[controls["control"] == "label"].sort_values("k")
    if rows.empty:
        return None
    single, most = rows.iloc[0], rows.iloc[-1]
    (one, values), (many, more) = _accuracy("single", single), _accuracy("most", most)
    values |= {**more, "k": int(most.k)}
    template = f"Attribution accuracy from labels alone: {one} from one item, {many} from {{k}}"
    if most.accuracy >= IDENTIFYING:
        template += (
            "; pooled labels identify annotators by themselves, so pooled accuracies of texts are "
            "no evidence of style here."
        )
    elif single.low > single.chance and most.accuracy > 2 * single.chance:
        template += (
            "; annotators differ in label use, which may account for part of the gain from pooling."
        )
    elif single.low > single.chance:
        template += "; label use differs slightly."
    else:
        template += "; label use hardly differs."
    same = controls[(controls["control"] == "same_label") & (controls["reduction"] == "none")]
    if len(same):
        best = same.sort_values("accuracy").iloc[-1]
        shown, more = _accuracy("same", best)
        values |= {**more, "view": _view(best.representation), "pairs": int(best.n_groups)}
        template += (
            " Where two annotators gave an item the same label, their texts are still matched "
            f"correctly in {shown} of cases by {{view}} (chance 50\u00a0%, {{pairs:count pair}})."
        )
    return Statement("label", template, values)


def _variance(tables: Tables) -> Statement | None:
    variance = tables["variance"]
    view = _main_view(variance)
    before = _row(variance, representation=view, reduction="none") if view else None
    if before is None or pd.isna(before["item"]):
        return None
    shares = {name: float(before[name]) for name in ("item", "annotator", "residual")}
    order = sorted(("item", "annotator"), key=shares.get, reverse=True)
    values = {"view": _view(view), **{name: max(share, 0.0) for name, share in shares.items()}}
    template = "Of the variance of {view}, " + " and ".join(
        f"the {name} explains {{{name}:percent 1}}" for name in order
    )
    template += "; {residual:percent 1} is unexplained (interaction and noise)."
    if shares["annotator"] <= 0:
        template += " The annotator share is not above zero."
    elif shares["item"] > shares["annotator"]:
        values["ratio"] = shares["item"] / shares["annotator"]
        template += " The item share is {ratio:.0f} times the annotator share."
    else:
        template += " The annotator share exceeds the item share."
    after = _row(variance, representation=view, reduction=MASKED)
    if after is not None and after["annotator"] > 0 and shares["annotator"] > 0:
        values |= {
            "ratio_after": float(after["item"] / after["annotator"]),
            "reduction": find_reduction(MASKED).in_words,
        }
        template += " Measured {reduction}, this ratio is {ratio_after:.1f}."
    return Statement("variance", template, values)


def _null(tables: Tables) -> Statement | None:
    ladder, controls = tables["ladder"], tables["controls"]
    tested = ladder[ladder["p_value"].notna()] if "p_value" in ladder else ladder
    if tested.empty:
        return None
    worst = tested.sort_values("p_value").iloc[-1]
    values: dict[str, Any] = {
        "points": len(tested),
        "p": float(worst.p_value),
        "view": _view(worst.representation),
        "reduction": find_reduction(worst.reduction).in_words,
        "k": int(worst.k),
    }
    template = (
        "Against the permutation null (annotators shuffled within items), the largest p-value of "
        "{points:count point} of the ladder is {p:.3f} ({view} {reduction}, k = {k})."
    )
    given = _row(controls, control="input", k=1)
    if given is not None and given.p_value is not None:
        shown, more = _accuracy("input", given)
        values |= {**more, "input_p": float(given.p_value)}
        template += (
            f" The input texts alone, the same for all annotators, reach {shown} "
            "(p = {input_p:.2f})."
        )
    return Statement("null", template, values)


def _leak(tables: Tables) -> Statement | None:
    others = _row(tables["controls"], control="others_mean", k=1)
    centred = _row(tables["controls"], control="item_centred", k=1)
    if others is None or centred is None:
        return None
    shown, values = _accuracy("others", others)
    values["centred"] = float(centred.accuracy)
    template = (
        "Item-centering would reach {centred:percent}, but the mean of the other annotators' "
        f"texts, without the annotator's own, already reaches {shown}: "
    )
    if others.low > others.chance:
        template += "item-centering leaks other annotators' texts, so it is not used."
    else:
        template += "no leak is visible here, but item-centering is not used in any case."
    return Statement("leak", template, values)


def _unsupervised(tables: Tables) -> Statement | None:
    frame = tables["unsupervised"]
    view = _main_view(frame)
    if view is None:
        return None
    reduction = _main_reduction(frame, view)
    rows = frame[(frame["representation"] == view) & (frame["reduction"] == reduction)]
    rows = rows.sort_values("k")
    first, last = rows.iloc[0], rows[rows["k"] <= max(MOST_POOLED, rows["k"].min())].iloc[-1]
    pair = "two explanations" if first.k == 1 else "two groups of {k} explanations"
    template = (
        f"Without any training, {pair} of one annotator are closer than two of different "
        "annotators with probability {auc:.2f} [{low:.2f}–{high:.2f}], by {view}{reduction}"
    )
    values: dict[str, Any] = {
        "k": int(first.k),
        "view": _view(view),
        "reduction": _in_words(reduction),
        **{name: float(first[name]) for name in ("auc", "low", "high")},
    }
    if last.k > first.k:
        values |= {
            "k_last": int(last.k),
            **{f"{name}_last": float(last[name]) for name in ("auc", "low", "high")},
        }
        template += "; groups of {k_last} with {auc_last:.2f} [{low_last:.2f}–{high_last:.2f}]"
    return Statement("unsupervised", template + " (chance 0.50).", values)
