"""Ground truth: how often each annotator uses a phrase, from the specifications alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd

from capo_core.formatting import natural_key
from capo_core.simulation.annotate import label_shares, start_rule, write
from capo_core.simulation.annotators import GRAMMAR, AnnotatorSpec, style_of
from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import SimulatedItem
from capo_core.text.tokens import normalise, tokens

LONGEST = 3  # tokens of a phrase
COLUMNS = ["annotator_id", "phrase", "rate", "rate_others"]


def candidate_phrases() -> frozenset[tuple[str, ...]]:
    """Return all phrases of 1 to 3 tokens in the grammar that hold no words of an item."""
    found = set()
    for rule in GRAMMAR.rules.values():
        for parts in rule.parts:
            for part in parts:
                said = tuple(tokens(normalise(part))) if isinstance(part, str) else ()
                if 0 < len(said) <= LONGEST:
                    found.add(said)
    return frozenset(found)


def ground_truth_phrases(
    task: str,
    labels: Sequence[str],
    specs: Sequence[AnnotatorSpec],
    draw_item: Callable[[Draws], SimulatedItem],
    *,
    style: float,
    content: float,
    label_bias: float,
    seed: int,
    draws_each: int = 3000,
) -> pd.DataFrame:
    """Return phrases that an annotator uses more often than the others do, with both rates.

    The rates are expectations under the specifications, over new items, labels and explanations
    (`draws_each` per annotator; a rate's standard error is at most 0.5 / √draws_each); the data
    of the simulation itself are not used. A phrase is listed where the difference of rates
    is more than four standard errors.

    Returns:
        annotator_id, phrase (tokens of the normalised text joined by spaces), rate and
        rate_others (share of explanations that hold the phrase, 0 to 1; the others' is the mean
        over them), sorted by annotator and falling difference. Empty at style 0.
    """
    if style == 0 or len(specs) < 2:
        return pd.DataFrame(columns=COLUMNS)
    candidates = candidate_phrases()
    draws = Draws([seed, 9])
    items = [draw_item(draws) for _ in range(min(draws_each, 1000))]
    rates = []
    for spec in specs:
        own = style_of(spec, style)
        counts: Counter = Counter()
        for i in range(draws_each):
            item = items[i % len(items)]
            shares = cumulative(label_shares(task, item, spec, label_bias))
            label = labels[draws.weighted(shares)]
            counts.update(
                _held(write(start_rule(task, item, label), item, own, content, draws), candidates)
            )
        rates.append({phrase: count / draws_each for phrase, count in counts.items()})
    rows = []
    for i, spec in enumerate(specs):
        for phrase, rate in rates[i].items():
            others = sum(r.get(phrase, 0.0) for j, r in enumerate(rates) if j != i)
            others /= len(specs) - 1
            error = math.sqrt(
                (rate * (1 - rate) + others * (1 - others) / (len(specs) - 1)) / draws_each
            )
            if rate - others > 4 * error:
                rows.append((spec.annotator_id, " ".join(phrase), rate, others))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    order = (frame["rate_others"] - frame["rate"]).argsort(kind="stable")
    frame = frame.iloc[order]
    order = sorted(range(len(frame)), key=lambda row: natural_key(frame["annotator_id"].iloc[row]))
    return frame.iloc[order].reset_index(drop=True)


def _held(text: str, candidates: frozenset[tuple[str, ...]]) -> set[tuple[str, ...]]:
    said = tokens(normalise(text))
    return {
        gram
        for n in range(1, LONGEST + 1)
        for i in range(len(said) - n + 1)
        if (gram := tuple(said[i : i + n])) in candidates
    }
