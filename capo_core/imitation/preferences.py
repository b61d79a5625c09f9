"""Preference pairs from a file: read, kept with the run, and made what a model is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.imitation.collate import Contrast
from capo_core.imitation.history import items_of, parts
from capo_core.imitation.material import Limits, Material, fitted
from capo_core.imitation.preference_rows import EXPECTED, Row, row_of
from capo_core.imitation.prompts import Prompt, zero_shot
from capo_core.imitation.render import render
from capo_core.imitation.run_folder import RunFolder, disk_errors
from capo_core.workspace import atomic_file

FILE = "preferences.jsonl"  # the copy in a run's folder
OTHERS = "pairs of another annotator"


@dataclass(frozen=True)
class Preferences:
    """The pairs of a file, in its order, and the SHA-256 (hex) of its bytes."""

    rows: tuple[Row, ...]
    sha256: str

    def of(self, target: str) -> tuple[Row, ...]:
        """The pairs that name this annotator, or nobody; `ConfigError` where there are none."""
        rows = tuple(row for row in self.rows if row.target in ("", target))
        if not rows:
            named = ", ".join(sorted({row.target for row in self.rows}))
            raise ConfigError(
                f"no preference pair is of annotator {target!r}",
                expected=f"one of {named}, whom the file names",
            )
        return rows


def read(path: Path) -> Preferences:
    """The pairs of a file; `DataError` where it cannot be read, by file and line."""
    return _parsed(_content(path), str(path))


def keep(path: Path, folder: RunFolder, sha256: str) -> None:
    """Copy the file into the run; `RunError` where it is not what the run was begun with."""
    content = _content(path)
    _check_same(content, sha256, path)
    with disk_errors(folder.path), atomic_file(folder.path / FILE) as file:
        file.write(content)


def kept(folder: RunFolder, sha256: str) -> Preferences:
    """The run's own copy; `RunError` where it is not there, or was changed."""
    if not (path := folder.path / FILE).is_file():
        raise RunError(
            "the run's preference pairs are not there",
            where=str(path),
            todo="give the file again (train capo --preferences)",
        )
    content = _content(path)
    _check_same(content, sha256, path)
    return _parsed(content, str(path))


def contrasts(rows: Sequence[Row], tokenizer: Any) -> list[Contrast]:
    """One contrast a prompt (and item), each response in it once, as from a dataset's pairs."""
    weighted = any(row.weight != 1 for row in rows)
    together: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        together.setdefault((row.prompt, row.item_id), []).append(row)
    made = []
    for (prompt, _), pairs in together.items():
        texts = dict.fromkeys(text for row in pairs for text in (row.chosen, row.rejected))
        place = {text: index for index, text in enumerate(texts)}
        against: dict[str, list[tuple[int, float]]] = {}
        for row in pairs:
            against.setdefault(row.chosen, []).append((place[row.rejected], row.weight))
        made.append(
            Contrast(
                render(Prompt(prompt), list(texts), tokenizer),
                tuple(place[text] for text in against),
                tuple(tuple(index for index, _ in each) for each in against.values()),
                tuple(tuple(weight for _, weight in each) for each in against.values())
                if weighted
                else (),
            )
        )
    return made


def preference_material(preferences: Preferences, target: str, limits: Limits) -> Material:
    """What `target` is trained on; `ConfigError` where nothing is of them, or nothing fits."""
    rows = preferences.of(target)
    skipped = {OTHERS: len(preferences.rows) - len(rows)}
    return fitted(contrasts(rows, limits.tokenizer), skipped, limits.max_tokens, FILE, "train")


def log_pairs(rows: Sequence[Row], dataset: Dataset, folder: RunFolder) -> None:
    """Note in the run's events how many pairs there are, and which parts they take items from.

    An item is known by its name, or by its prompt where a row does not name it.
    """
    note = "pairs from a file; items of a study's pairs may be held-out ones: score none of them"
    folder.log("note", note=note, count=len(rows))
    for part in sorted({*parts(dataset)} - {"train"}):
        known = {}
        for item in items_of(dataset, part):
            known[item.item_id] = known[zero_shot(dataset.task, item).text] = item.item_id
        found = {known.get(row.item_id) or known.get(row.prompt) for row in rows}
        if count := len(found - {None}):
            note = f"{part} items among the training pairs: they must not be scored"
            folder.log("note", note=note, count=count)


def _content(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"the preference pairs cannot be read ({error.strerror})", where=str(path)
        ) from error


def _check_same(content: bytes, sha256: str, path: Path) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RunError(
            "the preference pairs were changed since the run was begun",
            where=str(path),
            todo="give the file as it was, or begin a new run",
        )


def _parsed(content: bytes, where: str) -> Preferences:
    rows = tuple(
        row_of(line, f"{where}, line {number}")
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip()
    )
    if not rows:
        raise DataError("there is no preference pair", where=where, expected=EXPECTED)
    return Preferences(rows, hashlib.sha256(content).hexdigest())
