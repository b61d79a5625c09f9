"""How annotators label: the item speaks, the annotator leans."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capo_core.data.simulation.annotators import AnnotatorSpec
from capo_core.data.simulation.items import Item

NLI_LABELS = ("entailment", "neutral", "contradiction")
SCORES = tuple(range(-5, 6))
_PARTS = {
    **dict.fromkeys((-5, -4), "reason.different"),
    **dict.fromkeys((-3, -2, -1), "reason.related"),
    0: "reason.unsure",
    **dict.fromkeys((1, 2, 3), "reason.near"),
    **dict.fromkeys((4, 5), "reason.same"),
}
# Relations in which the hypothesis says no more than the premise.
_CONTAINED = ("reworded", "fewer details", "general")
NEUTRAL_SPEC = AnnotatorSpec("")


def nli_shares(item: Item, spec: AnnotatorSpec, strength: float) -> tuple[float, ...]:
    """Probability of each NLI label: softmax of care · item's log-odds + bias.

    At strength 0 neither bias nor care of the annotator enters.
    """
    care = math.exp(strength * spec.care)
    odds = [
        math.exp(care * value + strength * bias)
        for value, bias in zip(item.latent, spec.label_bias, strict=True)
    ]
    total = sum(odds)
    return tuple(value / total for value in odds)


def score_shares(item: Item, spec: AnnotatorSpec, strength: float) -> tuple[float, ...]:
    """Probability of each score −5…5: a normal around the item's mean, cut to whole numbers.

    The annotator's strictness moves the mean, their spread stretches it away from 0; what lies
    beyond the scale counts for its end.
    """
    mean, deviation = item.latent
    mean = math.exp(strength * spec.spread) * mean - strength * spec.strictness
    deviation = deviation * math.exp(-strength * spec.care)
    below = [_normal_below((score + 0.5 - mean) / deviation) for score in SCORES[:-1]]
    return tuple(b - a for a, b in zip([0.0, *below], [*below, 1.0], strict=True))


def label_shares(task: str, item: Item, spec: AnnotatorSpec, strength: float) -> Sequence[float]:
    """Probability of each label of the task's scale, in its order."""
    return (nli_shares if task == "nli" else score_shares)(item, spec, strength)


def start_rule(task: str, item: Item, label: str) -> str:
    """The rule an explanation of this label of this item grows from."""
    if task == "paraphrase":
        return _PARTS[int(label)]
    if label == "entailment" and item.relation not in _CONTAINED:
        return "reason.leap"
    return f"reason.{label}"


def _normal_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
