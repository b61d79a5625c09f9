"""A dataset as a file that others can open, and that comes back the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from capo_core.data.sidecar import COLUMNS, KEY, SUFFIX, escape, sidecar_text
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.workspace import atomic_file

FORMATS = ("csv", "jsonl", "parquet")


def long_table(dataset: Dataset) -> pd.DataFrame:
    """One row an annotation, with its item's texts: columns `COLUMNS`."""
    return dataset.annotations.merge(dataset.items, on="item_id", how="left")[COLUMNS]


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV that is safe to open in a spreadsheet (see `sidecar.escape`)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([escape(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([escape(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def export(dataset: Dataset, path: Path | str, format: str = "csv") -> Path:
    """Write `dataset` in long form; CSV and JSONL get a small file `…capo.json` beside them.

    In CSV, cells that a spreadsheet would take for a formula begin with an apostrophe, which an
    import removes again. JSONL and Parquet hold the texts as they are.

    Raises:
        ConfigError: an unknown format. DataError: the place cannot be written.
    """
    path = Path(path)
    if format not in FORMATS:
        raise ConfigError(f"the format {format!r} is not known", expected=", ".join(FORMATS))
    if path.is_dir():
        raise DataError("this is a folder", where=str(path), todo="name a file in it")
    frame, beside = long_table(dataset), sidecar_text(dataset)
    try:
        if format == "parquet":
            table = pa.Table.from_pandas(frame.astype(object), preserve_index=False)
            table = table.replace_schema_metadata({KEY: beside.encode("utf-8")})
            with atomic_file(path) as file:
                pq.write_table(table, file)
            return path
        text = csv_text(frame) if format == "csv" else _json_lines(frame)
        for target, content in ((path.with_name(path.name + SUFFIX), beside), (path, text)):
            with atomic_file(target) as file:
                file.write(content.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"the file cannot be written ({error.strerror or error})", where=str(path)
        ) from None
    return path


def _json_lines(frame: pd.DataFrame) -> str:
    records = frame.to_dict("records")
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
