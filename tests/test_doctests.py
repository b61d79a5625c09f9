"""The examples in docstrings are run: what a library user copies works as printed."""

import doctest
import importlib

import pytest

# Modules with examples; add yours. Each must have at least one.
MODULES = [
    "capo_core.stability.report",
    "capo_core.evaluation.table",
    "capo_core.distributions.compare",
    "capo_core.data.importing",
    "capo_core.study.analysis.analysis",
    "capo_core.imitation.pairs.build",
    "capo_core.imitation.parsing",
    "capo_core.imitation.training.losses",
    "capo_core.stats.agreement",
    "capo_core.stats.alternative_annotator",
    "capo_core.stats.equivalence",
    "capo_core.stats.power",
    "capo_core.stats.significance",
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    """Run in an empty folder, which examples may write to."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.attempted > 0, f"{name} has no example"
    assert result.failed == 0
