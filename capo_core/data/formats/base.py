"""The parts of a dataset format: how it is recognised, read, finished and downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from capo_core.data.columns import ColumnMapping
from capo_core.data.limits import LIMITS, ImportLimits
from capo_core.data.raw_annotations import RawAnnotations
from capo_core.data.readers.table import ImportSource
from capo_core.data.rejected_rows import RejectedRows
from capo_core.dataset import Dataset

AnnotatorDetails = dict[str, dict[str, str]]  # annotator → what a metadata file says of them


@dataclass(frozen=True)
class PublishedFile:
    """A published file at a fixed revision.

    Attributes:
        name: the file's name in the workspace.
        url: its address.
        sha256: checksum (hex). size: its bytes.
    """

    name: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class DownloadSource:
    """Published data, for `data fetch NAME`.

    Attributes:
        name: for the command, and of the dataset.
        title: name on screen. description: one sentence, without the final period.
        by_hand: where to get the files, in an imperative phrase: "download x.json from https://…".
        files: all files of the dataset, also those that describe others; () if a person has to
            get them.
        licence: as its publishers state it, or that they state none.
        note: what else a user has to know, in a sentence without the final period.
        pattern: the files as an argument of the command that imports them by hand.
        is_dataset: whether the files are a dataset; if not, `distributions … --file` reads them.
    """

    name: str
    title: str
    description: str
    by_hand: str
    pattern: str
    files: tuple[PublishedFile, ...] = ()
    licence: str = ""
    note: str = ""
    is_dataset: bool = True

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def instructions(self) -> str:
        """Return how to get the files by hand, and what to do with them."""
        if not self.is_dataset:
            return f"{self.by_hand} and open them: {self.pattern}"
        one = "it" if len(self.files) < 2 else "them"
        return (
            f"{self.by_hand} and import {one}: "
            f"python -m capo_core data import {self.pattern} --name {self.name}"
        )


@dataclass(frozen=True)
class ReadOptions:
    """The options of an import that concern reading; None to detect them.

    Attributes:
        path: the file, for what lies beside it.
        mapping: roles of columns as the user gave them.
        annotator: the annotator of rows that name none; "" if unknown.
        label_sets: how an answer with several labels is read: "each", "set", or "" for the
            format's own way.
    """

    path: Path
    mapping: ColumnMapping | None = None
    delimiter: str | None = None
    sheet: str | None = None
    limits: ImportLimits = LIMITS
    annotator: str = ""
    label_sets: str = ""


@dataclass(frozen=True)
class Format:
    """A format that datasets are imported from.

    A new one is a module in `data/formats/` with a constant `FORMAT`; `registry.FORMATS` finds it,
    and command line, import form and docs list it.

    Attributes:
        name: short name, for `--format` and reports.
        title: name on screen.
        description: one sentence on what such a file holds, without the final period.
        read: the annotations of a file as written; unreadable rows go to the `RejectedRows`.
        matches: whether an opened file is of this format, judged by its content; None if it is
            never detected.
        sign: by what content it is recognised, a noun phrase for the report and the docs.
        general: a shape that many tools write; it is tried after the formats of one tool.
        fields: role → fields of a file that can have it, for formats whose labels, explanations
            and texts the user may choose (`--map label=FIELD`); None if there is no choice.
        accompanies: whether an opened file only describes others of this format (metadata of the
            annotators), so that it is read along with them and never imported by itself.
        finish: a last look at path, dataset and notes, for a note of the format's own and for what
            a file beside it says of the annotators.
        downloads: published data of this format.
        file_per_annotator: the files of a dataset are one for each annotator, so that any number of
            them in a folder belong together.
        needs_json: only JSON files can be of this format.
        needs_mapping: columns are assigned to roles (`--map`).
    """

    name: str
    title: str
    description: str
    read: Callable[[ImportSource, ReadOptions, RejectedRows], RawAnnotations]
    matches: Callable[[ImportSource], bool] | None = None
    sign: str = ""
    general: bool = False
    fields: Callable[[ImportSource, ReadOptions], dict[str, list[str]]] | None = None
    accompanies: Callable[[ImportSource], bool] | None = None
    finish: Callable[[Path, Dataset, list[str]], AnnotatorDetails] | None = None
    downloads: tuple[DownloadSource, ...] = ()
    file_per_annotator: bool = False
    needs_json: bool = False
    needs_mapping: bool = False
