"""Whatever a file holds: a report that accounts for every row, or a `CapoError`; never a crash."""

import csv
import io
import json
import os

import pandas as pd
import pytest
from helpers.data_files import HEADER, explanation, lewidi_item, varierr_item
from helpers.tool_exports import WRITERS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capo_core.data.export import export
from capo_core.data.formats.registry import FORMATS
from capo_core.data.importing import read_dataset
from capo_core.errors import CapoError

SETTINGS = settings(
    max_examples=int(os.environ.get("CAPO_EXAMPLES", "15")),  # more for a long search
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Few identifiers and labels, so that items, annotators and duplicates meet; many odd texts.
IDS = st.sampled_from(["i1", "i2", "i3", " i1 ", "", "=x"])
WHO = st.sampled_from(["A", "B", "C", "", "1"])
LABELS = st.sampled_from(["neutral", "entailment", "e", "3", "-1", "3.0", "", "nan", "Neutral"])
TEXTS = st.sampled_from(["Some text.", "Other text.", "", "'=1", "-", "x\ny"]) | st.text(max_size=8)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ROWS = st.lists(st.tuples(IDS, WHO, LABELS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=12)


def account(path, **options):
    """The import, if there is one, with every row accounted for."""
    try:
        read = read_dataset(path, name="x", **options)
    except CapoError as error:
        assert str(error)
        return None
    report = read.report
    assert report.rows_read == report.rows_kept + len(report.rejected)
    assert report.rows_kept == len(read.dataset.annotations) > 0
    assert sum(report.reasons().values()) == len(report.rejected)
    json.dumps(report.to_dict(), allow_nan=False).encode("utf-8")
    return read


def as_csv(rows, delimiter=",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([HEADER, *rows])
    return out.getvalue().encode("utf-8")


@SETTINGS
@given(ROWS, st.sampled_from([",", ";", "\t", "|"]))
def test_every_row_of_a_long_table_is_accounted_for(tmp_path, rows, delimiter):
    path = tmp_path / "t.csv"
    path.write_bytes(as_csv(rows, delimiter))
    read = account(path)
    written = sum(any(cell.strip() for cell in row) for row in rows)
    if read and read.report.delimiter == delimiter:
        assert read.report.rows_read == written


@SETTINGS
@given(ROWS, st.sampled_from(["csv", "jsonl", "parquet"]))
def test_export_then_import_gives_the_same_fingerprint(tmp_path, rows, format):
    path = tmp_path / "t.csv"
    path.write_bytes(as_csv(rows))
    read = account(path)
    if read is not None:
        again = account(export(read.dataset, tmp_path / f"out.{format}", format))
        assert again is not None
        assert again.dataset.fingerprint == read.dataset.fingerprint
        assert len(again.report.rejected) == 0


@SETTINGS
@given(st.lists(st.tuples(IDS, TEXTS, LABELS, TEXTS, LABELS, TEXTS), min_size=1, max_size=8))
def test_wide_tables_count_filled_cells(tmp_path, rows):
    header = ["item_id", "text", "label_A", "explanation_A", "label_B", "explanation_B"]
    path = tmp_path / "w.parquet"
    pd.DataFrame(rows, columns=header).to_parquet(path)
    read = account(path)
    if read:
        cells = [pair for row in rows for pair in ((row[2], row[3]), (row[4], row[5]))]
        assert read.report.unit == "cells"
        assert read.report.rows_read == sum(bool(a.strip() or b.strip()) for a, b in cells)


@SETTINGS
@given(
    st.lists(st.tuples(IDS, TEXTS, LABELS, TEXTS, TEXTS, LABELS), min_size=1, max_size=8),
    st.sampled_from(["gold_label", "label", "majority label", "label_time"]),
)
def test_explanations_that_share_a_label(tmp_path, rows, label):
    header = ["item_id", "text", label, "why1", "why2", "label_count"]
    path = tmp_path / "e.csv"
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *rows])
    path.write_bytes(out.getvalue().encode("utf-8"))
    read = account(path)
    if read:
        assert label != "label_time" and set(read.dataset.annotators) <= {"1", "2"}
        assert read.report.rows_read == sum(bool(cell.strip()) for row in rows for cell in row[3:5])


@SETTINGS
@given(ROWS, st.sampled_from(["each", "set", ""]), st.data())
def test_every_cell_with_several_labels_is_accounted_for(tmp_path, rows, how, data):
    sets = st.lists(st.sampled_from(["e", "n", "c", "3"]), max_size=3)
    written = [
        (
            json.dumps(labels)
            if data.draw(st.booleans())
            else ";".join(labels) or json.dumps({"choices": labels})
        )
        for labels in data.draw(st.lists(sets, min_size=len(rows), max_size=len(rows)))
    ]
    path = tmp_path / "s.csv"
    path.write_bytes(
        as_csv([(*row[:2], label, *row[3:]) for row, label in zip(rows, written, strict=True)])
    )
    account(path, label_sets=how)


@SETTINGS
@given(
    ROWS,
    st.lists(
        st.sampled_from(["# note", "A title", ",,", "Date,today", ",,A,,B,", "", "#a,b"]),
        max_size=4,
    ),
    st.integers(0, 12),
)
def test_anything_above_and_within_a_table(tmp_path, rows, above, again):
    lines = as_csv(rows).decode("utf-8").split("\r\n")
    lines.insert(min(again + 1, len(lines)), lines[0])
    path = tmp_path / "h.csv"
    path.write_bytes("\r\n".join([*above, *lines]).encode("utf-8"))
    account(path)


@SETTINGS
@given(st.lists(st.dictionaries(st.sampled_from(HEADER), JUNK, max_size=6) | JUNK, max_size=8))
def test_json_lines_of_anything(tmp_path, values):
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    read = account(path)
    if read and read.report.format == "table" and all(isinstance(v, dict) for v in values):
        assert read.report.rows_read == len(values)


@SETTINGS
@given(
    st.lists(
        st.builds(
            lambda junk, why, own: (
                varierr_item("1n", {"neutral": [explanation(0, why, own)]}) | junk
            ),
            st.dictionaries(
                st.sampled_from(["id", "context", "neutral", "entailment", "chaosnli_labels"]),
                JUNK,
                max_size=2,
            ),
            TEXTS,
            st.sampled_from([True, False, None]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_varierr_with_anything_in_its_fields(tmp_path, items):
    path = tmp_path / "v.json"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    account(path, format="varierr")


@SETTINGS
@given(
    st.dictionaries(
        st.text(max_size=3),
        st.builds(
            lambda junk, who, first, second: (
                lewidi_item(who, {"A": first, "B": second}, ["x"]) | junk
            ),
            st.dictionaries(
                st.sampled_from(["text", "annotations", "annotators", "other_info", "split"]),
                JUNK,
                max_size=2,
            ),
            st.sampled_from(["A,B", "A,A,B", "", "C"]),
            LABELS,
            st.sampled_from(["1,2", "5", "", "x"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_lewidi_with_anything_in_its_fields(tmp_path, items):
    path = tmp_path / "Par.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    account(path, format="lewidi")


ITEM = {"premise": "A lamp is on.", "hypothesis": "It is dark."}
RECORDS = {  # formats that have no property of their own here or in test_tool_formats
    "crowd-counts": {"uid": "1n", "label_counter": {"e": 60, "n": 40}, "example": ITEM},
    "doccano": {"id": 1, "text": "A lamp is on.", "label": ["joy"], "Comments": ["so it is"]},
    "esnli": {"pairID": "1n", "gold_label": "neutral", "Explanation_1": "so", **ITEM},
    "preferences": {"context": [], "response1": "a", "individual_preference": [{"score": 1}]},
    "potato": {"user_id": "u", "instance_id": "1", "displayed_text": "A lamp is on.",
               "label_annotations": {"mood": {"good": "1"}}},
}  # fmt: skip


@SETTINGS
@given(
    st.sampled_from(sorted(RECORDS)),
    st.lists(st.dictionaries(st.integers(0, 5), JUNK, max_size=2), min_size=1, max_size=5),
)
def test_records_with_anything_in_their_fields(tmp_path, name, spoiled):
    rows = []
    for junk in spoiled:
        fields = list(RECORDS[name])
        rows.append(RECORDS[name] | {fields[at % len(fields)]: each for at, each in junk.items()})
    path = tmp_path / "ann.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    try:
        read = read_dataset(path, name="x", format=name)
    except CapoError as error:
        assert str(error)
        return
    report, dataset = read.report, read.dataset
    assert name != "preferences"
    assert report.rows_read == report.rows_kept + len(report.rejected)
    kept = dataset.items if name == "crowd-counts" else dataset.annotations
    assert report.rows_kept == len(kept) > 0


def test_every_format_has_a_property():
    others = {"table", "varierr", "lewidi"}  # above
    others |= {"token-labels"}  # always refused, and no JSON: any file is, below
    tools = {format_name for format_name, _ in WRITERS.values()}
    assert tools | others | RECORDS.keys() == FORMATS.keys()


@SETTINGS
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-16")))
@example(b"a,b\n\x00,1\n")
@example(b'"')
@example(b"{")
@example(b"PAR1" * 3)
@example(b"item_id,annotator,label,text\n1,a,x\xff,t\n")
def test_any_bytes_are_read_or_refused_in_words(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    account(path)
    with pytest.raises(CapoError):
        read_dataset(path, name="x", format="token-labels")


@SETTINGS
@given(ROWS, st.data())
def test_a_sound_file_with_a_few_bytes_changed(tmp_path, rows, data):
    content = bytearray(as_csv([("i0", "A", "neutral", "why", "t", "u"), *rows]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "t.csv"
    path.write_bytes(bytes(content))
    account(path)
