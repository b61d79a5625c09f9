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
from capo_core.data.readers.table import ImportSource, RawTable, table_of
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError
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
    if options.annotator:
        raw = _with_annotator(raw, options, notes)
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


def _with_annotator(raw: RawTable, options: ReadOptions, notes: list[str]) -> RawTable:
    """Return a table in which the rows of a file without an annotator are the given one's."""
    guessed = guess_mapping(raw.frame, options.mapping)
    if guessed.annotator_id or guessed.wide or "annotator_id" in raw.frame.columns:
        return raw
    notes.append(f"the file names no annotator: its rows are {options.annotator}'s")
    return replace(raw, frame=raw.frame.assign(annotator_id=options.annotator))


def holds_items(source: ImportSource, options: ReadOptions) -> dict[str, tuple[str, str]]:
    """Return item → its texts, of a table that has no labels and only says what the items are."""
    try:
        raw = table_of(
            source, delimiter=options.delimiter, sheet=options.sheet, limits=options.limits
        )
        mapping = guess_mapping(raw.frame)
    except DataError:
        return {}
    if mapping.label or mapping.annotator_id or mapping.explanation or mapping.wide:
        return {}
    if not mapping.item_id or not mapping.text_a:
        return {}
    columns = [raw.frame[mapping.item_id], raw.frame[mapping.text_a]]
    second = raw.frame[mapping.text_b] if mapping.text_b else [""] * len(raw.frame)
    return {item.strip(): (a, b) for item, a, b in zip(*columns, second, strict=True)}


FORMAT = Format(
    name="table",
    title="Table",
    description="CSV, TSV, JSON Lines, JSON array, Excel or Parquet with one row per annotation, "
    "or one row per item and columns for each annotator",
    read=read,
    needs_mapping=True,
)
