"""Reading files into a dataset, with a report in which every row is imported or rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from capo_core.data.columns import ColumnMapping
from capo_core.data.crowd_counts import crowd_dataset, only_counts
from capo_core.data.doubtful_annotators import doubtful_annotators
from capo_core.data.formats.base import AnnotatorDetails, Format, ReadOptions
from capo_core.data.formats.registry import AUTO, format_of
from capo_core.data.formats.table import FORMAT as TABLE
from capo_core.data.formats.table import holds_items
from capo_core.data.joining import (
    ALL_SHEETS,
    FileAnnotations,
    files_of,
    in_order_of_parts,
    join,
    same_items,
    stated_annotators,
    stated_parts,
    with_texts,
)
from capo_core.data.label_sets import check_label_sets, read_label_sets
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.notes import note_of_file
from capo_core.data.pseudonyms import Hidden, email_note, pseudonyms_of, with_pseudonyms
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.encoding import map_text
from capo_core.data.readers.excel_parquet import EmptySheet, read_excel
from capo_core.data.readers.sample import sheet_names
from capo_core.data.readers.table import ImportSource, open_source
from capo_core.data.rejected_rows import RejectedRows
from capo_core.data.splits import PARTS, Shares, assign_splits, split_problems, split_sizes
from capo_core.data.validation import assemble
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import count, name_list
from capo_core.progress import Progress, silent
from capo_core.task import Task
from capo_core.workspace import safe_name


@dataclass(frozen=True)
class ImportReport:
    """The outcome of an import.

    Attributes:
        source: the file's name; of several, all names with commas.
        format: name of the format (see `formats.registry`).
        encoding, delimiter, sheet: as found; "" if the kind of file has none.
        unit: what a row is: "rows", "cells" (wide form), "explanations", "annotations".
        rows_read, rows_kept: rows_read = rows_kept + len(rejected).
        rejected: row (place in the file; "FILE:PLACE" of several files), column, reason, text.
        notes: what was guessed, filled in or changed, in sentences.
        mapping: role → column, as used; None for formats that need none.
        people: details of the annotators from a metadata file, by annotator.
        pseudonyms: the annotators' names in the file → their pseudonyms in the dataset; in no JSON.
    """

    source: str
    format: str
    encoding: str
    delimiter: str
    rows_read: int
    rows_kept: int
    rejected: pd.DataFrame
    notes: tuple[str, ...] = ()
    unit: str = "rows"
    sheet: str = ""
    mapping: ColumnMapping | None = None
    people: AnnotatorDetails = field(default_factory=dict)
    pseudonyms: Mapping[str, str] = field(default_factory=dict, repr=False)

    def reasons(self) -> dict[str, int]:
        """Return the number of rejected rows for each reason, the most frequent first."""
        return {reason: int(n) for reason, n in self.rejected["reason"].value_counts().items()}

    def to_dict(self) -> dict:
        """Return the report as JSON-able values; the rejected rows as a list of objects."""
        return {
            "source": self.source,
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "unit": self.unit,
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "reasons": self.reasons(),
            "notes": list(self.notes),
            "mapping": None if self.mapping is None else self.mapping.to_dict(),
            "people": self.people,
            "set_aside": self.rejected.to_dict("records"),
        }


@dataclass(frozen=True)
class ImportResult:
    """A dataset and the report of its import."""

    dataset: Dataset
    report: ImportReport


@dataclass(frozen=True)
class _Place:
    """A file, or a sheet of one, with its part and its annotator ("" if unknown)."""

    path: Path
    name: str
    sheet: str | None
    part: str
    annotator: str


@dataclass(frozen=True)
class _File:
    """An opened file, its format, and what was read from it."""

    path: Path
    name: str
    part: str
    source: ImportSource
    format: Format
    raw: RawAnnotations
    rejected: RejectedRows
    rows_read: int


def read_dataset(
    path: Path | str | Sequence[Path | str],
    *,
    name: str,
    format: str = AUTO,
    mapping: ColumnMapping | None = None,
    task: Task | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    parts: Sequence[str] | None = None,
    annotators: Sequence[str] | None = None,
    shares: Shares | None = None,
    seed: int = 0,
    label_sets: str = "",
    pseudonyms: bool = False,
    limits: ImportLimits = LIMITS,
    progress: Progress = silent,
) -> ImportResult:
    """Read a file of annotations, or several files of one dataset.

    >>> from pathlib import Path
    >>> _ = Path("votes.csv").write_text(
    ...     "item,annotator,label,explanation,premise,hypothesis\\n"
    ...     "1,anna,entailment,A flute makes music.,A man plays a flute.,Someone makes music.\\n"
    ...     "1,bert,neutral,Maybe he only holds it.,A man plays a flute.,Someone makes music.\\n"
    ...     "1,carl,,,A man plays a flute.,Someone makes music.\\n"
    ... )
    >>> result = read_dataset("votes.csv", name="votes")
    >>> result.dataset.annotations[["item_id", "annotator_id", "label"]]
      item_id annotator_id       label
    0       1         anna  entailment
    1       1         bert     neutral
    >>> result.report.reasons()
    {'the label is missing': 1}

    Args:
        path: a file, a folder with the files of one dataset, or several of them; of several files,
            each is the part that its name states (train, dev, test) unless its rows state one.
        name: the dataset's name, safe as a file name.
        format: name of a format; "auto" detects it from the content.
        mapping: for tables, the columns that the user assigned; the rest is guessed.
        task: the task and its label scale; None to take it from the file or infer it.
        encoding, delimiter, sheet: None to detect them.
        sheet: "all" reads every sheet of a workbook as a file of its own.
        parts: train, validation or test ("" for none) for each file, in their order; None: by
            their names.
        annotators: whose rows those are that name nobody: one name for each file, in their order,
            one for all, or "file" to take them from the names of the files (or sheets).
        shares, seed: split the items anew by these shares (see `splits.assign_splits`); None keeps
            the parts that the files state, if they state any.
        label_sets: how a cell with several labels is read: "each", "set" (see `label_sets`), or ""
            to refuse a file that has such cells.
        pseudonyms: replace the annotators' names by A1, A2, … (see `pseudonyms`).

    Raises:
        DataError: a file cannot be read, a needed column is missing, every row is rejected, or the
            files are of different formats or tasks.
        ConfigError: an argument is out of range, or does not fit the format.
    """
    safe_name(name)
    check_label_sets(label_sets)
    given = [path] if isinstance(path, Path | str) else list(path)
    options = ReadOptions(Path(), mapping, delimiter, sheet, limits, label_sets=label_sets)
    paths = files_of(
        [Path(each) for each in given],
        lambda found: bool(annotators) or _one_per_annotator(found, format, encoding, options),
    )
    places = _places(paths, sheet, parts, annotators, options)
    files, texts, notes = _read_files(places, format, encoding, options, progress)
    where = name_list(file.name for file in files)
    raw, rejected = _joined(files, notes, alone=len(places) == 1 and parts is None)
    raw = with_texts(raw, texts, "a file without labels")
    names = pseudonyms_of(raw.frame["annotator_id"].tolist()) if pseudonyms else {}
    hidden = Hidden(names)
    if names:
        raw, where = with_pseudonyms(raw, names), hidden(where)
    progress("Checking every row", 0.5)
    raw, more = read_label_sets(raw, label_sets, task or raw.task, rejected, notes, where)
    build = crowd_dataset if only_counts(raw) else assemble
    dataset = build(
        raw, name=name, task=task, rejected=rejected, notes=notes, where=where, limits=limits
    )
    # Details are found by the annotators' names.
    people = {} if names else _details(files, dataset, notes)
    dataset = _with_parts(dataset, shares, seed, notes)
    notes += doubtful_annotators(list(dict.fromkeys(names)) or dataset.annotators)
    if names:
        dataset = replace(dataset, origin=hidden(dataset.origin))
        notes.append(f"{count(len(set(names.values())), 'annotator')} by pseudonym")
    elif note := email_note(dataset.annotators):
        notes.append(note)
    report = _report(files, raw, dataset, rejected, notes, people, names, more_rows=more)
    progress("Done", 1.0)
    return ImportResult(dataset, report)


def _joined(
    files: Sequence[_File], notes: list[str], *, alone: bool
) -> tuple[RawAnnotations, RejectedRows]:
    """Return the annotations of all files and the rows rejected in them.

    Args:
        alone: the only file is taken as it is, without its name before the places of its rows.
    """
    if alone:
        return same_items([files[0].raw], notes)[0], files[0].rejected
    rejected = RejectedRows()
    parts = [FileAnnotations(file.name, file.part, file.raw, file.rejected) for file in files]
    return join(parts, rejected), rejected


def _report(
    files: Sequence[_File],
    raw: RawAnnotations,
    dataset: Dataset,
    rejected: RejectedRows,
    notes: Sequence[str],
    people: AnnotatorDetails,
    names: Mapping[str, str],
    *,
    more_rows: int,
) -> ImportReport:
    """Return the report of an import, with pseudonyms wherever it names an annotator.

    Args:
        names: the annotators' names → their pseudonyms; empty where they keep their names.
        more_rows: rows that cells with several labels became, beyond those read.
    """
    first, hidden = files[0], Hidden(names)
    return ImportReport(
        source=hidden(", ".join(file.name for file in files)),
        format=first.format.name,
        encoding=first.source.encoding,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
        unit=raw.unit,
        rows_read=sum(file.rows_read for file in files) + more_rows,
        rows_kept=len(dataset.items if only_counts(raw) else dataset.annotations),
        rejected=_rejected_by_pseudonym(rejected.frame(), hidden) if names else rejected.frame(),
        notes=tuple(dict.fromkeys(map(hidden, notes) if names else notes)),
        mapping=raw.mapping,
        people=people,
        pseudonyms=names,
    )


def _details(files: Sequence[_File], dataset: Dataset, notes: list[str]) -> AnnotatorDetails:
    """Return what files beside those read tell of the annotators; notes say what was read."""
    found: AnnotatorDetails = {}
    for file in files:
        if file.format.finish:
            found |= file.format.finish(file.path, dataset, notes)
    return found


def _with_parts(dataset: Dataset, shares: Shares | None, seed: int, notes: list[str]) -> Dataset:
    """Return the dataset with its items split, anew or where no file says how.

    Notes say which, and what cannot be done where a part has no items.
    """
    if shares is not None:
        dataset = assign_splits(dataset, shares, seed)
        note = f"the items were split anew: {split_sizes(dataset)} (random, seed {seed})"
    elif not dataset.items["split"].any():
        dataset = assign_splits(dataset)
        note = "no split in the file: random 60/20/20 split of the items (seed 0)"
        if not _all_parts(dataset):
            note += f": {split_sizes(dataset)}"
    elif not _all_parts(dataset):
        note = f"the parts of the file are kept: {split_sizes(dataset)}."
    else:
        return dataset
    problems = split_problems(dataset)
    notes.append(" ".join([f"{note.rstrip('.')}.", *problems]) if problems else note)
    return dataset


def _all_parts(dataset: Dataset) -> bool:
    return set(PARTS) <= set(dataset.items["split"])


def _rejected_by_pseudonym(skipped: pd.DataFrame, hidden: Hidden) -> pd.DataFrame:
    """Return the table of skipped rows with pseudonyms wherever it names an annotator."""
    told = {name: map_text(skipped[name], hidden) for name in ("column", "reason", "text")}
    return skipped.assign(**told).astype(dict.fromkeys(told, "str"))


def _one_per_annotator(
    paths: Sequence[Path], format: str, encoding: str | None, options: ReadOptions
) -> bool:
    """Return whether each of these files holds one annotator's answers."""
    sources = (open_source(path, encoding=encoding, limits=options.limits) for path in paths)
    return all(format_of(format, source).file_per_annotator for source in sources)


def _places(
    paths: Sequence[Path],
    sheet: str | None,
    parts: Sequence[str] | None,
    annotators: Sequence[str] | None,
    options: ReadOptions,
) -> list[_Place]:
    """Return what to read: the files, or all sheets of them, with their parts and annotators."""
    same_names = len({path.name for path in paths}) < len(paths)
    found: list[tuple[Path, str, str | None]] = []
    for path in paths:
        name = f"{path.parent.name}/{path.name}" if same_names else path.name
        sheets = sheet_names(path, options.limits) if sheet == ALL_SHEETS else []
        found += [(path, f"{name}[{each}]", each) for each in sheets] or [(path, name, sheet)]
    own = [each if each and each != ALL_SHEETS else path.stem for path, _, each in found]
    by_sheet = [Path(f"{each}.x") if sheet == ALL_SHEETS else path
                for each, (path, _, _) in zip(own, found, strict=True)]  # fmt: skip
    of = stated_parts(by_sheet, parts)
    people = stated_annotators(own, annotators)
    places = [
        _Place(path, name, None if each == ALL_SHEETS else each, part, who)
        for (path, name, each), part, who in zip(found, of, people, strict=True)
    ]
    return places if parts is not None else in_order_of_parts(places)


def _read_files(
    places: Sequence[_Place],
    format: str,
    encoding: str | None,
    options: ReadOptions,
    progress: Progress,
) -> tuple[list[_File], dict[str, tuple[str, str]], list[str]]:
    """Return the files as read, the texts of items that files without labels state, and notes."""
    files: list[_File] = []
    notes: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    several = len(places) > 1
    sheets = {place.path: {each.sheet for each in places if each.path == place.path}
              for place in places}  # fmt: skip
    for number, place in enumerate(places):
        path, name = place.path, place.name
        done = number / len(places)
        progress(f"Reading {name}" if several else "Reading the file", 0.5 * done)
        source = open_source(path, encoding=encoding, limits=options.limits)
        found = format_of(format, source)
        own = replace(options, path=path, sheet=place.sheet, annotator=place.annotator)
        if len(sheets[path]) > 1 and _is_empty(source, place.sheet, options.limits):
            notes.append(f"{name}: the sheet holds no rows and is left out")
            continue
        if several and found is TABLE and (items := holds_items(source, own)):
            texts |= items
            notes.append(f"{name}: no labels, it states the texts of {count(len(items), 'item')}")
            continue
        if format == AUTO and found.sign:
            notes.append(f"read as {found.title}, recognised by {found.sign}")
        if several and found.accompanies and found.accompanies(source):
            continue
        _check_options(found, source, options.mapping)
        rejected = RejectedRows()
        progress("Finding the columns", 0.5 * done + 0.3 / len(places))
        try:
            raw = found.read(source, own, rejected)
        except DataError as error:
            if len(sheets[path]) < 2:
                raise
            todo = "if this sheet holds no annotations, delete it in a copy of the workbook"
            raise DataError(
                error.what,
                where=name,
                expected=error.expected,
                todo=f"{error.todo}; {todo}" if error.todo else todo,
                option=error.option,
            ) from None
        read = raw.items if only_counts(raw) else raw.frame
        rows_read = len(read) + len(rejected)
        notes += [note_of_file(note, name) if several else note for note in source.notes]
        files.append(_File(path, name, place.part, source, found, raw, rejected, rows_read))
    formats = {file.format.name: file.name for file in files}
    if len(formats) > 1:
        listed = ", ".join(f"{file} is {name}" for name, file in formats.items())
        raise DataError(
            f"the files are of different formats ({listed})",
            expected="files of one dataset in one format",
            todo="import them one by one, each under a name of its own",
        )
    if not files:
        raise DataError(
            "none of the files holds annotations",
            where=name_list(place.name for place in places),
            expected="at least one file of annotations",
        )
    return files, texts, notes


def _is_empty(source: ImportSource, sheet: str | None, limits: ImportLimits) -> bool:
    try:
        read_excel(source.raw, source.name, limits, sheet)
    except EmptySheet:
        return True
    except DataError:
        return False  # reading it says what is wrong
    return False


def _check_options(found: Format, source: ImportSource, mapping: ColumnMapping | None) -> None:
    if mapping is not None and not found.needs_mapping and found.fields is None:
        raise ConfigError(
            f"files in the format {found.name} need no column mapping",
            todo="leave out the mapping, or import the file as a table",
            option="--format table",
        )
    if found.needs_json and not source.json:
        raise DataError(
            f"the file is not JSON, so it is not in the format {found.name}", where=source.name
        )
