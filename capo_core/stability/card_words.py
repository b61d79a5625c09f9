"""The sentences on an annotator's card. Every one carries the numbers it is made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from capo_core.stability.label_use import AnnotatorLabels, LabelUse

if TYPE_CHECKING:
    from capo_core.stability.cards import Cue, Length

MIN_LABELS = 10


def labels(use: AnnotatorLabels, n: int) -> tuple[str, ...]:
    """One or two sentences on how the labels are used."""
    if n < MIN_LABELS:
        return (f"{_count(n, 'annotation')}: too few to say how the labels are used.",)
    if math.isnan(use.labels[0].share_others):
        most = max(use.labels, key=lambda label: label.share)
        return (
            f"Most often chooses “{most.label}”: {_with_interval(most)} of {n} labels. "
            "There is nobody to compare with.",
        )
    sentences = []
    if use.mean is not None and math.isfinite(use.mean.low):
        apart = use.mean.low > 0 or use.mean.high < 0
        sentences.append(
            f"Labels {_signed(use.own_mean)} on average, the others {_signed(use.others_mean)}: "
            f"{'a difference of' if apart else 'no clear difference,'} {_signed(use.mean.value)} "
            f"(95 % interval {_signed(use.mean.low)} to {_signed(use.mean.high)})."
        )
    clear = [label for label in use.labels if label.differs]
    far = max(clear or use.labels, key=_distance)
    others = f"the others in {_percent(far.share_others)}"
    if clear:
        more = "more" if far.share > far.share_others else "less"
        sentences.append(
            f"Chooses “{far.label}” {more} often: {_with_interval(far)} of {n} labels, {others}."
        )
    else:
        sentences.append(
            "Uses the labels much as the others do: the largest difference is "
            f"“{far.label}”, in {_with_interval(far)} of {n} labels, {others}."
        )
    return tuple(sentences)


def wording(
    n: int, least: int, n_writers: int, length: Length | None, cues: Sequence[Cue]
) -> tuple[str, ...]:
    """Sentences on the wording of `n` explanations; `n_writers` annotators wrote any."""
    if not n:
        return ("Wrote no explanations.",)
    if n < least or length is None:
        return (f"{_count(n, 'explanation')}: too few to say what sets their wording apart.",)
    own = (
        f"Explanations have {length.median:.0f} words in the median, the middle half "
        f"{length.low_quarter:.0f} to {length.high_quarter:.0f}"
    )
    if n_writers < 2:
        return (f"{own}. Nobody else explains, so that nothing can be called distinctive.",)
    sentences = [f"{own}; the others' median is {length.others:.0f}."]
    more = [cue for cue in cues if cue.kind == "phrase" and cue.strength > 0]
    less = [cue for cue in cues if cue.kind == "phrase" and cue.strength < 0]
    habits = [cue for cue in cues if cue.kind == "habit"]
    if more:
        sentences.append(f"Marked by {_listed([_phrase(cue) for cue in more[:4]])}.")
    if less:
        sentences.append(f"Less often than others: {_listed([_phrase(cue) for cue in less[:2]])}.")
    if habits:
        sentences.append(f"Habits: {'; '.join(_habit(cue) for cue in habits[:3])}.")
    if not cues:
        sentences.append(f"No phrase or habit stands out beyond chance in {n} explanations.")
    return tuple(sentences)


def _phrase(cue: Cue) -> str:
    own, others = _percent(cue.own / 100), _percent(cue.others / 100)
    return f"{cue.text} (in {own} of explanations, others {others})"


def _habit(cue: Cue) -> str:
    if cue.unit == "percent of explanations":
        return f"{_percent(cue.own / 100)} {cue.text}, others {_percent(cue.others / 100)}"
    if cue.unit == "percent of words":
        own, others = _percent(cue.own / 100, 1), _percent(cue.others / 100, 1)
        return f"{cue.text} are {own} of the words, others {others}"
    unit = "" if cue.unit == "count" else f" {cue.unit}"
    return f"{cue.text}: {cue.own:.1f}{unit}, others {cue.others:.1f}"


def _percent(share: float, digits: int = 0) -> str:
    """ "12 %", "0.4 %"; what would be rounded to nothing or to all is "under" or "over"."""
    digits = 1 if 0 < share < 0.01 else digits
    step = 10.0**-digits
    value = 100 * share
    if 0 < value < step / 2:
        return f"under {step:g} %"
    if 100 - step / 2 < value < 100:
        return f"over {100 - step:g} %"
    return f"{value:.{digits}f} %"


def _distance(label: LabelUse) -> tuple[float, float]:
    """Largest difference first; of two equal ones, the label that is chosen more."""
    difference = label.share - label.share_others
    return round(abs(difference), 9), difference


def _with_interval(label: LabelUse) -> str:
    return f"{_percent(label.share)} (95 % interval {100 * label.low:.0f}–{100 * label.high:.0f} %)"


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
