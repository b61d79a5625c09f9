"""Any table, long or wide, whose columns are assigned to roles."""

from __future__ import annotations

from dataclasses import replace

from capo_core.data import export
from capo_core.data.column_names import is_explanation
from capo_core.data.column_values import candidates
from capo_core.data.columns import (
    ColumnMapping,
    check_one_annotator,
    column_notes,
    guess_mapping,
    lacking_roles,
    require_roles,
    unused_columns,
)
from capo_core.data.doubtful_columns import name_with_samples
from capo_core.data.formats.base import Format, ReadOptions
from capo_core.data.made_columns import fields_inside, with_made_columns
from capo_core.data.notes import Note
from capo_core.data.raw_annotations import RawAnnotations, raw_annotations_of
from capo_core.data.readers.table import ImportSource, RawTable, table_of
from capo_core.data.rejected_rows import RejectedRows
from capo_core.errors import DataError
from capo_core.provenance import any_simulated


def read(source: ImportSource, options: ReadOptions, rejected: RejectedRows) -> RawAnnotations:
    """Return the annotations of a table, with what its sidecar knows.

    Raises:
        DataError: the file holds no table, or a needed column is missing.
        ConfigError: the mapping names a column that is not there.
    """
    raw = table_of(source, delimiter=options.delimiter, sheet=options.sheet, limits=options.limits)
    rejected.extend(raw.rejected.itertuples(index=False))
    notes = list(raw.notes)
    given = options.mapping
    if given is not None:
        raw = replace(raw, frame=with_made_columns(raw.frame, given.columns().values()))
    if options.annotator:
        raw, given = _with_annotator(raw, options, notes)
    mapping = guess_mapping(raw.frame, given)
    _require(mapping, raw, source.name, given)
    check_one_annotator(mapping, raw.frame, source.name)
    mapping = _with_text(mapping, raw, given, notes)
    notes += [*column_notes(mapping, raw.frame), *unused_columns(mapping, raw.frame)]
    sidecar = export.find_sidecar(options.path, raw.metadata, notes)
    found = raw_annotations_of(export.unescaped(raw, notes), mapping)
    return replace(
        sidecar.complete(found),
        notes=(*notes, *found.notes),
        simulated=sidecar.simulated or any_simulated(raw.provenance),
        mapping=mapping,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
    )


def _require(
    mapping: ColumnMapping, raw: RawTable, where: str, given: ColumnMapping | None
) -> None:
    """Check the roles; where only the annotator is missing, say that the file can be one's."""
    try:
        require_roles(mapping, raw.frame, where, given)
    except DataError as error:
        todo, option = error.todo or "", error.option or ""
        if mapping.label and not mapping.annotator_id and not mapping.wide:
            todo += ", or say whose rows these are"
            option += ", or --annotator NAME (file: by the file's name)"
        if lacking_roles(mapping) and (inside := fields_inside(raw.frame)):
            shown = name_with_samples(inside, with_made_columns(raw.frame, inside), most=12)
            todo = f"choose the columns; fields inside objects are columns, too: {shown}"
            if option == "--format NAME":
                option = "--map annotator_id=COLUMN label=COLUMN text_a=COLUMN"
        if sheets := next((note for note in raw.notes if note.startswith("read sheet ")), ""):
            todo += f". Sheets: {sheets}"
            option += (
                ". Other sheets: --sheet NAME, or --sheet all (with --annotator file, if each "
                "sheet is one annotator's)"
            )
        if (todo, option) == (error.todo, error.option):
            raise
        raise DataError(
            error.what, where=error.where, expected=error.expected, todo=todo, option=option
        ) from None


def _with_text(
    mapping: ColumnMapping, raw: RawTable, given: ColumnMapping | None, notes: list[str]
) -> ColumnMapping:
    """Return the mapping with the text that no name says: the one column of sentences that is left.

    Only if it is the same in all rows of an item.
    """
    if mapping.text_a or (given is not None and given.text_a is not None):
        return mapping
    used = set(mapping.columns().values())
    found = [
        name
        for name in candidates(raw.frame, "text_a", used)
        if raw.frame.groupby(mapping.item_id)[name].nunique().max() == 1
        and not is_explanation(name)
    ]
    if len(found) != 1:
        return mapping
    text = f"the text is {found[0]!r}, the one column of sentences"
    notes.append(Note(text, "--map text_a= for none"))
    return replace(mapping, text_a=found[0])


def _with_annotator(
    raw: RawTable, options: ReadOptions, notes: list[str]
) -> tuple[RawTable, ColumnMapping | None]:
    """Return a table in which the rows of a file without an annotator are the given one's."""
    guessed = guess_mapping(raw.frame, options.mapping)
    if guessed.annotator_id or guessed.wide or "annotator_id" in raw.frame.columns:
        return raw, options.mapping
    notes.append(f"the file names no annotator: its rows are {options.annotator}'s")
    given = replace(options.mapping or ColumnMapping(), annotator_id="annotator_id")
    if guessed.annotation_id and not guessed.item_id and given.item_id is None:
        # Of one person's rows a number of each row is the item's.
        given = replace(given, item_id=guessed.annotation_id, annotation_id="")
    return replace(raw, frame=raw.frame.assign(annotator_id=options.annotator)), given


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
    item_id = mapping.item_id or mapping.annotation_id  # a bare "id", one for each row
    if not item_id or not mapping.text_a:
        return {}
    columns = [raw.frame[item_id], raw.frame[mapping.text_a]]
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
