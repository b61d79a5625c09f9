"""A link to a dataset, annotator, run, study, … that is not here says so, on every page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers.links import CASES, GONE, keys_of, says_it_is_not_here
from helpers.pages import make, open_page, shown

import capo_core.dashboard
from capo_core.dashboard.app.pages import pages
from capo_core.dashboard.ui.url_state import NAMED, SETTINGS

ROOT = Path(capo_core.dashboard.__file__).parent
CALLS = ("choice", "text", "toggle", "get", "number", "require", "require_each", "choose_annotator")


def used() -> set[tuple[str, str]]:
    """(page, key) of all that pages read from the address, where the key stands as a text."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        page = path.relative_to(ROOT).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in CALLS or (
                "url_state" not in ast.unparse(node.func) and (name != "choose_annotator")
            ):
                continue
            if "session_dict" in ast.unparse(node.func):  # of the session, not of the address
                continue
            keys = [each.value for each in node.keywords if each.arg == "key"]
            keys += node.args[1:2] if name == "choose_annotator" else node.args[:1]
            found |= {(page, key.value) for key in keys if isinstance(key, ast.Constant)}
    return found


def test_every_key_of_an_address_names_something_or_is_a_setting():
    keys = {key for _, key in used()}
    labels = {key for key in keys if key not in NAMED and key not in SETTINGS}
    assert {key for key in labels if key.islower() and " " not in key} == set()
    assert not NAMED.keys() & SETTINGS


def test_every_page_is_tried_with_every_name_it_reads_from_the_address():
    assert {(page, key) for page, key in used() if key in NAMED} == CASES.keys()


@pytest.mark.parametrize("page", list(pages()))
def test_another_workspace_s_dataset_is_not_here_and_nothing_is_shown_for_it(
    page, workspace, add, begun
):
    add(make("mine"))
    app = open_page(page, dataset=f"{GONE}*", who="ann")
    assert not app.exception and not app.error
    said = shown(app)
    assert f"Dataset “{GONE.replace('-', chr(92) + '-')}\\*” is not in this workspace." in said
    assert app.query_params["dataset"] == f"{GONE}*" and app.query_params["who"] == "ann"
    assert app.sidebar.selectbox[0].value is None
    assert "demo-nli" not in said or page == "guide"  # which speaks of the demo in any case
    assert not app.get("download_button") and begun == []
    assert bool(app.get("file_uploader")) == (page == "data")  # the import itself, or a link to it
    assert bool([one for one in app.get("page_link") if one.proto.label == "Import a dataset"]) == (
        page not in ("data", "guide")
    )
    app.sidebar.selectbox[0].select("mine").run()
    assert app.query_params["dataset"] == "mine" and "is not in" not in shown(app)


@pytest.mark.parametrize("key", keys_of("annotators"))
def test_a_link_to_what_the_annotators_page_lacks_says_so(key, add):
    add(make("mine"))
    says_it_is_not_here("annotators", key, "mine")


def test_an_annotator_is_linked_by_either_key(add):
    add(make("mine"))
    app = open_page("annotators", dataset="mine", annotator="99")
    assert "Annotator '99' is not in mine" in shown(app).replace("\\", "")
    assert app.query_params["annotator"] == "99"
    found = open_page("annotators", dataset="mine", annotator="cyd")
    assert found.query_params["annotator"] == "cyd" and "is not in mine" not in shown(found)
    assert any("cyd" in each.proto.body for each in found.get("html"))


def test_an_item_that_the_filters_of_the_link_leave_out_is_said(add):
    add(make("mine"))
    app = open_page("annotators", dataset="mine", view="items", item="i3", q="number 5")
    assert "Item i3 is not among those shown here; i5 is open" in shown(app)
    same = open_page("annotators", dataset="mine", view="items", item="i5", q="number 5")
    assert "is not among" not in shown(same)


@pytest.mark.parametrize("key", keys_of("stability"))
def test_a_link_to_what_the_stability_page_lacks_says_so(key, with_report):
    says_it_is_not_here("stability", key, "measured")


@pytest.mark.parametrize("key", keys_of("finetune"))
@pytest.mark.parametrize("runs", [False, True])
def test_a_link_to_what_the_finetune_page_lacks_says_so(key, runs, workspace, add, monkeypatch):
    from helpers.run_folders import put_run, sft_settings

    from capo_core.runs import queue

    monkeypatch.setattr(queue, "advance", lambda workspace: [])
    add(make("mine"))
    if runs:
        put_run(workspace, "r", settings=sft_settings(), state="succeeded")
    elif key == "pick":
        pytest.skip("without runs there is nothing to compare")
    says_it_is_not_here("finetune", key, "mine")


def test_without_any_study_a_link_to_one_says_so(workspace, add):
    add(make("mine"))
    says_it_is_not_here("studies", "study", "mine")
