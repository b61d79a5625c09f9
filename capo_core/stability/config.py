"""Settings of a stability report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from capo_core.errors import ConfigError
from capo_core.text.embeddings import DEFAULT_MODEL
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class StabilityConfig:
    """Settings of a report; the report is a function of the dataset, these and the code version.

    Attributes:
        representations: names of `representations.REPRESENTATIONS`.
        reductions: names of `reductions.REDUCTIONS`.
        pool: numbers of explanations of one annotator that are attributed together, ascending.
        seeds: partitions into folds that are averaged.
        folds: folds of each cross-validation.
        groupings: ways in which each partition is cut into groups.
        permutations: shuffles of annotators within items; p-values cannot fall below
            1 / (1 + permutations). Controls, and the stricter null, use 200 at most.
        draws: random halvings of the reliability, and random groups of the separation without
            training.
        null_rows: the null is computed on randomly chosen whole items with at most this many
            explanations; keeps its cost bounded for large data.
        controls: whether controls are computed. A ladder without them is not shown.
        seed: random seed.
        raw: keep case, outer spaces and final periods in the texts.
        embedding_model: see `embed.load_encoder`.
    """

    representations: tuple[str, ...] = ("embedding", "words", "stylometry")
    reductions: tuple[str, ...] = field(default_factory=lambda: tuple(REDUCTIONS))
    pool: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    seeds: int = 5
    folds: int = 5
    groupings: int = 3
    permutations: int = 1000
    draws: int = 200
    null_rows: int = 4000
    controls: bool = True
    seed: int = 0
    raw: bool = False
    embedding_model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        for name, known in (("representations", REPRESENTATIONS), ("reductions", REDUCTIONS)):
            chosen = tuple(dict.fromkeys(getattr(self, name)))
            unknown = [value for value in chosen if value not in known]
            if unknown or not chosen:
                raise ConfigError(
                    f"{name} cannot be {', '.join(unknown) or 'empty'}",
                    expected=f"some of {', '.join(known)}",
                )
            # Always in the same order, so that equal wishes are equal configurations.
            object.__setattr__(self, name, tuple(value for value in known if value in chosen))
        pool = tuple(sorted({int(k) for k in self.pool}))
        if not pool or pool[0] < 1 or pool[-1] > 1024:
            raise ConfigError(f"pool cannot be {self.pool}", expected="numbers from 1 to 1024")
        object.__setattr__(self, "pool", pool)
        for name, low, high in (
            ("seeds", 1, 100),
            ("folds", 2, 50),
            ("groupings", 1, 100),
            ("permutations", 0, 100_000),
            ("draws", 20, 10_000),
            ("null_rows", 100, 5000),
            ("seed", 0, 2**31),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ConfigError(
                    f"{name} cannot be {value!r}",
                    expected=f"a whole number from {low} to {high}",
                )

    def to_dict(self) -> dict:
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, raw: dict) -> StabilityConfig:
        """The configuration saved by `to_dict`; unknown settings raise `ConfigError`."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise ConfigError(
                f"unknown setting {unknown[0]!r}", expected=f"some of {', '.join(sorted(known))}"
            )
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        return cls(**values)

    @property
    def key(self) -> str:
        """Name of this configuration in the workspace."""
        return content_hash(self.to_dict())[:16]


# What a newcomer sees first: the claim in its shortest form, with its controls, within a minute.
QUICK = StabilityConfig(
    representations=("embedding", "words"),
    reductions=("none", "mask_input"),
    pool=(1, 2, 4, 8, 16),
    seeds=1,
    permutations=200,
    draws=50,
)
