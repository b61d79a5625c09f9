"""What becomes a pair, how much it counts, and the words for what does not become one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capo_core.errors import ConfigError
from capo_core.imitation.history import EMPTY, INVALID, TWIN
from capo_core.schema import listed

# Why something is in no pair. The first three count responses (the target's, and the others' to
# items where a response of the target is left), the fourth responses of the target, the rest
# count pairs.
ALONE = "no other annotator"
NEAR_DUPLICATE = "near-duplicate"
SAME_LABEL = "same label"
OTHER_LABEL = "other label"
BEYOND = "beyond max_rejected"
DROPPED = (INVALID, EMPTY, TWIN, ALONE, NEAR_DUPLICATE, SAME_LABEL, OTHER_LABEL, BEYOND)
COUNTS_RESPONSES = DROPPED[:4]

SAME_LABEL_CHOICES = ("keep", "drop", "only")
WEIGHTS = ("uniform", "specific")


@dataclass(frozen=True)
class PairsConfig:
    """What becomes a pair, and how much it counts.

    Raises:
        ConfigError: a value is out of its range.
    """

    # From this similarity on (0 to 1; see `similarity.similarities`) two responses with the same
    # label contrast nothing, and the pair is dropped; above 1 none is. Under different labels
    # even equal explanations are kept: the label is the contrast.
    near_duplicate: float = 0.9
    # Pairs in which both give the same label: "keep" them, "drop" them, or keep "only" them.
    same_label: str = "keep"
    # "uniform": every pair counts 1. "specific": by how much is the target's own, 1 − similarity,
    # scaled to mean 1 over the target's pairs.
    weights: str = "uniform"
    # At most so many rejected responses to each chosen one, drawn by chance; None takes all.
    max_rejected: int | None = None
    # Of that draw.
    seed: int = 0

    def __post_init__(self) -> None:
        similarity = self.near_duplicate
        if not isinstance(similarity, int | float) or math.isnan(similarity) or similarity < 0:
            raise ConfigError(
                f"near_duplicate is {similarity!r}",
                expected="a similarity of 0 to 1, or more than 1 to drop none",
            )
        for name, allowed in (("same_label", SAME_LABEL_CHOICES), ("weights", WEIGHTS)):
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}", expected=f"one of {listed(allowed)}"
                )
        limit = self.max_rejected
        if limit is not None and not (isinstance(limit, int) and limit >= 1):
            raise ConfigError(
                f"max_rejected is {limit!r}",
                expected="a whole number of 1 or more, or none for all",
            )
