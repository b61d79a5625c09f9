"""What each kind of bad input gets: the exact kind and key words of the error, or the report.

Every case is a function that makes the file, beside what must come of it. A report is (rows kept,
reasons of rejected rows with their counts, words of the notes); a row that is neither kept nor
set aside fails every case.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.data_files import (
    HEADER,
    ROWS,
    TEXTS,
    csv_of,
    explanation,
    jsonl_of,
    lewidi_item,
    records,
    row,
    varierr_item,
)

from capo_core.data.columns import parse_mapping
from capo_core.data.importing import read_dataset
from capo_core.data.limits import ImportLimits
from capo_core.errors import CapoError, ConfigError, DataError
from capo_core.task import NLI, PARAPHRASE


@dataclass
class Case:
    """A file, and the error (kind, words) or the report (kept, reasons, notes) that it gets."""

    make: Callable[[Path], Path]
    error: type[CapoError] | None = None
    words: tuple[str, ...] = ()
    kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)


def text(content: str, name: str = "votes.csv", encoding: str = "utf-8"):
    """A maker of a text file; newlines as they stand."""
    return raw(content.encode(encoding), name)


def raw(content: bytes, name: str = "votes.csv"):
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def folder_of(folder: Path) -> Path:
    return folder


def missing(folder: Path) -> Path:
    return folder / "nothing.csv"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def unix_socket(folder: Path) -> Path:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(here)
    return folder / "s"


def excel(rows, name: str = "votes.xlsx", **more_sheets):
    def make(folder: Path) -> Path:
        book = openpyxl.Workbook()
        for each in rows:
            book.active.append(each)
        for title, content in more_sheets.items():
            sheet = book.create_sheet(title)
            for each in content:
                sheet.append(each)
        book.save(folder / name)
        return folder / name

    return make


def zip_bomb(folder: Path) -> Path:
    """30 MB of zeros in 30 kB, dressed as a workbook."""
    with zipfile.ZipFile(folder / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (30 * 2**20))
    return folder / "bomb.xlsx"


def xml_bomb(folder: Path) -> Path:
    """A sound workbook whose sheet begins with entities that expand a thousandfold."""
    excel([HEADER, *ROWS], "sound.xlsx")(folder)
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with (
        zipfile.ZipFile(folder / "sound.xlsx") as old,
        zipfile.ZipFile(folder / "xml.xlsx", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name).decode("utf-8")
            if name.endswith("sheet1.xml"):
                content = entities + content.removeprefix('<?xml version="1.0"?>')
            new.writestr(name, content)
    return folder / "xml.xlsx"


def zip_of(name: str, content: str):
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
            archive.writestr(name, content)
        return folder / "archive.zip"

    return make


def parquet(frame: pd.DataFrame, cut: int | None = None):
    def make(folder: Path) -> Path:
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(frame), out)
        (folder / "votes.parquet").write_bytes(out.getvalue()[:cut])
        return folder / "votes.parquet"

    return make


def parquet_bomb(folder: Path) -> Path:
    """One explanation of 10 kB, 4,000 times: 16 kB on disk, 40 MB as text."""
    index = pa.array([0] * 4000, pa.int32())
    many = pa.DictionaryArray.from_arrays(index, pa.array(["x" * 10_000]))
    pq.write_table(pa.table({"explanation": many}), folder / "bomb.parquet", compression="zstd")
    return folder / "bomb.parquet"


def with_row(*extra) -> list:
    return [*ROWS, *extra]


WIDE_HEADER = ["id", "premise", "hypothesis", "label_A", "explanation_A", "label_B", "reason B"]
WIDE = csv_of(
    [
        ["1", *TEXTS, "neutral", "unclear", "entailment", ""],
        ["2", "x", "y", "", "", "neutral", "who knows"],
        ["3", "p", "q", "", "forgot my label", "", ""],
    ],
    WIDE_HEADER,
)
TRUNCATED = jsonl_of(records())[:-25]
LEWIDI = {"1": lewidi_item("Ann1,Ann2", {"Ann1": "3", "Ann2": "-2"}, ["same", "not the same"])}
PAIRS_12 = [row(f"i{n}", "A", "5" if n % 2 else "ok", "why", (f"text {n}", "")) for n in range(12)]

CASES: dict[str, Case] = {
    # --- paths and bytes
    "a path that is not there": Case(missing, DataError, ("no such file", "check the path")),
    "a directory": Case(folder_of, DataError, ("folder, not a file",)),
    "a named pipe, without waiting for a writer": Case(pipe, DataError, ("pipe", "regular file")),
    "a device": Case(lambda _: Path("/dev/zero"), DataError, ("device", "regular file")),
    "a socket": Case(unix_socket, DataError, ("cannot be opened",)),
    "a path with a NUL": Case(lambda f: Path(f"{f}/a\0b"), DataError, ("cannot be opened",)),
    "an empty file": Case(raw(b""), DataError, ("is empty", "header and rows")),
    "only white space": Case(raw(b" \n\n \n"), DataError, ("is empty",)),
    "only a byte order mark": Case(raw(b"\xef\xbb\xbf"), DataError, ("is empty",)),
    "larger than allowed": Case(
        text(csv_of()),
        DataError,
        ("0.0 MB", "at most"),
        options={"limits": ImportLimits(file_bytes=99)},
    ),
    "more cells than allowed": Case(
        text(csv_of()),
        DataError,
        ("4 rows × 6 columns",),
        options={"limits": ImportLimits(cells=20)},
    ),
    "gzip": Case(raw(gzip.compress(csv_of().encode())), DataError, ("gzip", "unpack it first")),
    "a web page saved instead of the file": Case(
        text("\n<!DOCTYPE html><html><body>votes.csv</body></html>"),
        DataError,
        ("web page", "Raw"),
    ),
    "an old Excel file": Case(
        raw(b"\xd0\xcf\x11\xe0" + b"\0" * 600), DataError, (".xls", "save it as .xlsx")
    ),
    "a PDF": Case(raw(b"%PDF-1.7 ..."), DataError, ("PDF", "export the table")),
    "random bytes": Case(
        raw(bytes(range(256)) * 20, "votes.csv"), DataError, ("neither text", "CSV, TSV, JSONL")
    ),
    # --- encodings
    "UTF-8 with a byte order mark": Case(text(csv_of(), encoding="utf-8-sig"), kept=4),
    "UTF-16 with a byte order mark": Case(text(csv_of(), encoding="utf-16"), kept=4),
    "UTF-16 without one": Case(
        text(csv_of(), encoding="utf-16-le"), kept=4, notes=("read as UTF-16-LE",)
    ),
    "UTF-16 cut in the middle of a character": Case(
        raw(csv_of().encode("utf-16")[:-1]), DataError, ("damaged or cut off", "UTF-8")
    ),
    "Windows-1252": Case(
        text(csv_of([row(why="naïve “déjà vu” – così")]), encoding="cp1252"),
        kept=1,
        notes=("guessed: cp1252", "one annotator", "one item"),
    ),
    "Russian in Windows-1251": Case(
        text(csv_of([row(why="потому что флейта это музыка") for _ in "x"]), encoding="cp1251"),
        kept=1,
        notes=("encoding was guessed",),
    ),
    "one broken byte in UTF-8": Case(
        raw(csv_of(with_row(row("i3", why="ça vÃ? déjà"))).encode().replace(b"?", b"\xff")),
        kept=4,
        reasons={"broken character": 1},
        notes=("1 byte not valid in UTF-8",),
    ),
    "an encoding given that is wrong": Case(
        text(csv_of([row(why="déjà")]), encoding="cp1252"),
        DataError,
        ("is not utf-8", "leave the encoding out"),
        options={"encoding": "utf-8"},
    ),
    "an encoding that does not exist": Case(
        text(csv_of()), DataError, ("'klingon'", "not known"), options={"encoding": "klingon"}
    ),
    "NUL bytes in one cell": Case(
        text(csv_of(with_row(row("i3", why="a\0b")))),
        kept=4,
        reasons={"NUL character": 1},
    ),
    # --- delimiters, quotes, headers
    "semicolons": Case(text(csv_of(delimiter=";")), kept=4),
    "tabs under the name .csv": Case(text(csv_of(delimiter="\t")), kept=4),
    "a first line that tells Excel the delimiter": Case(
        text("sep=;\r\n" + csv_of(delimiter=";")), kept=4
    ),
    "bars": Case(text(csv_of(delimiter="|")), kept=4),
    "semicolons with many commas in the texts": Case(
        text(csv_of([row(why="a, b, c, d, e, f")], delimiter=";")), kept=1
    ),
    "a quote that is never closed": Case(
        text(csv_of()[:-1] + '\ni3,A,neutral,"open,x,y\ni4,A,neutral,z,x,y\n'),
        DataError,
        ("never closed", "line 6", "JSONL"),
    ),
    "tabs and bare quotes without quoting": Case(
        text(csv_of(delimiter="\t") + 'i3\tA\tneutral\t"the start\tx\ty\n', "votes.tsv"),
        kept=5,
        notes=("does not use quoting",),
    ),
    "old Macintosh line ends": Case(text(csv_of().replace("\n", "\r")), kept=4),
    "blank lines between rows": Case(
        text(csv_of().replace("\n", "\n\n")), kept=4, notes=("blank lines",)
    ),
    "a row with more cells than the header": Case(
        text(csv_of() + "i3,A,neutral,why,x,y,surplus\n"),
        kept=4,
        reasons={"the row has 7 cells, the header 6": 1},
    ),
    "a row with fewer cells": Case(
        text(csv_of() + "i1,C\n"),
        kept=4,
        reasons={"the label is missing": 1},
        notes=("fewer cells than the header",),
    ),
    "a hundred thousand columns": Case(
        text("a," * 100_000 + "b\n1,2\n"), DataError, ("100,001 columns", "check the delimiter")
    ),
    "one line of 3 MB": Case(text("a" * 3_000_000), DataError, ("no rows under the header",)),
    "two columns of the same name": Case(
        text(csv_of(header=[*HEADER[:3], "label", *HEADER[4:]])),
        kept=4,
        notes=("'label' occurs twice",),
    ),
    # One of the names' commas is lost, so that no row has as many cells as the header.
    "a header with a cell too few": Case(
        text("item_id,annotator_id,label,explanation,premise\ni1,A,neutral,a,b,c\n"),
        DataError,
        ("the only row cannot be imported", "the row has 6 cells, the header 5 (1 time)"),
    ),
    "a header and no rows": Case(text(csv_of([])), DataError, ("no rows under the header",)),
    "no header": Case(
        text(csv_of()[len(",".join(HEADER)) + 1 :]), DataError, ("no column was found", "--map")
    ),
    "a single column": Case(
        text("text\nhello\nworld\n"), DataError, ("annotator_id and label", "found the columns")
    ),
    # --- columns
    "no label column": Case(
        text(csv_of(header=["item_id", "annotator_id", "x", "explanation", "premise", "y"])),
        DataError,
        ("no column was found for label", "--map label=COLUMN", "'explanation'"),
    ),
    "no annotator column": Case(
        text(csv_of(header=["item_id", "x", "label", "explanation", "premise", "y"])),
        DataError,
        ("no column that says who wrote them", "--map annotator_id=COLUMN"),
    ),
    "a mapping to a column that is not there": Case(
        text(csv_of()),
        ConfigError,
        ("'vote'", "not in the file"),
        options={"mapping": ["label=vote"]},
    ),
    "one column in two roles": Case(
        text(csv_of()),
        ConfigError,
        ("'premise'", "two roles"),
        options={"mapping": ["text_b=premise", "text_a=premise"]},
    ),
    "no text, only an item identifier": Case(
        text(csv_of([each[:4] for each in ROWS], HEADER[:4])),
        kept=4,
        notes=("is used in its place",),
    ),
    "no item identifier": Case(
        text(csv_of([each[1:] for each in ROWS], HEADER[1:])),
        kept=4,
        notes=("equal texts are one item",),
    ),
    # --- rows
    "one annotator": Case(text(csv_of(ROWS[::2])), kept=2, notes=("there is one annotator",)),
    "one item": Case(text(csv_of(ROWS[:2])), kept=2, notes=("there is one item",)),
    "a missing label": Case(
        text(csv_of(with_row(row("i3", label="")))), kept=4, reasons={"the label is missing": 1}
    ),
    "labels that pandas wrote as NaN": Case(
        text(csv_of(with_row(row("i3", label="nan")))),
        kept=4,
        reasons={"the label is missing (nan)": 1},
    ),
    "a missing annotator": Case(
        text(csv_of(with_row(row("i3", annotator="  ")))),
        kept=4,
        reasons={"the annotator is missing": 1},
    ),
    "a missing item identifier": Case(
        text(csv_of(with_row(row("")))), kept=4, reasons={"no identifier": 1}
    ),
    "an item without text": Case(
        text(csv_of(with_row(row("i3", texts=("", ""))))), kept=4, reasons={"has no text": 1}
    ),
    "a text left out in a later row of the item": Case(
        text(csv_of(with_row(row("i2", "C", "neutral", "w", ("", ""))))),
        kept=5,
        notes=("filled in from the item's other rows",),
    ),
    "missing explanations": Case(
        text(csv_of([row(why=""), row(annotator="B", why="  "), row("i2", texts=("x", "y"))])),
        kept=3,
        notes=("2 of 3 annotations without an explanation",),
    ),
    "a repeated annotation_id": Case(
        text(csv_of([[*each, "n1"] for each in ROWS[:2]], [*HEADER, "annotation_id"])),
        kept=1,
        reasons={"this annotation_id": 1},
    ),
    "the same annotation twice": Case(
        text(csv_of([*ROWS, ROWS[0]])), kept=4, reasons={"duplicate: the same item": 1}
    ),
    "two labels by one annotator": Case(
        text(csv_of(with_row(row(label="neutral", why="or not")))),
        kept=5,
        notes=("1 further label by the same annotator",),
    ),
    "one item_id with two texts": Case(
        text(csv_of(with_row(row("i2", "C", texts=("Other.", "Text."))))),
        kept=4,
        reasons={"item 'i2' has other texts in row 4": 1},
    ),
    "item_ids that are no item_ids": Case(
        text(csv_of([row(f"i{n % 2}", f"A{n}", texts=(f"text {n}", "")) for n in range(8)])),
        DataError,
        ("2 of 2 values of item_id", "--map item_id="),
    ),
    # --- labels
    "labels off the scale given": Case(
        text(csv_of(with_row(row("i3", label="maybe")))),
        kept=4,
        reasons={"the label 'maybe' is not on the scale": 1},
        options={"task": NLI},
    ),
    "numbers off an ordinal scale": Case(
        text(csv_of([row(label="5"), row(annotator="B", label="6"), row("i2", label="-5.0")])),
        kept=2,
        reasons={"the label '6' is not on the scale (-5 to 5)": 1},
        notes=("-5.0 → -5",),
        options={"task": PARAPHRASE},
    ),
    "every label off the scale": Case(
        text(csv_of()),
        DataError,
        ("none of the 4 rows can be imported",),
        options={"task": PARAPHRASE},
    ),
    "labels in capitals": Case(
        text(csv_of([row(label="Entailment"), row(annotator="B", label="NEUTRAL")])),
        kept=2,
        notes=("Entailment → entailment", "NEUTRAL → neutral"),
    ),
    "numbers and words mixed as labels": Case(
        text(csv_of(PAIRS_12)), kept=12, notes=("some labels are numbers and some are words",)
    ),
    "a different label in every row": Case(
        text(csv_of([row(f"i{n}", label=f"my view {n}") for n in range(300)])),
        DataError,
        ("300 different labels", "--map label=COLUMN"),
    ),
    "all labels missing": Case(
        text(csv_of([row(label=""), row(annotator="B", label="")])),
        DataError,
        ("none of the 2 rows can be imported", "the label is missing (2 times)"),
    ),
    # --- texts
    "10 MB in one cell": Case(
        text(csv_of(with_row(row("i3", why="x" * 10_000_000)))),
        kept=4,
        reasons={"10,000,000 characters, more than 1,000,000": 1},
    ),
    "HTML": Case(text(csv_of(with_row(row("i3", why="<script>alert(1)</script>")))), kept=5),
    "a formula as text": Case(
        text(csv_of(with_row(row("i3", why='=HYPERLINK("http://x","y")')))), kept=5
    ),
    "right-to-left text": Case(text(csv_of(with_row(row("i3", why="כי זה נכון ‏(2)")))), kept=5),
    "emoji": Case(text(csv_of(with_row(row("i3", why="👍🏽 yes 👩‍👩‍👧")))), kept=5),
    # --- JSON
    "truncated JSON Lines": Case(
        text(TRUNCATED, "v.jsonl"), kept=3, reasons={"the line is not JSON: unterminated": 1}
    ),
    "a truncated JSON array": Case(
        text(json.dumps(records(), indent=1)[:-60], "v.json"),
        DataError,
        ("not valid JSON", "line 31", "download it again"),
    ),
    "a trailing comma in a JSON array": Case(
        text(json.dumps(records())[:-1] + ",]", "v.json"), kept=4, notes=("trailing commas",)
    ),
    "a key twice in one object": Case(
        text(jsonl_of(records()) + '{"item_id": "i3", "label": "neutral", "label": "x"}\n'),
        kept=4,
        reasons={"the key 'label' occurs twice": 1},
    ),
    "a number among the objects": Case(
        text(jsonl_of([*records(), 7]), "v.jsonl"), kept=4, reasons={"not a JSON object": 1}
    ),
    "half a surrogate pair in JSON": Case(
        text(jsonl_of(records()) + json.dumps(records([row("i3", why="\ud83d")])[0]), "v.jsonl"),
        kept=4,
        reasons={"broken character": 1},
    ),
    "nested far too deeply": Case(
        text("[" * 200_000, "v.json"), DataError, ("not valid JSON", "nested too deeply")
    ),
    "an object that is no table": Case(
        text('{"version": 3}', "v.json"), DataError, ("no column was found",)
    ),
    "an array wrapped in an object": Case(
        text(json.dumps({"version": 1, "data": records()}), "v.json"),
        kept=4,
        notes=("under the key 'data'",),
    ),
    "a table as pandas writes JSON": Case(
        text('{"label": {"0": "x"}, "item_id": {"0": "i"}}', "v.json"),
        DataError,
        ("no column was found",),
    ),
    "lists where the labels should be": Case(
        text(jsonl_of([{"item_id": "1", "annotator": "a", "label": ["e", "n"], "text": "t"}] * 2)),
        DataError,
        ("several labels in one cell", "--label-sets each"),
    ),
    "a number of five thousand digits": Case(
        text(jsonl_of(records()) + '{"item_id": ' + "9" * 5000 + "}\n", "v.jsonl"),
        kept=4,
        reasons={"the line is not JSON": 1},
    ),
    "mixed types in JSON": Case(
        text(
            jsonl_of(
                [
                    {"item_id": 1, "annotator": 0, "label": 2, "explanation": None, "text": "t"},
                    {"item_id": 1.0, "annotator": "1", "label": "3.0", "reason": 5, "text": "t"},
                    {"item_id": "1", "annotator": 2, "label": True, "text": "t"},
                ]
            ),
            "v.jsonl",
        ),
        kept=3,
        notes=("some labels are numbers and some are words", "there is one item"),
    ),
    # --- VariErr and LeWiDi
    "VariErr with a broken line": Case(
        text(
            jsonl_of(
                [
                    varierr_item("a", {"neutral": [explanation(0)]}),
                    varierr_item("b", {"neutral": [explanation(1)]}),
                ]
            )
            + '{"id": "c", "con'
        ),
        kept=2,
        reasons={"the line is not JSON": 1},
        notes=("0 of 2 item-labels are errors",),
    ),
    "VariErr with an explanation by nobody": Case(
        text(
            jsonl_of(
                [
                    varierr_item("a", {"neutral": [explanation(0), {"reason": "x"}]}),
                    varierr_item("b", {"neutral": [explanation(1), "only text"]}),
                ]
            )
        ),
        kept=2,
        reasons={"the annotator is missing": 2},
    ),
    "VariErr with a label that is no list": Case(
        text(
            jsonl_of(
                [
                    varierr_item("a", {"neutral": [explanation(0)]}),
                    varierr_item("b", {"neutral": "yes"}),
                ]
            )
        ),
        kept=1,
        reasons={"neutral must be a list": 1},
    ),
    "a table called VariErr": Case(
        text(csv_of()), DataError, ("not JSON", "varierr"), options={"format": "varierr"}
    ),
    "LeWiDi with an empty label": Case(
        text(
            json.dumps(
                LEWIDI | {"2": lewidi_item("Ann1,Ann2", {"Ann1": "1", "Ann2": ""}, ["a", ""])}
            ),
            "Par.json",
        ),
        kept=3,
        reasons={"the label is missing": 1},
    ),
    "a LeWiDi test file without labels": Case(
        text(json.dumps({"1": lewidi_item("Ann1,Ann2", {"Ann1": "", "Ann2": ""}, [])}), "T.json"),
        DataError,
        ("all 2 labels are empty", "test file"),
    ),
    "LeWiDi with too few explanations": Case(
        text(
            json.dumps(
                LEWIDI | {"2": lewidi_item("Ann1,Ann2", {"Ann1": "1", "Ann2": "0"}, ["only one"])}
            ),
            "Par.json",
        ),
        kept=4,
        notes=("row 2: 1 explanations for 2 annotations",),
    ),
    "LeWiDi's metadata instead of its data": Case(
        text('{"Ann1": {"Age": "26",},\n}', "Par_annotators_meta.json"),
        DataError,
        ("metadata, not annotations",),
    ),
    "an item twice in LeWiDi": Case(
        raw(b"{%b, %b}" % ((json.dumps(LEWIDI)[1:-1].encode(),) * 2), "Par.json"),
        kept=2,
        reasons={"duplicate": 2},
    ),
    # --- Excel and Parquet
    "a zip bomb as Excel": Case(zip_bomb, DataError, ("zip bomb", "30.0 MB")),
    "an XML bomb inside Excel": Case(xml_bomb, DataError, ("damaged", "EntitiesForbidden")),
    "a zip archive that is no workbook": Case(
        zip_of("votes.csv", csv_of()), DataError, ("zip archive, not an Excel", "unpack it")
    ),
    "a damaged Excel file": Case(
        raw(b"PK\x03\x04 and then nothing", "v.xlsx"), DataError, ("Excel file is damaged",)
    ),
    "an Excel file with an empty sheet first": Case(
        excel([], votes=[HEADER, *ROWS]), kept=4, notes=("read sheet 'votes'",)
    ),
    "an Excel file with formulas": Case(
        excel([HEADER, *ROWS, row("i3", why="=1+1")]), kept=5, notes=("1 cell with a formula",)
    ),
    "an Excel file with a cell far away": Case(
        excel([[*HEADER, *[None] * 16_377, "x"], *ROWS]), DataError, ("16,384 columns",)
    ),
    "an Excel file without rows": Case(
        excel([HEADER]), DataError, ("no rows under the header", "choose the sheet")
    ),
    "a sheet that is not there": Case(
        excel([HEADER, *ROWS]), DataError, ("no sheet 'x'", "Sheet"), options={"sheet": "x"}
    ),
    "numbers and gaps in Parquet": Case(
        parquet(
            pd.DataFrame(
                {
                    "item_id": [1, 1, 2],
                    "worker": [7.0, 8.0, 7.0],
                    "rating": [3.0, None, -1.0],
                    "text": ["t", "t", "u"],
                }
            )
        ),
        kept=2,
        reasons={"the label is missing": 1},
        notes=("ordinal, -1 to 3",),
    ),
    "a truncated Parquet file": Case(
        parquet(pd.DataFrame(records()), cut=-20), DataError, ("Parquet file is damaged",)
    ),
    "a Parquet bomb": Case(
        parquet_bomb,
        DataError,
        ("unpacks to more than",),
        options={"limits": ImportLimits(unpacked_bytes=10 * 2**20)},
    ),
    # --- wide form
    "wide form with empty cells": Case(
        text(WIDE),
        kept=3,
        reasons={"the label is missing": 1},
        notes=("2 of 6 cells are empty",),
    ),
    # --- names and formats
    "a dataset name with a slash": Case(
        text(csv_of()), ConfigError, ("'../x'",), options={"name": "../x"}
    ),
    "a format that does not exist": Case(
        text(csv_of()), ConfigError, ("'spss'", "varierr"), options={"format": "spss"}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_bad_input_gets(name, tmp_path):
    case = CASES[name]
    options = {"name": "x", **case.options}
    if isinstance(options.get("mapping"), list):
        options["mapping"] = parse_mapping(options["mapping"])
    path = case.make(tmp_path)
    if case.error is not None:
        with pytest.raises(CapoError) as caught:
            read_dataset(path, **options)
        assert isinstance(caught.value, case.error)
        for words in case.words:
            assert words in f"{caught.value} {caught.value.option}"
        return
    read = read_dataset(path, **options)
    report = read.report
    assert report.rows_kept == case.kept == len(read.dataset.annotations)
    assert report.rows_read == report.rows_kept + len(report.rejected)
    assert sum(report.reasons().values()) == sum(case.reasons.values())
    for words, count in case.reasons.items():
        assert sum(n for reason, n in report.reasons().items() if words in reason) == count
    for words in case.notes:
        assert any(words in note for note in report.notes), report.notes
    assert (report.rejected["row"] >= 1).all()
    assert (report.rejected["text"] != "").all()
    json.dumps(report.to_dict(), allow_nan=False).encode("utf-8")  # can be stored and sent


def test_there_are_at_least_forty():
    assert len(CASES) >= 40


def test_set_aside_rows_name_their_place_and_hold_their_text(tmp_path):
    path = text(csv_of(with_row(row("i3", "C", "", "I forgot"))))(tmp_path)
    aside = read_dataset(path, name="x").report.rejected
    # The header is row 1 and there are four sound rows, so the bad one is row 6.
    assert aside[["row", "column", "reason"]].to_numpy().tolist() == [
        [6, "label", "the label is missing"]
    ]
    assert json.loads(aside["text"][0])["explanation"] == "I forgot"


def test_set_aside_rows_name_the_column_of_the_file(tmp_path):
    long = tmp_path / "long.csv"
    long.write_text(
        "Premise,Rater,Verdict,Why\n"
        "A cat sits.,Ann,yes,because it sits\nA cat sits.,,no,because it does not\n"
        ",Bob,no,because there is none\nA dog runs.,Bob,no,because it runs\n"
    )
    found = read_dataset(long, name="long").report.rejected
    assert [*zip(found["row"], found["column"], strict=True)] == [(3, "Rater"), (4, "Premise")]
    wide = tmp_path / "wide.csv"
    wide.write_text(
        "text,label_ann,why_ann,label_bob,why_bob\n"
        f"A cat sits.,yes,because,no,{'a' * 300}\nA dog runs.,no,of course,yes,it does\n"
    )
    limits = ImportLimits(cell_characters=200)
    (place,) = read_dataset(wide, name="wide", limits=limits).report.rejected["column"]
    assert place == "why_bob"


def test_texts_come_in_exactly_as_written(tmp_path):
    odd = ['=1+1 "x"', " leading space", "two\nlines\r\nhere", "<b>&amp;</b>", "👍🏽 ‏עברית", "'-1'"]
    rows = [row(f"i{n}", why=why, texts=(f"t{n}", why)) for n, why in enumerate(odd)]
    for path in (
        text(csv_of(rows))(tmp_path),
        text(csv_of(rows, delimiter="\t"), "v.tsv")(tmp_path),
        text(jsonl_of(records(rows)), "v.jsonl")(tmp_path),
        parquet(pd.DataFrame(records(rows)))(tmp_path),
    ):
        dataset = read_dataset(path, name="x").dataset
        assert dataset.annotations["explanation"].tolist() == odd
        assert dataset.items["text_b"].tolist() == odd


def test_russian_text_is_read_right(tmp_path):
    said = "потому что флейта это музыка"
    path = text(csv_of([row(why=said)] * 1), encoding="cp1251")(tmp_path)
    assert read_dataset(path, name="x").dataset.annotations["explanation"].tolist() == [said]
