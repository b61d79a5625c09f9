"""Parameters of annotators: style, strictness, label bias, formatting; drawn or specified."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from capo_core.simulation.grammar import Grammar, cumulative
from capo_core.simulation.style_rules import WORDS
from capo_core.simulation.style_rules_nli import NLI_RULES
from capo_core.simulation.style_rules_paraphrase import PARAPHRASE_RULES

GRAMMAR = Grammar.of(WORDS, NLI_RULES, PARAPHRASE_RULES)

# Facet of a rule's name → (how strongly annotators differ in it: standard deviation of the tilts
# in nats at style 1; what the habit is). Set so that four random annotators are as hard to tell
# apart as VariErr's.
FACETS: dict[str, tuple[float, str]] = {
    "term": (1.25, "what the texts are called"),
    "word": (0.9, "verbs of saying, meaning and knowing"),
    "hedge": (1.2, "maybe, probably, it could be that"),
    "neg": (1.1, "doesn't or does not"),
    "quote": (0.9, "whether and how words of the item are quoted"),
    "link": (1, "so, but, because, and the punctuation around them"),
    "open": (1.1, "how an explanation begins"),
    "tail": (1.1, "how it ends"),
    "reason": (1.25, "what kind of reason is given"),
    "e": (1.3, "the form of a reason for entailment"),
    "n": (1.3, "the form of a reason for neutral"),
    "c": (1.3, "the form of a reason for contradiction"),
    "p": (1.2, "the form of a reason on questions"),
}


@dataclass(frozen=True)
class Formatting:
    """Habits that `text.tokens.normalise` takes away: shares of explanations, 0 to 1."""

    period: float = 0.95
    capital: float = 0.95
    leading_space: float = 0.0


# Shared by all annotators at style 0.
COMMON_FORMATTING = Formatting(0.85, 0.85, 0.01)


@dataclass(frozen=True)
class AnnotatorSpec:
    """Parameters of a simulated annotator.

    Attributes:
        annotator_id: pseudonym.
        tilts: rule → one number per option, in nats: at style m the annotator's weight of an
            option is the common weight times exp(m · tilt).
        length: in nats, how much more often than others an opener or an end is added.
        detail: in nats, how much more often words of the item are written in full than in brief.
        slips: share of words with a slip of the keyboard.
        label_bias: NLI: added log-odds of entailment, neutral, contradiction.
        strictness: paraphrase: points of the scale by which scores lie lower.
        spread: paraphrase: log of the factor by which scores lie farther from 0.
        care: log of the factor by which labelling follows the item rather than chance.
        formatting: formatting habits that normalisation removes.
    """

    annotator_id: str
    tilts: Mapping[str, Sequence[float]] = field(repr=False, default_factory=dict)
    length: float = 0.0
    detail: float = 0.0
    slips: float = 0.006
    label_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    strictness: float = 0.0
    spread: float = 0.0
    care: float = 0.0
    formatting: Formatting = COMMON_FORMATTING


COMMON_SLIPS = 0.006
COMMON_BOUNDS = {name: cumulative(rule.weights) for name, rule in GRAMMAR.rules.items()}


@dataclass(frozen=True)
class WritingStyle:
    """Writing style of one annotator at a given strength; the common style is the same for all."""

    bounds: Mapping[str, Sequence[float]]
    detail: float
    slips: float
    formatting: Formatting


COMMON_STYLE = WritingStyle(COMMON_BOUNDS, 0.0, COMMON_SLIPS, COMMON_FORMATTING)


def style_of(spec: AnnotatorSpec, strength: float) -> WritingStyle:
    """Return the annotator's style at `strength` ≥ 0.

    0 gives `COMMON_STYLE` itself, the same object for all: annotators are then exchangeable given
    item and label, by construction.
    """
    if strength == 0:
        return COMMON_STYLE
    bounds = dict(COMMON_BOUNDS)
    for name, rule in GRAMMAR.rules.items():
        tilt = spec.tilts.get(name)
        longer = spec.length if rule.empty is not None else 0.0
        if tilt is None and not longer:
            continue
        tilt = tilt or (0.0,) * len(rule.options)
        weights = [
            weight * math.exp(strength * (own + (longer if i != rule.empty else 0.0)))
            for i, (weight, own) in enumerate(zip(rule.weights, tilt, strict=True))
        ]
        bounds[name] = cumulative(weights)
    return WritingStyle(
        bounds,
        strength * spec.detail,
        min(COMMON_SLIPS * (spec.slips / COMMON_SLIPS) ** strength, 0.2),
        Formatting(
            _between(COMMON_FORMATTING.period, spec.formatting.period, strength),
            _between(COMMON_FORMATTING.capital, spec.formatting.capital, strength),
            _between(COMMON_FORMATTING.leading_space, spec.formatting.leading_space, strength),
        ),
    )


def _between(common: float, own: float, strength: float) -> float:
    return min(max(common + strength * (own - common), 0.0), 1.0)


def annotator_ids(n: int) -> tuple[str, ...]:
    """Return A, B, C …; from 27 annotators on, A01, A02 …"""
    if n <= 26:
        return tuple(chr(ord("A") + i) for i in range(n))
    return tuple(f"A{i + 1:0{len(str(n))}d}" for i in range(n))


def sample_annotators(
    n: int, seed: int | Sequence[int], *, ids: Sequence[str] | None = None
) -> tuple[AnnotatorSpec, ...]:
    """Return `n` random annotators; the first m of n are the same for any n."""
    ids = annotator_ids(n) if ids is None else ids
    seed = [seed] if isinstance(seed, int) else list(seed)
    return tuple(_sample(ids[i], [*seed, i]) for i in range(n))


def _sample(annotator_id: str, seed: list[int]) -> AnnotatorSpec:
    tilts = {}
    for name, rule in GRAMMAR.rules.items():
        deviation = FACETS[name.partition(".")[0]][0]
        # A stream for each rule, so that a new rule leaves the others' tilts as they are.
        rng = np.random.default_rng([*seed, crc32(name.encode())])
        tilts[name] = tuple(
            round(value, 3)
            for value in (deviation * rng.standard_normal(len(rule.options))).tolist()
        )
    rng = np.random.default_rng(seed)
    bias = 0.48 * rng.standard_normal(3)
    bias -= bias.mean()
    numbers = rng.standard_normal(6)
    habits = rng.random(3)
    return AnnotatorSpec(
        annotator_id,
        tilts,
        length=round(float(0.8 * numbers[0]), 3),
        detail=round(float(0.45 * numbers[1]), 3),
        slips=round(float(COMMON_SLIPS * math.exp(0.6 * numbers[2])), 4),
        label_bias=tuple(round(value, 3) for value in bias.tolist()),
        strictness=round(float(0.42 * numbers[3]), 3),
        spread=round(float(0.12 * numbers[4]), 3),
        care=round(float(0.15 * numbers[5]), 3),
        formatting=Formatting(
            # Most annotators nearly always end with a period, the others hardly ever.
            round(0.93 + 0.06 * habits[0] if habits[0] < 0.78 else 0.02 + 0.2 * habits[0], 3),
            round(0.9 + 0.09 * habits[1] if habits[1] < 0.87 else 0.15 + 0.3 * habits[1], 3),
            round(0.0 if habits[2] < 0.93 else 0.9, 3),
        ),
    )
