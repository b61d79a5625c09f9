"""Exports come back the same, and no spreadsheet finds a formula in them."""

import csv
import io
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from helpers.data_files import csv_of, explanation, jsonl_of, row, varierr_item
from helpers.provenance import PLACE
from hypothesis import given
from hypothesis import strategies as st

from capo_core.data.export import export
from capo_core.data.importing import read_dataset
from capo_core.errors import ConfigError, DataError
from capo_core.export_formats import csv_text, escape, unescape
from capo_core.task import PARAPHRASE

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
ODD = ["=1+1", "-3", "'=x", "''-1", "@you", "\ttab", " =x", "+ 1", "two\nlines", "a,b;c", '"a']


def odd_dataset(tmp_path):
    rows = [row(f"i{n}", "A", "neutral", why, (f"={n}", why)) for n, why in enumerate(ODD)]
    path = tmp_path / "odd.csv"
    path.write_bytes(csv_of(rows).encode())
    return read_dataset(path, name="x").dataset


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_what_is_exported_comes_back_the_same(tmp_path, format):
    dataset = odd_dataset(tmp_path)
    path = export(dataset, tmp_path / f"out.{format}", format)
    read = read_dataset(path, name="again")
    assert read.dataset.fingerprint == dataset.fingerprint
    assert sorted(read.dataset.annotations["explanation"]) == sorted(ODD)
    assert len(read.report.rejected) == 0


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_crowd_counts_bare_items_and_the_task_come_back(tmp_path, format):
    path = tmp_path / "v.json"
    items = [varierr_item("1n", {"neutral": [explanation(0)]}), varierr_item("2n")]
    path.write_text(jsonl_of(items), encoding="utf-8")
    dataset = replace(read_dataset(path, name="v").dataset, simulated=True)
    again = read_dataset(export(dataset, tmp_path / f"o.{format}", format), name="w").dataset
    assert again.fingerprint == dataset.fingerprint
    assert len(again.items) == 2
    assert again.simulated and again.origin == dataset.origin
    assert again.items.set_index("item_id")["split"].to_dict() == (
        dataset.items.set_index("item_id")["split"].to_dict()
    )


def test_without_the_file_beside_it_the_task_is_inferred(tmp_path):
    dataset = odd_dataset(tmp_path)
    path = export(dataset, tmp_path / "out.csv")
    alone = tmp_path / "elsewhere.csv"
    shutil.copy(path, alone)
    read = read_dataset(alone, name="again")
    assert sorted(read.dataset.annotations["explanation"]) == sorted(ODD)  # still unescaped
    assert read.dataset.task.scale.labels == ("neutral",)
    assert any("inferred" in note for note in read.report.notes)


@pytest.mark.parametrize("content", ["", "[]", '{"task": 1}', '{"task": {"name": "x"}}', "\0"])
def test_a_broken_file_beside_it_is_noted_and_not_used(tmp_path, content):
    path = export(odd_dataset(tmp_path), tmp_path / "out.csv")
    (tmp_path / "out.csv.capo.json").write_text(content, encoding="utf-8")
    read = read_dataset(path, name="again")
    assert any("could not be used" in note for note in read.report.notes)


def test_no_cell_of_a_csv_is_a_formula(tmp_path):
    path = export(odd_dataset(tmp_path), tmp_path / "out.csv")
    cells = [cell for each in csv.reader(io.StringIO(path.read_text())) for cell in each]
    bad = [cell for cell in cells if cell.startswith(DANGEROUS)]
    # A plain number cannot do anything, and must stay a number.
    assert set(bad) == {"-3"}


def test_ordinal_labels_stay_numbers(tmp_path):
    path = tmp_path / "in.csv"
    rows = [row(label="-3"), row(annotator="B", label="+5"), row("i2", label="0")]
    path.write_text(csv_of(rows))
    dataset = read_dataset(path, name="x", task=PARAPHRASE).dataset
    out = pd.read_csv(export(dataset, tmp_path / "out.csv"))
    assert out["label"].tolist() == [-3, 5, 0]


@given(st.text(alphabet="='-+@\t\r\n3a.＝", max_size=6) | st.text(max_size=12))
def test_escaping_can_be_undone_for_every_text(text):
    safe = escape(text)
    assert unescape(safe) == text
    assert not safe.startswith(DANGEROUS) or safe.lstrip("+-").replace(".", "", 1).isdigit()


def test_any_table_can_be_downloaded_safely():
    frame = pd.DataFrame({"row": [2, 3], "text": ["=cmd|' /C calc'!A0", "fine"], "=x": [1.5, -2]})
    text = csv_text(frame, PLACE)
    assert text.replace(f",{PLACE.line}\n", "\n") == (
        "row,text,'=x,provenance\n2,'=cmd|' /C calc'!A0,1.5\n3,fine,-2.0\n"
    )


def test_places_that_cannot_be_written_are_named(tmp_path):
    dataset = odd_dataset(tmp_path)
    with pytest.raises(DataError, match="folder"):
        export(dataset, tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be"):
        export(dataset, tmp_path / "file" / "out.csv")
    with pytest.raises(ConfigError, match="'ods'"):
        export(dataset, tmp_path / "x.ods", "ods")
