"""Tables on pages: one function draws them all, each with a text for those who cannot see it."""

import ast
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from capo_core import dashboard
from capo_core.dashboard.ui import components, url_state
from capo_core.formatting import rate

ROOT = Path(dashboard.__path__[0])
FRAME = pd.DataFrame({"name": ["a", "b"], "n": [-0.001, 2.0]})


@pytest.mark.parametrize("names", [("dataframe", "table"), ("plotly_chart",)])
def test_grids_and_charts_are_drawn_by_one_function_alone(names):
    # That of charts shows the export menu beneath each.
    found = [
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in names
        and getattr(node.value, "id", "") == "st"
    ]  # fmt: skip
    assert found == ["ui/components.py"]


def test_a_table_has_an_alternative_text_and_a_click_names_its_row(monkeypatch):
    drawn, opened = {}, []
    monkeypatch.setattr(components.st, "dataframe", lambda frame, **given: drawn.update(given))
    components.table(
        FRAME, {"name": components.Field("Name"), "n": components.Field("n", digits=2)},
        key="t", file_name="demo-nli-annotators", download=False, on_row=opened.append,
    )  # fmt: skip
    assert drawn["alt"] == "Table: demo nli annotators" and drawn["hide_index"]
    # A box, a cell of the row, nothing, and what is left of a former, longer table.
    for rows, cells in (([1], []), ([], [(0, "n")]), ([], []), ([7], [])):
        chosen = SimpleNamespace(selection=SimpleNamespace(rows=rows, cells=cells))
        monkeypatch.setattr(url_state, "now", lambda key, chosen=chosen: chosen)
        drawn["on_select"]()
    assert opened == [1, 0]


def test_a_value_and_its_interval_are_one_cell_that_sorts_by_the_value(monkeypatch):
    drawn = []
    monkeypatch.setattr(components.st, "dataframe", lambda frame, **given: drawn.append(frame))
    shares, low, high = [0.5, 0.004, 0.5], [0.4, 0.0, 0.45], [0.6, 0.01, 0.55]
    frame = pd.DataFrame({"share": shares, "a": low, "b": high})
    frame.loc[3] = None
    fields = {"share": components.Field("Share", text=rate, ends=("a", "b"))}
    components.table(frame, fields, key="t", file_name="t", download=False)
    # A column may have any name.
    other = {"self": fields["share"]}
    named = frame.rename(columns={"share": "self"})
    components.table(named, other, key="s", file_name="s", download=False)
    shown, same = drawn
    assert same.data["self"].tolist()[:3] == shown.data["share"].tolist()[:3]
    cells = [row[-1]["display_value"] for row in shown._translate(False, False)["body"]]
    first, rare = "50\u00a0% [40–60]", "0.4\u00a0% [0–1]"
    assert cells == [first, rare, "50\u00a0% [45–55]", components.MISSING]
    assert shown.data["share"].tolist()[:3] == pytest.approx(shares)


def test_without_a_row_to_open_nothing_is_selected(monkeypatch):
    drawn = {}
    monkeypatch.setattr(components.st, "dataframe", lambda frame, **given: drawn.update(given))
    components.data_grid(FRAME, key="t", alt="Table: two rows")
    assert "on_select" not in drawn and drawn["alt"] == "Table: two rows"


def test_pinned_names_have_the_ink_of_all_words_and_many_columns_a_place_to_shrink(monkeypatch):
    drawn, places = [], []
    monkeypatch.setattr(components.st, "dataframe", lambda frame, **given: drawn.append(frame))
    monkeypatch.setattr(components, "is_dark", lambda: False)
    monkeypatch.setattr(
        components.st, "container", lambda **given: places.append(given["key"]) or nullcontext()
    )
    frame = pd.DataFrame({"name": ["a", None], **{f"n{k}": [k, 0.5] for k in range(7)}})
    pinned = {"name": components.st.column_config.TextColumn("Name", pinned=True), "n0": "Zero"}
    few = ["name", "n0"]
    components.data_grid(frame, key="few", alt="t", column_config=pinned, column_order=few)
    components.data_grid(frame, key="many", alt="t")
    assert places == ["capo-wide-many"] and drawn[1] is not None
    shown = drawn[0]._compute()
    assert list(shown.data.columns) == few
    assert {place: dict(style) for place, style in shown.ctx.items()} == {
        (0, 0): {"color": "#000000"}, (1, 0): {"color": "#000000"},
    }  # fmt: skip
    cells = [row[-2]["display_value"] for row in drawn[0]._translate(False, False)["body"]]
    assert cells == ["a", components.MISSING]
