"""Names, uploads and exports behind the Data page."""

from __future__ import annotations

import pytest

from capo_core.dashboard.app import datasets
from capo_core.workspace import Workspace, safe_name


@pytest.mark.parametrize("stem", ["votes 2024", "../../etc/passwd", "ÄÖ", "", ".hidden", "a" * 300])
def test_a_name_made_from_a_file_is_usable_and_free(stem):
    first = datasets.free_name(stem, [])
    second = datasets.free_name(stem, [first])
    assert safe_name(first) and safe_name(second) and first != second


@pytest.mark.parametrize("name", ["../up.csv", "/etc/passwd", "..", "a\\b.csv", "x\0y.csv"])
def test_an_upload_stays_in_its_folder(tmp_path, name):
    workspace = Workspace(tmp_path)
    path = datasets.save_uploads(workspace, [(name, b"a,b\n1,2\n")])
    assert path.resolve().is_relative_to((workspace.cache / "uploads").resolve())
    assert path.read_bytes() == b"a,b\n1,2\n"


def test_the_data_are_told_from_their_description(tmp_path):
    files = [("x.csv.capo.json", b"{}" * 500), ("x.csv", b"a,b\n")]
    path = datasets.save_uploads(Workspace(tmp_path), files)
    assert path.name == "x.csv"
    assert (path.parent / "x.csv.capo.json").exists()
