"""Generated answers on disk: a line per answer as it arrives, and a table of them at the end.

`outputs.jsonl` has one JSON object a line: the columns of `schema.OUTPUTS`, and beside them
`finish` ("stop", "length" or "error") and, where the label was chosen by its score,
`label_probabilities`. A line is on disk before the next answer is requested, and is never changed.
A process that dies may leave an incomplete last line: the next writer removes it, and its answer is
requested again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.imitation.backends.base import Reply
from capo_core.imitation.generation.requests import GenerateConfig, OutputRequest, words_of
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.prompts import METHODS
from capo_core.json_text import json_line
from capo_core.run_folder import disk_errors
from capo_core.schema import OUTPUTS, check
from capo_core.workspace import atomic_file


def output_row(
    dataset: Dataset, asked: OutputRequest, reply: Reply, config: GenerateConfig, run: str
) -> dict[str, Any]:
    """Return a line of outputs.jsonl as a dictionary."""
    # Half a surrogate pair, which a server's JSON may hold, cannot be written to a file.
    text = reply.text.encode("utf-8", "replace").decode("utf-8")
    words = words_of(dataset, asked.target, config)
    parsed = parse_response(text, words.task) if reply.finish != "error" else None
    problem = reply.error if parsed is None else parsed.problem
    row = {
        "output_id": asked.request.key,
        "run_id": run,
        "method": config.method,
        "target_annotator_id": asked.target,
        "item_id": asked.item_id,
        "sample": str(asked.sample),
        "label": words.label_of(parsed.label) if parsed else "",
        "explanation": parsed.explanation if parsed else "",
        "raw_text": text,
        "parsed": "false" if problem else "true",
        "problem": problem,
        "prompt_tokens": reply.prompt_tokens,
        "output_tokens": reply.output_tokens,
        "finish": reply.finish,
    }
    if reply.label_scores:
        shares = asked.request.label.probabilities(reply.label_scores)
        row["label_probabilities"] = {
            label: round(share, 5) for label, share in zip(words.labels, shares, strict=True)
        }
    return {**row, "examples": asked.examples} if METHODS[config.method].examples else row


def output_summary(rows: Sequence[Mapping[str, Any]], config: GenerateConfig) -> dict[str, Any]:
    """Return the counts of a generation.

    Returns:
        outputs, parsed, problems (by kind), cut (answers that reached `max_new_tokens`),
        not_answered (by the model's limits or the server's refusal), prompt_tokens,
        output_tokens; for icl `examples_shown`: how many prompts show how many examples.
    """
    counts = {
        "outputs": len(rows),
        "parsed": sum(row["parsed"] == "true" for row in rows),
        "problems": dict(Counter(row["problem"] for row in rows if row["problem"]).most_common()),
        "cut": sum(row["finish"] == "length" for row in rows),
        "not_answered": sum(row["finish"] == "error" for row in rows),
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
    }
    if METHODS[config.method].examples:
        shown = Counter(row["examples"] for row in rows)
        counts["examples_shown"] = {str(n): shown[n] for n in sorted(shown, reverse=True)}
    return counts


LINES = "outputs.jsonl"
TABLE = "outputs.parquet"


class OutputLines:
    """The file `outputs.jsonl` of one run; one process writes at a time (see `RunFolder.lock`)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LINES

    def read(self) -> list[dict[str, Any]]:
        """Read all complete lines, in the order of the file.

        Raises:
            DataError: a line other than the last cannot be read, or an output occurs twice.
        """
        return [row for row, _ in self._lines()]

    @contextmanager
    def writing(self) -> Iterator[OutputWriter]:
        """Open the file for appending; an incomplete last line is removed first."""
        whole = sum(size for _, size in self._lines())
        with disk_errors(self.path), self.path.open("ab") as file:
            if file.tell() > whole:
                file.truncate(whole)
            yield OutputWriter(file)

    def _lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield each complete line with its length in bytes."""
        if not self.path.exists():
            return
        lines = self.path.read_bytes().split(b"\n")
        seen: set[str] = set()
        for number, line in enumerate(lines, start=1):
            if number == len(lines):
                return  # nothing, or the torn beginning of a line
            try:
                row = json.loads(line)
                key = row["output_id"]
            except (ValueError, KeyError, TypeError):
                if number == len(lines) - 1:
                    return  # torn within a block of the disk: the end is there, the rest is not
                raise DataError(
                    "the line cannot be read",
                    where=f"{self.path}, line {number}",
                    todo="take the line out; the same command again asks for its answer",
                ) from None
            if key in seen:
                raise DataError(
                    f"the output {key!r} occurs twice",
                    where=f"{self.path}, line {number}",
                    todo="take one of the two lines out",
                )
            seen.add(key)
            yield row, len(line) + 1


class OutputWriter:
    """A writer that appends lines to an open file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, row: dict[str, Any]) -> None:
        """Add one output; on disk when this returns."""
        self._file.write(json_line(row, ascii_only=True).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def to_frame(rows: list[dict[str, Any]], *, source: str = "") -> pd.DataFrame:
    """Return the outputs as the table `schema.OUTPUTS`, validated."""
    frame = pd.DataFrame(rows, columns=None if rows else OUTPUTS.names)
    frame = check(frame, OUTPUTS, source=source)
    counts = {column.name: "int64" for column in OUTPUTS.columns if column.kind == "count"}
    return frame.astype(counts)


def write_table(frame: pd.DataFrame, folder: Path) -> Path:
    """Write `outputs.parquet` whole; the path."""
    path = folder / TABLE
    with disk_errors(path), atomic_file(path) as file:
        frame.to_parquet(file, index=False)
    return path


def read_table(folder: Path) -> pd.DataFrame:
    """Read the finished outputs of a run.

    Raises:
        DataError: there are none (the run is not finished), or they break their schema.
    """
    path = folder / TABLE
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise DataError(
            "there are no outputs here, or the generation is not finished",
            where=str(folder),
            todo="run the generation command again: it resumes",
        ) from None
    except Exception as error:  # pyarrow has many kinds for a damaged file
        raise DataError(
            f"the outputs cannot be read ({type(error).__name__})", where=str(path)
        ) from error
    return check(frame, OUTPUTS, source=str(path))


def read_label_probabilities(folder: Path) -> pd.DataFrame:
    """Return the label probabilities of a run's answers; empty if its labels were generated.

    Returns:
        One row an answer: target_annotator_id, item_id, sample, and a column for each label; a row
        sums to 1.
    """
    rows = [row for row in OutputLines(folder).read() if "label_probabilities" in row]
    names = ("target_annotator_id", "item_id", "sample")
    return pd.DataFrame(
        [{**{name: row[name] for name in names}, **row["label_probabilities"]} for row in rows]
    )
