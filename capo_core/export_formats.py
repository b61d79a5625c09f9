"""One writer for each format of an export, each with its provenance.

Tables (CSV, JSON lines) have it in each row, as the last column `provenance`: any reader of such
files reads them without a special case, and it survives sorting, filtering and joining; a table
without rows has none. Documents (JSON, HTML, Markdown, LaTeX) have it once.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd
from markupsafe import Markup

from capo_core.json_text import json_line, json_text, plain
from capo_core.latex_text import engine_note, latex, latex_cell
from capo_core.provenance import NAME, Provenance

_DANGER = "=+\\-@\t\r\n＝＋－＠"
_TO_ESCAPE = re.compile(rf"'*[{_DANGER}]")
_ESCAPED = re.compile(rf"'+[{_DANGER}]")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


def escape(text: str) -> str:
    """Return `text` with an apostrophe before = + - @ …, so that no spreadsheet runs a formula.

    Plain numbers stay numbers. A text that already begins so, after apostrophes, gets one more, so
    that `unescape(escape(text)) == text` for every text.
    """
    return "'" + text if _TO_ESCAPE.match(text) and not _NUMBER.fullmatch(text) else text


def unescape(text: str) -> str:
    """Return the text that was given to `escape`."""
    return text[1:] if _ESCAPED.match(text) else text


def csv_text(frame: pd.DataFrame, provenance: Provenance) -> str:
    """Return a table as CSV that is safe to open in a spreadsheet (see `escape`); numbers that are
    not defined are empty."""
    frame, line = frame.drop(columns=NAME, errors="ignore"), provenance.line
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(escape(str(name)) for name in frame.columns), NAME])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([*map(_cell, row), line])
    return out.getvalue()


BYTE_ORDER_MARK = "\ufeff"


def for_excel(text: str) -> str:
    """Return CSV that begins with a byte-order mark, by which Excel knows that it is UTF-8.

    Not the default: other readers take the mark for a part of the first column's name.
    """
    return text if text.startswith(BYTE_ORDER_MARK) else BYTE_ORDER_MARK + text


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value


def json_lines(rows: Iterable[Mapping[str, Any]], provenance: Provenance) -> str:
    """Return JSON lines, one a row."""
    line = provenance.line
    return "".join(json_line({**row, NAME: line}) + "\n" for row in rows)


def frame_lines(frame: pd.DataFrame, provenance: Provenance) -> str:
    """Return a table as JSON lines, one a row."""
    return json_lines(frame.to_dict("records"), provenance)


def json_document(value: Mapping[str, Any], provenance: Provenance) -> str:
    """Return an object as indented JSON with the key `provenance`, its first."""
    return json_text(with_provenance(value, provenance)) + "\n"


def with_provenance(value: Mapping[str, Any], provenance: Provenance) -> dict[str, Any]:
    """Return an object with the key `provenance`, its first."""
    return {NAME: provenance.to_dict(), **{k: v for k, v in value.items() if k != NAME}}


_METADATA = b"capo"  # in the schema of Parquet, where `data.export` has its sidecar


def parquet_bytes(
    frame: pd.DataFrame, provenance: Provenance, about: Mapping[str, Any] | None = None
) -> bytes:
    """Return a table as Parquet: the provenance in each row and, with `about`, in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame.assign(**{NAME: provenance.line}), preserve_index=False)
    said = json_line(with_provenance(about or {}, provenance))
    table = table.replace_schema_metadata({_METADATA: said.encode("utf-8", "backslashreplace")})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def read_parquet(content: bytes) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return table and `about` of what `parquet_bytes` wrote, the latter with its provenance.

    Raises:
        ValueError, KeyError: it is no Parquet, or has no such metadata.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    about = json.loads((table.schema.metadata or {})[_METADATA])
    return table.to_pandas().drop(columns=NAME), about


def html_head(provenance: Provenance) -> Markup:
    """Return the elements of an HTML page's head that a program reads the provenance from."""
    return Markup('<meta name="generator" content="{}">\n<meta name="{}" content="{}">').format(
        provenance.rows["product"], NAME, json_line(provenance.to_dict())
    )


def html_foot(provenance: Provenance) -> Markup:
    """Return the end of an HTML page that a person reads the provenance from."""
    rows = Markup("").join(
        Markup("<tr><th scope=row>{}</th><td>{}</td></tr>\n").format(name, text)
        for name, text in provenance.rows.items()
    )
    return Markup(
        '<h2>Provenance</h2><div class="wide"><table aria-label="Provenance">\n{}</table></div>'
    ).format(rows)


def markdown_section(provenance: Provenance) -> list[str]:
    """Return the lines of a Markdown section with the provenance."""
    return [
        "## Provenance",
        "",
        *(f"- {name}: {_markdown(text)}" for name, text in provenance.rows.items()),
        "",
    ]


def _markdown(text: str) -> str:
    text = " ".join(text.split())
    for mark in "\\|`<>[]*_#":
        text = text.replace(mark, f"\\{mark}")
    return text


def latex_comment(provenance: Provenance) -> str:
    """Return a comment line of LaTeX with the provenance."""
    return f"% {provenance.line}\n"


_WIDE = 60  # letters of a table; more do not fit one of two columns of a page
# Scaled down to the width of the text where the table is wider, never up.
_FITTED = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"


def latex_table(
    names: Sequence[str | tuple[str, str]],
    rows: Sequence[Sequence[str]],
    provenance: Provenance,
    *,
    caption: str,
    label: str,
    align: str = "",
    bold: Collection[tuple[int, int]] = (),
) -> str:
    """Return a table for a paper, by the package booktabs; what is simulated is in the caption.

    A table of more than some 60 letters goes over both columns and is no wider than the text, by
    the package graphicx. The comments before it name the packages, and the engines where letters
    need one that reads Unicode.

    Args:
        names: of the columns; (group, name) for columns that have a header in common.
        rows: cells as text.
        label: of the table, of letters, digits and hyphens.
        align: of each column, "l" or "r"; by default all but the first to the right.
        bold: (row, column) of cells in bold.
    """
    body = [
        " & ".join(
            f"\\textbf{{{latex_cell(cell)}}}" if (n, place) in bold else latex_cell(cell)
            for place, cell in enumerate(row)
        )
        + r" \\"
        for n, row in enumerate(rows)
    ]
    heads = [("", name) if isinstance(name, str) else tuple(name) for name in names]
    columns = align or "l" + "r" * (len(names) - 1)
    wide = _width([name for _, name in heads], rows) > _WIDE
    float_ = "table*" if wide else "table"
    said = provenance.marked(caption)
    note = engine_note(
        said, *(part for head in heads for part in head), *(c for r in rows for c in r)
    )
    return "\n".join(
        [
            f"{latex_comment(provenance)}{note}"
            f"% needs \\usepackage{{booktabs{',graphicx' if wide else ''}}}",
            f"\\begin{{{float_}}}[t]",
            r"\centering",
            r"\small",
            *([_FITTED] if wide else []),
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *_grouped(heads),
            " & ".join(latex_cell(name) for _, name in heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}" + ("}" if wide else ""),
            f"\\caption{{{latex(' '.join(said.split()))}}}",
            f"\\label{{tab:{label}}}",
            f"\\end{{{float_}}}",
            "",
        ]
    )


def _width(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return the letters of a line of a table, with two between columns."""
    longest = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return sum(longest) + 2 * (len(longest) - 1)


def _grouped(heads: Sequence[tuple[str, str]]) -> list[str]:
    """Return the line of headers that columns have in common, and the rules below them; nothing
    where there are none."""
    if not any(group for group, _ in heads):
        return []
    cells, rules, start = [], [], 1
    for group, of in groupby(group for group, _ in heads):
        n = len(list(of))
        cells += [f"\\multicolumn{{{n}}}{{c}}{{{latex_cell(group)}}}"] if group else [""] * n
        rules += [f"\\cmidrule(lr){{{start}-{start + n - 1}}}"] if group else []
        start += n
    return [" & ".join(cells) + r" \\", "".join(rules)]


def without_provenance(content: bytes) -> bytes:
    """Return JSON lines without their provenance, byte by byte as they were written before it.

    For hashes: the same rows exported on another day are the same rows.
    """
    if f'"{NAME}"'.encode() not in content:
        return content
    lines = []
    for line in content.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and isinstance(row.get(NAME), str):
            ours = Provenance.from_line(row.pop(NAME)) is not None
            line = json_line(plain(row)).encode("utf-8", "surrogatepass") if ours else line
        lines.append(line)
    return b"\n".join(lines)
