"""Files of preference pairs: export for other trainers, and import as training data.

JSONL, one pair a line, or one JSON array: `prompt`, `chosen` and `rejected`; optionally `item_id`,
`target_annotator` (or `target_annotator_id`) and `weight` (above 0; default 1), as `pairs export`
and `study export-pairs` write them. Rows of TRL's conversational format (lists of messages, the
prompt in `prompt` or before the last message of both) and of LLaMA-Factory (`instruction`, `input`,
`chosen`, `rejected`; or `conversations` with `from` and `value`) are read too, if the prompt is one
user message. A run saves a copy of its file, and resumes from that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError, RunError
from capo_core.export_formats import json_lines, without_provenance
from capo_core.formatting import name_list, natural_order
from capo_core.imitation.pairs.build import Pairs, prove_held_out
from capo_core.imitation.pairs.conversations import plain_texts
from capo_core.imitation.prompting.prompts import (
    PLAIN_END,
    Prompt,
    render,
    write_response,
    zero_shot,
)
from capo_core.imitation.prompting.responses import items_of, parts
from capo_core.imitation.training.examples import (
    ExampleSet,
    ResponseContrast,
    TokenLimits,
    fit_to_limit,
)
from capo_core.provenance import Provenance
from capo_core.run_folder import RunFolder, disk_errors
from capo_core.workspace import atomic_file

EXPECTED = (
    "a JSON object with the texts prompt, chosen and rejected (also as TRL's messages, or "
    "LLaMA-Factory's instruction, chosen and rejected)"
)


@dataclass(frozen=True)
class PreferenceRow:
    """A preference pair; `prompt` excludes the line after which an answer begins."""

    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0
    item_id: str = ""
    target: str = ""


def parse_row(line: bytes, where: str) -> PreferenceRow:
    """Return the pair of a line; `DataError` with `where` and the expected form."""
    try:
        raw = json.loads(line.decode("utf-8"), parse_int=float)  # of endless digits: infinite
    except (ValueError, RecursionError):
        raise DataError("this is not JSON", where=where, expected=EXPECTED) from None
    return row_of(raw, where)


def row_of(raw: Any, where: str) -> PreferenceRow:
    """Return the pair of a JSON value; `DataError` with `where` and the expected form."""
    if not isinstance(raw, dict):
        raise DataError("this is not a JSON object", where=where, expected=EXPECTED)
    raw = plain_texts(raw, where)
    prompt, chosen, rejected = (
        _text(raw, name, where) for name in ("prompt", "chosen", "rejected")
    )
    if chosen == rejected:
        raise DataError("chosen and rejected are the same", where=where, expected="two texts")
    target = "target_annotator" if "target_annotator" in raw else "target_annotator_id"
    item_id, target = (
        _text(raw, name, where) if raw.get(name) not in (None, "") else ""
        for name in ("item_id", target)
    )
    weight = raw.get("weight", 1.0)
    if not (isinstance(weight, float) and math.isfinite(weight) and weight > 0):
        raise DataError(f"the weight is {weight!r}", where=where, expected="a number above 0")
    return PreferenceRow(prompt.removesuffix(PLAIN_END), chosen, rejected, weight, item_id, target)


def _text(raw: dict[str, Any], name: str, where: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{name} is {'missing' if value is None else 'no text'}", where=where,
                        expected=EXPECTED)  # fmt: skip
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # half a letter: no tokens
        raise DataError(f"{name} is not valid Unicode", where=where, expected=EXPECTED)
    return value


def preference_rows(pairs: Pairs, dataset: Dataset) -> list[dict]:
    """Return one record per pair, with the texts that our own training uses.

    `prompt` ends where the answer begins, so that prompt + chosen is one text (the form that TRL
    calls standard, explicit prompt; the trainer adds the end token). A chat model's template is
    not applied: its trainer does that.
    """
    prompts = {
        item.item_id: zero_shot(dataset.task, item).text + PLAIN_END
        for item in items_of(dataset, pairs.split)
    }
    said = dataset.annotations
    columns = (said[name] for name in ("annotation_id", "label", "explanation"))
    responses = {
        annotation_id: write_response(label, explanation)
        for annotation_id, label, explanation in zip(*columns, strict=True)
    }
    return [
        {
            "prompt": prompts[row.item_id],
            "chosen": responses[row.chosen_annotation_id],
            "rejected": responses[row.rejected_annotation_id],
            "item_id": row.item_id,
            "target_annotator": row.target_annotator_id,
            "rejected_annotator": row.rejected_annotator_id,
            "same_label": row.same_label == "true",
            "weight": float(row.weight),
        }
        for row in pairs.frame.itertuples(index=False)
    ]


def provenance_of(pairs: Pairs, dataset: Dataset) -> Provenance:
    """Return the provenance of the pairs of a dataset."""
    return Provenance.of(
        dataset,
        seeds=(pairs.config.seed,),
        n=(("pair", len(pairs)), ("item", pairs.frame["item_id"].nunique())),
        details=(("target", pairs.target), ("split", pairs.split)),
    )


def export_pairs(pairs: Pairs, dataset: Dataset, path: Path | str) -> Path:
    """Write `preference_rows` to a file, one JSON object a line.

    Pairs of the training part are proved to be held out from validation and test first.

    Raises:
        DataError: something in the pairs is tested on (see `prove_held_out`), or the place cannot
            be written.
    """
    path = Path(path)
    if pairs.split == "train":
        prove_held_out(pairs, dataset)
    if path.is_dir():
        raise DataError("this is a folder", where=str(path), todo="name a file in it")
    text = json_lines(preference_rows(pairs, dataset), provenance_of(pairs, dataset))
    try:
        with atomic_file(path) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"the file cannot be written ({error.strerror or error})", where=str(path)
        ) from error
    return path


FILE = "preferences.jsonl"  # the copy in a run's folder
OTHERS = "pairs of another annotator"


@dataclass(frozen=True)
class Preferences:
    """The pairs of a file, in its order, and the SHA-256 (hex) of its bytes without provenance:
    the same pairs exported on another day are the same."""

    rows: tuple[PreferenceRow, ...]
    sha256: str

    def of(self, target: str) -> tuple[PreferenceRow, ...]:
        """Return the pairs of this annotator or without one; `ConfigError` if there are none."""
        rows = tuple(row for row in self.rows if row.target in ("", target))
        if not rows:
            named = name_list(natural_order({row.target for row in self.rows}))
            raise ConfigError(
                f"no preference pair is of annotator {target!r}",
                expected=f"one of {named}, named in the file",
            )
        return rows


def read_preferences(path: Path) -> Preferences:
    """Return the pairs of a file; `DataError` with file and line if it cannot be read."""
    return _parsed(_content(path), str(path))


def save_copy(path: Path, folder: RunFolder, sha256: str) -> None:
    """Copy the file into the run; raise `RunError` if it differs from the run's original one."""
    content = _content(path)
    _check_same(content, sha256, path)
    with disk_errors(folder.path), atomic_file(folder.path / FILE) as file:
        file.write(content)


def load_copy(folder: RunFolder, sha256: str) -> Preferences:
    """Return the run's own copy; raise `RunError` if it is missing or modified."""
    if not (path := folder.path / FILE).is_file():
        raise RunError(
            "the run's preference pairs are missing",
            where=str(path),
            todo="give the file again (train capo --preferences)",
        )
    content = _content(path)
    _check_same(content, sha256, path)
    return _parsed(content, str(path))


def row_contrasts(rows: Sequence[PreferenceRow], tokenizer: Any) -> list[ResponseContrast]:
    """Return one contrast per prompt (and item), each response in it once."""
    weighted = any(row.weight != 1 for row in rows)
    together: dict[tuple[str, str], list[PreferenceRow]] = {}
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
            ResponseContrast(
                render(Prompt(prompt), list(texts), tokenizer),
                tuple(place[text] for text in against),
                tuple(tuple(index for index, _ in each) for each in against.values()),
                tuple(tuple(weight for _, weight in each) for each in against.values())
                if weighted
                else (),
            )
        )
    return made


def preference_examples(preferences: Preferences, target: str, limits: TokenLimits) -> ExampleSet:
    """Return the training examples of `target`; `ConfigError` if there are none, or none fits."""
    rows = preferences.of(target)
    skipped = {OTHERS: len(preferences.rows) - len(rows)}
    return fit_to_limit(
        row_contrasts(rows, limits.tokenizer), skipped, limits.max_tokens, FILE, "train"
    )


def log_pairs(rows: Sequence[PreferenceRow], dataset: Dataset, folder: RunFolder) -> None:
    """Log the number of pairs in the run's events, and the splits their items are from.

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
    # Runs of earlier builds have the hash of all bytes.
    if sha256 not in (_hash(content), hashlib.sha256(content).hexdigest()):
        raise RunError(
            "the preference pairs were changed since the run was started",
            where=str(path),
            todo="give the file as it was, or begin a new run",
        )


def _parsed(content: bytes, where: str) -> Preferences:
    rows = _array(content, where) or tuple(
        parse_row(line, f"{where}, line {number}")
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip()
    )
    if not rows:
        raise DataError("there is no preference pair", where=where, expected=EXPECTED)
    return Preferences(rows, _hash(content))


def _array(content: bytes, where: str) -> tuple[PreferenceRow, ...]:
    """Return the pairs of a JSON array; () if the file is not one."""
    if not content.lstrip().startswith(b"["):
        return ()
    try:
        values = json.loads(content.decode("utf-8"), parse_int=float)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(values, list):
        return ()
    return tuple(row_of(value, f"{where}, pair {number}") for number, value in enumerate(values, 1))


def _hash(content: bytes) -> str:
    return hashlib.sha256(without_provenance(content)).hexdigest()
