"""A rule-based profile of an annotator: differences between their responses and others'.

    rule_profile(task, own_examples, common_of(examples_of_the_others))

Three lines that begin with `prompts.PROFILE_PARTS`, at most 80 words, always the same for the
same examples. The embedded base learns to write such profiles, and a profile written by any model
can be compared with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from capo_core.imitation.prompting.prompts import PROFILE_PARTS, Example
from capo_core.task import Task
from capo_core.text.lexicons import HEDGES
from capo_core.text.tokens import tokens, unify_quotes, words

PHRASES = 4
OPENINGS = 2
# A habit is worth saying if this much more (or less) of the responses show it than others'.
_NOTABLE = 0.12


@dataclass(frozen=True)
class Habits:
    """Counts over one or many people's responses; rates are shares of responses, 0 to 1."""

    n: int
    labels: Counter
    openings: Counter
    phrases: Counter
    words: float  # mean number in an explanation
    quoting: float
    hedging: float
    period: float
    capital: float
    slips: float  # share of words that the others never write and the item does not have


def common_of(examples: Sequence[Example]) -> Habits:
    """Return the average style of all annotators: the reference of a profile."""
    return _habits(examples, None)


def rule_profile(task: Task, examples: Sequence[Example], common: Habits) -> str:
    """Return the profile of the author of `examples` (at least one) against `common`."""
    own = _habits(examples, common)
    labels, lean = _labels(task, own, common)
    phrases = _distinctive(own.phrases, common.phrases, own.n, common.n, PHRASES)
    openings = _distinctive(own.openings, common.openings, own.n, common.n, OPENINGS)
    manner = [f"about {own.words:.0f} words"]
    rules = [lean, f"write about {own.words:.0f} words"]
    if openings:
        manner.append("opens with " + _quoted(openings))
        rules.append(f"begin like {_quoted(openings[:1])}")
    if phrases:
        manner.append("says " + _quoted(phrases))
        rules.append(f"use {_quoted(phrases[:2])}")
    for name, rate, usual, often, seldom in (
        ("quotes", own.quoting, common.quoting, "quote the texts", "do not quote"),
        ("hedges", own.hedging, common.hedging, "hedge", "do not hedge"),
    ):
        if abs(rate - usual) > _NOTABLE:
            manner.append(f"{name} {'often' if rate > usual else 'seldom'}")
            rules.append(often if rate > usual else seldom)
    if own.capital < 0.5:
        manner.append("begins in lower case")
        rules.append("begin in lower case")
    manner.append("final period" if own.period >= 0.5 else "no final period")
    rules.append("end with a period" if own.period >= 0.5 else "leave out the period")
    if own.slips > 0.015:
        manner.append("some slips")
    lines = (labels, "; ".join(manner), "; ".join(rule for rule in rules if rule))
    return "\n".join(f"{part} {line}." for part, line in zip(PROFILE_PARTS, lines, strict=True))


def _habits(examples: Sequence[Example], common: Habits | None) -> Habits:
    n = max(len(examples), 1)
    openings, phrases, labels = Counter(), Counter(), Counter()
    lengths = quoting = hedging = period = capital = slips = 0
    for example in examples:
        text = unify_quotes(example.explanation).strip()
        said = words(text)
        given = set(words(f"{example.item.text_a} {example.item.text_b}"))
        labels[example.label] += 1
        lengths += len(said)
        quoting += '"' in text or "'" in "".join(t for t in tokens(text) if len(t) == 1)
        hedging += any(word in HEDGES for word in said)
        period += text.endswith(".")
        capital += text[:1].isupper()
        openings[" ".join(said[:1])] += 1
        openings[" ".join(said[:2])] += 1
        phrases.update(_phrases(text, given))
        if common is not None:
            slips += sum(
                len(word) > 4 and word not in common.phrases and word not in given for word in said
            )
    return Habits(
        len(examples), labels, openings, phrases, lengths / n, quoting / n, hedging / n,
        period / n, capital / n, slips / max(lengths, 1),
    )  # fmt: skip


def _phrases(text: str, given: set[str]) -> set[str]:
    """Return 1 to 3 consecutive words, at least one not the item's; none begins with a gap."""
    cut = tokens(text)
    found = set()
    for i in range(len(cut)):
        for n in (1, 2, 3):
            part = cut[i : i + n]
            if len(part) == n and all(t[0].isalnum() for t in part) and not set(part) & given:
                found.add(" ".join(part))
    return found


def _distinctive(own: Counter, usual: Counter, n: int, n_usual: int, top: int) -> list[str]:
    """Return the phrases of largest weight rate · log(rate ÷ others' rate), none inside another.

    `own`, `usual`: responses that have each phrase, out of `n` and `n_usual`.
    """
    scored = []
    for phrase, count in own.items():
        rate, other = count / max(n, 1), (usual[phrase] + 0.5) / (n_usual + 1)
        if count >= 2 and rate > 1.5 * other and rate >= 0.06:
            # A phrase says more than a word of it that comes as often.
            words_in = 1 + phrase.count(" ")
            scored.append((-rate * math.log(rate / other) * (0.8 + 0.2 * words_in), phrase))
    chosen: list[str] = []
    for _, phrase in sorted(scored):
        inside = f" {phrase} "
        if not any(inside in f" {other} " or f" {other} " in inside for other in chosen):
            chosen.append(phrase)
        if len(chosen) == top:
            break
    return chosen


def _labels(task: Task, own: Habits, common: Habits) -> tuple[str, str]:
    """Return the statement on the labels, and the rule that follows from it ("" for none)."""
    if task.scale.ordinal:
        shift = _mean(task, own.labels) - _mean(task, common.labels)
        spread = (_deviation(task, own.labels) + 0.5) / (_deviation(task, common.labels) + 0.5)
        error = _deviation(task, own.labels) / math.sqrt(max(own.n, 1))
        parts, rule = [], ""
        if abs(shift) > max(0.3, error):
            word = "higher" if shift > 0 else "lower"
            parts.append(f"{word} scores than others")
            rule = f"score {word}"
        if spread > 1.15 or spread < 0.85:
            parts.append("uses the ends" if spread > 1 else "stays near the middle")
        return ", ".join(parts) or "scores as others do", rule
    more, less = [], []
    for label in task.scale.labels:
        rate, usual = own.labels[label] / max(own.n, 1), common.labels[label] / max(common.n, 1)
        limit = max(0.05, math.sqrt(usual * (1 - usual) / max(own.n, 1)))
        if rate - usual > limit:
            more.append(label)
        elif usual - rate > limit:
            less.append(label)
    parts = [f"prefers {' and '.join(more)}"] * bool(more)
    parts += [f"avoids {' and '.join(less)}"] * bool(less)
    rule = f"when in doubt, {more[0]}" if more else ""
    return ", ".join(parts) or "labels as others do", rule


def _mean(task: Task, labels: Counter) -> float:
    total = max(sum(labels.values()), 1)
    return sum(task.scale.number(label) * count for label, count in labels.items()) / total


def _deviation(task: Task, labels: Counter) -> float:
    mean, total = _mean(task, labels), max(sum(labels.values()), 1)
    squares = sum((task.scale.number(label) - mean) ** 2 * n for label, n in labels.items())
    return math.sqrt(squares / total)


def _quoted(phrases: Sequence[str]) -> str:
    return ", ".join(f'"{phrase}"' for phrase in phrases)
