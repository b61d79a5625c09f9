"""Each page by itself: with the demo, with data, with a report, with hardly any data, with nasty
texts; it never breaks, and it says what is to be said."""

from __future__ import annotations

import sys

import pytest
from helpers.pages import fine, make, open_page, shown
from streamlit.testing.v1 import AppTest

import capo_core.dashboard
from capo_core.dashboard.app.pages import pages
from capo_core.data import catalog
from capo_core.data.catalog import Catalog

PAGES = ("overview", "data", "annotators", "stability", "distributions")
NASTY = '<script>alert(1)</script> <img src=x onerror=alert(1)> $x^2$ [a](http://b) :tada: "{}'


@pytest.mark.parametrize("page", PAGES)
def test_without_any_dataset_the_page_says_what_to_do(page, workspace, monkeypatch):
    monkeypatch.setattr(catalog, "shipped_names", lambda folder=None: [])
    said = fine(open_page(page))
    assert "No dataset yet" in said
    assert "Import a table" in said or page == "data"


@pytest.mark.parametrize("page", PAGES)
def test_a_fresh_workspace_shows_the_demo_and_says_that_it_is_simulated(page, workspace, begun):
    app = open_page(page)
    assert "demo-nli is simulated data" in fine(app)
    assert app.sidebar.selectbox[0].value == "demo-nli"
    assert app.query_params["dataset"] == "demo-nli"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_by_its_address(page, add, workspace, begun):
    add(make("mine"))
    app = open_page(page, dataset="mine")
    assert "is simulated data" not in fine(app)
    assert app.sidebar.selectbox[0].value == "mine"


@pytest.mark.parametrize("page", PAGES)
def test_with_a_report(page, with_report):
    said = fine(open_page(page, dataset="measured"))
    headline = (
        "Attribution accuracy from"  # made from the report's numbers, where stability is spoken of
    )
    assert (headline in said) == (page in ("overview", "stability"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("items", [1, 12])
def test_one_annotator_is_enough_for_a_page(page, items, add, begun):
    add(make("alone", annotators=("ann",), items=items))
    fine(open_page(page, dataset="alone"))


@pytest.mark.parametrize("page", PAGES)
def test_texts_from_data_are_shown_as_they_stand(page, add, begun):
    add(make("nasty", text=NASTY))
    said = fine(open_page(page, dataset="nasty"))
    # In Markdown a backslash stands before the bracket; in HTML it is an entity.
    bare = said.replace("\\<", "")
    assert "<script" not in bare and "<img" not in bare


@pytest.mark.parametrize(
    "query",
    [
        {"view": "items", "list": "1", "q": "script"},
        {"view": "items", "item": "i3", "manner": "1"},
        {"view": "two"},
        {"phrase": "<script>alert(1)"},
    ],
)
def test_nasty_texts_in_every_view_of_the_annotators(query, add, begun):
    add(make("nasty", text=NASTY))
    said = fine(open_page("annotators", dataset="nasty", **query))
    # In Markdown a backslash stands before the bracket; in HTML it is an entity.
    bare = said.replace("\\<", "")
    assert "<script" not in bare and "<img" not in bare


@pytest.mark.parametrize(
    "query",
    [
        {"view": "three", "p": "-1"},
        {"view": "items", "p": "99999999999999"},
        {"phrase": "$$$"},
        {"view": "two", "who": "ann", "than": "ann"},
    ],
)
def test_an_address_with_nonsense_falls_back(query, add, begun):
    add(make("mine"))
    fine(open_page("annotators", dataset="mine", **query))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_without_the_navigation_around_it(page, add, begun):
    add(make("mine"))
    app = AppTest.from_string(
        "from capo_core.dashboard.app.page import run\n"
        "from capo_core.dashboard.app.pages import pages\n"
        f"run(pages()[{page!r}])",
        default_timeout=240,
    )
    app.query_params["dataset"] = "mine"
    fine(app.run())


def test_a_damaged_dataset_is_named_and_can_be_removed(workspace, add, begun):
    add(make("mine"))
    for meta in (workspace.datasets / "mine").glob("*/meta.json"):
        meta.write_text("{")
    app = open_page("data", dataset="mine")
    assert not app.exception
    assert "damaged" in shown(app)
    app.button(key="data.remove").click().run()
    assert not app.exception
    assert not (workspace.datasets / "mine" / "current.json").exists()


def test_a_failing_button_speaks_on_the_page(workspace, add, begun):
    add(make("mine"))
    app = open_page("data", dataset="mine")
    Catalog(workspace).remove("mine")  # somebody else was quicker
    app.button(key="data.remove").click().run()
    assert not app.exception
    assert "there is no dataset" in shown(app).lower()


def test_a_new_page_is_a_folder(workspace, add, begun, tmp_path, monkeypatch):
    """ "How to add a page" (docs/contributing.md): nothing but the folder is written."""
    folder = tmp_path / "pages" / "lengths"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from capo_core.dashboard.app.pages import Page\n"
        'PAGE = Page("lengths", title="Lengths", order=35)\n'
    )
    (folder / "page.py").write_text(
        "from capo_core.dashboard.ui.components import show_headline\n"
        "def show(context):\n"
        '    show_headline(f"{context.entry.name} has lengths.")\n'
    )
    paths = [*capo_core.dashboard.__path__, str(folder.parent)]
    monkeypatch.setattr(capo_core.dashboard, "__path__", paths)
    names = list(pages())
    assert names.index("lengths") == names.index("annotators") + 1
    add(make("mine"))
    app = open_page("lengths", dataset="mine")
    said = fine(app)
    assert "Lengths" in said and "mine has lengths." in said
    for name in [name for name in sys.modules if name.startswith("capo_core.dashboard.lengths")]:
        monkeypatch.delitem(sys.modules, name)
