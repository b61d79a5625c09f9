"""What somebody knows beforehand of how often one source's text is better than another's."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

from capo_core.errors import ConfigError
from capo_core.study.quality_words import NEAR_HALF


@dataclass(frozen=True)
class Belief:
    """What is known of μ beforehand: how often `stronger`'s text is better than `weaker`'s.

    Attributes:
        mu: between 0 and 1, both left out. strength: 0 if μ is known exactly, else how many
            comparisons the belief is worth: a Beta(μ·strength, (1 − μ)·strength) prior.
    """

    stronger: str
    weaker: str
    mu: float
    strength: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.mu < 1:
            raise ConfigError(f"μ is {self.mu}", expected="a number between 0 and 1")
        if self.strength and min(self.mu, 1 - self.mu) * self.strength < 1:
            raise ConfigError(
                f"a belief in μ = {self.mu} worth {self.strength} comparisons is too vague",
                expected="μ·strength and (1 − μ)·strength of 1 or more",
            )

    @property
    def range(self) -> tuple[float, float]:
        """Central 95 % of the belief."""
        if not self.strength:
            return self.mu, self.mu
        low, high = beta.ppf([0.025, 0.975], self.mu * self.strength, (1 - self.mu) * self.strength)
        return float(low), float(high)

    @property
    def near_half(self) -> bool:
        low, high = self.range
        return low - NEAR_HALF <= 0.5 <= high + NEAR_HALF
