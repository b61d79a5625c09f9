"""A provenance for tests, of a day that does not pass, and where each format has it."""

import csv
import html
import io
import json
import re
import zipfile

import pyarrow.parquet as pq
from PIL import Image

from capo_core.provenance import NAME, SIMULATED, Provenance

DAY, EPOCH = "2026-03-02", "1772409600"  # EPOCH is for SOURCE_DATE_EPOCH
PLACE = Provenance("made", "ab12" * 16, date=DAY, version="0.0")
OF_NOBODY = PLACE.but(data=SIMULATED)


def bare_lines(text: str) -> list[dict]:
    """The rows of JSON lines without the provenance that each of them has."""
    rows = [json.loads(line) for line in text.split("\n") if line]
    assert all(Provenance.from_line(row.pop(NAME)) is not None for row in rows)
    return rows


def _refuse(name: str):
    raise AssertionError(f"{name} is no JSON")


def provenance_in(content: bytes, kind: str) -> Provenance:
    """The provenance in a file, found as its reader would; every row of a table has it.

    Args:
        kind: the ending of the file's name.
    """
    if kind == "parquet":
        table = pq.read_table(io.BytesIO(content))
        sidecar = json.loads(table.schema.metadata[b"capo"])
        (line,) = set(table.column(NAME).to_pylist())
        assert Provenance.from_dict(sidecar[NAME]).line == line
        return Provenance.from_line(line)
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(f"{NAME}.json"))
            return Provenance.from_dict(json.loads(archive.read(name)))
    if kind == "png":
        return Provenance.from_line(Image.open(io.BytesIO(content)).text["Description"])
    if kind == "pdf":
        (subject,) = re.findall(rb"/Subject \((.*?[^\\])\)", content, re.S)
        if subject.startswith(b"\xfe\xff"):
            return Provenance.from_line(re.sub(rb"\\(.)", rb"\1", subject).decode("utf-16"))
        return Provenance.from_line(re.sub(rb"\\(.)", rb"\1", subject).decode("ascii"))
    text = content.decode("utf-8-sig" if kind == "csv" else "utf-8")
    if kind == "svg":
        (line,) = re.findall(r"<dc:description>(.*?)</dc:description>", text, re.S)
        return Provenance.from_line(html.unescape(line))
    if kind in ("json", "jsonl"):
        for part in [text] if kind == "json" else filter(None, text.split("\n")):
            json.loads(part, parse_constant=_refuse)
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert rows or text.rstrip().endswith(f",{NAME}")
        (line,) = {row[NAME] for row in rows}
        return Provenance.from_line(line)
    if kind == "jsonl":
        (line,) = {json.loads(row)[NAME] for row in text.split("\n") if row}
        return Provenance.from_line(line)
    if kind == "json":
        value = json.loads(text)
        if isinstance(value, list):  # tasks of Label Studio, whose file has no place of its own
            (line,) = {task["meta"][NAME] for task in value}
            return Provenance.from_line(line)
        return Provenance.from_dict(value[NAME])
    if kind == "html":
        head = re.search(rf'<meta name="{NAME}" content="([^"]*)">', text).group(1)
        found = Provenance.from_dict(json.loads(html.unescape(head)))
        body = html.unescape(text[text.index("<body") :])
        assert found.fingerprint[:16] in body and found.date in body  # a person reads it too
        return found
    if kind == "md":
        rows = dict(re.findall(r"^- (\w+): (.*)$", text[text.index("## Provenance") :], re.M))
        assert rows["data"] and rows["fingerprint"] and rows["date"], rows
        return Provenance(rows["dataset"].replace("\\", ""), rows["fingerprint"], rows["data"],
                          version=rows["product"].split()[-1], date=rows["date"])  # fmt: skip
    if kind == "tex":
        return Provenance.from_line(text.splitlines()[0].removeprefix("% "))
    if kind == "txt":
        return Provenance.from_line(text.splitlines()[-1])
    raise AssertionError(f"no place for the provenance of a file .{kind} is known")


def check_file(content: bytes, name: str) -> Provenance:
    """Check that a file has the provenance of the frozen day, and return it.

    If anything in it is simulated, its titles say so. A page names its tables for those who cannot
    see them, and loads nothing.
    """
    kind = name.rpartition(".")[2]
    rows = content.decode("utf-8").splitlines() if kind in ("csv", "jsonl") else None
    if rows is not None and len(rows) <= (kind == "csv"):
        return PLACE  # a table without rows: there is nothing whose origin could be asked
    found = provenance_in(content, kind)
    assert found is not None, f"{name} has no provenance"
    assert found.date == DAY and found.version, (name, found)
    if found.simulated and kind in ("html", "md", "tex"):
        text = content.decode("utf-8")
        title = {"html": r"<title>(.*?)</title>", "md": r"^# (.*)$",
                 "tex": r"(?:paragraph|caption)\{(.*?)\}"}  # fmt: skip
        assert "simulated" in re.search(title[kind], text, re.M | re.I).group(1).lower(), name
    if kind == "html":
        page = re.sub(r"<script.*?</script>", "", content.decode("utf-8"), flags=re.S)
        assert not re.findall(r"<table(?![^>]*aria-label=\S)[^>]*>", page), name
        assert not re.findall(r"<(?!a )[^>]*(?:src|href)=\W?(?:https?:)?//[^>]*>", page), name
    return found
