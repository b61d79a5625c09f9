"""Pseudonyms: no name of an annotator is in anything but the key, which the workspace keeps."""

import json

import pytest
from helpers.data_files import csv_of, row
from helpers.tool_exports import Given, label_studio
from typer.testing import CliRunner

from capo_core.cli.data import data_app
from capo_core.data.catalog import Catalog
from capo_core.data.export import export
from capo_core.data.importing import read_dataset
from capo_core.data.pseudonyms import KEY_FILE, LIKE_EMAIL, Hidden, pseudonyms_of
from capo_core.workspace import Workspace

ZOE, ANN = "zoe@lab.example", "ann@lab.example"
ROWS = [
    row("i1", ZOE), row("i1", ANN, "neutral", "Maybe."), row("i2", ANN, texts=("A dog.", "B.")),
    row("i2", ZOE, "", texts=("A dog.", "B.")), row("i3", ZOE, texts=("A cat.", "B.")),
]  # fmt: skip


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(csv_of(ROWS), encoding="utf-8")
    return path


def test_names_are_in_nothing_but_the_key(tmp_path, file):
    workspace = Workspace(tmp_path / "ws")
    read = read_dataset(file, name="votes", pseudonyms=True)
    # By first occurrence: an alphabetical order would say whose is whose.
    assert read.report.pseudonyms == {ZOE: "A1", ANN: "A2"}
    assert read.dataset.annotators == ("A1", "A2")
    catalog = Catalog(workspace)
    catalog.add(read.dataset, read.report)
    for name in ("csv", "jsonl", "parquet"):
        export(read.dataset, tmp_path / "out" / f"x.{name}", name)
    for path in [p for p in (tmp_path / "ws", tmp_path / "out") for p in p.rglob("*")]:
        if path.is_file() and path.name != KEY_FILE:
            content = path.read_bytes()
            assert b"lab.example" not in content, path
    assert "lab.example" not in json.dumps(read.report.to_dict())
    key = catalog.key_file("votes")
    assert key.is_relative_to(workspace.root) and key.stat().st_mode & 0o77 == 0
    assert f"A1,{ZOE}" in key.read_text() and f"A2,{ANN}" in key.read_text()
    assert catalog.report("votes").pseudonyms == {ZOE: "A1", ANN: "A2"}
    catalog.resplit("votes", (0.5, 0.25, 0.25), 0, to="again")  # a copy has its key too
    assert catalog.key_file("again").read_text().count("lab.example") == 2
    catalog.remove("votes")
    assert not key.exists()


def test_answers_are_the_same_and_wide_columns_are_no_leak(tmp_path, file):
    named = read_dataset(file, name="x").dataset.annotations
    hidden = read_dataset(file, name="x", pseudonyms=True).dataset.annotations
    columns = ["item_id", "label", "explanation"]
    assert named[columns].equals(hidden[columns])
    header = ["id", "text", f"label_{ANN}", f"label_{ZOE}", f"label_{ZOE}x"]
    table = csv_of([["1", "One.", "yes", "no", "no"], ["2", "Two.", "no", "", "yes"]], header)
    (tmp_path / "wide.csv").write_text(table, encoding="utf-8")
    read = read_dataset(tmp_path / "wide.csv", name="x", pseudonyms=True)
    assert read.dataset.annotators == ("A1", "A2", "A3")
    assert "lab.example" not in json.dumps(read.report.to_dict())


def test_spellings_that_the_import_joins_have_one_pseudonym(tmp_path):
    assert pseudonyms_of(["ﬁ", "x", " fi"]) == {"ﬁ": "A1", "x": "A2", " fi": "A1"}
    rows = [row("i1", "Kim"), row("i1", "kim", "neutral"), row("i2", "Kim", texts=("C.", "D."))]
    (tmp_path / "k.csv").write_text(csv_of(rows), encoding="utf-8")
    read = read_dataset(tmp_path / "k.csv", name="x", pseudonyms=True)
    assert any("kept apart: A1 and A2" in note for note in read.report.notes)
    hidden = Hidden({"ann": "A1", "ann@x.example": "A2", "B": "A3"})
    assert hidden("ann, ann@x.example: annotator B") == "A1, A2: annotator B"
    long = f"{'long' * 12}@x.example"
    for text in (long, f"{long[:30]}…", f"{long} and"):  # messages shorten names
        assert "longlong" not in Hidden({long: "A1"})(text)


def test_addresses_are_pointed_out_in_the_words_of_the_place(tmp_path, file, monkeypatch):
    (note,) = [note for note in read_dataset(file, name="x").report.notes if LIKE_EMAIL in note]
    assert note.startswith("2 of 2 annotators look like e-mail addresses")
    assert "--" not in note and "--pseudonyms" in note.for_command_line
    tool = label_studio([Given(0, ANN, ("joy",), "so"), Given(1, "cem", ("joy",), "it is")])
    (tmp_path / tool[0]).write_text(tool[1], encoding="utf-8")
    read = read_dataset(tmp_path / tool[0], name="x", pseudonyms=True)
    assert read.dataset.annotators == ("A1", "A2")
    monkeypatch.setenv("CAPO_WORKSPACE", str(tmp_path / "ws"))
    call = ["import", str(file), "--name", "votes"]
    said = " ".join(CliRunner().invoke(data_app, call).stdout.split())
    assert "look like e-mail addresses" in said and "(--pseudonyms imports them as A1" in said
    said = CliRunner().invoke(data_app, [*call, "--replace", "--pseudonyms"]).stdout
    assert "lab.example" not in said and KEY_FILE in said
    again = json.loads(CliRunner().invoke(data_app, ["show", "votes", "--json"]).stdout)
    assert "lab.example" not in json.dumps(again)
