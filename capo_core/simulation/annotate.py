"""Annotating an item: a label drawn by item and annotator, and an explanation for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from capo_core.formatting import capitalised
from capo_core.simulation.annotators import GRAMMAR, AnnotatorSpec, WritingStyle
from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import SimulatedItem

# Log-odds-free shares of the three ways to fill a place (without words of the item, in brief, in
# full) at content 0, 1 and 2; in between they are interpolated.
_DETAIL = ((1.0, 0.0, 0.0), (0.03, 0.52, 0.45), (0.0, 0.05, 0.95))
# A bare pronoun is never quoted.
_QUOTED_POINTER = re.compile(r"""["'“](this|that)["'”]""")
_SPACE_BEFORE = re.compile(r"\s+([,;.?!])")


def detail_bounds(content: float, tilt: float) -> tuple[float, ...]:
    """Return cumulative shares of the three ways to fill a place.

    Args:
        content: 0 (never words of the item) to 2 (nearly always, in full).
        tilt: an annotator's preference for full over brief, in nats.
    """
    low = min(int(content), 1)
    part = content - low
    generic, brief, full = (
        (1 - part) * a + part * b for a, b in zip(_DETAIL[low], _DETAIL[low + 1], strict=True)
    )
    return cumulative((generic, brief, full * math.exp(tilt)))


def write(
    start: str, item: SimulatedItem, style: WritingStyle, content: float, draws: Draws
) -> str:
    """Return one explanation, grown from the rule `start`."""
    bounds = detail_bounds(content, style.detail)

    def place(name: str) -> str:
        return item.places[name][draws.weighted(bounds)]

    text = " ".join(GRAMMAR.expand(start, style.bounds, draws, place).split())
    text = _QUOTED_POINTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))
    text = _slips(text, style.slips, draws)
    habits = style.formatting
    capital = draws.chance(habits.capital)
    period = draws.chance(habits.period)
    space = draws.chance(habits.leading_space)
    if capital:
        text = capitalised(text)
    if period and not text.endswith("?"):
        text += "."
    return f" {text}" if space else text


def _slips(text: str, share: float, draws: Draws) -> str:
    """Return `text` with typing errors: in some words, two letters swapped or one left out."""
    words = text.split(" ")
    changed = False
    for i, word in enumerate(words):
        if draws.uniform() < share and len(word) > 4 and word.isalpha():
            at = 1 + draws.index(len(word) - 3)
            if draws.chance(0.5):
                words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            else:
                words[i] = word[:at] + word[at + 1 :]
            changed = True
    return " ".join(words) if changed else text


SCORES = tuple(range(-5, 6))
_PARTS = {
    **dict.fromkeys((-5, -4), "reason.different"),
    **dict.fromkeys((-3, -2, -1), "reason.related"),
    0: "reason.unsure",
    **dict.fromkeys((1, 2, 3), "reason.near"),
    **dict.fromkeys((4, 5), "reason.same"),
}
# Relations in which the hypothesis adds nothing to the premise.
_CONTAINED = ("reworded", "fewer details", "general")
NEUTRAL_SPEC = AnnotatorSpec("")


def nli_shares(item: SimulatedItem, spec: AnnotatorSpec, strength: float) -> tuple[float, ...]:
    """Return the probability of each NLI label: softmax of care · item's log-odds + bias.

    At strength 0 neither bias nor care of the annotator enters.
    """
    care = math.exp(strength * spec.care)
    odds = [
        math.exp(care * value + strength * bias)
        for value, bias in zip(item.latent, spec.label_bias, strict=True)
    ]
    total = sum(odds)
    return tuple(value / total for value in odds)


def score_shares(item: SimulatedItem, spec: AnnotatorSpec, strength: float) -> tuple[float, ...]:
    """Return the probability of each score −5…5: a normal around the item's mean, in whole numbers.

    The annotator's strictness moves the mean, their spread stretches it away from 0; what lies
    beyond the scale counts for its end.
    """
    mean, deviation = item.latent
    mean = math.exp(strength * spec.spread) * mean - strength * spec.strictness
    deviation = deviation * math.exp(-strength * spec.care)
    below = [_normal_below((score + 0.5 - mean) / deviation) for score in SCORES[:-1]]
    return tuple(b - a for a, b in zip([0.0, *below], [*below, 1.0], strict=True))


def label_shares(
    task: str, item: SimulatedItem, spec: AnnotatorSpec, strength: float
) -> Sequence[float]:
    """Return the probability of each label of the task's scale, in its order."""
    return (nli_shares if task == "nli" else score_shares)(item, spec, strength)


def start_rule(task: str, item: SimulatedItem, label: str) -> str:
    """Return the rule from which an explanation of this label of this item grows."""
    if task == "paraphrase":
        return _PARTS[int(label)]
    if label == "entailment" and item.relation not in _CONTAINED:
        return "reason.leap"
    return f"reason.{label}"


def _normal_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
