"""The examples in docstrings are run: what a library user copies works as printed."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What a library user calls first: each of these must have an example.
CENTRAL = [
    "capo_core.stability.report",
    "capo_core.cli.support",
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
    "capo_core.text.tokens",
]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "capo_core").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_what_is_called_first_has_an_example():
    assert set(CENTRAL) - set(WITH_EXAMPLES) == set()


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_are_right(name, tmp_path, monkeypatch):
    """Run in an empty folder, which examples may write to."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.attempted > 0, f"{name} has no example"
    assert result.failed == 0
