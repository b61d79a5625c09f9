"""What these data say, in sentences made from the numbers.

Each function looks at the measured tables and returns one statement, or None where what it speaks
of was not measured. Every branch is decided by a number; no sentence knows which dataset it is
about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from capo_core.stability.corpus import ExplanationCorpus

_VIEW = {
    "embedding": "meaning (sentence embedding)",
    "words": "wording (words and word pairs)",
    "characters": "spelling (character n-grams)",
    "stylometry": "style features",
}
_REDUCED = {
    "none": "whole text",
    "mask_input": "input words masked",
    "residual": "input predicted away",
    "subspace": "input directions removed",
    "style_only": "manner words only",
}
_STRONG = 0.9  # from here on an accuracy is said to identify
_PLAIN = 0.8  # from here on a single explanation is said to be enough, nearly


@dataclass(frozen=True)
class Statement:
    """One sentence, or a few, about one topic.

    Attributes:
        topic: headline, reduction, views, label, variance, null, leak or unsupervised.
        text: made from the numbers of the report.
    """

    topic: str
    text: str

    def to_dict(self) -> dict:
        return asdict(self)


def statements(
    parts: Mapping[str, pd.DataFrame], corpus: ExplanationCorpus
) -> tuple[Statement, ...]:
    """All that can be said, the most important first."""
    found = (
        ("headline", _headline(parts)),
        ("reduction", _reduction(parts)),
        ("views", _views(parts)),
        ("label", _label(parts)),
        ("variance", _variance(parts)),
        ("null", _null(parts)),
        ("leak", _leak(parts)),
        ("unsupervised", _unsupervised(parts)),
    )
    return tuple(Statement(topic, text) for topic, text in found if text)


def percent(share: float, digits: int = 0) -> str:
    """A share in percent, never rounded up to a certainty that was not measured."""
    text = f"{100 * share:.{digits}f}"
    if float(text) == 100 and share < 1:
        text = f"{100 * share:.{digits + 1}f}"
        text = text if float(text) < 100 else "over 99.9"
    return f"{text} %"


def _row(frame: pd.DataFrame, **wanted) -> pd.Series | None:
    for column, value in wanted.items():
        if column not in frame:
            return None
        frame = frame[frame[column] == value]
    return frame.iloc[0] if len(frame) else None


def _interval(row: pd.Series) -> str:
    return f"{percent(row.accuracy)} [{100 * row.low:.0f}–{100 * row.high:.0f}]"


def _main_view(ladder: pd.DataFrame) -> str | None:
    views = list(dict.fromkeys(ladder["representation"])) if len(ladder) else []
    return "embedding" if "embedding" in views else (views[0] if views else None)


def _best_reduction(ladder: pd.DataFrame, view: str) -> str:
    """The reduction named in the headline: masking where it was measured, else none."""
    has = set(ladder.loc[ladder["representation"] == view, "reduction"])
    return "mask_input" if "mask_input" in has else sorted(has)[0]


def _headline(parts) -> str | None:
    ladder = parts["ladder"]
    view = _main_view(ladder)
    if view is None:
        return None
    reduction = _best_reduction(ladder, view)
    rows = ladder[(ladder["representation"] == view) & (ladder["reduction"] == reduction)]
    single = rows[rows["k"] == rows["k"].min()].iloc[0]
    pooled = rows[rows["k"] <= 16].sort_values("k").iloc[-1]
    masked = " once the item's own words are masked" if reduction == "mask_input" else ""
    one = "one explanation" if single.k == 1 else f"{single.k} explanations"
    text = (
        f"The {_VIEW[view]} of {one} names its author in {_interval(single)} of cases{masked} "
        f"(chance {percent(single.chance)}, {single.n_items} items)"
    )
    if pooled.k > single.k:
        text += f"; {pooled.k} of them together in {_interval(pooled)}"
    if single.p_value is not None and single.p_value > 0.05:
        text += f". A single one does not beat shuffled authors (p = {single.p_value:.2f})"
    elif single.low >= _PLAIN:
        text += ". Here a single one is nearly enough: these annotators write very differently"
    return text + "."


def _views(parts) -> str | None:
    ladder = parts["ladder"]
    at_one = ladder[(ladder["k"] == 1) & (ladder["reduction"] == "none")]
    if len(at_one) < 2:
        return None
    ranked = at_one.sort_values("accuracy", ascending=False)
    best, worst = ranked.iloc[0], ranked.iloc[-1]
    if best.low <= worst.high:
        return (
            f"From a single explanation the views tell about the same: {_VIEW[best.representation]}"
            f" {_interval(best)}, {_VIEW[worst.representation]} {_interval(worst)}."
        )
    return (
        f"From a single explanation, {_VIEW[best.representation]} tells most ({_interval(best)}) "
        f"and {_VIEW[worst.representation]} least ({_interval(worst)}): how much one explanation "
        "gives away depends on what is looked at."
    )


def _reduction(parts) -> str | None:
    ladder, controls = parts["ladder"], parts["controls"]
    view = _main_view(ladder)
    keys = {"representation": view, "k": 1}
    before = _row(ladder, reduction="none", **keys)
    after = _row(ladder, reduction="mask_input", **keys)
    random = _row(controls, control="random_mask", **keys)
    if before is None or after is None or random is None:
        return None
    gain, real = after.accuracy - before.accuracy, after.accuracy - random.accuracy
    text = (
        f"Masking the item's own words changes the accuracy of {_VIEW[view]} by "
        f"{100 * gain:+.0f} points, from {percent(before.accuracy)} to {percent(after.accuracy)}; "
        f"masking as many random words gives {_interval(random)}. "
    )
    if before.low >= _PLAIN:
        return text + (
            f"With {percent(before.accuracy)} before any masking, the input's content hides little "
            "here."
        )
    if after.low > random.high:
        return text + (
            f"So it is the input's content that hides the annotator ({100 * real:.0f} points over "
            "the control)."
        )
    return text + "That is no more than the control: here the input's content hides little."


def _label(parts) -> str | None:
    controls = parts["controls"]
    rows = controls[controls["control"] == "label"].sort_values("k")
    if rows.empty:
        return None
    single, most = rows.iloc[0], rows.iloc[-1]
    text = (
        f"The label alone names the annotator in {_interval(single)} of cases from one item and in "
        f"{_interval(most)} from {most.k}"
    )
    same = controls[(controls["control"] == "same_label") & (controls["reduction"] == "none")]
    best = same.sort_values("accuracy").iloc[-1] if len(same) else None
    if most.accuracy >= _STRONG:
        text += ": pooled, labels identify annotators by themselves, so that pooled accuracies of "
        text += "texts are no proof of manner here"
    elif single.low > single.chance and most.accuracy > 2 * single.chance:
        text += ": annotators differ in how they label, and part of what pooling shows may be that"
    elif single.low > single.chance:
        text += ": label use differs a little"
    else:
        text += ": label use hardly differs"
    text += "."
    if best is not None:
        text += (
            f" Where two annotators gave an item the same label, {_VIEW[best.representation]} still"
            f" tells whose text is whose in {_interval(best)} (chance 50 %, {best.n_groups} pairs)."
        )
    return text


def _variance(parts) -> str | None:
    variance = parts["variance"]
    view = _main_view(variance)
    before = _row(variance, representation=view, reduction="none") if view else None
    if before is None or pd.isna(before["item"]):
        return None
    shares = {name: float(before[name]) for name in ("item", "annotator", "residual")}
    order = sorted(shares, key=shares.get, reverse=True)
    said = {"item": "the item", "annotator": "the annotator", "residual": "the rest (their "
            "interaction and chance)"}  # fmt: skip
    text = f"Of the variance of {_VIEW[view]}, " + ", ".join(
        f"{said[name]} explains {percent(max(shares[name], 0), 1)}" for name in order
    )
    if shares["annotator"] <= 0:
        text += "; the annotator's share is not above zero"
    elif shares["item"] > shares["annotator"]:
        text += f": the item weighs {shares['item'] / shares['annotator']:.0f} times the annotator"
    else:
        text += ": here the annotator weighs more than the item"
    after = _row(variance, representation=view, reduction="mask_input")
    if after is not None and after["annotator"] > 0 and shares["annotator"] > 0:
        ratio = after["item"] / after["annotator"]
        text += f". With the item's words masked it is {ratio:.1f} times"
    return text + "."


def _null(parts) -> str | None:
    ladder, controls = parts["ladder"], parts["controls"]
    tested = ladder[ladder["p_value"].notna()] if "p_value" in ladder else ladder
    if tested.empty:
        return None
    worst = tested.sort_values("p_value").iloc[-1]
    text = (
        f"Against annotators shuffled within items, the largest p-value of {len(tested)} points of "
        f"the ladder is {worst.p_value:.3f} ({_VIEW[worst.representation]}, "
        f"{_REDUCED[worst.reduction]}, k = {worst.k})"
    )
    given = _row(controls, control="input", k=1)
    if given is not None and given.p_value is not None:
        text += (
            f". The input alone, which cannot tell, reaches {_interval(given)} "
            f"(p = {given.p_value:.2f})"
        )
    return text + "."


def _leak(parts) -> str | None:
    others = _row(parts["controls"], control="others_mean", k=1)
    centred = _row(parts["controls"], control="item_centred", k=1)
    if others is None or centred is None:
        return None
    text = (
        f"Subtracting the item's mean would reach {percent(centred.accuracy)}, but the mean of the "
        f"*other* annotators alone, without the own text, already reaches {_interval(others)}"
    )
    if others.low > others.chance:
        return text.replace("*", "") + ": that is a leak, and centering is no reduction."
    return text.replace("*", "") + ": no leak shows here, but centering is not used all the same."


def _unsupervised(parts) -> str | None:
    frame = parts["unsupervised"]
    view = _main_view(frame)
    if view is None:
        return None
    reduction = _best_reduction(frame, view)
    rows = frame[(frame["representation"] == view) & (frame["reduction"] == reduction)]
    rows = rows.sort_values("k")
    first, last = rows.iloc[0], rows[rows["k"] <= 16].iloc[-1]
    masked = ", item words masked," if reduction == "mask_input" else ""
    what = "two explanations" if first.k == 1 else f"two groups of {first.k}"
    return (
        f"Without any training, {what} by one annotator{masked} lie closer than "
        f"two by different annotators with probability {first.auc:.2f} [{first.low:.2f}–"
        f"{first.high:.2f}]; groups of {last.k} with {last.auc:.2f} [{last.low:.2f}–"
        f"{last.high:.2f}] (chance 0.50)."
    )
