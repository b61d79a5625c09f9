"""Who simulated judges are, and what is true of the sources they judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from capo_core.errors import ConfigError
from capo_core.schema import listed


@dataclass(frozen=True)
class Judges:
    """U judges, one value each; shares are between 0 and 1.

    Attributes:
        attentiveness: how often they attend.
        skill: how often an attending judge knows the hand of somebody whom a text fully resembles.
        left: how often a judge who does not attend to a comparison clicks left; ½ is no bias.
        doubt: how often they say "cannot tell" or "tie".
        seconds: what a trial takes beyond reading, median, more than 0.
    """

    attentiveness: np.ndarray
    skill: np.ndarray
    left: np.ndarray
    doubt: np.ndarray
    seconds: np.ndarray

    def __post_init__(self) -> None:
        for name in ("attentiveness", "skill", "left", "doubt", "seconds"):
            values = np.asarray(getattr(self, name), dtype=float)
            object.__setattr__(self, name, values)
            if values.ndim != 1 or len(values) != len(self.attentiveness) or not len(values):
                raise ConfigError(f"simulated judges: {name} needs one value a judge")
            top = np.inf if name == "seconds" else 1.0
            if not ((values >= 0) & (values <= top)).all() or (
                name == "seconds" and not (np.isfinite(values) & (values > 0)).all()
            ):
                raise ConfigError(
                    f"simulated judges: {name} is out of range",
                    expected="seconds above 0" if name == "seconds" else "shares from 0 to 1",
                )

    @property
    def n(self) -> int:
        return len(self.attentiveness)

    @classmethod
    def drawn(
        cls,
        n: int,
        *,
        seed: int,
        attentiveness: float = 0.8,
        skill: float = 0.7,
        left: float = 0.5,
        doubt: float = 0.05,
        seconds: float = 8.0,
        careless: float = 0.0,
    ) -> Judges:
        """`n` judges around these means (Beta of strength 12; seconds log-normal), a share of
        them `careless`: attentiveness about .05, a quarter of the time."""
        if n < 1:
            raise ConfigError(f"{n} simulated judges", expected="1 or more")
        rng = np.random.default_rng([seed, 41])
        bad = np.arange(n) < round(careless * n)

        def around(mean: float) -> np.ndarray:
            if not 0 <= mean <= 1:
                raise ConfigError(f"a mean of {mean}", expected="a share from 0 to 1")
            if mean in (0.0, 1.0):
                return np.full(n, mean)
            return rng.beta(12 * mean, 12 * (1 - mean), n)

        attends = np.where(bad, rng.beta(1, 19, n), around(attentiveness))
        pace = seconds * np.exp(rng.normal(0, 0.3, n)) * np.where(bad, 0.25, 1)
        return cls(attends, around(skill), around(left), around(doubt), pace)


@dataclass(frozen=True)
class World:
    """What is true of the sources.

    Attributes:
        strength: of a source in comparisons, log-odds (Bradley-Terry); what is not named has 0.
        likeness: of a source to its target, 0 to 1; what is not named has 1 for humans, else .5.
    """

    strength: Mapping[str, float] = field(default_factory=dict)
    likeness: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        strange = [name for name, value in self.likeness.items() if not 0 <= value <= 1]
        if strange:
            raise ConfigError(f"likeness of {listed(strange)}", expected="between 0 and 1")

    def like(self, source: str) -> float:
        return float(self.likeness.get(source, 1.0 if source == "human" else 0.5))
