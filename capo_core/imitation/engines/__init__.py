"""Three ways to the same log-probabilities: `pairs` (plain), `group`, `tree` (cheapest)."""

from capo_core.imitation.engines.base import Engine, ScoreTable
from capo_core.imitation.engines.choose import ENGINES, Choice, choose_engine, longest_sample
from capo_core.imitation.engines.group import GroupEngine
from capo_core.imitation.engines.pairs import PairsEngine
from capo_core.imitation.engines.tree import TreeEngine

__all__ = [
    "ENGINES",
    "Choice",
    "Engine",
    "GroupEngine",
    "PairsEngine",
    "ScoreTable",
    "TreeEngine",
    "choose_engine",
    "longest_sample",
]
