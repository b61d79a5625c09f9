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
class DownloadSource:
    """A published file, or how a person gets it.

    Attributes:
        by_hand: where to get the file, in an imperative phrase: "download x.json from https://…".
        file: the file's name, for the folder `downloads` and for the command that imports it.
        url: the file, at a fixed revision; "" if it cannot be downloaded without a person.
        sha256: checksum (hex) of the file. size: its bytes.
        note: what else to know when importing it by hand.
    """

    by_hand: str
    file: str
    url: str = ""
    sha256: str = ""
    size: int = 0
    note: str = ""

    def instructions(self, name: str) -> str:
        """Return how to get and import the file by hand, as the dataset `name`."""
        note = f" ({self.note})" if self.note else ""
        command = f"python -m capo_core data import {self.file} --name {name}"
        return f"{self.by_hand} and import it: {command}{note}"


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
        download: where the published data are; None for a format without any.
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
    download: DownloadSource | None = None
    file_per_annotator: bool = False
    needs_json: bool = False
    needs_mapping: bool = False
