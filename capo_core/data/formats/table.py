"""Any table, long or wide, whose columns are assigned to roles."""

from __future__ import annotations

from dataclasses import replace

from capo_core.data import export
from capo_core.data.columns import (
    check_one_annotator,
    guess_mapping,
    require_roles,
    unused_columns,
)
from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.raw_annotations import RawAnnotations, raw_annotations_of
from capo_core.data.readers.table import ImportSource, table_of
from capo_core.data.rejected_rows import RejectedRows
from capo_core.provenance import SIMULATED


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Return the annotations of a table, with what its sidecar knows.

    Raises:
        DataError: the file holds no table, or a needed column is missing.
        ConfigError: the mapping names a column that is not there.
    """
    raw = table_of(source, delimiter=options.delimiter, sheet=options.sheet, limits=options.limits)
    rejected.extend(raw.rejected.itertuples(index=False))
    notes = list(raw.notes)
    mapping = guess_mapping(raw.frame, options.mapping)
    require_roles(mapping, raw.frame, source.name, options.mapping)
    check_one_annotator(mapping, raw.frame, source.name)
    notes += unused_columns(mapping, raw.frame)
    sidecar = export.find_sidecar(options.path, raw, notes)
    found = raw_annotations_of(export.unescaped(raw, notes), mapping)
    return replace(
        sidecar.complete(found),
        notes=(*notes, *found.notes),
        simulated=sidecar.simulated or any(SIMULATED in one.data for one in raw.provenance),
        mapping=mapping,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
    )


FORMAT = Format(
    name="table",
    title="Table",
    description="CSV, TSV, JSON Lines, JSON array, Excel or Parquet with one row per annotation, "
    "or one row per item and columns for each annotator",
    read=read,
    needs_mapping=True,
)
