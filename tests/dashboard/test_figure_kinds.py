"""Figures are drawn once for equal arguments, on which alone they depend."""

import ast
from pathlib import Path

import pandas as pd
import pytest
from helpers.pages import make

from capo_core import dashboard
from capo_core.dashboard.ui import figure_kinds
from capo_core.dashboard.ui.charts import blank

# What a figure may not read: the theme, the address and all else of the session are arguments.
OF_THE_SESSION = {"st", "is_dark", "url_state", "components"}


@pytest.fixture
def drawn(monkeypatch):
    """A kind of figure of this test, and the arguments of each drawing."""
    monkeypatch.setattr(figure_kinds, "KINDS", dict(figure_kinds.KINDS))
    figure_kinds._drawn.clear()
    calls = []

    def draw(*arguments):
        calls.append(arguments)
        return blank(100 + len(calls))

    return figure_kinds.figure_kind("of-this-test", "Of this test")(draw), calls


def table(**values) -> pd.DataFrame:
    return pd.DataFrame({"k": [1, 2, 4], "name": ["a", "b", "c"], **values})


def test_a_figure_is_drawn_once_for_equal_arguments(drawn):
    figure, calls = drawn
    first = figure(table(), ("none", 1))
    wide = table(more=[0, 0, 0])
    assert figure(wide[["k", "name"]].copy(), ("none", 1)) is first
    assert figure(table(), ("none", 2)) is not first
    assert figure(table(k=[1, 2, 8]), ("none", 1)) is not first
    assert len(calls) == 3


def test_arguments_without_a_content_are_drawn_each_time(drawn):
    figure, calls = drawn
    (row, *_) = table().itertuples()  # of a class that pandas makes for the moment
    for _ in range(2):
        assert figure_kinds.kind_of(figure(row)).name == "of-this-test"
    assert len(calls) == 2


def test_a_dataset_is_known_by_its_content(drawn):
    figure, calls = drawn
    assert figure(make("one")) is figure(make("one"))
    assert figure(make("other", items=12)) is not figure(make("one"))
    assert len(calls) == 2


def test_figures_depend_on_their_arguments_alone():
    found = 0
    for path in Path(dashboard.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef) or not any(
                isinstance(each, ast.Call) and getattr(each.func, "id", "") == "figure_kind"
                for each in function.decorator_list
            ):
                continue
            found += 1
            names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            assert not names & OF_THE_SESSION, f"{path.name}: {function.name}"
    assert found == len(figure_kinds.all_kinds())
