"""Several files of one dataset: which files, which part each is, and their annotations together.

Files are joined before their rows are checked, so that labels share one scale and an item's texts
and annotations are compared across files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from capo_core.data.alike import bare, joined_forms, same_form
from capo_core.data.notes import note_of_file
from capo_core.data.raw_annotations import RAW_COLUMNS, RawAnnotations
from capo_core.data.readers.encoding import map_text
from capo_core.data.rejected_rows import RejectedRows, quoted
from capo_core.data.splits import PARTS, part_named
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import count

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx")
_SIDECAR = ".capo.json"
BY_FILE = "file"  # in place of an annotator: take it from the file's name
ALL_SHEETS = "all"  # in place of a sheet: read all of them
_WORDS = re.compile(r"[^A-Za-z]+")


def part_of(path: Path) -> str:
    """Return the part that a file's name states: train, validation, test, or "" for none.

    >>> part_of(Path("Paraphrase_dev.json")), part_of(Path("votes.csv"))
    ('validation', '')
    """
    named = [part for word in _WORDS.split(path.stem) if (part := part_named(word))]
    return named[-1] if named else ""


def files_of(
    paths: Sequence[Path], together: Callable[[list[Path]], bool] = lambda files: False
) -> list[Path]:
    """Return the files to read: those given, and for a folder those in it that belong together.

    Descriptions beside the data
    (`….capo.json`, `…_meta.json`) are left to the format that reads them along.

    Args:
        together: whether files of different names in one folder are of one dataset, as those of
            several annotators are.

    Raises:
        DataError: a folder holds no table, or files of several datasets.
        ConfigError: a file is named twice.
    """
    files: list[Path] = []
    for path in paths:
        files += _inside(path, together) if path.is_dir() else [path]
    places = [path.absolute() for path in files]
    twice = [path for n, path in enumerate(files) if path.absolute() in places[:n]]
    if twice:
        raise ConfigError(f"the file {twice[0].name} is given twice", expected="each file once")
    return files


def data_files(folder: Path) -> list[Path]:
    """Return the files in a folder that may hold annotations, in alphabetical order."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and not path.name.endswith((_SIDECAR, "_meta.json"))
    ]


def series_of(path: Path) -> str:
    """Return a file's name without its suffix and without the words that state a part.

    >>> series_of(Path("Paraphrase_dev.json")), series_of(Path("train.csv"))
    ('Paraphrase', '')
    """
    words = [word for word in re.split(r"[_\-. ]+", path.stem) if not part_named(word)]
    return "_".join(words)


def _inside(folder: Path, together: Callable[[list[Path]], bool]) -> list[Path]:
    found = data_files(folder)
    if not found:  # a folder of folders, one for each annotator
        inner = [each for each in sorted(folder.iterdir()) if each.is_dir()]
        found = [path for each in inner for path in _of_annotator(each)]
        if found:
            return found
        if len(inner) == 1:  # Potato's annotation_output/ in the folder of the task
            return _inside(inner[0], together)
    if not found:
        raise DataError(
            "this is a folder, not a file, and no file in it can be imported",
            where=str(folder),
            expected=f"files that end in {', '.join(SUFFIXES)}",
        )
    series: dict[str, list[str]] = {}
    for path in found:
        series.setdefault(series_of(path), []).append(path.name)
    if len(series) > 1 and not together(found):
        listed = ", ".join(f"{name} ({count(len(each), 'file')})" for name, each in series.items())
        one = next(iter(series.values()))
        raise DataError(
            f"the folder holds files of {len(series)} datasets: {listed}",
            where=str(folder),
            todo=f"name the files of one, such as {' '.join(one)}",
        )
    return found


def _of_annotator(folder: Path) -> list[Path]:
    """Return the files of one annotator's folder: of several states of the same, the last."""
    found = data_files(folder)
    named = [path for path in found if path.name == "user_state.json"]
    instances = [path for path in found if path.stem == "annotated_instances"]
    return named or instances[:1] or found


def annotators_by_name(names: Sequence[str]) -> list[str]:
    """Return the part of each name in which the names differ, without words that state a part.

    >>> annotators_by_name(["votes_ann", "votes_ben"]), annotators_by_name(["ann_train"])
    (['ann', 'ben'], ['ann'])
    """
    words = [re.split(r"[_\-. ]+", name) for name in names]
    words = [[word for word in each if word and not part_named(word)] or each for each in words]
    if len({tuple(each) for each in words}) > 1:
        while len({each[0] for each in words}) == 1 and all(len(each) > 1 for each in words):
            words = [each[1:] for each in words]
        while len({each[-1] for each in words}) == 1 and all(len(each) > 1 for each in words):
            words = [each[:-1] for each in words]
    return ["_".join(each) for each in words]


def stated_annotators(files: Sequence[str], given: Sequence[str] | None) -> list[str]:
    """Return the annotator of each file, for rows that name none: as given, or by its name.

    Args:
        files: the files' names without their ending, or the names of sheets.
        given: one name for each file, one for all, or "file" for the files' own names.

    Raises:
        ConfigError: other than one annotator for each file.
    """
    given = list(given or ())
    if not given:
        return [""] * len(files)
    if given == [BY_FILE]:
        return annotators_by_name(files)
    if len(given) == 1:
        return given * len(files)
    if len(given) != len(files):
        raise ConfigError(
            f"{count(len(given), 'annotator')} for {count(len(files), 'file')}",
            expected=f"one for each file, in the order of the files, or {BY_FILE!r} to take them "
            "from the files' names",
            option="--annotator",
        )
    return given


def in_order_of_parts(files: Sequence[Any]) -> list[Any]:
    """Return files in the order of their `part`: train, validation, test, then the others.

    So the dataset does not depend on the order in which its files are named.
    """
    order = {part: number for number, part in enumerate(PARTS)}
    return sorted(files, key=lambda file: order.get(file.part, len(PARTS)))


@dataclass(frozen=True)
class FileAnnotations:
    """The annotations of one of several files.

    Attributes:
        name: the file's name; `part`: train, validation or test, "" if unknown.
        rejected: its rows that could not be read.
    """

    name: str
    part: str
    raw: RawAnnotations
    rejected: RejectedRows


def stated_parts(files: Sequence[Path], parts: Sequence[str] | None) -> list[str]:
    """Return the part of each file: as given, else as its name states it, else "".

    Raises:
        ConfigError: other than one part for each file, or an unknown one.
    """
    if parts is None:
        return [part_of(path) for path in files]
    if len(parts) != len(files):
        raise ConfigError(
            f"{count(len(parts), 'part')} for {count(len(files), 'file')}",
            expected="one part for each file, in the order of the files",
            option="--part",
        )
    known = [part_named(part) for part in parts]
    if any(part and not found for part, found in zip(parts, known, strict=True)):
        raise ConfigError(
            f"the part {next(p for p, k in zip(parts, known, strict=True) if p and not k)!r} is "
            "not known",
            expected=f"one of {', '.join(PARTS)}",
            option="--part",
        )
    return known


def join(files: Sequence[FileAnnotations], rejected: RejectedRows) -> RawAnnotations:
    """Return the annotations of several files as those of one.

    - Rows are named by file and row ("dev.json:12"); those rejected so far go to `rejected`.
    - An item that states no part gets that of its file.
    - An item is the same in two files if identifier and texts are; an identifier that stands for
      other texts in a later file is another item there, with the file's part or name added.
    - Everything of this kind is in the notes, with counts.

    Raises:
        DataError: the files are of different tasks.
    """
    notes: list[str] = []
    for file in files:
        notes += [note_of_file(note, file.name) for note in file.raw.notes]
        rejected.extend((f"{file.name}:{row}", *rest) for row, *rest in
                        file.rejected.frame().itertuples(index=False))  # fmt: skip
    _check_same_task(files)
    raws = same_items([_placed(file, notes) for file in files], notes)
    if all(_numbered(raw) for raw in raws):
        raws = _numbered_together(raws)
    else:
        raws = _distinct_items(raws, files, notes)
    raws = _distinct_annotations(raws, files, notes)
    frame = pd.concat([raw.frame for raw in raws], ignore_index=True)
    _note_conflicts([raw.frame for raw in raws], notes)
    crowds = [raw.crowd for raw in raws if raw.crowd is not None]
    items = [raw.items for raw in raws if raw.items is not None]
    first = raws[0]
    names = ", ".join(file.name for file in files)
    units = {raw.unit for raw in raws}
    return replace(
        first,
        frame=frame,
        unit=first.unit if len(units) == 1 else "rows",
        roles=next((raw.roles for raw in raws if any(raw.roles)), first.roles),
        notes=tuple(notes),
        task=next((raw.task for raw in raws if raw.task is not None), None),
        crowd=pd.concat(crowds, ignore_index=True) if crowds else None,
        items=pd.concat(items, ignore_index=True) if items else None,
        origin=first.origin.replace(Path(files[0].name).name, names) or f"imported from {names}",
        simulated=any(raw.simulated for raw in raws),
    )


def _numbered(raw: RawAnnotations) -> bool:
    return raw.numbered or (raw.mapping is not None and not raw.mapping.item_id)


def with_texts(
    raw: RawAnnotations, texts: dict[str, tuple[str, str]], where: str
) -> RawAnnotations:
    """Return the annotations with the texts that another file states for their items."""
    if not texts:
        return raw
    frame = raw.frame.copy()
    texts = {same_form(item): each for item, each in texts.items()}
    items = map_text(frame["item_id"], same_form).tolist()
    known = [
        item in texts and same_form(text) in ("", item)
        for item, text in zip(items, frame["text_a"].tolist(), strict=True)
    ]
    found = len({item for item, here in zip(items, known, strict=True) if here})
    for place, column in enumerate(("text_a", "text_b")):
        frame[column] = [
            texts[item][place] if here else text
            for item, here, text in zip(items, known, frame[column].tolist(), strict=True)
        ]
    note = f"texts of {count(found, 'item')} from {where}"
    notes = [each for each in raw.notes if "identifier" not in each or "in its place" not in each]
    return replace(raw, frame=frame, notes=(*(notes if found else raw.notes), note))


def same_items(raws: Sequence[RawAnnotations], notes: list[str]) -> list[RawAnnotations]:
    """Join items whose identifiers differ by Unicode form or invisible marks only."""
    tables = [table for raw in raws for table in (raw.frame, raw.items, raw.crowd)]
    uses = [bare(i) for table in tables if table is not None for i in table["item_id"].tolist()]
    new = joined_forms(uses)
    if not new:
        return list(raws)
    notes.append(
        f"{count(len(set(new.values())), 'item')} with identifiers that differ by Unicode form or "
        f"invisible marks only, such as {quoted(next(iter(new)))}: joined"
    )
    return [_with_items(raw, new) for raw in raws]


def _check_same_task(files: Sequence[FileAnnotations]) -> None:
    tasks = {}
    for file in files:
        if file.raw.task is not None:
            tasks.setdefault(file.raw.task.name, []).append(file.name)
    if len(tasks) > 1:
        listed = "; ".join(f"{name}: {', '.join(who)}" for name, who in tasks.items())
        raise DataError(
            f"the files are of different tasks ({listed})",
            expected="files of one dataset",
            todo="import them one by one, each under a name of its own",
        )


def _placed(file: FileAnnotations, notes: list[str]) -> RawAnnotations:
    """Return a file's annotations with its name in `row` and its part where none is stated."""
    frame = file.raw.frame.loc[:, RAW_COLUMNS].copy()
    frame["row"] = [f"{file.name}:{row}" for row in frame["row"]]
    split = map_text(frame["split"], str.strip)
    stated = {part_named(each) for each in split.unique()} - {""}
    if file.part and stated - {file.part}:
        notes.append(
            f"{file.name}: its items state the part {', '.join(sorted(stated))}, not {file.part}: "
            "what the items state is used"
        )
    frame["split"] = split.where(split != "", file.part)
    items = file.raw.items
    if items is not None:
        items = items.assign(split=items["split"].where(items["split"] != "", file.part))
    return replace(file.raw, frame=frame, items=items)


def _texts(frame: pd.DataFrame) -> dict[str, tuple]:
    """Return item → the words of its two texts; items without a text are left out."""
    first = frame.drop_duplicates("item_id")
    columns = (first[name].tolist() for name in ("item_id", "text_a", "text_b"))
    return {
        bare(item): (tuple(same_form(a).split()), tuple(same_form(b).split()))
        for item, a, b in zip(*columns, strict=True)
        if same_form(a)
    }


def _numbered_together(raws: Sequence[RawAnnotations]) -> list[RawAnnotations]:
    """Number items that only their texts identify over all files."""
    numbers: dict[tuple[str, str], str] = {}
    result = []
    for raw in raws:
        texts = zip(*(map_text(raw.frame[c], same_form) for c in ("text_a", "text_b")), strict=True)
        ids = [numbers.setdefault(pair, str(len(numbers) + 1)) if pair[0] else "" for pair in texts]
        result.append(replace(raw, frame=raw.frame.assign(item_id=ids)))
    return result


def _distinct_items(
    raws: Sequence[RawAnnotations], files: Sequence[FileAnnotations], notes: list[str]
) -> list[RawAnnotations]:
    """Rename items whose identifier stands for other texts in an earlier file."""
    known: dict[str, tuple] = {}
    renamed_items: dict[str, list[str]] = {}
    shared = 0
    result = []
    for raw, file in zip(raws, files, strict=True):
        texts = _texts(raw.frame)
        taken = {*known, *texts}
        new: dict[str, str] = {}
        for item, words in texts.items():
            if item in known and known[item] != words:
                name = f"{item}-{file.part or Path(file.name).stem}"
                while name in taken:
                    name += "-2"
                new[item] = name
                taken.add(name)
        shared += sum(item in known and item not in new for item in texts)
        if new:
            renamed_items[file.name] = list(new.values())
            raw = _with_items(raw, new)
        known.update({new.get(item, item): words for item, words in texts.items()})
        result.append(raw)
    if renamed_items:
        total = sum(map(len, renamed_items.values()))
        one = next(iter(renamed_items.values()))[0]
        notes.append(
            f"{count(total, 'item')} of {', '.join(renamed_items)} with the identifier of an item "
            f"that has other texts in an earlier file: imported as separate items, such as {one}"
        )
    if shared:
        notes.append(f"{count(shared, 'item')} in more than one file: joined")
    return result


def _with_items(raw: RawAnnotations, new: dict[str, str]) -> RawAnnotations:
    def named(frame: pd.DataFrame | None) -> pd.DataFrame | None:
        if frame is None:
            return None
        return frame.assign(
            item_id=map_text(frame["item_id"], lambda item: new.get(bare(item), item))
        )

    return replace(raw, frame=named(raw.frame), items=named(raw.items), crowd=named(raw.crowd))


_ANNOTATION = ["item_id", "annotator_id", "label", "explanation"]


def _distinct_annotations(
    raws: Sequence[RawAnnotations], files: Sequence[FileAnnotations], notes: list[str]
) -> list[RawAnnotations]:
    """Drop identifiers that another annotation in an earlier file has; new ones are made later."""
    known: dict[str, tuple] = {}
    result = []
    for raw, file in zip(raws, files, strict=True):
        frame = raw.frame
        keys = frame["annotation_id"].tolist()
        rows = list(zip(*(frame[name].tolist() for name in _ANNOTATION), strict=True))
        clash = [
            bool(key) and known.get(key, row) != row for key, row in zip(keys, rows, strict=True)
        ]
        if any(clash):
            notes.append(
                f"{file.name}: {count(sum(clash), 'annotation')} with the annotation_id of another "
                "annotation in an earlier file: given a new one"
            )
            keys = ["" if bad else key for key, bad in zip(keys, clash, strict=True)]
            raw = replace(raw, frame=frame.assign(annotation_id=keys))
        known.update((key, row) for key, row in zip(keys, rows, strict=True) if key)
        result.append(raw)
    return result


def _note_conflicts(frames: Sequence[pd.DataFrame], notes: list[str]) -> None:
    """Note annotators who gave an item other labels in another file."""
    before: dict[tuple[str, str], set[str]] = {}
    differing = 0
    for frame in frames:
        here: dict[tuple[str, str], set[str]] = {}
        columns = (
            map_text(frame[name], str.strip) for name in ("item_id", "annotator_id", "label")
        )
        for item, annotator, label in zip(*columns, strict=True):
            if label:
                here.setdefault((item, annotator), set()).add(label)
        differing += sum(key in before and before[key] != labels for key, labels in here.items())
        for key, labels in here.items():
            before.setdefault(key, set()).update(labels)
    if differing:
        notes.append(
            f"{count(differing, 'item')} × annotator with other labels in a later file: all labels "
            "are imported"
        )
