"""A grammar with weighted options, from which explanations grow, and the random draws it needs.

A rule is a table option → common weight. An option is text with references: `<name>` is another
rule, `{name}` a place for words of the item. Every preference an annotator can have is a tilt of
one rule's weights, so a writing style is nothing but a set of tilted tables.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import numpy as np

from capo_core.errors import ConfigError

T = TypeVar("T")
_BLOCK = 8192


class Draws:
    """A stream of uniform numbers from a NumPy generator, taken in blocks.

    One call to a generator costs microseconds; text needs some forty draws an explanation, so the
    numbers are drawn 8,192 at a time. The stream depends on the generator's seed alone.
    """

    def __init__(self, seed: int | Sequence[int]) -> None:
        self._rng = np.random.default_rng(seed)
        self._block: list[float] = []
        self._next = _BLOCK

    def uniform(self) -> float:
        """Return the next number, 0 (included) to 1 (excluded)."""
        if self._next >= _BLOCK:
            self._block = self._rng.random(_BLOCK).tolist()
            self._next = 0
        self._next += 1
        return self._block[self._next - 1]

    def index(self, n: int) -> int:
        """Return a whole number from 0 to n − 1, all equally likely."""
        return int(self.uniform() * n)

    def pick(self, values: Sequence[T]) -> T:
        """Return one of `values`, all equally likely."""
        return values[int(self.uniform() * len(values))]

    def other(self, values: Sequence[T], than: T) -> T:
        """Return one of `values` that is not `than`; there must be one."""
        found = self.pick(values)
        while found == than:
            found = self.pick(values)
        return found

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.uniform() < probability

    def weighted(self, bounds: Sequence[float]) -> int:
        """Return an index drawn by weight; `bounds` are cumulative shares, the last one is 1."""
        return min(bisect_right(bounds, self.uniform()), len(bounds) - 1)


def cumulative(weights: Sequence[float]) -> tuple[float, ...]:
    """Return cumulative shares of `weights` (all ≥ 0, their sum > 0), for `Draws.weighted`."""
    total = sum(weights)
    return tuple(value / total for value in accumulate(weights))


_PART = re.compile(r"<([a-z._]+)>|\{([A-Za-z]+)\}")
Rules = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class RuleReference:
    """A part of an option where another rule is expanded."""

    rule: str


@dataclass(frozen=True)
class Placeholder:
    """A part of an option that words of the item fill."""

    name: str


Part = str | RuleReference | Placeholder


@dataclass(frozen=True)
class Rule:
    """A rule's options as written, their common weights, and their parts."""

    name: str
    options: tuple[str, ...]
    weights: tuple[float, ...]
    parts: tuple[tuple[Part, ...], ...]

    @property
    def empty(self) -> int | None:
        """The position of the empty option; None if there is none."""
        return self.options.index("") if "" in self.options else None


@dataclass(frozen=True)
class Grammar:
    """Rules by name, all references resolved.

    Raises:
        ConfigError: a weight is not positive, or an option names a rule that does not exist.
    """

    rules: Mapping[str, Rule]

    @classmethod
    def of(cls, *tables: Rules) -> Grammar:
        """Return the grammar of all rules in `tables`, each table rule name → option → weight."""
        rules = {
            name: Rule(
                name,
                tuple(options),
                tuple(float(weight) for weight in options.values()),
                tuple(_parts(option) for option in options),
            )
            for table in tables
            for name, options in table.items()
        }
        for rule in rules.values():
            if min(rule.weights, default=0) <= 0:
                raise ConfigError(f"the rule {rule.name!r} has a weight that is not positive")
            for part in (part for parts in rule.parts for part in parts):
                if isinstance(part, RuleReference) and part.rule not in rules:
                    raise ConfigError(f"the rule {rule.name!r} names {part.rule!r}: no such rule")
        return cls(rules)

    def expand(
        self,
        start: str,
        bounds: Mapping[str, Sequence[float]],
        draws: Draws,
        place: Callable[[str], str],
    ) -> str:
        """Return one text grown from the rule `start`.

        Args:
            bounds: cumulative shares of each rule's options, by this annotator's preferences.
            place: returns the item's words for a place.
        """
        texts: list[str] = []
        pending: list[Part] = [RuleReference(start)]
        while pending:
            part = pending.pop()
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, Placeholder):
                texts.append(place(part.name))
            else:
                chosen = draws.weighted(bounds[part.rule])
                pending.extend(reversed(self.rules[part.rule].parts[chosen]))
        return "".join(texts)


def _parts(option: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    end = 0
    for match in _PART.finditer(option):
        if match.start() > end:
            parts.append(option[end : match.start()])
        rule, place = match.groups()
        parts.append(RuleReference(rule) if rule else Placeholder(place))
        end = match.end()
    if end < len(option):
        parts.append(option[end:])
    return tuple(parts)
