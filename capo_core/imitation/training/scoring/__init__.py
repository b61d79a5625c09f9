"""Three ways to the same log-probabilities: `pairs` (plain), `group`, `tree` (cheapest)."""

from capo_core.imitation.training.scoring.base import Engine, ScoreTable
from capo_core.imitation.training.scoring.choose import (
    ENGINES,
    EngineChoice,
    choose_engine,
    longest_sample,
)
from capo_core.imitation.training.scoring.engines import GroupEngine, PairsEngine, TreeEngine

__all__ = [
    "ENGINES",
    "Engine",
    "EngineChoice",
    "GroupEngine",
    "PairsEngine",
    "ScoreTable",
    "TreeEngine",
    "choose_engine",
    "longest_sample",
]
